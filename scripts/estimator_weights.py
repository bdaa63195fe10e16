"""Trains the estimator's weights on material sets and on drawn materials; it can be stopped and goes on where it was.

The best weights come from hours on two processor cores. The categories of `HELD_BACK` are only measured; what is
measured is printed with every save.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from categories import category
from judged_estimator import JudgedTraining
from procedural_relief import draw_pair
from starter_materials import write_materials
from weights_sources import describe_sets, keep_sources, write_sources

from gan_worker.files import replace_file
from gan_worker.gan.estimation.estimator import WEIGHTS
from gan_worker.gan.estimation.learning import RATE, Training, as_arrays
from gan_worker.gan.estimation.network import FIXED, Estimator
from gan_worker.gan.estimation.relief import normals_of_slopes, slopes_of_height
from gan_worker.gan.estimation.samples import Sample, batches, read_sample
from gan_worker.gan.estimation.spectral import height_of_slopes
from gan_worker.materials.sets import find_materials
from gan_worker.runs.checkpoints import format_tensors, parse_tensors

# The rate falls to a share of it in the last part of the steps.
FINAL, LAST, EMA = 0.02, 0.2, 0.999
# Seeds of each drawn material, made-up pairs, and the shares of crops from real relief, filtered relief, drawn
# materials and made-up pairs.
DRAWN, PAIRS = 4, 300
SHARES = (0.5, 0.15, 0.1, 0.25)
# What draws them, and how many seeds of it.
DRAWN_BY = {"scripts/starter_materials.py": DRAWN, "scripts/procedural_relief.py": PAIRS}
# Part of the fixed mix of octaves that is added to what was learned of their strengths. The mean of all reliefs that a
# color may have is far flatter than any; with this, normals of the sets it has learned from are as near as before
# (15.13° for 15.10°), and relief is half as strong again.
RAISED = 0.5
HELD_BACK = ("bark", "roof", "paving", "plate", "snow", "coral", "carpet")


def read_samples(folders: Sequence[Path]) -> list[Sample]:
    found = []
    for folder in folders:
        table = folder / "SOURCES.csv"
        facts = {}
        if table.exists():
            with table.open(encoding="utf-8") as file:
                facts = {row["set"]: row for row in csv.DictReader(file)}
        for place in sorted(p for p in folder.iterdir() if p.is_dir()):
            sample = _read_folder(place, facts.get(place.name))
            if sample:
                found.append(sample)
    return found


def _read_folder(place: Path, facts: Mapping[str, str] | None) -> Sample | None:
    (found, *_), _, _ = find_materials([place])
    return read_sample(replace(found, name=place.name), facts)


def kept(file: Path, make: Callable[[], list[Sample]]) -> list[Sample]:
    """What is slow to make, or what was kept of it the last time."""
    if not file.exists():
        arrays, facts = {}, []
        for number, sample in enumerate(make()):
            arrays[f"color {number}"], arrays[f"targets {number}"] = sample.color, sample.targets
            facts.append([sample.name, sample.known, sample.own_relief, sample.made_up])
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part.npz")
        np.savez(part, facts=json.dumps(facts), **arrays)
        part.replace(file)
    with np.load(file) as found:
        return [
            Sample(name, found[f"color {n}"], found[f"targets {n}"], tuple(known), *own)
            for n, (name, known, *own) in enumerate(json.loads(str(found["facts"])))
        ]


def drawn_samples(seeds: int) -> list[Sample]:
    """The project's own drawn materials, whose relief is exact."""
    found = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            for place in write_materials(Path(folder), 384, 100 + seed):
                sample = _read_folder(
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
        found.append(Sample(f"pair {seed}", *kept_ones, (1.0, 0.0, 1.0), True, True))
    return found


def ahead(found: Iterator[tuple]) -> Iterator[tuple]:
    """The same, made while others are used: crops take a seventh of the time of a step."""
    with ThreadPoolExecutor(1) as worker:
        waiting = deque(worker.submit(next, found) for _ in range(3))
        while True:
            yield waiting.popleft().result()
            waiting.append(worker.submit(next, found))


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


def resumed(state: Path, training: Training) -> tuple[Training, int]:
    """A training as it was kept, and its next step; a judge that comes later begins anew."""
    if not state.exists():
        return training, 0
    arrays = parse_tensors(state.read_bytes(), state.name)
    step = int(arrays.pop("step"))
    for variable, name in zip(training.variables(), sorted(arrays), strict=False):
        variable.assign(arrays[name])
    return training, step


def raised(learned: Estimator) -> Estimator:
    """An estimator whose relief is stronger, see `RAISED`."""
    found = Estimator()
    for variable, value in zip(found.variables, learned.variables, strict=True):
        variable.assign(value)
    found.gains.bias.assign_add(RAISED * np.array(FIXED, np.float32))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, help="folders of material sets")
    parser.add_argument("--state", type=Path, default=ROOT / "out/estimator/state.safetensors")
    parser.add_argument("--file", type=Path, default=WEIGHTS, help="for the weights")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, default=40_000, help="in all")
    parser.add_argument("--judged", action="store_true", help="with a discriminator, at the end")
    chosen = parser.parse_args()
    place = chosen.state.parent
    samples = kept(place / "sets.npz", lambda: read_samples(chosen.folders))
    drawn = kept(place / "drawn.npz", lambda: drawn_samples(DRAWN))
    pairs = kept(place / "pairs.npz", lambda: made_up_samples(PAIRS))
    tested = [s for s in samples if category(s.name) in HELD_BACK]
    learned = [s for s in samples if category(s.name) not in HELD_BACK]
    kinds = (
        [s for s in learned if s.own_relief],
        [s for s in learned if not s.own_relief],
        drawn,
        pairs,
    )
    pools = list(zip(SHARES, kinds, strict=True))
    described = describe_sets(chosen.folders, [s.name for s in learned])
    keep_sources(place, chosen.state.exists(), described, {})
    print(f"{len(learned)} sets, {len(drawn)} drawn, {len(tested)} held back", flush=True)
    training, step = resumed(chosen.state, JudgedTraining() if chosen.judged else Training())
    started, shown = time.monotonic(), time.monotonic()
    sums: dict[str, list[float]] = {}
    for color, targets, known in ahead(batches(pools, step)):
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
            relief = raised(training.ema)
            print(evaluate(relief, tested), flush=True)
            sums, shown = {}, time.monotonic()
            arrays = {f"{i:04d}": np.asarray(v) for i, v in enumerate(training.variables())}
            chosen.state.parent.mkdir(parents=True, exist_ok=True)
            replace_file(chosen.state, format_tensors({**arrays, "step": np.array(step)}))
            replace_file(chosen.file, format_tensors(as_arrays(relief)))
            told = {"steps": step, "held_back": list(HELD_BACK), "drawn_by": DRAWN_BY}
            write_sources(chosen.file, described, told)
        if over:
            break


if __name__ == "__main__":
    main()
