"""The end of an artist's day: the doctor, the worker stopped, and Blender left."""

from __future__ import annotations

import time
from typing import Any

import pytest

# Every wait has its own limit.
pytestmark = pytest.mark.timeout(1800)


def test_the_doctor_looks_at_everything(window: Any) -> None:
    window.open_only("Worker")
    window.click("run_doctor")
    doctor = "addon('worker.doctor').get()"
    window.wait(f"{doctor}.ran and not {doctor}.running")
    found = dict(window.ask(f"[(f.name, f.state) for f in {doctor}.findings]"))
    assert {"Python", "TensorFlow", "Disk", "Memory"} <= set(found)
    assert "bad" not in found.values(), found
    window.photograph("doctor")


def test_stop_ends_the_worker(window: Any, workers: Any) -> None:
    window.click("ops.tilewright.stop_worker(", 0.75)
    window.wait("session().state == 'stopped'")
    end = time.monotonic() + 60
    while workers():
        assert time.monotonic() < end, workers()
        window.settle(20)


def test_quitting_leaves_no_worker_behind(window: Any, workers: Any) -> None:
    window.start_worker()
    window.ask("bpy.app.timers.register(bpy.ops.wm.quit_blender, first_interval=0.1)")
    assert window.process.wait(60) == 0
    end = time.monotonic() + 10  # a compute process that was just started takes a second to end
    while workers():
        assert time.monotonic() < end, workers()
        time.sleep(0.05)
