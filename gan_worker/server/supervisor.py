"""Supervisor of a compute process: started on demand, watched, pressed, ended."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import zmq

from gan_worker.files import is_odd, patiently, put_aside
from gan_worker.wire.codec import Message, encode
from gan_worker.wire.keys import KeyPair, new_key_pair
from gan_worker.wire.sockets import send

if TYPE_CHECKING:
    from gan_worker.wire.messages import ComputeState

logger = logging.getLogger(__name__)

LOG_LIMIT = 4 * 1024 * 1024
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
COMMAND = (sys.executable, "-m", "gan_worker.compute.process")

# What somebody wants of a job that runs; from the strongest to the weakest.
Wish = Literal["cancel", "stop", "pause"]
WISHES: dict[Wish, str] = {
    "cancel": "a job that was cancelled did not end",
    "stop": "a training that was stopped did not end",
    "pause": "a training that was paused did not pause",
}


@dataclass(frozen=True)
class Patience:
    """How long the compute process is waited for, in seconds.

    Attributes:
        terminate: from asking it to give up a job to SIGTERM.
        kill: from asking to SIGKILL.
        leave_terminate: from asking it to save and end to SIGTERM; for a training that is stopped or paused, from its
            last sign of work, but never less than `terminate` from the asking.
        leave_kill: the same to SIGKILL, and `kill`.
        stall: without a sign of work while it has a job, before it counts as wedged.
        start: for it to come up.
        idle: without a job, before it is ended so that its memory returns.
        idle_on_processor: the same where it holds no memory of a GPU, which Blender needs for its renders.
    """

    terminate: float = 5.0
    kill: float = 10.0
    leave_terminate: float = 20.0
    leave_kill: float = 25.0
    stall: float = 600.0
    start: float = 180.0
    idle: float = 300.0
    idle_on_processor: float = 1800.0


class ComputeProcess:
    """At most one child process that holds TensorFlow.

    Args:
        socket: the ROUTER it connects to.
        address: of that socket.
        server_key: public key of that socket.
        allow: called with the public key that may connect there.
        log_path: where its log goes.
        settings: what else it is told on its stdin.
        command: how it is started.
        patience: how long it is waited for.
        environment: variables it has besides those of this process.
    """

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        address: str,
        server_key: str,
        allow: Callable[[set[str]], None],
        log_path: Path,
        settings: dict[str, Any],
        command: Sequence[str] = COMMAND,
        patience: Patience | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._socket = socket
        self._told = {**settings, "address": address, "server_key": server_key}
        self._allow = allow
        self.log_path = log_path
        self._environment = dict(environment or {})
        self._command = list(command)
        self._patience = patience or Patience()
        self._process: subprocess.Popen[bytes] | None = None
        self._route = b""
        self._deadlines: tuple[float, float] | None = None
        self._pressed_by = ""
        self._wish: Wish | None = None
        self._told_commands = 0
        self._asked_at = self._sign_at = 0.0
        self.state: ComputeState = "off"
        self.device = ""
        self.memory_mb = 0.0

    @property
    def alive(self) -> bool:
        return self._process is not None

    @property
    def ready(self) -> bool:
        return self.state in ("idle", "busy")

    def start(self) -> None:
        """Start it; a command that cannot be run counts as a death."""
        keys = new_key_pair()
        self._allow({keys.public})
        self._route, self._deadlines, self._pressed_by = b"", None, ""
        self._wish, self._told_commands = None, 0
        self._sign_at = time.monotonic()
        with self._open_log() as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**QUIET, **os.environ, **self._environment},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        self._tell_keys(keys)
        self.state = "starting"
        logger.info("compute process %d started", self._process.pid)

    def send(self, body: Any) -> bool:
        """Tell it something; False where it cannot be told."""
        try:
            return send(self._socket, [self._route, *encode(Message(body))])
        except zmq.ZMQError as error:
            logger.warning("the compute process cannot be reached: %s", error)
            return False

    def tell(self, command: Any) -> None:
        """Tell it a command, of which it says in its signs that it has heard it."""
        self._told_commands += self.send(command)

    def came_up(self, route: bytes, device: str) -> None:
        """It is there and knows its device."""
        self._route, self.device = route, device
        if self.state == "starting":
            self.state = "idle"
        self.sign()

    def sign(self, memory_mb: float | None = None, heard: int = 0) -> None:
        """It gave a sign of work.

        Args:
            memory_mb: that it holds, where the sign says so.
            heard: commands that it has taken so far; 0 where the sign says nothing of it.
        """
        self._sign_at = time.monotonic()
        if memory_mb is not None:
            self.memory_mb = memory_mb
        if self._wish in ("stop", "pause") and self._deadlines and self.state != "stopping":
            paused = self._wish == "pause" and heard >= self._told_commands
            self._deadlines = None if paused else self._deadlines_of_wish()

    def set_busy(self, busy: bool) -> None:
        """Note whether it has a job; where that changes, waiting for signs starts anew."""
        wanted: ComputeState = "busy" if busy else "idle"
        if self.ready and self.state != wanted:
            self.state = wanted
            self._sign_at = time.monotonic()

    def press(self, why: str) -> None:
        """It must end: from now on it has `kill` seconds."""
        if self._deadlines is None:
            now = time.monotonic()
            self._deadlines = (now + self._patience.terminate, now + self._patience.kill)
            self._pressed_by = why

    def ask(self, wish: Wish | None) -> None:
        """Note the strongest that is wanted of its jobs: where it does not do that in time, it is ended.

        Args:
            wish: None where it has done all.
        """
        if wish == self._wish or self.state == "stopping":
            return
        self._wish, self._asked_at = wish, time.monotonic()
        self._deadlines = self._deadlines_of_wish() if wish else None
        self._pressed_by = WISHES[wish] if wish else ""

    def _deadlines_of_wish(self) -> tuple[float, float]:
        """To cancel it has nothing to do; for the rest it may be in a slow step, and saves, while it gives signs."""
        patience, asked, sign = self._patience, self._asked_at, self._sign_at
        terminate, kill = asked + patience.terminate, asked + patience.kill
        if self._wish == "cancel":
            return terminate, kill
        return (
            max(terminate, sign + patience.leave_terminate),
            max(kill, sign + patience.leave_kill),
        )

    def leave(self, message: Any) -> None:
        """Ask it to save and end; its stdin closes, so that it hears that in any case.

        While it starts it has nothing to save, and hears nothing either: it is ended at once.
        """
        if self._process is None or self.state == "stopping":
            return
        if self._route:
            self.send(message)
        now = time.monotonic()
        patience = 0.0 if self.state == "starting" else self._patience.leave_terminate
        limits = (now + patience, now + self._patience.leave_kill)
        self.state = "stopping"
        if self._deadlines is None:
            self._deadlines, self._pressed_by = limits, "it was asked to end"
        self._close_stdin()

    def watch(self) -> str | None:
        """Call often. Says why it ended, once, where it has ended since the last call."""
        if self._process is None:
            return None
        code = self._process.poll()
        if code is not None:
            return self._bury(code)
        now = time.monotonic()
        self._watch_signs(now)
        if self._deadlines is not None and now >= self._deadlines[1]:
            self._process.kill()
        elif self._deadlines is not None and now >= self._deadlines[0]:
            self._process.terminate()
        return None

    def idle_too_long(self) -> bool:
        """Whether it has had no job for so long that it should be ended."""
        patience = self._patience
        limit = patience.idle_on_processor if self.device == "CPU" else patience.idle
        return self.state == "idle" and time.monotonic() - self._sign_at > limit

    def kill(self) -> None:
        """End it now and wait for that."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(5)
            self._bury(self._process.returncode)

    def _watch_signs(self, now: float) -> None:
        limit = {"starting": self._patience.start, "busy": self._patience.stall}.get(self.state)
        if limit is not None and now - self._sign_at > limit and self._deadlines is None:
            logger.error("the compute process gave no sign for %.0f s", now - self._sign_at)
            self._deadlines = (now, now + self._patience.kill - self._patience.terminate)
            self._pressed_by = f"it gave no sign of work for {limit:.0f} s"

    def _bury(self, code: int) -> str:
        reason = self._pressed_by or _reason(code)
        logger.info("compute process ended: %s", reason)
        self._close_stdin()
        self._allow(set())
        self._process, self._route, self._deadlines = None, b"", None
        self.state, self.memory_mb = "off", 0.0
        return reason

    def _tell_keys(self, keys: KeyPair) -> None:
        told = {**self._told, "public": keys.public, "secret": keys.secret}
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(told).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            logger.warning("the compute process ended before it was told anything: %s", error)

    def _close_stdin(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                logger.debug("its stdin was broken already")

    def _open_log(self) -> Any:
        if is_odd(self.log_path):
            put_aside(self.log_path, "it is no plain file", "Nothing is lost by that.")
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_LIMIT:
            patiently(self.log_path.replace, self.log_path.with_suffix(".old.log"))
        # Somebody may have tidied up under a worker that runs.
        self.log_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.log_path.open("ab")


def _reason(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
