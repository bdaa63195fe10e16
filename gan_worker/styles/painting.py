"""Style painting: from the colors of a picture to the weights of a style map."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gan_worker.style import Look, LookMap

# The longer side of a style map, cells: as fine as the latent grid of 512 pixels is in most models.
MAP_SIDE = 64
# What each look is painted with: red, green and blue are the shares of the second, third and fourth look, and
# what is missing to 1 is the first. So a brush that is half as strong gives half of each look.
COLORS = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def paint(looks: Sequence[Look | None], colors: NDArray[np.float32]) -> LookMap:
    """A style map from a picture that was painted with `COLORS`.

    Args:
        looks: up to 4, at least one of them, in the order of `COLORS`; what is painted with the color of one that is
            not there counts as painted with the first that is.
        colors: of any size, (height, width, 3 or more), top row first; what lies outside of 0..1 is clipped.
    """
    height, width = colors.shape[:2]
    shrink = min(1.0, MAP_SIDE / max(height, width))
    rows, columns = (max(1, round(side * shrink)) for side in (height, width))
    shares = shares_of(_cell_means(colors, rows, columns))
    there = [place for place, look in enumerate(looks) if look is not None]
    shares[..., there[0]] += 1 - shares[..., there].sum(axis=-1)
    weights = np.rint(shares[..., there] * 255).astype(np.uint8).tobytes()
    painted = tuple(look for look in looks if look is not None)
    text = base64.b64encode(weights).decode("ascii")
    return LookMap(painted, rows, columns, text)


def shares_of(colors: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of each of the `COLORS` there is in others, (…, 4), sums 1.

    Args:
        colors: (…, 3 or more).
    """
    others = np.clip(np.nan_to_num(colors[..., :3]), 0, 1)
    total = others.sum(axis=-1, keepdims=True)
    # Brighter than any of the colors, such as white: equal shares of what is in it.
    others /= np.maximum(total, 1)
    return np.concatenate([np.maximum(0, 1 - total), others], axis=-1)


def _cell_means(colors: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Means over bands of rows and columns, (rows, columns, channels)."""
    for axis, cells in ((0, rows), (1, columns)):
        bounds = np.linspace(0, colors.shape[axis], cells + 1).round().astype(int)
        sums = np.add.reduceat(colors, bounds[:-1], axis=axis)
        sizes = np.diff(bounds).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        colors = (sums / sizes).astype(np.float32)
    return colors
