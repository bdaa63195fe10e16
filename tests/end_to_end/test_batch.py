"""A scene's batch, killed again and again with all its processes: Blender, the worker, TensorFlow."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("bpy", reason="a batch needs Blender", exc_type=ImportError)

COUNT = 100
RECIPE = """
[[rules]]
select = { name = "Cube*" }
model = "Starter Red Bricks"
size = 64
latent = { by = "neighbourhood", distance = 5 }
"""


def processes_below(pid: int, children_of: Callable[[int], list[int]]) -> list[int]:
    return [
        found
        for child in children_of(pid)
        for found in (child, *processes_below(child, children_of))
    ]


def states_in(folder: Path) -> list[str]:
    """What a batch's log says of its items; a last line that a kill has cut is left out."""
    log = folder / "batch.jsonl"
    lines = log.read_text().split("\n")[:-1] if log.exists() else []
    return [json.loads(line)["state"] for line in lines]


def made_files(folder: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in folder.iterdir() if f.suffix in (".png", ".json")}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes")
def test_killed_again_and_again_at_random_it_has_the_bytes_of_one_run(
    cubes, children_of, tmp_path, monkeypatch
):
    monkeypatch.setenv("BLENDER_USER_RESOURCES", str(tmp_path / "blender"))
    chance = random.Random(1)  # what each process does meanwhile is chance enough
    scene, recipe = cubes(COUNT), tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    interrupted, at_once = tmp_path / "maps", tmp_path / "at once"

    def start(results: Path, processes: int) -> subprocess.Popen[bytes]:
        paths = ("--scene", scene, "--out", tmp_path / "out.blend", "--results", results)
        command = (sys.executable, "-m", "gan_worker", "batch", recipe)
        options = ("--home", tmp_path / "home", "--processes", str(processes))
        return subprocess.Popen([*command, *paths, *options])

    for processes in (2, 1):
        before = states_in(interrupted).count("made")
        more = chance.randint(2, 8)
        # Most of a round is TensorFlow's start, in each process.
        batch = start(interrupted, processes)
        end = time.monotonic() + 200
        while states_in(interrupted).count("made") < before + more:
            assert batch.poll() is None
            assert time.monotonic() < end
            time.sleep(chance.uniform(0.001, 0.02))
        for pid in (batch.pid, *processes_below(batch.pid, children_of)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert batch.wait(20) == -signal.SIGKILL
    assert not (tmp_path / "out.blend").exists()
    assert start(interrupted, 1).wait(200) == 0
    assert states_in(interrupted)[-COUNT:].count("kept") >= 2 * 2
    assert start(at_once, 2).wait(200) == 0
    assert made_files(interrupted) == made_files(at_once)
