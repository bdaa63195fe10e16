"""Make a material again from its recipe: as it is, at another resolution, or with another area."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import bpy

from gan_worker.errors import RequestError, WorkerError

from ..shader import node_tree
from ..steering import levels, live, sliders
from ..worker import session
from . import estimates

if TYPE_CHECKING:
    from gan_worker.config import GenerationConfig
    from gan_worker.wire.messages import ModelEntry

    from .properties import Origin

# Longest sides that the panel offers, pixels, and what artists call them.
SIDES = {side: levels.pixels(side) for side in (512, 1024, 2048, 4096)}
# Letters of a hash that are shown: enough that no two models share them.
HASH_LETTERS = 12


def model_of(material: bpy.types.Material) -> ModelEntry | None:
    """The worker's model with the weights that the recipe names, whatever it is called by now."""
    needed = material.tilewright.model_hash
    return next((m for m in session.current.models if m.hash == needed), None)


def check(material: bpy.types.Material | None) -> bpy.types.Material:
    """Check that a material can be made again from its recipe.

    Returns:
        The material.

    Raises:
        RequestError: `wrong_state` or `unknown_model`.
        WorkerError: `worker_gone`.
    """
    material = node_tree.check_local(material)
    if not session.current.connected:
        raise WorkerError(
            "worker_gone", "No worker is connected.", "Press Start in the Worker panel."
        )
    if not model_of(material):
        raise _missing(material.tilewright)
    return material


def _missing(kept: Origin) -> RequestError:
    needed = f"{kept.model} (hash {kept.model_hash[:HASH_LETTERS]})"
    present = session.current.model(kept.model)
    if present:
        return RequestError(
            "unknown_model",
            f"This material was made by {needed}; the worker's {kept.model} has learned on since and is "
            f"{present.hash[:HASH_LETTERS]} now.",
            "Press Apply in the Latents panel to make it with what the model is now, or put the older model "
            "among the worker's runs.",
        )
    return RequestError(
        "unknown_model",
        f"This material was made by {needed}; the worker has no such model.",
        "Copy the model's folder into the worker's runs folder, or generate with another model.",
    )


def regenerate(material: bpy.types.Material) -> session.Job:
    """Make all maps anew, the same pixels as the recipe made; for textures that were lost.

    Raises:
        RequestError: `wrong_state` without a recipe, `unknown_model` where the worker has not the model.
        WorkerError: `worker_gone`.
    """
    config, _ = _prepare(material)
    if not node_tree.is_preview(material):  # its own recipe is that of a small picture
        made = node_tree.recipe_of(material).config
        # Another size that was asked for may have failed.
        _set_size(material, made, material.tilewright.latents.area)
        estimation = made.estimation or config.estimation
        config = replace(made, model=config.model, maps=config.maps, estimation=estimation)
    return _ask(material, config)


def missing_maps(material: bpy.types.Material) -> tuple[str, ...]:
    """Maps that can be estimated for a material that has none estimated yet."""
    model = model_of(material)
    if model is None or material.tilewright.latents.estimation.used:
        return ()
    return estimates.missing_maps(model)


def check_missing(material: bpy.types.Material | None) -> bpy.types.Material:
    """Check that there are maps to estimate for a material.

    Returns:
        The material.

    Raises:
        RequestError: as `check`, or `wrong_state` where it has all that can be estimated.
        WorkerError: `worker_gone`.
    """
    material = check(material)
    if not missing_maps(material):
        raise RequestError(
            "wrong_state",
            "A map must be missing to be estimated; this material has all that can be estimated.",
            "Move the sliders of Estimated Maps, if it has some.",
        )
    return material


def estimate_missing(material: bpy.types.Material) -> session.Job:
    """Give a material the maps that its model has not learned, at the size and with the look that it has.

    Raises:
        RequestError: as `check_missing`.
        WorkerError: `worker_gone`.
    """
    check_missing(material)
    config, model = _prepare(material)
    config = replace(config, estimation=estimates.estimation_for(model), maps=())
    sliders.store(material, config)
    return _ask(material, sliders.wanted(material))


def switch_size(material: bpy.types.Material, side: int) -> session.Job | None:
    """Give a material another resolution.

    It is the same tile with more or less detail. Beyond all the detail that the model has it shows more of the endless
    pattern, and beyond the least less of it; everything on it stays as large as it was.

    Args:
        material: with a recipe.
        side: of the longer side in pixels; the other keeps the proportion.

    Returns:
        The job; None where that resolution is shown already.

    Raises:
        RequestError: as `regenerate`.
        WorkerError: `worker_gone`.
    """
    config, model = _prepare(material)
    area = material.tilewright.latents.area or max(levels.area(config))
    return _ask_sized(material, levels.at_resolution(config, model, area, side), area)


def switch_area(material: bpy.types.Material, times: int) -> session.Job | None:
    """Let a material show more or less of the endless pattern, at the resolution it has or the nearest that can be.

    Args:
        material: with a recipe.
        times: as wide as the natural tile of its model.

    Returns:
        As `switch_size`, with the same errors.
    """
    config, model = _prepare(material)
    sized = levels.at_area(config, model, times)
    return _ask_sized(material, sized, max(levels.area(sized)))


def areas(material: bpy.types.Material) -> dict[int, int]:
    """Areas that can be chosen: how many times as wide as the natural tile → pixels of its side with all detail.

    There are none where the model has one level of detail: the resolution says how much is shown then; and none of a
    photo, which is all there is.
    """
    model = model_of(material)
    if model is None or not model.octaves or model.tile:
        return {}
    offered = bpy.context.scene.tilewright.bl_rna.properties["tile_area"].enum_items
    return {item.value: levels.tile_side(model, item.value) for item in offered}


def sides(material: bpy.types.Material) -> dict[int, str]:
    """Longest sides in pixels that can be chosen, and what artists call them; of a photo, those of its levels."""
    model = model_of(material)
    if model is None or model.tile is None:
        return SIDES
    found = [max(model.tile) >> mip for mip in range(model.octaves, -1, -1)]
    return {side: levels.pixels(side) for side in found[-len(SIDES) :]}


def _ask_sized(
    material: bpy.types.Material, config: GenerationConfig, area: int
) -> session.Job | None:
    _set_size(material, config, area)
    if sliders.is_shown(material) and _has_size(material, config):
        _withdraw(material)
        return None
    return _ask(material, sliders.wanted(material))


def _has_size(material: bpy.types.Material, config: GenerationConfig) -> bool:
    """Whether it was made at that size; motion that was baked has that of its recipe."""
    made = node_tree.recipe_of(material).config
    return all(getattr(made, name) == getattr(config, name) for name in sliders.SIZE)


def job_of(material: bpy.types.Material) -> session.Job | None:
    """What is being made for the material at full size, if anything is."""
    job = session.current.newest(material.tilewright.uuid)
    return job if job and job.purpose == live.AT_REST and live.is_under_way(job.id) else None


def cancel(material: bpy.types.Material) -> None:
    """End what is being made; the material stays as it is shown.

    Raises:
        WorkerError: `worker_gone`.
    """
    _withdraw(material)
    if not node_tree.is_preview(material):
        _set_size(material, node_tree.recipe_of(material).config, 0)


def _prepare(material: bpy.types.Material) -> tuple[GenerationConfig, ModelEntry]:
    """See that it can be made, and make its latents ready; what they ask for, and of which model."""
    check(material)
    model = model_of(material)
    assert model is not None
    node_tree.ensure_unique(material)
    if not sliders.has_latents(material):
        sliders.keep_place(material, node_tree.recipe_of(material))
    material.tilewright.latents.model = model.name
    return sliders.wanted(material), model


def _set_size(material: bpy.types.Material, config: GenerationConfig, area: int) -> None:
    """The maps that are shown until the others come stay as they lie."""
    if not sliders.wanted(material).has_map:  # what is painted covers the same place at any size
        sliders.count_as_preview(material, config)
    kept = material.tilewright
    for name in sliders.SIZE:
        setattr(kept.latents, name, getattr(config, name))
    kept.latents.area = area


def _withdraw(material: bpy.types.Material) -> None:
    live.forget(material.tilewright.uuid)
    job = job_of(material)
    if job:
        session.current.cancel(job)


def _ask(material: bpy.types.Material, config: GenerationConfig) -> session.Job:
    _withdraw(material)
    # As when a slider comes to rest: the result belongs to the undo step of the button.
    return live.ask_at_rest(config, material.tilewright.uuid, bpy.context.scene.session_uid)
