"""The curves of quality in the panel: what was measured of the previews, drawn over the minutes of training."""

from __future__ import annotations

from collections.abc import Sequence

import bpy.utils.previews
import numpy as np

# Figures of a training that are shown → title; for both, lower is closer to the real pictures.
TITLES = {"swd/0": "Finest Detail", "local_contrast": "Contrast"}
SIDE = 192
GROUND, GRID, LINE = (36, 36, 36), (62, 62, 62), (90, 160, 255)

_collection: bpy.utils.previews.ImagePreviewCollection | None = None


def draw_curve(points: Sequence[tuple[float, float]]) -> np.ndarray:
    """Draw values over minutes, from 0 to a little above the largest.

    Args:
        points: (minutes, value), by time; at least one.

    Returns:
        uint8 (SIDE, SIDE, 3), top row first.
    """
    minutes, values = np.array(points, float).T
    columns = np.linspace(minutes[0], minutes[-1], SIDE)
    height = np.interp(columns, minutes, values) / max(1.1 * values.max(), 1e-9)
    line = (1 - height) * (SIDE - 2)
    before = np.concatenate([line[:1], line[:-1]])
    rows = np.arange(SIDE)[:, None]
    picture = np.empty((SIDE, SIDE, 3), np.uint8)
    picture[:] = GROUND
    picture[SIDE // 4 :: SIDE // 4] = GRID
    picture[(rows >= np.minimum(line, before) - 1) & (rows <= np.maximum(line, before) + 1)] = LINE
    return picture


def show(figures: dict[str, list[tuple[float, float]]]) -> None:
    """Draw the curves anew: a figure came."""
    if _collection is None:
        return
    for name in set(TITLES) & set(figures):
        rgba = np.ones((SIDE, SIDE, 4), np.float32)
        rgba[..., :3] = draw_curve(figures[name])[::-1] * np.float32(1 / 255)
        picture = _collection.get(name) or _collection.new(name)
        picture.image_size = (SIDE, SIDE)
        picture.image_pixels_float.foreach_set(rgba.reshape(-1))


def shown() -> list[str]:
    """The figures that there are curves of."""
    return [name for name in TITLES if _collection is not None and name in _collection]


def icon(name: str) -> int:
    """Number of the icon to draw; always 0 in background mode, where Blender makes no icons."""
    return _collection[name].icon_id


def clear() -> None:
    """Forget the curves of an earlier training."""
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
