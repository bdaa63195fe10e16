"""The worker's memory given back: when it is asked for, and before a render."""

from __future__ import annotations

import bpy
import pytest

from blender_addon.worker import memory, preferences, pump, session
from gan_worker.client.events import Connected
from gan_worker.config import TrainingConfig
from gan_worker.errors import ErrorInfo, RequestError
from gan_worker.wire.messages import Release, WorkerStatus

ASKED = ("ask", Release())


@pytest.fixture
def idle(stand_in):
    """A worker that holds a GPU and does nothing."""
    stand_in.events.append(Connected("0.1.0", (1, 1), "GPU Fine 3000", "idle"))
    pump.tick()
    return stand_in


def render_begins() -> None:
    for handler in list(bpy.app.handlers.render_init):
        handler(bpy.context.scene, None)


def becomes(worker, state: str) -> None:
    worker.events.append(WorkerStatus(state, "", 900.0))
    pump.tick()


def test_the_button_works_only_while_something_is_held_and_idle(idle):
    assert bpy.ops.tilewright.free_memory.poll()
    for state in ("busy", "off", "stopping"):
        becomes(idle, state)
        assert not bpy.ops.tilewright.free_memory.poll()
    becomes(idle, "idle")
    bpy.ops.tilewright.free_memory()
    assert idle.calls[-1] == ASKED


def test_a_render_gets_the_memory_of_the_gpu(idle, monkeypatch):
    waited = []
    monkeypatch.setattr(pump, "wait", lambda holds, timeout: waited.append(timeout))
    render_begins()
    assert idle.calls[-1] == ASKED
    assert waited  # in the background, where no timer fires


def test_a_render_ends_what_starts_without_work(idle, monkeypatch):
    monkeypatch.setattr(pump, "wait", lambda holds, timeout: None)
    becomes(idle, "starting")
    session.current.device = ""
    render_begins()
    assert idle.calls[-1] == ASKED


def test_what_was_interrupted_is_no_work_that_a_render_waits_for(idle, monkeypatch):
    monkeypatch.setattr(pump, "wait", lambda holds, timeout: None)
    job = session.current.train(TrainingConfig("bricks", ("a.png",)))
    idle.state(job.id, "interrupted", ErrorInfo("out_of_memory", "", ""))
    becomes(idle, "starting")
    session.current.device = ""
    render_begins()
    assert idle.calls[-1] == ASKED


@pytest.mark.parametrize("why", ["option", "busy", "CPU", "older"])
def test_a_render_takes_nothing_away_that_is_used_or_not_in_its_way(idle, why):
    if why == "option":
        preferences.get().free_before_render = False
    elif why == "busy":
        becomes(idle, "busy")
    elif why == "CPU":
        session.current.device = "CPU"
    else:
        session.current.protocol = (1, 0)
    render_begins()
    preferences.get().property_unset("free_before_render")
    assert ASKED not in idle.calls


def test_an_older_worker_is_named(idle):
    session.current.protocol = (1, 0)
    with pytest.raises(RequestError, match="older"):
        memory.free_memory()


def test_the_handler_leaves_with_the_addon(addon):
    assert bpy.app.handlers.render_init.count(memory._before_rendering) == 1
    addon.unregister()
    try:
        assert memory._before_rendering not in bpy.app.handlers.render_init
    finally:
        addon.register()
