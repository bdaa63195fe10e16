"""The sub-panels of the Worker panel: what the doctor found."""

from __future__ import annotations

import bpy

from gan_worker.findings import Finding

from . import doctor
from .panels import _pair, _Panel, _paragraph

_ICONS = {"good": "CHECKMARK", "warning": "ERROR", "bad": "CANCEL"}


class TILEWRIGHT_PT_doctor(_Panel, bpy.types.Panel):
    bl_label = "What the Doctor Found"
    bl_parent_id = "TILEWRIGHT_PT_worker"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return doctor.current.ran

    def draw(self, context: bpy.types.Context) -> None:
        layout, checkup = self.layout, doctor.current
        column = layout.column(align=True)
        for finding in checkup.findings:
            _draw_finding(column, finding, context.region.width)
        if checkup.running:
            _draw_coming(layout, checkup)
        layout.operator("tilewright.copy_report", icon="COPYDOWN")


def _draw_coming(layout: bpy.types.UILayout, checkup: doctor.Checkup) -> None:
    row = layout.row(align=True)
    done = len(checkup.findings)
    coming = checkup.coming[0] if checkup.coming else "the worker"
    row.progress(factor=done / (done + max(1, len(checkup.coming))), text=f"Checking {coming}")
    row.operator("tilewright.cancel_doctor", text="", icon="X")


def _draw_finding(layout: bpy.types.UILayout, finding: Finding, width: int) -> None:
    if finding.state == "good":
        _pair(layout, finding.name, finding.found, _ICONS["good"])
        return
    column = layout.column(align=True)
    column.alert = finding.state == "bad"
    _paragraph(column, f"{finding.name}: {finding.found}", width, _ICONS[finding.state])
    if finding.cure:
        _paragraph(layout, finding.cure, width, "LIGHT")


register, unregister = bpy.utils.register_classes_factory((TILEWRIGHT_PT_doctor,))
