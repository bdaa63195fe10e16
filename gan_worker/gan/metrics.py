"""How good a material is, measured without downloaded weights."""

from __future__ import annotations

import numpy as np


def line_steps(picture: np.ndarray, axis: int) -> np.ndarray:
    """Mean absolute step across every line between two neighbouring rows (0) or columns (1).

    Args:
        picture: (height, width, channels).
        axis: 0 or 1.

    Returns:
        One number a line; the first is the wrap, from the last row or column to the first.
    """
    return np.abs(picture - np.roll(picture, 1, axis)).mean(axis=(1 - axis, 2), dtype=np.float64)


def seam_ratio(picture: np.ndarray) -> float:
    """Wrap step over mean interior step, the larger of both axes; 1 where the border is like the inside.

    A picture that does not tile has a ratio well above 1. A flat picture has no steps and gets 0.
    """
    ratios = []
    for axis in (0, 1):
        steps = line_steps(picture, axis)
        interior = steps[1:].mean()
        ratios.append(float(steps[0] / interior) if interior > 0 else 0.0)
    return max(ratios)


def calm_origin(maps: list[np.ndarray]) -> tuple[int, int]:
    """The column and row of a torus whose line is calm in all maps, to put the border there.

    A torus has no seam anywhere, but an edge of a stone that happens to lie on the border shows in filtering,
    compression and painting; a calm line does not.
    """
    calmest = []
    for axis in (1, 0):
        relative = [s / s.mean() for s in (line_steps(m, axis) for m in maps) if s.mean() > 0]
        calmest.append(int(np.argmin(np.max(relative, axis=0))) if relative else 0)
    return calmest[0], calmest[1]
