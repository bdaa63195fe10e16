"""Material files changed in places: everything else in them stays as it is, to the bit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gan_worker.errors import PictureError, RequestError, require
from gan_worker.files import storage_errors
from gan_worker.materials.maps import FILE_KIND_KEY, FILE_KINDS, MAPS
from gan_worker.materials.pictures import (
    Picture,
    quantise,
    read_header,
    read_picture,
    read_with_stored,
    write_picture,
)
from gan_worker.materials.sets import MaterialSet, find_materials, in_channels, read_material

if TYPE_CHECKING:
    from gan_worker.runs.run import ModelInfo

# Standard deviations beyond which what was found has little to do with the picture.
POOR = 0.6


@dataclass(frozen=True, eq=False)
class StoredMaterial:
    """A material and what its files hold.

    Attributes:
        material_set: name and files.
        maps: map name → (height, width, channels), 0..1.
        stored: kind of file → whole numbers of 8 or 16 bits, (height, width, 1 to 4).
    """

    material_set: MaterialSet
    maps: dict[str, Picture]
    stored: dict[str, NDArray[Any]]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        height, width = next(iter(self.maps.values())).shape[:2]
        return height, width


def read_one(place: Path, mask: Path | None = None) -> StoredMaterial:
    """Read the one material that a file or a folder holds.

    Args:
        place: a picture, or a folder of maps.
        mask: a picture that may lie beside them and is none of them.

    Raises:
        PictureError: as `read_material`; `dataset_empty` for several materials; `picture_unreadable` for files of
            floating-point numbers.
        RequestError: `invalid_config` where the mask is the picture.
    """
    sets, _, _ = find_materials([place], alike=False)
    if mask is not None:
        own = mask.resolve()
        others = [s for s in sets if {f.resolve() for f in s.files.values()} != {own}]
        require(
            others or not sets, "The mask must be another file than the picture", f"{mask} as both"
        )
        sets = others
    if len(sets) != 1:
        raise PictureError(
            "dataset_empty",
            f"The picture must be one, or a folder with the maps of one material; {place} holds {len(sets)}"
            f"{': ' + ', '.join(s.name for s in sets[:5]) if sets else ''}.",
            "Name one picture, or put the maps of each material into a folder of their own.",
        )
    (found,) = sets
    stored: dict[Path, NDArray[Any]] = {}

    def read(file: Path, alpha: bool, srgb: bool) -> Picture:
        picture, stored[file] = read_with_stored(file, alpha, srgb)
        return picture

    maps = read_material(found, read)
    return StoredMaterial(found, maps, {kind: stored[file] for kind, file in found.files.items()})


def read_mask(file: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Read where a picture is to be filled: where the mask is lighter than middle grey.

    Args:
        file: the mask.
        size: height and width that it must have.

    Raises:
        PictureError: `map_size_mismatch`, `picture_missing` or `picture_unreadable`.
    """
    picture = read_picture(file)
    if picture.shape[:2] != size:
        raise PictureError(
            "map_size_mismatch",
            f"The mask must have the picture's size, {size[1]}×{size[0]}; {file.name} is "
            f"{picture.shape[1]}×{picture.shape[0]}.",
            "Paint the mask on a copy of the picture, or scale it to that size.",
        )
    return np.asarray(picture.mean(axis=-1) > 0.5)


def check_maps(info: ModelInfo, maps: Collection[str]) -> None:
    """See that the model makes all of these maps.

    Raises:
        RequestError: `invalid_config`.
    """
    missing = [name for name in maps if name not in info.maps]
    if missing:
        raise RequestError(
            "invalid_config",
            f"The model must make every map that is given; {info.name!r} makes "
            f"{', '.join(info.maps)}, not {', '.join(missing)}.",
            "Leave these files out, or train a model on sets that have them.",
        )


def check_mask(hidden: NDArray[np.bool_]) -> None:
    """See that there is something to fill, and something to fit it to.

    Raises:
        RequestError: `invalid_config`.
    """
    if not hidden.any() or hidden.all():
        what = "nothing" if not hidden.any() else "all of the picture"
        raise RequestError(
            "invalid_config",
            f"A mask must be white where the picture is to be filled and black elsewhere; this one marks {what}.",
            "Paint the damaged places white, on black, and save the mask as PNG.",
        )


def check_color(maps: Collection[str]) -> None:
    """See that there is what the other maps are estimated from.

    Raises:
        RequestError: `invalid_config`.
    """
    if "base_color" not in maps:
        raise RequestError(
            "invalid_config",
            f"Maps are estimated from a base color, which must be given; received {', '.join(maps)}.",
            "Leave --estimate out, or put the base color beside these maps.",
        )


def targets(material: StoredMaterial, out: Path) -> dict[str, Path]:
    """The file that each of a material's files becomes: a PNG of the same name, or the one that was named.

    Args:
        material: what was read.
        out: a folder, or for a single picture a `.png`.

    Raises:
        RequestError: `invalid_config` where a file would be written over itself, or in another format.
    """
    files = material.material_set.files
    if len(files) == 1 and out.suffix and not out.is_dir():
        found = dict.fromkeys(files, out)
    else:
        found = {kind: out / f"{file.stem}.png" for kind, file in files.items()}
    for kind, target in found.items():
        if target.suffix.lower() != ".png":
            raise _refused(f"--out must be a folder or a PNG, which loses nothing; received {out}.")
        if target.resolve() == files[kind].resolve():
            raise _refused(f"--out must not be what is read; {target} is.")
    return found


def _refused(message: str) -> RequestError:
    return RequestError("invalid_config", message, "Give another --out.")


def changed_files(
    material: StoredMaterial, maps: Mapping[str, Picture], changed: NDArray[np.bool_]
) -> dict[str, NDArray[Any]]:
    """What a material's files hold with other values where it was changed; bits and alpha stay.

    Args: as for `write_changed`.

    Returns:
        Kind of file → whole numbers of 8 or 16 bits, (height, width, 1 to 4).
    """
    files = {}
    for kind, before in material.stored.items():
        bits = 8 if before.dtype == np.uint8 else 16
        files[kind] = before.copy()
        for channels, new in in_channels(kind, maps, before.shape[-1]):
            files[kind][changed, channels] = quantise(new[changed], bits)
    return files


def write_changed(
    material: StoredMaterial,
    maps: Mapping[str, Picture],
    changed: NDArray[np.bool_],
    files: Mapping[str, Path],
    metadata: Mapping[str, Mapping[str, str]],
) -> None:
    """Write a material's files with other values where it was changed; bits and alpha stay.

    Args:
        material: what was read.
        maps: map name → (height, width, channels), 0..1.
        changed: (height, width), where these count.
        files: of `targets`.
        metadata: kind of file → what it shall say of itself.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """
    for file in files.values():
        with storage_errors(file.parent):
            file.parent.mkdir(parents=True, exist_ok=True)
    for kind, after in changed_files(material, maps, changed).items():
        bits: Literal[8, 16] = 8 if after.dtype == np.uint8 else 16
        write_picture(files[kind], after, bits, metadata=metadata[kind])


def read_texts(material: StoredMaterial) -> dict[str, dict[str, str]]:
    """What each file says of itself."""
    return {kind: read_header(file)[2] for kind, file in material.material_set.files.items()}


def write_beside(
    maps: Mapping[str, NDArray[Any]], files: Mapping[str, Path], said: Mapping[str, str]
) -> list[Path]:
    """Write maps beside the file of the base color, so that they are found as one material.

    Args:
        maps: map name → whole numbers of 8 or 16 bits.
        files: kind of file → where it lies, one with the base color among them.
        said: what each shall say of itself.

    Returns:
        The new files.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """
    (color,) = (file for kind, file in files.items() if "base_color" in FILE_KINDS[kind].maps)
    ((found,), _, _) = find_materials([color], alike=False)
    written = []
    for name, pixels in maps.items():
        file = color.with_name(f"{found.name}_{MAPS[name].file_word}.png")
        bits: Literal[8, 16] = 8 if pixels.dtype == np.uint8 else 16
        write_picture(file, pixels, bits, metadata={**said, FILE_KIND_KEY: name})
        written.append(file)
    return written
