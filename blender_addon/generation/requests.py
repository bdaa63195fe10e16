"""Requests for materials: what the panel asks for, for which objects, and what these have until it comes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import bpy

from gan_worker.config import GenerationConfig
from gan_worker.errors import RequestError
from gan_worker.limits import SEEDS

from ..shader import images, node_tree, projection, slots, units
from ..steering import levels, live
from ..worker import session
from . import estimates, results

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
    if model is None:
        return config
    config = replace(config, maps=tuple(sorted(chosen_maps(chosen, model))))
    if chosen.look in model.styles:
        config = config.of_material(chosen.look)
    if chosen.estimate_maps and estimates.missing_maps(model):
        config = replace(config, estimation=estimates.estimation_for(model, chosen.estimator))
    return levels.with_area(config, model, int(chosen.tile_area))


def photo_config(model: ModelEntry, estimated: bool) -> GenerationConfig:
    """All of a photo that is its own model, with all its detail, estimated by what it was made with.

    Args:
        model: the photo.
        estimated: whether the maps that it has not are estimated.
    """
    assert model.tile is not None
    missing = estimated and estimates.missing_maps(model)
    estimation = estimates.estimation_for(model) if missing else None
    width, height = model.tile
    return GenerationConfig(model.name, width=width, height=height, estimation=estimation)


def offered_maps(chosen: GenerationChoices, model: ModelEntry) -> tuple[str, ...]:
    """Maps to choose from in the Generate panel."""
    return (*model.maps, *(estimates.missing_maps(model) if chosen.estimate_maps else ()))


def chosen_maps(chosen: GenerationChoices, model: ModelEntry) -> list[str]:
    """Those that were chosen, without what was chosen for another model; none means all."""
    return [name for name in offered_maps(chosen, model) if name in chosen.maps]


def detail_in_words(chosen: GenerationChoices, model: ModelEntry) -> str:
    """What the resolution that was chosen shows of the area that was chosen, in a line."""
    side = max(chosen.width, chosen.height)
    return levels.in_words(side, model, int(chosen.tile_area))


def result_order(scene: bpy.types.Scene) -> results.Order:
    """How the panel wants results wired and kept.

    Raises:
        StorageError: as `images.check_folder`.
    """
    chosen = scene.tilewright
    height = chosen.displacement * units.meters_per_unit(scene)
    wiring = node_tree.Wiring(tuple(chosen.scale), chosen.multiply_occlusion, height)
    folder = images.texture_folder(scene)
    if folder is not None:
        images.check_folder(folder)
    return results.Order(wiring, folder)


def target_objects(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The objects the panel applies to: those that take a material, in order of their names."""
    return [obj for obj in _chosen_objects(context) if not refusal(obj)]


def left_out(context: bpy.types.Context) -> list[str]:
    """Why others that were chosen and have materials, or could, get none; a sentence for each."""
    found = [o for o in _chosen_objects(context) if hasattr(o.data, "materials")]
    return [f"{o.name} gets no material: {reason}" for o in found if (reason := refusal(o))]


def refusal(obj: bpy.types.Object) -> str:
    """Why the active slot of an object takes no material; empty where it does."""
    return slots.refusal(obj, slots.active_number(obj))


def _chosen_objects(context: bpy.types.Context) -> list[bpy.types.Object]:
    objects = context.view_layer.objects
    if context.scene.tilewright.target == "ACTIVE":
        return [objects.active] if objects.active else []
    return sorted((o for o in objects if o.select_get()), key=lambda o: o.name)


def generate_chosen(
    context: bpy.types.Context, seed: int | None = None
) -> tuple[list[session.Job], list[str]]:
    """Generate what was chosen in the panel, for the objects that it applies to.

    Args:
        context: says the scene, and which objects are chosen.
        seed: another one than was chosen.

    Returns:
        The jobs, and what is to be told, a sentence each.

    Raises:
        TilewrightError: as `generate_for_objects` and `result_order`; nothing was changed and nothing was sent.
    """
    chosen = context.scene.tilewright
    objects, remarks = target_objects(context), left_out(context)
    vary = chosen.vary_per_object and chosen.target == "SELECTED" and bool(objects)
    config, order = generation_config(context.scene), result_order(context.scene)
    config = config if seed is None else replace(config, seed=seed)
    jobs = generate_for_objects(objects, config, order, vary)
    return jobs, warnings(objects, remarks)


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
        RequestError: as `check_request`, or `wrong_state` for an object that takes no material, or has one whose nodes
            lie in a group.
        WorkerError: `worker_gone` without a connection.

    Whatever is raised, nothing was changed and nothing was sent.
    """
    check_request(config)
    for obj in objects:
        _check_object(obj)
    session.current.check_connection()
    groups = [[obj] for obj in objects] if vary else [list(objects)]
    for group in groups:
        if present := _present_material(group):
            node_tree.check_nodes(present)
    first = [group[0] for group in groups if group]
    measured = projection.unit_sizes(first) if first else [projection.UNKNOWN] * len(groups)
    seeds = [(config.seed + n) % SEEDS.most for n in range(len(groups))] if vary else [config.seed]
    return [
        _generate(group, sizes, replace(config, seed=seed), order)
        for seed, group, sizes in zip(seeds, groups, measured, strict=True)
    ]


def _check_object(obj: bpy.types.Object) -> None:
    reason = refusal(obj)
    if reason:
        raise RequestError(
            "wrong_state",
            f"An object must take a material to get one; {obj.name} does not: {reason}.",
            "Choose another object, or make this one local with its data.",
        )


def check_request(config: GenerationConfig) -> None:
    """Check what can be known here, so that no object changes for a request that must fail.

    Raises:
        RequestError: as `GenerationConfig.check` and `check_for`, or `unknown_model`.
    """
    config.check()
    config.check_for(session.current.known_model(config.model))


def _generate(
    objects: Sequence[bpy.types.Object],
    unit_sizes: projection.Sizes,
    config: GenerationConfig,
    order: results.Order | None,
) -> session.Job:
    material = _material_for(objects, config)
    session.current.dismiss()
    job = session.current.generate(config, material.tilewright.uuid, results.MATERIAL)
    job.note = order
    live.forget(material.tilewright.uuid)
    material.use_fake_user = material.use_fake_user or not objects
    for obj in objects:
        slots.assign(obj, material)
    if objects:
        material.tilewright.unit_size = unit_sizes[material.tilewright.projection]
    return job


def _material_for(
    objects: Sequence[bpy.types.Object], config: GenerationConfig
) -> bpy.types.Material:
    """The Tilewright material these objects alone have already, or a new one."""
    material = _present_material(objects)
    if material is None:
        return node_tree.new_material(images.whole_name(config.model, f" {config.seed}"))
    node_tree.ensure_unique(material)
    return material


def _present_material(objects: Sequence[bpy.types.Object]) -> bpy.types.Material | None:
    present = {obj.active_material for obj in objects}
    material = present.pop() if len(present) == 1 else None
    kept = node_tree.is_ours(material) and slots.alone_show(objects, material)
    return material if kept else None


def warnings(objects: Sequence[bpy.types.Object], left_out: Iterable[str]) -> list[str]:
    """What is to be told of what gets a material, a sentence each.

    Args:
        objects: that get it.
        left_out: as `left_out` gives.
    """
    unused = "No object takes a material: it is kept in the .blend unused"
    flat = [o.name for o in objects if _is_flat(o)]
    without_uv = [f"{name} has no UV map and will show one color only" for name in flat]
    return [*left_out, *([] if objects else [unused]), *without_uv]


def _is_flat(obj: bpy.types.Object) -> bool:
    """Whether an object has no UV map, and what it shows needs one."""
    material = obj.active_material
    if node_tree.is_ours(material) and material.tilewright.projection == "BOX":
        return False
    return obj.type == "META" or (isinstance(obj.data, bpy.types.Mesh) and not obj.data.uv_layers)


def cancel_generation() -> None:
    """End all generations of this session without a result."""
    for job in session.current.running("generate"):
        session.current.cancel(job)
