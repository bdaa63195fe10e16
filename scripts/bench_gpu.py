"""Measures training and generation on this computer's GPU, and how far its pictures lie from the processor's.

Every measurement runs in a process of its own, so that one that fails or hangs costs its own row alone. The last
tables are kept in `bench_gpu.md` beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

TABLE = ROOT / "scripts" / "bench_gpu.md"
KINDS = ("float32", "bfloat16", "bfloat16, XLA")
ROUNDS, SECONDS_A_ROUND = 5, 1.0
SIDES = {256: 10, 1024: 5, 4096: 3}
# Seconds after which a measurement is given up.
PATIENCE = 100.0
PARTS = ("training", "generation", "quality")
Found = dict[str, Any]


def main() -> int:
    options = _options()
    if options.child:
        print(json.dumps(_CHILDREN[options.child[0]](options, *options.child[1:])))
        return 0
    name = _measure(options, "name")["name"]
    if not name:
        print("A GPU is measured here, and TensorFlow finds none: see gan-worker doctor.")
        return 1
    parts = {
        "training": _training_table,
        "generation": _generation_table,
        "quality": _quality_table,
    }
    text = f"# On a GPU\n\n{name}, TensorFlow {_measure(options, 'version')['version']}\n"
    for part in options.part or PARTS:
        text += parts[part](options)
        print(text, flush=True)
        TABLE.write_text(text, "utf-8")
    return 0


def _options() -> Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", help="a picture or a folder of maps to learn from")
    parser.add_argument("--part", action="append", choices=PARTS, help="that alone")
    parser.add_argument(
        "--minutes", type=float, nargs="+", default=[1.0, 3.0], help="of `full`; when to measure"
    )
    parser.add_argument("--sheets", default=str(ROOT / "out/bench_gpu"), help="for contact sheets")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(options: Namespace, *child: str, gpu: bool = True) -> Found:
    """What one child found, or `failed` with the reason."""
    environment = os.environ | ({} if gpu else {"CUDA_VISIBLE_DEVICES": ""})
    command = [sys.executable, __file__, options.picture, "--child", *child]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, env=environment
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"did not end within {PATIENCE:.0f} s"}
    if done.returncode:
        print(done.stderr[-3000:], file=sys.stderr, flush=True)
        return {
            "failed": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        }
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def _name(options: Namespace) -> Found:
    from gan_worker.gan.generation.model import device_name

    return {"name": device_name().removeprefix("CPU")}


def _version(options: Namespace) -> Found:
    import tensorflow as tf

    build = tf.sysconfig.get_build_info()
    return {"version": f"{tf.__version__} for CUDA {build.get('cuda_version', '')}"}


def _training_table(options: Namespace) -> str:
    lines = ["| training | images/s | first step | a step | GPU memory |", "|---|---|---|---|---|"]
    for preset in ("tiny", "full"):
        for kind in KINDS:
            f = _measure(options, "training", preset, kind)
            print(preset, kind, f, flush=True)
            lines.append(
                f"| {preset}, {kind} | {f['failed']} | | | |"
                if "failed" in f
                else f"| {preset}, {kind} | {f['rate']:.0f} | {f['first']:.1f} s | {1000 * f['step']:.1f} ms | "
                f"{f['memory']:.0f} MiB |"
            )
    return "\n" + "\n".join(lines) + "\n"


def _trained(options: Namespace, preset: str, folder: str) -> Any:
    from functools import partial

    from gan_worker.config import TrainingConfig
    from gan_worker.gan.training.loop import Training
    from gan_worker.gan.training.pipelines import new_pipeline
    from gan_worker.runs.room import Room
    from gan_worker.runs.run import Run

    config = TrainingConfig("bench", (options.picture,), preset=preset, minutes=1, octaves=0)
    run = Run.create(Path(folder), "bench")
    room = Room(lambda report: None, lambda: False)
    return Training(config, run, lambda report: None, partial(new_pipeline, preset), room)


def _speed_of_training(options: Namespace, preset: str, kind: str) -> Found:
    """Real steps on the real pictures; a round has as many as take a second, in whole turns of penalties."""
    import tensorflow as tf
    from levers import LEVERS

    from gan_worker.gan.networks import precision
    from gan_worker.gan.training.step import TrainingStep, recipe

    if kind == "float32":
        precision.has_bfloat16 = lambda: False  # type: ignore[assignment]
    # Asked for, bfloat16 is measured also where the program does without.
    precision.WIDE_FOR_A_GPU = 0
    with tempfile.TemporaryDirectory() as folder:
        training = _trained(options, preset, folder)
        make = LEVERS["xla=true"] if kind.endswith("XLA") else TrainingStep
        parameters = recipe(preset)
        dataset, patterns = training.update.dataset, training.pictures.patterns
        update = make(training.network, dataset, patterns, 0, parameters)
    every, number = parameters.penalty_every, 0

    def turns(count: int) -> float:
        nonlocal number
        began = time.perf_counter()
        for _ in range(count * every):
            losses = update.step(number, 0.0)
            number += 1
            losses["generator"].numpy()
        return time.perf_counter() - began

    began = time.perf_counter()
    update.step(number, 0.0)["generator"].numpy()
    first = time.perf_counter() - began
    turns(2)
    count = max(1, round(SECONDS_A_ROUND / turns(1)))
    step = statistics.median(turns(count) / count / every for _ in range(ROUNDS))
    memory = float("nan")
    if tf.config.list_physical_devices("GPU"):
        memory = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
    return {"rate": update.network.batch / step, "first": first, "step": step, "memory": memory}


def _generation_table(options: Namespace) -> str:
    head = " | ".join(f"{side}²" for side in SIDES)
    lines = [f"| generation of all maps | {head} |", "|---|" + "---|" * len(SIDES)]
    for preset in ("tiny", "full"):
        f = _measure(options, "generation", preset)
        cells = [f["failed"]] + [""] * (len(SIDES) - 1) if "failed" in f else f["seconds"]
        print(preset, f, flush=True)
        lines.append(f"| {preset} | " + " | ".join(cells) + " |")
    with tempfile.TemporaryDirectory() as folder:
        for gpu in (True, False):
            found = _measure(options, "pictures", f"{folder}/{gpu}.npz", gpu=gpu)
            if "failed" in found:
                return "\n" + "\n".join(lines) + f"\n\n{found['failed']}\n"
        ours, theirs = (np.load(f"{folder}/{gpu}.npz") for gpu in (True, False))
        most = max(float(np.abs(ours[n] - theirs[n]).max()) for n in ours.files)
        maps = len(ours.files)
    return (
        "\n"
        + "\n".join(lines)
        + f"\n\nThe {maps} maps of a starter, 512², differ from the processor's by {most:.1e} at most, of 0..1.\n"
    )


def _speed_of_generation(options: Namespace, preset: str) -> Found:
    from gan_worker.config import GenerationConfig

    with tempfile.TemporaryDirectory() as folder:
        model = _trained(options, preset, folder).live

    def make(side: int) -> float:
        began = time.perf_counter()
        model.generate(GenerationConfig("bench", 1, side, side))
        return time.perf_counter() - began

    told = []
    for side, times in SIDES.items():
        make(side)
        told.append(f"{statistics.median(make(side) for _ in range(times)):.3f} s")
    return {"seconds": told}


def _pictures(options: Namespace, file: str) -> Found:
    """Two seeds of one of the starters as they were made, in float32."""
    from gan_worker.config import GenerationConfig
    from gan_worker.gan.generation.model import load_model

    model = load_model(ROOT / "gan_worker/bundled_models/Starter Cobblestone")
    made: dict[str, np.ndarray] = {}
    for seed in (1, 2):
        found = model.generate(GenerationConfig("bench", seed, 512, 512)).maps
        made |= {f"{name}/{seed}": np.asarray(found[name]) for name in found}
    np.savez(file, **made)
    return {}


def _quality_table(options: Namespace) -> str:
    """The same measurement as `bench_quality`, in minutes of this GPU."""
    from bench_quality import REAL, train_in_a_process
    from quality_tables import table

    text, picture = "", Path(options.picture)
    for preset, marks in (("full", options.minutes), ("tiny", [0.5])):
        for minutes in marks:
            found = train_in_a_process(preset, picture, minutes, {}, REAL)
            text += f"\n## {preset}, {minutes:g} minutes\n\n" + table({picture.stem: found})
        print(text, flush=True)
    return text


_CHILDREN: dict[str, Callable[..., Found]] = {
    "name": _name,
    "version": _version,
    "training": _speed_of_training,
    "generation": _speed_of_generation,
    "pictures": _pictures,
}

if __name__ == "__main__":
    raise SystemExit(main())
