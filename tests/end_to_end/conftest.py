"""A real worker with the real GAN, launched as Blender launches it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_worker.client.client import Client
from gan_worker.client.launcher import Launched, Launcher

START = 60.0
MAKE_CUBES = """
import sys, bpy
bpy.ops.wm.read_homefile(use_empty=True)
for number in range(int(sys.argv[2])):
    obj = bpy.data.objects.new(f"Cube {number:03}", bpy.data.meshes.new("cube"))
    bpy.context.scene.collection.objects.link(obj)
    obj.location.x = number
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
"""


class Worker:
    """A launched worker and the clients that speak to it."""

    def __init__(self, folder: Path, make_ear: Callable[[Any], Any]) -> None:
        self.home = folder / "home"
        command = (sys.executable, "-m", "gan_worker")
        self.launcher = Launcher(command, self.home, folder / "logs")
        self._make_ear = make_ear
        self.ears: list[Any] = []

    def start(self) -> Any:
        """Start the server and connect a client."""
        self.launcher.start()
        end = time.monotonic() + START
        while (launched := self.launcher.poll()) is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        self.launched: Launched = launched
        client = Client(launched.control, launched.bulk, launched.server_key, launched.keys)
        self.ears.append(self._make_ear(client))
        return self.ears[-1]

    def compute_pid(self) -> int:
        return children(self.launched.pid)[0]

    def end(self) -> None:
        for ear in self.ears:
            ear.client.close()
        self.launcher.stop()
        assert self.launcher.wait(40)


def children(pid: int) -> list[int]:
    """Child processes of a process, from /proc."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def alive(pid: int) -> bool:
    """Whether a process runs and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    return alive


@pytest.fixture
def children_of() -> Callable[[int], list[int]]:
    return children


@pytest.fixture
def worker(tmp_path: Path, make_ear: Callable[[Any], Any]) -> Iterator[Worker]:
    worker = Worker(tmp_path, make_ear)
    yield worker
    worker.end()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small picture with structure, made by NumPy."""
    from gan_worker.materials.pictures import write_picture

    path = tmp_path / "stripes.png"
    y, x = np.mgrid[:96, :96] / 96
    bright = 0.5 + 0.4 * np.sin(40 * x) * np.cos(25 * y)
    noise = np.random.default_rng(0).normal(0, 0.05, (96, 96, 3))
    write_picture(path, np.clip(bright[..., None] + noise, 0, 1).astype(np.float32))
    return path


@pytest.fixture
def cubes(tmp_path: Path) -> Callable[[int], Path]:
    """Makes a .blend with so many objects in a row, in a Blender of its own."""

    def make(count: int) -> Path:
        scene = tmp_path / "in.blend"
        subprocess.run([sys.executable, "-c", MAKE_CUBES, scene, str(count)], check=True)
        return scene

    return make
