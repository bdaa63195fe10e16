"""Small pictures in panels, by name; as text they fit into a property or a file."""

from __future__ import annotations

import base64
import binascii
import struct
import zlib

import numpy as np

from .icons import PanelPictures

# Larger pictures than this are nobody's thumbnail.
LARGEST_SIDE = 256

pictures = PanelPictures()
show, is_there, icon = pictures.show, pictures.is_there, pictures.icon
clear, register, unregister = pictures.clear, pictures.open, pictures.close


def as_picture(pixels: np.ndarray, side: int) -> np.ndarray:
    """A map as uint8, shape (height, width, 3), halved until it is hardly longer than a side."""
    small = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    while max(small.shape[:2]) >= 2 * side and not any(n % 2 for n in small.shape[:2]):
        boxes = small.reshape(small.shape[0] // 2, 2, small.shape[1] // 2, 2, -1)
        small = boxes.mean(axis=(1, 3)).astype(np.uint8)
    return np.repeat(small, 3, axis=2) if small.shape[2] == 1 else small


def to_text(pixels: np.ndarray) -> str:
    """A picture as text: its height and width, then its pixels, compressed."""
    height, width = pixels.shape[:2]
    data = struct.pack("<HH", height, width) + zlib.compress(pixels.tobytes(), 9)
    return base64.b64encode(data).decode("ascii")


def from_text(text: str) -> np.ndarray | None:
    """The picture that `to_text` wrote; None where the text is no such thing."""
    try:
        data = base64.b64decode(text, validate=True)
        height, width = struct.unpack_from("<HH", data)
        if not (0 < height <= LARGEST_SIDE and 0 < width <= LARGEST_SIDE):
            return None
        size = height * width * 3
        pixels = zlib.decompressobj().decompress(data[4:], size)
        return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
    except (binascii.Error, struct.error, zlib.error, ValueError):
        return None
