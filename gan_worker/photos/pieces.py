"""Pieces of work: functions that give others their turn every few milliseconds, and how they are done at once."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")
Pieces = Generator[None, None, Result]


def finished(pieces: Generator[object, None, Result]) -> Result:
    """What comes of all pieces, one after the other."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            result: Result = end.value
            return result
