"""Generated materials as files that Blender and game engines take: names, bits, color spaces."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path

from gan_worker.durable_files import write_json
from gan_worker.material_maps import MAPS
from gan_worker.pictures import to_light, write_picture
from gan_worker.progress import GeneratedMaterial


class Format(StrEnum):
    """Picture formats that are written."""

    png = "png"
    exr = "exr"


def save_material(
    material: GeneratedMaterial, folder: Path, bits: int | None, format: Format
) -> list[Path]:
    """Write one picture a map, and beside them the recipe to make them again.

    Args:
        material: what was generated.
        folder: where to, it exists.
        bits: of whole numbers; None for what each map needs.
        format: of the files.

    Returns:
        The pictures' files, named `<model>_<seed>_<width>x<height>_<suffix>.<format>`.
    """
    recipe = material.recipe
    stem = f"{recipe.model}_{recipe.seed}_{recipe.width}x{recipe.height}"
    files = []
    for name, picture in material.maps.items():
        file = folder / f"{stem}_{MAPS[name].file_word}.{format}"
        if format is Format.exr:
            # EXR holds light; whoever opens it expects no sRGB curve.
            write_picture(file, to_light(picture) if name == "base_color" else picture, "exr")
        else:
            write_picture(file, picture, 16 if (bits or MAPS[name].bits) == 16 else 8)
        files.append(file)
    write_json(folder / f"{stem}.json", asdict(recipe))
    return files
