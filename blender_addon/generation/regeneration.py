"""Make a material again from its recipe: as it is, or at another size."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import bpy

from gan_worker.errors import RequestError, WorkerError

from ..shader import node_tree
from ..steering import live, sliders
from ..steering.changes import quietly
from ..worker import session

if TYPE_CHECKING:
    from gan_worker.config import GenerationConfig
    from gan_worker.wire.messages import ModelEntry

    from .properties import Origin

# Longest sides that the panel offers, pixels, and what artists call them.
SIDES = {512: "512", 1024: "1K", 2048: "2K", 4096: "4K"}
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
    if material is None or not material.tilewright.recipe:
        raise _wrong_state(
            "The active object must have a material with a recipe; it has none.",
            "Generate one first.",
        )
    if not material.is_editable:
        raise _wrong_state(
            "The material must belong to this file; it is linked from another.", "Make it local."
        )
    if not session.current.connected:
        raise WorkerError(
            "worker_gone", "No worker is connected.", "Press Start in the Worker panel."
        )
    if not model_of(material):
        raise _missing(material.tilewright)
    return material


def _wrong_state(message: str, cure: str) -> RequestError:
    return RequestError("wrong_state", message, cure)


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
    config = _prepare(material)
    if not node_tree.is_preview(material):  # its own recipe is that of a small picture
        recipe = node_tree.recipe_of(material).config
        config = replace(recipe, model=config.model, maps=config.maps)
    return _ask(material, config)


def switch_size(material: bpy.types.Material, side: int) -> session.Job | None:
    """Give a material another size.

    The tile shows more of the endless pattern, or less of it: everything on it stays as large as it was.

    Args:
        material: with a recipe.
        side: of the longer side in pixels; the other keeps the proportion.

    Returns:
        The job; None where that size is shown already.

    Raises:
        RequestError: as `regenerate`.
        WorkerError: `worker_gone`.
    """
    _prepare(material)
    _set_size(material, size_for(material, side))
    if sliders.is_shown(material):
        _withdraw(material)
        return None
    return _ask(material, sliders.wanted(material))


def size_for(material: bpy.types.Material, side: int) -> tuple[int, int]:
    """Width and height of the material with that longer side, multiples of what its model can make."""
    kept, model = material.tilewright, model_of(material)
    stride = model.stride if model else 1
    factor = side / max(kept.width, kept.height)
    width, height = (
        max(1, round(length * factor / stride)) * stride for length in (kept.width, kept.height)
    )
    return width, height


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
        _set_size(material, (material.tilewright.width, material.tilewright.height))


def _prepare(material: bpy.types.Material) -> GenerationConfig:
    """See that it can be made, and make its latents ready; what they ask for."""
    check(material)
    node_tree.ensure_unique(material)
    if not sliders.has_latents(material):
        sliders.keep_place(material, node_tree.recipe_of(material))
    with quietly():
        material.tilewright.latents.model = model_of(material).name
    return sliders.wanted(material)


def _set_size(material: bpy.types.Material, size: tuple[int, int]) -> None:
    """The maps that are shown until the others come count as a preview of them, and stay as they lie."""
    kept = material.tilewright
    wanted = kept.latents
    kept.preview_factor = (
        kept.preview_factor[0] * size[0] / wanted.width,
        kept.preview_factor[1] * size[1] / wanted.height,
    )
    wanted.width, wanted.height = size


def _withdraw(material: bpy.types.Material) -> None:
    live.forget(material.tilewright.uuid)
    job = job_of(material)
    if job:
        session.current.cancel(job)


def _ask(material: bpy.types.Material, config: GenerationConfig) -> session.Job:
    _withdraw(material)
    # As when a slider comes to rest: the result belongs to the undo step of the button.
    return session.current.generate(config, material.tilewright.uuid, live.AT_REST)
