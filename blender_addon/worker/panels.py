"""The sub-panels of the Worker panel: setting the worker up, and what the doctor found."""

from __future__ import annotations

import bpy

from gan_worker.doctor.findings import Finding, worst

from ..ui.layouts import TabPanel, duration, paragraph
from . import doctor
from . import setup as installation

_ICONS = {"good": "CHECKMARK", "warning": "ERROR", "bad": "CANCEL"}


_OUTDATED = "The worker is of another version than this extension: set it up again."
_MISSING = (
    "No worker is installed yet. It is a program of its own that learns and generates; Blender's own "
    "Python stays as it is. Setting it up downloads TensorFlow and takes some minutes."
)
_OFFLINE = "To download it, tick Allow Online Access in Preferences > System > Network."


class TILEWRIGHT_PT_setup(TabPanel, bpy.types.Panel):
    bl_label = "Set Up"
    bl_parent_id = "TILEWRIGHT_PT_worker"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        setup = installation.current
        return bool(setup.need or setup.running or setup.error)

    def draw(self, context: bpy.types.Context) -> None:
        layout, setup, width = self.layout, installation.current, context.region.width
        if setup.running:
            _draw_setup(layout, setup, width)
            return
        if setup.error is None:
            paragraph(layout, _OUTDATED if setup.need == "outdated" else _MISSING, width)
        else:
            _draw_failure(layout, setup, width)
        if not bpy.app.online_access:
            paragraph(layout, _OFFLINE, width, "INFO")
        layout.operator("tilewright.set_up_worker", icon="IMPORT")
        layout.operator("tilewright.copy_setup_command", icon="COPYDOWN")


def _draw_setup(layout: bpy.types.UILayout, setup: installation.Setup, width: int) -> None:
    paragraph(layout, setup.step, width)
    row = layout.row(align=True)
    row.progress(factor=setup.fraction, text=duration(setup.seconds))
    row.operator("tilewright.cancel_setup", text="", icon="X")
    for line in list(setup.lines)[-1:]:
        paragraph(layout, line[:160], width)


def _draw_failure(layout: bpy.types.UILayout, setup: installation.Setup, width: int) -> None:
    column = layout.column(align=True)
    column.alert = True
    paragraph(column, setup.error.message, width, "ERROR")
    paragraph(layout, setup.error.cure, width, "LIGHT")
    box = layout.box().column(align=True)
    for line in list(setup.lines)[-4:]:
        paragraph(box, line[:300], width)


class TILEWRIGHT_PT_doctor(TabPanel, bpy.types.Panel):
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
        if worst(checkup.findings) == "bad" and not TILEWRIGHT_PT_setup.poll(context):
            layout.operator("tilewright.set_up_worker", icon="IMPORT")


def _draw_coming(layout: bpy.types.UILayout, checkup: doctor.Checkup) -> None:
    row = layout.row(align=True)
    done = len(checkup.findings)
    coming = checkup.coming[0] if checkup.coming else "the worker"
    row.progress(factor=done / (done + max(1, len(checkup.coming))), text=f"Checking {coming}")
    row.operator("tilewright.cancel_doctor", text="", icon="X")


def _draw_finding(layout: bpy.types.UILayout, finding: Finding, width: int) -> None:
    column = layout.column(align=True)
    column.alert = finding.state == "bad"
    paragraph(column, f"{finding.name}: {finding.found}", width, _ICONS[finding.state])
    if finding.cure:
        paragraph(layout, finding.cure, width, "LIGHT")


register, unregister = bpy.utils.register_classes_factory(
    (TILEWRIGHT_PT_setup, TILEWRIGHT_PT_doctor)
)
