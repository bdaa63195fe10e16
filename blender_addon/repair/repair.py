"""Have the masked part of a material filled by its model: to files, to the worker, and back into the images."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING

import bpy
import numpy as np

from gan_worker.config import Recipe, RepairConfig
from gan_worker.errors import ProtocolError, RequestError
from gan_worker.files import storage_errors
from gan_worker.materials.maps import MAPS
from gan_worker.materials.metadata import material_metadata, repair_metadata
from gan_worker.materials.png import png_pieces, text_chunks
from gan_worker.progress import BatchProgress

from ..generation import regeneration, results
from ..shader import images, node_tree
from ..steering import live
from ..worker import preferences, session
from ..worker.background_task import BackgroundTask, Requests
from . import mask as repair_mask

if TYPE_CHECKING:
    from gan_worker.client.events import MaterialReady


def check(material: bpy.types.Material | None) -> bpy.types.Material:
    """Check that a material can be repaired now.

    Returns:
        The material.

    Raises:
        RequestError: `wrong_state`, `unknown_model` or `not_allowed`.
        WorkerError: `worker_gone`.
        ProtocolError: `protocol_version`.
    """
    material = regeneration.check(material)
    model = regeneration.model_of(material)
    if model and model.tile:
        raise _wrong_state(
            "A model must have learned a material to repair it; a photo is all that this one has.",
            "Train on it, and generate what can be repaired.",
        )
    preferences.check_reads_files(
        session.current,
        "the maps",
        "Stop it and choose On This Computer in the preferences, or run gan-worker repair where it runs.",
    )
    if not session.current.speaks(1, 6 if node_tree.recipe_of(material).config.estimation else 2):
        raise ProtocolError(
            "protocol_version",
            "The worker is older than the extension and cannot repair.",
            "Update Tilewright there.",
        )
    node_tree.check_still(material)
    if live.is_settling(material) or node_tree.is_preview(material):
        raise _wrong_state(
            "The material must be there at its full size; it is being made.",
            "Wait until it is there, or press Apply in the Latents panel.",
        )
    if of(material):
        raise _wrong_state("The material is being repaired already.", "Wait for it, or cancel it.")
    return material


def of(material: bpy.types.Material) -> Repair | None:
    """The repair that is under way for a material."""
    return Repair.running(material.tilewright.uuid)


def repair(material: bpy.types.Material) -> Repair:
    """Fill what is masked in all maps of a material; all else in them stays as it is, to the bit.

    Raises:
        RequestError: `wrong_state`, `unknown_model` or `not_allowed` where it cannot be repaired. Where nothing is
            masked, or everything, the repair fails with `invalid_config`.
        WorkerError: `worker_gone`; ProtocolError: `protocol_version`.
    """
    check(material)
    node_tree.check_pictures(material)
    node_tree.ensure_unique(material)
    return Repair(material).start(material.tilewright.uuid)


class Repair(BackgroundTask):
    """One repair on its way.

    Args:
        material: that is repaired.
    """

    stage = "repairing"

    def __init__(self, material: bpy.types.Material) -> None:
        super().__init__()
        self._target = material.tilewright.uuid
        self._model = regeneration.model_of(material).name
        self._shown = _names(material)
        self._textures = images.texture_folder(bpy.context.scene)
        self._folder = preferences.picture_folder() / f"repair-{uuid.uuid4().hex}"
        self._requests = Requests("a material is repaired", "Press Repair again.")

    @property
    def told(self) -> str:
        return f"Repairing: {self.progress.done / max(1, self.progress.total):.0%}"

    def work(self) -> Generator[bool]:
        with storage_errors(self._folder):
            yield from self._write()
        job = self._ask()
        while (ready := self._requests.take(job.id)) is None:
            for _, error in self._requests.take_failed():
                raise error
            self._requests.check()
            if job.pieces:
                done, total = job.pieces.done, job.pieces.total
                self.progress = BatchProgress(done, total, eta=self.eta(done, total - done))
            yield True
        yield from self._apply(ready, " ".join(job.notices))

    def let_go(self) -> None:
        self._requests.drop()
        shutil.rmtree(self._folder, ignore_errors=True)
        why = self.error if self.state == "failed" else None
        if why is not None and why.info != session.current.last_error:
            session.current.fail(why)

    # ---- to the worker

    def _write(self) -> Iterator[bool]:
        """One file for each map, with just what Blender has, and the mask."""
        (self._folder / "maps").mkdir(parents=True)
        mask = yield from repair_mask.read_pieces(self._material)
        (self._folder / "mask.png").write_bytes((yield from _encoded(mask)))
        for name in self._shown:
            find_image = partial(self._image, name)
            pixels = yield from images.stored_pieces(find_image, name, as_held=True)
            file = self._folder / "maps" / f"material_{MAPS[name].file_word}.png"
            file.write_bytes((yield from _encoded(pixels)))

    def _image(self, name: str) -> bpy.types.Image:
        return node_tree.images_of(self._material())[name]

    def _ask(self) -> session.Job:
        # Its own model made it, seamless and at the model's scale but for the levels of detail that it leaves out.
        made = node_tree.recipe_of(self._material()).config
        config = RepairConfig(
            self._model,
            str(self._folder / "maps"),
            str(self._folder / "mask.png"),
            tileable=True,
            scale=float(1 << made.mip),
            estimation=made.estimation,
        )
        config.check()
        self.expect(0)
        return self._requests.add(session.current.repair(config, self._requests.receive))

    # ---- back into the file

    def _apply(self, ready: MaterialReady, remark: str) -> Iterator[bool]:
        said = text_chunks(_marks(ready.recipe, node_tree.recipe_of(self._material())))
        pngs: dict[str, bytes] = {}
        for name, pixels in ready.maps.items():
            pngs[name] = yield from _encoded(pixels, said)
        # At once from here on: what has no user yet might be tidied away between two steps.
        material = self._material()
        found = node_tree.images_of(material)
        for name, png in pngs.items():
            found[name] = _replacement(found[name], name, ready, png, self._textures)
        node_tree.build(material, found, None)
        material.tilewright.repaired = True
        material.tilewright.repair_remark = remark
        # Not painted black: undo brings images back, but not their pixels.
        material.tilewright.repair_mask = None
        results.add_undo_step("Repair")

    def _material(self) -> bpy.types.Material:
        """The material, still as it was when its repair began."""
        material = node_tree.find_material(self._target)
        if material is None or _names(material) != self._shown:
            raise _wrong_state(
                "A material must stay as it is until it is repaired; it was changed or deleted meanwhile.",
                "Press Repair again; the mask is kept.",
            )
        return material


def _names(material: bpy.types.Material) -> dict[str, str]:
    """Map name → name of its image."""
    return {name: image.name_full for name, image in node_tree.images_of(material).items()}


def _encoded(pixels: np.ndarray, said: bytes = b"") -> Generator[bool, None, bytes]:
    """A PNG of whole numbers, a few rows at a time."""
    parts: list[bytes] = []
    for _ in png_pieces(pixels, parts, said):
        yield False
    return b"".join(parts)


def _marks(made: Recipe, before: Recipe) -> dict[str, str]:
    return repair_metadata(
        made.model,
        made.model_hash,
        made.credits,
        material_metadata(before),
        version=made.version,
    )


def _replacement(
    old: bpy.types.Image, map_name: str, ready: MaterialReady, png: bytes, folder: str | None
) -> bpy.types.Image:
    """The image that takes the place of an old one."""
    stem = old.name.rpartition("_")[0].removesuffix("_repaired")
    model = stem.rsplit("_", 2)[0]  # before seed and size
    name = images.name_in_set(model, f"{stem.removeprefix(model)}_repaired", map_name)
    image = images.new_image(name, map_name, ready.maps[map_name], ready.job)
    if folder is None:
        images.pack_png(image, png)
    else:
        images.pack_until_saving(image, png, folder)
    return image


def _wrong_state(message: str, cure: str) -> RequestError:
    return RequestError("wrong_state", message, cure)
