"""Measures what an artist waits for and what a worker costs, on this computer, as a table."""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import own_blender

own_blender.use_own_folder()

import numpy as np
from rich.console import Console
from rich.table import Table

from gan_worker.client.client import Client
from gan_worker.client.events import Connected, MaterialReady, PreviewReady
from gan_worker.client.launcher import Launched, Launcher
from gan_worker.config import Credits, GenerationConfig, TrainingConfig
from gan_worker.errors import TilewrightError, error_from_info
from gan_worker.progress import TrainingProgress
from gan_worker.wire.messages import JobRejected, JobState

WORDS = {
    "base_color": "Color",
    "roughness": "Roughness",
    "normal": "NormalGL",
    "height": "Displacement",
    "ambient_occlusion": "AmbientOcclusion",
}
SIDE = 1024
PATIENCE = 300.0
RUNS = 200
POLL = 0.002


@dataclass
class Row:
    """One line of the table: what was measured, the figure as text, and what it should be below."""

    what: str
    figure: str
    target: str = ""
    good: bool | None = None


class Worker:
    """A worker process and a client that waits with patience."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        command = [sys.executable, "-m", "gan_worker"]
        self.launcher = Launcher(command, self.home, folder / "logs")
        self.client: Client | None = None

    def start(self) -> float:
        """Start it; the seconds from the start of the process to its answer to hello."""
        began = time.perf_counter()
        self.launcher.start()
        while (found := self.launcher.poll()) is None:
            time.sleep(POLL)
        self.launched: Launched = found
        self.client = Client(found.control, found.bulk, found.server_key, found.keys)
        self.wait(lambda event: isinstance(event, Connected))
        return time.perf_counter() - began

    def wait(self, wanted: Callable[[Any], bool]) -> Any:
        """Collect as Blender does, until an event is the wanted one."""
        assert self.client is not None
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for event in self.client.collect():
                if wanted(event):
                    return event
                if isinstance(event, JobRejected):
                    raise error_from_info(event.error)
                if isinstance(event, JobState) and event.state == "failed" and event.error:
                    raise error_from_info(event.error)
            time.sleep(POLL)
        raise TimeoutError(f"the worker did nothing of what was awaited for {PATIENCE:.0f} s")

    def resident_mib(self) -> float:
        """Resident memory of the server process; NaN where the system does not say."""
        try:
            status = Path(f"/proc/{self.launched.pid}/status").read_text("ascii")
        except OSError:
            return float("nan")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def stop(self) -> None:
        if self.client is not None:
            self.client.close()
        self.launcher.stop()
        self.launcher.wait(40)


def write_pictures(folder: Path) -> list[str]:
    """A material of five maps, made by NumPy, named as ambientCG does."""
    from gan_worker.materials.pictures import write_picture

    y, x = np.mgrid[:256, :256] / 256
    height = 0.5 + 0.3 * np.sin(40 * x) * np.cos(25 * y)
    noise = np.random.default_rng(0).normal(0, 0.03, (256, 256, 3))
    folder.mkdir(parents=True)
    names = []
    for name, word in WORDS.items():
        channels = 3 if name in ("base_color", "normal") else 1
        picture = np.clip(height[..., None] + noise[..., :channels], 0, 1)
        path = folder / f"Bench_1K_{word}.png"
        write_picture(path, picture.astype(np.float32))
        names.append(str(path))
    return names


def measure_hello(folder: Path, times: int) -> Row:
    found = []
    for number in range(times):
        worker = Worker(folder / f"hello-{number}")
        found.append(worker.start())
        worker.stop()
    figure = f"{statistics.median(found):.2f} s (worst of {times}: {max(found):.2f})"
    return Row("hello after process start", figure, "< 0.5 s", statistics.median(found) < 0.5)


def measure_first_preview(worker: Worker, folder: Path, preset: str) -> list[Row]:
    """Train on a worker whose TensorFlow is not loaded, until the first preview; then stop."""
    assert worker.client is not None
    pictures = write_pictures(folder / "pictures")
    config = TrainingConfig("bench", tuple(pictures), preset, minutes=10.0, scale=1.0)
    began = time.perf_counter()
    job = worker.client.submit(config)
    worker.wait(lambda event: isinstance(event, PreviewReady))
    seconds = time.perf_counter() - began
    stopped = time.perf_counter()
    worker.client.stop(job)
    worker.wait(lambda event: isinstance(event, JobState) and event.state == "succeeded")
    saved = time.perf_counter() - stopped
    return [
        Row(
            f"first preview after Train, {preset}, cold", f"{seconds:.1f} s", "< 20 s", seconds < 20
        ),
        Row("stop to saved and ended", f"{saved:.1f} s"),
    ]


def measure_round_trip(worker: Worker, times: int) -> list[Row]:
    """Request to arrays in the client, without the generator's forward pass."""
    assert worker.client is not None
    overheads, forwards = [], []
    for seed in range(times + 1):
        config = GenerationConfig("bench", seed, SIDE, SIDE)
        began = time.perf_counter()
        job = worker.client.submit(config)
        found = worker.wait(partial(_is_ready, job))
        if seed:  # the first one traces the graph
            overheads.append(time.perf_counter() - began - found.forward_seconds)
            forwards.append(found.forward_seconds)
        assert set(found.maps) == set(WORDS)
    return [
        Row(f"forward pass of {SIDE}²", f"{statistics.median(forwards) * 1000:.0f} ms"),
        Row(
            f"{SIDE}² × 5 maps, request to arrays, minus forward pass",
            _spread(overheads),
        ),
    ]


def _is_ready(job: str, event: object) -> bool:
    return isinstance(event, MaterialReady) and event.job == job


def measure_blender(worker: Worker, times: int) -> list[Row]:
    """Request to Blender images through the add-on, and the longest tick of its timer."""
    if importlib.util.find_spec("bpy") is None:
        return [Row("request to Blender images", "bpy is not installed here")]
    import bpy

    assert bpy.app.background
    import addon_utils  # there only once bpy has been imported

    addon_utils.enable("blender_addon", default_set=True)
    from blender_addon.worker import pump, session

    launched = worker.launched
    session.current.connect(
        Client(launched.control, launched.bulk, launched.server_key, launched.keys)
    )
    pump.wait(lambda: session.current.connected, 20)
    overheads, ticks, computed = [], [], []
    for seed in range(times + 1):
        pump.statistics = pump.TickStatistics()
        seconds = _round_trip_to_images(seed)
        if seed:
            overheads.append(seconds)
            ticks.append(pump.statistics.longest)
            computed.append(pump.statistics.longest_cpu)
    session.current.close()
    median = statistics.median(overheads)
    return [
        Row(
            f"{SIDE}² × 5 maps, request to Blender images, minus forward pass",
            _spread(overheads),
            "< 150 ms",
            median < 0.15,
        ),
        Row("longest tick of the main thread", _spread(ticks), "< 20 ms", max(ticks) < 0.02),
        Row("longest tick, its own computing", _spread(computed), "< 20 ms", max(computed) < 0.02),
    ]


def _round_trip_to_images(seed: int) -> float:
    """One request, pumped as Blender's timer does, until five images hold its pixels."""
    from blender_addon.generation import results
    from blender_addon.shader import images
    from blender_addon.worker import pump, session

    filled: list[float] = []
    set_pixels = images.set_pixels

    def observed(*arguments: Any) -> None:
        set_pixels(*arguments)
        filled.append(time.perf_counter())

    images.set_pixels = observed  # type: ignore[assignment]
    config = GenerationConfig("bench", seed, SIDE, SIDE)
    began = time.perf_counter()
    job = session.current.generate(config, purpose=results.MATERIAL)
    try:
        while not (job.done and pump.pending() == 0):
            time.sleep(min(pump.tick(), 1 / 60))
            if time.perf_counter() - began > PATIENCE:
                raise TimeoutError("the result did not become images")
    finally:
        images.set_pixels = set_pixels
    assert job.result is not None and len(filled) == len(WORDS)
    return filled[-1] - began - job.result.forward_seconds


def measure_run_list(folder: Path, times: int) -> list[Row]:
    """The list of many small runs, as the server's only thread makes it: at first, and again."""
    from gan_worker.runs.run import Run
    from gan_worker.server.allowed_folders import AllowedFolders
    from gan_worker.server.run_catalogue import SETTLED, RunCatalogue

    for number in range(RUNS):
        run = Run.create(folder, f"run {number}")
        run.save_config(TrainingConfig(run.name, ("/photos/oak.png",)))
        tick = TrainingProgress(5, 2.0, 80.0, 0.4, 60.0, 9.0, {}, figures={"swd/0": 7.5})
        for _ in range(20):
            run.append_progress(tick)
        run.save_checkpoint("000001", {"a": np.zeros(100)}, {})
        for step in range(10):
            run.save_preview(step, np.zeros((8, 8, 3), np.uint8), Credits())
    time.sleep(SETTLED)  # what was written just now is not kept in the index
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        store = RunCatalogue(folder, AllowedFolders({}, ()))
        for seconds in taken:
            began = time.perf_counter()
            store.read()
            assert len(store.runs(())) == RUNS
            seconds.append(time.perf_counter() - began)
    names = f"list of {RUNS} runs, the first", "the same list again"
    return [Row(name, _spread(found)) for name, found in zip(names, taken, strict=True)]


def _spread(seconds: Sequence[float]) -> str:
    middle, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
    return f"{middle:.0f} ms (worst of {len(seconds)}: {worst:.0f})"


def measure(options: argparse.Namespace, folder: Path, console: Console) -> list[Row]:
    """All of it, one thing after the other."""
    with console.status("starting workers"):
        rows = [measure_hello(folder, options.times)]
    worker = Worker(folder / "worker")
    try:
        worker.start()
        idle = worker.resident_mib()
        with console.status("training until the first preview"):
            rows += measure_first_preview(worker, folder, options.preset)
        with console.status("generating"):
            rows += measure_round_trip(worker, options.times)
        with console.status("generating for Blender"):
            rows += measure_blender(worker, options.times)
        used = worker.resident_mib()
    finally:
        worker.stop()
    with console.status("listing runs"):
        rows += measure_run_list(folder / "runs", options.times)
    memory = f"{idle:.0f} MiB after start, {used:.0f} MiB after all this"
    return [*rows, Row("memory of the server process", memory, "< 80 MiB", used < 80)]


def show(rows: Sequence[Row], console: Console) -> None:
    table = Table("measured", "figure", "target", title="Tilewright's worker on this computer")
    for row in rows:
        mark = "" if row.good is None else " ✓" if row.good else " ✗"
        table.add_row(row.what, row.figure, row.target + mark)
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench_worker", description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="how often each is done (default: 5)")
    parser.add_argument("--preset", default="tiny", help="of the training (default: tiny)")
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="tilewright-bench-") as folder:
        try:
            show(measure(options, Path(folder), console), console)
        except (TilewrightError, TimeoutError) as error:
            console.print(f"[red]{error}[/red]")
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
