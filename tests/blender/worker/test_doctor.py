"""The worker doctor in Blender: a real child process, which may misbehave."""

from __future__ import annotations

import os
import time
from pathlib import Path

import bpy
import pytest

from blender_addon import state as owners
from blender_addon.worker import doctor, preferences, pump
from gan_worker.wire.keys import new_key_pair, open_key_folder, write_connection

HEAD = '{"title": "Tilewright 0.1.0, Linux", "protocol": [1, 0], "checks": ["Port", "Disk"]}'
GOOD = '{"name": "Port", "state": "good", "found": "open", "cure": ""}'
BAD = '{"name": "Disk", "state": "bad", "found": "full", "cure": "Free some space."}'
# The whole doctor, but for TensorFlow, which takes long to load and is tried in other tests.
REAL = """#!{python}
import sys
from gan_worker.doctor import checks, view
checks.Doctor.__init__.__defaults__ = ((sys.executable, "-c", "pass"), 20.0)
sys.exit(view.main(sys.argv[4:]))
"""


@pytest.fixture
def worker_that(tmp_path):
    """Makes a program that stands where the worker should be."""

    def make(script: str) -> None:
        program = tmp_path / "worker"
        program.write_text(script)
        program.chmod(0o755)
        preferences.get().worker_python = str(program)

    yield make
    owners.of_blender.drop()


def says(*lines: str) -> str:
    return "#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines)


def names(state: str) -> list[str]:
    return [finding.name for finding in doctor.get().findings if finding.state == state]


def found(name: str) -> object:
    return next(finding for finding in doctor.get().findings if finding.name == name)


def until(holds, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        pump.tick()
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_doctor_of_the_worker_is_run_and_heard(worker_that, worker_python, tmp_path):
    worker_that(REAL.format(python=worker_python))
    preferences.get().home_folder = str(tmp_path / "home")
    bpy.ops.tilewright.run_doctor(wait=True, timeout=120)
    assert found("Worker").state == found("Pictures").state == "good"
    assert str(tmp_path / "home") in found("Disk").found
    assert found("Protocol").state == "good"
    assert names("bad") == ["TensorFlow", "Learning"]


def test_findings_come_one_by_one_and_the_report_holds_them(worker_that, tmp_path):
    gate = tmp_path / "gate"
    wait = f"while [ ! -e {gate} ]; do sleep 0.02; done\n"
    worker_that(says(HEAD, GOOD) + wait + f"echo '{BAD}'\n")
    bpy.ops.tilewright.run_doctor()
    until(lambda: "Port" in names("good"))
    assert doctor.get().running
    assert doctor.get().coming == ["Disk"]
    assert not bpy.ops.tilewright.run_doctor.poll()
    gate.touch()
    until(lambda: not doctor.get().running)
    assert found("Disk").cure == "Free some space."
    text = doctor.get().report()
    assert "Worker: Tilewright 0.1.0, Linux" in text
    assert "good     Port         open\n" in text
    assert bpy.ops.tilewright.copy_report() == {"FINISHED"}


def test_a_worker_that_is_no_worker_is_a_finding_with_what_it_said(worker_that):
    worker_that("#!/bin/sh\necho No module named gan_worker >&2\nexit 1\n")
    bpy.ops.tilewright.run_doctor(wait=True)
    assert "No module named gan_worker" in found("Doctor").found
    assert found("Doctor").cure


def test_a_doctor_that_dies_half_way_is_a_finding(worker_that):
    worker_that(says(HEAD, GOOD) + "kill -9 $$\n")
    bpy.ops.tilewright.run_doctor(wait=True)
    assert "Port" in names("good")
    assert "exit code -9" in found("Doctor").found


def test_a_worker_of_another_protocol_is_bad_and_both_are_named(worker_that):
    worker_that(says(HEAD.replace("[1, 0]", "[7, 3]"), GOOD, BAD))
    bpy.ops.tilewright.run_doctor(wait=True)
    assert found("Protocol").state == "bad"
    assert "7.3" in found("Protocol").found


def test_without_a_worker_the_cure_is_named(worker_that, monkeypatch):
    monkeypatch.setenv("PATH", "")
    bpy.ops.tilewright.run_doctor(wait=True)
    assert names("bad") == ["Command"]
    preferences.get().worker_python = "/none/such/python"
    bpy.ops.tilewright.run_doctor(wait=True)
    assert "/none/such/python" in found("Command").found
    assert "Worker Python" in found("Command").cure


def test_cancel_ends_the_doctor_and_what_it_started(worker_that, tmp_path):
    pid = tmp_path / "pid"
    worker_that(f"#!/bin/sh\nsleep 60 & echo $! > {pid}.new; mv {pid}.new {pid}\nwait\n")
    bpy.ops.tilewright.run_doctor()
    until(pid.exists)
    bpy.ops.tilewright.cancel_doctor()
    assert not doctor.get().running
    until(lambda: not is_alive(int(pid.read_text())))


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be buried does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_way_to_a_worker_elsewhere_is_checked(worker_that, tmp_path):
    chosen = preferences.get()
    chosen.location, chosen.key_folder = "REMOTE", str(tmp_path)
    bpy.ops.tilewright.run_doctor(wait=True)
    assert names("bad") == ["Keys"]
    open_key_folder(tmp_path)
    write_connection(tmp_path, "tcp://127.0.0.1:9", "tcp://127.0.0.1:10", new_key_pair().public)
    chosen.remote_address = "gpu.example.org"
    bpy.ops.tilewright.run_doctor(wait=True)
    assert names("bad") == ["Online Access"]
    assert "gan-worker doctor" in found("Worker").cure
