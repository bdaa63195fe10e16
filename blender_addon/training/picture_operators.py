"""Learn from the images of a material that is there already."""

from __future__ import annotations

from pathlib import Path

import bpy

from gan_worker.errors import RequestError, TilewrightError

from ..steering import sliders
from ..worker import preferences
from ..worker.reporting import failed, needs
from . import material_pictures
from .operators import add_pictures


def add_material_pictures(scene: bpy.types.Scene, material: bpy.types.Material) -> list[Path]:
    """Add the images of a material to the pictures to learn from.

    Returns:
        The files or the folder that were added.

    Raises:
        RequestError: `not_allowed` where the worker is on another computer, which cannot read them.
        PictureError: `dataset_empty`, `picture_missing` or `picture_unreadable`.
        StorageError: `file_unwritable`.
    """
    host = preferences.other_computer(preferences.get())
    if host:
        raise RequestError(
            "not_allowed",
            f"The worker must be able to read the pictures; it runs on {host}, and they are on this computer.",
            "Copy them to a folder there that the worker was started with, such as --root photos=FOLDER, and add "
            "photos:NAME to the list.",
        )
    places = material_pictures.as_places(material, preferences.picture_folder())
    known = {item.path for item in scene.tilewright.pictures}
    add_pictures(scene, [place for place in places if str(place) not in known])
    return places


class TILEWRIGHT_OT_add_material_pictures(bpy.types.Operator):
    """Learn from the images of the active material: those that feed color, roughness, metallic, normal and height"""

    bl_idname = "tilewright.add_material_pictures"
    bl_label = "Add Images of Material"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return needs(
            cls,
            material_pictures.has_images(sliders.active_material()),
            "The active object has no material with image nodes",
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            places = add_material_pictures(context.scene, sliders.active_material())
        except TilewrightError as error:
            return failed(self, error)
        self.report({"INFO"}, f"Added {', '.join(place.name for place in places)}")
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory((TILEWRIGHT_OT_add_material_pictures,))
