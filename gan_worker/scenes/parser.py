"""Parser of scene recipes in TOML, strict: errors name the line, the rule and the cure."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, get_args

from gan_worker.errors import RequestError
from gan_worker.estimation import LIMITS, SURFACES, Estimation, adjusted
from gan_worker.limits import DETAILS, SEEDS, SIDES, Range
from gan_worker.materials.maps import MAPS
from gan_worker.scenes.paths import cure_of_backslash, read_path
from gan_worker.scenes.recipe import (
    Axis,
    BetweenLatent,
    Existing,
    FavouriteLatent,
    Latent,
    NameLatent,
    NeighbourhoodLatent,
    PropertyLatent,
    Rule,
    SceneRecipe,
    SeedLatent,
    Selection,
)
from gan_worker.style import Material, Seed, Style
from gan_worker.styles.favourites import Favourite, read_favourites

# Keys of the whole recipe: TOML takes what stands below [[rules]] for the rule's.
_ABOVE = ("textures", "favourites")
# Told what must hold, and what was received; raises.
Fail = Callable[[str, object], NoReturn]


def read_recipe(file: Path) -> SceneRecipe:
    """Read a recipe from a file.

    Raises:
        RequestError: `invalid_recipe`, naming line and cure.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise RequestError(
            "invalid_recipe",
            f"A recipe must be a file that can be read; {file} cannot: {error.strerror or error}.",
            "Check the name and where it lies.",
        ) from None
    except UnicodeDecodeError as error:
        raise RequestError(
            "invalid_recipe",
            f"A recipe must be text in UTF-8; {file} is not (byte {error.start}).",
            "Save it as UTF-8.",
        ) from None
    return parse_recipe(text, file.parent)


def parse_recipe(text: str, folder: Path = Path()) -> SceneRecipe:
    """Read a recipe from TOML.

    Args:
        text: what stands in it.
        folder: where its file of favourites lies.

    Raises:
        RequestError: `invalid_recipe`, naming line and cure.
    """
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also of a number with thousands of digits
        where = re.search(r"at line (\d+)", str(error))
        cure = cure_of_backslash(text, int(where[1])) if where else ""
        raise RequestError(
            "invalid_recipe",
            f"A recipe must be TOML; {error or 'it is nested too deep'}.",
            cure or "Correct that line; see https://toml.io.",
        ) from None
    lines = Lines(text)
    top = Table(data, "", lambda key: lines.of(None, key), WORDS)
    textures = top.take("textures", path_value, SceneRecipe.textures)
    kept = top.take("favourites", path_value, "")
    entries = top.take("rules", rule_tables, ())
    top.refuse_rest()
    if not entries:
        raise RequestError(
            "invalid_recipe",
            "A recipe must have a rule; there is none.",
            "Write [[rules]] above the keys of each rule.",
        )
    rules = _inherit([_own_values(e, n, lines) for n, e in enumerate(entries)])
    favourites = read_favourites(folder / kept) if kept else ()
    return SceneRecipe(rules, textures, _named_favourites(rules, favourites))


def _named_favourites(
    rules: Sequence[Rule], favourites: Sequence[Favourite]
) -> tuple[Favourite, ...]:
    names = [kept.name for kept in favourites]
    for rule in rules:
        for name in rule.favourites:
            if name not in names:
                cure = suggest(name, names) or "Name one that the file of favorites holds."
                fail_at(rule.place, "the favorite must be in the recipe's file of them", name, cure)
            if names.count(name) > 1:
                cure = "Give it another name in Blender, and export again."
                fail_at(rule.place, "the favorite must be the only one of its name", name, cure)
    wanted = {name for rule in rules for name in rule.favourites}
    return tuple(kept for kept in favourites if kept.name in wanted)


# ---- one rule


@dataclass
class _Own:
    """What a rule says itself, before it takes the rest from another."""

    name: str
    line: int
    like: str
    like_line: int
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"Line {self.line}, rule {self.name!r}"


def _own_values(data: dict[str, Any], number: int, lines: Lines) -> _Own:
    name = data.get("name", f"rule {number + 1}")
    label = name if isinstance(name, str) else f"rule {number + 1}"
    table = Table(data, f"rule {label!r}", lambda key: lines.of(number, key), WORDS)
    line = lines.of(number, "")
    own = _Own(table.take("name", text_value, label), line, "", line)
    own.like, own.like_line = table.take("like", text_value, ""), lines.of(number, "like")
    read = {key: table.take(key, reader, None) for key, reader in READERS.items()}
    table.refuse_rest()
    own.values = {key: value for key, value in read.items() if value is not None}
    return own


def _inherit(rules: Sequence[_Own]) -> tuple[Rule, ...]:
    """Give each rule what it takes from the rule that it is like, however long the chain is."""
    by_name: dict[str, _Own] = {}
    for own in rules:
        if own.name in by_name:
            fail_at(own.place, "the name must be its own", own.name, "Give it another name.")
        by_name[own.name] = own
    complete: dict[str, dict[str, Any]] = {}
    for own in rules:
        for name in reversed(_chain(own, by_name, complete)):
            like = by_name[name].like
            taken = {k: v for k, v in complete.get(like, {}).items() if k != "select"}
            complete[name] = {**taken, **by_name[name].values}
    return tuple(_finished(own, complete[own.name]) for own in rules)


def _chain(own: _Own, by_name: Mapping[str, _Own], complete: Collection[str]) -> list[str]:
    """The rule, the one that it is like, and so on, up to one that is like none or is complete."""
    chain: dict[str, None] = {}
    while own.name not in complete:
        chain[own.name] = None
        if not own.like:
            break
        where = f"Line {own.like_line}, rule {own.name!r}"
        if own.like not in by_name:
            cure = suggest(own.like, by_name) or "Name one of this recipe's rules."
            fail_at(where, "like must be the name of a rule", own.like, cure)
        if own.like in chain:
            around = list(chain)
            circle = " → ".join([*around[around.index(own.like) :], own.like])
            fail_at(where, "like must not lead back to itself", circle, "Break the circle.")
        own = by_name[own.like]
    return list(chain)


def _finished(own: _Own, values: dict[str, Any]) -> Rule:
    for key, example in (("select", '{ name = "House*" }'), ("model", '"bricks"')):
        if key not in values:
            fail_at(
                own.place, f"{key} must be given", "none", f"Add, for example, {key} = {example}"
            )
    return Rule(own.name, own.line, **values)


class Table:
    """A table of TOML from which known keys are taken; what is left then is a mistake.

    Args:
        data: what stands in it.
        label: what to call it in errors.
        line: where a key stands.
        words: the recipe's own; where one of them was mistyped, it is suggested.
        fail: of the value that this table is, where it stands inside another.
    """

    def __init__(
        self,
        data: dict[str, Any],
        label: str,
        line: Callable[[str], int] | None = None,
        words: Collection[str] = (),
        fail: Fail | None = None,
    ) -> None:
        self._data, self._label, self._line = data, label, line
        self._words, self._outer = words, fail
        self._known: list[str] = []

    def take(self, key: str, read: Callable[[Any, Fail], Any], default: Any) -> Any:
        self._known.append(key)
        return read(self._data[key], self._failure(key)) if key in self._data else default

    def refuse_rest(self) -> None:
        for key in self._data:
            if key not in self._known:
                rule = f"has no key {key!r}, only {', '.join(self._known)}"
                hint = suggest(key, self._known)
                if self._outer is not None:
                    self._outer(rule, key)
                cure = (
                    f"Move {key} above the first [[rules]]." if key in _ABOVE else f"Remove {key}."
                )
                fail_at(self._place(key), f"it {rule}", key, hint or cure)

    def _failure(self, key: str) -> Fail:
        def fail(rule: str, received: object) -> NoReturn:
            if self._outer is not None:
                self._outer(f"{key} {rule}", received)
            hint = suggest(received, self._words) if isinstance(received, str) else ""
            fail_at(self._place(key), f"{key} {rule}", received, hint or f"Correct {key}.")

        return fail

    def _place(self, key: str) -> str:
        line = f"Line {self._line(key)}" if self._line else ""
        return ", ".join(filter(None, (line, self._label)))


def fail_at(place: str, rule: str, received: object, cure: str) -> NoReturn:
    shown = str(received) if len(str(received)) <= 120 else f"{str(received)[:117]}..."
    raise RequestError("invalid_recipe", f"{place}: {rule}; received {shown}.", cure)


def suggest(word: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f"Did you mean {close[0]!r}?" if close and close[0] != word else ""


_RULE = re.compile(r"\s*\[\[\s*[\"']?rules[\"']?\s*\]\]")


_SUBTABLE = re.compile(r"\s*\[\s*rules\s*\.\s*([\w-]+)")


_KEY = re.compile(r"\s*[\"']?([\w-]+)[\"']?\s*[=.]")


_LONG_QUOTES = re.compile(r'"""|\'\'\'')


class Lines:
    """Where each rule and its keys stand."""

    def __init__(self, text: str) -> None:
        self._found: dict[tuple[int | None, str], int] = {}
        rule: int | None = None
        inside, closing = False, ""
        for number, line in enumerate(text.split("\n"), 1):
            if not closing:
                if _RULE.match(line):
                    rule, inside = 0 if rule is None else rule + 1, False
                    self._found[rule, ""] = number
                elif found := _SUBTABLE.match(line):
                    inside = True
                    self._found.setdefault((rule, found[1]), number)
                elif not inside and (found := _KEY.match(line)):
                    self._found.setdefault((rule, found[1]), number)
            for quotes in _LONG_QUOTES.findall(line):
                closing = quotes if not closing else "" if closing == quotes else closing

    def of(self, rule: int | None, key: str) -> int:
        """The line of a key, or of the rule that it should stand in; rules count from 0."""
        found = self._found.get((rule, key)) or self._found.get((rule, ""))
        return found or self._found.get((None, "rules"), 1)


def text_value(value: Any, fail: Fail) -> str:
    if not isinstance(value, str) or not value:
        fail("must be a text in quotes", value)
    return value


def path_value(value: Any, fail: Fail) -> str:
    try:
        return read_path(text_value(value, fail))
    except ValueError as error:
        fail(str(error), repr(value))


def _texts(value: Any, fail: Fail) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(v, str) and v for v in values):
        fail("must be a text in quotes or a list of such", value)
    return tuple(values)


def _whole(limits: Range[int]) -> Callable[[Any, Fail], int]:
    def read(value: Any, fail: Fail) -> int:
        if type(value) is not int or value not in limits:
            fail(f"must be a whole number {limits}", value)
        return int(value)

    return read


def _number(limits: Range[float]) -> Callable[[Any, Fail], float]:
    def read(value: Any, fail: Fail) -> float:
        if type(value) not in (int, float) or value not in limits:
            fail(f"must be a number {limits}", value)
        return float(value)

    return read


def _choice(*words: str) -> Callable[[Any, Fail], Any]:
    def read(value: Any, fail: Fail) -> str:
        if value not in words:
            fail(f"must be one of {', '.join(words)}", value)
        return str(value)

    return read


def _detail(value: Any, fail: Fail) -> int:
    return DETAILS.index(_choice(*DETAILS)(value, fail))


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


def _boolean(value: Any, fail: Fail) -> bool:
    if not isinstance(value, bool):
        fail("must be true or false", value)
    return bool(value)


def _estimate(value: Any, fail: Fail) -> Estimation | bool:
    if isinstance(value, bool):
        return Estimation() if value else False
    table = Table(
        _table(value, fail, '{ surface = "stone", depth = 1.5 }, true or false'), "", fail=fail
    )
    surface = table.take("surface", _choice(*SURFACES), Estimation.surface)
    readers = {"invert": _boolean, "estimator": text_value} | {
        name: _number(limits) for name, limits in LIMITS.items()
    }
    found = {key: table.take(key, read, None) for key, read in readers.items()}
    table.refuse_rest()
    return adjusted(surface, found)


def _slots(value: Any, fail: Fail) -> tuple[int | str, ...]:
    values = value if isinstance(value, list) else [value]
    good = [(type(v) is int and 0 <= v < 1000) or (isinstance(v, str) and v) for v in values]
    if not values or not all(good):
        fail("must be numbers from 0 or patterns for the names of materials", value)
    return tuple(values)


def _look(value: Any, fail: Fail) -> Style | FavouriteLatent:
    if isinstance(value, str) and value:
        return Material(value)
    if isinstance(value, dict) and value.keys() == {"favourite"}:
        return FavouriteLatent(text_value(value["favourite"], fail))
    if type(value) is not int or value not in SEEDS:
        rule = 'must be a seed, the name of a training material, or { favourite = "NAME" }'
        fail(rule, value)
    return Seed(value)


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


_SEED = _whole(SEEDS)


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
    "name": (NameLatent, {"variants": _whole(Range(1, SEEDS.most)), "seed": _SEED}),
    "neighbourhood": (NeighbourhoodLatent, {"distance": _number(Range(1e-3, 1e6)), "seed": _SEED}),
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
    "size": _pair(_whole(SIDES)),
    "detail": _detail,
    "maps": _maps,
    "estimate": _estimate,
    "scale": _pair(_number(Range(1e-3, 1e6))),
    "psi": _number(Range(0.0, 1.0)),
    "slots": _slots,
    "existing": _choice(*get_args(Existing)),
}


# All that have a meaning in a recipe.
WORDS = (
    *(*MAPS, *DETAILS, *_LATENTS, *get_args(Existing), *Selection.__dataclass_fields__),
    *(*SURFACES, *LIMITS, "invert"),
    *(key for _, readers in _LATENTS.values() for key in readers),
)
