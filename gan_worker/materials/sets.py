"""Material sets: which pictures belong together, as aligned maps, and what is left out and why."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gan_worker.confinement import LED_OUT, leads_out
from gan_worker.errors import PictureError
from gan_worker.files import check_places, shown_name
from gan_worker.materials.maps import MAPS, PACKED_MAPS, Kind, split_file_stem
from gan_worker.materials.pictures import (
    EXTENSIONS,
    LINEAR_EXTENSIONS,
    Picture,
    check_picture,
    read_picture,
    to_screen,
)
from gan_worker.progress import SkippedFile

NAMES_SHOWN = 5


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
        given = {name for kind in self.files for name in _maps_of(kind)}
        return tuple(name for name in MAPS if name in given)


def _maps_of(kind: str) -> tuple[str, ...]:
    """The maps that a file of this kind gives."""
    return {"packed": PACKED_MAPS, "normal_directx": ("normal",)}.get(kind, (kind,))


@dataclass(frozen=True)
class _Found:
    """A readable picture, what its name says, and its size in pixels."""

    file: Path
    name: str
    kind: str | None
    size: tuple[int, int]

    @property
    def key(self) -> tuple[Path, str]:
        """The same for all files of a set; systems differ in case and in how they store umlauts."""
        name = unicodedata.normalize("NFC", self.name or self.file.parent.name)
        return self.file.parent, name.casefold()

    def as_photo(self) -> _Found:
        return replace(self, name=shown_name(self.file.stem), kind=None)


def find_materials(
    places: Sequence[str | Path], alike: bool = True
) -> tuple[list[MaterialSet], list[SkippedFile], list[str]]:
    """Find the materials in files and folders, sub-folders too.

    A file whose name ends in a map's word belongs to the set of that name in that folder; any other
    picture is a material of its own, with its base color alone. Maps that not every material has
    are left out, unless told otherwise.

    Args:
        places: files and folders.
        alike: whether all materials shall have the same maps; if not, each keeps what it has.

    Returns:
        The sets sorted by name, the files left out with their reasons, and sentences a person
        should read.

    Raises:
        PictureError: `picture_missing` for a place that is not there; `dataset_empty` when nothing
            can be used, or `picture_unreadable` when that one picture was all; `map_size_mismatch`.
    """
    skipped: list[SkippedFile] = []
    notes: list[str] = []
    found = _readable(list(_all_files(places, skipped)), places, skipped)
    mapped, photos = _sorted_out(found, skipped, notes)
    sets = [_settled(files, skipped) for files in mapped.values()]
    sets += [MaterialSet(p.name, {"base_color": p.file}) for p in photos]
    if not sets:
        raise _nothing(places, skipped)
    sets.sort(key=lambda material: (material.name, str(next(iter(material.files.values())))))
    sets = _common(sets, notes) if alike else sets
    _check_sizes(sets, {f.file: f.size for f in found})
    return sets, skipped, notes


def _all_files(places: Sequence[str | Path], skipped: list[SkippedFile]) -> Iterator[Path]:
    """Every file once, in a fixed order; links that lead in circles are walked once."""
    seen: set[str] = set()
    folders: set[str] = set()
    for place in map(Path, places):
        check_places([place])
        alone = iter([(place, os.path.realpath(place))])
        files = _walk(place, folders, skipped) if place.is_dir() else alone
        for file, real in files:
            if real not in seen:
                seen.add(real)
                yield file


def _walk(
    folder: Path, visited: set[str], skipped: list[SkippedFile]
) -> Iterator[tuple[Path, str]]:
    """All files below a folder, each with its real path, which tells links to one file apart."""

    def closed(error: OSError) -> None:
        skipped.append(_skip(Path(error.filename), f"cannot be opened: {error.strerror}"))

    for parent, folders, files in os.walk(folder, onerror=closed, followlinks=True):
        real = os.path.realpath(parent)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        if leads_out(parent):
            skipped.append(_skip(Path(parent), LED_OUT))
            folders.clear()
            continue
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                file = Path(parent, name)
                if leads_out(file):
                    skipped.append(_skip(file, LED_OUT))
                    continue
                yield file, os.path.realpath(file) if file.is_symlink() else f"{real}{os.sep}{name}"


def _skip(file: Path, reason: str) -> SkippedFile:
    return SkippedFile(shown_name(str(file)), reason)


def _readable(
    files: Sequence[Path], places: Sequence[str | Path], skipped: list[SkippedFile]
) -> list[_Found]:
    found = []
    for file in files:
        if file.name == "REUSE.toml" or file.suffix == ".license":
            continue  # what it says of the pictures is read with their provenance
        if file.suffix.lower() not in EXTENSIONS:
            kind = file.suffix.lower() or "no extension"
            skipped.append(_skip(file, f"no picture format that can be read ({kind})"))
            continue
        try:
            size = check_picture(file)
        except PictureError as error:
            # Where one picture was asked for, its own error says more than an empty list.
            if len(places) == 1 and Path(places[0]) == file:
                raise
            skipped.append(_skip(file, error.info.message))
            continue
        name, word = split_file_stem(shown_name(file.stem))
        found.append(_Found(file, name, word, size))
    return found


def _sorted_out(
    found: Sequence[_Found], skipped: list[SkippedFile], notes: list[str]
) -> tuple[dict[tuple[Path, str], dict[str, _Found]], list[_Found]]:
    """Divide what was found into sets of maps and plain photos."""
    mapped: dict[tuple[Path, str], dict[str, _Found]] = {}
    for one in found:
        if one.kind in (None, "unused"):
            continue
        files = mapped.setdefault(one.key, {})
        if one.kind in files:
            skipped.append(_skip(one.file, f"{one.name or one.file.parent.name} has that map"))
        else:
            files[str(one.kind)] = one
    photos = _lonely(mapped, notes)
    for one in found:
        if one.kind is None and one.key in mapped:
            skipped.append(_skip(one.file, f"taken for a preview of {one.name}, which has maps"))
        elif one.kind == "unused" and one.key in mapped:
            skipped.append(_skip(one.file, "a kind of map that is not learned"))
        elif one.kind in (None, "unused"):
            photos.append(one.as_photo())
    return mapped, photos


def _lonely(mapped: dict[tuple[Path, str], dict[str, _Found]], notes: list[str]) -> list[_Found]:
    """Take out what only seems to be a map: `old_metal.jpg`, with no other map beside it."""
    photos = []
    for key, files in list(mapped.items()):
        bare = not all(one.name for one in files.values())
        if "base_color" in files or (len(files) > 1 and not bare):
            continue
        photos += [one.as_photo() for one in files.values()]
        del mapped[key]
    if photos:
        names = _listed([p.file.name for p in photos])
        notes.append(f"Taken for photos, because no base color of that name is there: {names}.")
    return photos


def _settled(files: dict[str, _Found], skipped: list[SkippedFile]) -> MaterialSet:
    """Where a set has both kinds of normals, ours is the OpenGL one."""
    if "normal" in files and "normal_directx" in files:
        skipped.append(_skip(files.pop("normal_directx").file, "the set has OpenGL normals too"))
    first = next(iter(files.values()))
    name = first.name or shown_name(first.file.parent.name)
    return MaterialSet(name, {kind: one.file for kind, one in files.items()})


def _nothing(places: Sequence[str | Path], skipped: Sequence[SkippedFile]) -> PictureError:
    looked = ", ".join(shown_name(str(place)) for place in places) or "no place"
    reasons = "; ".join(f"{Path(s.file).name}: {s.reason}" for s in skipped[:3])
    return PictureError(
        "dataset_empty",
        f"There must be one readable picture at least; {len(skipped)} files were looked at in "
        f"{looked}{': ' + reasons if reasons else ''}.",
        "Choose pictures, or a folder that holds some.",
    )


def _common(sets: list[MaterialSet], notes: list[str]) -> list[MaterialSet]:
    """Keep the files of the maps that every material has, and say what is left out."""
    common = set.intersection(*(set(s.maps) for s in sets))
    for name in MAPS:
        having = [s.name for s in sets if name in s.maps]
        if having and name not in common:
            verb = "has" if len(having) == 1 else "have"
            share = f"{len(having)} of {len(sets)} materials {verb} it ({_listed(having)})"
            notes.append(f"{name} is left out: only {share}.")
    turned = [s.name for s in sets if "normal_directx" in s.files]
    if turned and "normal" in common:
        notes.append(f"Normals were turned from DirectX to OpenGL: {_listed(turned)}.")
    if not common:
        return sets
    return [
        replace(s, files={k: f for k, f in s.files.items() if common.intersection(_maps_of(k))})
        for s in sets
    ]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    shown = ", ".join(map(shown_name, names[:NAMES_SHOWN]))
    return f"{shown} and {more} more" if more > 0 else shown


def _check_sizes(sets: Sequence[MaterialSet], sizes: dict[Path, tuple[int, int]]) -> None:
    for material in sets:
        check_sizes(material.name, {file: sizes[file] for file in material.files.values()})


def read_material(material: MaterialSet) -> dict[str, Picture]:
    """Read all maps of a set.

    Returns:
        Map name → float32 array (height, width, channels), 0..1, all of one size, in the order of
        `MAPS`. Colors are sRGB, normals are OpenGL's.

    Raises:
        PictureError: `map_size_mismatch`, naming two files; `picture_missing`;
            `picture_unreadable`.
    """
    read: dict[str, Picture] = {}
    sizes: dict[Path, tuple[int, int]] = {}
    for kind, file in in_order(material):
        picture = read_picture(file)
        sizes[file] = (picture.shape[1], picture.shape[0])
        check_sizes(material.name, sizes)
        read.update(as_maps(kind, picture, file))
    return {name: read[name] for name in MAPS if name in read}


def in_order(material: MaterialSet) -> list[tuple[str, Path]]:
    """The files to read with their kinds: a packed one first, so that a file of its own for one of its maps wins."""
    return sorted(material.files.items(), key=lambda entry: entry[0] != "packed")


def check_sizes(name: str, sizes: Mapping[Path, tuple[int, int]]) -> None:
    """Check that all files of a material have one size, (width, height).

    Raises:
        PictureError: `map_size_mismatch`, naming two files.
    """
    first, *others = sizes
    for other in others:
        if sizes[other] != sizes[first]:
            raise _sizes_differ(name, first, sizes[first], other, sizes[other])


def as_maps(
    kind: str, picture: Picture, file: Path, span: tuple[float, float] | None = None
) -> dict[str, Picture]:
    """The maps in one file, each with its channels and within 0..1.

    Args:
        kind: of file.
        picture: what stands in it, or a part of that.
        file: its name tells whether colors are linear.
        span: least and largest value of all of it; None where the picture is all.
    """
    linear = file.suffix.lower() in LINEAR_EXTENSIONS
    if not np.isfinite(picture).all():
        picture = np.nan_to_num(picture, nan=0.0, posinf=1.0, neginf=0.0)
    if kind == "packed":
        last = picture.shape[-1] - 1
        planes = {name: picture[..., [min(i, last)]] for i, name in enumerate(PACKED_MAPS)}
        return {name: np.clip(plane, 0, 1) for name, plane in planes.items()}
    name = _maps_of(kind)[0]
    described = MAPS[name]
    picture = _with_channels(picture, described.channels)
    low, high = span or (float(picture.min()), float(picture.max()))
    if described.kind is Kind.color and linear:
        picture = to_screen(picture)
    if described.kind is Kind.direction and low < 0:
        picture = picture / np.float32(2) + np.float32(0.5)
    if described.any_range:
        picture = _within_range(picture, low, high)
    if kind == "normal_directx":
        picture = np.stack([picture[..., 0], 1 - picture[..., 1], picture[..., 2]], axis=-1)
    return {name: np.clip(picture, 0, 1).astype(np.float32)}


def _within_range(height: Picture, low: float, high: float) -> Picture:
    """Heights of a floating-point file may be in any unit; only their relation is kept then."""
    if low >= 0 and high <= 1:
        return height
    return (height - low) / max(high - low, 1e-9)


def _with_channels(picture: Picture, channels: int) -> Picture:
    """Grey to three equal channels, or color to its mean."""
    if picture.shape[-1] == channels:
        return picture
    if channels == 3:
        return np.repeat(picture, 3, axis=-1)
    return np.asarray(picture.mean(axis=-1, keepdims=True), np.float32)


def _sizes_differ(
    name: str, file: Path, size: tuple[int, int], other: Path, other_size: tuple[int, int]
) -> PictureError:
    return PictureError(
        "map_size_mismatch",
        f"All maps of a material must have one size; of {name}, {file.name} is {size[0]}×{size[1]} "
        f"and {other.name} is {other_size[0]}×{other_size[1]}.",
        "Scale them to the same size, or leave one out.",
    )
