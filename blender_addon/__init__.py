"""Tilewright in Blender: registers its parts in order, and unregisters them in reverse."""

from . import (
    event_timer,
    favourites,
    latent_panels,
    live,
    live_preview,
    operators,
    panels,
    preferences,
    properties,
    thumbnails,
    variations,
)

_PARTS = (
    preferences,
    properties,
    live_preview,
    thumbnails,
    live,
    variations,
    favourites,
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
