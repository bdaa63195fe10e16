"""Pixels as floats of 0..1, and as whole numbers of 8 or 16 bits."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Bits = Literal[8, 16, "exr"]
Picture = NDArray[np.float32]


def quantise(picture: NDArray[Any], bits: int) -> NDArray[Any]:
    """0..1 to whole numbers: uint8 for 8 bits, uint16 for 16, rounded."""
    kind, most = (np.uint8, 255) if bits == 8 else (np.uint16, 65535)
    scaled: NDArray[Any] = np.clip(picture, 0, 1, dtype=np.float32)
    scaled *= most
    np.rint(scaled, out=scaled)
    return scaled.astype(kind)


def as_floats(picture: NDArray[Any]) -> Picture:
    """Whole numbers of 8 or 16 bits to 0..1; floats stay what they are."""
    if not np.issubdtype(picture.dtype, np.integer):
        return picture
    return picture.astype(np.float32) / np.float32(np.iinfo(picture.dtype).max)
