"""PNG encoder: pictures in pieces that hold nobody up; one encoder gives the same pixels the same bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

deflate: ModuleType
try:
    from isal import isal_zlib as deflate  # five to ten times faster
except ImportError:  # as in Blender, to which the worker's packages do not come
    deflate = zlib

# Bytes of pixels compressed between two looks at the clock: 1 to 2 ms each with zlib.
BYTES_PER_STEP = 64 * 1024
# Rows that are looked at to choose a filter.
SAMPLED = 32
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_FILTER_SUB, _FILTER_UP = 1, 2
Pixels = NDArray[Any]


class Sink(Protocol):
    """What takes the bytes of a file, such as an open one."""

    def writelines(self, lines: list[bytes], /) -> None: ...


# The chunk's keyword for XMP, of the XMP specification, part 3.
XMP_KEYWORD = "XML:com.adobe.xmp"
# Keywords that the PNG specification has other names for than pictures elsewhere.
_KEYWORDS = {"Artist": "Author", "ImageDescription": "Description", "xmp": XMP_KEYWORD}


def png_pieces(pixels: Pixels, parts: list[bytes], texts: bytes = b"") -> Iterator[None]:
    """Encode a PNG into `parts`, a few rows at a time.

    Blender's own `Image.pack()` encodes too, but holds the main thread for 80 ms at 1024².

    Args:
        pixels: uint8 or uint16, shape (height, width, 1 to 4), top row first; 2 and 4 have alpha.
        parts: receives the file's bytes; complete when the iterator ends.
        texts: chunks that say what the picture is, of `text_chunks`.

    Yields:
        Nothing, after each piece.
    """
    height, width, channels = pixels.shape
    bits = pixels.dtype.itemsize * 8
    head = struct.pack(">IIBBBBB", width, height, bits, _COLOR_TYPES[channels], 0, 0, 0)
    # What stands behind the pixels is not read by everyone.
    parts += [_SIGNATURE, _chunk(b"IHDR", head), texts]
    # Runs only, in zlib: a third faster than level 1, and the filter has found most of what repeats.
    strategy = zlib.Z_RLE if deflate is zlib else zlib.Z_DEFAULT_STRATEGY
    packer = deflate.compressobj(1, zlib.DEFLATED, 15, 8, strategy)
    kind, rows = _best_filter(pixels), max(1, BYTES_PER_STEP // (width * pixels.dtype.itemsize))
    for top in range(0, height, rows):
        data = packer.compress(_filtered_rows(pixels, top, min(height, top + rows), kind))
        if data:
            parts.append(_chunk(b"IDAT", data))
        yield
    parts += [_chunk(b"IDAT", packer.flush()), _chunk(b"IEND", b"")]


def _best_filter(pixels: Pixels) -> int:
    """The filter that leaves the smaller numbers, by some rows: wood has long ones, a wall of bricks wide ones."""
    rows = np.linspace(1, len(pixels) - 1, min(SAMPLED, len(pixels) - 1)).astype(int)
    here, above = _as_bytes(pixels[rows]), _as_bytes(pixels[rows - 1])
    pixel = pixels.shape[2] * pixels.dtype.itemsize
    beside, below = here[:, pixel:] - here[:, :-pixel], here - above
    return _FILTER_SUB if _amount(beside) < _amount(below) else _FILTER_UP


def _amount(differences: NDArray[np.uint8]) -> float:
    """Mean of absolute differences, each of which may be below zero (PNG specification, third edition, 12.7)."""
    signed = differences.view(np.int8).astype(np.int16)
    return float(np.abs(signed).mean()) if signed.size else 0.0


def _filtered_rows(pixels: Pixels, top: int, bottom: int, kind: int) -> bytes:
    """Rows as PNG wants them: the filter's number, then each byte minus the one above or one pixel before."""
    above = 1 if kind == _FILTER_UP and top else 0
    flat = _as_bytes(pixels[top - above : bottom])
    filtered = np.empty((bottom - top, flat.shape[1] + 1), np.uint8)
    filtered[:, 0], body = kind, filtered[:, 1:]
    if kind == _FILTER_SUB:
        pixel = pixels.shape[2] * pixels.dtype.itemsize
        body[:, :pixel] = flat[:, :pixel]
        np.subtract(flat[:, pixel:], flat[:, :-pixel], out=body[:, pixel:])
    else:
        body[0] = flat[0]  # of the first row, above which there is none
        np.subtract(flat[1:], flat[:-1], out=body[1 - above :])
    return filtered.tobytes()


def _as_bytes(rows: Pixels) -> NDArray[np.uint8]:
    """Rows of big-endian values, shape (rows, bytes a row)."""
    size = rows.dtype.itemsize
    stored = np.ascontiguousarray(rows, ">u2" if size == 2 else np.uint8)
    return stored.view(np.uint8).reshape(len(rows), rows.shape[1] * rows.shape[2] * size)


def write_png(file: Sink, pixels: Pixels, texts: bytes = b"") -> None:
    """Write a PNG into an open file, without another copy of its pixels; arguments as of `png_pieces`."""
    for _ in write_png_pieces(file, pixels, texts):
        pass


def write_png_pieces(file: Sink, pixels: Pixels, texts: bytes = b"") -> Iterator[None]:
    """The same in pieces that hold nobody up."""
    parts: list[bytes] = []
    for _ in png_pieces(pixels, parts, texts):
        file.writelines(parts)
        parts.clear()
        yield
    file.writelines(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", deflate.crc32(kind + data))
    )


def encode_png(pixels: Pixels) -> bytes:
    """A PNG of a whole array, at once."""
    parts: list[bytes] = []
    for _ in png_pieces(pixels, parts):
        pass
    return b"".join(parts)


def text_chunks(metadata: Mapping[str, str]) -> bytes:
    """Format texts as chunks, of which those in UTF-8 (iTXt) hold any letter.

    Args:
        metadata: names as OpenImageIO has them → text; `xmp` is an XMP packet. Names with a colon are left out: PNG has
            them in its XMP alone.
    """
    return b"".join(
        _text_chunk(_KEYWORDS.get(name, name), text)
        for name, text in metadata.items()
        if ":" not in name
    )


def _text_chunk(keyword: str, text: str) -> bytes:
    """One uncompressed iTXt chunk without a language (PNG specification, third edition, 11.3.3.4)."""
    body = b"iTXt" + keyword.encode("latin-1") + b"\0" * 5 + text.encode("utf-8", "replace")
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", deflate.crc32(body))
