"""The picture in the panel that shows what training has learned so far."""

from __future__ import annotations

import bpy.utils.previews
import numpy as np

_LIVE = "live"
# An icon is kept at least this large by panels; larger previews only cost time.
LARGEST_SIDE = 512

_collection: bpy.utils.previews.ImagePreviewCollection | None = None


def show(pixels: np.ndarray) -> None:
    """Put a preview into the panel.

    Args:
        pixels: uint8, shape (height, width, 3), top row first.
    """
    if _collection is None:
        return
    sample = _first_sample(pixels)
    step = -(-max(sample.shape[:2]) // LARGEST_SIDE)
    small = sample[::step, ::step]
    height, width = small.shape[:2]
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = small[::-1] * np.float32(1 / 255)
    picture = _collection.get(_LIVE) or _collection.new(_LIVE)
    picture.image_size = (width, height)
    picture.image_pixels_float.foreach_set(rgba.reshape(-1))


def _first_sample(pixels: np.ndarray) -> np.ndarray:
    """The first of the samples that lie side by side: an icon is as high as it is wide."""
    return pixels[:, : pixels.shape[0]]


def is_there() -> bool:
    """Whether there is a picture to draw."""
    return _collection is not None and _LIVE in _collection


def icon() -> int:
    """Number of the icon to draw; always 0 in background mode, where Blender makes no icons."""
    return _collection[_LIVE].icon_id


def clear() -> None:
    """Forget the picture of an earlier training."""
    if _collection is not None:
        _collection.clear()


def register() -> None:
    global _collection
    _collection = bpy.utils.previews.new()


def unregister() -> None:
    global _collection
    if _collection is not None:
        bpy.utils.previews.remove(_collection)
    _collection = None
