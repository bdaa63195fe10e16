"""Pictures as PNG files, encoded in pieces that hold nobody up; the same pixels give the same bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Bytes of pixels compressed between two looks at the clock: 1 to 2 ms each.
BYTES_PER_STEP = 64 * 1024
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOR_TYPES = {1: 0, 3: 2, 4: 6}
_FILTER_UP = 2
Pixels = NDArray[Any]
# Signature and IHDR, which the specification wants first.
HEADER_SIZE = 33
# The chunk's keyword for XMP, of the XMP specification, part 3.
XMP_KEYWORD = "XML:com.adobe.xmp"
# Keywords that the PNG specification has other names for than pictures elsewhere.
_KEYWORDS = {"Artist": "Author", "ImageDescription": "Description", "xmp": XMP_KEYWORD}


def png_pieces(pixels: Pixels, parts: list[bytes], texts: bytes = b"") -> Iterator[None]:
    """Encode a PNG into `parts`, a few rows at a time.

    Blender's own `Image.pack()` encodes too, but holds the main thread for 80 ms at 1024².

    Args:
        pixels: uint8 or uint16, shape (height, width, 1, 3 or 4), top row first.
        parts: receives the file's bytes; complete when the iterator ends.
        texts: chunks that say what the picture is, of `png_text.text_chunks`.

    Yields:
        Nothing, after each piece.
    """
    height, width, channels = pixels.shape
    bits = pixels.dtype.itemsize * 8
    head = struct.pack(">IIBBBBB", width, height, bits, _COLOR_TYPES[channels], 0, 0, 0)
    parts += [_SIGNATURE, _chunk(b"IHDR", head), texts]
    # Runs only: a third faster than level 1, and the row filter has found most of what repeats.
    packer = zlib.compressobj(1, zlib.DEFLATED, 15, 8, zlib.Z_RLE)
    rows = max(1, BYTES_PER_STEP // (width * pixels.dtype.itemsize))
    for top in range(0, height, rows):
        data = packer.compress(_filtered_rows(pixels, top, min(height, top + rows)))
        if data:
            parts.append(_chunk(b"IDAT", data))
        yield
    parts += [_chunk(b"IDAT", packer.flush()), _chunk(b"IEND", b"")]


def _filtered_rows(pixels: Pixels, top: int, bottom: int) -> bytes:
    """Rows as PNG wants them: big-endian, each byte minus the one above it."""
    first = max(0, top - 1)
    rows = np.ascontiguousarray(pixels[first:bottom])
    if rows.dtype.itemsize == 2:
        rows = rows.astype(">u2")
    flat = rows.view(np.uint8).reshape(bottom - first, -1)
    filtered = np.empty((bottom - top, flat.shape[1] + 1), np.uint8)
    filtered[:, 0] = _FILTER_UP
    if top == 0:
        filtered[0, 1:] = flat[0]
        np.subtract(flat[1:], flat[:-1], out=filtered[1:, 1:])
    else:
        np.subtract(flat[1:], flat[:-1], out=filtered[:, 1:])
    return filtered.tobytes()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode_png(pixels: Pixels) -> bytes:
    """A PNG of a whole array, at once."""
    parts: list[bytes] = []
    for _ in png_pieces(pixels, parts):
        pass
    return b"".join(parts)


def text_chunks(marks: Mapping[str, str]) -> bytes:
    """Format texts as chunks, of which those in UTF-8 (iTXt) hold any letter.

    Args:
        marks: names as OpenImageIO has them → text; `xmp` is an XMP packet. Names with a colon are left out: PNG has
            them in its XMP alone.
    """
    return b"".join(
        _text_chunk(_KEYWORDS.get(name, name), text)
        for name, text in marks.items()
        if ":" not in name
    )


def _text_chunk(keyword: str, text: str) -> bytes:
    """One uncompressed iTXt chunk without a language (PNG specification, third edition, 11.3.3.4)."""
    body = b"iTXt" + keyword.encode("latin-1") + b"\0" * 5 + text.encode("utf-8", "replace")
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
