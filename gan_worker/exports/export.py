"""Export of a material: the textures of each kind of tool, and the document that uses them.

Nothing here needs more than NumPy, but for the documents of two targets: Blender exports by it too.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_worker.errors import EXTRAS, RequestError, install_command
from gan_worker.exports.gltf import write_gltf
from gan_worker.exports.materialx import write_materialx
from gan_worker.exports.targets import TOOLS, ExportTarget
from gan_worker.exports.textures import Maps, Texture
from gan_worker.exports.usd import write_usd
from gan_worker.files import replacing, storage_errors
from gan_worker.materials.metadata import ESTIMATED_KEY
from gan_worker.materials.pixels import Bits, quantise
from gan_worker.materials.png import text_chunks, write_png_pieces
from gan_worker.validation.material import validate

# Pixels made ready between two looks at the clock.
PIXELS_PER_STEP = 64 * 1024


# What writes the document of a target that has one: file, name, textures, width over height, whose it is and what of
# it was estimated.
Write = Callable[[Path, str, dict[Texture, Path], float, str], None]
_WRITERS: dict[ExportTarget, Write] = {
    ExportTarget.gltf: write_gltf,
    ExportTarget.materialx: write_materialx,
    ExportTarget.usd: write_usd,
}


@dataclass(frozen=True, eq=False)
class ExportedMaterial:
    """A material to export.

    Attributes:
        name: begins the names of its files.
        maps: map name → (height, width, channels), floats of 0..1 or whole numbers of 8 or 16 bits.
        metadata: what its files shall say of themselves; empty where that is not known.
    """

    name: str
    maps: Maps
    metadata: Mapping[str, str]


def check_target(target: ExportTarget) -> None:
    """See that what the target needs is installed.

    Raises:
        RequestError: `wrong_state`.
    """
    package = TOOLS[target].package
    if package and importlib.util.find_spec(package) is None:
        raise RequestError(
            "wrong_state",
            f"To export to {target}, {package} must be installed; it is not.",
            f"Install them: {install_command(*EXTRAS['export'])}",
        )


def check_material(material: ExportedMaterial, closed: bool | None = None) -> list[str]:
    """What is wrong with a material that is exported, sentences with what to do.

    Args:
        material: its maps.
        closed: whether it shall tile, as of `validate`.
    """
    findings = [finding for finding in validate(material.maps, closed) if not finding.is_ok]
    return [f"{material.name}: {finding.message} {finding.cure}" for finding in findings]


def export_material(
    material: ExportedMaterial, target: ExportTarget, folder: Path, bits: Bits | None = None
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
    return (step for step in export_pieces(material, target, folder, bits) if step)


def export_pieces(
    material: ExportedMaterial, target: ExportTarget, folder: Path, bits: Bits | None = None
) -> Iterator[tuple[Path, str] | None]:
    """The same in pieces that hold nobody up; None after each that is no file yet."""
    tool = TOOLS[target]
    written: dict[Texture, Path] = {}
    for texture in textures_of(target, material.maps):
        file = folder / f"{tool.prefix}{material.name}_{texture.word}.png"
        yield from _write(file, texture, material, 16 if texture.bits(bits) == 16 else 8)
        written[texture] = file
        yield file, texture.use
    if tool.suffix:
        document = folder / f"{material.name}{tool.suffix}"
        height, width = next(iter(material.maps.values())).shape[:2]
        said = (material.metadata.get(key, "") for key in ("Copyright", ESTIMATED_KEY))
        line = " ".join(filter(None, said))
        _WRITERS[target](document, material.name, written, width / height, line)
        yield document, tool.use


def textures_of(target: ExportTarget, maps: Collection[str]) -> list[Texture]:
    """The textures that a material with these maps is exported as."""
    fitting = (texture for texture in TOOLS[target].textures if texture.fits(maps))
    named: dict[str, Texture] = {}
    for texture in fitting:
        named.setdefault(texture.word, texture)
    return list(named.values())


def _write(file: Path, texture: Texture, material: ExportedMaterial, bits: int) -> Iterator[None]:
    height, width = next(iter(material.maps.values())).shape[:2]
    pixels = np.empty((height, width, texture.depth), np.uint8 if bits == 8 else np.uint16)
    for top in range(0, height, rows := max(1, PIXELS_PER_STEP // width)):
        band = {name: whole[top : top + rows] for name, whole in material.maps.items()}
        pixels[top : top + rows] = quantise(texture.picture(band), bits)
        yield
    texts = text_chunks({**material.metadata, **texture.metadata})
    with storage_errors(file), replacing(file) as draft:
        yield from write_png_pieces(draft, pixels, texts)
