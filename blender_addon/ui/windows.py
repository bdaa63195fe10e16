"""What windows show: timers run in the context of the first alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import bpy

Found = TypeVar("Found")


def in_each(do: Callable[[], Found]) -> list[Found]:
    """What it gives for each scene and view layer that a window shows, as if it were called there."""
    windows, context = bpy.context.window_manager.windows, bpy.context
    shown = [(window.scene, window.view_layer) for window in windows]
    found = []
    # A script may have another one than any window.
    for scene, layer in dict.fromkeys([(context.scene, context.view_layer), *shown]):
        with context.temp_override(scene=scene, view_layer=layer):
            found.append(do())
    return found
