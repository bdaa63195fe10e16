"""Straightening: four corners of a photo become an upright rectangle (a homography, resampled without aliasing)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gan_worker.materials.pixels import as_floats
from gan_worker.photos.pieces import Pieces, finished

if TYPE_CHECKING:
    from gan_worker.materials.pixels import Picture
    from gan_worker.preparation import Corner

Matrix = NDArray[np.float64]
# Left, top, right and bottom pixel.
Box = tuple[int, int, int, int]

# Pixels of the result that are worked out at a time: what belongs to them fits into the caches.
PIXELS_AT_ONCE = 2**13
# Pixels around the corners that are needed beside those between them.
AROUND = 4
# Samples along each side of a pixel at most, where the photo is that much finer than the result.
MOST_SAMPLES = 8
# Pixels by which one of the result may span more than its samples have, before there are more: three times the work.
SLACK = 0.2
SQUARE: Matrix = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
# Corners nearer to an upright rectangle than this, pixels, are one: it is cut out, and its pixels stay what they are.
UPRIGHT = 0.5


def straightened_size(width: int, height: int, corners: Sequence[Corner]) -> tuple[int, int]:
    """Width and height in pixels of the rectangle: the means of opposite sides of the four corners.

    Args:
        width: of the photo, pixels.
        height: the same.
        corners: as `Preparation.corners`, four.
    """
    box = _upright(width, height, corners)
    if box:
        left, top, right, bottom = box
        return right - left, bottom - top
    x1, x2, x3, x4 = _places(width, height, corners)
    across = (math.dist(x1, x2) + math.dist(x4, x3)) / 2
    down = (math.dist(x1, x4) + math.dist(x2, x3)) / 2
    return max(1, round(across)), max(1, round(down))


def straighten(picture: NDArray[Any], corners: Sequence[Corner], shrink: int = 1) -> Picture:
    """The part of a photo between four corners, as an upright rectangle of `straightened_size`.

    Args:
        picture: (height, width, channels) in 0..1 or whole numbers, top row first.
        corners: as `Preparation.corners`, four.
        shrink: what the sides of the rectangle are divided by, within `MOST_SAMPLES`.

    Returns:
        float32, (height, width, channels) in 0..1.
    """
    return finished(straighten_pieces(picture, corners, shrink))


def straighten_pieces(
    picture: NDArray[Any], corners: Sequence[Corner], shrink: int = 1
) -> Pieces[Picture]:
    """As `straighten`, a few milliseconds at a time."""
    height, width = picture.shape[:2]
    box = _upright(width, height, corners)
    if box:
        left, top, right, bottom = box
        return (yield from _boxes(picture[top:bottom, left:right], shrink))
    across, down = (max(1, n // shrink) for n in straightened_size(width, height, corners))
    target = SQUARE * (across, down)
    matrix = homography(target, _places(width, height, corners))
    return (yield from _resampled(picture, matrix, across, down))


def straighten_part(
    read: Callable[[Box], NDArray[Any]],
    size: tuple[int, int],
    corners: Sequence[Corner],
    shrink: int = 1,
) -> Picture:
    """As `straighten`, of a photo too large to be held: no more than what lies around the corners is read.

    Args:
        read: gives the part of the photo that a box has, (height, width, channels) in 0..1 or whole numbers.
        size: width and height of the photo, pixels.
        corners: as `Preparation.corners`, four.
        shrink: as of `straighten`.

    Returns:
        float32, (height, width, channels) in 0..1.
    """
    places = _places(*size, corners)
    first = np.maximum(np.floor(places.min(axis=0)) - AROUND, 0).astype(int)
    last = np.minimum(np.ceil(places.max(axis=0)) + AROUND, size).astype(int)
    within = (places - first) / (last - first)
    part = read((first[0], first[1], last[0], last[1]))
    return straighten(part, [(x, y) for x, y in within.tolist()], shrink)


def homography(before: Matrix, after: Matrix) -> Matrix:
    """The projective map that takes four points to four others, (3, 3) with a last entry of 1.

    Args:
        before: (4, 2).
        after: (4, 2).
    """
    rows, values = [], []
    for (x, y), (u, v) in zip(before, after, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    found = np.linalg.solve(np.array(rows), np.array(values))
    return np.append(found, 1.0).reshape(3, 3)


def project(
    matrix: Matrix, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[Matrix, Matrix]:
    """Where a homography takes points."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    scale = 1 / (g * x + h * y + i)
    return (a * x + b * y + c) * scale, (d * x + e * y + f) * scale


def _places(width: int, height: int, corners: Sequence[Corner]) -> Matrix:
    """The corners in pixels of the photo, (4, 2)."""
    return np.array(corners, np.float64) * (width, height)


def _upright(width: int, height: int, corners: Sequence[Corner]) -> Box | None:
    """Left, top, right and bottom pixel of corners that make an upright rectangle already."""
    places = _places(width, height, corners)
    left, top = (places[[0, 3], 0].mean(), places[[0, 1], 1].mean())
    right, bottom = (places[[1, 2], 0].mean(), places[[2, 3], 1].mean())
    box = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    if np.abs(places - box).max() > UPRIGHT:
        return None
    first, above = min(round(left), width - 1), min(round(top), height - 1)
    return first, above, max(first + 1, round(right)), max(above + 1, round(bottom))


def _boxes(picture: NDArray[Any], side: int) -> Pieces[Picture]:
    """The means of square boxes; what fills none is left out."""
    if side == 1:
        return as_floats(picture)
    height, width = (n // side for n in picture.shape[:2])
    result = np.empty((height, width, picture.shape[2]), np.float32)
    rows = max(1, PIXELS_AT_ONCE // (side**2 * width))
    for top in range(0, height, rows):
        cut = as_floats(picture[top * side : (top + rows) * side, : width * side])
        boxes = cut[: len(cut) // side * side].reshape(-1, side, width, side, picture.shape[2])
        result[top : top + rows] = boxes.mean(axis=(1, 3))
        yield
    return result


def _resampled(picture: NDArray[Any], matrix: Matrix, width: int, height: int) -> Pieces[Picture]:
    """A picture seen through a map from the result's pixels to its own; borders go on beyond the edge."""
    result = np.empty((height, width, picture.shape[2]), np.float32)
    rows = max(1, min(height, math.isqrt(PIXELS_AT_ONCE)))
    columns = max(1, min(width, PIXELS_AT_ONCE // rows))
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            tile = result[top : top + rows, left : left + columns]
            tile[...] = _tile(picture, matrix, left, top, tile.shape[1], tile.shape[0])
            yield
    return np.clip(result, 0, 1, out=result)


def _tile(
    picture: NDArray[Any], matrix: Matrix, left: int, top: int, width: int, height: int
) -> Picture:
    """The mean of so many samples a pixel as the photo has pixels there, along each side."""
    samples = _samples(matrix, left, top, width, height)
    total = np.zeros((height, width, picture.shape[2]), np.float32)
    inside = (np.arange(samples) + 0.5) / samples
    for below in inside:
        for right in inside:
            x, y = np.meshgrid(left + np.arange(width) + right, top + np.arange(height) + below)
            total += _cubic(picture, *project(matrix, x, y))
    whole = np.iinfo(picture.dtype).max if picture.dtype.kind == "u" else 1
    return total / np.float32(samples**2 * whole)


def _samples(matrix: Matrix, left: int, top: int, width: int, height: int) -> int:
    """How many pixels of the photo one of the result spans at most, at the corners of a tile."""
    x, y = left + width * SQUARE[:, 0], top + height * SQUARE[:, 1]
    here = np.array(project(matrix, x, y))
    steps = [np.array(project(matrix, x + dx, y + dy)) - here for dx, dy in ((1, 0), (0, 1))]
    widest = max(float(np.hypot(*step).max()) for step in steps)
    return min(MOST_SAMPLES, max(1, math.ceil(widest - SLACK)))


def _cubic(picture: NDArray[Any], x: Matrix, y: Matrix) -> Picture:
    """Values between pixels by cubic convolution (Keys 1981, a = -1/2), at places in pixels from the upper left."""
    height, width, channels = picture.shape
    x, y = x - 0.5, y - 0.5
    column, row = np.floor(x), np.floor(y)
    across, down = _weights((x - column).astype(np.float32)), _weights((y - row).astype(np.float32))
    flat = picture.reshape(-1, channels)
    columns = [np.clip(column + n, 0, width - 1).astype(np.int64) for n in range(-1, 3)]
    total = np.zeros((*x.shape, channels), np.float32)
    for n, below in enumerate(down):
        start = np.clip(row + (n - 1), 0, height - 1).astype(np.int64) * width
        line = sum(
            flat[start + at] * weight[..., None] for at, weight in zip(columns, across, strict=True)
        )
        total += line * below[..., None]
    return total


def _weights(t: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """Of the pixels at -1, 0, 1 and 2 for a place at t in 0..1."""
    two, three = t * t, t * t * t
    return (
        (-three + 2 * two - t) / 2,
        (3 * three - 5 * two + 2) / 2,
        (-3 * three + 4 * two + t) / 2,
        (three - two) / 2,
    )
