"""Masks of holes in pictures: which belong together, the window around one, and whether a border is seamless."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

# So many holes are filled one by one at most.
MOST_GROUPS = 8
# Share of a side that is made new at most where borders are made seamless.
WIDEST_BAND = 0.5
# A step over the border that is so many times the mean step inside is seen.
VISIBLE_SEAM = 1.5
# Lines that are looked at at a time, of large pictures.
BAND = 256

Mask = NDArray[np.bool_]
Window = tuple[slice, slice]


def mask_groups(hidden: Mask, closed: bool, apart: int) -> list[Mask]:
    """What is hidden, in groups far enough from each other to be filled one by one.

    Args:
        hidden: (height, width).
        closed: whether opposite borders are neighbours.
        apart: pixels that lie between two groups at least.

    Returns:
        (height, width) bool each; all in one where there would be more than `MOST_GROUPS`.
    """
    rows, columns = (-(-n // apart) for n in hidden.shape)
    places = np.argwhere(hidden) // apart
    left = {(int(y), int(x)) for y, x in np.unique(places, axis=0)}
    labels = np.zeros((rows, columns), np.uint8)  # they are spread over all pixels
    count = 0
    while left and count < MOST_GROUPS:
        count += 1
        growing = [left.pop()]
        while growing:
            y, x = growing.pop()
            labels[y, x] = count
            around = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
            if closed:
                around = {(a % rows, b % columns) for a, b in around}
            near = around & left
            left -= near
            growing += near
    if left:
        return [hidden]
    label = np.repeat(np.repeat(labels, apart, 0), apart, 1)[: hidden.shape[0], : hidden.shape[1]]
    return [hidden & (label == number) for number in range(1, count + 1)]


def calm_shift(hidden: Mask) -> tuple[int, int]:
    """By how much to roll a seamless picture so that the widest gaps without a hole lie at its borders."""
    down, across = (_after_widest_gap(np.asarray(hidden.any(axis=axis))) for axis in (1, 0))
    return -down, -across


def _after_widest_gap(line: Mask) -> int:
    """Middle of the longest run without a hole on a circle; 0 where there is none."""
    marked = np.flatnonzero(line)
    gaps = np.diff(np.append(marked, marked[0] + len(line)))
    widest = int(np.argmax(gaps))
    return int(marked[widest] + (gaps[widest] + 1) // 2) % len(line) if gaps[widest] > 1 else 0


def window_around(hidden: Mask, closed: bool, margin: int) -> tuple[Window, tuple[bool, bool]]:
    """The part of a picture that is worked on, and which of its axes are circles."""
    slices, circles = [], []
    for axis, side in ((1, hidden.shape[0]), (0, hidden.shape[1])):
        marked = np.flatnonzero(hidden.any(axis=axis))
        start, stop = int(marked[0]) - margin, int(marked[-1]) + 1 + margin
        circle = closed and stop - start >= side
        slices.append(slice(0, side) if circle else slice(max(0, start), min(side, stop)))
        circles.append(circle)
    return (slices[0], slices[1]), (circles[0], circles[1])


def border_band(height: int, width: int, band: int) -> Mask:
    """Where a picture's borders are made new, half of the band on each side of them, (height, width) bool."""
    hidden = np.zeros((height, width), bool)
    for axis, side in enumerate((height, width)):
        reach = max(1, min(band, int(WIDEST_BAND * side)) // 2)
        lines = np.arange(-reach, reach) % side
        hidden[(lines, slice(None)) if axis == 0 else (slice(None), lines)] = True
    return hidden


def looks_seamless(maps: Mapping[str, NDArray[np.float32]], hidden: Mask) -> bool:
    """Whether the step over the border is like that over lines inside, in every map and along both axes.

    Args:
        maps: map name → (height, width, channels).
        hidden: (height, width), what does not count.
    """
    for axis in (0, 1):
        counts = ~(hidden | np.roll(hidden, 1, axis))
        number = counts.sum(axis=1 - axis)
        if not number[0]:
            return False
        for picture in maps.values():
            lines = _line_sums(picture, counts, axis) / np.maximum(number, 1)
            if lines[0] > min(VISIBLE_SEAM * lines[1:].mean(), lines[1:].max()):
                return False
    return True


def _line_sums(picture: NDArray[np.float32], counts: Mask, axis: int) -> NDArray[np.float32]:
    """Sum of the steps from each line to the one before it where they count, of a band of lines at a time."""
    sums, side = [], picture.shape[axis]
    for lines in np.array_split(np.arange(side), -(-side // BAND)):
        before = np.take(picture, lines - 1, axis)  # of the first line it is the last one
        steps = np.abs(np.take(picture, lines, axis) - before).mean(axis=-1)
        sums.append((steps * np.take(counts, lines, axis)).sum(axis=1 - axis))
    return np.concatenate(sums)


def distance_to(hidden: Mask, most: int) -> NDArray[np.float64]:
    """Steps to the nearest hidden pixel, `most` at most, (height, width)."""
    distance = np.full(hidden.shape, float(most))
    reached = hidden.copy()
    distance[reached] = 0
    for step in range(1, most):
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        distance[grown & ~reached] = step
        reached = grown
    return distance
