"""Requests for materials: what the panel asks for, for which objects, and what these have until it comes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import bpy

from gan_worker.config import GenerationConfig
from gan_worker.errors import StorageError
from gan_worker.limits import SEEDS
from gan_worker.names import unknown_model

from ..shader import images, node_tree, surface
from ..steering import levels, live
from ..worker import session
from . import results

if TYPE_CHECKING:
    from gan_worker.wire.messages import ModelEntry

    from .properties import GenerationChoices


def generation_config(scene: bpy.types.Scene) -> GenerationConfig:
    """What was chosen in the Generate panel."""
    chosen = scene.tilewright
    config = GenerationConfig(
        model=chosen.model,
        seed=chosen.seed,
        width=chosen.width,
        height=chosen.height,
        maps=tuple(sorted(chosen.maps)),
        truncation_psi=round(chosen.truncation_psi, 6),
    )
    model = session.current.model(chosen.model)
    return levels.with_area(config, model, int(chosen.tile_area)) if model else config


def detail_in_words(chosen: GenerationChoices, model: ModelEntry) -> str:
    """What the resolution that was chosen shows of the area that was chosen, in a line."""
    side = max(chosen.width, chosen.height)
    return levels.in_words(side, model, int(chosen.tile_area))


def result_order(scene: bpy.types.Scene) -> results.Order:
    """How the panel wants results wired and kept.

    Raises:
        StorageError: `file_unwritable` for a folder beside a .blend that was never saved.
    """
    chosen = scene.tilewright
    wiring = node_tree.Wiring(tuple(chosen.scale), chosen.multiply_occlusion, chosen.displacement)
    folder = images.texture_folder(scene)
    if folder and folder.startswith("//") and not bpy.data.filepath:
        raise StorageError(
            "file_unwritable",
            f"The .blend must be saved before textures can go to {folder}.",
            "Save the file, or pack the textures into it.",
        )
    return results.Order(wiring, folder)


def target_objects(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The objects the panel applies to: those that can have a material, in order of their names."""
    if context.scene.tilewright.target == "ACTIVE":
        chosen = [context.view_layer.objects.active]
    else:
        chosen = [o for o in context.view_layer.objects if o.select_get()]
    return sorted((o for o in chosen if o and _takes_material(o)), key=lambda o: o.name)


def _takes_material(obj: bpy.types.Object) -> bool:
    return obj.is_editable and hasattr(obj.data, "materials") and obj.data.is_editable


def generate_for_objects(
    objects: Sequence[bpy.types.Object],
    config: GenerationConfig,
    order: results.Order | None = None,
    vary: bool = False,
) -> list[session.Job]:
    """Generate one material for all objects, or one for each, and put it on them.

    The materials are assigned at once and filled when the result is there.

    Args:
        objects: what gets the material; none makes one material that no object has.
        config: what to make.
        order: how to wire and keep the maps.
        vary: give each object a seed of its own, counting up from the config's.

    Returns:
        The jobs, in the objects' order where `vary` is set.

    Raises:
        RequestError: as `check_request`, before anything was changed.
        WorkerError: `worker_gone` without a connection.
    """
    check_request(config)
    if not vary:
        return [_generate(list(objects), config, order)]
    return [
        _generate([obj], replace(config, seed=(config.seed + number) % SEEDS.most), order)
        for number, obj in enumerate(objects)
    ]


def check_request(config: GenerationConfig) -> None:
    """Check what can be known here, so that no object changes for a request that must fail.

    Raises:
        RequestError: as `GenerationConfig.check` and `check_for`, or `unknown_model`.
    """
    config.check()
    model = session.current.model(config.model)
    if model is None:
        raise unknown_model(config.model, session.current.model_names())
    config.check_for(model)


def _generate(
    objects: Sequence[bpy.types.Object],
    config: GenerationConfig,
    order: results.Order | None,
) -> session.Job:
    material = _material_for(objects, f"{config.model} {config.seed}")
    session.current.dismiss()
    job = session.current.generate(config, material.tilewright.uuid, results.MATERIAL)
    job.note = order
    live.forget(material.tilewright.uuid)
    material.use_fake_user = material.use_fake_user or not objects
    for obj in objects:
        node_tree.assign(obj, material)
    if objects:
        surface.find_unit_size(material, objects[0])
    return job


def _material_for(objects: Sequence[bpy.types.Object], name: str) -> bpy.types.Material:
    """The Tilewright material these objects alone have already, or a new one."""
    present = {obj.active_material for obj in objects}
    material = present.pop() if len(present) == 1 else None
    if not node_tree.is_ours(material) or material.users > _uses(material, objects):
        return node_tree.new_material(name)
    node_tree.ensure_unique(material)
    return material


def _uses(material: bpy.types.Material, objects: Iterable[bpy.types.Object]) -> int:
    """How many of the material's users belong to these objects."""
    owners = {obj.data for obj in objects} | {
        obj for obj in objects if any(s.link == "OBJECT" for s in obj.material_slots)
    }
    used = sum(list(_owned(owner)).count(material) for owner in owners)
    return used + int(material.use_fake_user)


def _owned(owner: bpy.types.ID | None) -> Iterable[bpy.types.Material | None]:
    if isinstance(owner, bpy.types.Object):
        return (slot.material for slot in owner.material_slots if slot.link == "OBJECT")
    return owner.materials


def objects_without_uv(objects: Iterable[bpy.types.Object]) -> list[str]:
    """Names of meshes that would show one color only: a texture needs a UV map."""
    return [o.name for o in objects if isinstance(o.data, bpy.types.Mesh) and not o.data.uv_layers]


def cancel_generation() -> None:
    """End all generations of this session without a result."""
    for job in session.current.running("generate"):
        session.current.cancel(job)
