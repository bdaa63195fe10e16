"""The commands that fit a model to pictures: `gan-worker repair`, `make-tileable` and `project`."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table
from safetensors.numpy import save

from gan_worker.cli import terminal
from gan_worker.cli.options import (
    Estimation,
    Home,
    check_folder,
    load,
    make_folder,
    parse_size,
    quiet_loading,
    reporting,
    runs_folder,
    takes_estimation,
    write_sheet,
)
from gan_worker.config import GenerationConfig, Recipe, RepairConfig
from gan_worker.dataclass_json import to_json
from gan_worker.files import replace_file, storage_errors, write_json
from gan_worker.materials.maps import FILE_KINDS, MAPS
from gan_worker.materials.masks import border_band, looks_seamless
from gan_worker.materials.metadata import estimated_text, model_metadata, repair_metadata
from gan_worker.materials.pictures import write_picture
from gan_worker.runs import run
from gan_worker.style import Latent

ModelName = Annotated[str, typer.Argument(help="Name of a model; see gan-worker models.")]
PictureOrSet = Annotated[
    Path, typer.Argument(metavar="PICTURE", help="A picture, or a folder with a material's maps.")
]
Scale = Annotated[
    float | None,
    typer.Option(help="The model's pixels of one of the picture; otherwise as in its training."),
]
Seed = Annotated[int, typer.Option(help="Another one gives another result.")]
# Side of what is searched in a photo's middle, pixels that the generator draws.
PROJECTED = 256
Steps = Annotated[int, typer.Option(help="How long to search.")]
Missing = Annotated[
    bool,
    typer.Option(
        "--estimate",
        help="Estimate the maps that are missing from the color of the result, and write them beside it. Implied by "
        "the options below.",
    ),
]


# What is made of estimated maps, and what estimates them.
_Estimating = tuple[Estimation, run.Weights]


@takes_estimation
def repair(
    model: ModelName,
    picture: PictureOrSet,
    mask: Annotated[
        Path,
        typer.Option(help="Picture of the same size, white where to fill it, black elsewhere."),
    ],
    out: Annotated[Path, typer.Option(help="Folder, or PNG for a single picture.")],
    tileable: Annotated[
        bool | None,
        typer.Option(
            "--tileable/--not-tileable", help="Whether it is seamless; otherwise its borders tell."
        ),
    ] = None,
    scale: Scale = None,
    seed: Seed = 1,
    steps: Steps = 150,
    estimate: Missing = False,
    home: Home = None,
    estimation: Estimation | None = None,
) -> None:
    """Fill the masked places of a picture so that they fit. All else stays as it is, to the bit."""
    folder = _checked(
        RepairConfig(model, str(picture), str(mask), tileable, scale, seed, steps), home
    )
    _check_out(out)
    pictures = _picture_files()
    material = pictures.read_one(picture, mask)
    hidden = pictures.read_mask(mask, material.size)
    pictures.check_mask(hidden)
    pictures.check_maps(run.read_model_info(folder), material.maps)
    missing = _wanted(estimate, estimation, material.maps, home)
    files = pictures.targets(material, out)
    loaded = load(folder, home)
    from gan_worker.gan.editing import inpainting

    if tileable is None:
        tileable = looks_seamless(material.maps, hidden)
        taken = "seamless, and stays so" if tileable else "not seamless"
        other = "--not-tileable" if tileable else "--tileable"
        terminal.output.print(f"Taken for {taken}; {other} says otherwise.", soft_wrap=True)
    with reporting("searching what fits") as tell, terminal.StopWish(resumed=True) as wish:
        done = inpainting.inpaint(
            loaded, material.maps, hidden, tileable, scale, seed, steps, tell, wish.asked
        )
    _write(material, done.maps, hidden, files, loaded.info)
    _show(done, material.maps, files)
    _write_missing(done.maps, tileable, missing, material, files, loaded.info)


@takes_estimation
def make_tileable(
    model: ModelName,
    picture: PictureOrSet,
    out: Annotated[Path, typer.Option(help="Folder, or PNG for a single picture.")],
    scale: Scale = None,
    seed: Seed = 1,
    steps: Steps = 150,
    estimate: Missing = False,
    home: Home = None,
    estimation: Estimation | None = None,
) -> None:
    """Make the borders of a picture seamless. Its inside stays as it is, to the bit."""
    folder = _checked(RepairConfig(model, str(picture), "", None, scale, seed, steps), home)
    _check_out(out)
    pictures = _picture_files()
    material = pictures.read_one(picture)
    pictures.check_maps(run.read_model_info(folder), material.maps)
    missing = _wanted(estimate, estimation, material.maps, home)
    files = pictures.targets(material, out)
    loaded = load(folder, home)
    from gan_worker.gan.editing import inpainting

    with reporting("searching what fits") as tell, terminal.StopWish(resumed=True) as wish:
        done = inpainting.make_tileable(loaded, material.maps, scale, seed, steps, tell, wish.asked)
    height, width = material.size
    band = inpainting.band_width(loaded, scale)
    changed = border_band(height, width, band)
    _write(material, done.maps, changed, files, loaded.info)
    _show(done, material.maps, files)
    _write_missing(done.maps, True, missing, material, files, loaded.info)


@takes_estimation
def project(
    model: ModelName,
    picture: PictureOrSet,
    out: Annotated[Path, typer.Option(help="Folder for what is found.")] = Path(),
    size: Annotated[
        str,
        typer.Option(help="Of its middle: width and height at most, the model's pixels."),
    ] = "",
    scale: Scale = None,
    seed: Seed = 1,
    steps: Steps = 150,
    estimate: Missing = False,
    home: Home = None,
    estimation: Estimation | None = None,
) -> None:
    """Search the latents whose picture is nearest to a photo. `generate --latent` starts from them."""
    folder = _checked(RepairConfig(model, str(picture), "", None, scale, seed, steps), home)
    check_folder(out)
    info = run.read_model_info(folder)
    width, height = parse_size(size) if size else 2 * (PROJECTED << info.octaves,)
    pictures = _picture_files()
    material = pictures.read_one(picture)
    pictures.check_maps(info, material.maps)
    missing = _wanted(estimate, estimation, material.maps, home)
    loaded = load(folder, home)
    from gan_worker.gan.editing import inpainting

    make_folder(out)
    with reporting("searching latents") as tell, terminal.StopWish(resumed=True) as wish:
        found = inpainting.find_latents(
            loaded, material.maps, (height, width), scale, seed, steps, tell, wish.asked
        )
    stem = f"{loaded.info.name}_{material.material_set.name}"
    _write_found(found, loaded, out, stem)
    if missing:
        _write_projected(found.made, missing, out / f"{stem}_projected", loaded.info)
    distances = f"{found.projection.first:.3f} at the start, {found.projection.distance:.3f} found"
    terminal.output.print(
        f"Distance in standard deviations: {distances}, after {found.projection.steps} steps",
        soft_wrap=True,
    )
    _note_if_poor(found.projection.distance)
    terminal.output.print(f"Latents and a picture of both in {out.absolute()}", soft_wrap=True)


def _picture_files() -> ModuleType:
    """The module that reads and writes what is repaired: it comes with TensorFlow, which other commands do without."""
    with quiet_loading():
        from gan_worker.gan.editing import material_files
    return material_files


def _checked(config: RepairConfig, home: Path | None) -> Path:
    config.check()
    folder = run.open_model(runs_folder(home), config.model)
    config.check_for(run.read_model_info(folder))
    return folder


def _check_out(out: Path) -> None:
    """Check the folder, or that of a single file, before TensorFlow is loaded; its name waits for what is read."""
    check_folder(out.parent if out.suffix and not out.is_dir() else out)


def _write(
    material: Any,
    maps: dict[str, NDArray[Any]],
    changed: NDArray[np.bool_],
    files: dict[str, Path],
    info: run.ModelInfo,
) -> None:
    pictures = _picture_files()
    said = {
        kind: repair_metadata(info.name, info.hash, info.credits, texts)
        for kind, texts in pictures.read_texts(material).items()
    }
    pictures.write_changed(material, maps, changed, files, said)


def _wanted(
    estimate: bool, estimation: Estimation | None, maps: dict[str, Any], home: Path | None
) -> _Estimating | None:
    """How maps are estimated, if any are to be, and the pictures have what they are estimated from."""
    if not (estimate or estimation):
        return None
    _picture_files().check_color(maps)
    chosen = estimation or Estimation()
    return chosen, run.find_weights(runs_folder(home), chosen.estimator)


def _write_missing(
    maps: dict[str, NDArray[Any]],
    closed: bool,
    chosen: _Estimating | None,
    material: Any,
    files: dict[str, Path],
    info: run.ModelInfo,
) -> None:
    """Estimate what a repaired material lacks, and write it beside its files."""
    if chosen is None:
        return
    texts = next(
        said
        for kind, said in _picture_files().read_texts(material).items()
        if "base_color" in FILE_KINDS[kind].maps
    )
    made, errors = _estimate(maps, closed, *chosen)
    said = repair_metadata(info.name, info.hash, info.credits, texts, errors, chosen[1].hash)
    _show_written(_picture_files().write_beside(made, files, said))


def _write_projected(
    maps: dict[str, NDArray[Any]], chosen: _Estimating, stem: Path, info: run.ModelInfo
) -> None:
    """Write the picture that was found with the maps that are estimated from it."""
    made, errors = _estimate(maps, False, *chosen)
    said = model_metadata(info.name, info.hash, info.credits)
    said |= estimated_text(errors, chosen[1].hash)
    files = {"base_color": stem.with_name(f"{stem.name}_{MAPS['base_color'].file_word}.png")}
    write_picture(files["base_color"], maps["base_color"], metadata=said)
    _show_written([*files.values(), *_picture_files().write_beside(made, files, said)])


def _estimate(
    maps: dict[str, NDArray[Any]], closed: bool, chosen: Estimation, weights: run.Weights
) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
    from gan_worker.gan.estimation.maps import estimate_maps

    missing = chosen.maps(maps)
    with reporting("estimating maps") as tell, terminal.StopWish(resumed=True) as wish:
        color = maps["base_color"]
        return estimate_maps(color, closed, chosen, missing, weights, tell, wish.asked)


def _show_written(files: list[Path]) -> None:
    for file in files:
        terminal.output.print(f"{file.absolute()}", soft_wrap=True)


def _show(done: Any, before: dict[str, NDArray[Any]], files: dict[str, Path]) -> None:
    """Seams before and after, how well it fits, and where it is."""
    from gan_worker.gan.editing.inpainting import seam_ratios

    table = Table("Map", "Before", "After", title="Seam ratio (1 = no seam)")
    old, new = seam_ratios(before), seam_ratios(done.maps)
    for name in new:
        table.add_row(name, f"{old[name]:.2f}", f"{new[name]:.2f}")
    terminal.output.print(table)
    text = f"What surrounds it is met to {done.distance:.2f} standard deviations"
    terminal.output.print(f"{text}, after {done.steps} steps")
    _note_if_poor(done.distance)
    _show_written(list(files.values()))


def _note_if_poor(distance: float) -> None:
    if distance > _picture_files().POOR:
        text = "This model hardly comes near to the picture. Train one on such material, or try another --scale"
        terminal.show_notes([f"{text} or more --steps."])


def _write_found(found: Any, loaded: Any, out: Path, stem: str) -> None:
    info, latents = loaded.info, found.projection.latents
    rows, columns = latents.local.shape[1:3]
    made = GenerationConfig(
        info.name,
        found.projection.seed,
        columns * info.stride,
        rows * info.stride,
        style=Latent(tuple(float(v) for v in latents.z[0])),
        origin=(0, 0),
    )
    recipe = Recipe.of_now(made, info.hash, info.credits)
    write_json(out / f"{stem}_latent.json", to_json(recipe))
    arrays = {"z": latents.z, "local": latents.local}
    arrays |= {f"noise/{i}": noise for i, noise in enumerate(latents.noise)}
    file = out / f"{stem}_latents.safetensors"
    with storage_errors(file):
        replace_file(file, save(arrays))
    lines = [
        np.concatenate([found.wanted[name], found.made[name]], axis=1) for name in found.wanted
    ]
    sheet = np.concatenate([np.broadcast_to(x, (*x.shape[:2], 3)) for x in lines])
    write_sheet(out / f"{stem}_projection.png", sheet, info)
