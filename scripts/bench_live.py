"""Measures how fast a material follows a slider, how long that holds Blender up, and what a thousand moves leave."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
# Read once, when Blender's module is imported: the user's own preferences stay as they are.
os.environ.setdefault("BLENDER_USER_RESOURCES", tempfile.mkdtemp(prefix="tilewright-bench-"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

MODEL, FULL, PREVIEW = "bench", 512, 256
EVENTS, PACE = 1000, 1 / 120
PATIENCE = 300.0


def make_model(runs: str) -> None:
    """A `tiny` model of five maps; in a process of its own, because Blender knows no TensorFlow."""
    from bench_generation import make_model as make

    make(Path(runs))


class Desk:
    """Blender's module with the add-on, a worker, and a plane with a generated material."""

    def __init__(self, home: Path) -> None:
        import bpy

        bpy.ops.preferences.addon_enable(module="blender_addon")
        from blender_addon import event_timer, live, materials, preferences, session
        from blender_addon.operators import generation, steering, worker
        from gan_worker.config import GenerationConfig

        self.timer, self.live, self.materials, self.session = event_timer, live, materials, session
        self.settle, self.data = steering.settle, bpy.data
        chosen = preferences.get()
        chosen.worker_python, chosen.home_folder = sys.executable, str(home)
        worker.start_worker()
        worker.wait_until_connected(PATIENCE)
        event_timer.wait(lambda: session.current.model(MODEL) is not None, PATIENCE)
        bpy.context.scene.tilewright.preview_size = PREVIEW
        bpy.ops.mesh.primitive_plane_add()
        config = GenerationConfig(MODEL, 1, FULL, FULL)
        (job,) = generation.generate_for_objects([bpy.context.object], config)
        event_timer.wait_for_job(job, PATIENCE)
        self.material = bpy.context.object.active_material
        self.forward: list[float] = []
        session.current.listeners.append(self._listen)

    def _listen(self, event: Any) -> None:
        seconds = getattr(event, "forward_seconds", None)
        if seconds is not None:
            self.forward.append(seconds)

    def move(self, amount: float) -> None:
        """Set the slider, as Blender does for each movement of the mouse."""
        self.material.tilewright.latents.directions["pca 1"].amount = amount

    def pump(self, until: Callable[[], bool]) -> None:
        """Tick as Blender's timer does until something holds."""
        while not until():
            time.sleep(self.timer.tick())

    def shows(self, amount: float) -> bool:
        """Whether the pixels of this position are in the image, at preview size."""
        recipe = self.materials.read_recipe(self.material)
        shown = dict(recipe.directions).get("pca 1", 0.0)
        return recipe.width == PREVIEW and abs(shown - amount) < 1e-3


def measure_latency(desk: Desk, times: int) -> list[tuple[str, str]]:
    """From a slider's event to changed pixels, one event after the other."""
    waits, beyond = [], []
    for number in range(times + 3):
        amount = 0.01 * (number + 1)
        started = time.perf_counter()
        desk.move(amount)
        desk.pump(lambda amount=amount: desk.shows(amount))
        waits.append(time.perf_counter() - started)
        beyond.append(waits[-1] - desk.forward[-1])
    desk.settle(PATIENCE)
    return [
        (f"event to changed pixels at {PREVIEW}², median", _ms(waits[3:])),
        ("the same without the generator's forward pass, median", _ms(beyond[3:])),
    ]


def measure_drag(desk: Desk) -> list[tuple[str, str]]:
    """A thousand events without a pause: what is asked for, and what is left of it."""
    desk.settle(PATIENCE)
    known, images = set(desk.session.current.jobs), len(desk.data.images)
    gc.collect()
    memory = _memory_mib()
    desk.timer.statistics.__init__()
    asked: set[str] = set()
    began = time.perf_counter()
    for number in range(EVENTS):
        desk.move(-1.0 + number / 500)
        due = began + (number + 1) * PACE
        while time.perf_counter() < due:
            time.sleep(min(desk.timer.tick(), max(0.0, due - time.perf_counter())))
        asked |= set(desk.session.current.jobs) - known
    drag, ended = time.perf_counter() - began, time.perf_counter()
    last = -1.0 + (EVENTS - 1) / 500
    desk.pump(lambda: desk.shows(last))
    caught_up = time.perf_counter() - ended
    desk.settle(PATIENCE)
    gc.collect()
    counted = desk.timer.statistics
    return [
        (f"{EVENTS} events in {drag:.1f} s: previews asked for", str(len(asked))),
        ("last event to its pixels", f"{caught_up * 1000:.0f} ms"),
        ("requests, work and images left over", str(_left_over(desk, images))),
        ("memory left over", f"{_memory_mib() - memory:+.1f} MiB"),
        ("longest tick, by the clock", f"{counted.longest * 1000:.1f} ms"),
        ("longest tick, computing", f"{counted.longest_cpu * 1000:.1f} ms"),
    ]


def _left_over(desk: Desk, images: int) -> int:
    waiting = len(desk.session.current.running("generate")) + desk.timer.pending()
    return waiting + len(desk.data.images) - images


def _ms(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.0f} ms"


def _memory_mib() -> float:
    """Resident memory of this process; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench_live", description=__doc__)
    parser.add_argument("--times", type=int, default=40, help="single events (default: 40)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tilewright-bench-") as folder:
        home = Path(folder)
        maker = multiprocessing.get_context("spawn").Process(
            target=make_model, args=(str(home / "runs"),)
        )
        maker.start()
        maker.join()
        desk = Desk(home)
        try:
            rows = [*measure_latency(desk, options.times), *measure_drag(desk)]
        finally:
            desk.session.current.close()
    print("| measured | figure |\n|---|---|")
    for row in rows:
        print(f"| {row[0]} | {row[1]} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
