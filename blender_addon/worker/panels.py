"""The panels of the worker: its state, setting it up, and what the doctor found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from gan_worker.doctor.findings import Finding, worst

from ..ui.layouts import TabPanel, duration, pair, paragraph
from . import doctor, preferences, session
from . import setup as installation
from .reporting import draw_error, size_in_words

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems

_ICONS: dict[str, IconItems] = {"good": "CHECKMARK", "warning": "ERROR", "bad": "CANCEL"}


_OUTDATED = "The worker is of another version than this extension: set it up again."
_MISSING = (
    "No worker is installed yet. It is a program of its own that learns and generates; Blender's own "
    "Python stays as it is. Setting it up downloads TensorFlow and takes some minutes."
)
_ASTRAY = "The Worker Python in this extension's preferences is not there: choose another, or set the worker up."
_NEEDS = {"missing": _MISSING, "astray": _ASTRAY, "outdated": _OUTDATED}
_OFFLINE = "To download it, Blender must be allowed to go online."


_STATES: dict[str, tuple[str, IconItems]] = {
    "stopped": ("Stopped: press Start", "RADIOBUT_OFF"),
    "starting": ("Starting", "SORTTIME"),
    "connecting": ("Connecting", "SORTTIME"),
    "connected": ("Connected", "CHECKMARK"),
    "lost": ("Link lost, trying again", "ERROR"),
}
_COMPUTING = {
    "off": "Not loaded yet",
    "starting": "Loading TensorFlow",
    "idle": "Ready",
    "busy": "Busy",
    "stopping": "Ending",
}


# Of jobs to these ends the error stands in their own panel, and of those of a task where the task is.
_WITH_PANELS = ("training", "material", "preview", "rest")


class TILEWRIGHT_PT_worker(TabPanel, bpy.types.Panel):
    bl_label = "Worker"

    def draw(self, context: bpy.types.Context) -> None:
        layout, now = self.layout, session.current
        if now.state == "stopped" and installation.get().need == "missing":
            layout.label(text="Not set up yet", icon="RADIOBUT_OFF")
        else:
            _draw_worker(layout, now)
        job = now.failed_job()
        if now.last_error and not (job and (job.receive or job.purpose in _WITH_PANELS)):
            draw_error(layout.box(), now.last_error, context.region.width)


def _draw_worker(layout: bpy.types.UILayout, now: session.Session) -> None:
    text, icon = _STATES[now.state]
    layout.label(text=text, icon=icon)
    if now.connected:
        if now.device:  # it is known once something was computed
            pair(layout, "Device", now.device)
        pair(layout, "Computing", _COMPUTING.get(now.compute_state, now.compute_state))
        if now.memory_mb:
            pair(layout, "Memory", size_in_words(now.memory_mb * 2**20))
            layout.operator("tilewright.free_memory", icon="MEMORY")
        if now.storage:
            found = now.storage
            pair(layout, "Folder", size_in_words(found.runs + found.state))
            pair(layout, "Free on Disk", size_in_words(found.free))
            layout.operator("tilewright.tidy_worker", icon="BRUSH_DATA")
    row = layout.row(align=True)
    row.operator("tilewright.start_worker", icon="PLAY")
    row.operator("tilewright.stop_worker", icon="SNAP_FACE")
    if preferences.get().location == "REMOTE":
        layout.operator("tilewright.pair_worker", icon="LINKED")
    layout.operator("tilewright.run_doctor", icon="VIEWZOOM")


class TILEWRIGHT_PT_setup(TabPanel, bpy.types.Panel):
    bl_label = "Set Up"
    bl_parent_id = "TILEWRIGHT_PT_worker"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        setup = installation.get()
        # A worker that answers is neither missing nor astray.
        need = setup.need == "outdated" if session.current.connected else bool(setup.need)
        return bool(need or setup.running or setup.error)

    def draw(self, context: bpy.types.Context) -> None:
        layout, setup, width = self.layout, installation.get(), context.region.width
        if setup.running:
            _draw_setup(layout, setup, width)
            return
        if setup.error is None:
            paragraph(layout, _NEEDS[setup.need], width)
        else:
            _draw_failure(layout, setup, width)
            if setup.need == "missing":
                layout.operator("tilewright.run_doctor", icon="VIEWZOOM")
        if not bpy.app.online_access:
            paragraph(layout, _OFFLINE, width, "INFO")
            # Blender's own button, which says so where it was started to stay offline.
            allow = "extensions.userpref_allow_online"
            layout.operator(allow, text="Allow Online Access", icon="CHECKMARK")
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
        return doctor.get().ran

    def draw(self, context: bpy.types.Context) -> None:
        layout, checkup = self.layout, doctor.get()
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
    (TILEWRIGHT_PT_worker, TILEWRIGHT_PT_setup, TILEWRIGHT_PT_doctor)
)
