"""The panel that prepares the photo in the Image Editor, in its sidebar."""

from __future__ import annotations

import bpy

from gan_worker.photos.preparing import prepared_size

from ..ui.layouts import TabPanel, draw_task, paragraph, properties_column
from ..worker.reporting import obstacle_of
from . import look, overlay, preparation, preview, suggestion


class TILEWRIGHT_PT_photo(TabPanel, bpy.types.Panel):
    bl_label = "Prepare Photo"
    bl_space_type = "IMAGE_EDITOR"

    def draw(self, context: bpy.types.Context) -> None:
        layout, image, width = self.layout, context.space_data.image, context.region.width
        problem = obstacle_of(preparation.check, image)
        if problem:
            paragraph(layout, problem, width, "INFO")
            return
        photo = preparation.photo_of(image)
        assert photo is not None
        _draw_corners(layout, photo, overlay.is_edited(context.area))
        column = properties_column(layout)
        column.prop(photo.tilewright, "even_light")
        column.prop(photo.tilewright, "white_balance")
        after = preview.is_after(image)
        text = "Show Before" if after else "Show After"
        layout.operator("tilewright.show_prepared", text=text, icon="HIDE_OFF", depress=after)
        _draw_suggestion(layout, photo, width)
        _draw_outcome(layout, photo, width)


class TILEWRIGHT_PT_photo_problems(TabPanel, bpy.types.Panel):
    bl_label = "Problems"
    bl_space_type = "IMAGE_EDITOR"
    bl_parent_id = "TILEWRIGHT_PT_photo"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not obstacle_of(preparation.check, context.space_data.image)

    def draw(self, context: bpy.types.Context) -> None:
        layout, width = self.layout, context.region.width
        photo = preparation.photo_of(context.space_data.image)
        assert photo is not None
        task = look.newest(photo)
        # It stays while it runs: Blender would highlight what comes in the place of a button that was pressed.
        layout.operator("tilewright.check_photo", icon="VIEWZOOM")
        draw_task(layout, task, width, "tilewright.cancel_photo")
        if task is None or task.state != "succeeded":
            return
        for problem in task.problems:
            paragraph(layout, problem.message, width, "ERROR")
            paragraph(layout, problem.cure, width, "LIGHT")
        if not task.problems:
            paragraph(layout, "Nothing is wrong with it", width, "CHECKMARK")


def _draw_corners(layout: bpy.types.UILayout, photo: bpy.types.Image, edited: bool) -> None:
    row = layout.row(align=True)
    if edited:
        row.operator("tilewright.end_corners", icon="CHECKMARK")
    else:
        row.operator("tilewright.edit_corners", icon="SELECT_SET")
        row.operator("tilewright.suggest_corners", icon="MESH_GRID")
    if photo.tilewright.is_cut and not edited:
        row.operator("tilewright.use_whole_photo", text="", icon="X")


def _draw_suggestion(layout: bpy.types.UILayout, photo: bpy.types.Image, width: int) -> None:
    task = suggestion.newest(photo)
    draw_task(layout, task, width, "tilewright.cancel_photo")
    if task and task.state == "succeeded" and not task.found and not photo.tilewright.is_cut:
        text = "No regular pattern was found that can be trusted: drag the corners yourself"
        paragraph(layout, text, width, "INFO")


def _draw_outcome(layout: bpy.types.UILayout, photo: bpy.types.Image, width: int) -> None:
    """What went wrong, and what is used of the photo."""
    task = preview.newest(photo)
    if task and task.state == "failed":
        draw_task(layout, task, width, "tilewright.cancel_photo")
    shown = preparation.as_shown(photo)
    if shown.is_empty:
        return
    across, down = prepared_size(photo.size[0], photo.size[1], shown)
    text = (
        f"Train and Photo to Material use it so, {across} × {down} pixels. Its file stays as it is"
    )
    paragraph(layout, text, width, "INFO")


register, unregister = bpy.utils.register_classes_factory(
    (TILEWRIGHT_PT_photo, TILEWRIGHT_PT_photo_problems)
)
