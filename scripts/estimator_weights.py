"""Trains the estimator's weights on material sets and on drawn materials; it can be stopped and goes on where it was.

The best weights come from hours on two processor cores. `--held-back` names the categories that are only measured; what
is measured is printed with every save.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from procedural_relief import draw_pair
from starter_materials import write_materials

from gan_worker.files import replace_file
from gan_worker.gan.estimation.estimator import WEIGHTS
from gan_worker.gan.estimation.light import reflect, shade, to_linear, to_srgb
from gan_worker.gan.estimation.network import Estimate, Estimator
from gan_worker.gan.estimation.relief import (
    height_of_slopes,
    normals_of_slopes,
    slopes_of_height,
    slopes_of_normals,
)
from gan_worker.gan.networks.adam import Adam, assign, follow
from gan_worker.gan.networks.layers import downsample
from gan_worker.gan.networks.precision import reduced_precision
from gan_worker.materials import pictures
from gan_worker.materials.sets import find_materials, read_material
from gan_worker.runs.checkpoints import format_tensors, parse_tensors

CROP, BATCH, SIDE = 192, 6, 1024
# The rate falls to a share of it in the last part of the steps.
RATE, FINAL, LAST, EMA = 1e-3, 0.02, 0.2, 0.999
# Pixels at the border of a crop that are not judged: there the circular network sees the opposite side.
BORDER = 24
# Seeds of each drawn material, made-up pairs, and the shares of crops from real relief, filtered relief, drawn
# materials and made-up pairs.
DRAWN, PAIRS = 4, 300
SHARES = (0.5, 0.15, 0.1, 0.25)
# Share of real pictures whose brightness is turned over while their relief stays.
INVERTED = 0.15
HELD_BACK = (
    *("bark", "roof", "roofingtiles", "pavingstones", "cobblestone", "metalplates"),
    *("snow", "coral", "carpet"),
)


@dataclass(frozen=True)
class Sample:
    """A material to learn from or to be measured by, all float16.

    Attributes:
        name: of the set.
        color: sRGB 0..1, (height, width, 3).
        targets: slopes, roughness, occlusion, (height, width, 4).
        known: of slopes, roughness and occlusion, how much each counts.
        own_relief: whether its normals are no filter of its color.
    """

    name: str
    color: np.ndarray
    targets: np.ndarray
    known: tuple[float, float, float]
    own_relief: bool


def category(name: str) -> str:
    return re.sub(r"[_\d].*", "", name).lower()


def read_samples(folders: Sequence[Path]) -> list[Sample]:
    found = []
    for folder in folders:
        table = folder / "SOURCES.csv"
        facts = {}
        if table.exists():
            with table.open(encoding="utf-8") as file:
                facts = {row["set"]: row for row in csv.DictReader(file)}
        for place in sorted(p for p in folder.iterdir() if p.is_dir()):
            sample = read_sample(place, facts.get(place.name))
            if sample:
                found.append(sample)
    return found


def read_sample(place: Path, facts: Mapping[str, str] | None) -> Sample | None:
    """A folder of maps; None where it has no color or no normals, or is smaller than a crop."""
    sets, _, _ = find_materials([str(place)])
    material = read_material(sets[0])
    if "base_color" not in material or "normal" not in material:
        return None
    shape = material["base_color"].shape[:2]
    factor = min(1.0, SIDE / min(shape))
    maps = {name: pictures.resize(p, factor) if factor < 1 else p for name, p in material.items()}
    height, width = (n // 32 * 32 for n in maps["base_color"].shape[:2])
    if min(height, width) < CROP:
        return None
    maps = {name: p[:height, :width] for name, p in maps.items()}
    slopes = slopes_of_normals(tf.constant(maps["normal"])).numpy()
    own = (
        measure_own(maps["base_color"], slopes)
        if facts is None
        else (float(facts["relief_r2_from_luminance"] or 1), float(facts["mean_slope_deg"] or 0))
    )
    own_relief = own[0] <= 0.5 and own[1] >= 4
    ones = np.ones((height, width, 1), np.float32)
    parts = [slopes, maps.get("roughness", 0.5 * ones), maps.get("ambient_occlusion", ones)]
    known = (
        1.0 if own_relief else 0.15,
        float("roughness" in maps),
        float("ambient_occlusion" in maps),
    )
    targets = np.concatenate(parts, -1).astype(np.float16)
    return Sample(place.name, maps["base_color"].astype(np.float16), targets, known, own_relief)


def kept(file: Path, make: Callable[[], list[Sample]]) -> list[Sample]:
    """What is slow to make, or what was kept of it the last time."""
    if not file.exists():
        arrays, facts = {}, []
        for number, sample in enumerate(make()):
            arrays[f"color {number}"], arrays[f"targets {number}"] = sample.color, sample.targets
            facts.append([sample.name, sample.known, sample.own_relief])
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part.npz")
        np.savez(part, facts=json.dumps(facts), **arrays)
        part.replace(file)
    with np.load(file) as found:
        return [
            Sample(name, found[f"color {n}"], found[f"targets {n}"], tuple(known), own)
            for n, (name, known, own) in enumerate(json.loads(str(found["facts"])))
        ]


def measure_own(color: np.ndarray, slopes: np.ndarray) -> tuple[float, float]:
    """Share of the slopes that bands of luminance explain, and the mean slope in degrees."""
    from gan_worker.gan.estimation.relief import luminance

    grey = luminance(tf.constant(color))[..., 0].numpy()
    columns = []
    for sigma in (0, 1, 2, 4, 8, 16):
        soft = grey if not sigma else blurred(grey, sigma)
        across = (np.roll(soft, -1, 1) - np.roll(soft, 1, 1)) / 2
        up = (np.roll(soft, 1, 0) - np.roll(soft, -1, 0)) / 2
        columns.append(np.concatenate([across.ravel(), up.ravel()])[::13])
    target = np.concatenate([slopes[..., 0].ravel(), slopes[..., 1].ravel()])[::13]
    table = np.stack(columns, 1)
    fit = table @ np.linalg.lstsq(table, target, rcond=None)[0]
    r2 = 1 - np.mean((target - fit) ** 2) / max(float(np.mean(target**2)), 1e-9)
    angles = np.degrees(np.arctan(np.hypot(slopes[..., 0], slopes[..., 1])))
    return float(r2), float(angles.mean())


def blurred(grey: np.ndarray, sigma: float) -> np.ndarray:
    rows, columns = np.fft.fftfreq(grey.shape[0])[:, None], np.fft.rfftfreq(grey.shape[1])[None]
    soft = np.exp(-2 * (np.pi * sigma) ** 2 * (rows**2 + columns**2))
    found: np.ndarray = np.fft.irfft2(np.fft.rfft2(grey) * soft, s=grey.shape)
    return found


def drawn_samples(seeds: int) -> list[Sample]:
    """The project's own drawn materials, whose relief is exact."""
    found = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            for place in write_materials(Path(folder), 384, 100 + seed):
                sample = read_sample(
                    Path(place), {"relief_r2_from_luminance": "0", "mean_slope_deg": "9"}
                )
                if sample:
                    found.append(sample)
    return found


def made_up_samples(count: int) -> list[Sample]:
    """Materials whose color says little of their relief."""
    found = []
    for seed in range(count):
        color, height, open_sky = draw_pair(seed)
        slopes = slopes_of_height(tf.constant(height[None, ..., None], tf.float32))[0].numpy()
        flat = np.full_like(height, 0.5)
        targets = np.concatenate([slopes, np.stack([flat, open_sky], -1)], -1)
        kept_ones = color.astype(np.float16), targets.astype(np.float16)
        found.append(Sample(f"pair {seed}", *kept_ones, (1.0, 0.0, 1.0), True))
    return found


def batches(pools: Sequence[Sequence[Sample]], step: int) -> Iterator[tuple]:
    """Endless batches; the one of a step depends on its number alone."""
    shares = np.array([share if pool else 0 for share, pool in zip(SHARES, pools, strict=True)])
    while True:
        generator = np.random.default_rng([17, step])
        crops = []
        for _ in range(BATCH):
            number = generator.choice(len(pools), p=shares / shares.sum())
            sample = pools[number][generator.integers(len(pools[number]))]
            # Relief is learned at several scales.
            sides = [n for n in (1, 2, 4) if n * CROP <= min(sample.color.shape[:2])]
            factor = int(generator.choice(sides))
            side = factor * CROP
            top, left = (generator.integers(n - side + 1) for n in sample.color.shape[:2])
            window = np.s_[top : top + side, left : left + side]
            color, targets = (x[window].astype(np.float32) for x in (sample.color, sample.targets))
            if factor > 1:
                color, targets = (
                    x.reshape(CROP, factor, CROP, factor, -1).mean((1, 3)) for x in (color, targets)
                )
            facts = np.array([*sample.known, number < 2, number == 3], np.float32)
            crops.append((*turned(color, targets, generator), facts))
        yield tuple(tf.constant(np.stack(parts)) for parts in zip(*crops, strict=True))
        step += 1


def turned(color: np.ndarray, targets: np.ndarray, generator: np.random.Generator) -> tuple:
    if generator.random() < 0.5:
        color, targets = color[:, ::-1], targets[:, ::-1] * np.array([-1, 1, 1, 1], np.float32)
    if generator.random() < 0.5:
        color, targets = color[::-1], targets[::-1] * np.array([1, -1, 1, 1], np.float32)
    if generator.random() < 0.5:
        color, targets = color.swapaxes(0, 1), targets.swapaxes(0, 1)
        targets = np.concatenate([-targets[..., 1::-1], targets[..., 2:]], axis=-1)
    return color, targets


def as_photographed(
    color: tf.Tensor, targets: tf.Tensor, facts: tf.Tensor, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Colors as a camera might have seen them, and the logarithm of the light that is in them."""
    batch = color.shape[0]

    def draw(salt: int, least: float, most: float, shape: tuple[int, ...] = (batch,)) -> tf.Tensor:
        return tf.random.stateless_uniform(shape, seed + [0, salt], least, most)

    def wide(x: tf.Tensor) -> tf.Tensor:
        return x[:, None, None, None]

    light = tf.reduce_mean(color, -1, keepdims=True)
    mean = tf.reduce_mean(light, (1, 2), keepdims=True)
    inverted = tf.clip_by_value(color - 2 * (light - mean), 0.0, 1.0)
    turned_over = (draw(1, 0, 1) < INVERTED) & (facts[:, 3] > 0)
    color = tf.where(wide(turned_over), inverted, color)
    turn, height = draw(2, 0, 2 * np.pi), draw(3, 0.45, 1.3)
    sun = tf.stack(
        [tf.cos(turn) * tf.cos(height), tf.sin(turn) * tf.cos(height), tf.sin(height)], axis=-1
    )
    lit = shade(targets[..., :2], targets[..., 3:4], sun, draw(4, 0.1, 0.8))
    # Sets have little light in them, and what is made up always has some, else it says nothing of its relief.
    lit = tf.where(wide((draw(5, 0, 1) < 0.5) | (facts[:, 4] > 0)), lit, tf.ones_like(lit))
    log_light = tf.math.log(lit)
    log_light -= tf.reduce_mean(log_light, (1, 2), keepdims=True)
    balance = draw(6, 0.85, 1.15, (batch, 1, 1, 3)) * wide(draw(7, 0.7, 1.3))
    seen = to_srgb(tf.clip_by_value(to_linear(color) * tf.exp(log_light) * balance, 0.0, 1.0))
    noise = tf.random.stateless_normal(tf.shape(seen), seed + [0, 8]) * wide(draw(9, 0, 0.02))
    return tf.clip_by_value(seen + noise, 0.0, 1.0), log_light


class Training:
    def __init__(self) -> None:
        self.estimator, self.ema = Estimator(), Estimator()
        for mean, variable in zip(self.ema.variables, self.estimator.variables, strict=True):
            mean.assign(variable)
        self.optimizer = Adam(RATE, 0.9, 0.99)
        self.optimizer.build(self.estimator.trainable_variables)
        self.step = tf.function(self._step, autograph=False)

    def variables(self) -> list:
        return [*self.estimator.variables, *self.ema.variables, *self.optimizer.variables]

    def _step(
        self,
        number: tf.Tensor,
        rate: tf.Tensor,
        ema: tf.Tensor,
        color: tf.Tensor,
        targets: tf.Tensor,
        facts: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        seed = tf.stack([number, 5])
        seen, log_light = as_photographed(color, targets, facts, seed)
        known = facts[:, :3]
        with tf.GradientTape() as tape:
            with reduced_precision(128):
                found = self.estimator(seen)
            losses = measure(found, to_linear(color), targets, log_light, known, seed)
            total = tf.add_n(list(losses.values()))
        gradients = tape.gradient(total, self.estimator.trainable_variables)
        gradients, _ = tf.clip_by_global_norm(gradients, 5.0)
        assign(self.optimizer.learning_rate, rate)
        self.optimizer.apply(gradients, self.estimator.trainable_variables)
        follow(self.ema, self.estimator, ema)
        return losses


def measure(
    found: Estimate,
    albedo: tf.Tensor,
    targets: tf.Tensor,
    log_light: tf.Tensor,
    known: tf.Tensor,
    seed: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """All losses, each a scalar."""

    def inner(x: tf.Tensor) -> tf.Tensor:
        return x[:, BORDER:-BORDER, BORDER:-BORDER]

    weights = [known[:, i, None, None, None] for i in range(3)]
    p, t = inner(found.slopes), inner(targets[..., :2])
    cosine = tf.reduce_sum(normals_of_slopes(p) * normals_of_slopes(t), -1, keepdims=True)
    losses = {"normal": 4 * tf.reduce_mean(weights[0] * (1 - cosine))}
    losses["reflection"] = 0.5 * reflection_loss(
        p, inner(found.roughness), inner(albedo), inner(targets), weights, seed
    )
    coarse = 0.0
    errors = [tf.sqrt(2 * tf.maximum(1 - cosine, 1e-6))]
    for _ in range(4):
        p, t = downsample(p), downsample(t)
        coarse += tf.reduce_mean(weights[0] * tf.abs(p - t))
    losses["coarse"] = 0.5 * coarse
    for name, index, value in (
        ("roughness", 1, found.roughness),
        ("occlusion", 2, found.occlusion),
    ):
        errors.append(tf.abs(inner(value - targets[..., index + 1 : index + 2])))
        losses[name] = tf.reduce_mean(weights[index] * errors[-1])
    losses["shading"] = 0.5 * tf.reduce_mean(tf.abs(inner(found.shading - log_light)))
    # Exponential distributions of the errors, whose means are what is expected.
    doubts, seen = inner(found.doubts), tf.stop_gradient(tf.concat(errors, -1))
    likely = doubts + (seen + 1e-3) * tf.exp(-doubts)
    losses["doubts"] = 0.01 * tf.reduce_mean(known[:, None, None, :] * likely)
    return losses


def reflection_loss(
    slopes: tf.Tensor,
    roughness: tf.Tensor,
    albedo: tf.Tensor,
    targets: tf.Tensor,
    weights: Sequence[tf.Tensor],
    seed: tf.Tensor,
) -> tf.Tensor:
    """How different both look under a random light (Deschaintre et al. 2018, 10.1145/3197517.3201378)."""
    batch = slopes.shape[0]
    ways = tf.random.stateless_normal((2, batch, 3), seed + [0, 20])
    light, view = (
        tf.math.l2_normalize(tf.abs(w) * [0, 0, 1] + w * [1, 1, 0] + [0, 0, 0.3], -1)
        for w in tf.unstack(ways)
    )
    # Where no roughness is known, both have the estimated one.
    real = weights[1] * targets[..., 2:3] + (1 - weights[1]) * tf.stop_gradient(roughness)
    pair = [
        tf.math.log(0.05 + reflect(albedo, s, r, light, view))
        for s, r in ((slopes, roughness), (targets[..., :2], real))
    ]
    return tf.reduce_mean(weights[0] * tf.abs(pair[0] - pair[1]))


def evaluate(estimator: Estimator, samples: Sequence[Sample]) -> str:
    """Mean figures of the held-back sets, those with relief of their own first."""
    rows: dict[bool, list[tuple[float, ...]]] = {True: [], False: []}
    for sample in samples:
        found = estimator(tf.constant(sample.color[None].astype(np.float32)))
        slopes, true = found.slopes[0].numpy(), sample.targets[..., :2].astype(np.float32)
        height, real = height_of_slopes(slopes), height_of_slopes(true)
        rows[sample.own_relief].append(
            (
                angle(slopes, true),
                min(angle(s * slopes, true) for s in (0, 0.25, 0.5, 0.75, 1, 1.4, 2, 3)),
                angle(0 * slopes, true),
                float(np.corrcoef(height.ravel(), real.ravel())[0, 1]),
                float(np.mean(slopes * true) > 0),
                float(np.abs(found.roughness[0, ..., 0] - sample.targets[..., 2]).mean())
                if sample.known[1]
                else np.nan,
                float(np.abs(found.occlusion[0, ..., 0] - sample.targets[..., 3]).mean())
                if sample.known[2]
                else np.nan,
            )
        )
    names = ("raw", "best", "flat", "height", "polarity", "roughness", "occlusion")
    lines = []
    for own, figures in rows.items():
        if not figures:
            continue
        means = np.nanmean(np.array(figures), axis=0)
        told = " ".join(f"{n} {v:.3g}" for n, v in zip(names, means, strict=True))
        lines.append(f"{'own relief' if own else 'filtered'} ({len(figures)}): {told}")
    return "\n".join(lines)


def angle(slopes: np.ndarray, true: np.ndarray) -> float:
    pair = [normals_of_slopes(tf.constant(s, tf.float32)).numpy() for s in (slopes, true)]
    return float(np.degrees(np.arccos(np.clip((pair[0] * pair[1]).sum(-1), -1, 1))).mean())


def write_weights(estimator: Estimator, file: Path) -> None:
    """Write what the product reads, rounded to half precision."""
    weights = {f"{i:04d}": v.numpy().astype(np.float16) for i, v in enumerate(estimator.variables)}
    replace_file(file, format_tensors(weights))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, help="folders of material sets")
    parser.add_argument("--state", type=Path, default=ROOT / "out/estimator/state.safetensors")
    parser.add_argument("--file", type=Path, default=WEIGHTS, help="for the weights")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, default=40_000, help="in all")
    chosen = parser.parse_args()
    place = chosen.state.parent
    samples = kept(place / "sets.npz", lambda: read_samples(chosen.folders))
    drawn = kept(place / "drawn.npz", lambda: drawn_samples(DRAWN))
    pairs = kept(place / "pairs.npz", lambda: made_up_samples(PAIRS))
    tested = [s for s in samples if category(s.name) in HELD_BACK]
    learned = [s for s in samples if category(s.name) not in HELD_BACK]
    pools = [
        [s for s in learned if s.own_relief],
        [s for s in learned if not s.own_relief],
        drawn,
        pairs,
    ]
    print(f"{len(learned)} sets, {len(drawn)} drawn, {len(tested)} held back", flush=True)
    training, step = Training(), 0
    if chosen.state.exists():
        arrays = parse_tensors(chosen.state.read_bytes(), chosen.state.name)
        step = int(arrays.pop("step"))
        for index, variable in enumerate(training.variables()):
            variable.assign(arrays[f"{index:04d}"])
    started, shown = time.monotonic(), time.monotonic()
    sums: dict[str, list[float]] = {}
    for color, targets, known in batches(pools, step):
        left = max(0.0, 1 - step / chosen.steps) / LAST
        rate = RATE * min(1, (step + 1) / 200) * max(FINAL, min(1.0, left))
        ema = min(EMA, (1 + step) / (10 + step))
        losses = training.step(
            tf.constant(step),
            tf.constant(rate, tf.float32),
            tf.constant(ema, tf.float32),
            color,
            targets,
            known,
        )
        step += 1
        for name, value in losses.items():
            sums.setdefault(name, []).append(float(value))
        over = time.monotonic() - started > 60 * chosen.minutes or step >= chosen.steps
        if over or time.monotonic() - shown > 300:
            means = " ".join(f"{n} {np.mean(v):.4f}" for n, v in sums.items())
            print(f"step {step} {time.monotonic() - started:.0f} s: {means}", flush=True)
            print(evaluate(training.ema, tested), flush=True)
            sums, shown = {}, time.monotonic()
            arrays = {f"{i:04d}": np.asarray(v) for i, v in enumerate(training.variables())}
            chosen.state.parent.mkdir(parents=True, exist_ok=True)
            replace_file(chosen.state, format_tensors({**arrays, "step": np.array(step)}))
            write_weights(training.ema, chosen.file)
        if over:
            break


if __name__ == "__main__":
    main()
