"""Tilewright in Blender: registers its parts in order, and unregisters them in reverse."""

from . import (
    event_timer,
    latent_panels,
    live_preview,
    operators,
    panels,
    preferences,
    properties,
    thumbnails,
)

_PARTS = (
    preferences,
    properties,
    live_preview,
    thumbnails,
    operators,
    panels,
    latent_panels,
    event_timer,
)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
