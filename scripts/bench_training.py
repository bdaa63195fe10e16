"""Measures training against the same in PyTorch and against what the machine's convolutions can do."""

from __future__ import annotations

import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

TABLE = ROOT / "scripts" / "bench_training.md"
THREADS = os.cpu_count() or 1
SIDE = 256
ROUNDS = 8
# A preview can be judged when its finest details are this near to the picture's, of where its colors in disorder stand.
USABLE = 0.5
# Losses of both libraries for the same crops, latents and directions may differ by this share.
EQUAL = 1e-3
TOP_SECONDS = 90.0


def stones() -> np.ndarray:
    """A picture to learn from, (256, 256, 3): rounded cells of many greys with dark joints, some grain."""
    draw = np.random.default_rng(0)
    points, greys = draw.uniform(0, SIDE, (180, 2)), draw.uniform(0.35, 0.8, 180)
    grid = np.moveaxis(np.mgrid[:SIDE, :SIDE], 0, -1)[:, :, None]
    apart = np.abs(grid - points)
    distances = np.sqrt((np.minimum(apart, SIDE - apart) ** 2).sum(-1))
    nearest = np.argsort(distances, -1)[..., :2]
    first, second = np.moveaxis(np.take_along_axis(distances, nearest, -1), -1, 0)
    body = np.clip((second - first) / 4, 0, 1) * (1 - 0.02 * first)
    grain = draw.normal(0, 0.03, (SIDE, SIDE, 1))
    picture = (body * greys[nearest[..., 0]])[..., None] * (1.0, 0.92, 0.8) + 0.08 + grain
    return np.clip(picture, 0, 1).astype(np.float32)


def build(picture: np.ndarray) -> Any:
    """The real step of a `tiny` training."""
    from gan_worker.config import MATERIAL_PRESETS
    from gan_worker.gan.data.dataset import Dataset
    from gan_worker.gan.data.statistics import measure_statistics
    from gan_worker.gan.training.step import TrainingStep, recipe

    materials = [{"base_color": picture}]
    dataset = Dataset(materials, measure_statistics(materials, ["base_color"]))
    return TrainingStep(MATERIAL_PRESETS["tiny"], dataset, (), 0, recipe("tiny"))


def differences(update: Any) -> float:
    """The largest relative difference of the losses that both libraries find for the same."""
    import tensorflow as tf
    import torch
    from torch_twin import Twin, tensor

    from gan_worker.gan.training.losses import gradient_penalty, relativistic_losses
    from gan_worker.gan.training.shares import WHOLE

    twin, seed = Twin(update), tf.constant([5, 0])
    batch = update.draw_batch(seed)
    real, z = batch.alike, batch.z
    local, noise = update._draw(seed, tf.zeros(len(z), tf.int64))
    fake = update._fake_crops(seed, z, WHOLE)
    kernels = []
    for level in range(3):
        drawn = tf.random.stateless_normal((7, 7, twin.channels, 32), seed + [0, level])
        drawn *= tf.math.rsqrt(tf.reduce_sum(tf.square(drawn), axis=(0, 1, 2), keepdims=True))
        kernels.append(torch.from_numpy(drawn.numpy().transpose(3, 2, 0, 1).copy()))
    logits = update.discriminator(real), update.discriminator(fake)
    signs = tf.sign(tf.random.stateless_normal(logits[0].shape, seed))
    ours = dict(zip(("discriminator", "generator"), relativistic_losses(*logits), strict=True))
    ours["patch_distance"] = update._patch_distance(real, fake, seed)
    ours["r1_penalty"] = gradient_penalty(update.discriminator, real, signs)
    ours["r2_penalty"] = gradient_penalty(update.discriminator, fake, signs)
    latents = tensor(z), tensor(local), [tensor(n) for n in noise]
    theirs = twin.losses(tensor(real), latents, kernels, tensor(signs))
    return max(abs(float(ours[n]) / theirs[n].item() - 1) for n in ours)


def operations_a_step(update: Any) -> float:
    """Floating point operations of the convolutions of a mean step."""
    import tensorflow as tf
    from bench_convolutions import count_operations

    network, channels = update.network, update.dataset.channels
    crops = tf.TensorSpec((network.batch, network.crop, network.crop, channels))
    arguments = tf.constant(0), tf.constant(1e-3), tf.constant(0.5)
    step = update._step.get_concrete_function(*arguments)

    @tf.function
    def penalties(real: tf.Tensor, fake: tf.Tensor) -> list[tf.Tensor]:
        return update.measure_penalties(update.discriminator, real, fake, tf.constant([0, 0]))

    sometimes = count_operations(penalties.get_concrete_function(crops, crops).graph)
    return count_operations(step.graph) + sometimes / update.parameters.penalty_every


def steppers(update: Any) -> dict[str, Callable[[int], None]]:
    """What is compared, warmed up: name → a step."""
    from torch_twin import Twin

    from gan_worker.gan.networks.precision import has_bfloat16

    found: dict[str, Callable[[int], None]] = {"TensorFlow": lambda n: _ours(update, n)}
    found["PyTorch eager"] = Twin(update).step
    reduced = has_bfloat16()
    kind = ", bfloat16" if reduced else ""
    if reduced:
        found[f"PyTorch eager{kind}"] = Twin(update, bfloat16=True).step
    compiled = Twin(update, compiled=True, bfloat16=reduced)
    try:
        compiled.step(0)
    except RuntimeError as error:  # there may be no C++ compiler, or one that it cannot use
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        print(f"torch.compile does not work here: {reason}", file=sys.stderr)
    else:
        found[f"PyTorch compiled{kind}"] = compiled.step
    for step in found.values():
        for number in range(update.parameters.penalty_every + 1):
            step(number)
    return found


def _ours(update: Any, number: int) -> None:
    update.step(number, 0.0)["generator"].numpy()


def compare(update: Any, operations: float, peaks: dict[str, float]) -> list[list[str]]:
    """A round is as many steps as lie between two penalties; everyone takes one in turn."""
    every, batch = update.parameters.penalty_every, update.network.batch
    found = steppers(update)
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(ROUNDS):
        for name, step in found.items():
            began = time.perf_counter()
            for number in range(every):
                step(number)
            times[name].append((time.perf_counter() - began) / every)
    ours = next(iter(times.values()))
    rows = []
    for name, theirs in times.items():
        middle = statistics.median(theirs)
        shares = [f"{100 * operations / middle / peak:.0f} % of {k}" for k, peak in peaks.items()]
        ratio = statistics.median(t / o for t, o in zip(theirs, ours, strict=True))
        rows.append([name, f"{batch / middle:.1f}", f"{ratio:.2f}", ", ".join(shares)])
    return rows


def measure_start(folder: Path, picture: np.ndarray) -> list[str]:
    """`gan-worker train` as an artist starts it, until its preview is usable: two notes."""
    from gan_worker.materials.pictures import write_picture
    from gan_worker.runs.run import Run

    noise = _finest_details_of_noise(picture)
    write_picture(folder / "stones.png", picture)
    command = [sys.executable, "-m", "gan_worker", "train", str(folder / "stones.png")]
    command += ["--run", "bench", "--scale", "1", "--home", str(folder)]
    began = time.time()
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    run, ticks, usable = Run(folder / "runs" / "bench"), [], None
    try:
        while usable is None and time.time() - began < TOP_SECONDS and process.poll() is None:
            time.sleep(0.1)
            ticks = [t for t in run.read_progress() if t.figures]
            usable = next((t for t in ticks if t.figures["swd/0"] < USABLE * noise), None)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    previews = sorted(run.path.glob("previews/*.png"))
    first = previews[0].stat().st_mtime - began if previews else math.nan
    told = "no usable preview"
    if usable:
        there = next(f for f in previews if int(f.stem) == usable.step).stat().st_mtime - began
        told = f"first usable preview {there:.1f} s after `gan-worker train` (step {usable.step}; its finest details "
        told += f"lie at {usable.figures['swd/0']:.0f}, noise at {noise:.0f})"
    memory = max((t.memory_mb for t in run.read_progress()), default=math.nan)
    return [
        f"{told}; the very first after {first:.1f} s",
        f"memory of the training process {memory:.0f} MB",
    ]


def _finest_details_of_noise(picture: np.ndarray) -> float:
    """How far the finest details of the picture's own pixels in disorder lie from the picture's."""
    from gan_worker.config import MATERIAL_PRESETS
    from gan_worker.gan.training.collapse import CollapseDetector

    pixels = picture.reshape(-1, picture.shape[-1])
    draw = np.random.default_rng(1)
    noise = [draw.permutation(pixels).reshape(picture.shape) for _ in range(2)]
    return CollapseDetector([picture], SIDE, MATERIAL_PRESETS["tiny"].stride).look(noise, 0)[
        "swd/0"
    ]


def main() -> int:
    import tensorflow as tf
    import torch
    from bench_convolutions import peak, processor, show, use_threads

    from gan_worker.gan.networks.precision import has_bfloat16

    use_threads(THREADS)
    picture = stones()
    with tempfile.TemporaryDirectory(prefix="tilewright-bench-") as folder:
        start = measure_start(Path(folder), picture)
    update = build(picture)
    difference = differences(update)
    if difference > EQUAL:
        print(
            f"The losses of both libraries must be equal; they differ by {difference:.1e}.",
            file=sys.stderr,
        )
        return 1
    kinds = ["float32", "bfloat16"] if has_bfloat16() else ["float32"]
    peaks, operations = {kind: peak(kind) for kind in kinds}, operations_a_step(update)
    rows = compare(update, operations, peaks)
    measured = ", ".join(f"{value / 1e9:.0f} GFLOP/s in {kind}" for kind, value in peaks.items())
    notes = [
        f"{processor()}, {THREADS} threads; TensorFlow {tf.__version__}, PyTorch {torch.__version__}, channels last; "
        f"`tiny`, {update.network.batch} crops of {update.network.crop}² a step, {update.dataset.channels} channels",
        f"medians of {ROUNDS} rounds in turns, each of {update.parameters.penalty_every} steps, one with penalties; "
        "the penalties of the compiled one are eager, because it knows no gradients of gradients; the step in "
        f"TensorFlow is the real one, with convolutions in {kinds[-1]}",
        f"the first losses of both libraries differ by {difference:.1e}",
        f"{operations / 1e9:.1f} GFLOP in convolutions a step; convolution peak {measured}: the best plain 3×3 "
        "convolution of either library",
        *start,
    ]
    header = ["tiny", "images/s", "× the time", "of the peak"]
    show("Training on this computer", header, rows, notes, TABLE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
