"""Standard streams: whatever their encoding is, no letter that is written to them can end a program."""

from __future__ import annotations

import codecs
import io
import sys

# What we write ourselves and old code pages lack; other letters, as of names, are written as Python's escapes.
_PLAIN = {
    **dict(zip("·–—×²µ‘’“”\N{NO-BREAK SPACE}", "---x2u''\"\" ", strict=True)),
    **{"…": "...", "→": "->", "←": "<-"},
}
_HANDLER = "tilewright.plain"


def write_any_letter() -> None:
    """Let stdout and stderr take every text, from now on.

    Windows gives them an old code page where they lead into a file, and a farm may run with LANG=C; names of files may
    hold what is no Unicode either.
    """
    codecs.register_error(_HANDLER, _as_plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def _as_plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = "".join(_PLAIN.get(sign, sign) for sign in error.object[error.start : error.end])
    return letters.encode("ascii", "backslashreplace").decode(), error.end
