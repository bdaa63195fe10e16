"""Reading of photos: what a preview is made of, and what is judged of them, kept while one is looked at."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

import bpy
import numpy as np

from gan_worker.materials.pixels import to_screen

from .. import state

# Pixels along the longer side of what is shown and judged: so many that a preview follows a slider.
SIDE = 640
# Pixels that are averaged between two looks at the clock: 2 ms.
PIXELS_PER_STEP = 128 * 1024


@dataclass(frozen=True)
class View:
    """What was read of a photo: float32, (height, width, 3), sRGB in 0..1, top row first, about `SIDE` long at most.

    Attributes:
        key: of the photo as it was then.
        picture: all of it, averaged: for a preview.
        thinned: all of it, every so many pixels one: what is clipped is so no longer where it was averaged.
        middle: the middle at its full size, where blur shows.
    """

    key: tuple[object, ...]
    picture: np.ndarray
    thinned: np.ndarray
    middle: np.ndarray


@dataclass
class _Views(state.FilePart):
    """The photo that was read last; others are read again."""

    last: View | None = None

    def undone(self) -> None:
        self.last = None  # what was painted on it may have changed


def forget() -> None:
    """Read the next time: what is painted on a photo changes nothing else."""
    state.of_file.get(_Views).last = None


def _key(photo: bpy.types.Image) -> tuple[object, ...]:
    return photo.session_uid, tuple(photo.size), photo.filepath, photo.source, photo.is_dirty


def read(photo: bpy.types.Image) -> Generator[bool, None, View]:
    """Read a photo in pieces, but for its pixels, which Blender hands over at once.

    Args:
        photo: one that `preparation.check` has nothing against; not looked at after the first piece.
    """
    last, key = state.of_file.get(_Views).last, _key(photo)
    if last is not None and last.key == key:
        return last
    linear = photo.is_float and not photo.colorspace_settings.is_data
    rgba = np.empty((photo.size[1], photo.size[0], 4), np.float32)
    photo.pixels.foreach_get(rgba.reshape(-1))
    yield False
    pictures = [(yield from _shrunk(rgba)), _thinned(rgba), _middle(rgba)]
    for n, picture in enumerate(pictures):
        bounded = np.clip(picture, 0, 1)
        pictures[n] = to_screen(bounded) if linear else bounded
        yield False
    view = View(key, *pictures)
    state.of_file.get(_Views).last = view
    return view


def _shrunk(rgba: np.ndarray) -> Generator[bool, None, np.ndarray]:
    """The means of square boxes, top row first and without alpha; what fills no box is left out."""
    height, width = rgba.shape[:2]
    side = max(1, min(math.ceil(max(height, width) / SIDE), height, width))
    rows, columns = height // side, width // side
    small = np.empty((rows, columns, 3), np.float32)
    step = max(1, PIXELS_PER_STEP // (width * side))
    cut = rgba[height - rows * side :, : columns * side, :3]
    for top in range(0, rows, step):
        part = cut[top * side : (top + step) * side]
        boxes = part.reshape(-1, side, columns, side, 3)
        small[top : top + step] = boxes.mean(axis=(1, 3), dtype=np.float32)
        yield False
    return small[::-1].copy()


def _thinned(rgba: np.ndarray) -> np.ndarray:
    every = max(1, max(rgba.shape[:2]) // SIDE)
    return rgba[::every, ::every, :3][::-1]


def _middle(rgba: np.ndarray) -> np.ndarray:
    top, left = (max(0, n - SIDE) // 2 for n in rgba.shape[:2])
    return rgba[top : top + SIDE, left : left + SIDE, :3][::-1]
