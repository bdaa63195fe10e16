"""Which pictures belong together: files and folders to sets of aligned maps, and what is left out and why."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_worker.errors import PictureError
from gan_worker.material_maps import MAPS, PACKED_MAPS, split_file_stem
from gan_worker.pictures import EXTENSIONS, check_picture, read_picture
from gan_worker.progress import SkippedFile


@dataclass(frozen=True)
class MaterialSet:
    """The files of one material.

    Attributes:
        name: as the files call it.
        files: map name, `normal_directx` or `packed` → file.
    """

    name: str
    files: dict[str, Path]

    @property
    def maps(self) -> tuple[str, ...]:
        """Names of the maps these files give, in the order of `MAPS`."""
        given = set(self.files)
        if "packed" in given:
            given.update(PACKED_MAPS)
        if "normal_directx" in given:
            given.add("normal")
        return tuple(name for name in MAPS if name in given)


def find_materials(
    places: Sequence[str | Path],
) -> tuple[list[MaterialSet], list[SkippedFile], list[str]]:
    """Find the materials in files and folders, sub-folders too.

    A file whose name ends in a map's word belongs to the set of that name in that folder; any other picture is a
    material of its own, with its base color alone.

    Returns:
        The sets sorted by name, the files left out with their reasons, and sentences a person should read.

    Raises:
        PictureError: `picture_missing` for a place that is not there; `dataset_empty` when nothing can be used.
    """
    found: dict[tuple[Path, str], dict[str, Path]] = {}
    skipped: list[SkippedFile] = []
    notes: list[str] = []
    for file in _all_files(places):
        if not _is_readable(file, skipped):
            continue
        name, kind = split_file_stem(file.stem)
        files = found.setdefault((file.parent, name or file.parent.name), {})
        if (kind or "base_color") in files:
            skipped.append(SkippedFile(str(file), f"{name} has that map already"))
        else:
            files[kind or "base_color"] = file
    sets = [_settled(name, files, skipped) for (_, name), files in found.items()]
    if not sets:
        raise PictureError(
            "dataset_empty",
            f"There must be one readable picture at least; {len(skipped)} files were looked at in "
            f"{', '.join(map(str, places)) or 'no place'}." + _first_reasons(skipped),
            "Choose pictures, or a folder that holds some.",
        )
    sets.sort(key=lambda material: material.name)
    notes += _map_notes(sets)
    return sets, skipped, notes


def _all_files(places: Sequence[str | Path]) -> Iterator[Path]:
    """Every file once, in a fixed order; links that lead in circles are walked once."""
    seen: set[Path] = set()
    for place in map(Path, places):
        if not place.exists():
            raise PictureError(
                "picture_missing",
                f"Pictures must be files or folders that are there; {place} is not.",
                "Check the name and where it lies.",
            )
        for file in [place] if place.is_file() else _walk(place):
            real = file.resolve()
            if real not in seen:
                seen.add(real)
                yield file


def _walk(folder: Path) -> Iterator[Path]:
    visited: set[Path] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = Path(parent).resolve()
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(parent, name)


def _is_readable(file: Path, skipped: list[SkippedFile]) -> bool:
    if file.suffix.lower() not in EXTENSIONS:
        skipped.append(SkippedFile(str(file), "not a picture"))
        return False
    try:
        check_picture(file)
    except PictureError as error:
        skipped.append(SkippedFile(str(file), error.info.message))
        return False
    return True


def _settled(name: str, files: dict[str, Path], skipped: list[SkippedFile]) -> MaterialSet:
    """Where a set has both kinds of normals, ours is the OpenGL one."""
    if "normal" in files and "normal_directx" in files:
        skipped.append(SkippedFile(str(files.pop("normal_directx")), "the set has OpenGL normals"))
    return MaterialSet(name, files)


def _first_reasons(skipped: list[SkippedFile]) -> str:
    reasons = [f" {Path(s.file).name}: {s.reason}" for s in skipped[:3]]
    return "".join(reasons)


def _map_notes(sets: Sequence[MaterialSet]) -> list[str]:
    common = set.intersection(*(set(s.maps) for s in sets))
    notes = []
    for material in sets:
        extra = [name for name in material.maps if name not in common]
        if extra:
            notes.append(f"{material.name}: {', '.join(extra)} left out; other materials lack it.")
        if "normal_directx" in material.files:
            notes.append(f"{material.name}: DirectX normals were turned to OpenGL.")
    return notes


def read_material(material: MaterialSet) -> dict[str, np.ndarray]:
    """Read all maps of a set.

    Returns:
        Map name → float32 array (height, width, channels), 0..1, all of one size, in the order of `MAPS`.

    Raises:
        PictureError: `map_size_mismatch`, naming two files; `picture_unreadable`.
    """
    read: dict[str, np.ndarray] = {}
    sizes: dict[tuple[int, ...], Path] = {}
    for kind, file in material.files.items():
        picture = read_picture(file)
        sizes.setdefault(picture.shape[:2], file)
        if len(sizes) > 1:
            raise _sizes_differ(material.name, sizes)
        if kind == "packed":
            for index, name in enumerate(PACKED_MAPS):
                read.setdefault(name, picture[..., index % picture.shape[-1]][..., None])
        elif kind == "normal_directx":
            read["normal"] = _with_channels(picture, 3) * [1, -1, 1] + [0, 1, 0]
        else:
            read[kind] = _with_channels(picture, MAPS[kind].channels)
    return {name: np.clip(read[name], 0, 1).astype(np.float32) for name in MAPS if name in read}


def _with_channels(picture: np.ndarray, channels: int) -> np.ndarray:
    """Grey to three equal channels, or color to its mean."""
    if picture.shape[-1] == channels:
        return picture
    if channels == 3:
        return np.repeat(picture, 3, axis=-1)
    return picture.mean(axis=-1, keepdims=True)


def _sizes_differ(name: str, sizes: dict[tuple[int, ...], Path]) -> PictureError:
    (first, file), (second, other) = list(sizes.items())[:2]
    return PictureError(
        "map_size_mismatch",
        f"All maps of a material must have one size; of {name}, {file.name} is {first[1]}×{first[0]} "
        f"and {other.name} is {second[1]}×{second[0]}.",
        "Scale them to the same size, or leave one out.",
    )
