"""Printable text: what others wrote, such as names of files, made safe for logs and terminals.

A terminal obeys escape codes, and a line break in a name is a line that nobody wrote. So what is no letter is shown as
Python would write it in quotes: `\\x1b`, `\\n`.
"""

from __future__ import annotations

import logging
import sys

# A line of the log of what runs in the background.
LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"

# Spaces and joiners that people write; Python does not count them as printable.
_WRITTEN = "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}\N{ZERO WIDTH JOINER}"


def printable(text: str) -> str:
    """A text in one line, without anything that a terminal obeys."""
    if text.isprintable():
        return text
    return "".join(
        sign
        if sign.isprintable() or sign in _WRITTEN
        else sign.encode("unicode_escape").decode("ascii")
        for sign in text
    )


def printable_lines(text: str) -> str:
    """The same of a text that may have several lines."""
    return "\n".join(map(printable, text.split("\n")))


def start_logging(level: int | str, form: str) -> None:
    """Log to stderr from now on, one line for each message, whatever is in it.

    Args:
        level: the least that is logged.
        form: of a line, as for `logging.Formatter`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(form))
    logging.basicConfig(level=level, handlers=[handler])


class LineFormatter(logging.Formatter):
    """A message is one line; those of a traceback that may follow are set in, so that none looks like a message."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:
        return _set_in(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:
        return _set_in(super().formatStack(stack_info))


def _set_in(text: str) -> str:
    return "\n".join(f"  | {line}" for line in printable_lines(text).split("\n"))
