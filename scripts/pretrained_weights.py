"""Makes the weights that trainings start from: both networks of `tiny` and those of its detail stage.

They are learned from folders of material sets and from the drawn materials of `starter_materials.py`, each one
standardised by itself. What has been learned is kept in the folder of `--state` every few minutes, so that the script
can be stopped at any time and goes on where it was; an hour for each part on two processor cores is a good start.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import numpy as np
import tensorflow as tf
from pretraining import ManyBases, ManyDetails, as_maps, read_known, statistics, windows_of
from rich.progress import track
from starter_materials import write_materials

from gan_worker.config import MATERIAL_PRESETS
from gan_worker.files import replace_file
from gan_worker.gan.data.dataset import Dataset
from gan_worker.gan.data.waves import Pattern
from gan_worker.gan.generation import arrays as stored
from gan_worker.gan.training.detail import DetailHyperparameters
from gan_worker.gan.training.pretrained import FOLDER, to_arrays
from gan_worker.gan.training.step import Hyperparameters, TrainingStep
from gan_worker.runs.checkpoints import format_tensors, parse_tensors

PRESET = "tiny"
SIZE, SEED = 384, 7
# Looks of which a training of one material starts from the most alike.
LOOKS = 64
# Seconds between two times of keeping what was learned.
PATIENCE = 120.0


def main() -> None:
    chosen = _options()
    chosen.state.mkdir(parents=True, exist_ok=True)
    drawn = chosen.state / "drawn"
    if not drawn.exists():
        write_materials(drawn, SIZE, SEED)
    crop = MATERIAL_PRESETS[PRESET].crop
    places = [p for folder in chosen.sets for p in sorted(folder.iterdir()) if p.is_dir()]
    places = [p for p in places if category(p.name) not in chosen.held_back]
    known = [
        read_known(place, crop, 0 if place.parent == drawn else None, chosen.state)
        for place in track([*sorted(p for p in drawn.iterdir() if p.is_dir()), *places], "reading")
    ]
    small = train_small([k.small for k in known], chosen.steps, chosen.state)
    windows = [window for k in track(known, "moving detail") for window in windows_of(k)]
    step = ManyDetails(
        MATERIAL_PRESETS[PRESET].detail,
        ManyBases(windows),  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        lambda which, seed: small.ema_generator.style(
            tf.random.stateless_normal((which.shape[0], small.network.z_dim), seed)
        ),
        small.network.w_dim,
        SEED,
        DetailHyperparameters(final_rate=0.1),
    )
    learn(
        step, lambda _, fraction: step.step(fraction), "detail", chosen.detail_steps, chosen.state
    )
    latents = most_different(small, LOOKS)
    arrays = to_arrays(
        *(small.ema_generator, small.discriminator, statistics()),
        latents,
        (step.ema_upsampler, step.discriminator),
    )
    chosen.file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(chosen.file, format_tensors(arrays))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", type=Path, help="folders of folders of maps")
    parser.add_argument("--file", type=Path, default=FOLDER / f"{PRESET}.safetensors")
    parser.add_argument("--state", type=Path, default=ROOT / "out/pretrained")
    parser.add_argument("--steps", type=int, default=30_000, help="of small pictures")
    parser.add_argument("--detail-steps", type=int, default=10_000)
    parser.add_argument(
        "--held-back",
        nargs="*",
        default=[],
        help="kinds of sets that are left out, such as bark: a set's name up to the first digit or underscore",
    )
    return parser.parse_args()


def category(name: str) -> str:
    """Kind of material that the name of a set tells."""
    return re.sub(r"[_\d].*", "", name).lower()


def train_small(pictures: Sequence[np.ndarray], steps: int, state: Path) -> TrainingStep:
    """Both networks of small pictures."""
    # Turned too, because materials lie in any direction; and so without patterns.
    dataset = Dataset([as_maps(picture) for picture in pictures], statistics(), turned=True)
    patterns = (Pattern(),) * len(pictures)
    update = TrainingStep(
        MATERIAL_PRESETS[PRESET], dataset, patterns, 0, Hyperparameters(final_rate=0.1)
    )
    learn(update, update.step, "small", steps, state)
    return update


def most_different(update: TrainingStep, count: int) -> np.ndarray:
    """The latents of so many materials at most, (count, z_dim), each as far as can be from those before it.

    A training compares its picture with all of them before its first step.
    """
    assert update.conditioning
    latents = update.conditioning.latents.numpy()
    w = update.ema_generator.style(tf.constant(latents)).numpy()
    chosen = [int(np.argmin(np.linalg.norm(w - w.mean(axis=0), axis=1)))]
    nearest = np.linalg.norm(w - w[chosen[0]], axis=1)
    while len(chosen) < min(count, len(w)):
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.linalg.norm(w - w[chosen[-1]], axis=1))
    return latents[sorted(chosen)]


def learn(
    update: Any, step: Callable[[int, float], Any], name: str, steps: int, state: Path
) -> None:
    """Learn for so many steps in all, going on from what was kept."""
    file = state / f"{name}.safetensors"
    first = _restore(update, file)
    kept = time.monotonic()
    for number in track(range(first, steps), f"training {name}"):
        losses = step(number, number / steps)
        if time.monotonic() - kept > PATIENCE or number == steps - 1:
            _keep(update, file, number + 1)
            kept = time.monotonic()
            told = ", ".join(f"{n} {float(v):.3f}" for n, v in losses.items())
            print(f"{name} {number + 1}: {told}", flush=True)


def _restore(update: Any, file: Path) -> int:
    """Steps that were made."""
    if not file.exists():
        return 0
    arrays = parse_tensors(file.read_bytes(), file.name)
    number = int(arrays.pop("number"))
    stored.assign_arrays(update.variables(), arrays)
    return number


def _keep(update: Any, file: Path, number: int) -> None:
    arrays = stored.to_arrays(update.variables())
    replace_file(file, format_tensors({**arrays, "number": np.array(number)}))


if __name__ == "__main__":
    main()
