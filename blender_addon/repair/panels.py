"""The panel to repair the active material with, in the sidebar of the 3D View."""

from __future__ import annotations

import bpy

from ..shader import node_tree
from ..steering import sliders
from ..ui.layouts import TabPanel, draw_task, paragraph
from ..worker.reporting import obstacle_of
from . import mask, repair


class TILEWRIGHT_PT_repair(TabPanel, bpy.types.Panel):
    bl_label = "Repair"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, material = self.layout, sliders.active_material()
        width = context.region.width
        started = repair.of(material) if node_tree.is_ours(material) else None
        problem = "" if started else obstacle_of(repair.check, material)
        if problem:
            paragraph(layout, problem, width, "INFO")
        if not node_tree.is_ours(material):
            return
        if mask.is_painted(material):
            layout.operator("tilewright.end_repair_mask", icon="CHECKMARK")
            text = (
                "Paint what is to be repaired; Ctrl takes it back. The tile is shown once meanwhile"
            )
            paragraph(layout, text, width, "BRUSH_DATA")
        else:
            layout.operator("tilewright.paint_repair_mask", icon="BRUSH_DATA")
            if not problem and not started and material.tilewright.repair_mask is None:
                paragraph(layout, "Paint over what you do not like first", width, "INFO")
        if not started:
            layout.operator("tilewright.repair", icon="MODIFIER")
        newest = repair.Repair.newest(material.tilewright.uuid)
        draw_task(layout, newest, width, "tilewright.cancel_repair")
        if not material.tilewright.repaired:
            return
        if material.tilewright.repair_remark and not started:
            paragraph(layout, material.tilewright.repair_remark, width, "INFO")
        text = "This material was repaired. Another resolution, Regenerate and every slider take that away"
        paragraph(layout, text, width, "INFO")


register, unregister = bpy.utils.register_classes_factory((TILEWRIGHT_PT_repair,))
