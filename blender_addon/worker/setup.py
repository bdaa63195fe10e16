"""Sets the worker up from Blender: the setup program as a child process, and what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import bpy

from gan_worker import __version__
from gan_worker.errors import ErrorInfo, RequestError, TilewrightError, WorkerError

from .. import state
from . import preferences, pump
from .child_process import ChildProcess

PROGRAM = Path(__file__).with_name("setup_program.py")
LOOK_EVERY = 2.0
LINES_KEPT = 8

_STEP = re.compile(r"\[(\d)/(\d)\] (.*)")


class Setup(state.Part):
    """One setup at a time.

    Attributes:
        need: `missing` where no worker is installed, `astray` where the chosen one is not there, `outdated`
            where the one that was set up here is of another version than the extension, else empty; seen every
            few seconds.
        step: what is being done, in words.
        fraction: share of the steps that are done.
        lines: the last lines of the log.
        seconds: since the setup began.
        error: why the last one failed; None where it did not.
    """

    def __init__(self) -> None:
        self.need = ""
        self.step = ""
        self.fraction = 0.0
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.seconds = 0.0
        self.error: ErrorInfo | None = None
        self._process: ChildProcess | None = None
        self._removing: ChildProcess | None = None
        self._began = self._looked_at = 0.0

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def removing(self) -> bool:
        """Whether what a cancelled setup left is still being deleted."""
        return self._removing is not None

    @property
    def log(self) -> Path:
        return preferences.log_folder() / "setup.log"

    def start(
        self, wheel: Path, pythons: Sequence[str] = (), pip_options: Sequence[str] = ()
    ) -> None:
        """Set the worker up, or set it up anew.

        Args:
            wheel: of tilewright.
            pythons: Pythons to make the environment with, the best first; else they are looked for.
            pip_options: more options for pip.

        Raises:
            WorkerError: `busy` while one runs or is being removed, `worker_command` where Blender's Python
                cannot be run.
        """
        if self.running or self.removing:
            raise WorkerError(
                "busy",
                "Only one setup may work on the worker's folder; one runs, or is being removed.",
                "Wait until it has ended, or cancel it.",
            )
        self.error, self.step, self.fraction = None, "Starting", 0.0
        self.lines.clear()
        options = [f"--wheel={wheel}"]
        options += [f"--python={python}" for python in pythons]
        options += [f"--pip={option}" for option in pip_options]
        self._process = ChildProcess(_command(*options), self.log)
        self._began = time.monotonic()

    def tick(self) -> None:
        """Take in what the setup has written since the last call."""
        now = time.monotonic()
        if self._removing is not None:
            self._follow_removal(self._removing)
        if self._process is not None:
            self.seconds = now - self._began
            self._follow(self._process)
        elif now - self._looked_at > LOOK_EVERY:
            self._looked_at = now
            self.need = what_is_needed()
            self.error = self.error if self.need else None

    def cancel(self) -> None:
        """End the setup; another process deletes what it has made so far, and brings back what was there."""
        if self._process is None:
            return
        self._process.end()
        self._process = None
        self.lines.clear()
        self._removing = ChildProcess(_command("--remove"), self.log.with_name("removal.log"))

    def closing(self) -> None:
        self.cancel()

    def wait(self, timeout: float) -> None:
        """Wait for the end of a setup, for scripts.

        Raises:
            WorkerError: `worker_setup` why it failed, or `worker_silent` after so many seconds.
        """
        end = time.monotonic() + timeout
        while self.running or self.removing:
            self.tick()
            if time.monotonic() > end:
                self.cancel()
                raise WorkerError(
                    "worker_silent",
                    f"Setting up the worker must end within {timeout:g} s; it did not.",
                    "Allow more time.",
                )
            time.sleep(0.02)
        if self.error is not None:
            raise WorkerError(self.error.code, self.error.message, self.error.cure)

    def _follow(self, process: ChildProcess) -> None:
        code = self._read(process)
        if code is None:
            return
        self._process = None
        if code == 0:
            python = str(preferences.environment_python())
            preferences.keep(worker_python=python, location="LOCAL")
            self.need, self.fraction = "", 1.0
        else:
            self._explain(code, "Setting up the worker", process.log)

    def _follow_removal(self, process: ChildProcess) -> None:
        code = self._read(process)
        if code is None:
            return
        self._removing = None
        if code:
            self._explain(code, "Deleting what the cancelled setup has made", process.log)

    def _read(self, process: ChildProcess) -> int | None:
        """Take in what it has written; returns its exit code once that is all."""
        ended, lines = process.poll(), process.lines()
        for line in lines:
            self._take(line)
        if ended is None or lines:
            return None
        process.close()
        return ended

    def _take(self, line: str) -> None:
        step = _STEP.match(line)
        if step:
            self.step, self.fraction = step[3], (int(step[1]) - 1) / int(step[2])
        elif line.startswith('{"error"'):
            self.error = ErrorInfo(**json.loads(line)["error"])
        elif line.strip():
            self.lines.append(line.strip())

    def _explain(self, code: int, what: str, log: Path) -> None:
        """Say that it broke off, where it has not said why itself."""
        if self.error is None:
            said = self.lines[-1] if self.lines else f"exit code {code}"
            self.error = ErrorInfo(
                "worker_setup",
                f"{what} must come to an end; it broke off: {said}",
                f"Press Set Up Worker again. The log is {log}.",
            )


def _command(*options: str) -> list[str]:
    # Isolated and without compiled files: the extension's folder may be read-only. Isolated, it takes its encoding from
    # an option alone: without, names outside the system's code page end it.
    folder = str(preferences.environment_folder())
    return [sys.executable, "-I", "-X", "utf8", "-B", str(PROGRAM), folder, *options]


def what_is_needed() -> str:
    """`missing`, `astray`, `outdated` or nothing: see `Setup.need`."""
    chosen = preferences.get()
    if chosen.location == "REMOTE":
        return ""
    try:
        command = preferences.worker_command(chosen)
    except TilewrightError:
        return "missing"
    if not Path(command[0]).is_file():
        return "astray"
    ours = command[0] == str(preferences.environment_python())
    return "outdated" if ours and not preferences.is_set_up(__version__) else ""


def bundled_wheel() -> Path:
    """The wheel of the worker that comes with the extension.

    Raises:
        WorkerError: `worker_setup` where the add-on was not installed from its zip.
    """
    found = sorted(Path(__file__).parents[1].glob("wheels/tilewright-*.whl"))
    if not found:
        raise WorkerError(
            "worker_setup",
            "The extension must hold the worker's wheel; this add-on was enabled from its source.",
            "Install the extension from its zip, or the worker by hand as gan_worker/README.md says.",
        )
    return found[-1]


def check_online_access() -> None:
    """Raise where Blender may not download.

    Raises:
        RequestError: `not_allowed`.
    """
    if not bpy.app.online_access:
        raise RequestError(
            "not_allowed",
            "Blender must be allowed to go online to download the worker; it is not.",
            "Tick Allow Online Access in Preferences > System > Network, or copy the command.",
        )


def terminal_command(wheel: Path) -> str:
    """What to type into a terminal for what Set Up Worker does, seeing all that pip says."""
    python, *rest = _command("--wheel", str(wheel))
    if (
        os.name == "nt"
    ):  # a line that begins with a quoted path runs in the command prompt, not in PowerShell
        return subprocess.list2cmdline(["py", "-3", *rest]) + "\n"
    return shlex.join([python, *rest]) + "\n"


def get() -> Setup:
    """The setup of this Blender."""
    return state.of_blender.get(Setup)


def _shown() -> object:
    setup = get()
    return setup.need, setup.running, setup.removing, round(setup.seconds)


register, unregister = pump.joining(pump.Subject(tick=lambda: get().tick(), shown=_shown))
