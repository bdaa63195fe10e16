"""Photos: the commands `gan-worker prepare` and `estimate`, and the options that say what is done to photos first."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from gan_worker.cli import terminal
from gan_worker.cli.options import (
    Home,
    Work,
    check_folder,
    check_picture_file,
    quiet_loading,
    runs_folder,
    start_training,
    takes_estimation,
)
from gan_worker.config import TrainingConfig
from gan_worker.errors import RequestError, TilewrightError, counted, require
from gan_worker.estimation import Estimation, certainty
from gan_worker.materials.files import Format, file_bits, save_estimated
from gan_worker.materials.pictures import Picture, read_picture, write_picture
from gan_worker.photos.preparing import prepare_and_inspect
from gan_worker.photos.suggestion import suggest_corners
from gan_worker.preparation import Preparation

# Names no model: none is kept.
NAME = "photo"

PictureWidth = Annotated[
    float,
    typer.Option(
        metavar="METERS",
        show_default=False,
        help="Real width of what the first picture shows, in meters, so that Blender lays the material on objects in "
        "its own size; with corners, the width between them; 0: not known.",
    ),
]
Corners = Annotated[
    str,
    typer.Option(
        metavar="X,Y,X,Y,X,Y,X,Y",
        help="Straighten photos: four corners in 0..1 of the picture, clockwise from the upper left one.",
    ),
]
EvenLight = Annotated[
    float, typer.Option(help="Take slow changes of brightness out of photos: 0 to 1.")
]
WhiteBalance = Annotated[
    str,
    typer.Option(
        help="Take the cast of the light out of photos: 0 to 1, or a color of theirs that is gray in truth, as #c8beaa."
    ),
]


def prepare(
    picture: Annotated[Path, typer.Argument(help="A photo.")],
    out: Annotated[Path, typer.Option(help="PNG to write it to.")],
    corners: Corners = "",
    even_light: EvenLight = 0.0,
    white_balance: WhiteBalance = "0",
) -> None:
    """Straighten a photo, even out its light, take its cast out. So does `train` with the same options."""
    preparation = parse_preparation(corners, even_light, white_balance)
    check_picture_file(out)
    photo = read_picture(picture, srgb=True)
    colors: Picture = photo if photo.shape[-1] == 3 else np.repeat(photo[..., :1], 3, axis=-1)
    result, problems = prepare_and_inspect(np.clip(colors, 0, 1), preparation)
    for problem in problems:
        terminal.show_warning(f"{problem.message} {problem.cure}")
    found = None if corners else suggest_corners(result)
    # One that is upright already needs none.
    if found and found[0] != (0, 0):
        shown = ",".join(f"{n:.3f}" for corner in found for n in corner)
        terminal.show_notes([f"By its pattern it is upright with --corners {shown}"])
    write_picture(out, result)
    terminal.output.print(f"Written to {out.absolute()}", soft_wrap=True)


@takes_estimation
def estimate(
    pictures: Annotated[
        list[Path] | None,
        typer.Argument(help="Photos, or folders with the maps that a material has."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder; each picture gets one of its name in it.")
    ] = None,
    learn_from: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER...",
            help="Estimate nothing yet: learn from material sets with normals to estimate what they have.",
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="With --learn-from: learn for these minutes. [5]")
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(help="With --learn-from: name of the run, for --estimator. [the folder's]"),
    ] = None,
    tileable: Annotated[
        bool, typer.Option("--tileable", help="Make the borders of each picture meet.")
    ] = False,
    corners: Corners = "",
    even_light: EvenLight = 0.0,
    white_balance: WhiteBalance = "0",
    author: Annotated[
        str, typer.Option(help="Who made the pictures, where they do not say it themselves.")
    ] = "",
    license: Annotated[str, typer.Option(help="Their license, such as CC0-1.0.")] = "",
    source: Annotated[str, typer.Option(help="Where they come from.")] = "",
    home: Home = None,
    estimation: Estimation | None = None,
) -> None:
    """Make materials of photos, without any training. Normals, height, roughness and occlusion are estimated.

    With --learn-from the estimator itself learns, from your own material sets; --estimator estimates with it then.
    """
    if learn_from:
        beside = (out, tileable, corners, even_light, white_balance != "0", estimation)
        _check_learning_alone(*beside)
        places = tuple(str(place.absolute()) for place in (*learn_from, *(pictures or ())))
        config = TrainingConfig(
            learn_from[0].absolute().name if run is None else run,
            places,
            "estimator",
            TrainingConfig.minutes if minutes is None else minutes,
            author=author,
            license=license,
            source=source,
        )
        _learn(config, runs_folder(home))
        return
    rule, learning = "Only what learns has a name and takes minutes", "--run or --minutes"
    require(run is None and minutes is None, rule, learning, "Add --learn-from FOLDER.")
    if not pictures or out is None:
        raise RequestError(
            "invalid_config",
            "Photos and a folder for their maps must be given; received not both.",
            "Use gan-worker estimate PHOTO --out FOLDER, or --learn-from FOLDER.",
        )
    preparation = parse_preparation(corners, even_light, white_balance)
    check_folder(out)
    failed = 0
    for picture, folder in _named_apart(pictures, out):
        config = TrainingConfig(
            NAME,
            (str(picture.absolute()),),
            "photo",
            author=author,
            license=license,
            source=source,
            prepare=preparation,
            tileable=tileable,
        )
        config.check()
        try:
            _estimate(config, folder, estimation or Estimation(), runs_folder(home))
        except TilewrightError as error:
            if len(pictures) == 1 or error.code == "cancelled":
                raise
            terminal.show_error(error.info)
            failed += 1
    if failed:
        raise RequestError(
            "invalid_config",
            f"All pictures must be such that maps can be estimated; {failed} of {len(pictures)} were not.",
            "See above for what is wrong with each.",
        )


def _named_apart(pictures: Sequence[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    """A folder for each picture; two of one name would overwrite each other's files."""
    taken: set[str] = set()
    for picture in pictures:
        stem = picture.stem if picture.is_file() else picture.absolute().name
        name, number = stem, 2
        while name.casefold() in taken:
            name, number = f"{stem} {number}", number + 1
        taken.add(name.casefold())
        yield picture, out / name


def _check_learning_alone(*others: object) -> None:
    require(
        not any(others),
        "--learn-from learns, and estimates nothing yet",
        "options of what is estimated beside it",
        "Leave them out; estimate with --estimator NAME when it has learned.",
    )


def _learn(config: TrainingConfig, folder: Path) -> None:
    steps = start_training(config, folder, _load)
    name = shlex.quote(config.run)
    terminal.output.print(
        f"{config.run} has learned to estimate in {steps} steps; all of it is in {folder / config.run}",
        soft_wrap=True,
    )
    terminal.output.print(
        f"Next: gan-worker estimate PHOTO --estimator {name} --out FOLDER", soft_wrap=True
    )


def _load() -> Work:
    from gan_worker.gan.estimation.tuning import save_tuned

    return save_tuned


def _estimate(config: TrainingConfig, folder: Path, estimation: Estimation, runs: Path) -> None:
    with quiet_loading():
        from gan_worker.gan.photo.making import make_material
    with terminal.StopWish(resumed=False) as wish:
        bits = file_bits(None, Format.png)
        material = make_material(config, estimation, bits, runs, terminal.show_news, wish.asked)
    save_estimated(material, folder)
    for name in material.maps:
        sure = material.recipe.estimated.get(name)
        told = "the picture's own" if sure is None else certainty(name, sure)
        if name == "base_color" and estimation.light > 0:
            told = "the picture's own, with less of the light on it"
        terminal.output.print(
            terminal.line(f"{name.replace('_', ' ').capitalize()}: {told}"), soft_wrap=True
        )
    terminal.output.print(
        f"{counted(len(material.maps), 'map')} in {folder.absolute()}", soft_wrap=True
    )


def parse_preparation(corners: str, even_light: float, white_balance: str) -> Preparation:
    """What the options of these names say.

    Raises:
        RequestError: `invalid_config`, also as `Preparation.check`.
    """
    numbers = _numbers(corners, "--corners must be numbers with commas between them")
    rule = "--corners must be x and y of four corners, eight numbers"
    require(len(numbers) in (0, 8), rule, f"{len(numbers)}: {corners}", "Correct --corners.")
    places = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    if color := re.fullmatch(
        r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})", white_balance.strip()
    ):
        red, green, blue = (int(part, 16) / 255 for part in color.groups())
        preparation = Preparation(places, even_light, 1.0, (red, green, blue))
    else:
        rule = "--white-balance must be a number from 0 to 1, or a color as #c8beaa"
        strength = _numbers(white_balance, rule)
        require(len(strength) == 1, rule, repr(white_balance), "Correct --white-balance.")
        preparation = Preparation(places, even_light, strength[0])
    preparation.check()
    return preparation


def _numbers(text: str, rule: str) -> list[float]:
    try:
        return [float(part) for part in text.replace(" ", "").split(",")] if text.strip() else []
    except ValueError:
        raise RequestError("invalid_config", f"{rule}; received {text!r}.", "Correct it.") from None
