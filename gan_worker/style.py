"""Style choices: by seed, latent or name, mixed, painted, and moved along directions; plain values."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from gan_worker.errors import require
from gan_worker.limits import AMOUNTS, TRUNCATIONS

# A request and its recipe must fit a message of 64 KiB, also where every number has 17 digits.
NUMBERS_LIMIT, STYLES_LIMIT, CELLS_LIMIT, NAME_LIMIT = 2048, 16, 1024, 120
# Painted weights are bytes: four looks on 64 × 64 cells take as much room as the numbers of 1024 cells.
LOOKS_LIMIT, WEIGHTS_LIMIT = 4, 4 * 64 * 64
DIRECTION_NAME = re.compile(r"(pca|factor) ([1-9][0-9]{0,3})\Z")
# How many directions of each kind get a slider; what comes after them is hardly seen.
_SLIDERS = {"pca": 6, "factor": 2}

_require = partial(require, cure="Correct the style that was chosen.")


@dataclass(frozen=True)
class Style:
    """One style w; exactly one of the three is given.

    Attributes:
        seed: 0 or more: that of this seed.
        z: that of this latent, as many numbers as the model says.
        material: that of this training material, by its name in the model.
    """

    seed: int | None = None
    z: tuple[float, ...] = ()
    material: str = ""


Mix = tuple[tuple[Style, float], ...]
Directions = tuple[tuple[str, float], ...]
Sway = tuple[float, float]


@dataclass(frozen=True)
class Look:
    """All that makes a look: what a favourite keeps, without where things lie.

    Attributes:
        mix: 1 to 16 styles and their weights, whose mean in w it starts from.
        truncation_psi: 0..2, how far from the mean style it stays.
        directions: how far it is then moved along each.
    """

    mix: Mix
    truncation_psi: float = 1.0
    directions: Directions = ()


@dataclass(frozen=True)
class StyleMap:
    """Which style lies where on the picture; smooth between its cells and across the border.

    Either `styles` in a line, with one number a cell, or `looks` with one weight each a cell.

    Attributes:
        styles: 1 to 16 of them.
        rows: cells from top to bottom.
        columns: cells from left to right; rows × columns is 1024 at most, with looks 4096.
        cells: rows × columns numbers, row by row from the top: 0 is the first style, 1 the second, 0.5 half of each.
        looks: 1 to 4 of them.
        weights: base64 of rows × columns × looks bytes, row by row from the top, the weights of a cell's looks beside
            each other, never all 0. Only their proportion counts.
    """

    styles: tuple[Style, ...]
    rows: int
    columns: int
    cells: tuple[float, ...] = ()
    looks: tuple[Look, ...] = ()
    weights: str = ""


def slider_directions(w_dim: int) -> tuple[str, ...]:
    """Names of the directions worth a slider in a model whose style has so many numbers."""
    return tuple(f"{k} {n + 1}" for k, most in _SLIDERS.items() for n in range(min(most, w_dim)))


def check_style(
    z: Collection[float],
    material: str,
    mix: Mix,
    style_map: StyleMap | None,
    directions: Directions,
) -> None:
    """Check what can be checked without the model; the arguments are fields of `GenerationConfig`.

    Raises:
        RequestError: `invalid_config`.
    """
    given = [len(z) > 0, bool(material), bool(mix), style_map is not None]
    _require(
        sum(given) <= 1,
        "At most one of z, a material, a mix and a style map may choose the style",
        sum(given),
    )
    styles = list(chosen_styles(material, mix, style_map))
    cells = (len(style_map.cells) or CELLS_LIMIT) if style_map else 0
    numbers = len(z) + cells + sum(len(style.z) for style in styles)
    _require(numbers <= NUMBERS_LIMIT, f"A style may have {NUMBERS_LIMIT} numbers at most", numbers)
    _require(len(mix) <= STYLES_LIMIT, f"A mix may have {STYLES_LIMIT} styles at most", len(mix))
    for style in styles:
        _check_one(style)
    _check_weights([weight for _, weight in mix])
    if style_map is not None:
        _check_map(style_map)
    _check_directions(directions)


def chosen_styles(material: str, mix: Mix, style_map: StyleMap | None) -> Iterator[Style]:
    """All styles that a request names, besides its own seed and z."""
    if material:
        yield Style(material=material)
    yield from (style for style, _ in mix)
    if style_map is not None:
        yield from style_map.styles
        yield from (style for look in style_map.looks for style, _ in look.mix)


def check_materials(styles: Iterable[Style], known: Collection[str]) -> None:
    """Check that a model knows the materials that are named.

    Raises:
        RequestError: `invalid_config`, naming those it knows.
    """
    for style in styles:
        _require(
            not style.material or style.material in known,
            f"A material must be one this model knows by name ({', '.join(known) or 'none'})",
            repr(style.material),
        )


def check_seed(seed: int) -> None:
    """Check a seed; how large one may be is up to whoever keeps it.

    Raises:
        RequestError: `invalid_config`.
    """
    _require(seed >= 0, "A seed must be 0 or more", seed)


def check_truncation(truncation_psi: float) -> None:
    """Check how far from the mean style a look may stay.

    Raises:
        RequestError: `invalid_config`.
    """
    _require(truncation_psi in TRUNCATIONS, f"Variety (psi) must be {TRUNCATIONS}", truncation_psi)


def _check_one(style: Style) -> None:
    given = (style.seed is not None) + bool(style.z) + bool(style.material)
    _require(given == 1, "A style must be one of a seed, a z and a material", f"{given} of them")
    check_seed(style.seed or 0)
    _require(all(map(math.isfinite, style.z)), "A z must have finite numbers", style.z)
    _require(
        len(style.material) <= NAME_LIMIT,
        f"A material's name has {NAME_LIMIT} letters at most",
        f"{len(style.material)}",
    )


def _check_weights(weights: list[float]) -> None:
    above, below = (sum(w for w in (s * v for v in weights) if w > 0) for s in (1, -1))
    good = all(map(math.isfinite, weights)) and (not weights or above > 0) and 3 * below <= above
    _require(
        good,
        "The weights of a mix must not all be 0, and those below 0 at most a third of those above",
        weights,
    )


def _check_map(chosen: StyleMap) -> None:
    is_painted = bool(chosen.looks or chosen.weights)
    _require(
        not (is_painted and (chosen.styles or chosen.cells)),
        "A style map must have either styles and cells or looks and weights",
        "some of both",
    )
    most = WEIGHTS_LIMIT // LOOKS_LIMIT if is_painted else CELLS_LIMIT
    _require(
        min(chosen.rows, chosen.columns) > 0 and chosen.rows * chosen.columns <= most,
        f"A style map must have 1 to {most} cells",
        f"{chosen.rows}×{chosen.columns}",
    )
    if is_painted:
        _check_looks(chosen)
    else:
        _check_cells(chosen)


def _check_cells(chosen: StyleMap) -> None:
    count, most = len(chosen.cells), len(chosen.styles) - 1
    _require(
        1 <= most + 1 <= STYLES_LIMIT,
        f"A style map must have 1 to {STYLES_LIMIT} styles",
        most + 1,
    )
    _require(
        chosen.rows * chosen.columns == count,
        "A style map must have rows × columns cells",
        f"{count} for {chosen.rows}×{chosen.columns}",
    )
    wrong = [cell for cell in chosen.cells if not 0 <= cell <= most]
    _require(not wrong, f"The cells of this style map must lie between 0 and {most}", wrong[:1])


def _check_looks(chosen: StyleMap) -> None:
    count = len(chosen.looks)
    _require(1 <= count <= LOOKS_LIMIT, f"A style map must have 1 to {LOOKS_LIMIT} looks", count)
    _require(all(look.mix for look in chosen.looks), "A look must have a style", "none")
    styles = sum(len(look.mix) for look in chosen.looks)
    _require(styles <= STYLES_LIMIT, f"Looks may have {STYLES_LIMIT} styles in all", styles)
    for look in chosen.looks:
        _check_weights([weight for _, weight in look.mix])
        check_truncation(look.truncation_psi)
        _check_directions(look.directions)
    weights = read_weights(chosen)
    cells = (weights[start : start + count] for start in range(0, len(weights), count))
    _require(all(map(any, cells)), "Each cell of a style map must have a look", "one without")


def read_weights(painted: StyleMap) -> bytes:
    """The weights of a style map's looks, rows × columns × looks bytes.

    Raises:
        RequestError: `invalid_config` where they are not as many, or no base64.
    """
    wanted = painted.rows * painted.columns * len(painted.looks)
    size = len(painted.weights) * 3 // 4
    try:
        # The length first: what is far too long is not worth decoding.
        data = base64.b64decode(painted.weights, validate=True) if size <= wanted + 2 else b""
    except (binascii.Error, ValueError):
        data = b""
    _require(
        len(data) == wanted,
        f"The weights of this style map must be base64 of {wanted} bytes",
        f"{len(painted.weights)} letters",
    )
    return data


def _check_directions(directions: Directions) -> None:
    _require(
        len(directions) <= STYLES_LIMIT,
        f"At most {STYLES_LIMIT} directions may be given",
        len(directions),
    )
    for name, amount in directions:
        _require(
            DIRECTION_NAME.match(name),
            "A direction must be named as 'pca 1' or 'factor 1'",
            repr(name[:NAME_LIMIT]),
        )
        _require(
            amount in AMOUNTS,
            f"The amount of a direction must be {AMOUNTS} steps",
            amount,
        )
