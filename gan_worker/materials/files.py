"""Material files as Blender and game engines take them: names, bits, color spaces."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from gan_worker.dataclass_json import to_json
from gan_worker.files import storage_errors, write_json
from gan_worker.materials.maps import FILE_KIND_KEY, MAPS, Kind
from gan_worker.materials.metadata import estimate_metadata, material_metadata
from gan_worker.materials.pictures import Picture, to_light, write_picture

if TYPE_CHECKING:
    from gan_worker.estimation import Estimation
    from gan_worker.progress import GeneratedMaterial


class Format(StrEnum):
    """Picture formats that are written."""

    png = "png"
    exr = "exr"


def file_bits(bits: int | None, format: Format) -> dict[str, int]:
    """How many bits each map is generated with for its file.

    Args:
        bits: 8 or 16; None for what each map needs.
        format: of the files; the floats of EXR are made from 16 bits.
    """
    if format is Format.exr:
        return dict.fromkeys(MAPS, 16)
    return {name: bits or kind.bits for name, kind in MAPS.items()}


def save_material(
    material: GeneratedMaterial, folder: Path, format: Format, usual: Estimation | None = None
) -> list[Path]:
    """Write one picture a map, each marked as generated, and beside them the recipe to make them again.

    Args:
        material: what was generated, with `file_bits`.
        folder: where to, it exists.
        format: of the files.
        usual: as of `GenerationConfig.file_stem`.

    Returns:
        The pictures' files, named `<stem>_<suffix>.<format>` with the stem of `GenerationConfig.file_stem`.
    """
    stem = material.recipe.config.file_stem(usual)
    metadata = material_metadata(material.recipe)
    files = []
    for name, picture in material.maps.items():
        file = folder / f"{stem}_{MAPS[name].file_word}.{format}"
        said = {**metadata, FILE_KIND_KEY: name}
        if format is Format.exr:
            # EXR holds light; whoever opens it expects no sRGB curve.
            convert = to_light if MAPS[name].kind is Kind.color else _as_it_is
            # Half floats have 2048 steps from 0.5 to 1, too few for a gentle relief.
            deep = MAPS[name].bits == 16
            write_picture(file, picture, "exr32" if deep else "exr", convert, said)
        else:
            write_picture(file, picture, 16 if picture.dtype.itemsize == 2 else 8, metadata=said)
        files.append(file)
    write_json(folder / f"{stem}.json", to_json(material.recipe))
    return files


def save_estimated(material: GeneratedMaterial, folder: Path) -> list[Path]:
    """Write one PNG a map of a photo, each marked as what it is: the photo's own, changed, or estimated.

    Args:
        material: of a photo, with `file_bits`.
        folder: where to; the files have its name.

    Returns:
        The files, named `<folder>_<suffix>.png`.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, picture in material.maps.items():
        file = folder / f"{folder.name}_{MAPS[name].file_word}.png"
        said = {**estimate_metadata(material.recipe, name), FILE_KIND_KEY: name}
        write_picture(file, picture, 16 if picture.dtype.itemsize == 2 else 8, metadata=said)
        files.append(file)
    return files


def _as_it_is(picture: Picture) -> Picture:
    return picture
