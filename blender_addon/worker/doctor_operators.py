"""Examine the worker, and copy what was found."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty

from gan_worker.errors import TilewrightError

from . import doctor
from .reporting import failed, needs


def run_doctor() -> None:
    """Examine the worker that the preferences name; the findings come in one by one."""
    doctor.current.start()


def cancel_doctor() -> None:
    """End the examination; what was found so far stays."""
    doctor.current.cancel()


class TILEWRIGHT_OT_run_doctor(bpy.types.Operator):
    """Check everything the worker needs, and say what is wrong and how to cure it"""

    bl_idname = "tilewright.run_doctor"
    bl_label = "Worker Doctor"

    wait: BoolProperty(
        name="Wait", description="Return only when all checks are made", options={"SKIP_SAVE"}
    )
    timeout: FloatProperty(name="Timeout", default=300.0, min=0.1, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return needs(cls, not doctor.current.running, "The checks are being made")

    def execute(self, _context: bpy.types.Context) -> set[str]:
        run_doctor()
        try:
            if self.wait:
                doctor.current.wait(self.timeout)
        except TilewrightError as error:
            return failed(self, error)
        return {"FINISHED"}


class TILEWRIGHT_OT_cancel_doctor(bpy.types.Operator):
    """Make no more checks. What was found so far stays"""

    bl_idname = "tilewright.cancel_doctor"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return needs(cls, doctor.current.running, "No checks are being made")

    def execute(self, _context: bpy.types.Context) -> set[str]:
        cancel_doctor()
        return {"FINISHED"}


class TILEWRIGHT_OT_copy_report(bpy.types.Operator):
    """Copy all findings as text. It holds neither keys nor your name"""

    bl_idname = "tilewright.copy_report"
    bl_label = "Copy Report"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return needs(cls, doctor.current.ran, "Run the Worker Doctor first")

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = doctor.current.report()
        self.report({"INFO"}, "The report was copied")
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory(
    (TILEWRIGHT_OT_run_doctor, TILEWRIGHT_OT_cancel_doctor, TILEWRIGHT_OT_copy_report)
)
