"""Set the worker up in an environment of its own."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty

from gan_worker.errors import TilewrightError

from . import session
from . import setup as installation
from .reporting import failed, needs


def set_up_worker() -> None:
    """Make an environment for the worker and install it there; it goes on in the background.

    Raises:
        RequestError: `not_allowed` where Blender may not go online.
        WorkerError: `worker_setup` where the extension holds no wheel.
    """
    installation.check_online_access()
    installation.current.start(installation.bundled_wheel())


def cancel_setup() -> None:
    """End the setup, and delete what it has made so far."""
    installation.current.cancel()


class TILEWRIGHT_OT_set_up_worker(bpy.types.Operator):
    """Install the worker with TensorFlow into a folder of its own. Blender itself stays as it is"""

    bl_idname = "tilewright.set_up_worker"
    bl_label = "Set Up Worker"

    wait: BoolProperty(
        name="Wait", description="Return only when it is set up", options={"SKIP_SAVE"}
    )
    timeout: FloatProperty(name="Timeout", default=3600.0, min=0.1, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        setup = installation.current
        return (
            needs(cls, not setup.running, "The worker is being set up")
            and needs(cls, not setup.removing, "What was left unfinished is being deleted")
            and needs(cls, session.current.state == "stopped", "Stop the worker first")
            and needs(
                cls,
                bpy.app.online_access,
                "Tick Allow Online Access in Preferences > System > Network, or copy the command",
            )
        )

    def execute(self, _context: bpy.types.Context) -> set[str]:
        try:
            set_up_worker()
            if self.wait:
                installation.current.wait(self.timeout)
        except TilewrightError as error:
            return failed(self, error)
        return {"FINISHED"}


class TILEWRIGHT_OT_cancel_setup(bpy.types.Operator):
    """End the setup. What was downloaded so far is deleted"""

    bl_idname = "tilewright.cancel_setup"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return needs(cls, installation.current.running, "Nothing is being set up")

    def execute(self, _context: bpy.types.Context) -> set[str]:
        try:
            cancel_setup()
        except TilewrightError as error:
            return failed(self, error)
        return {"FINISHED"}


class TILEWRIGHT_OT_copy_setup_command(bpy.types.Operator):
    """Copy the command that sets the worker up in a terminal. It is found by itself afterwards"""

    bl_idname = "tilewright.copy_setup_command"
    bl_label = "Copy Command"

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            command = installation.terminal_command(installation.bundled_wheel())
        except TilewrightError as error:
            return failed(self, error)
        context.window_manager.clipboard = command
        self.report({"INFO"}, "The command was copied: paste it into a terminal")
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_set_up_worker,
        TILEWRIGHT_OT_cancel_setup,
        TILEWRIGHT_OT_copy_setup_command,
    )
)
