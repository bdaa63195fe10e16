"""Reads a scene recipe from TOML, strictly: errors name the line, the rule and the cure."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan_worker.errors import RequestError
from gan_worker.scenes.recipe import Rule, SceneRecipe
from gan_worker.scenes.recipe_tables import Lines, Table, fail_at, suggest
from gan_worker.scenes.recipe_values import READERS, WORDS, rule_tables, text_value
from gan_worker.styles.favourites import Favourite, read_favourites


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
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RequestError(
            "invalid_recipe",
            f"A recipe must be TOML; {error or 'it is nested too deep'}.",
            "Correct that line; see https://toml.io.",
        ) from None
    lines = Lines(text)
    top = Table(data, "", lambda key: lines.of(None, key), WORDS)
    textures = top.take("textures", text_value, SceneRecipe.textures)
    kept = top.take("favourites", text_value, "")
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
                cure = suggest(name, names) or "Name one that the file of favourites holds."
                fail_at(
                    rule.place, "the favourite must be in the recipe's file of them", name, cure
                )
            if names.count(name) > 1:
                cure = "Give it another name in Blender, and export again."
                fail_at(rule.place, "the favourite must be the only one of its name", name, cure)
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
