"""Start, reach and stop the worker."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty, StringProperty

from gan_worker.wire.messages import Tidy

from . import connection, doctor, session
from . import setup as installation
from .reporting import Action, no_worker, unless, when


class TILEWRIGHT_OT_start_worker(Action, bpy.types.Operator):
    """Start the worker, or connect to the one set in the preferences"""

    bl_idname = "tilewright.start_worker"
    bl_label = "Start"

    wait: BoolProperty(
        name="Wait",
        description="Return only when it is connected and has told of its models",
        options={"SKIP_SAVE"},
    )
    timeout: FloatProperty(name="Timeout", default=30.0, min=0.1, options={"SKIP_SAVE"})

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return unless(session.current.state == "stopped", "The worker is started already")

    def act(self, _context: bpy.types.Context) -> None:
        connection.start_worker()
        if self.wait:
            connection.wait_until_connected(self.timeout)


class TILEWRIGHT_OT_stop_worker(Action, bpy.types.Operator):
    """Stop the worker. A training in progress is saved and can be resumed later"""

    bl_idname = "tilewright.stop_worker"
    bl_label = "Stop"

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return unless(session.current.state != "stopped", "No worker is running")

    def act(self, _context: bpy.types.Context) -> None:
        connection.stop_worker()


class TILEWRIGHT_OT_refresh_models(Action, bpy.types.Operator):
    """Ask the worker again which models it has"""

    bl_idname = "tilewright.refresh_models"
    bl_label = "Refresh Models"

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return no_worker()

    def act(self, _context: bpy.types.Context) -> None:
        connection.refresh()


class TILEWRIGHT_OT_dismiss_error(Action, bpy.types.Operator):
    """Take this error off the panel"""

    bl_idname = "tilewright.dismiss_error"
    bl_label = "Dismiss"

    job: StringProperty(options={"SKIP_SAVE", "HIDDEN"})

    def act(self, _context: bpy.types.Context) -> None:
        session.current.dismiss(self.job)


def tidy_worker() -> None:
    """Let the worker remove from its folder what nobody needs any more.

    Raises:
        WorkerError: `worker_gone` without a connection.
    """
    session.current.ask(Tidy())


class TILEWRIGHT_OT_tidy_worker(Action, bpy.types.Operator):
    """Remove old results, logs and damaged files from the worker's folder. Runs and models stay"""

    bl_idname = "tilewright.tidy_worker"
    bl_label = "Tidy Up"

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return no_worker() or unless(
            session.current.speaks(1, 4), "The worker is older than the extension: set it up again"
        )

    def act(self, _context: bpy.types.Context) -> None:
        tidy_worker()


def set_up_worker() -> None:
    """Make an environment for the worker and install it there; it goes on in the background.

    Raises:
        RequestError: `not_allowed` where Blender may not go online.
        WorkerError: `worker_setup` where the extension holds no wheel.
    """
    installation.check_online_access()
    installation.get().start(installation.bundled_wheel())


def cancel_setup() -> None:
    """End the setup, and delete what it has made so far; a worker that was there stays."""
    installation.get().cancel()


class TILEWRIGHT_OT_set_up_worker(Action, bpy.types.Operator):
    """Install the worker with TensorFlow into a folder of its own. Blender itself stays as it is"""

    bl_idname = "tilewright.set_up_worker"
    bl_label = "Set Up Worker"

    wait: BoolProperty(
        name="Wait", description="Return only when it is set up", options={"SKIP_SAVE"}
    )
    timeout: FloatProperty(name="Timeout", default=3600.0, min=0.1, options={"SKIP_SAVE"})

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        setup = installation.get()
        return (
            when(setup.running, "The worker is being set up")
            or when(setup.removing, "What was left unfinished is being deleted")
            or unless(session.current.state == "stopped", "Stop the worker first")
            or unless(
                bpy.app.online_access,
                "Tick Allow Online Access in Preferences > System > Network, or copy the command",
            )
        )

    def act(self, _context: bpy.types.Context) -> None:
        set_up_worker()
        if self.wait:
            installation.get().wait(self.timeout)


class TILEWRIGHT_OT_cancel_setup(Action, bpy.types.Operator):
    """End the setup. What was downloaded so far is deleted; a worker that was there before stays"""

    bl_idname = "tilewright.cancel_setup"
    bl_label = "Cancel"

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return unless(installation.get().running, "Nothing is being set up")

    def act(self, _context: bpy.types.Context) -> None:
        cancel_setup()


class TILEWRIGHT_OT_copy_setup_command(Action, bpy.types.Operator):
    """Copy the command that sets the worker up in a terminal. It is found by itself afterwards"""

    bl_idname = "tilewright.copy_setup_command"
    bl_label = "Copy Command"

    def act(self, context: bpy.types.Context) -> None:
        command = installation.terminal_command(installation.bundled_wheel())
        context.window_manager.clipboard = command
        self.tell("INFO", "The command was copied: paste it into a terminal")


def run_doctor() -> None:
    """Examine the worker that the preferences name; the findings come in one by one."""
    doctor.get().start()


def cancel_doctor() -> None:
    """End the examination; what was found so far stays."""
    doctor.get().cancel()


class TILEWRIGHT_OT_run_doctor(Action, bpy.types.Operator):
    """Check everything the worker needs, and say what is wrong and how to cure it"""

    bl_idname = "tilewright.run_doctor"
    bl_label = "Worker Doctor"

    wait: BoolProperty(
        name="Wait", description="Return only when all checks are made", options={"SKIP_SAVE"}
    )
    timeout: FloatProperty(name="Timeout", default=300.0, min=0.1, options={"SKIP_SAVE"})

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return when(doctor.get().running, "The checks are being made")

    def act(self, _context: bpy.types.Context) -> None:
        run_doctor()
        if self.wait:
            doctor.get().wait(self.timeout)


class TILEWRIGHT_OT_cancel_doctor(Action, bpy.types.Operator):
    """Make no more checks. What was found so far stays"""

    bl_idname = "tilewright.cancel_doctor"
    bl_label = "Cancel"

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return unless(doctor.get().running, "No checks are being made")

    def act(self, _context: bpy.types.Context) -> None:
        cancel_doctor()


class TILEWRIGHT_OT_copy_report(Action, bpy.types.Operator):
    """Copy all findings as text. It holds neither keys nor your name"""

    bl_idname = "tilewright.copy_report"
    bl_label = "Copy Report"

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return unless(doctor.get().ran, "Run the Worker Doctor first")

    def act(self, context: bpy.types.Context) -> None:
        context.window_manager.clipboard = doctor.get().report()
        self.tell("INFO", "The report was copied")


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_start_worker,
        TILEWRIGHT_OT_stop_worker,
        TILEWRIGHT_OT_refresh_models,
        TILEWRIGHT_OT_dismiss_error,
        TILEWRIGHT_OT_tidy_worker,
        TILEWRIGHT_OT_set_up_worker,
        TILEWRIGHT_OT_cancel_setup,
        TILEWRIGHT_OT_copy_setup_command,
        TILEWRIGHT_OT_run_doctor,
        TILEWRIGHT_OT_cancel_doctor,
        TILEWRIGHT_OT_copy_report,
    )
)
