"""Text in PNG files: the chunks that name software, rights and XMP, put before the pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

# Signature and IHDR, which the specification wants first.
HEADER_SIZE = 33
# The chunk's keyword for XMP, of the XMP specification, part 3.
XMP_KEYWORD = "XML:com.adobe.xmp"
# Keywords that the PNG specification has other names for than pictures elsewhere.
_KEYWORDS = {"Artist": "Author", "ImageDescription": "Description", "xmp": XMP_KEYWORD}


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
