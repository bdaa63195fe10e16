"""Seam ratios: how well a picture closes, measured without downloaded weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Places along a line at which its step is measured, at least, where the picture has as many.
SAMPLED = 128
# Pixels along the border that a smear would cover.
BAND = 6

Steps = NDArray[np.floating[Any]]
LineSteps = tuple[Steps, Steps]


def line_steps(picture: Any) -> LineSteps:
    """Mean absolute step across every line between two neighbouring columns, and rows.

    Of large pictures every line is measured at a few hundred places along it, which is an eighth of the work at 1024².

    Args:
        picture: (height, width, channels), whatever NumPy takes for an array.

    Returns:
        (width,) and (height,); the first of each is the wrap, from the last column or row to the first.
    """
    pixels = np.asarray(picture)
    height, width = pixels.shape[:2]
    rows = np.asarray(pixels[:: max(1, height // SAMPLED)], np.float32)
    columns = np.asarray(pixels[:, :: max(1, width // SAMPLED)], np.float32)
    return (
        np.abs(rows - np.roll(rows, 1, 1)).mean(axis=(0, 2), dtype=np.float64),
        np.abs(columns - np.roll(columns, 1, 0)).mean(axis=(1, 2), dtype=np.float64),
    )


def seam_ratio(steps: LineSteps) -> float:
    """Wrap step over mean interior step, the larger of both axes, to six digits; 1 where the border is like the inside.

    Of the same picture, the last digits of the steps differ between processes, by how threads share sums.

    A picture that does not tile has a ratio well above 1. A flat picture has no steps and gets 0.

    Args:
        steps: of `line_steps`.
    """
    ratios = []
    for line in np.asarray(steps[0], np.float64), np.asarray(steps[1], np.float64):
        interior = line[1:].mean()
        ratios.append(float(line[0] / interior) if interior > 0 else 0.0)
    return round(max(ratios), 6)


def calm_origin(
    maps: Sequence[LineSteps], within: tuple[range, range] | None = None
) -> tuple[int, int]:
    """The column and row of a torus whose line is calm in all maps, to put the border there.

    A torus has no seam anywhere, but an edge of a stone that happens to lie on the border shows in filtering,
    compression and painting; a calm line does not.

    Args:
        maps: `line_steps` of each map.
        within: columns and rows that come into question, also beyond the border: all where it is None.
    """
    calmest = []
    for axis in range(2):
        lines = [np.asarray(steps[axis], np.float64) for steps in maps]
        size = len(lines[0])
        asked = np.arange(size) if within is None else np.array(within[axis]) % size
        relative = [line[asked] / line.mean() for line in lines if line.mean() > 0]
        best = int(np.argmin(np.max(relative, axis=0))) if relative else 0
        calmest.append(int(asked[best]))
    return calmest[0], calmest[1]


def rolled(steps: LineSteps, origin: tuple[int, int]) -> LineSteps:
    """The line steps of the picture whose left and top edge are at this column and row."""
    return np.roll(steps[0], -origin[0]), np.roll(steps[1], -origin[1])


def seam_rank(steps: LineSteps) -> float:
    """Share of the interior lines with a smaller step than the wrap, the larger of both axes; near 1 is a seam.

    Args:
        steps: of `line_steps`.
    """
    return max(float(np.mean(np.asarray(line)[1:] < np.asarray(line)[0])) for line in steps)


def band_ratio(steps: LineSteps) -> float:
    """Mean step in a band along the border over that of a calm band inside, the smaller of both axes.

    A border that was blended or blurred away has a low seam ratio and gives itself away here: it is far below 1. The
    calm band is at the lower decile of all, because `calm_origin` puts the border into a calm place.

    Args:
        steps: of `line_steps`.
    """
    ratios = []
    for line in np.asarray(steps[0], np.float64), np.asarray(steps[1], np.float64):
        width = 2 * BAND
        # The wrap itself is left out: a seam must not hide the smear beside it.
        border = np.concatenate([line[1 : BAND + 1], line[-BAND:]]).mean()
        inside = np.convolve(line[BAND + 1 : -BAND], np.full(width, 1 / width), "valid")
        calm = float(np.quantile(inside, 0.1))
        ratios.append(float(border / calm) if calm > 0 else 1.0)
    return min(ratios)
