"""Measures a batch: many objects, each with a material of its own, in one scene, in a Blender of its own."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("BLENDER_USER_RESOURCES", tempfile.mkdtemp(prefix="tilewright-bench-"))

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gan_worker.scenes.recipe import PROCESSES
from gan_worker.server.scheduler import environments
from gan_worker.server.supervisor import QUIET

TABLE = ROOT / "scripts" / "bench_batch.md"
MODEL = "bench"
# The figures that were asked for.
LEAST_SHARE, MOST_MIB = 0.9, 200.0


@dataclass
class Run:
    """What one run of the recipe took, in seconds and MiB.

    Attributes:
        stages: from each stage's beginning, seconds after the start.
        ends: when materials were there, seconds after the start.
        total: until the scene was saved.
        grown: peak of resident memory over that of Blender with the scene open.
        blender: its version.
        worked: processor seconds between the first material and the last, by kind of process.
    """

    stages: dict[str, float]
    ends: list[float]
    total: float
    grown: float
    blender: str
    worked: dict[str, float]


def make_model(folder: Path, preset: str) -> None:
    """A model of five maps that has seen next to nothing: speed does not depend on what it knows."""
    from bench_worker import write_pictures

    from gan_worker.config import TrainingConfig
    from gan_worker.gan.training.loop import train
    from gan_worker.runs.run import Run as TrainingRun

    pictures = write_pictures(folder / "pictures")
    config = TrainingConfig(MODEL, tuple(pictures), preset, minutes=None, kimg=0.001, scale=1.0)
    train(
        config,
        TrainingRun.create(folder / "home" / "runs", MODEL),
        lambda news: None,
        lambda: False,
    )


def make_scene(file: Path, objects: int) -> None:
    """Planes in a row, each with its own data and UV map."""
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    for number in range(objects):
        mesh = bpy.data.meshes.new(f"Plane {number:05}")
        mesh.from_pydata([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], [], [(0, 1, 2, 3)])
        mesh.uv_layers.new()
        obj = bpy.data.objects.new(mesh.name, mesh)
        obj.location.x = 1.5 * number
        bpy.context.scene.collection.objects.link(obj)
    bpy.ops.wm.save_as_mainfile(filepath=str(file))


def memory(field: str) -> float:
    """`VmRSS` or `VmHWM` of this process, MiB."""
    status = Path("/proc/self/status").read_text("ascii")
    return (
        int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) / 1024
    )


def processor_seconds() -> dict[str, float]:
    """Of this process, which is Blender, the server below it and the compute processes below that."""
    found = {"Blender": time.process_time(), "server": 0.0, "compute": 0.0}
    for server in children("self"):
        found["server"] += used_by(server)
        found["compute"] += sum(map(used_by, children(server)))
    return found


def children(process: str) -> list[str]:
    tasks = Path(f"/proc/{process}/task").iterdir()
    return [pid for task in tasks for pid in (task / "children").read_text("ascii").split()]


def used_by(process: str) -> float:
    fields = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_inside(folder: Path, processes: int) -> None:
    """In a process of its own: run the recipe, print figures as JSON."""
    import bpy

    version = bpy.app.version_string
    import addon_utils  # there only once bpy has been imported

    addon_utils.enable("blender_addon", default_set=True)
    from blender_addon.scenes import script
    from blender_addon.worker import preferences

    chosen = preferences.get()
    chosen.worker_python, chosen.home_folder = sys.executable, str(folder / "home")
    script.open_scene(folder / "in.blend")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, began = memory("VmRSS"), time.perf_counter()
    stages: dict[str, float] = {}
    ends: list[float] = []
    seconds: list[dict[str, float]] = []

    def tell(kind: str, news: Any) -> None:
        now = time.perf_counter() - began
        if kind == "stage":
            stages[news.split(" /")[0]] = now
        elif kind == "progress":
            ends.append(now)
            if news.done in (1, news.total):
                seconds.append(processor_seconds())

    script.run_recipe(folder / "recipe.toml", folder / "out.blend", tell=tell, processes=processes)
    total = time.perf_counter() - began
    worked = {kind: seconds[-1][kind] - seconds[0][kind] for kind in seconds[0]}
    print(json.dumps([stages, ends, total, memory("VmHWM") - before, version, worked]))


def run(folder: Path, processes: int) -> Run:
    command = [sys.executable, __file__, "--inside", str(folder), "--processes", str(processes)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Run(*json.loads(told.splitlines()[-1]))


def run_forward(folder: Path, size: int) -> None:
    """In a process of its own: so many forward passes as a line of stdin says, and nothing else in between."""
    import tensorflow as tf

    from gan_worker.config import GenerationConfig
    from gan_worker.gan.generation.model import load_model

    model = load_model(folder / "home" / "runs" / MODEL)
    latents = model.latents(GenerationConfig(MODEL, 1, width=size, height=size))
    inputs = [tf.constant(field) for field in (latents.z, latents.local, *latents.noise)]
    forward = tf.function(lambda z, local, *noise: model.generator(z, local, list(noise)))
    forward(*inputs)
    print("ready", flush=True)
    count = int(input())
    before = time.process_time()
    for _ in range(count):
        forward(*inputs)
    print(time.process_time() - before, flush=True)


def forward_alone(folder: Path, size: int, count: int, at_once: int) -> tuple[float, float]:
    """Seconds, and processor seconds, of so many forward passes in compute processes like those of the batch."""
    command = [sys.executable, __file__, "--forward", str(folder), "--size", str(size)]
    found = environments(at_once)
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes: list[Any] = [
        subprocess.Popen(command, env={**QUIET, **os.environ, **own}, **pipes) for own in found
    ]
    for process in processes:
        process.stdout.readline()
    began = time.perf_counter()
    for number, process in enumerate(processes):
        share = len(range(number, count, len(processes)))
        process.stdin.write(f"{share}\n")
        process.stdin.flush()
    worked = sum(float(process.stdout.readline()) for process in processes)
    seconds = time.perf_counter() - began
    for process in processes:
        process.communicate()
    return seconds, worked


def rows(first: Run, again: Run, alone: tuple[float, float]) -> list[tuple[str, str, str]]:
    """What was measured, the figure, and the figure that was asked for."""
    # The first material waits for TensorFlow to start and to compile, however many there are.
    steady = first.total - first.ends[0]
    share = alone[0] / steady
    beyond = first.grown - again.grown
    count = len(first.ends) - 1
    saving = first.total - first.stages["saving"]

    def each(seconds: float) -> str:
        return f"{1000 * seconds / count:.1f} ms"

    worked = first.worked
    return [
        ("all of it, worker's start and saving included", f"{first.total:.1f} s", ""),
        ("until the first material is on the disk", f"{first.ends[0]:.1f} s", ""),
        (f"the other {count}, applied and saved", f"{steady:.1f} s", ""),
        (f"{count} forward passes alone, as many at once", f"{alone[0]:.1f} s", ""),
        ("their share", f"{100 * share:.0f} %", verdict(share >= LEAST_SHARE, "≥ 90 %")),
        ("applying all to the scene", f"{first.stages['saving'] - first.stages['applying']:.1f} s", ""),
        ("saving the scene", f"{saving:.1f} s", ""),
        ("processor time a material: forward pass alone", each(alone[1]), ""),
        ("compute processes beyond that", each(worked["compute"] - alone[1]), ""),
        ("server", each(worked["server"]), ""),
        ("Blender, until all are on the disk", each(worked["Blender"]), ""),
        ("run again, everything there", f"{again.total:.1f} s", ""),
        ("memory that Blender needs for images and materials", f"{again.grown:.0f} MiB", ""),
        ("memory of the batch beyond that", f"{beyond:.0f} MiB", verdict(beyond < MOST_MIB, "< 200 MiB")),
    ]  # fmt: skip


def verdict(good: bool, target: str) -> str:
    return target if good else f"{target}, missed"


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        name = next(
            line.partition(":")[2].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        name = platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def show(title: str, found: list[tuple[str, str, str]], file: Path | None) -> None:
    table = Table("measured", "figure", "wanted", title=escape(title))
    for row in found:
        table.add_row(*row)
    Console(width=120).print(table)
    if file:
        lines = [f"| {' | '.join(row)} |" for row in found]
        head = ["| measured | figure | wanted |", "|---|---|---|"]
        file.write_text("\n".join([title, "", *head, *lines, ""]), "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--objects", type=int, default=1000, help="how many, each with its own material"
    )
    parser.add_argument("--size", type=int, default=256, help="side of the maps, pixels")
    parser.add_argument("--preset", default="tiny", help="size of the networks")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="compute processes")
    parser.add_argument("--keep-table", action="store_true", help="write bench_batch.md")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--forward", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        run_inside(chosen.inside, chosen.processes)
        return 0
    if chosen.forward:
        run_forward(chosen.forward, chosen.size)
        return 0
    with tempfile.TemporaryDirectory(prefix="tilewright-bench-") as name:
        folder = Path(name)
        make_model(folder, chosen.preset)
        make_scene(folder / "in.blend", chosen.objects)
        (folder / "recipe.toml").write_text(
            f'[[rules]]\nselect = {{ name = "Plane *" }}\nmodel = "{MODEL}"\nsize = {chosen.size}\n'
            'latent = { by = "name" }\n'
        )
        first, again = (run(folder, chosen.processes) for _ in range(2))
        alone = forward_alone(folder, chosen.size, len(first.ends) - 1, chosen.processes)
    title = (
        f"{chosen.objects} objects, each with a material of five maps of {chosen.size}² of its own; "
        f"preset {chosen.preset}; Blender {first.blender}; {processor()}"
    )
    show(title, rows(first, again, alone), TABLE if chosen.keep_table else None)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
