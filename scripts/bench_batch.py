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
        forward: of each material that was made, the generator's forward pass.
    """

    stages: dict[str, float]
    ends: list[float]
    total: float
    grown: float
    blender: str
    forward: list[float]


def make_model(folder: Path, preset: str) -> None:
    """A model of five maps that has seen next to nothing: speed does not depend on what it knows."""
    from bench_worker import write_pictures

    from gan_worker.config import TrainingConfig
    from gan_worker.gan.training import train
    from gan_worker.runs import Run as TrainingRun

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


def run_inside(folder: Path) -> None:
    """In a process of its own: run the recipe, print figures as JSON."""
    import bpy

    version = bpy.app.version_string
    import addon_utils  # there only once bpy has been imported

    addon_utils.enable("blender_addon", default_set=True)
    from blender_addon import preferences, scene_script

    chosen = preferences.get()
    chosen.worker_python, chosen.home_folder = sys.executable, str(folder / "home")
    scene_script.open_scene(folder / "in.blend")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, began = memory("VmRSS"), time.perf_counter()
    stages: dict[str, float] = {}
    ends: list[float] = []

    def tell(kind: str, news: Any) -> None:
        now = time.perf_counter() - began
        if kind == "stage":
            stages[news.split(" /")[0]] = now
        elif kind == "progress":
            ends.append(now)

    scene_script.run_recipe(folder / "recipe.toml", folder / "out.blend", tell=tell)
    total = time.perf_counter() - began
    print(json.dumps([stages, ends, total, memory("VmHWM") - before, version]))


def run(folder: Path) -> Run:
    log = folder / "textures" / "batch.jsonl"
    log.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--inside", str(folder)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    entries = map(json.loads, log.read_text("utf-8").splitlines())
    forward = [entry["seconds"] for entry in entries if entry["state"] == "made"]
    return Run(*json.loads(told.splitlines()[-1]), forward)


def rows(first: Run, again: Run) -> list[tuple[str, str, str]]:
    """What was measured, the figure, and the figure that was asked for."""
    # The first material waits for TensorFlow to start and to compile, however many there are.
    steady = first.total - first.ends[0]
    share = sum(first.forward[1:]) / steady
    beyond = first.grown - again.grown
    applying = first.stages["saving"] - first.stages["applying"]
    count = len(first.ends)
    return [
        ("all of it, worker's start and saving included", f"{first.total:.1f} s", ""),
        ("until the first material is on the disk", f"{first.ends[0]:.1f} s", ""),
        (f"the other {count - 1}, applied and saved", f"{steady:.1f} s", ""),
        ("of that the generator's forward pass", f"{100 * share:.0f} %", verdict(share >= LEAST_SHARE, "≥ 90 %")),
        ("forward pass of one", f"{1000 * sum(first.forward[1:]) / (count - 1):.0f} ms", ""),
        ("putting all into the scene", f"{applying:.1f} s", ""),
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
    parser.add_argument("--keep-table", action="store_true", help="write bench_batch.md")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        run_inside(chosen.inside)
        return 0
    with tempfile.TemporaryDirectory(prefix="tilewright-bench-") as name:
        folder = Path(name)
        make_model(folder, chosen.preset)
        make_scene(folder / "in.blend", chosen.objects)
        (folder / "recipe.toml").write_text(
            f'[[rules]]\nselect = {{ name = "Plane *" }}\nmodel = "{MODEL}"\nsize = {chosen.size}\n'
            'latent = { by = "name" }\n'
        )
        first, again = run(folder), run(folder)
    title = (
        f"{chosen.objects} objects, each with a material of five maps of {chosen.size}² of its own; "
        f"preset {chosen.preset}; Blender {first.blender}; {processor()}"
    )
    show(title, rows(first, again), TABLE if chosen.keep_table else None)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
