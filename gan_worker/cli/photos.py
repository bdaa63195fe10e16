"""Photos: the options that say what is done to them first, and the command `gan-worker prepare`, which shows it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from gan_worker.cli import terminal
from gan_worker.errors import RequestError, require
from gan_worker.materials.pictures import Picture, read_picture, write_picture
from gan_worker.photos.preparing import prepare_and_inspect
from gan_worker.preparation import Preparation

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
    """Straighten a photo, even out its light and take its cast out, as `train` does with the same options."""
    preparation = parse_preparation(corners, even_light, white_balance)
    require(out.suffix.lower() == ".png", "--out must name a PNG", out, "Name it PHOTO.png.")
    photo = read_picture(picture, srgb=True)
    colors: Picture = photo if photo.shape[-1] == 3 else np.repeat(photo[..., :1], 3, axis=-1)
    result, problems = prepare_and_inspect(np.clip(colors, 0, 1), preparation)
    for problem in problems:
        terminal.show_warning(f"{problem.message} {problem.cure}")
    write_picture(out, result)
    terminal.output.print(f"Written to {out.absolute()}", soft_wrap=True)


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
