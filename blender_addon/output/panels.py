"""The panel that validates the active material, in the sidebars of 3D View and Shader Editor."""

from __future__ import annotations

import bpy

from ..steering import sliders
from ..ui.layouts import ShaderEditor, TabPanel, draw_findings, draw_task, paragraph
from ..worker.reporting import still
from . import validation


class _Validation:
    bl_label = "Validate"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return super().poll(context) and sliders.active_material() is not None

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        layout, width = self.layout, context.region.width
        task = validation.newest(still(sliders.active_material()))
        # It stays while it runs: Blender would highlight what comes in the place of a button that was pressed.
        layout.operator("tilewright.validate_material", icon="VIEWZOOM")
        draw_task(layout, task, width, "tilewright.cancel_validation")
        if task and task.state == "succeeded":
            draw_findings(layout, task.findings, width)
            for sentence in task.left_out:
                paragraph(layout, sentence, width, "INFO")


class _Sidebar(TabPanel):
    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return True


class TILEWRIGHT_PT_validation(_Validation, _Sidebar, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material"


class TILEWRIGHT_PT_validation_shader(_Validation, ShaderEditor, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material_shader"


register, unregister = bpy.utils.register_classes_factory(
    (TILEWRIGHT_PT_validation, TILEWRIGHT_PT_validation_shader)
)
