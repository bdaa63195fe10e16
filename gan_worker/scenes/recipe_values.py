"""Values of a recipe: each reader takes what stands there, and says what must hold where it is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, get_args

from gan_worker.config import LARGEST_SEED
from gan_worker.materials.maps import MAPS
from gan_worker.scenes.recipe import (
    Axis,
    BetweenLatent,
    Existing,
    FavouriteLatent,
    Latent,
    NameLatent,
    NeighbourhoodLatent,
    PropertyLatent,
    SeedLatent,
    Selection,
)
from gan_worker.scenes.recipe_tables import Fail, Table
from gan_worker.style import Style
from gan_worker.wire.messages import SIDE_LIMIT


def text_value(value: Any, fail: Fail) -> str:
    if not isinstance(value, str) or not value:
        fail("must be a text in quotes", value)
    return value


def _texts(value: Any, fail: Fail) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(v, str) and v for v in values):
        fail("must be a text in quotes or a list of such", value)
    return tuple(values)


def _whole(low: int, high: int) -> Callable[[Any, Fail], int]:
    def read(value: Any, fail: Fail) -> int:
        if type(value) is not int or not low <= value <= high:
            fail(f"must be a whole number from {low} to {high}", value)
        return int(value)

    return read


def _number(low: float, high: float) -> Callable[[Any, Fail], float]:
    def read(value: Any, fail: Fail) -> float:
        good = type(value) in (int, float) and math.isfinite(value) and low <= value <= high
        if not good:
            fail(f"must be a number from {low:g} to {high:g}", value)
        return float(value)

    return read


def _choice(*words: str) -> Callable[[Any, Fail], Any]:
    def read(value: Any, fail: Fail) -> str:
        if value not in words:
            fail(f"must be one of {', '.join(words)}", value)
        return str(value)

    return read


def _pair(read: Callable[[Any, Fail], Any]) -> Callable[[Any, Fail], tuple[Any, Any]]:
    """One value for both, or a list of two."""

    def read_pair(value: Any, fail: Fail) -> tuple[Any, Any]:
        values = value if isinstance(value, list) else [value, value]
        if len(values) != 2:
            fail("must be one number or a list of two", value)
        return read(values[0], fail), read(values[1], fail)

    return read_pair


def _maps(value: Any, fail: Fail) -> tuple[str, ...]:
    names = _texts(value, fail)
    if not set(names) <= set(MAPS):
        fail(f"must be of {', '.join(MAPS)}", value)
    return tuple(name for name in MAPS if name in names)


def _slots(value: Any, fail: Fail) -> tuple[int | str, ...]:
    values = value if isinstance(value, list) else [value]
    good = [(type(v) is int and 0 <= v < 1000) or (isinstance(v, str) and v) for v in values]
    if not values or not all(good):
        fail("must be numbers from 0 or patterns for the names of materials", value)
    return tuple(values)


def _look(value: Any, fail: Fail) -> Style | FavouriteLatent:
    if isinstance(value, str) and value:
        return Style(material=value)
    if isinstance(value, dict) and value.keys() == {"favourite"}:
        return FavouriteLatent(text_value(value["favourite"], fail))
    if type(value) is not int or not 0 <= value <= LARGEST_SEED:
        rule = 'must be a seed, the name of a training material, or { favourite = "NAME" }'
        fail(rule, value)
    return Style(seed=value)


def rule_tables(value: Any, fail: Fail) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        fail("must be tables, each under [[rules]]", value)
    return list(value)


def _table(value: Any, fail: Fail, example: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        fail(f"must be a table such as {example}", value)
    return dict(value)


def _properties(value: Any, fail: Fail) -> tuple[tuple[str, str | float | bool], ...]:
    found = _table(value, fail, "{ storeys = 3 }")
    for name, wanted in found.items():
        if not isinstance(wanted, str | int | float | bool):
            fail(f"{name} must be a text, a number, true or false", wanted)
    return tuple(found.items())


def _selection(value: Any, fail: Fail) -> Selection:
    table = Table(_table(value, fail, '{ name = "House*" }'), "", fail=fail)
    names = ("name", "collection", "material", "type")
    found = {name: table.take(name, _texts, ()) for name in names}
    found["property"] = table.take("property", _properties, ())
    table.refuse_rest()
    if not any(found.values()):
        fail('must select something; write { name = "*" } for all objects', value)
    return Selection(**found)


_SEED = _whole(0, LARGEST_SEED)


def _latent(value: Any, fail: Fail) -> Latent:
    table = Table(_table(value, fail, '{ by = "name" }'), "", fail=fail)
    by = table.take("by", _choice(*_LATENTS), None)
    if by is None:
        fail(f"by must be given, one of {', '.join(_LATENTS)}", value)
    kind, readers = _LATENTS[by]
    found = {key: table.take(key, read, None) for key, read in readers.items()}
    table.refuse_rest()
    given = {key: v for key, v in found.items() if v is not None}
    for needed in _NEEDED.get(by, ()):
        if needed not in given:
            fail(f"must have {needed} where it is by {by}", value)
    if len(given.keys() & {"axis", "property", "curve"}) > 1:
        fail("must have one of axis, property and curve at most", value)
    made: Latent = kind(**given)
    return made


_LATENTS: dict[str, tuple[Callable[..., Latent], dict[str, Callable[[Any, Fail], Any]]]] = {
    "seed": (SeedLatent, {"seed": _SEED}),
    "name": (NameLatent, {"variants": _whole(1, LARGEST_SEED), "seed": _SEED}),
    "neighbourhood": (NeighbourhoodLatent, {"distance": _number(1e-3, 1e6), "seed": _SEED}),
    "favourite": (FavouriteLatent, {"favourite": text_value}),
    "between": (
        BetweenLatent,
        {
            "first": _look,
            "second": _look,
            "seed": _SEED,
            "axis": _choice(*get_args(Axis)),
            "property": text_value,
            "curve": text_value,
        },
    ),
    "property": (PropertyLatent, {"property": text_value}),
}
_NEEDED = {
    "neighbourhood": ("distance",),
    "favourite": ("favourite",),
    "between": ("first", "second"),
    "property": ("property",),
}

READERS: Mapping[str, Callable[[Any, Fail], Any]] = {
    "select": _selection,
    "model": text_value,
    "latent": _latent,
    "size": _pair(_whole(1, SIDE_LIMIT)),
    "maps": _maps,
    "scale": _pair(_number(1e-3, 1e6)),
    "psi": _number(0.0, 1.0),
    "slots": _slots,
    "existing": _choice(*get_args(Existing)),
}

# All that have a meaning in a recipe.
WORDS = (
    *(*MAPS, *_LATENTS, *get_args(Existing), *Selection.__dataclass_fields__),
    *(key for _, readers in _LATENTS.values() for key in readers),
)
