"""Paths in recipes: of this system, `~` is the user's folder, and what a backslash has made of one is said."""

from __future__ import annotations

import os
import re
from pathlib import Path

# A backslash inside double quotes, where it begins an escape.
_ESCAPES = re.compile(r'"[^"\']*\\')
_WRITTEN = (
    "write C:/Users/… with slashes, or 'C:\\Users\\…' and '\\\\server\\share' in single quotes"
)


def read_path(text: str) -> str:
    """A path as this system knows it.

    Args:
        text: what stands in a recipe.

    Raises:
        ValueError: what must hold of it.
    """
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
        raise ValueError(
            "must be a path without line breaks and tabs, which a backslash in double quotes makes: "
            + _WRITTEN
        )
    if re.match(r"\\(?!\\)", text):
        raise ValueError(
            "must not begin with one backslash; in double quotes two become one: " + _WRITTEN
        )
    if os.name != "nt" and ("\\" in text or re.match("[A-Za-z]:", text)):
        raise ValueError("must be a path of this computer's system, where folders end in /")
    if not text.startswith("~"):
        return text
    try:
        return str(Path(text).expanduser())
    except RuntimeError:
        raise ValueError("must name a user's folder that this computer has after ~") from None


def cure_of_backslash(text: str, line: int) -> str:
    """What to do where TOML is wrong in a line; empty where that has nothing to do with a backslash.

    Args:
        text: the recipe.
        line: its number, from 1.
    """
    lines = text.split("\n")
    if 0 < line <= len(lines) and _ESCAPES.search(lines[line - 1]):
        return f"In double quotes a backslash begins an escape: {_WRITTEN}."
    return ""
