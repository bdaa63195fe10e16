"""Orientation of photos: cameras note how they were held (EXIF), which the worker undoes and Blender does not."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gan_worker.preparation import Corner

# Before the TIFF structure that EXIF is: in JPEG, PNG and WebP; a TIFF file begins with it.
_EXIF = re.compile(rb"(?:Exif\0\0|eXIf|EXIF....(?:Exif\0\0)?|\A)(?=(?:II\*\0|MM\0\*))", re.DOTALL)
_ORIENTATION = 0x0112


def read_orientation(data: bytes) -> int:
    """How the camera was held, 1..8 as EXIF has it; 1, which is upright, where the file does not say.

    Args:
        data: the bytes of a picture file.
    """
    for found in _EXIF.finditer(data):
        try:
            return _of_tiff(data[found.end() :])
        except (struct.error, LookupError):
            continue
    return 1


def _of_tiff(data: bytes) -> int:
    """The tag in the first directory.

    Raises:
        LookupError: where there is none.
        struct.error: where the data end before.
    """
    order = "<" if data.startswith(b"II") else ">"
    start = struct.unpack_from(order + "I", data, 4)[0]
    count = struct.unpack_from(order + "H", data, start)[0]
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, _, _, value = struct.unpack_from(order + "HHIH", data, entry)
        if tag == _ORIENTATION and 1 <= value <= 8:
            return int(value)
    raise LookupError("no orientation")


def upright(corners: tuple[Corner, ...], orientation: int) -> tuple[Corner, ...]:
    """Corners on the picture as it is stored, on the picture as it is once its orientation is undone.

    Args:
        corners: as `Preparation.corners`; what they make of it stays the same but for a mirror.
        orientation: 1..8.
    """
    turned = tuple(_upright(x, y, orientation) for x, y in corners)
    if orientation in (2, 4, 5, 7) and turned:  # mirrored, so that they go around the other way
        turned = (turned[1], turned[0], turned[3], turned[2])
    return turned


def _upright(x: float, y: float, orientation: int) -> Corner:
    if orientation in (5, 6, 7, 8):
        x, y = y, x
    # Of the sides as they are shown: which begin at the other end.
    return (
        1 - x if orientation in (2, 3, 6, 7) else x,
        1 - y if orientation in (3, 4, 7, 8) else y,
    )
