"""Plan of a batch: from a recipe and what a scene holds to what must be made and where it goes; plain values."""

from __future__ import annotations

import bisect
import difflib
import fnmatch
import functools
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gan_worker.config import GenerationConfig, check_has_styles
from gan_worker.dataclass_json import to_json
from gan_worker.errors import RequestError, counted
from gan_worker.scenes.latents import RuleLatents
from gan_worker.scenes.recipe import (
    BetweenLatent,
    FavouriteLatent,
    NeighbourhoodLatent,
    Rule,
    SceneRecipe,
    Selection,
)
from gan_worker.style import (
    CellMap,
    Latent,
    LookMap,
    Material,
    Seed,
    Style,
    check_materials,
    chosen_styles,
)

if TYPE_CHECKING:
    from gan_worker.config import Recipe
    from gan_worker.scenes.description import Scene, SceneObject, Value
    from gan_worker.wire.messages import EstimatorEntry, ModelEntry

# A table of ten thousand rules that find nothing helps nobody.
NOTES_LIMIT = 20
# The same of names in one of them.
NAMES_LIMIT = 5
COLUMNS = ("Object", "Slot", "Now", "Becomes", "Latent", "Size", "Rule")
LAST_LETTER = "\U0010ffff"
_WILDCARD = re.compile(r"[*?[]")


@dataclass(frozen=True)
class WorkItem:
    """One material to make.

    Attributes:
        key: 64 hex digits: the hash of config, model hash and estimator; the same key is the same bytes.
        config: what to make.
        model_hash: of the model it must be made with.
        estimator: as of the recipe, of what must estimate its maps; empty where nothing is estimated, or where a worker
            does not say.
    """

    key: str
    config: GenerationConfig
    model_hash: str
    estimator: str = ""

    def is_made_as(self, recipe: Recipe) -> bool:
        """Whether what a recipe made is this."""
        same = self.estimator in ("", recipe.estimator)
        return same and recipe.model_hash == self.model_hash


@dataclass(frozen=True)
class Assignment:
    """A material to put into a slot.

    Attributes:
        object: its name.
        slot: number from 0; beyond those that are there, slots are added.
        before: name of the material that is there now.
        key: of the work item.
        scale: repeats over the UV square.
        rule: name of the rule.
        added: whether the slot is one that the rule adds, or has added before.
        former: name of the material that was there before any recipe, where rules look for such names.
        keeps: whether the rule keeps what is there, so that the slot was empty, or filled by the same rule.
    """

    object: str
    slot: int
    before: str
    key: str
    scale: tuple[float, float]
    rule: str
    added: bool = False
    former: str = ""
    keeps: bool = False


@dataclass(frozen=True)
class Skip:
    """An object that a rule selects and leaves as it is, or a part of it, and why."""

    object: str
    rule: str
    reason: str


@dataclass(frozen=True)
class BatchPlan:
    """All that would happen.

    Attributes:
        items: key → what must be made, each once, in the order of the objects' names.
        assignments: where it goes, by object and slot.
        skips: what stays as it is.
        notes: sentences for a person.
    """

    items: Mapping[str, WorkItem]
    assignments: tuple[Assignment, ...]
    skips: tuple[Skip, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """How much that is."""
        slots = counted(len(self.assignments), "slot")
        return f"{counted(len(self.items), 'material')} for {slots}"

    def rows(self) -> list[tuple[str, ...]]:
        """The plan as a table under `COLUMNS`, by object."""
        rows = [self._row(assignment) for assignment in self.assignments]
        rows += [(s.object, "", "", s.reason, "", "", s.rule) for s in self.skips]
        return sorted(rows)

    def table(self) -> list[tuple[str, ...]]:
        """The same with its head."""
        return [COLUMNS, *self.rows()]

    def _row(self, assignment: Assignment) -> tuple[str, ...]:
        config = self.items[assignment.key].config
        return (
            assignment.object,
            str(assignment.slot),
            assignment.before or "–",
            f"{config.model} {assignment.key[:8]}",
            _latent_words(config),
            config.size.replace("x", "×").replace("_", ", "),
            assignment.rule,
        )


def plan_scene(
    recipe: SceneRecipe,
    scene: Scene,
    models: Sequence[ModelEntry],
    estimators: Sequence[EstimatorEntry] = (),
) -> BatchPlan:
    """Decide what each slot of each object gets.

    Args:
        recipe: the rules; of two for one slot the later wins.
        scene: what there is.
        models: what the worker can generate from.
        estimators: what it can estimate maps with; of a worker that says nothing of them none.

    Raises:
        RequestError: `invalid_recipe`, `unknown_object`, `unknown_model` or `unknown_estimator`, naming line, rule and
            cure.
    """
    known = {model.name: model for model in models}
    hashes = {estimator.name: estimator.hash for estimator in estimators}
    index = _Index(scene)
    claims: dict[tuple[str, int], _Claim] = {}
    skips: list[Skip] = []
    notes: list[str] = []
    lost: dict[str, None] = {}
    favourites = {kept.name: kept.config for kept in recipe.favourites}
    for rule in recipe.rules:
        _check_model(rule, known, favourites, hashes)
        found = index.select(rule)
        if not found:
            notes.append(f"{rule.place}, selects no object.")
        if rule.looks_at_places:
            nowhere = [o.name for o in found if not o.is_somewhere]
            lost.update(dict.fromkeys(nowhere))
            skips += [Skip(name, rule.name, "its location is no place") for name in nowhere]
            found = [o for o in found if o.is_somewhere]
        if found:
            latents = RuleLatents(rule, found, scene, favourites)
            _claim(_Claim(rule, latents), found, claims, skips)
    items: dict[str, WorkItem] = {}
    assignments = []
    by_material = any(rule.looks_for_materials for rule in recipe.rules)
    for (name, slot), claim in sorted(claims.items()):
        item = claim.item(index.objects[name], known[claim.rule.model], hashes)
        items.setdefault(item.key, item)
        slots, former = index.objects[name].slots, index.objects[name].former
        before = slots[slot] if slot < len(slots) else ""
        assignments.append(
            Assignment(
                name,
                slot,
                before,
                item.key,
                claim.rule.scale,
                claim.rule.name,
                claim.rule.existing == "new slot",
                former.get(slot, before if by_material else ""),
                claim.rule.existing == "keep",
            )
        )
    return BatchPlan(items, tuple(assignments), tuple(skips), (*_few(notes), *_lost_note([*lost])))


def _few(notes: list[str]) -> list[str]:
    """Those of rules that select nothing, or as many as help somebody."""
    more = len(notes) - NOTES_LIMIT
    rest = [f"No object is selected by {counted(more, 'more rule')}."] if more > 0 else []
    return notes[:NOTES_LIMIT] + rest


def _lost_note(names: list[str]) -> Iterator[str]:
    if names:
        more = f" and {len(names) - NAMES_LIMIT} more" if len(names) > NAMES_LIMIT else ""
        yield (
            "To get a look by its place, an object must have a location of finite numbers; left out is what has none: "
            f"{', '.join(map(repr, names[:NAMES_LIMIT]))}{more}. Correct its location, or its parent's."
        )


def work_item(config: GenerationConfig, model_hash: str, estimator: str = "") -> WorkItem:
    """The work item for a config, with its key; the arguments are those of `WorkItem`."""
    asked = to_json(config)
    # Stores from before there were levels of detail, steady frames and estimates keep their keys, but of estimates
    # without a word of what made them.
    for later in ("mip", "steady", "estimation"):
        if not asked[later]:
            del asked[later]
    made_by = [model_hash, *([estimator] if estimator else [])]
    text = json.dumps([asked, *made_by], sort_keys=True, separators=(",", ":"))
    return WorkItem(hashlib.sha256(text.encode()).hexdigest(), config, model_hash, estimator)


def in_part(key: str, part: tuple[int, int]) -> bool:
    """Whether a work item belongs to a part: so several computers share the items without speaking to each other.

    Args:
        key: of the item.
        part: which one, from 1, and of how many.
    """
    number, count = part
    return int(key, 16) % count == number - 1


def _latent_words(config: GenerationConfig) -> str:
    chosen = config.style or Seed(config.seed)
    if isinstance(chosen, CellMap | LookMap):
        words = f"painted, seed {config.seed}"
    elif isinstance(chosen, tuple):
        words = "mix " + " ".join(f"{_style_words(s)}:{weight:g}" for s, weight in chosen)
    else:
        words = _style_words(chosen)
    return ", ".join([words, *(f"{name} {amount:+g}" for name, amount in config.directions)])


def _style_words(style: Style) -> str:
    match style:
        case Seed():
            return f"seed {style.number}"
        case Latent():
            return f"z {' '.join(f'{number:g}' for number in style.z[:2])} …"
        case Material():
            return style.name


# ---- which objects


class _Index:
    """The objects of a scene, found by name and by pattern."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.objects = {o.name: o for o in sorted(scene.objects, key=lambda o: o.name)}
        self._names = list(self.objects)

    def select(self, rule: Rule) -> list[SceneObject]:
        """The rule's objects, by name.

        Raises:
            RequestError: `unknown_object` for a plain name that is not there.
        """
        wanted = rule.select
        self._refuse_unknown(rule, "object that takes a material", wanted.name, self.objects)
        self._refuse_unknown(rule, "collection", wanted.collection, self.scene.collections)
        return _filter(self._candidates(wanted.name), wanted)

    def _candidates(self, patterns: tuple[str, ...]) -> list[SceneObject]:
        """Objects whose names begin as one of the patterns does, by name; all where there is none."""
        if not patterns:
            return list(self.objects.values())
        found: set[str] = set()
        for pattern in patterns:
            start = _WILDCARD.split(pattern, maxsplit=1)[0]
            first = bisect.bisect_left(self._names, start)
            last = bisect.bisect_right(self._names, start + LAST_LETTER)
            found.update(self._names[first:last])
        return [self.objects[name] for name in sorted(found)]

    def _refuse_unknown(
        self, rule: Rule, what: str, patterns: tuple[str, ...], known: Collection[str]
    ) -> None:
        for name in patterns:
            if name not in known and not _is_pattern(name):
                close = difflib.get_close_matches(name, known, 1)
                raise RequestError(
                    "unknown_object",
                    f"{rule.place}: the scene must have the {what} {name!r}; it has none.",
                    f"Did you mean {close[0]!r}?"
                    if close
                    else "Correct the name, or use a * in it.",
                )


def _filter(objects: list[SceneObject], wanted: Selection) -> list[SceneObject]:
    """Those for which all that is given holds."""
    if wanted.name:
        good = _test(wanted.name)
        objects = [o for o in objects if good(o.name)]
    if wanted.type:
        good = _test(wanted.type)
        objects = [o for o in objects if good(o.type)]
    if wanted.collection:
        good = _test(wanted.collection)
        objects = [o for o in objects if any(map(good, o.collections))]
    if wanted.material:
        good = _test(wanted.material)
        objects = [o for o in objects if any(map(good, (*o.slots, *o.former.values())))]
    return [o for o in objects if all(_has(o, *entry) for entry in wanted.property)]


def _has(obj: SceneObject, name: str, wanted: Value) -> bool:
    if name not in obj.properties:
        return False
    found = obj.properties[name]
    return _test((wanted,))(str(found)) if isinstance(wanted, str) else found == wanted


def _is_pattern(text: str) -> bool:
    return _WILDCARD.search(text) is not None


@functools.lru_cache(maxsize=1024)
def _test(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a text is one of them, or matches one."""
    plain = frozenset(patterns)
    wild = "|".join(fnmatch.translate(p) for p in patterns if _is_pattern(p))
    if not wild:
        return plain.__contains__
    match = re.compile(wild).match
    return lambda text: text in plain or match(text) is not None


# ---- which slots


@dataclass
class _Claim:
    """A rule that has a slot, and what its objects have in common."""

    rule: Rule
    latents: RuleLatents
    shared: WorkItem | None = None

    def item(self, obj: SceneObject, model: ModelEntry, estimators: Mapping[str, str]) -> WorkItem:
        """What an object gets; where all get the same, its key is made once, for which a painted look is long."""
        if self.shared:
            return self.shared
        config = self.latents.apply(_plain_config(self.rule), obj, model)
        made = work_item(config, model.hash, _estimator(config, model, estimators))
        if self.latents.are_shared:
            self.shared = made
        return made


def _estimator(config: GenerationConfig, model: ModelEntry, known: Mapping[str, str]) -> str:
    """What estimates its maps; the estimates of a photo are part of its model, where no other is named."""
    chosen = config.estimation
    if chosen is None or (model.tile and not chosen.estimator):
        return ""
    return known.get(chosen.estimator, "")


def _claim(
    claim: _Claim,
    found: list[SceneObject],
    claims: dict[tuple[str, int], _Claim],
    skips: list[Skip],
) -> None:
    for obj in found:
        slots, reason = _target_slots(claim.rule, obj, claims)
        if reason:
            skips.append(Skip(obj.name, claim.rule.name, reason))
        for slot in slots:
            claims[obj.name, slot] = claim


def _target_slots(
    rule: Rule, obj: SceneObject, taken: Container[tuple[str, int]]
) -> tuple[list[int], str]:
    """The slots that a rule fills, and why some or all that it asks for are left; no reason where none is."""
    count = len(obj.slots)
    if obj.refusal:
        return [], obj.refusal
    if rule.existing == "new slot":
        offered = itertools.chain(obj.added, itertools.count(count))
        slots = [next(n for n in offered if (obj.name, n) not in taken)]
    else:
        slots = _named_slots(rule, obj)
    if not slots:
        return [], "no slot holds such a material"
    if rule.existing == "keep":
        mine = {slot for slot, name in obj.filled.items() if name == rule.name}
        slots = [slot for slot in slots if slot >= count or not obj.slots[slot] or slot in mine]
        if not slots:
            return [], "keeps the material it has"
    there = [slot for slot in slots if slot < count or obj.new_slots]
    return there, "" if there == slots else "its data is linked, so that no slot can be added"


def _named_slots(rule: Rule, obj: SceneObject) -> list[int]:
    # The next run is to do the same as the first: what a recipe added was not there, what it filled held another.
    own = {
        n: (name, obj.former.get(n, "")) for n, name in enumerate(obj.slots) if n not in obj.added
    }
    if not rule.slots and rule.select.material:
        return [n for n, names in own.items() if any(map(_test(rule.select.material), names))]
    found = set()
    for wanted in rule.slots or (0,):
        if isinstance(wanted, int):
            found.add(wanted)
        else:
            found.update(n for n, names in own.items() if any(map(_test((wanted,)), names)))
    if "*" in rule.slots and not obj.slots:
        found.add(0)
    return sorted(found)


# ---- models


def _check_model(
    rule: Rule,
    known: Mapping[str, ModelEntry],
    favourites: Mapping[str, GenerationConfig],
    estimators: Mapping[str, str],
) -> None:
    model = known.get(rule.model)
    if model is None:
        close = difflib.get_close_matches(rule.model, known, 1)
        raise RequestError(
            "unknown_model",
            f"{rule.place}: the worker must have the model {rule.model!r}; it has "
            f"{', '.join(known) or 'none'}.",
            f"Did you mean {close[0]!r}?" if close else "Correct the name, or train that model.",
        )
    try:
        plain = _plain_config(rule)
        plain.check()
        plain.check_for(model)
        check_materials(_named_styles(rule, favourites), model.styles)
        if isinstance(rule.latent, NeighbourhoodLatent | BetweenLatent):
            check_has_styles(model.z_dim)
        _check_favourites(rule, favourites)
        named = rule.estimate and rule.estimate.estimator
        if named and named not in estimators:
            raise RequestError(
                "unknown_estimator",
                f"the worker must have the estimator {named!r}; it has "
                f"{', '.join(filter(None, estimators)) or 'none'}.",
                "Correct the name, or let it learn from its sets again.",
            )
    except RequestError as error:
        message = f"{rule.place}: {error.info.message}"
        code = "invalid_recipe" if error.code == "invalid_config" else error.code
        raise RequestError(code, message, error.info.cure) from None


def _plain_config(rule: Rule) -> GenerationConfig:
    """What a rule asks for, before an object's latent is chosen."""
    return GenerationConfig(
        rule.model,
        0,
        *rule.size,
        rule.maps,
        rule.psi,
        mip=rule.detail,
        estimation=rule.estimate or None,
    )


def _named_styles(rule: Rule, favourites: Mapping[str, GenerationConfig]) -> Iterator[Style]:
    if isinstance(rule.latent, BetweenLatent):
        ends = (rule.latent.first, rule.latent.second)
        yield from (style for style in ends if not isinstance(style, FavouriteLatent))
    for name in rule.favourites:
        yield from chosen_styles(favourites[name].style)


def _check_favourites(rule: Rule, favourites: Mapping[str, GenerationConfig]) -> None:
    for name in rule.favourites:
        if favourites[name].model != rule.model:
            raise RequestError(
                "invalid_recipe",
                f"A favorite must be of the rule's model, {rule.model!r}; {name!r} is of "
                f"{favourites[name].model!r}.",
                "Choose another favorite, or that model.",
            )
