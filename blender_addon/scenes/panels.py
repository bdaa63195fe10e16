"""The panel that fills a scene by a recipe."""

from __future__ import annotations

import bpy

from ..ui.layouts import TabPanel, draw_task, paragraph, properties_column
from .batch import SceneBatch


class TILEWRIGHT_PT_scene_recipe(TabPanel, bpy.types.Panel):
    bl_label = "Scene Recipe"
    bl_order = 1  # below the panels that an artist needs more often
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, batch = self.layout, SceneBatch.newest()
        properties_column(layout).prop(context.scene.tilewright, "scene_recipe")
        row = layout.row(align=True)
        row.operator("tilewright.run_scene_recipe", icon="PLAY")
        row.operator("tilewright.show_scene_plan", icon="TEXT")
        draw_task(layout, batch, context.region.width, "tilewright.cancel_scene_recipe")
        if batch and batch.state == "succeeded":
            paragraph(layout, batch.summary, context.region.width, "CHECKMARK")
            for warning in batch.warnings:
                paragraph(layout, warning, context.region.width, "ERROR")


register, unregister = bpy.utils.register_classes_factory((TILEWRIGHT_PT_scene_recipe,))
