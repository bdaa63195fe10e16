"""Tiling: a photo's borders made to meet, by the crop that fits best and a cut along which its ends differ least.

After image quilting (Efros and Freeman 2001): along each axis the picture overlaps with itself, and the cut through the
overlap goes where both say nearly the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gan_worker.errors import PictureError
from gan_worker.materials.pixels import Picture

# Share of a side that overlaps, and that a tile has at least.
OVERLAP, LEAST = 0.1, 0.5
# Pixels along a side of the small picture in which a crop is searched, and places where one may begin.
SEARCHED, STARTS = 384, 12
# A tile that is smaller by a tenth of the picture must fit better by so much.
PREFERENCE = 0.1
# Pixels on each side of the cut over which both ends are mixed.
FEATHER = 2
# Rows and columns of a picture that can be closed at least.
SMALLEST = 32
# How far low frequencies reach, as a share of a side, and lobes of the filter that brings a tile to whole pixels.
WIDE, LOBES = 0.125, 3

Maps = Mapping[str, Picture]


@dataclass(frozen=True)
class _Crop:
    """A part of the columns: where it begins, how long a tile is, and how much overlaps beyond that, pixels."""

    start: int
    length: int
    overlap: int


def make_tile(maps: Maps, whole: int = 1) -> dict[str, Picture]:
    """Cut a tile out of a material and close it, all maps along the same lines.

    Args:
        maps: map name → (height, width, channels), 0..1, all of one size.
        whole: what both sides of the tile shall be multiples of, pixels.

    Returns:
        Map name → (height, width, channels), float32 in 0..1; normals may have lost their length. The cut runs inside
        the tile, not along its border.

    Raises:
        PictureError: `picture_too_small`.
    """
    height, width = next(iter(maps.values())).shape[:2]
    if min(height, width) < max(SMALLEST, 2 * whole):
        raise PictureError(
            "picture_too_small",
            f"A picture to be made tileable must have {SMALLEST}×{SMALLEST} pixels at least; it has {width}×{height}.",
            "Use a larger picture, or leave it as it is.",
        )
    tile = _close_columns(maps, circle=False)
    tile = _turned(_close_columns(_turned(tile), circle=True))
    return {name: np.clip(_to_whole(picture, whole), 0, 1) for name, picture in tile.items()}


def _turned(maps: Maps) -> dict[str, Picture]:
    return {name: picture.swapaxes(0, 1) for name, picture in maps.items()}


def _close_columns(maps: Maps, circle: bool) -> dict[str, Picture]:
    """Close all maps along their columns; `circle` where they are closed along their rows already."""
    crop = _best_crop(maps)
    levelled = {name: _levelled(picture, crop, circle) for name, picture in maps.items()}
    ends = {n: (p[:, : crop.overlap], p[:, crop.length :]) for n, p in levelled.items()}
    differences: NDArray[np.float32] = sum(
        (np.square(a - b).sum(-1) / max(1e-6, float(a.var())) for a, b in ends.values()),
        np.zeros((1, 1), np.float32),
    )
    share = _shares(_best_cut(differences, circle), crop.overlap)[..., None]
    closed = {}
    for name, (first, beyond) in ends.items():
        mixed = beyond + share * (first - beyond)
        closed[name] = np.concatenate([mixed, levelled[name][:, crop.overlap : crop.length]], 1)
    return closed


# ---- which part


def _features(maps: Maps) -> Picture:
    """What borders are compared by: all channels without their low frequencies, as strong as each other."""
    parts = []
    for picture in maps.values():
        fine = picture - _blurred(_blurred(picture, 0, False), 1, False)
        parts.append(fine / max(1e-6, float(fine.std())))
    features: Picture = np.concatenate(parts, -1)
    return features


def _best_crop(maps: Maps) -> _Crop:
    """The crop whose two ends fit best, searched in a small picture and then nearby in some rows of the full one.

    A regular pattern fits where it ends at a whole number of periods.
    """
    height, width = next(iter(maps.values())).shape[:2]
    overlap = max(4, int(OVERLAP * width))
    shrink = max(1, width // SEARCHED)
    small = _features({name: shrunk(picture, shrink) for name, picture in maps.items()})
    side, band = small.shape[1], max(2, overlap // shrink)
    lengths = range(int(LEAST * side), side - band + 1)
    starts = sorted({round(s) for s in np.linspace(0, side - band - lengths[0], STARTS)})
    found = min(
        (_misfit(small, start, length, band), start, length)
        for start in starts
        for length in lengths
        if start + length + band <= side
    )
    _, start, length = found
    start *= shrink
    near = range(max(1, (length - 1) * shrink), (length + 1) * shrink + 1)
    fitting = [n for n in near if start + n + overlap <= width] or [width - overlap - start]
    apart = max(1, height // SEARCHED)
    rows = _features({name: picture[::apart] for name, picture in maps.items()})
    best = min(fitting, key=lambda n: _misfit(rows, start, n, overlap))
    return _Crop(start, best, overlap)


def _misfit(features: Picture, start: int, length: int, overlap: int) -> float:
    first = features[:, start : start + overlap]
    beyond = features[:, start + length : start + length + overlap]
    smaller = 1 - (length + overlap) / features.shape[1]
    return float(np.square(first - beyond).mean()) * (1 + 10 * PREFERENCE * smaller)


def shrunk(picture: Picture, factor: int) -> Picture:
    """Means of boxes of so many pixels by as many; what fills none is left out."""
    rows, columns = (n // factor for n in picture.shape[:2])
    cut = picture[: rows * factor, : columns * factor]
    small: Picture = cut.reshape(rows, factor, columns, factor, -1).mean((1, 3), dtype=np.float32)
    return small


# ---- light


def _levelled(picture: Picture, crop: _Crop, circle: bool) -> Picture:
    """The crop with a ramp added along its columns, so that both ends are as bright at large."""
    part = picture[:, crop.start : crop.start + crop.length + crop.overlap].astype(np.float32)
    first, beyond = part[:, : crop.overlap], part[:, crop.length :]
    step = (beyond - first).mean(1, dtype=np.float32, keepdims=True)
    step = _blurred(_blurred(step, 0, circle), 0, circle)
    ramp = (np.arange(part.shape[1], dtype=np.float32) - part.shape[1] / 2) / crop.length
    part -= step * ramp[None, :, None]
    return part


def _blurred(picture: Picture, axis: int, circle: bool) -> Picture:
    """Means over a share of a side along an axis; beyond its ends a picture is mirrored, or goes on on a circle."""
    side = picture.shape[axis]
    reach = max(1, int(WIDE * side))
    room = [(0, 0)] * picture.ndim
    room[axis] = (reach + 1, reach)
    padded = np.pad(picture, room, "wrap" if circle else "symmetric")
    sums = np.cumsum(padded, axis, dtype=np.float64)
    upper = np.take(sums, range(2 * reach + 1, side + 2 * reach + 1), axis)
    lower = np.take(sums, range(side), axis)
    return ((upper - lower) / (2 * reach + 1)).astype(np.float32)


# ---- cut


def _best_cut(differences: NDArray[np.float32], circle: bool) -> NDArray[np.int64]:
    """The column in each row through which both ends differ least, at most one further in the next row.

    Args:
        differences: (rows, columns).
        circle: whether the last row is followed by the first.
    """
    rows, columns = differences.shape
    margin = min(FEATHER + 1, (columns - 1) // 2)
    costs = differences.astype(np.float64)
    costs[:, :margin] = costs[:, columns - margin :] = np.inf
    if not circle:
        return _cheapest_path(costs)
    # Where the cut of two turns goes through in the middle, that of one begins and ends.
    middle = _cheapest_path(np.concatenate([costs, costs]))[rows]
    ends = np.full(columns, np.inf)
    ends[middle] = costs[0, middle]
    path = _cheapest_path(np.concatenate([ends[None], costs[1:], ends[None]]))
    return path[:-1]


def _cheapest_path(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    total = costs.copy()
    steps = np.zeros(costs.shape, np.int8)
    for row in range(1, len(costs)):
        above = np.pad(total[row - 1], 1, constant_values=np.inf)
        ways = np.stack([above[:-2], above[1:-1], above[2:]])
        steps[row] = ways.argmin(0) - 1
        total[row] += ways.min(0)
    path = np.empty(len(costs), np.int64)
    path[-1] = total[-1].argmin()
    for row in range(len(costs) - 1, 0, -1):
        path[row - 1] = path[row] + steps[row, path[row]]
    return path


def _shares(cut: NDArray[np.int64], columns: int) -> NDArray[np.float32]:
    """How much of the beginning there is in the overlap, (rows, columns): all behind the cut."""
    behind = np.arange(columns)[None] + 0.5 - cut[:, None]
    shares: NDArray[np.float32] = np.clip(behind / (2 * FEATHER) + 0.5, 0, 1).astype(np.float32)
    return shares


# ---- whole pixels


def _to_whole(picture: Picture, whole: int) -> Picture:
    """A tile at the nearest sides that are multiples of a number."""
    for axis in (0, 1):
        side = picture.shape[axis]
        picture = _resampled(picture, axis, max(whole, round(side / whole) * whole))
    return np.ascontiguousarray(picture)


def _resampled(picture: Picture, axis: int, side: int) -> Picture:
    """A tile at another length along an axis, by a Lanczos filter on the circle."""
    before = picture.shape[axis]
    if before == side:
        return picture
    places = (np.arange(side) + 0.5) * before / side - 0.5
    nearest = np.floor(places).astype(int)
    shape = [1] * picture.ndim
    shape[axis] = side
    taps = np.arange(1 - LOBES, LOBES + 1)
    away = places[None] - (nearest[None] + taps[:, None])
    weights = np.sinc(away) * np.sinc(away / LOBES)
    weights /= weights.sum(0)
    found = np.zeros((), np.float32)
    for tap, weight in zip(taps, weights.astype(np.float32), strict=True):
        found = found + np.take(picture, (nearest + tap) % before, axis) * weight.reshape(shape)
    return found
