"""Have the masked part of a material filled by its model: to files, to the worker, and back into the images."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np

from gan_worker.client.events import MaterialReady
from gan_worker.config import RepairConfig
from gan_worker.errors import (
    Cancelled,
    ErrorInfo,
    ProtocolError,
    RequestError,
    TilewrightError,
    WorkerError,
    error_from_info,
)
from gan_worker.materials.maps import MAPS
from gan_worker.materials.metadata import material_metadata, repair_metadata
from gan_worker.materials.png import encode_png, png_pieces, text_chunks
from gan_worker.progress import Recipe

from ..generation import regeneration, results
from ..shader import images, node_tree
from ..steering import live
from ..worker import preferences, pump, session
from . import mask as repair_mask

_under_way: dict[str, Repair] = {}


def obstacle(material: bpy.types.Material | None) -> TilewrightError | None:
    """Why a material cannot be repaired now, and what to do; None where it can."""
    problem = regeneration.obstacle(material)
    if problem:
        return problem
    host = preferences.other_computer(preferences.get())
    if host:
        return RequestError(
            "not_allowed",
            f"The worker must be able to read the maps; it runs on {host}, and they are on this computer.",
            "Use a worker on this computer, or run gan-worker repair over there.",
        )
    if not session.current.speaks(1, 2):
        return ProtocolError(
            "protocol_version",
            "The worker is older than Blender's side and cannot repair.",
            "Update Tilewright there.",
        )
    if (
        live.is_settling(material)
        or node_tree.is_preview(material)
        or node_tree.shows_sequence(material)
    ):
        return _wrong_state(
            "The material must stand still, at its full size; it is being made, or moves.",
            "Wait until it is there, or press Apply in the Latents panel.",
        )
    if of(material):
        return _wrong_state("The material is being repaired already.", "Wait for it, or cancel it.")
    return None


def of(material: bpy.types.Material) -> Repair | None:
    """The repair that is under way for a material."""
    return _under_way.get(material.tilewright.uuid)


def repair(material: bpy.types.Material) -> Repair:
    """Fill what is masked in all maps of a material; all else in them stays as it is, to the bit.

    Raises:
        RequestError: `wrong_state`, `unknown_model` or `not_allowed` where it cannot be repaired, `invalid_config`
            where nothing is masked, or everything.
        WorkerError: `worker_gone`; ProtocolError: `protocol_version`.
    """
    problem = obstacle(material)
    if problem:
        raise problem
    node_tree.ensure_unique(material)
    size = tuple(next(iter(node_tree.images_of(material).values())).size)
    started = Repair(material, repair_mask.read(material, size))
    _under_way[material.tilewright.uuid] = started
    pump.run_along(started.steps())
    return started


class Repair:
    """One repair on its way.

    Args:
        material: that is repaired.
        mask: of `repair_mask.read`.

    Attributes:
        job: the worker's; None while the maps are written for it.
    """

    def __init__(self, material: bpy.types.Material, mask: np.ndarray) -> None:
        self.job: session.Job | None = None
        self._target = material.tilewright.uuid
        self._model = regeneration.model_of(material).name
        self._shown = _names(material)
        self._mask = mask
        self._folder = preferences.picture_folder() / f"repair-{uuid.uuid4().hex}"
        self._ready: MaterialReady | None = None
        self._began = 0.0
        self._unwanted = False

    @property
    def fraction(self) -> float:
        """How much of the search is done, 0..1."""
        pieces = self.job.pieces if self.job else None
        return pieces.done / max(1, pieces.total) if pieces else 0.0

    @property
    def eta(self) -> float | None:
        """Seconds until the search is done; None while nobody knows."""
        done = self.fraction
        return (time.monotonic() - self._began) * (1 - done) / done if done else None

    def cancel(self) -> None:
        """Give it up; the material stays as it is."""
        self._unwanted = True
        if self.job and not self.job.ended:
            session.current.cancel(self.job)
        pump.wake()

    def steps(self) -> Iterator[bool]:
        """All of it, for `pump.run_along`."""
        try:
            yield from self._write()
            if not self._unwanted:
                self._ask()
            while not self._unwanted and self._ready is None:
                self._check_worker()
                yield True
            if not self._unwanted:
                yield from self._apply(self._ready)
        except TilewrightError as error:
            session.current.fail(error)
        except OSError as error:
            session.current.fail(_unwritable(self._folder, error))
        finally:
            _under_way.pop(self._target, None)
            shutil.rmtree(self._folder, ignore_errors=True)

    # ---- to the worker

    def _write(self) -> Iterator[bool]:
        """One file for each map, with just what Blender has, and the mask."""
        (self._folder / "maps").mkdir(parents=True)
        (self._folder / "mask.png").write_bytes(encode_png(self._mask))
        for name in self._shown:
            parts: list[bytes] = []
            for _ in png_pieces(_as_stored(self._material(), name), parts):
                yield False
            file = self._folder / "maps" / f"material_{MAPS[name].file_word}.png"
            file.write_bytes(b"".join(parts))

    def _ask(self) -> None:
        # Its own model made it, seamless and at the model's scale.
        config = RepairConfig(
            self._model,
            str(self._folder / "maps"),
            str(self._folder / "mask.png"),
            tileable=True,
            scale=1.0,
        )
        config.check()
        self.job = session.current.repair(config, self._receive)
        self._began = time.monotonic()

    def _receive(self, ready: MaterialReady) -> None:
        self._ready = ready

    def _check_worker(self) -> None:
        if self.job.state == "cancelled":
            self._unwanted = True
        elif self.job.state == "failed":
            raise error_from_info(self.job.error) if self.job.error else Cancelled()
        elif session.current.state == "stopped":
            raise WorkerError(
                "worker_gone",
                "The worker must run until a repair ends; it was stopped before. The material is as it was.",
                "Start the worker, and press Repair again.",
            )

    # ---- back into the file

    def _apply(self, ready: MaterialReady) -> Iterator[bool]:
        said = text_chunks(_marks(ready.recipe, node_tree.read_recipe(self._material())))
        pngs: dict[str, bytes] = {}
        for name, pixels in ready.maps.items():
            parts: list[bytes] = []
            for _ in png_pieces(pixels, parts, said):
                yield False
            pngs[name] = b"".join(parts)
        # At once from here on: what has no user yet might be tidied away between two steps.
        material = self._material()
        folder = images.texture_folder(bpy.context.scene)
        found = node_tree.images_of(material)
        for name, png in pngs.items():
            found[name] = _replacement(found[name], name, ready, png, folder)
        node_tree.build(material, found, None)
        material.tilewright.repaired = True
        material.tilewright.repair_remark = " ".join(self.job.notices)
        # Not painted black: undo brings images back, but not their pixels.
        material.tilewright.repair_mask = None
        results.push_undo("Repair")

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


def _as_stored(material: bpy.types.Material, map_name: str) -> np.ndarray:
    """A map's whole numbers of 8 or 16 bits."""
    image = node_tree.images_of(material)[map_name]
    values = np.clip(images.read_pixels(image)[..., : MAPS[map_name].channels], 0, 1)
    kind = np.uint16 if image.is_float else np.uint8
    return np.rint(values * np.float64(np.iinfo(kind).max)).astype(kind)


def _marks(made: Recipe, before: Recipe) -> dict[str, str]:
    return repair_metadata(
        made.model, made.model_hash, made.version, made.credits, material_metadata(before)
    )


def _replacement(
    old: bpy.types.Image, map_name: str, ready: MaterialReady, png: bytes, folder: str | None
) -> bpy.types.Image:
    """The image that takes the place of an old one."""
    stem = old.name.rpartition("_")[0].removesuffix("_repaired")
    name = f"{stem}_repaired_{MAPS[map_name].file_word}"
    image = images.new_image(name, map_name, ready.maps[map_name], ready.job)
    if folder is None:
        images.pack_png(image, png)
    else:
        images.pack_until_saving(image, png, folder)
    return image


def _wrong_state(message: str, cure: str) -> RequestError:
    return RequestError("wrong_state", message, cure)


def _unwritable(folder: Path, error: OSError) -> ErrorInfo:
    return ErrorInfo(
        "file_unwritable",
        f"The maps must be written to {folder} for the worker; {error.strerror or error}.",
        "Check the folder and its permissions, or free some space.",
    )
