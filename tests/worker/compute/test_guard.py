"""The guard of a compute process: what is left alone and does not end by itself is ended, and nothing else."""

import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

SLEEPER = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]
GUARD = "from gan_worker.compute import guard; guard.main({pid}, {patience}); print('left')"


@pytest.fixture
def guarded():
    """A process that would sleep for long."""
    with subprocess.Popen(SLEEPER, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()


@contextmanager
def guard(pid, patience):
    command = [sys.executable, "-c", GUARD.format(pid=pid, patience=patience)]
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    with subprocess.Popen(command, **pipes) as process:
        yield process
        assert process.wait(20) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there nothing can be stopped")
def test_a_stopped_process_is_ended_once_the_server_is_gone(guarded):
    guarded.send_signal(signal.SIGSTOP)
    with guard(guarded.pid, 0.1) as watching:
        watching.stdin.close()
        assert guarded.wait(20) == -signal.SIGKILL


def test_what_ends_in_time_is_left_alone(guarded):
    with guard(guarded.pid, 60) as watching:
        assert watching.stdout.readline() == b"\n", "it says that it waits"
        watching.stdin.close()
        guarded.terminate()
        guarded.wait()
        assert watching.stdout.read() == b"left\n"


def test_where_the_process_is_gone_the_guard_goes(guarded):
    guarded.kill()
    guarded.wait()
    with guard(guarded.pid, 60) as watching:
        assert watching.stdout.read() == b"left\n"


def test_as_long_as_the_server_lives_nothing_is_ended(guarded):
    with guard(guarded.pid, 0) as watching:
        watching.stdin.write(b"keys")
        watching.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            watching.wait(0.3)
        assert guarded.poll() is None
        watching.stdin.close()
        guarded.wait(20)
