"""The compute process as its server starts it: what it is told on stdin, and what is there afterwards."""

import json
import os
import subprocess
import sys

import pytest

from gan_worker.wire.keys import new_key_pair

# Its program says what it finds on stdin, and which guard there is, and waits in vain for the server.
COMPUTE = """
import os, stat, subprocess, sys
import psutil
from gan_worker.compute.process import main

class Idle:
    def __init__(self, home):
        child = "import sys; print(len(sys.stdin.read()), flush=True)"
        subprocess.run([sys.executable, "-c", child], check=True, timeout=20)
        guard, = psutil.Process().children()
        print(stat.S_ISFIFO(os.fstat(0).st_mode), guard.pid, flush=True)

    def device_name(self):
        return "IDLE"

raise SystemExit(main(Idle))
"""


@pytest.fixture
def compute(tmp_path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", COMPUTE], **pipes) as process:
        pair = new_key_pair()
        told = {
            **{"public": pair.public, "secret": pair.secret, "server_key": new_key_pair().public},
            **{"address": "tcp://127.0.0.1:9", "roots": [], "home": str(tmp_path)},
            "results": str(tmp_path / "results"),
        }
        process.stdin.write(json.dumps(told).encode() + b"\n")
        process.stdin.flush()
        yield process
        process.kill()


def test_nothing_that_it_loads_or_starts_finds_the_server_s_pipe_on_stdin(compute):
    assert compute.stdout.readline() == b"0\n"
    assert compute.stdout.readline().startswith(b"False ")
    compute.stdin.close()
    assert compute.wait(20) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what another's stdin is")
def test_its_guard_has_that_pipe(compute):
    compute.stdout.readline()
    guard = compute.stdout.readline().split()[1].decode()
    pipe = os.fstat(compute.stdin.fileno())
    its = os.stat(f"/proc/{guard}/fd/0")  # noqa: PTH116 — a link that is no path
    assert (its.st_dev, its.st_ino) == (pipe.st_dev, pipe.st_ino)
