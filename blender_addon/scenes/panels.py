"""The panel that fills a scene by a recipe."""

from __future__ import annotations

import bpy

from ..ui.layouts import TabPanel, duration, paragraph, properties_column
from . import batch as scene_batch


class TILEWRIGHT_PT_scene_recipe(TabPanel, bpy.types.Panel):
    bl_label = "Scene Recipe"
    bl_order = 1  # below the panels that an artist needs more often
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, batch = self.layout, scene_batch.current
        properties_column(layout).prop(context.scene.tilewright, "scene_recipe")
        row = layout.row(align=True)
        row.operator("tilewright.run_scene_recipe", icon="PLAY")
        row.operator("tilewright.show_scene_plan", icon="TEXT")
        if batch is not None:
            _draw_batch(layout, batch, context.region.width)


def _draw_batch(layout: bpy.types.UILayout, batch: scene_batch.SceneBatch, width: int) -> None:
    now = batch.progress
    if batch.state == "running":
        row = layout.row()
        eta = "" if now.eta is None else f", {duration(now.eta)} left"
        text = f"{batch.stage.capitalize()}: {now.done} of {now.total}{eta}"
        row.progress(factor=now.done / max(1, now.total), text=text)
        row.operator("tilewright.cancel_scene_recipe", text="", icon="X")
    elif batch.error:
        paragraph(layout, batch.error.info.message, width, "ERROR")
        paragraph(layout, batch.error.info.cure, width, "LIGHT")
    else:
        text = f"{now.total} materials in {batch.applied} slots: {now.made} made, {now.kept} were there"
        paragraph(layout, text, width, "CHECKMARK")


register, unregister = bpy.utils.register_classes_factory((TILEWRIGHT_PT_scene_recipe,))
