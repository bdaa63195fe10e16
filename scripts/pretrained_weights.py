"""Makes the weights that trainings start from: both networks of a preset and those of its detail stage.

They learn from folders of material sets and from the drawn materials of `starter_materials.py`, each standardised by
itself: first from all at once, then in short rounds from one after the other, until any is learned in few steps. What
has been learned is kept in the folder of `--state` every few minutes, so that the script can be stopped at any time and
goes on where it was; those of the program took some four hours of one processor core. Beside the weights stands what
they have learned from; a table beside the sets must name the license of each.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import numpy as np
import tensorflow as tf
from categories import category, check_held_back
from pretraining import (
    Known,
    ManyBases,
    ManyDetails,
    as_maps,
    read_known,
    scales_of,
    statistics,
    windows_of,
)
from reptile import Reptile
from rich.progress import track
from starter_materials import write_materials
from weights_sources import (
    describe_drawn,
    describe_sets,
    keep_sources,
    small_steps,
    with_channels,
    write_sources,
)

from gan_worker.config import MATERIAL_PRESETS, NetworkConfig
from gan_worker.files import replace_file
from gan_worker.gan.data.dataset import Dataset
from gan_worker.gan.data.waves import Pattern
from gan_worker.gan.generation import arrays as stored
from gan_worker.gan.training.detail import DetailHyperparameters
from gan_worker.gan.training.pretrained import FOLDER, Pretrained, to_arrays
from gan_worker.gan.training.step import TrainingStep, recipe
from gan_worker.runs.checkpoints import format_tensors, parse_tensors

SIZE, SEED = 384, 7
# Looks of which a training of one material starts from the most alike.
LOOKS, ANY = 64, 16
# Seconds between two times of keeping what was learned.
PATIENCE = 120.0


def main() -> None:
    chosen = _options()
    network = with_channels(
        MATERIAL_PRESETS[chosen.preset],
        {"generator": chosen.generator_channels, "discriminator": chosen.discriminator_channels},
    )
    file = chosen.file
    drawn, places = _places(chosen)
    told = {
        "preset": chosen.preset,
        "held_back": sorted(chosen.held_back),
        "scales": chosen.scales,
        "channels": {
            "generator": list(network.generator_channels),
            "discriminator": list(network.discriminator_channels),
        },
    }
    sets = [*describe_drawn(drawn), *describe_sets(chosen.sets, [place.name for place in places])]
    begun = any(_file(chosen.state, part).exists() for part in ("small", "rounds", "detail"))
    keep_sources(chosen.state, begun, sets, told)
    steps = {"steps": chosen.steps, "rounds": chosen.rounds, "detail_steps": chosen.detail_steps}
    if chosen.small:
        before = small_steps(chosen.small, [picture.file for picture in sets])
        steps |= {**before, "rounds": before["rounds"] + chosen.rounds}
    octaves = [*(0 for _ in drawn), *(None for _ in places)]
    known = [
        read_known(place, network.crop, measured, chosen.state)
        for place, measured in track([*zip([*drawn, *places], octaves, strict=True)], "reading")
    ]
    pictures = [scale for k in known for scale in scales_of(k.small, network.crop, chosen.scales)]
    small, latents = learn_small(chosen, network, pictures)
    detail = None
    if chosen.detail_steps:
        learned = train_detail(network, known, small, chosen.detail_steps, chosen.state)
        detail = learned.ema_upsampler, learned.discriminator
    arrays = to_arrays(
        *(small.ema_generator, small.discriminator, statistics()),
        latents,
        detail,
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(file, format_tensors(arrays))
    write_sources(file, sets, {**told, **steps})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", type=Path, help="folders of folders of maps")
    parser.add_argument("--preset", default="tiny", choices=MATERIAL_PRESETS)
    parser.add_argument("--file", type=Path, help="for the weights; those of the program if none")
    parser.add_argument("--state", type=Path, default=ROOT / "out/pretrained")
    parser.add_argument("--steps", type=int, default=30_000, help="of small pictures")
    parser.add_argument(
        "--rounds",
        type=int,
        help="in each of which a single material is learned for some steps, so that others are learned sooner; 2000, "
        "or none of --small",
    )
    parser.add_argument(
        "--detail-steps",
        type=int,
        default=24_000,
        help="of the detail stage; with 0 it starts from noise",
    )
    parser.add_argument(
        "--small",
        type=Path,
        metavar="FILE",
        help="weights of the same sets, whose networks of small pictures are learned for no more than --rounds",
    )
    parser.add_argument(
        "--held-back",
        nargs="*",
        default=[],
        help="categories of materials that are left out, such as bark, see categories.py",
    )
    parser.add_argument(
        "--scales",
        type=int,
        default=1,
        choices=(1, 2, 3),
        help="at which small pictures are learned: the one at which shapes fit, and coarser octaves with room enough",
    )
    for name in ("generator", "discriminator"):
        parser.add_argument(
            f"--{name}-channels", type=int, nargs="+", help="instead of those of the preset"
        )
    chosen = parser.parse_args()
    if chosen.rounds is None:
        chosen.rounds = 0 if chosen.small else 2_000
    chosen.file = chosen.file or FOLDER / f"{chosen.preset}.safetensors"
    return chosen


def _places(chosen: argparse.Namespace) -> tuple[list[Path], list[Path]]:
    """Folders of the drawn materials and of the sets, without those that are held back."""
    drawn = _draw(chosen.state / "drawn")
    places = [p for folder in chosen.sets for p in sorted(folder.iterdir()) if p.is_dir()]
    check_held_back(chosen.held_back, [place.name for place in (*drawn, *places)])
    drawn, places = (
        [place for place in some if category(place.name) not in chosen.held_back]
        for some in (drawn, places)
    )
    return drawn, places


def _draw(folder: Path) -> list[Path]:
    """The drawn materials, drawn once; all are there or none."""
    if not folder.exists():
        part = folder.with_suffix(".part")
        write_materials(part, SIZE, SEED)
        part.rename(folder)
    return sorted(place for place in folder.iterdir() if place.is_dir())


def learn_small(
    chosen: argparse.Namespace, network: NetworkConfig, pictures: Sequence[np.ndarray]
) -> tuple[TrainingStep, np.ndarray]:
    """Both networks of small pictures, and latents to start from."""
    if chosen.small:
        weights = Pretrained(chosen.small)
        small = new_step(chosen.preset, network, pictures[:1])
        weights.lend([small.ema_generator], small.discriminator, statistics())
        if not chosen.rounds:
            return small, weights.latents.numpy()
    else:
        small = new_step(chosen.preset, network, pictures)
        learn(small, small.step, "small", chosen.steps, chosen.state)
        if not chosen.rounds:
            return small, most_different(small, LOOKS)
    reptile = Reptile(chosen.preset, network, pictures, small)
    learn(reptile, reptile.step, "rounds", chosen.rounds, chosen.state)
    return reptile.networks(), any_looks(network)


def new_step(preset: str, network: NetworkConfig, pictures: Sequence[np.ndarray]) -> TrainingStep:
    """Both networks of small pictures, updated as those of the preset."""
    # Turned too, because materials lie in any direction; and so without patterns.
    dataset = Dataset([as_maps(picture) for picture in pictures], statistics(), turned=True)
    patterns = (Pattern(),) * len(pictures)
    parameters = replace(recipe(preset), final_rate=0.1)
    return TrainingStep(network, dataset, patterns, 0, parameters)


def train_detail(
    network: NetworkConfig, known: Sequence[Known], small: TrainingStep, steps: int, state: Path
) -> ManyDetails:
    """Both networks of the detail stage, told styles of the generator of small pictures."""
    windows = [window for k in track(known, "moving detail") for window in windows_of(k)]
    step = ManyDetails(
        network.detail,
        ManyBases(windows),  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        lambda which, seed: small.ema_generator.style(
            tf.random.stateless_normal((which.shape[0], small.network.z_dim), seed)
        ),
        small.network.w_dim,
        SEED,
        DetailHyperparameters(final_rate=0.1),
    )
    learn(step, lambda _, fraction: step.step(fraction), "detail", steps, state)
    return step


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


def any_looks(network: NetworkConfig) -> np.ndarray:
    """Latents where none means a material, (`ANY`, z_dim)."""
    drawn = np.random.default_rng(SEED).standard_normal((ANY, network.z_dim))
    return drawn.astype(np.float32)


def learn(
    update: Any, step: Callable[[int, float], Any], name: str, steps: int, state: Path
) -> None:
    """Learn for so many steps in all, going on from what was kept."""
    file = _file(state, name)
    first = _restore(update, file)
    started = kept = time.monotonic()
    for number in track(range(first, steps), f"training {name}"):
        losses = step(number, number / steps)
        if time.monotonic() - kept > PATIENCE or number == steps - 1:
            _keep(update, file, number + 1)
            kept = time.monotonic()
            left = (kept - started) / (number + 1 - first) * (steps - number - 1)
            told = ", ".join(f"{n} {float(v):.3f}" for n, v in losses.items())
            # A log has no bar of progress.
            print(
                f"{name} {number + 1} of {steps}, {timedelta(seconds=round(left))} left: {told}",
                flush=True,
            )


def _file(state: Path, name: str) -> Path:
    """Of what one part of the training has learned."""
    return state / f"{name}.safetensors"


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
