"""The commands `gan-worker export` and `validate`: materials for other programs, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gan_worker.cli import terminal
from gan_worker.cli.options import (
    DetailOrNone,
    Estimate,
    Estimation,
    Home,
    at_own_size,
    checked_bits,
    estimation_for,
    load,
    make_folder,
    model_for,
    open_named,
    parse_detail,
    parse_seeds,
    parse_size,
    reporting,
    takes_estimation,
)
from gan_worker.config import GenerationConfig
from gan_worker.errors import counted, require
from gan_worker.exports.sources import (
    ExportedMaterial,
    ExportTarget,
    check_material,
    check_target,
    export_material,
    find_in_folder,
    from_generated,
    read_exported,
)
from gan_worker.materials.files import Format, file_bits
from gan_worker.progress import GenerationProgress
from gan_worker.style import Material
from gan_worker.validation.material import State
from gan_worker.validation.material import validate as find_faults


@takes_estimation
def export(
    of: Annotated[
        str, typer.Argument(metavar="MODEL|FOLDER", help="A model's name, or a folder of maps.")
    ],
    to: Annotated[ExportTarget, typer.Option(help="What for.")],
    seed: Annotated[str | None, typer.Option(help="Of a model: 7, 1-9 or 1,4,7. [1]")] = None,
    size: Annotated[
        str | None,
        typer.Option(
            help="Of a model: width and height in pixels. [1024x1024, or that of a photo]"
        ),
    ] = None,
    detail: DetailOrNone = None,
    psi: Annotated[
        float | None, typer.Option(help="Of a model: 0: the mean style, 1: full variety. [1]")
    ] = None,
    material: Annotated[
        str | None, typer.Option(help="Of a model: look of this training material.")
    ] = None,
    bits: Annotated[
        int | None, typer.Option(help="8 or 16 bits a value; otherwise 16 for height alone.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("export"),
    estimate: Estimate = None,
    home: Home = None,
    estimation: Estimation | None = None,
) -> None:
    """Write materials as glTF, MaterialX, USD, or game textures."""
    deep = checked_bits(bits)
    check_target(to)
    folder = Path(of)
    if folder.is_dir():
        given: dict[str, object] = {
            "seed": seed,
            "size": size,
            "detail": detail,
            "psi": psi,
            "material": material,
        }
        given["estimate"] = estimation or estimate
        _refuse_with_folder(folder, out, given)
        count, materials = _read_for_export(folder)
    else:
        model = open_named(of, home, "a folder of maps")
        mip = parse_detail(detail or "full")
        config = GenerationConfig(of, truncation_psi=1.0 if psi is None else psi, mip=mip)
        width, height = parse_size(size or "1024")
        config = replace(
            config,
            width=width,
            height=height,
            style=Material(material) if material else None,
            estimation=estimation_for(of, home, estimate, estimation),
        )
        seeds = parse_seeds(seed or "1")
        config = config if size else at_own_size(config, home)
        model_for(replace(config, seed=seeds[0]), home)
        count, materials = len(seeds), _generate_for_export(model, home, config, seeds, bits)
    make_folder(out)
    # What a model makes closes; of maps from elsewhere the first one tells.
    closed = None if folder.is_dir() else True
    written: list[tuple[Path, str]] = []
    faults: list[str] = []
    with reporting(f"exporting to {to}") as tell:
        done = 0
        for made in materials:
            tell(GenerationProgress(done, count))
            written += export_material(made, to, out, deep)
            faults += check_material(made, closed)
            done += 1  # noqa: SIM113 - `enumerate` would hold the last one
            del made  # before the next one is made, for which there may be no room beside it
        tell(GenerationProgress(count, count))
    terminal.show_exported(written)
    terminal.show_notes(faults)
    terminal.output.print(f"{counted(len(written), 'file')} in {out.absolute()}", soft_wrap=True)


def validate(
    folders: Annotated[list[Path], typer.Argument(help="Folders of maps, or pictures.")],
    tileable: Annotated[
        bool | None,
        typer.Option(
            "--tileable/--not-tileable",
            help="Whether they must tile; otherwise the first map tells.",
        ),
    ] = None,
) -> int:
    """Say what is wrong with materials, and what to do. It fails where something is bad."""
    bad = 0
    for folder in folders:
        sets, notes = find_in_folder(folder)
        terminal.show_notes(notes)
        for material_set in sets:
            findings = find_faults(read_exported(material_set).maps, tileable)
            terminal.show_findings(material_set.name, findings)
            bad += any(finding.state is State.bad for finding in findings)
    return 1 if bad else 0


def _refuse_with_folder(folder: Path, out: Path, options: Mapping[str, object]) -> None:
    given = [f"--{name}" for name, value in options.items() if value is not None]
    require(
        not given,
        "A folder of maps is exported as it is",
        f"{', '.join(given)} for the folder {folder}",
        "Leave these options out, or give the name of a model that is no folder here.",
    )
    require(
        not out.resolve().is_relative_to(folder.resolve()),
        "--out must lie outside the folder of the maps, or they would be found together",
        out,
        "Give another --out.",
    )


def _read_for_export(folder: Path) -> tuple[int, Iterator[ExportedMaterial]]:
    sets, notes = find_in_folder(folder)
    terminal.show_notes(notes)
    return len(sets), map(read_exported, sets)


def _generate_for_export(
    folder: Path, home: Path | None, config: GenerationConfig, seeds: list[int], bits: int | None
) -> Iterator[ExportedMaterial]:
    loaded, usual = load(folder, home), estimation_for(config.model, home, None, None)
    for number in seeds:
        seeded = replace(config, seed=number)
        yield from_generated(loaded.generate(seeded, file_bits(bits, Format.png)), usual)
