"""Text of styles on the command line: mixes, directions, and maps painted in a picture editor."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_worker.errors import RequestError
from gan_worker.files import read_json
from gan_worker.materials.pictures import read_picture
from gan_worker.style import CellMap, Material, Mix, Seed, Style

# Cells along the longer side of a style map that was read from a picture.
MAP_SIDE = 32


def parse_style(text: str) -> Style:
    """`7` is the style of that seed, anything else the name of a training material."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return Seed(int(text))
    return Material(text)


def parse_mix(text: str) -> Mix:
    """`1:0.5,old oak:2` to styles and weights; a weight that is left out is 1.

    Raises:
        RequestError: `invalid_config`.
    """
    parts = []
    for part in text.split(","):
        name, colon, weight = part.rpartition(":")
        style, value = (name, _number(weight)) if colon else (part, 1.0)
        if not style.strip() or value is None:
            raise RequestError(
                "invalid_config",
                "A mix must be seeds or names of materials with weights, such as 1:0.5,7:0.5; "
                f"received {text!r}.",
                "Correct --mix.",
            )
        parts.append((parse_style(style), value))
    return tuple(parts)


def parse_direction(text: str) -> tuple[str, float]:
    """`pca 1=2.5` to name and steps.

    Raises:
        RequestError: `invalid_config`.
    """
    name, _, amount = text.rpartition("=")
    value = _number(amount)
    if not name.strip() or value is None:
        raise RequestError(
            "invalid_config",
            f"A direction must look like 'pca 1=2.5'; received {text!r}.",
            "Correct --direction.",
        )
    return " ".join(name.split()), value


def read_latent(file: Path) -> tuple[float, ...]:
    """The latent z of a recipe's JSON.

    Raises:
        RequestError: `invalid_latent`.
    """
    numbers: tuple[float, ...] | None = None
    try:
        z = read_json(file)["z"]
        numbers = tuple(float(number) for number in z) if isinstance(z, list) else None
    except (OSError, ValueError, LookupError, TypeError):
        pass
    if not numbers:
        raise RequestError(
            "invalid_latent",
            f"A latent must be the numbers under z in a recipe's JSON; {file} holds none.",
            "Name a file that gan-worker project has written, or a recipe made from one."
            if numbers is None
            else "This recipe's look is its seed, material, mix or style map: give that instead.",
        )
    return numbers


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def read_style_map(file: Path, text: str) -> CellMap:
    """A grey picture to a style map: black is the first style, white the last.

    Args:
        file: the picture, of any size; it is stretched over the material.
        text: two or more seeds or names of materials, such as `3,8`.

    Raises:
        RequestError: `invalid_config`.
        PictureError: the picture cannot be read.
    """
    styles = tuple(parse_style(part) for part in text.split(",") if part.strip())
    if len(styles) < 2:
        raise RequestError(
            "invalid_config",
            f"A style map must have two styles or more to paint with; received {len(styles)}.",
            "Name seeds or materials from black to white, such as --styles 3,8.",
        )
    grey = np.clip(read_picture(file).mean(axis=-1), 0, 1)
    shrink = min(1.0, MAP_SIDE / max(grey.shape))
    rows, columns = (max(1, round(side * shrink)) for side in grey.shape)
    cells = _cell_means(_cell_means(grey, rows).T, columns).T * (len(styles) - 1)
    # Three digits are finer than the eye, and keep requests and recipes short.
    return CellMap(styles, rows, columns, tuple(float(c) for c in cells.round(3).ravel()))


def _cell_means(grey: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    """Means over bands of rows, (rows, width)."""
    bounds = np.linspace(0, len(grey), rows + 1).round().astype(int)
    return np.stack([grey[a:b].mean(axis=0) for a, b in pairwise(bounds)])
