"""Registering leaves nothing behind, however often it is done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bpy

from blender_addon.steering import changes
from blender_addon.worker import pump, session


def handlers() -> int:
    lists = (
        getattr(bpy.app.handlers, n)
        for n in (
            "save_pre",
            "load_pre",
            "load_post",
            "undo_post",
            "redo_post",
            "frame_change_post",
        )
    )
    return sum(f.__module__.startswith("blender_addon") for found in lists for f in found)


def classes() -> set[str]:
    kinds = (bpy.types.Panel, bpy.types.Operator, bpy.types.PropertyGroup)
    return {c.__name__ for kind in kinds for c in kind.__subclasses__() if "TILEWRIGHT" in str(c)}


def test_hundred_reloads_leave_one_timer_and_as_many_handlers(addon):
    before = handlers()
    assert before >= 4
    for _ in range(100):
        addon.unregister()
        assert not bpy.app.timers.is_registered(pump._timer)
        assert handlers() == 0
        addon.register()
    assert bpy.app.timers.is_registered(pump._timer)
    assert handlers() == before
    assert len(changes.listeners) == 1
    bpy.app.timers.unregister(pump._timer)  # there was only this one
    assert not bpy.app.timers.is_registered(pump._timer)
    bpy.app.timers.register(pump._timer, persistent=True)


def test_unregister_takes_everything_away(addon):
    addon.unregister()
    try:
        assert not hasattr(bpy.types.Scene, "tilewright")
        assert not hasattr(bpy.types.Material, "tilewright")
        assert not hasattr(bpy.types, "TILEWRIGHT_PT_worker")
        assert not hasattr(bpy.types, "TILEWRIGHT_OT_start_worker")
    finally:
        addon.register()
    assert hasattr(bpy.types, "TILEWRIGHT_PT_worker")


def test_unregister_closes_the_connection(addon, stand_in):
    addon.unregister()
    addon.register()
    assert stand_in.closed
    assert session.current.state == "stopped"


def test_session_loads_neither_bpy_nor_tensorflow():
    root = Path(__file__).resolve().parents[2]
    code = (
        "import sys, types\n"
        "addon = sys.modules['addon'] = types.ModuleType('addon')\n"
        f"addon.__path__ = [{str(root / 'blender_addon')!r}]\n"
        "import addon.worker.session\n"
        "bad = {'bpy', 'tensorflow', 'keras'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=60)
