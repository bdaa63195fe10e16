"""Observer: who wants to know that what is to be done to a photo was changed."""

from __future__ import annotations

from collections.abc import Callable

import bpy

listeners: list[Callable[[bpy.types.Image], None]] = []


def tell(kept: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    """Tell everybody which image it was; for `update=` of its properties."""
    for listener in listeners:
        listener(kept.id_data)
