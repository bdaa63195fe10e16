"""The commands that make pictures with a model: `gan-worker generate`, `sheet` and `directions`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from gan_worker.cli import terminal
from gan_worker.cli.options import (
    Detail,
    Estimate,
    Estimation,
    Home,
    Size,
    at_own_size,
    check_picture_file,
    checked_bits,
    estimation_for,
    load,
    make_folder,
    model_for,
    parse_detail,
    parse_seeds,
    parse_size,
    reporting,
    runs_folder,
    takes_estimation,
    write_sheet,
)
from gan_worker.config import GenerationConfig
from gan_worker.errors import counted, require
from gan_worker.materials.files import Format, file_bits, save_material
from gan_worker.progress import GeneratedMaterial, GenerationProgress, Notice
from gan_worker.runs import run
from gan_worker.style import Choice, Latent, Material, check_seed
from gan_worker.styles.text import parse_direction, parse_mix, read_latent, read_style_map

NO_PIXELS = np.empty(0, np.float32)


@takes_estimation
def generate(
    model: Annotated[str, typer.Argument(help="Name of a model; see gan-worker models.")],
    seed: Annotated[str, typer.Option(help="Seeds, such as 7, 1-9 or 1,4,7.")] = "1",
    size: Size = "",
    detail: Detail = "full",
    maps: Annotated[str, typer.Option(help="all, or maps such as base_color,normal.")] = "all",
    psi: Annotated[float, typer.Option(help="0: the mean style, 1: full variety.")] = 1.0,
    material: Annotated[
        str, typer.Option(help="Look of this training material; see gan-worker models.")
    ] = "",
    mix: Annotated[
        str, typer.Option(help="Looks of seeds or materials and weights: 1:0.5,7:0.5.")
    ] = "",
    style_map: Annotated[
        Path | None, typer.Option(help="Gray picture that paints the looks of --styles.")
    ] = None,
    styles: Annotated[
        str, typer.Option(help="Seeds or materials from black to white, such as 3,8.")
    ] = "",
    direction: Annotated[
        list[str] | None, typer.Option(help="Such as 'pca 1=2.5'; see gan-worker directions.")
    ] = None,
    latent: Annotated[
        Path | None, typer.Option(help="Look that project has found, or a recipe made from one.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path(),
    bits: Annotated[
        int | None, typer.Option(help="8 or 16 bits a value; otherwise 16 for height alone.")
    ] = None,
    format: Annotated[
        Format, typer.Option(help="EXR is linear: half floats, and 32 bits for height.")
    ] = Format.png,
    estimate: Estimate = None,
    home: Home = None,
    estimation: Estimation | None = None,
) -> None:
    """Make seamless materials from a model."""
    seeds, (width, height) = parse_seeds(seed), parse_size(size or "512")
    checked_bits(bits)
    names = () if maps == "all" else tuple(name.strip() for name in maps.split(","))
    require(
        (style_map is None) == (not styles),
        "--style-map and --styles must be given together",
        "one of them",
        "Give both: --style-map PICTURE --styles 3,8.",
    )
    config = GenerationConfig(
        model,
        seeds[0],
        width,
        height,
        names,
        psi,
        style=_only_choice(
            Latent(read_latent(latent)) if latent else None,
            Material(material) if material else None,
            parse_mix(mix) if mix else None,
            read_style_map(style_map, styles) if style_map else None,
        ),
        mip=parse_detail(detail),
        directions=tuple(map(parse_direction, direction or ())),
        estimation=estimation_for(model, home, estimate, estimation),
    )
    config = config if size else at_own_size(config, home)
    folder = model_for(config, home)
    make_folder(out)
    loaded = load(folder, home)
    usual = estimation_for(model, home, None, None)
    made: list[GeneratedMaterial] = []
    with reporting() as tell:

        def report(piece: GenerationProgress | Notice) -> None:
            if isinstance(piece, Notice):
                tell(piece)
                return
            done = len(made) * piece.total + piece.done
            tell(GenerationProgress(done, len(seeds) * piece.total))

        for number in seeds:
            result = loaded.generate(replace(config, seed=number), file_bits(bits, format), report)
            save_material(result, out, format, usual)
            # The table needs the numbers alone; thousands of pictures would not fit.
            made.append(replace(result, maps=dict.fromkeys(result.maps, NO_PIXELS)))
            del result  # before the next one is made
    terminal.show_materials(made)
    count = len(made) * len(made[0].maps)
    terminal.output.print(f"{counted(count, 'picture')} in {out.absolute()}", soft_wrap=True)


def _only_choice(*choices: Choice) -> Choice:
    given = [choice for choice in choices if choice is not None]
    require(
        len(given) <= 1,
        "At most one of --latent, --material, --mix and --style-map may choose the style",
        len(given),
        "Leave the others out.",
    )
    return given[0] if given else None


def sheet(
    model: Annotated[str, typer.Argument(help="Name of a model; see gan-worker models.")],
    seeds: Annotated[str, typer.Option(help="Such as 1-12 or 1,4,7.")] = "1-12",
    size: Annotated[str, typer.Option(help="Width and height of each, pixels.")] = "256x256",
    detail: Detail = "full",
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("sheet.png"),
    home: Home = None,
) -> None:
    """Show many seeds side by side in one picture."""
    numbers, (width, height) = parse_seeds(seeds), parse_size(size)
    check_picture_file(out)
    config = GenerationConfig(model, numbers[0], width, height, mip=parse_detail(detail))
    loaded = load(model_for(config, home), home)
    from gan_worker.gan.generation.sheets import seed_sheet

    with reporting() as report:
        _write_sheet(seed_sheet(loaded, numbers, config, report), loaded.info, out)


def directions(
    model: Annotated[str, typer.Argument(help="Name of a model; see gan-worker models.")],
    count: Annotated[int, typer.Option(min=1, max=64, help="Strips of each kind.")] = 6,
    seed: Annotated[int, typer.Option(help="The material in the middle.")] = 1,
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("directions.png"),
    home: Home = None,
) -> None:
    """Show what each slider of a model changes, in one picture."""
    check_seed(seed)
    check_picture_file(out)
    loaded = load(run.open_model(runs_folder(home), model), home)
    from gan_worker.gan.generation.sheets import direction_sheet

    with reporting() as report:
        _write_sheet(direction_sheet(loaded, seed, count, report), loaded.info, out)


def _write_sheet(picture: Any, info: run.ModelInfo, out: Path) -> None:
    write_sheet(out, picture, info)
    terminal.output.print(f"{out.absolute()}", soft_wrap=True)
