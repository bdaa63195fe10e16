"""Tilewright in Blender: registers its parts in order, and unregisters them in reverse."""

from . import (
    event_timer,
    live_preview,
    operators,
    panels,
    preferences,
    properties,
    scene_batch,
)

_PARTS = (preferences, properties, live_preview, operators, panels, scene_batch, event_timer)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
