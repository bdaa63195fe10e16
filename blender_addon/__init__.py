"""Tilewright in Blender: registers its parts in order, and unregisters them in reverse."""

from . import (
    curve_pictures,
    event_timer,
    favourites,
    latent_panels,
    live,
    live_preview,
    operators,
    panels,
    preferences,
    properties,
    run_panels,
    run_pictures,
    scene_batch,
    thumbnails,
    variations,
    worker_panels,
)

_PARTS = (
    preferences,
    properties,
    live_preview,
    curve_pictures,
    run_pictures,
    thumbnails,
    live,
    variations,
    favourites,
    operators,
    panels,
    latent_panels,
    worker_panels,
    run_panels,
    scene_batch,
    event_timer,
)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
