"""The picture in the panel that shows what training has learned so far."""

from __future__ import annotations

import numpy as np

from ..ui.icons import PanelPictures

_LIVE = "live"
# An icon is kept at least this large by panels; larger previews only cost time.
LARGEST_SIDE = 512

pictures = PanelPictures()
clear, register, unregister = pictures.clear, pictures.open, pictures.close


def show(pixels: np.ndarray) -> None:
    """Put a preview into the panel.

    Args:
        pixels: uint8, shape (height, width, 3), top row first.
    """
    sample = _sample(pixels)
    step = -(-max(sample.shape[:2]) // LARGEST_SIDE)
    pictures.show(_LIVE, sample[::step, ::step])


def _sample(pixels: np.ndarray) -> np.ndarray:
    """One of the samples that lie side by side, as an icon is as high as it is wide: a native one, or the first."""
    side = pixels.shape[0]
    return pixels[:, -side:] if pixels.shape[1] > 2 * side else pixels[:, :side]


def is_there() -> bool:
    """Whether there is a picture to draw."""
    return pictures.is_there(_LIVE)


def icon() -> int:
    """Number of the icon to draw."""
    return pictures.icon(_LIVE)
