"""The curves of quality in the panel: what was measured of the previews, drawn over the minutes of training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ui.icons import PanelPictures

# Figures of a training that are shown → title; for both, lower is closer to the real pictures.
TITLES = {"swd/0": "Finest Detail", "local_contrast": "Contrast"}
SIDE = 192
GROUND, GRID, LINE = (36, 36, 36), (62, 62, 62), (90, 160, 255)

pictures = PanelPictures()
icon, clear = pictures.icon, pictures.clear
register, unregister = pictures.open, pictures.close


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
    for name in set(TITLES) & set(figures):
        pictures.show(name, draw_curve(figures[name]))


def shown() -> list[str]:
    """The figures that there are curves of."""
    return [name for name in TITLES if pictures.is_there(name)]
