"""A recipe on a local Ray cluster of several processes, one of them killed: the real command, Blender and GAN."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

psutil = pytest.importorskip("psutil")
pytest.importorskip("ray", reason="Ray is an extra")
pytest.importorskip("bpy", reason="a batch needs Blender", exc_type=ImportError)

PATIENCE = 240.0
ITEMS = 12
RECIPE = """
[[rules]]
select = { name = "Cube*" }
model = "Starter Red Bricks"
latent = { by = "name" }
size = 128
"""

# Three Blenders, Ray and TensorFlow in four processes.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def batch(cubes, tmp_path, monkeypatch):
    """Starts `gan-worker batch` on a scene of cubes, with results in a folder of that name."""
    monkeypatch.setenv("HOME", str(tmp_path))  # Ray keeps its token there
    monkeypatch.setenv("BLENDER_USER_RESOURCES", str(tmp_path / "blender"))
    scene, recipe = cubes(ITEMS), tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)

    def start(name, *options):
        paths = ("--out", tmp_path / f"{name}.blend", "--results", tmp_path / name)
        command = (sys.executable, "-m", "gan_worker", "batch", recipe, "--scene", scene)
        return subprocess.Popen([*command, *paths, "--home", tmp_path / "home", *options])

    return start


def entries(folder: Path, state: str):
    lines = (folder / "batch.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["state"] == state]


def files(folder: Path):
    return {f.name: f.read_bytes() for f in folder.iterdir() if f.suffix in (".png", ".json")}


def actors(pid):
    """Processes of Ray's that hold an actor, below a process."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if process.cmdline()[:1] and process.cmdline()[0].startswith("ray::_Actor"):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def test_a_killed_actor_loses_no_item_and_changes_no_byte(batch, tmp_path):
    on_ray = batch("ray", "--ray", "local")
    log, end = tmp_path / "ray" / "batch.jsonl", time.monotonic() + PATIENCE
    while not log.exists() or log.read_bytes().count(b"\n") < 3:
        assert on_ray.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    held = actors(on_ray.pid)
    assert len(held) >= min(2, os.cpu_count())
    held[0].kill()
    assert on_ray.wait(PATIENCE) == 0
    made = entries(tmp_path / "ray", "made")
    assert len(made) == len({entry["key"] for entry in made}) == ITEMS
    assert len(entries(tmp_path / "ray", "kept")) == ITEMS
    assert all(entry["objects"] for entry in made)
    assert batch("one").wait(PATIENCE) == 0
    assert files(tmp_path / "one") == files(tmp_path / "ray")
    assert len(files(tmp_path / "ray")) == ITEMS * 6
    assert not psutil.pid_exists(held[0].pid)
