"""Corners of a part of a photo: what the mouse takes hold of, and how far it may pull."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gan_worker.errors import RequestError
from gan_worker.preparation import Corner, Preparation

from .properties import RECTANGLE

Corners = tuple[Corner, ...]

DEFAULT: Corners = tuple(zip(RECTANGLE[::2], RECTANGLE[1::2], strict=True))
# Halvings of the way to where a corner may not go.
_HALVINGS = 12


def nearest(places: Sequence[tuple[float, float]], mouse: tuple[float, float]) -> tuple[int, float]:
    """Which place is nearest to the mouse, and how many pixels that is."""
    distances = [math.dist(place, mouse) for place in places]
    least = min(distances)
    return distances.index(least), least


def is_inside(places: Sequence[tuple[float, float]], mouse: tuple[float, float]) -> bool:
    """Whether the mouse is within a convex shape."""
    ends = [*places[1:], places[0]]
    turns = [
        (bx - ax) * (mouse[1] - ay) - (by - ay) * (mouse[0] - ax)
        for (ax, ay), (bx, by) in zip(places, ends, strict=True)
    ]
    return all(turn > 0 for turn in turns) or all(turn < 0 for turn in turns)


def pulled(corners: Corners, index: int, target: Corner) -> Corners:
    """One corner pulled to a place, or as near to it as the four still make a part of the photo.

    Args:
        corners: as `Preparation.corners`.
        index: of the corner.
        target: where the mouse is, also beside the photo.
    """
    target = (min(1.0, max(0.0, target[0])), min(1.0, max(0.0, target[1])))
    whole = _with(corners, index, target)
    if _fit(whole):
        return whole
    start, reached, step = corners[index], 0.0, 0.5
    for _ in range(_HALVINGS):
        share = reached + step
        if _fit(_with(corners, index, _between(start, target, share))):
            reached = share
        step /= 2
    return _with(corners, index, _between(start, target, reached))


def moved(corners: Corners, by: tuple[float, float]) -> Corners:
    """All of them moved, as far as the photo goes."""
    xs, ys = zip(*corners, strict=True)
    x = min(1 - max(xs), max(-min(xs), by[0]))
    y = min(1 - max(ys), max(-min(ys), by[1]))
    return tuple((min(1.0, max(0.0, a + x)), min(1.0, max(0.0, b + y))) for a, b in corners)


def _with(corners: Corners, index: int, place: Corner) -> Corners:
    return (*corners[:index], place, *corners[index + 1 :])


def _between(start: Corner, end: Corner, share: float) -> Corner:
    return (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)


def _fit(corners: Corners) -> bool:
    try:
        Preparation(corners).check()
    except RequestError:
        return False
    return True
