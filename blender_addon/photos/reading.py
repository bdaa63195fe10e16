"""Reading of photos: what a preview is made of and what is wrong with them, kept while one is looked at."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

import bpy
import numpy as np

from gan_worker.materials.pixels import to_screen
from gan_worker.photos.problems import PhotoProblem, find_problems

from .. import state

# Pixels along the longer side of what is shown: so many that a preview follows a slider.
SIDE = 640
# Pixels that are averaged between two looks at the clock: 2 ms.
PIXELS_PER_STEP = 128 * 1024


@dataclass(frozen=True)
class View:
    """What was read of a photo.

    Attributes:
        key: of the photo as it was then.
        picture: float32, (height, width, 3), sRGB in 0..1, top row first; at most about `SIDE` pixels long.
        problems: what is wrong with it.
    """

    key: tuple[object, ...]
    picture: np.ndarray
    problems: tuple[PhotoProblem, ...]


@dataclass
class Views(state.FilePart):
    """The photo that was read last; others are read again."""

    last: View | None = None

    def undone(self) -> None:
        self.last = None  # what was painted on it may have changed


def known(photo: bpy.types.Image) -> View | None:
    """What was read of a photo, if it is as it was then."""
    last = state.of_file.get(Views).last
    return last if last is not None and last.key == _key(photo) else None


def forget() -> None:
    """Read the next time: what is painted on a photo changes nothing else."""
    state.of_file.get(Views).last = None


def _key(photo: bpy.types.Image) -> tuple[object, ...]:
    return photo.session_uid, tuple(photo.size), photo.filepath, photo.source, photo.is_dirty


def read(photo: bpy.types.Image) -> Generator[bool, None, View]:
    """Read a photo in pieces, but for its pixels, which Blender hands over at once.

    Args:
        photo: one that `preparation.check` has nothing against; not looked at after the first piece.
    """
    view = known(photo)
    if view is not None:
        return view
    key, (width, height) = _key(photo), photo.size
    linear = photo.is_float and not photo.colorspace_settings.is_data
    rgba = np.empty((height, width, 4), np.float32)
    photo.pixels.foreach_get(rgba.reshape(-1))
    yield False
    picture = np.clip((yield from _shrunk(rgba)), 0, 1)
    picture = to_screen(picture) if linear else picture
    problems: list[PhotoProblem] = []
    for looked_at, kinds in _looked_at(rgba):
        yield False
        found = find_problems(to_screen(looked_at) if linear else looked_at)
        problems += [problem for problem in found if problem.kind in kinds]
    view = View(key, picture, tuple(problems))
    state.of_file.get(Views).last = view
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


def _looked_at(rgba: np.ndarray) -> list[tuple[np.ndarray, tuple[str, ...]]]:
    """Parts of a photo small enough to be judged at once, and what each can tell.

    Blur is one of its own pixels, in the middle; what is clipped is no longer so where pixels were averaged.
    """
    height, width = rgba.shape[:2]
    top, left = max(0, height - SIDE) // 2, max(0, width - SIDE) // 2
    middle = rgba[top : top + SIDE, left : left + SIDE, :3][::-1]
    every = max(1, max(height, width) // SIDE)
    thinned = rgba[::every, ::every, :3][::-1]
    parts = (middle, ("blurred",)), (thinned, ("clipped", "shadow"))
    return [(np.clip(part, 0, 1), kinds) for part, kinds in parts]
