"""Results as Blender's data: maps become images and images a material, a piece of work at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import bpy
import numpy as np

from gan_worker.errors import TilewrightError
from gan_worker.materials.metadata import material_metadata
from gan_worker.materials.png import png_pieces, text_chunks

from .. import state
from ..shader import images, node_tree
from ..steering import sliders
from ..worker import session

if TYPE_CHECKING:
    from gan_worker.client.events import MaterialReady
    from gan_worker.config import GenerationConfig

# What a job is asked for whose result becomes a material.
MATERIAL = "material"
# While results come, an undo step is followed by so many times as long without one.
BETWEEN_STEPS = 20


@dataclass
class _Arriving(state.FilePart):
    """Jobs of which images are there that no material uses yet."""

    jobs: set[str] = field(default_factory=set)


@dataclass
class _Steps(state.FilePart):
    """Of the undo steps of results: what one that is due is called, and when it may be made while more are awaited."""

    due: str = ""
    earliest: float = 0.0

    def undone(self) -> None:
        self.due = ""


@dataclass
class Order:
    """What to do with a result, by value: nothing here points into Blender's data.

    Attributes:
        wiring: how to wire the maps; None keeps the wiring that is there.
        folder: where to save the textures; None packs them.
    """

    wiring: node_tree.Wiring | None = field(default_factory=node_tree.Wiring)
    folder: str | None = None


def expect(job: str) -> None:
    """Keep the images of a job although no material uses them: it is about to be made of them."""
    state.of_file.get(_Arriving).jobs.add(job)


def make_image(job: str, map_name: str, pixels: np.ndarray) -> Iterator[None]:
    """Make an image of one map; the datablock is looked up again after every pause."""
    if images.find_image(job, map_name):
        return
    images.new_image(f"{job}_{map_name}", map_name, pixels, job)
    yield
    rgba = images.scratch(*pixels.shape[:2])
    yield from images.rgba_pieces(pixels, rgba)
    image = images.find_image(job, map_name)
    if image:
        images.set_pixels(image, rgba)
    yield


def apply(event: MaterialReady, target: str, order: Order, is_rest: bool = False) -> Iterator[None]:
    """A whole material: missing images, the node tree, and the packing.

    What comes when a slider rests belongs to the undo step of the slider, and is of no use without
    its material.
    """
    for name, pixels in event.maps.items():
        yield from make_image(event.job, name, pixels)
    if is_rest:
        # The slider may be let go at any moment: images that its undo step finds in use must be packed by then, or it
        # would bring them back black.
        yield from _keep_all(event, order.folder, is_rest)
    is_lost = is_rest and not _is_wanted(event.recipe.config, target)
    if session.current.is_newest(event.job, target) and not is_lost:  # none was asked for meanwhile
        _show(event, target, order, is_rest)
    _clean_up(event.job)
    yield
    if not is_rest:
        yield from _keep_all(event, order.folder, is_rest)
        state.of_file.get(_Steps).due = "Tilewright Material"


def add_undo_step(message: str) -> None:
    """Make what was just done a step of undo soon, together with results whose own is due."""
    state.of_file.get(_Steps).due = message


def push_due_step() -> None:
    """Make the results that have come a step of undo, when no more are awaited, or when some have come together.

    Blender copies what has changed and walks through the whole file for each step: half a second in a large one.
    """
    steps = state.of_file.get(_Steps)
    if not steps.due:
        return
    awaited = any(job.purpose == MATERIAL for job in session.current.running("generate"))
    if awaited and time.monotonic() < steps.earliest:
        return
    began = time.monotonic()
    push_undo(steps.due)
    ended = time.monotonic()
    steps.due, steps.earliest = "", ended + BETWEEN_STEPS * (ended - began)


def _is_wanted(made: GenerationConfig, target: str) -> bool:
    """Whether its material is there still, and no undo took the size or the wish for estimates away meanwhile."""
    material = node_tree.find_material(target)
    if material is None:
        return False
    wanted, estimated = material.tilewright.latents, made.estimation is not None
    asked = (wanted.width, wanted.height, wanted.mip, wanted.estimation.used)
    return (made.width, made.height, made.mip, estimated) == asked


def _show(event: MaterialReady, target: str, order: Order, is_rest: bool) -> None:
    there = {name: images.find_image(event.job, name) for name in event.maps}
    found = {name: image for name, image in there.items() if image}
    for name, image in found.items():
        images.rename_image(image, _image_name(event.recipe.config, name))
    material = node_tree.find_material(target) if target else None
    unassigned = material is None
    material = material or _new_material(event)
    before, was_so = material.tilewright.model, node_tree.is_in_proportion(material)
    material.tilewright.unassigned = unassigned
    node_tree.build(material, found, order.wiring)
    job = session.current.jobs.get(event.job)
    asked = job.generation if job and not is_rest else None
    # What is painted covers the same place at any size.
    if asked and asked.model == before and not asked.has_map:
        sliders.count_as_preview(material, asked)
    node_tree.end_preview(material)
    node_tree.store_recipe(material, event.recipe, event.seam_ratios)
    if asked:
        # Not when it was asked for: an undo step from before it came would ask for it again.
        sliders.store(material, asked)
    sliders.keep_place(material, event.recipe)
    if event.recipe.config.model != before:
        sliders.lay_in_own_size(material, event.recipe.config, was_so)


def _clean_up(job: str) -> None:
    """Remove the images that this result replaced, and those of results that came too late."""
    state.of_file.get(_Arriving).jobs.discard(job)
    remove_unused_images()


def remove_unused_images() -> None:
    """Remove images of ours that no material shows, and that no result is about to be made of."""
    arriving = state.of_file.get(_Arriving).jobs
    arriving.intersection_update([j for j in arriving if session.current.wanted(j)])
    node_tree.remove_unused_images(arriving)


def _image_name(made: GenerationConfig, map_name: str) -> str:
    return images.image_name(made.model, made.seed, made.width, made.height, map_name)


def _new_material(event: MaterialReady) -> bpy.types.Material:
    """A new material for a result whose own is gone, kept although nothing uses it."""
    config = event.recipe.config
    material = node_tree.new_material(images.whole_name(config.model, f" {config.seed}"))
    material.use_fake_user = True
    return material


def _keep_all(event: MaterialReady, folder: str | None, is_rest: bool) -> Iterator[None]:
    for name, pixels in event.maps.items():
        yield from _keep(event, name, pixels, folder, is_rest)


def _keep(
    event: MaterialReady, map_name: str, pixels: np.ndarray, folder: str | None, is_rest: bool
) -> Iterator[None]:
    """Encode a map, marked as generated, and pack it, or save it as a file."""
    parts: list[bytes] = []
    yield from png_pieces(pixels, parts, text_chunks(material_metadata(event.recipe)))
    image = images.find_image(event.job, map_name)
    if image is None:
        return
    if folder is None:
        images.pack_png(image, b"".join(parts))
    elif is_rest or images.folder_obstacle(folder):
        # The .blend that it was to lie beside may have been closed meanwhile.
        images.pack_until_saving(image, b"".join(parts), folder)
    else:
        _save(image, b"".join(parts), folder)
    yield


def _save(image: bpy.types.Image, png: bytes, folder: str) -> None:
    """Save a map, or else pack it and say why: the other maps are still to be kept."""
    try:
        images.save_png(image, png, folder)
    except TilewrightError as error:
        images.pack_png(image, png)  # better in the .blend than lost
        session.current.fail(error)


def push_undo(message: str) -> None:
    """Make the result a step of its own: one undo takes it away, one redo brings it back."""
    windows = bpy.context.window_manager.windows if bpy.context.window_manager else ()
    if bpy.app.background or not windows:
        return
    with bpy.context.temp_override(window=windows[0]):
        bpy.ops.ed.undo_push(message=message)
