"""Start, reach and stop the worker."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, FloatProperty, StringProperty

from gan_worker.client.client import Client
from gan_worker.errors import RequestError
from gan_worker.wire.keys import read_connection

from . import doctor, preferences, pump, session
from . import setup as installation
from .reporting import Action, no_worker, unless, when


def start_worker(processes: int = 1) -> None:
    """Start the worker that the preferences name, or connect to the one they name.

    Args:
        processes: compute processes of a worker that is started.

    Raises:
        WorkerError: `worker_command`, or `worker_silent` where the key folder has no address.
        RequestError: `not_allowed` where the worker is on another computer and Blender is offline.
    """
    chosen = preferences.get()
    if chosen.location == "REMOTE":
        connect(Path(bpy.path.abspath(chosen.key_folder)), chosen.remote_address)
        return
    session.current.start_worker(
        preferences.worker_command(chosen),
        preferences.home_folder(chosen),
        preferences.log_folder(),
        ("--processes", str(processes)) if processes > 1 else (),
    )


def connect(key_folder: Path, host: str = "") -> None:
    """Connect to a worker that was started by hand.

    Args:
        key_folder: the folder `gan-worker serve` wrote its `connection.json` into.
        host: name or address to use instead of the one in that file.

    Raises:
        WorkerError: `worker_silent` where the key folder has no address.
        RequestError: `not_allowed` where the worker is on another computer and Blender is offline.
    """
    found = read_connection(key_folder)
    control, bulk = (_at_host(address, host) for address in (found.control, found.bulk))
    check_online_access(control.removeprefix("tcp://"))
    session.current.connect(
        Client(control, bulk, found.server_key, found.keys, "Blender", warm=True)
    )


def _at_host(address: str, host: str) -> str:
    """The same port on another host: `tcp://0.0.0.0:5555` is no place to connect to."""
    port = address.rpartition(":")[2]
    return f"tcp://{host}:{port}" if host else address


def check_online_access(host: str) -> None:
    """Hold that Blender may reach that host.

    Raises:
        RequestError: `not_allowed` where it is another computer and Blender is offline.
    """
    if preferences.may_reach(host):
        return
    raise RequestError(
        "not_allowed",
        f"Blender must be allowed to go online to reach a worker at {host}; it is not.",
        "Tick Allow Online Access in Preferences > System > Network.",
    )


def wait_until_connected(timeout: float = 30.0) -> None:
    """Wait for the worker's first answer, for scripts.

    Raises:
        WorkerError: why the worker did not start, or `worker_silent`.
    """
    pump.wait(lambda: session.current.connected, timeout)


def stop_worker() -> None:
    """Let a worker of ours save and leave; let go of any other."""
    session.current.stop_worker()


def refresh() -> None:
    """Ask the worker again which models it has."""
    session.current.refresh()


class TILEWRIGHT_OT_start_worker(Action, bpy.types.Operator):
    """Start the worker, or connect to the one set in the preferences"""

    bl_idname = "tilewright.start_worker"
    bl_label = "Start"

    wait: BoolProperty(
        name="Wait", description="Return only when it is connected", options={"SKIP_SAVE"}
    )
    timeout: FloatProperty(name="Timeout", default=30.0, min=0.1, options={"SKIP_SAVE"})

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return unless(session.current.state == "stopped", "The worker is started already")

    def act(self, _context: bpy.types.Context) -> None:
        start_worker()
        if self.wait:
            wait_until_connected(self.timeout)


class TILEWRIGHT_OT_stop_worker(Action, bpy.types.Operator):
    """Stop the worker. A training in progress is saved and can be resumed later"""

    bl_idname = "tilewright.stop_worker"
    bl_label = "Stop"

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return unless(session.current.state != "stopped", "No worker is running")

    def act(self, _context: bpy.types.Context) -> None:
        stop_worker()


class TILEWRIGHT_OT_refresh_models(Action, bpy.types.Operator):
    """Ask the worker again which models it has"""

    bl_idname = "tilewright.refresh_models"
    bl_label = "Refresh Models"

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return no_worker()

    def act(self, _context: bpy.types.Context) -> None:
        refresh()


class TILEWRIGHT_OT_dismiss_error(Action, bpy.types.Operator):
    """Take this error off the panel"""

    bl_idname = "tilewright.dismiss_error"
    bl_label = "Dismiss"

    job: StringProperty(options={"SKIP_SAVE", "HIDDEN"})

    def act(self, _context: bpy.types.Context) -> None:
        session.current.dismiss(self.job)


def set_up_worker() -> None:
    """Make an environment for the worker and install it there; it goes on in the background.

    Raises:
        RequestError: `not_allowed` where Blender may not go online.
        WorkerError: `worker_setup` where the extension holds no wheel.
    """
    installation.check_online_access()
    installation.get().start(installation.bundled_wheel())


def cancel_setup() -> None:
    """End the setup, and delete what it has made so far."""
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
    """End the setup. What was downloaded so far is deleted"""

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
        self.report({"INFO"}, "The command was copied: paste it into a terminal")


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
        self.report({"INFO"}, "The report was copied")


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_start_worker,
        TILEWRIGHT_OT_stop_worker,
        TILEWRIGHT_OT_refresh_models,
        TILEWRIGHT_OT_dismiss_error,
        TILEWRIGHT_OT_set_up_worker,
        TILEWRIGHT_OT_cancel_setup,
        TILEWRIGHT_OT_copy_setup_command,
        TILEWRIGHT_OT_run_doctor,
        TILEWRIGHT_OT_cancel_doctor,
        TILEWRIGHT_OT_copy_report,
    )
)
