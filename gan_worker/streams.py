"""Standard streams: no letter written to them can end a program, and on stdin a parent is heard, and its end."""

from __future__ import annotations

import codecs
import io
import logging
import os
import sys

logger = logging.getLogger(__name__)

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


# ---- the pipe from a parent


def take_stdin() -> int:
    """Take the pipe away from stdin, where nothing is to be read from then on.

    On Windows whoever asks what a pipe is waits for whoever reads from it. Libraries ask it of stdin while they are
    loaded, NumPy's among them, and so would wait for the end of the parent.

    Returns:
        The pipe; children have it where they are given it.

    Raises:
        OSError: there is no stdin.
    """
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return pipe


def first_line(pipe: int) -> bytes:
    """What the parent says first, to the end of the line, or of all that it says."""
    line = b""
    while not line.endswith(b"\n"):
        # Byte by byte and without Python's buffer, so that whoever waits for the end has the rest.
        byte = os.read(pipe, 1)
        if not byte:
            break
        line += byte
    return line


def wait_for_end(pipe: int) -> None:
    """Wait until the parent is gone, however it went."""
    try:
        while os.read(pipe, 4096):
            pass
    except OSError:
        logger.debug("the pipe from the parent broke")
