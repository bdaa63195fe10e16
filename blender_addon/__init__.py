"""Tilewright in Blender: registers its parts in order, and unregisters them in reverse."""

from . import (
    curve_pictures,
    favourites,
    keyframes,
    latent_panels,
    live,
    live_preview,
    material_export,
    material_panels,
    motion,
    motion_panels,
    operators,
    painting,
    painting_panels,
    panels,
    properties,
    repair_panels,
    run_panels,
    run_pictures,
    scene_batch,
    variations,
)
from .ui import thumbnails
from .worker import panels as worker_panels
from .worker import preferences, pump

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
    painting,
    operators,
    panels,
    latent_panels,
    material_panels,
    motion_panels,
    painting_panels,
    repair_panels,
    worker_panels,
    run_panels,
    scene_batch,
    motion,
    keyframes,
    material_export,
    pump,
)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
