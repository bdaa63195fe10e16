"""Reading of material sets: their files as aligned maps, each kind of file taken apart into what is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_worker.errors import PictureError
from gan_worker.materials.content import ValueRange
from gan_worker.materials.maps import FILE_KINDS, MAPS, SMOOTHNESS, Kind, MaterialMap
from gan_worker.materials.pictures import (
    LINEAR_EXTENSIONS,
    Picture,
    changed,
    read_picture,
    to_screen,
)


@dataclass(frozen=True)
class MaterialSet:
    """The files of one material.

    Attributes:
        name: as the files call it.
        files: kind of file, as in `FILE_KINDS` → file.
    """

    name: str
    files: dict[str, Path]

    @property
    def maps(self) -> tuple[str, ...]:
        """Names of the maps these files give, in the order of `MAPS`."""
        given = {name for kind in self.files for name in FILE_KINDS[kind].maps}
        return tuple(name for name in MAPS if name in given)


def read_material(
    material: MaterialSet, read_file: Callable[[Path, bool, bool], Picture] = read_picture
) -> dict[str, Picture]:
    """Read all maps of a set.

    Args:
        material: its files.
        read_file: what reads one, as `read_picture` does.

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
        picture = read_file(file, has_alpha(kind), shows_color(kind))
        sizes[file] = (picture.shape[1], picture.shape[0])
        check_sizes(material.name, sizes)
        read.update(as_maps(kind, picture, file))
    return {name: read[name] for name in MAPS if name in read}


def in_order(material: MaterialSet) -> list[tuple[str, Path]]:
    """The files to read with their kinds: packed ones first, so that a file of its own for one of their maps wins."""
    return sorted(material.files.items(), key=lambda entry: -len(FILE_KINDS[entry[0]].maps))


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
    kind: str, picture: Picture, file: Path, ranges: Mapping[str, ValueRange] | None = None
) -> dict[str, Picture]:
    """The maps in one file, each with its channels and within 0..1.

    Args:
        kind: of file.
        picture: what stands in it, or a part of that; with alpha where `has_alpha`.
        file: its name tells whether colors are linear.
        ranges: of `measure_ranges`, where the picture is a part.
    """
    linear = file.suffix.lower() in LINEAR_EXTENSIONS
    maps = {}
    for name, plane in _planes(FILE_KINDS[kind].channels, _finite(picture)):
        if name == SMOOTHNESS:
            maps["roughness"] = 1 - np.clip(plane, 0, 1)
        else:
            maps[name] = _as_map(MAPS[name], plane, linear, (ranges or {}).get(name))
    if FILE_KINDS[kind].directx:
        maps["normal"] = _green_turned(maps["normal"])
    return maps


def measure_ranges(kind: str, bands: Iterable[Picture]) -> dict[str, ValueRange]:
    """Measure what must be known of a whole file to read a part of it.

    Args:
        kind: of file.
        bands: all that stands in it; with alpha where `has_alpha`.

    Returns:
        Map name → its range, of those that are read by it; where there are none, no band is asked for.
    """
    ranges: dict[str, ValueRange] = {}
    if not any(_depends_on_range(MAPS[name]) for name in FILE_KINDS[kind].maps):
        return ranges
    for band in bands:
        for name, plane in _planes(FILE_KINDS[kind].channels, _finite(band)):
            if name in MAPS and _depends_on_range(MAPS[name]):
                found = ValueRange.of(plane)
                ranges[name] = ranges[name].joined(found) if name in ranges else found
    return ranges


def _depends_on_range(described: MaterialMap) -> bool:
    return described.kind is Kind.direction or described.any_range


def has_alpha(kind: str) -> bool:
    """Whether the alpha of such a file holds a map."""
    return FILE_KINDS[kind].depth > 3


def shows_color(kind: str) -> bool:
    """Whether such a file holds what a screen shows, and not data, which no color profile changes."""
    return any(MAPS[name].kind is Kind.color for name in FILE_KINDS[kind].maps)


def _planes(channels: tuple[str, ...], picture: Picture) -> Iterator[tuple[str, Picture]]:
    """What the channels of a file hold, one after the other, but for what is not used."""
    if len(channels) == 1:
        yield channels[0], _with_channels(picture, _width(channels[0]))
        return
    whole, start = _whole(picture, sum(map(_width, channels)) > 3), 0
    for name in channels:
        start, first = start + _width(name), start
        if name:
            yield name, whole[..., first:start]


def _width(name: str) -> int:
    return MAPS[name].channels if name in MAPS else 1


def _whole(picture: Picture, alpha: bool) -> Picture:
    """Three colors and alpha, which is one where there is none; it was asked for where `alpha` says so."""
    if picture.shape[-1] == 2 and not alpha:
        picture = _with_channels(picture, 3)
    channels = picture.shape[-1]
    colors = picture[..., :3] if channels > 2 else np.repeat(picture[..., :1], 3, axis=-1)
    last = picture[..., -1:] if channels in (2, 4) else np.ones_like(colors[..., :1])
    return np.concatenate([colors, last], axis=-1)


def _finite(picture: Picture) -> Picture:
    if np.isfinite(picture).all():
        return picture
    return np.nan_to_num(picture, nan=0.0, posinf=1.0, neginf=0.0)


def _as_map(
    described: MaterialMap, picture: Picture, linear: bool, known: ValueRange | None
) -> Picture:
    if described.kind is Kind.color and linear:
        picture = changed(picture, to_screen)
    if described.kind is Kind.direction:
        signed = (known or ValueRange.of(picture)).is_signed
        if signed:
            picture = picture / np.float32(2) + np.float32(0.5)
        picture = _with_blue(picture, signed)
    if described.any_range:
        picture = _within_range(picture, known or ValueRange.of(picture))
    return np.clip(picture, 0, 1).astype(np.float32, copy=False)


def _with_blue(normals: Picture, signed: bool) -> Picture:
    """Normals whose blue was left out, since it follows from red and green, with it."""
    if not np.all(normals[..., 2] == (0.5 if signed else 0)):
        return normals
    across = 2 * normals[..., :2] - 1
    blue = np.sqrt(np.clip(1 - np.square(across).sum(axis=-1), 0, 1)) / 2 + 0.5
    return np.concatenate([normals[..., :2], blue[..., None].astype(np.float32)], axis=-1)


def _green_turned(normals: Picture) -> Picture:
    return np.stack([normals[..., 0], 1 - normals[..., 1], normals[..., 2]], axis=-1)


def in_channels(
    kind: str, maps: Mapping[str, Picture], channels: int
) -> Iterator[tuple[slice, Picture]]:
    """What is to be written into the channels of a file, the other way round.

    Args:
        kind: of file.
        maps: map name → (height, width, channels), 0..1.
        channels: that the file has, 1 to 4.

    Yields:
        Channels, and (height, width, as many) of 0..1; none of those that hold no map.
    """
    colors, start = 1 if channels < 3 else 3, 0
    described = FILE_KINDS[kind]
    for name in described.channels:
        start, first = start + _width(name), start
        plane = maps["roughness" if name == SMOOTHNESS else name] if name else None
        if plane is None:
            continue
        if name == SMOOTHNESS:
            plane = 1 - plane
        if described.directx:
            plane = _green_turned(plane)
        if len(described.channels) == 1:
            yield slice(colors), _with_channels(plane, colors)
        elif first >= 3 and channels in (2, 4):
            yield slice(channels - 1, channels), plane
        elif first < colors:
            yield (
                slice(first, min(start, colors)),
                _with_channels(plane, min(start, colors) - first),
            )


def _within_range(height: Picture, found: ValueRange) -> Picture:
    """Heights of a floating-point file may be in any unit; only their relation is kept then."""
    if found.low >= 0 and found.high <= 1:
        return height
    return (height - found.low) / max(found.high - found.low, 1e-9)


def _with_channels(picture: Picture, channels: int) -> Picture:
    """Grey to three equal channels, or color to its mean; of two channels the first is grey."""
    if picture.shape[-1] == channels:
        return picture
    if picture.shape[-1] == 2:
        zero = np.zeros_like(picture[..., :1])
        return np.concatenate([picture, zero], axis=-1) if channels == 3 else picture[..., :1]
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
