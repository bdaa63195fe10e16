"""Export a material to other tools, piece by piece, with progress."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np

from gan_worker.errors import RequestError
from gan_worker.exports.export import (
    ExportedMaterial,
    check_target,
    export_pieces,
    textures_of,
)
from gan_worker.exports.targets import TOOLS, ExportTarget
from gan_worker.files import storage_errors
from gan_worker.progress import BatchProgress
from gan_worker.validation.material import validate

from ..shader import images, node_tree
from ..worker.background_task import BackgroundTask

if TYPE_CHECKING:
    from gan_worker.validation.findings import Finding

# Targets whose package this Blender lacks; looked up once, when the add-on is registered.
_missing: set[ExportTarget] = set()


def check(material: bpy.types.Material | None, target: ExportTarget, folder: str) -> None:
    """Check that a material can be exported now.

    Args:
        material: that is to be exported, in this file or linked.
        target: what for.
        folder: Blender path, such as `//export`.

    Raises:
        RequestError: `wrong_state`.
        StorageError: as `images.check_folder`.
    """
    material = node_tree.check_recipe(material)
    if node_tree.is_preview(material):
        raise _wrong_state(
            "The material must show its full size; it shows a preview.",
            "Wait until the slider has come to rest.",
        )
    node_tree.check_still(material)
    if target in _missing:
        raise _wrong_state(
            f"To export to {TOOLS[target].label}, Blender must come with that library; this one does not.",
            f"Use an official Blender, or the command: gan-worker export MODEL --to {target}.",
        )
    images.check_folder(folder)
    if MaterialExport.running():
        raise _wrong_state("One export must end before the next begins; one runs.", "Wait for it.")


def _wrong_state(message: str, cure: str) -> RequestError:
    return RequestError("wrong_state", message, cure)


class MaterialExport(BackgroundTask):
    """One export; it holds no datablocks between its steps.

    Args:
        material: its uuid, and the library that it is linked from.
        name: begins the names of the files.
        target: what for.
        folder: where to, made where it is missing.

    Attributes:
        files: what was written, with what is in it.
        folder: where to.
        findings: what is wrong with the maps.
    """

    def __init__(
        self, material: tuple[str, str], name: str, target: ExportTarget, folder: Path
    ) -> None:
        super().__init__()
        self.files: list[tuple[Path, str]] = []
        self.folder = folder
        self.findings: tuple[Finding, ...] = ()
        self._material, self._name, self._target = material, name, target

    @property
    def told(self) -> str:
        total = self.progress.total
        return f"{self.progress.done} of {total} files" if total else "Reading"

    def work(self) -> Generator[bool]:
        said = node_tree.read_metadata(self._found())
        maps: dict[str, np.ndarray] = {}
        for name in _exported_maps(self._found()):
            maps[name] = yield from images.stored_pieces(partial(self._image, name), name)
        self.findings = tuple(finding for finding in validate(maps) if not finding.is_ok)
        yield False
        textures = len(textures_of(self._target, maps))
        self.expect(textures)
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        exported = ExportedMaterial(self._name, maps, said)
        for file in export_pieces(exported, self._target, self.folder):
            if file:
                self.files.append(file)
                self.progress = BatchProgress(min(len(self.files), textures), textures)
            yield False

    def _found(self) -> bpy.types.Material:
        material = node_tree.find_material(*self._material)
        if material is None:
            raise _wrong_state("A material must stay while it is exported; it is gone.", "Undo.")
        return material

    def _image(self, name: str) -> bpy.types.Image:
        image = node_tree.images_of(self._found()).get(name)
        if image is None or not image.size[0]:
            raise _wrong_state(
                f"A material that is exported must have its pictures; {name} cannot be read.",
                "Press Regenerate first.",
            )
        return image


def _exported_maps(material: bpy.types.Material) -> list[str]:
    """The maps that take part in the shading."""
    return [n for n in node_tree.images_of(material) if n not in material.tilewright.unused_maps]


def start(material: bpy.types.Material, target: ExportTarget, folder: str) -> MaterialExport:
    """Begin an export that goes on with every tick.

    Args:
        material: one that was generated, at its full size.
        target: what for.
        folder: Blender path, such as `//export`.

    Raises:
        RequestError: `wrong_state` for a material without a recipe, with a preview or that moves, for a target whose
            library Blender lacks, and while another export runs.
        StorageError: as `images.check_folder`.
    """
    check(material, target, folder)
    check_target(target)
    if not _exported_maps(material):
        raise _wrong_state("Some map must be in use to be exported; none is.", "Tick one.")
    if node_tree.is_ours(material):
        node_tree.ensure_unique(material)
    place = Path(bpy.path.abspath(folder))
    name = images.whole_name(bpy.path.clean_name(material.name), "")
    found_by = material.tilewright.uuid, node_tree.library_of(material)
    return MaterialExport(found_by, name, target, place).start()


def look_for_libraries() -> None:
    """See which targets' packages this Blender has: panels ask often, and must not import."""
    _missing.clear()
    for target in ExportTarget:
        try:
            check_target(target)
        except RequestError:
            _missing.add(target)


register, unregister = look_for_libraries, _missing.clear
