"""Export a material to other tools, piece by piece, with progress."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np

from gan_worker.errors import (
    Cancelled,
    RequestError,
    StorageError,
    TilewrightError,
    UnexpectedError,
)
from gan_worker.exports.export import (
    ExportedMaterial,
    check_target,
    export_pieces,
    textures_of,
)
from gan_worker.exports.targets import TOOLS, ExportTarget
from gan_worker.files import storage_errors
from gan_worker.materials.maps import MAPS
from gan_worker.materials.pixels import quantise

from ..shader import images, node_tree
from ..worker import pump
from ..worker.background_task import FileBound

log = logging.getLogger(__name__)

# Targets whose package this Blender lacks; looked up once, when the add-on is registered.
_missing: set[ExportTarget] = set()


def obstacle(
    material: bpy.types.Material | None, target: ExportTarget, folder: str
) -> TilewrightError | None:
    """Why a material cannot be exported now; None where it can.

    Args:
        material: that is to be exported.
        target: what for.
        folder: Blender path, such as `//export`.
    """
    if not node_tree.is_ours(material) or not material.tilewright.recipe:
        return _wrong_state(
            "The active object must have a material with a recipe; it has none.",
            "Generate one first.",
        )
    if node_tree.is_preview(material):
        return _wrong_state(
            "The material must show its full size; it shows a preview.",
            "Wait until the slider has come to rest.",
        )
    if target in _missing:
        return _wrong_state(
            f"To export to {TOOLS[target].label}, Blender must come with that library; this one does not.",
            f"Use an official Blender, or the command: gan-worker export MODEL --to {target}.",
        )
    if folder.startswith("//") and not bpy.data.filepath:
        return StorageError(
            "file_unwritable",
            f"The .blend must be saved before files can go to {folder}; it was not.",
            "Save the file, or choose another folder.",
        )
    if is_running():
        return _wrong_state("One export must end before the next begins; one runs.", "Wait for it.")
    return None


def _wrong_state(message: str, cure: str) -> RequestError:
    return RequestError("wrong_state", message, cure)


class MaterialExport:
    """One export; it holds no datablocks between its steps.

    Args:
        material: its uuid.
        name: begins the names of the files.
        target: what for.
        folder: where to, made where it is missing.

    Attributes:
        state: `running`, `succeeded`, `failed` or `cancelled`.
        done: textures that are written.
        total: textures in all; 0 while that is not known.
        files: what was written, with what is in it.
        error: why it failed.
    """

    def __init__(self, material: str, name: str, target: ExportTarget, folder: Path) -> None:
        self.state = "running"
        self.done = self.total = 0
        self.files: list[tuple[Path, str]] = []
        self.error: TilewrightError | None = None
        self.folder = folder
        self._material, self._name, self._target = material, name, target
        self._wish_to_end = False

    def cancel(self) -> None:
        """End soon; files that are whole already stay."""
        self._wish_to_end = True

    def steps(self) -> Iterator[bool]:
        """All of the work, in pieces."""
        try:
            for _ in self._work():
                if self._wish_to_end:
                    raise Cancelled
                yield False
            self.state = "succeeded"
        except Cancelled:
            self.state = "cancelled"
        except TilewrightError as error:
            self.state, self.error = "failed", error
        except Exception as error:
            log.exception("export")
            self.state, self.error = "failed", UnexpectedError(error)

    def _work(self) -> Iterator[None]:
        said = node_tree.read_metadata(self._found())
        maps: dict[str, np.ndarray] = {}
        for name in _exported_maps(self._found()):
            yield from self._read(name, maps)
        self.total = len(textures_of(self._target, maps))
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        exported = ExportedMaterial(self._name, maps, said)
        for file in export_pieces(exported, self._target, self.folder):
            if file:
                self.files.append(file)
                self.done = min(len(self.files), self.total)
            yield

    def _found(self) -> bpy.types.Material:
        material = node_tree.find_material(self._material)
        if material is None:
            raise _wrong_state("A material must stay while it is exported; it is gone.", "Undo.")
        return material

    def _read(self, name: str, maps: dict[str, np.ndarray]) -> Iterator[None]:
        image = node_tree.images_of(self._found()).get(name)
        if image is None or not image.size[0]:
            raise _wrong_state(
                f"A material that is exported must have its pictures; {name} cannot be read.",
                "Press Regenerate first.",
            )
        kind, rgba = MAPS[name], images.read_pixels(image)
        whole = np.empty(
            (*rgba.shape[:2], kind.channels), np.uint8 if kind.bits == 8 else np.uint16
        )
        maps[name] = whole
        yield
        for top in range(0, len(rgba), rows := max(1, images.PIXELS_PER_STEP // rgba.shape[1])):
            band = slice(top, top + rows)
            whole[band] = quantise(rgba[band, :, : kind.channels], kind.bits)
            yield


def _exported_maps(material: bpy.types.Material) -> list[str]:
    """The maps that take part in the shading."""
    return [n for n in node_tree.images_of(material) if n not in material.tilewright.unused_maps]


# ---- the export that panels show

current: MaterialExport | None = None


def start(material: bpy.types.Material, target: ExportTarget, folder: str) -> MaterialExport:
    """Begin an export that goes on with every tick.

    Args:
        material: one that was generated, at its full size.
        target: what for.
        folder: Blender path, such as `//export`.

    Raises:
        RequestError: `wrong_state` for a material without a recipe or with a preview, for a target whose library
            Blender lacks, and while another export runs.
        StorageError: `file_unwritable` for a folder beside a .blend that was never saved.
    """
    global current
    problem = obstacle(material, target, folder)
    if problem:
        raise problem
    check_target(target)
    if not _exported_maps(material):
        raise _wrong_state("Some map must be in use to be exported; none is.", "Tick one.")
    node_tree.ensure_unique(material)
    place = Path(bpy.path.abspath(folder))
    name = bpy.path.clean_name(material.name)
    current = MaterialExport(material.tilewright.uuid, name, target, place)
    pump.run_along(current.steps())
    return current


def wait(export: MaterialExport) -> None:
    """Do an export to its end, for scripts and `blender -b`, where no timer fires.

    Raises:
        TilewrightError: why it failed.
    """
    while export.state == "running":
        pump.tick()
    if export.error:
        raise export.error


def is_running() -> bool:
    """Whether something is being exported."""
    return current is not None and current.state == "running"


def _forget() -> None:
    global current
    if current is not None:
        current.cancel()
        current = None


def _find_missing() -> None:
    _missing.clear()
    for target in ExportTarget:
        try:
            check_target(target)
        except RequestError:
            _missing.add(target)


_bound = FileBound(_forget)
unregister = _bound.unregister


def register() -> None:
    _find_missing()
    _bound.register()
