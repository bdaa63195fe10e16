"""Launcher of a worker on this computer: starts, watches and ends it, with bounded patience, never blocking."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from gan_worker.errors import ErrorInfo, TilewrightError, WorkerError, error_from_info
from gan_worker.files import age_of
from gan_worker.wire.codec import VERSION, other_version
from gan_worker.wire.keys import KeyPair, new_key_pair

logger = logging.getLogger(__name__)

PATIENCE = 30.0
TAIL = 600
# Of the workers before: seconds, and how many.
LOGS_KEPT, MOST_LOGS = 7 * 24 * 3600.0, 20


@dataclass(frozen=True)
class Launched:
    """A worker that listens: everything `Client` needs.

    Attributes:
        control: address.
        bulk: address.
        server_key: the worker's public key.
        keys: the key pair of this side.
        version: of Tilewright on the worker's side.
        pid: of the server process.
    """

    control: str
    bulk: str
    server_key: str
    keys: KeyPair
    version: str
    pid: int


class Launcher:
    """One worker as a child of this process; it ends when this process is gone.

    Args:
        command: such as `[python, "-m", "gan_worker"]`; `serve --keys-from-stdin` is appended.
        home: folder of runs; None for the worker's own default.
        log_folder: where the worker's log goes.
        options: more options of `gan-worker serve`.
        patience: seconds until a worker that says nothing is given up.
    """

    def __init__(
        self,
        command: Sequence[str],
        home: Path | None,
        log_folder: Path,
        options: Sequence[str] = (),
        patience: float = PATIENCE,
    ) -> None:
        self._command = [*command, "serve", "--keys-from-stdin", *options]
        if home is not None:
            self._command += ["--home", str(home)]
        self._folder = log_folder
        self._patience = patience
        self._label = f"{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._server_keys = new_key_pair()
        self._keys = new_key_pair()
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: TilewrightError | None = None
        self._launched: Launched | None = None
        self._started_at = 0.0

    @property
    def log_path(self) -> Path:
        """The log of the worker's server process."""
        return self._folder / f"worker-{self._label}.log"

    @property
    def _answer_path(self) -> Path:
        return self._folder / f"worker-{self._label}.json"

    @property
    def running(self) -> bool:
        """Whether the worker's process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the worker; what goes wrong is raised by `poll`."""
        if self.running:
            return
        self.stop()  # of the one before, its end of the pipe is still open
        self._failure = self._launched = None
        self._started_at = time.monotonic()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._remove_old_logs()
            with self._answer_path.open("wb") as answer, self.log_path.open("wb") as log:
                self._process = self._spawn(answer, log)
            self._hand_over_keys()
        except (OSError, ValueError) as error:
            self._failure = self._wrong_command(
                f"it cannot be run ({getattr(error, 'strerror', None) or error})"
            )

    def poll(self) -> Launched | None:
        """Look whether the worker listens by now.

        Returns:
            How to reach it, or None while it has not said so yet.

        Raises:
            WorkerError: `worker_command`, `worker_start`, or what the worker said, as
                `port_in_use`.
        """
        if self._failure is not None:
            raise self._failure
        if self._process is None:
            return None
        if self._launched is None:
            ended = self._process.poll() is not None
            self._launched = self._read_answer(ended)
        return self._launched

    def stop(self) -> None:
        """Let the worker save a checkpoint and leave; it does so although nobody waits for it."""
        if self._process is not None and self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                logger.debug("the worker had closed its stdin")
        _remove(self._answer_path)

    def kill(self) -> None:
        """End the server process at once; its compute process saves and leaves by itself."""
        self.stop()
        if self._process is not None:
            self._process.kill()
            self._process.wait(5)

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the worker; for scripts. False where it still runs."""
        try:
            if self._process is not None:
                self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _spawn(self, answer: IO[bytes], log: IO[bytes]) -> subprocess.Popen[bytes]:
        # A group of its own: Ctrl+C in the terminal of Blender must not end the worker before it
        # saves.
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        flags |= getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=answer,
            stderr=log,
            env=own_environment(),
            creationflags=flags,
            start_new_session=os.name == "posix",
        )

    def _remove_old_logs(self) -> None:
        found = [*self._folder.glob("worker-*.log"), *self._folder.glob("worker-*.json")]
        # Another Blender that starts now removes them too.
        for number, (age, path) in enumerate(sorted((age_of(path), path) for path in found)):
            if number >= MOST_LOGS or age > LOGS_KEPT:
                _remove(path)

    def _hand_over_keys(self) -> None:
        told = {
            "public": self._server_keys.public,
            "secret": self._server_keys.secret,
            "clients": [self._keys.public],
        }
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(told).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            logger.debug("the command ended before it read its keys")

    def _read_answer(self, ended: bool) -> Launched | None:
        line, newline, _ = self._answer_path.read_bytes().partition(b"\n")
        if newline:
            return self._understand(line)
        if ended:
            self._fail_to_start("it ended before it said where it listens")
        if time.monotonic() - self._started_at > self._patience:
            self.kill()
            self._fail_to_start(f"it said nothing for {self._patience:.0f} s")
        return None

    def _understand(self, line: bytes) -> Launched:
        try:
            said = json.loads(line)
            if "error" in said:
                raise self._remember(error_from_info(ErrorInfo(**said["error"])))
            if said["protocol"][0] != VERSION[0]:
                raise self._remember(other_version(said["protocol"]))
            return Launched(
                said["control"],
                said["bulk"],
                said["server_key"],
                self._keys,
                said["version"],
                said["pid"],
            )
        except (ValueError, KeyError, TypeError):
            self.kill()
            text = line[:80].decode("utf-8", "replace")
            raise self._remember(self._wrong_command(f"it said {text!r}")) from None

    def _fail_to_start(self, what: str) -> None:
        code = self._process.poll() if self._process is not None else None
        tail = _tail(self.log_path)
        known = "No module named gan_worker" in tail or "No module named 'gan_worker'" in tail
        if known or code in (126, 127):
            raise self._remember(self._wrong_command(f"it ended with: {tail or code}"))
        raise self._remember(
            WorkerError(
                "worker_start",
                f"The worker must start and say where it listens; {what} (exit code {code}).",
                f"Look at {self.log_path}. Its end: {tail or 'it is empty.'}",
            )
        )

    def _remember(self, error: TilewrightError) -> TilewrightError:
        self._failure = error
        return error

    def _wrong_command(self, what: str) -> WorkerError:
        return WorkerError(
            "worker_command",
            f"The worker command must start Tilewright's worker; {self._command[0]!r} does not: "
            f"{what}.",
            "Set Worker Python in the preferences of Tilewright: it is the Python of the environment "
            "that the worker is installed in.",
        )


def own_environment() -> dict[str, str]:
    """The variables for a Python of its own: those that lead to Blender's Python are left out."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}


def _remove(path: Path) -> None:
    """Remove a file; Windows keeps what a worker that is alive still writes to, which a later start then removes."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.debug("%s stays for now: %s", path.name, error)


def _tail(path: Path) -> str:
    try:
        text: Any = path.read_bytes()[-TAIL:].decode("utf-8", "replace").strip()
    except OSError:
        return ""
    return str(text)
