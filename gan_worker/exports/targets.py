"""What a material is exported to: the textures of each kind of tool, and the document that uses them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from gan_worker.errors import RequestError
from gan_worker.exports import engines, gltf, materialx, usd
from gan_worker.exports.textures import Maps, Texture
from gan_worker.marks import material_marks, read_marks
from gan_worker.material_sets import MaterialSet, find_materials, read_material
from gan_worker.pictures import EXTENSIONS, Bits, read_header, write_picture
from gan_worker.progress import GeneratedMaterial, Recipe
from gan_worker.strict_json import BadMessage, from_json


class Target(StrEnum):
    """Kinds of tools and files."""

    gltf = "gltf"
    materialx = "materialx"
    usd = "usd"
    unreal = "unreal"
    unity = "unity"
    godot = "godot"


Write = Callable[[Path, str, dict[Texture, Path], float, str], None]


@dataclass(frozen=True)
class _Kind:
    """Textures of a target, and what writes its document, with the package that this needs."""

    textures: tuple[Texture, ...]
    suffix: str = ""
    write: Write | None = None
    use: str = "Open this one: a square that shows the material"
    package: str = ""
    prefix: str = ""


_KINDS = {
    Target.gltf: _Kind(gltf.TEXTURES, ".gltf", gltf.write_gltf),
    Target.materialx: _Kind(
        materialx.TEXTURES,
        ".mtlx",
        materialx.write_materialx,
        "Open this one: a standard surface",
        package="MaterialX",
    ),
    Target.usd: _Kind(usd.TEXTURES, ".usda", usd.write_usd, package="pxr"),
    # T_ is how Unreal's own content begins the names of textures.
    Target.unreal: _Kind(engines.UNREAL, prefix="T_"),
    Target.unity: _Kind(engines.UNITY),
    Target.godot: _Kind(engines.GODOT),
}


@dataclass(frozen=True, eq=False)
class ExportedMaterial:
    """A material to export.

    Attributes:
        name: begins the names of its files.
        maps: map name → (height, width, channels), floats of 0..1 or whole numbers of 8 or 16 bits.
        marks: what its files shall say of themselves; empty where that is not known.
    """

    name: str
    maps: Maps
    marks: Mapping[str, str]


def check_target(target: Target) -> None:
    """See that what the target needs is installed.

    Raises:
        RequestError: `wrong_state`.
    """
    package = _KINDS[target].package
    if package and importlib.util.find_spec(package) is None:
        raise RequestError(
            "wrong_state",
            f"To export to {target}, the packages of the extra 'export' must be installed; {package} is not.",
            "Install them: pip install 'tilewright[export]'.",
        )


def from_generated(material: GeneratedMaterial) -> ExportedMaterial:
    """What a model has made, ready to export."""
    recipe = material.recipe
    name = f"{recipe.model}_{recipe.seed}_{recipe.width}x{recipe.height}"
    return ExportedMaterial(name, material.maps, material_marks(recipe))


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
        if Path(s.file).suffix.lower() in EXTENSIONS
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
    return ExportedMaterial(material_set.name, read_material(material_set), _marks(texts))


def _marks(texts: Mapping[str, str]) -> Mapping[str, str]:
    """Marks to hand on: made anew from a recipe, because OpenImageIO gives no packet back; else whose it is."""
    marked = read_marks(texts)
    try:
        return material_marks(from_json(Recipe, marked and marked["recipe"]))
    except BadMessage:
        return {name: texts[name] for name in ("Artist", "Copyright") if name in texts}


def export_material(
    material: ExportedMaterial, target: Target, folder: Path, bits: Bits | None = None
) -> Iterator[tuple[Path, str]]:
    """Write the textures of a material, and then the document that uses them.

    Args:
        material: at least one map.
        target: what for.
        folder: where to, it exists.
        bits: 8 or 16 bits a value; None for what each texture needs.

    Yields:
        Each file when it is written, and what is in it.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """
    kind = _KINDS[target]
    written: dict[Texture, Path] = {}
    for texture in kind.textures:
        if texture.fits(material.maps):
            file = folder / f"{kind.prefix}{material.name}_{texture.word}.png"
            pixels = texture.picture(material.maps)
            write_picture(file, pixels, texture.bits(bits), marks=material.marks)
            written[texture] = file
            yield file, texture.use
    if kind.write:
        document = folder / f"{material.name}{kind.suffix}"
        height, width = next(iter(material.maps.values())).shape[:2]
        rights = material.marks.get("Copyright", "")
        kind.write(document, material.name, written, width / height, rights)
        yield document, kind.use
