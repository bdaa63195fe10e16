"""The latents of a material: what it is wanted to be, in properties, and what its recipe says it shows."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, TypeGuard

import bpy

from gan_worker.config import GenerationConfig, Recipe
from gan_worker.dataclass_json import from_json, to_json
from gan_worker.estimation import LIMITS, Estimation, certainty
from gan_worker.limits import SEEDS

from ..shader import node_tree
from ..worker import session
from . import levels
from .changes import quietly

if TYPE_CHECKING:
    from gan_worker.wire.messages import ModelEntry

    from .properties import (
        TILEWRIGHT_PG_direction,
        TILEWRIGHT_PG_estimation,
        TILEWRIGHT_PG_latents,
    )

# Sliders have single precision; what differs by less is the same.
_DIGITS = 4
# Pixels across a tile that a thumbnail shows all of; they cost as much as a preview does.
_LARGEST_PICTURE = 256
SIZE = ("width", "height", "mip")
_REST = ("z", "mix", "style_map", "maps", "sway")
_ESTIMATION = tuple(asdict(Estimation()))


def has_latents(material: bpy.types.Material | None) -> TypeGuard[bpy.types.Material]:
    """Whether the material is one of ours that can be steered."""
    return node_tree.is_ours(material) and bool(material.tilewright.latents.model)


def store(material: bpy.types.Material, config: GenerationConfig) -> None:
    """Set everything at once, without asking the worker for anything."""
    kept = material.tilewright.latents
    with quietly():
        if kept.model != config.model:
            kept.directions.clear()
        fields = to_json(config)
        if any(getattr(kept, name) != fields[name] for name in SIZE):
            kept.area = 0
        for name in ("model", "seed", "truncation_psi", "material", *SIZE):
            setattr(kept, name, fields[name])
        kept.rest = json.dumps({name: fields[name] for name in _REST})
        amounts = dict(config.directions)
        add_sliders(material, amounts)
        for direction in kept.directions:
            direction.amount = amounts.get(direction.name, 0.0)
        kept.estimation.used = config.estimation is not None
        if config.estimation:
            kept.estimation.take(config.estimation)
    if config.origin:
        _place(material, config)


def count_as_preview(material: bpy.types.Material, config: GenerationConfig) -> None:
    """Count the maps that are shown as a preview of a config's: these then come as large as they lie."""
    kept = material.tilewright
    before, after = levels.area(wanted(material)), levels.area(config)
    kept.preview_factor = (
        kept.preview_factor[0] * after[0] / before[0],
        kept.preview_factor[1] * after[1] / before[1],
    )


def lay_in_own_size(material: bpy.types.Material, made: GenerationConfig, was_so: bool) -> None:
    """Make what a model shows for the first time as large on the surface as it is in the world, where that is known.

    Where it is not, a tile that nobody laid otherwise is as wide as its coordinates, or as the one before it, and as
    high as its pixels are.

    Args:
        material: that shows it now, or a preview of it.
        made: what it shows, at full size.
        was_so: whether the one before it was as high as its pixels are.
    """
    model = session.current.model(made.model)
    if model and model.pixel_size:
        node_tree.lay_in_meters(material, levels.area(made)[0] * model.pixel_size)
    elif not made.has_map:
        node_tree.lay_in_proportion(material, was_so)


def exchange(material: bpy.types.Material, config: GenerationConfig) -> None:
    """Set the latents of a config, but keep the material's own size and maps, as far as the config's model makes them.

    Raises:
        RequestError: `unknown_model` where the worker has it not, or as `GenerationConfig.check_for`; nothing was
            changed.
    """
    own, now = wanted(material), session.current
    asked = sized_as(own, config)
    # What the worker has is known while it is there.
    model = now.known_model(config.model) if now.connected else now.model(config.model)
    store(material, _fitting(asked, model, own.model) if model else asked)


def sized_as(own: GenerationConfig, config: GenerationConfig) -> GenerationConfig:
    """A config at the size and with the maps of another, its border wherever the material is calm."""
    sized = replace(config, width=own.width, height=own.height, mip=own.mip)
    return replace(sized, maps=own.maps, origin=None)


def _fitting(config: GenerationConfig, model: ModelEntry, own: str) -> GenerationConfig:
    """A config of a model with size and maps of a material whose own model may be another."""
    sized = levels.fitted(config, model) if model.name != own else config
    estimation = sized.estimation if "base_color" in model.maps else None
    made = {*model.maps, *(estimation.maps(model.maps) if estimation else ())}
    maps = tuple(name for name in sized.maps if name in made)
    fitted = replace(sized, estimation=estimation, maps=maps)
    fitted.check_for(model)
    return fitted


def put_back_layout(material: bpy.types.Material) -> None:
    """Let things lie where the seed puts them."""
    kept = material.tilewright.latents
    rest = json.loads(kept.rest or "{}")
    kept.rest = json.dumps({name: value for name, value in rest.items() if name != "sway"})


def wanted(material: bpy.types.Material) -> GenerationConfig:
    """What the latents ask for, at full size.

    The border stays where it was put for this seed and area: the pattern must not jump while only
    its look or its resolution changes.
    """
    kept = material.tilewright.latents
    rest = json.loads(kept.rest or "{}")
    if kept.material:
        rest = {name: rest[name] for name in ("maps", "sway") if name in rest}
    config = replace(
        from_json(GenerationConfig, {**rest, "model": kept.model, "material": kept.material}),
        seed=kept.seed,
        width=kept.width,
        height=kept.height,
        mip=kept.mip,
        truncation_psi=round(kept.truncation_psi, _DIGITS),
        directions=tuple(
            (d.name, round(d.amount, _DIGITS))
            for d in kept.directions
            if round(d.amount, _DIGITS) != 0
        ),
        estimation=_estimation(kept.estimation),
    )
    return replace(config, origin=_placed(material, config))


def _estimation(kept: TILEWRIGHT_PG_estimation) -> Estimation | None:
    """What the sliders of estimated maps ask for; None where none are estimated."""
    values = {name: getattr(kept, name) for name in _ESTIMATION}
    return _rounded(Estimation(**values)) if kept.used else None


def _rounded(estimation: Estimation) -> Estimation:
    numbers = {name: round(getattr(estimation, name), _DIGITS) for name in LIMITS}
    return replace(estimation, **numbers)


def keep_place(material: bpy.types.Material, recipe: Recipe) -> None:
    """Remember where the border of a full size was put; take up what a foreign result shows."""
    config = recipe.config
    if not material.tilewright.latents.model:
        store(material, config)
    if config.origin:
        _place(material, config)


def certainties(material: bpy.types.Material) -> dict[str, str]:
    """How sure its estimated maps are that are shown: name → words."""
    recipe = node_tree.read_recipe(material)
    errors = recipe.estimated if recipe else {}
    shown = node_tree.images_of(material)
    return {name: certainty(name, errors[name]) for name in shown if name in errors}


def is_photo(material: bpy.types.Material) -> bool:
    """Whether its model is a photo, which has no latents, as far as the worker has told."""
    model = session.current.model(material.tilewright.latents.model)
    return model is not None and model.tile is not None


def offers_estimators(chosen: str) -> bool:
    """Whether there is a choice of what estimates maps; what was chosen can be taken out although it is gone."""
    return bool(chosen or session.current.estimator_names())


def take_up_recipes() -> None:
    """Give latents to materials of files that were made before there were any."""
    for material in bpy.data.materials:
        if node_tree.is_ours(material) and not material.tilewright.latents.model:
            recipe = node_tree.read_recipe(material)
            if recipe:
                keep_place(material, recipe)


def is_shown(material: bpy.types.Material) -> bool:
    """Whether the material shows, at full size, what its latents ask for, or its baked motion."""
    if node_tree.shows_sequence(material):
        return True
    recipe = node_tree.read_recipe(material)
    if recipe is None or node_tree.is_preview(material) or not node_tree.images_of(material):
        return False
    return _essence(recipe.config) == _essence(wanted(material))


def is_alike(config: GenerationConfig, material: bpy.types.Material) -> bool:
    """Whether a config gives what the latents ask for, at any size."""
    one, other = _essence(config), _essence(wanted(material))
    return replace(one, width=other.width, height=other.height, mip=other.mip) == other


def _essence(config: GenerationConfig) -> GenerationConfig:
    """A config without what makes no difference to the look."""
    return replace(
        config,
        maps=(),
        origin=None,
        truncation_psi=round(config.truncation_psi, _DIGITS),
        directions=tuple(
            sorted((n, round(a, _DIGITS)) for n, a in config.directions if round(a, _DIGITS))
        ),
        estimation=_rounded(config.estimation) if config.estimation else None,
    )


def _placed(material: bpy.types.Material, config: GenerationConfig) -> tuple[int, int] | None:
    """Where the border was put for this seed and area, in pixels of the config's level; None where it was not."""
    placed = json.loads(material.tilewright.latents.placed or "{}")
    if placed.get("of") != _place_of(config):
        return None
    column, row = placed["origin"]
    return column >> config.mip, row >> config.mip


def _place(material: bpy.types.Material, config: GenerationConfig) -> None:
    """Keep its border, in pixels with all detail, so that it is the same at every resolution."""
    model = session.current.model(config.model)
    if _placed(material, config) == config.origin or (model and model.tile):
        return  # a coarser picture would say it less exactly, and a photo has its own borders
    origin = levels.at_level(config, 0, model.octaves if model else config.mip).origin
    placed = {"of": _place_of(config), "origin": origin}
    material.tilewright.latents.placed = json.dumps(placed)


def _place_of(config: GenerationConfig) -> list:
    return [config.model, config.seed, *levels.area(config)]


def picture_config(config: GenerationConfig, side: int) -> GenerationConfig:
    """What to ask for to get a thumbnail.

    Args:
        config: what it shows.
        side: about how many pixels of the pattern it shows where it cannot show the tile.
    """
    model = session.current.model(config.model)
    maps = model.maps if model else ()
    shown = "base_color" if "base_color" in maps else next(iter(maps), "base_color")
    config = replace(config, maps=(shown,))
    whole = levels.small_tile(config, model, _LARGEST_PICTURE)
    if whole:
        return whole
    stride, mip = (model.stride >> model.octaves, model.octaves) if model else (1, 0)
    size = max(1, side // stride) * stride
    return replace(config, width=size, height=size, mip=mip, origin=(0, 0))


def add_sliders(material: bpy.types.Material, names: Iterable[str] = ()) -> None:
    """Add a slider for each direction the worker says the model has, and for those named."""
    kept = material.tilewright.latents
    model = session.current.model(kept.model)
    wanted = dict.fromkeys([*(model.directions if model else ()), *names])
    _add_missing(kept, wanted)
    _add_labels(kept.model, wanted)


def add_sliders_everywhere() -> None:
    """Once the worker has told which models it has: materials may be older than the connection."""
    models = {model.name: model for model in session.current.models}
    used = {}
    for material in bpy.data.materials:
        model = models.get(material.tilewright.latents.model) if has_latents(material) else None
        if model:
            _add_missing(material.tilewright.latents, model.directions)
            used[model.name] = model.directions
    for name, directions in used.items():
        _add_labels(name, directions)


def _add_missing(kept: TILEWRIGHT_PG_latents, names: Iterable[str]) -> None:
    there = kept.directions.keys()
    for name in names:
        if name not in there:
            kept.directions.add().name = name


def label_key(model: str, direction: str) -> str:
    """Under which name a scene keeps what a direction of a model is called."""
    return f"{model}/{direction}"


def _add_labels(model: str, directions: Iterable[str]) -> None:
    for scene in bpy.data.scenes:
        labels = scene.tilewright.direction_labels
        for direction in directions:
            key = label_key(model, direction)
            if key not in labels and not scene.library:
                item = labels.add()
                item.name = key
                kind, _, number = direction.partition(" ")
                item.label = f"{'Direction' if kind == 'pca' else 'Accent'} {number}"


def followers(material: bpy.types.Material) -> list[bpy.types.Material]:
    """The materials that move together with this one, itself among them, in order of objects' names.

    They are those of the selected objects, where the panel applies to these and this material is
    the active object's; a script that steers some other material moves that one alone.
    """
    together = bpy.context.scene.tilewright.target == "SELECTED"
    if not together or active_material() != material:
        return [material]
    objects = bpy.context.view_layer.objects
    chosen = sorted((o for o in objects if o.select_get()), key=lambda o: o.name)
    found = [m for m in (o.active_material for o in chosen) if has_latents(m)]
    return list(dict.fromkeys(found if material in found else [material, *found]))


def active_material() -> bpy.types.Material | None:
    """The active object's material."""
    layer = bpy.context.view_layer
    active = layer.objects.active if layer else None
    return active.active_material if active else None


def steered() -> list[bpy.types.Material]:
    """The materials that the panel steers: the active object's, and those that follow it."""
    material = active_material()
    return followers(material) if node_tree.is_ours(material) else []


def spread(
    owner: TILEWRIGHT_PG_latents | TILEWRIGHT_PG_direction | TILEWRIGHT_PG_estimation, name: str
) -> list[bpy.types.Material]:
    """Give a latent that was changed by hand to all that follow.

    Args:
        owner: the latents of a material, one direction of them, or what is made of its estimates.
        name: of the property that was changed.

    Returns:
        The materials that have changed.
    """
    source = owner.id_data
    together = followers(source)
    if name in _ESTIMATION:
        together = [m for m in together if m.tilewright.latents.estimation.used]
    with quietly():
        for number, other in enumerate(together):
            if other != source:
                _take_over(other, owner, name, number - together.index(source))
    return together


def _take_over(
    other: bpy.types.Material,
    owner: TILEWRIGHT_PG_latents | TILEWRIGHT_PG_direction | TILEWRIGHT_PG_estimation,
    name: str,
    distance: int,
) -> None:
    kept = other.tilewright.latents
    if name in _ESTIMATION:  # relief means the same to all models
        setattr(kept.estimation, name, getattr(owner, name))
        return
    if kept.model != owner.id_data.tilewright.latents.model and name != "truncation_psi":
        return
    if name == "amount":
        add_sliders(other, (owner.name,))
        kept.directions[owner.name].amount = owner.amount
    elif name == "seed" and bpy.context.scene.tilewright.vary_per_object:
        kept.seed = later_seed(owner.seed, distance)
    else:
        setattr(kept, name, getattr(owner, name))


def later_seed(seed: int, steps: int) -> int:
    """The seed so many further; after the last comes the first."""
    return (seed + steps) % SEEDS.most


def drawn_seed(source: random.Random) -> int:
    """Any seed."""
    return source.randrange(SEEDS.most)


def nearest_seed(value: float) -> int:
    """The seed that a curve means."""
    return SEEDS.nearest(round(value))
