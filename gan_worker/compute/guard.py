"""Guard of a compute process: ends it where the server is gone and it does not end by itself.

A compute process whose server was killed saves and leaves by itself. One that is wedged, in native code or stopped,
cannot, and would hold its run and its GPU for ever. So each has a guard, which waits beside it for the end of the same
pipe from the server, and then for its end. It knows the process by number and start time, so that another one is never
meant.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

import psutil

# Seconds until a process that was left alone is ended: a little more than it allows itself.
PATIENCE = 27.0


def start_guard(pipe: int) -> subprocess.Popen[bytes]:
    """Start the guard of this process; it says a line as soon as it waits.

    Args:
        pipe: from the server, of which it waits for the end.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "gan_worker.compute.guard", str(os.getpid())],
        stdin=pipe,
        stdout=subprocess.PIPE,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def main(pid: int, patience: float = PATIENCE) -> None:
    """Wait for the end of stdin, then end a process, unless it ends in time.

    Args:
        pid: of the process.
        patience: how long it has, in seconds.
    """
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(psutil.NoSuchProcess, BrokenPipeError):
        guarded = psutil.Process(pid)
        os.write(1, b"\n")
        while os.read(0, 4096):
            pass
        try:
            guarded.wait(patience)
        except psutil.TimeoutExpired:
            guarded.kill()


if __name__ == "__main__":
    main(int(sys.argv[1]))
