"""Observers of the sliders: told of each property that was moved by hand, or by a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import bpy

# Each is given the group that a property belongs to, and what it is about.
listeners: list[Callable[[bpy.types.PropertyGroup, str], None]] = []
_quiet: list[bool] = []


@contextmanager
def quietly() -> Iterator[None]:
    """Change latents without telling anybody."""
    _quiet.append(True)
    try:
        yield
    finally:
        _quiet.pop()


def tell(name: str) -> Callable[[bpy.types.PropertyGroup, bpy.types.Context], None]:
    """What a property calls when it was moved: `update=tell("seed")`."""

    def update(owner: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
        for listener in () if _quiet else listeners:
            listener(owner, name)

    return update
