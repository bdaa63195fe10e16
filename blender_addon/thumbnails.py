"""Small pictures in panels, by name; as text they fit into a property or a file."""

from __future__ import annotations

import base64
import binascii
import struct
import zlib

import bpy.utils.previews
import numpy as np

# Larger pictures than this are nobody's thumbnail.
LARGEST_SIDE = 256

_collection: bpy.utils.previews.ImagePreviewCollection | None = None


def show(name: str, pixels: np.ndarray) -> None:
    """Put a picture up, or another in its place.

    Args:
        name: what `icon` is asked for.
        pixels: uint8, shape (height, width, 3), top row first.
    """
    if _collection is None:
        return
    height, width = pixels.shape[:2]
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = pixels[::-1] * np.float32(1 / 255)
    picture = _collection.get(name) or _collection.new(name)
    picture.image_size = (width, height)
    picture.image_pixels_float.foreach_set(rgba.reshape(-1))


def is_there(name: str) -> bool:
    """Whether there is a picture of that name."""
    return _collection is not None and name in _collection


def icon(name: str) -> int:
    """Number of the icon to draw; 0, which draws nothing, where there is no picture."""
    return _collection[name].icon_id if is_there(name) else 0


def clear() -> None:
    """Forget all pictures."""
    if _collection is not None:
        _collection.clear()


def as_picture(pixels: np.ndarray) -> np.ndarray:
    """A map as uint8, shape (height, width, 3)."""
    small = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
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


def register() -> None:
    global _collection
    _collection = bpy.utils.previews.new()


def unregister() -> None:
    global _collection
    if _collection is not None:
        bpy.utils.previews.remove(_collection)
    _collection = None
