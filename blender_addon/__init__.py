"""Tilewright in Blender: registers its parts in order, and unregisters them in reverse."""

from . import operators, panels, properties
from .animation import keyframes, motion
from .animation import panels as motion_panels
from .generation import panels as material_panels
from .output import export
from .painting import painting
from .painting import panels as painting_panels
from .repair import panels as repair_panels
from .scenes import batch
from .steering import favourites, live, variations
from .steering import panels as latent_panels
from .training import curves, preview, run_panels, run_pictures
from .ui import thumbnails
from .worker import panels as worker_panels
from .worker import preferences, pump

_PARTS = (
    preferences,
    properties,
    preview,
    curves,
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
    batch,
    motion,
    keyframes,
    export,
    pump,
)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
