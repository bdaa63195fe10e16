"""Sources of an export by the command line: materials that were generated, or maps that lie in folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gan_worker.config import Recipe
from gan_worker.dataclass_json import InvalidJson, from_json
from gan_worker.exports.export import ExportedMaterial as ExportedMaterial
from gan_worker.exports.export import check_material as check_material
from gan_worker.exports.export import check_target as check_target
from gan_worker.exports.export import export_material as export_material
from gan_worker.exports.targets import ExportTarget as ExportTarget
from gan_worker.materials.metadata import material_metadata, read_metadata
from gan_worker.materials.pictures import PICTURE_EXTENSIONS, read_header
from gan_worker.materials.sets import MaterialSet, find_materials, read_material

if TYPE_CHECKING:
    from gan_worker.estimation import Estimation
    from gan_worker.progress import GeneratedMaterial


def from_generated(
    material: GeneratedMaterial, usual: Estimation | None = None
) -> ExportedMaterial:
    """What a model has made, ready to export under the name of `GenerationConfig.file_stem`."""
    name = material.recipe.config.file_stem(usual)
    return ExportedMaterial(name, material.maps, material_metadata(material.recipe))


def find_in_folder(folder: Path) -> tuple[list[MaterialSet], list[str]]:
    """The materials whose maps lie in a folder, ours or from elsewhere, each with all maps that it has.

    Returns:
        The sets, and sentences a person should read.

    Raises:
        PictureError: as `find_materials`.
    """
    sets, skipped, notes = find_materials([folder], alike=False)
    unread = [
        f"{Path(s.file).name} is left out: {s.reason}"
        for s in skipped
        if Path(s.file).suffix.lower() in PICTURE_EXTENSIONS
    ]
    return _named_apart(sets), [*notes, *unread]


def _named_apart(sets: Sequence[MaterialSet]) -> list[MaterialSet]:
    """Materials of one name, which may lie in several sub-folders, would overwrite each other's files."""
    named: dict[str, MaterialSet] = {}
    for material in sets:
        name, number = material.name, 2
        while name.casefold() in named:
            name, number = f"{material.name} {number}", number + 1
        named[name.casefold()] = replace(material, name=name)
    return list(named.values())


def read_exported(material_set: MaterialSet) -> ExportedMaterial:
    """Read the maps of a set and what they say of themselves.

    Raises:
        PictureError: as `read_material`.
    """
    texts = read_header(next(iter(material_set.files.values())))[2]
    return ExportedMaterial(material_set.name, read_material(material_set), _metadata(texts))


def _metadata(texts: Mapping[str, str]) -> Mapping[str, str]:
    """Metadata to hand on: made anew from a recipe, because OpenImageIO gives no packet back; else whose it is."""
    marked = read_metadata(texts)
    try:
        return material_metadata(from_json(Recipe, marked and marked["recipe"]))
    except InvalidJson:
        return {name: texts[name] for name in ("Artist", "Copyright") if name in texts}
