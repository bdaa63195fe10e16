"""Tilewright in Blender: registers its subjects in order, and unregisters them in reverse."""

from .ui.registration import in_order

# The order of subjects is that of their panels in the sidebar.
register, unregister = in_order(
    __name__,
    "training.properties",
    "steering.properties",
    "animation.properties",
    "painting.properties",
    "properties",
    "ui.thumbnails",
    "worker",
    "training",
    "generation",
    "steering",
    "shader",
    "animation",
    "painting",
    "repair",
    "output",
    "scenes",
    "worker.pump",
)
