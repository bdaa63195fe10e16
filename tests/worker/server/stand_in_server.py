"""A server as `gan-worker serve` starts it, with a stand-in for TensorFlow and little patience: for loops of hours."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from gan_worker.server import main
from gan_worker.server.server import ServerConfig
from gan_worker.server.supervisor import Patience

STAND_IN = Path(__file__).with_name("stand_in_compute.py")
QUICK = Patience(terminate=1.0, kill=2.0, leave_terminate=3.0, leave_kill=4.0, start=20.0)

if __name__ == "__main__":
    command = (sys.executable, str(STAND_IN))
    main.ServerConfig = partial(ServerConfig, compute_command=command)  # type: ignore[misc]
    main._patience = lambda _idle: QUICK
    raise SystemExit(main.main(sys.argv[2:]))
