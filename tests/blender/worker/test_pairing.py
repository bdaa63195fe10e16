"""Pairing from Blender with a real worker on this computer: typed once, kept, and said where it fails."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

from blender_addon.training import training
from blender_addon.worker import preferences, pump, session
from gan_worker.errors import RequestError
from gan_worker.wire.keys import read_clients


@pytest.fixture
def console(worker_python: str, tmp_path: Path) -> Iterator[tuple[str, str, str]]:
    """Address and code, as a worker's console shows them, and all that it shows."""
    command = [
        worker_python,
        "-m",
        "gan_worker",
        "serve",
        "--pair",
        "--home",
        str(tmp_path / "home"),
    ]
    with (tmp_path / "log").open("wb") as log:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": log}
        process = subprocess.Popen(command, text=True, **pipes)
    text = ""
    while "Code" not in text:
        text += process.stdout.readline()
        assert process.poll() is None
    assert json.loads(text.splitlines()[0])["pid"] == process.pid
    address, code = (re.search(rf"{word} +(\S+)", text)[1] for word in ("Address", "Code"))
    yield address, code, text
    process.kill()
    process.communicate()


def test_a_code_typed_once_connects_now_and_every_time(console, tmp_path):
    address, code, shown = console
    assert f"press {bpy.ops.tilewright.pair_worker.get_rna_type().name}," in shown
    bpy.context.preferences.is_dirty = False
    assert bpy.ops.tilewright.pair_worker(address=address, code=code, wait=True) == {"FINISHED"}
    assert bpy.context.preferences.is_dirty, (
        "a code is good once: Blender must save what came of it"
    )
    assert session.current.connected
    assert not bpy.ops.tilewright.pair_worker.poll()
    chosen = preferences.get()
    assert chosen.location == "REMOTE"
    assert Path(chosen.key_folder) == preferences.pairing_folder("127.0.0.1")
    (name,) = read_clients(tmp_path / "home" / "keys").values()
    assert name.startswith("Blender on ")
    bpy.ops.tilewright.stop_worker()
    bpy.ops.tilewright.start_worker(wait=True)
    assert session.current.connected
    with pytest.raises(RequestError, match="paired"):  # said before the worker refuses it
        training.check_same_computer()
    bpy.ops.tilewright.stop_worker()
    bpy.ops.tilewright.pair_worker(address=address, code=code, wait=True)
    assert session.current.last_error.code == "pairing_failed"  # a code is good once
    assert bpy.ops.tilewright.pair_worker.poll()


def test_a_wrong_code_is_said_and_nothing_is_chosen(console):
    address, code, _ = console
    wrong = ("0" if code[0] != "0" else "1") + code[1:]
    bpy.ops.tilewright.pair_worker(address=address, code=wrong, wait=True)
    assert session.current.last_error.code == "pairing_failed"
    assert preferences.get().location == "LOCAL"


@pytest.mark.parametrize(
    ("address", "code", "reason"),
    [
        ("gpu.example.org:5555", "K7QX2-9MBTD", "not_allowed"),
        ("127.0.0.1", "K7QX2-9MBTD", "pairing_failed"),
        ("127.0.0.1:5555", "short", "pairing_failed"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(address, code, reason):
    assert not bpy.app.online_access
    with pytest.raises(RuntimeError, match=rf"\[{reason}\]"):
        bpy.ops.tilewright.pair_worker(address=address, code=code)
    assert bpy.ops.tilewright.pair_worker.poll()
    assert pump.companions() == 0
