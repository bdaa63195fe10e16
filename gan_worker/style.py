"""Style choices: by seed, latent or name, mixed, painted, and moved along directions; plain values."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated

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
class _StyleFields:
    """A style as JSON has it: exactly one of the three is given."""

    seed: int | None = None
    z: tuple[float, ...] = ()
    material: str = ""

    @classmethod
    def of(cls, style: Seed | Latent | Material) -> _StyleFields:
        match style:
            case Seed():
                return cls(seed=style.number)
            case Latent():
                return cls(z=style.z)
            case Material():
                return cls(material=style.name)

    def value(self) -> Seed | Latent | Material:
        given = (self.seed is not None) + bool(self.z) + bool(self.material)
        if given != 1:
            raise ValueError(f"a style must be one of a seed, a z and a material, got {given}")
        if self.seed is not None:
            return Seed(self.seed)
        return Latent(self.z) if self.z else Material(self.material)


@dataclass(frozen=True)
class Seed:
    """The style of a seed, 0 or more."""

    number: int
    JSON_FORM = _StyleFields


@dataclass(frozen=True)
class Latent:
    """The style of a latent z, as many numbers as the model says."""

    z: tuple[float, ...]
    JSON_FORM = _StyleFields


@dataclass(frozen=True)
class Material:
    """The style of a training material, by its name in the model."""

    name: str
    JSON_FORM = _StyleFields


# One style w.
Style = Annotated[Seed | Latent | Material, _StyleFields]
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
class _MapFields:
    """A style map as JSON has it: either `styles` and `cells` or `looks` and `weights`."""

    styles: tuple[Style, ...]
    rows: int
    columns: int
    cells: tuple[float, ...] = ()
    looks: tuple[Look, ...] = ()
    weights: str = ""

    @classmethod
    def of(cls, style_map: CellMap | LookMap) -> _MapFields:
        rows, columns = style_map.rows, style_map.columns
        match style_map:
            case CellMap():
                return cls(style_map.styles, rows, columns, style_map.cells)
            case LookMap():
                return cls((), rows, columns, (), style_map.looks, style_map.weights)

    def value(self) -> CellMap | LookMap:
        if not (self.looks or self.weights):
            return CellMap(self.styles, self.rows, self.columns, self.cells)
        if self.styles or self.cells:
            rule = "a style map must have either styles and cells or looks and weights"
            raise ValueError(f"{rule}, got some of both")
        return LookMap(self.looks, self.rows, self.columns, self.weights)


@dataclass(frozen=True)
class CellMap:
    """Styles in a line, and where on it each cell lies.

    Attributes:
        styles: 1 to 16 of them.
        rows: cells from top to bottom.
        columns: cells from left to right; rows × columns is 1024 at most.
        cells: rows × columns numbers, row by row from the top: 0 is the first style, 1 the second, 0.5 half of each.
    """

    styles: tuple[Style, ...]
    rows: int
    columns: int
    cells: tuple[float, ...]
    JSON_FORM = _MapFields


@dataclass(frozen=True)
class LookMap:
    """Looks, and how much of each there is in each cell.

    Attributes:
        looks: 1 to 4 of them.
        rows: cells from top to bottom.
        columns: cells from left to right; rows × columns is 4096 at most.
        weights: base64 of rows × columns × looks bytes, row by row from the top, the weights of a cell's looks beside
            each other, never all 0. Only their proportion counts.
    """

    looks: tuple[Look, ...]
    rows: int
    columns: int
    weights: str
    JSON_FORM = _MapFields


# Which style lies where on the picture; smooth between its cells and across the border.
StyleMap = Annotated[CellMap | LookMap, _MapFields]


@dataclass(frozen=True)
class _ChoiceFields:
    """A choice as JSON has it, beside the other fields of a config: at most one is given."""

    z: tuple[float, ...] = ()
    material: str = ""
    mix: Mix = ()
    style_map: StyleMap | None = None

    @classmethod
    def of(cls, choice: Latent | Material | Mix | CellMap | LookMap | None) -> _ChoiceFields:
        match choice:
            case Latent():
                return cls(z=choice.z)
            case Material():
                return cls(material=choice.name)
            case CellMap() | LookMap():
                return cls(style_map=choice)
            case None:
                return cls()
            case _:
                return cls(mix=choice)

    def value(self) -> Latent | Material | Mix | CellMap | LookMap | None:
        given: list[Latent | Material | Mix | CellMap | LookMap] = []
        given += [Latent(self.z)] if self.z else []
        given += [Material(self.material)] if self.material else []
        given += [self.mix] if self.mix else []
        given += [self.style_map] if self.style_map else []
        if len(given) > 1:
            rule = "at most one of z, a material, a mix and a style map may choose the style"
            raise ValueError(f"{rule}, got {len(given)}")
        return given[0] if given else None


# What chooses the style; None leaves it to the seed.
Choice = Annotated[Latent | Material | Mix | CellMap | LookMap | None, _ChoiceFields]


def slider_directions(w_dim: int) -> tuple[str, ...]:
    """Names of the directions worth a slider in a model whose style has so many numbers."""
    return tuple(f"{k} {n + 1}" for k, most in _SLIDERS.items() for n in range(min(most, w_dim)))


def check_style(style: Choice, directions: Directions) -> None:
    """Check what can be checked without the model; the arguments are fields of `GenerationConfig`.

    Raises:
        RequestError: `invalid_config`.
    """
    styles = list(chosen_styles(style))
    # The weights of looks take as much room as the most cells.
    cells = CELLS_LIMIT if isinstance(style, LookMap) else 0
    cells = len(style.cells) if isinstance(style, CellMap) else cells
    numbers = cells + sum(len(one.z) for one in styles if isinstance(one, Latent))
    _require(numbers <= NUMBERS_LIMIT, f"A style may have {NUMBERS_LIMIT} numbers at most", numbers)
    if not isinstance(style, Latent):  # how that must be only its model knows
        for one in styles:
            _check_one(one)
    if isinstance(style, CellMap | LookMap):
        _check_map(style)
    elif isinstance(style, tuple):
        count = len(style)
        _require(1 <= count <= STYLES_LIMIT, f"A mix must have 1 to {STYLES_LIMIT} styles", count)
        _check_weights([weight for _, weight in style])
    _check_directions(directions)


def chosen_styles(choice: Choice) -> Iterator[Style]:
    """All styles that a choice names."""
    match choice:
        case None:
            return
        case CellMap() | LookMap():
            yield from (style for mix in mixes(choice) for style, _ in mix)
        case _:
            yield from (style for style, _ in as_mix(choice))


def as_mix(choice: Latent | Material | Seed | Mix) -> Mix:
    """One style as a mix of itself alone; a mix as it is."""
    return choice if isinstance(choice, tuple) else ((choice, 1.0),)


def mixes(style_map: StyleMap) -> tuple[Mix, ...]:
    """What each style or look of a map starts from."""
    if isinstance(style_map, CellMap):
        return tuple(((style, 1.0),) for style in style_map.styles)
    return tuple(look.mix for look in style_map.looks)


def check_materials(styles: Iterable[Style], known: Collection[str]) -> None:
    """Check that a model knows the materials that are named.

    Raises:
        RequestError: `invalid_config`, naming those it knows.
    """
    for style in styles:
        _require(
            not isinstance(style, Material) or style.name in known,
            f"A material must be one this model knows by name ({', '.join(known) or 'none'})",
            repr(getattr(style, "name", "")),
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
    match style:
        case Seed():
            check_seed(style.number)
        case Latent():
            finite = bool(style.z) and all(map(math.isfinite, style.z))
            _require(finite, "A z must have finite numbers", style.z)
        case Material():
            _require(
                1 <= len(style.name) <= NAME_LIMIT,
                f"A material's name must have 1 to {NAME_LIMIT} letters",
                len(style.name),
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
    most = CELLS_LIMIT if isinstance(chosen, CellMap) else WEIGHTS_LIMIT // LOOKS_LIMIT
    _require(
        min(chosen.rows, chosen.columns) > 0 and chosen.rows * chosen.columns <= most,
        f"A style map must have 1 to {most} cells",
        f"{chosen.rows}×{chosen.columns}",
    )
    if isinstance(chosen, CellMap):
        _check_cells(chosen)
    else:
        _check_looks(chosen)


def _check_cells(chosen: CellMap) -> None:
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


def _check_looks(chosen: LookMap) -> None:
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


def read_weights(painted: LookMap) -> bytes:
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
