"""A program that runs beside Blender: it writes into a log, which is read a little at a time, never waiting."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gan_worker.client.launcher import own_environment
from gan_worker.errors import WorkerError

# More than this in one tick would be felt.
PIECE = 64 * 1024
# Seconds; Blender waits that long.
ENDS_WITHIN = 5.0


class ChildProcess:
    """A program with a log.

    Args:
        command: program and arguments.
        log: where all that it writes goes; replaced if it is there.

    Raises:
        WorkerError: `worker_command` where it cannot be run.
    """

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.log = log
        self._partial = b""
        # A group of its own: all that it starts can be ended with it.
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        try:
            with log.open("wb") as written:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=written,
                    stderr=subprocess.STDOUT,
                    env={**own_environment(), "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},
                    creationflags=flags,
                    start_new_session=os.name == "posix",
                )
        except OSError as error:
            raise WorkerError(
                "worker_command",
                f"{command[0]} must be a program that can be run; it is not ({error.strerror}).",
                "Correct Worker Python in the preferences of Tilewright, or set the worker up again.",
            ) from error
        self._read = log.open("rb")

    def poll(self) -> int | None:
        """Exit code; None while it runs."""
        return self._process.poll()

    def lines(self) -> list[str]:
        """What it has written since the last call, in whole lines; after its end, the rest too."""
        ended = self.poll() is not None
        read = self._read.read(PIECE)
        *whole, self._partial = (self._partial + read).split(b"\n")
        if ended and not read and self._partial:
            whole, self._partial = [self._partial], b""
        return [line.decode("utf-8", "replace").rstrip("\r") for line in whole]

    def end(self) -> None:
        """End it and all that it started, at once."""
        if self.poll() is None:
            end_tree(self._process.pid)
            # What outlives even that is met by whoever needs its files, and told there.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDS_WITHIN)
        self.close()

    def close(self) -> None:
        """Let go of the log."""
        self._read.close()


def end_tree(pid: int) -> None:
    """Tell a program in a group of its own, and all that it started, to end at once."""
    if sys.platform != "win32":
        os.killpg(pid, signal.SIGKILL)
    else:
        command = ["taskkill", "/F", "/T", "/PID", str(pid)]
        subprocess.run(command, capture_output=True, creationflags=subprocess.CREATE_NO_WINDOW)
