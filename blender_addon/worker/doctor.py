"""The worker doctor in Blender: what only Blender can check, then `gan-worker doctor` as a child process."""

from __future__ import annotations

import json
import time
from importlib import metadata

import bpy

from gan_worker import __version__
from gan_worker.doctor.findings import Finding, finding_from_json, report
from gan_worker.errors import TilewrightError, WorkerError
from gan_worker.wire.codec import VERSION

from .. import state
from . import preferences, pump, session
from .child_process import ChildProcess

TAIL = 3


class Checkup(state.Part):
    """One examination at a time.

    Attributes:
        findings: what was found so far.
        coming: names of the checks that are still to come.
        ran: whether there was an examination in this session of Blender.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.coming: list[str] = []
        self.ran = False
        self._titles: list[str] = []
        self._unread: list[str] = []
        self._process: ChildProcess | None = None

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Check what is known here at once, and start the worker's own checks."""
        self.cancel()
        chosen = preferences.get()
        self.findings, self.coming, self._unread, self.ran = [], [], [], True
        self._titles = [f"Tilewright {__version__} in Blender {bpy.app.version_string}"]
        self.findings += _check_blender(chosen)
        if chosen.location == "REMOTE":
            self.findings += _check_remote(chosen)
            return
        try:
            self._process = ChildProcess(_command(chosen), preferences.log_folder() / "doctor.log")
        except TilewrightError as error:
            self.findings.append(_finding("Command", error))

    def tick(self) -> None:
        """Take in what the worker's doctor has written since the last call."""
        if self._process is None:
            return
        ended = self._process.poll()
        lines = self._process.lines()
        for line in lines:
            self._take(line)
        if ended is not None and not lines:
            self._end(ended)

    def cancel(self) -> None:
        """End the worker's checks; what was found stays."""
        if self._process is not None:
            self._process.end()
            self._process = None
        self.coming = []

    def closing(self) -> None:
        self.cancel()

    def wait(self, timeout: float) -> None:
        """Wait for the end of an examination, for scripts.

        Raises:
            WorkerError: `worker_silent` after so many seconds.
        """
        end = time.monotonic() + timeout
        while self.running:
            self.tick()
            if time.monotonic() > end:
                self.cancel()
                raise WorkerError(
                    "worker_silent",
                    f"The worker doctor must end within {timeout:g} s; it did not.",
                    "Allow more time.",
                )
            time.sleep(0.02)

    def report(self) -> str:
        """All findings as plain text, without the user's name."""
        return report("\n".join(self._titles), self.findings)

    def _take(self, line: str) -> None:
        try:
            data = json.loads(line)
            if "checks" in data:
                self.coming = [str(name) for name in data["checks"]]
                self._titles.append(f"Worker: {data['title']}")
                self.findings.append(_check_protocol(data["protocol"]))
            else:
                self.findings.append(finding_from_json(data))
                self.coming = self.coming[1:]
        except (ValueError, KeyError, TypeError):
            self._unread = [*self._unread, line][-TAIL:]

    def _end(self, code: int) -> None:
        self._process.close()
        self._process = None
        if self.coming or len(self._titles) == 1:
            said = " ".join(self._unread).strip() or f"exit code {code}"
            self.findings.append(
                Finding(
                    "Doctor",
                    "bad",
                    f"the worker's own checks ended early: {said}",
                    "Set the worker up again, or correct Worker Python in the preferences.",
                )
            )
        self.coming = []


def _command(chosen: preferences.TilewrightPreferences) -> list[str]:
    command = [*preferences.worker_command(chosen), "doctor", "--json"]
    home = preferences.home_folder(chosen)
    return [*command, "--home", str(home)] if home else command


def _check_blender(chosen: preferences.TilewrightPreferences) -> list[Finding]:
    """What is known without asking anybody: the bundled pyzmq and the connection."""
    found = []
    try:
        session.check_pyzmq()
        found.append(Finding("Extension", "good", f"pyzmq {metadata.version('pyzmq')}"))
    except TilewrightError as error:
        found.append(_finding("Extension", error))
    now = session.current
    if now.connected:
        text = f"to version {now.server_version}, which computes on {now.device or 'nothing yet'}"
        return [*found, Finding("Connection", "good", text)]
    if now.last_error is not None:
        error = now.last_error
        return [*found, Finding("Connection", "bad", error.message, error.cure)]
    if now.state == "stopped":
        cure = "Press Start in the Worker panel."
        return [*found, Finding("Connection", "warning", "no worker was started", cure)]
    cure = "Wait for the worker's first answer; its own checks follow below."
    return [*found, Finding("Connection", "warning", f"{now.state}, no answer yet", cure)]


def _check_remote(chosen: preferences.TilewrightPreferences) -> list[Finding]:
    """The way to a worker that somebody started by hand; the rest must be checked where it runs."""
    try:
        found = preferences.chosen_connection(chosen)
    except TilewrightError as error:
        return [_finding("Keys", error)]
    host = chosen.remote_address or preferences.host_of(found.control)
    findings = [Finding("Keys", "good", f"the worker's key and address, {host}, are known")]
    if not preferences.may_reach(host):
        cure = "Tick Allow Online Access in Preferences > System > Network."
        text = f"Blender may not go online, and {host} is another computer"
        findings.append(Finding("Online Access", "bad", text, cure))
    text = "the rest can only be checked on the computer with the worker"
    findings.append(Finding("Worker", "warning", text, "Run there: gan-worker doctor"))
    return findings


def _check_protocol(theirs: list[int]) -> Finding:
    ours, other = (".".join(map(str, version)) for version in (VERSION, theirs))
    text = f"{ours} in Blender, {other} in the worker"
    if theirs[0] != VERSION[0]:
        cure = "Update Tilewright on the side with the lower number."
        return Finding("Protocol", "bad", text, cure)
    return Finding("Protocol", "good", text)


def _finding(name: str, error: TilewrightError) -> Finding:
    return Finding(name, "bad", error.info.message, error.info.cure)


def get() -> Checkup:
    """The examination of this Blender."""
    return state.of_blender.get(Checkup)


register, unregister = pump.joining(
    pump.Subject(
        tick=lambda: get().tick(),
        shown=lambda: (len(get().findings), get().running),
    )
)
