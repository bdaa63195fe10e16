"""Evaluation of a model: every metric beside floor, random-phase and noise rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from gan_worker.config import ClassicConfig, GenerationConfig
from gan_worker.errors import RequestError
from gan_worker.gan.dataset import read_pictures
from gan_worker.gan.generation import Model
from gan_worker.gan.latents import Latents
from gan_worker.gan.reference import Material, Reference
from gan_worker.likeness import MOST_COPIED
from gan_worker.progress import Evaluation, GenerationProgress, Report, Row, Stage

# Longest side of a generated picture that is judged, pixels.
LARGEST = 512


def evaluate_model(
    model: Model, files: Sequence[str], seeds: Sequence[int], report: Callable[[Report], None]
) -> Evaluation:
    """All metrics of a model beside those of the real halves, of random-phase noise and of noise.

    Args:
        model: makes the pictures.
        files: real pictures or folders, which are brought to the model's scale.
        seeds: two at least, a picture each.
        report: is told what is done.

    Raises:
        PictureError: the pictures cannot be used.
        RequestError: `invalid_config` for less than two seeds, for pictures without any map that the model makes, and
            for a model whose pictures are no material.
    """
    if isinstance(model.network, ClassicConfig):
        raise RequestError(
            "invalid_config",
            f"Only models of seamless materials are measured; {model.info.name!r} was trained with the preset "
            "classic and makes separate small pictures.",
            "Look at its pictures with gan-worker sheet, or train another preset.",
        )
    done, total = 0, len(seeds) + 5

    def tell(text: str) -> None:
        nonlocal done
        report(Stage(text))
        report(GenerationProgress(done, total))
        done += 1

    tell("reading pictures")
    read = read_pictures(files, model.network.crop, model.info.scale)
    maps = tuple(name for name in model.info.maps if name in read.report.maps)
    if not maps or len(seeds) < 2:
        raise RequestError(
            "invalid_config",
            f"A model is judged by two seeds or more and pictures of the maps it makes "
            f"({', '.join(model.info.maps)}); received {len(seeds)} and {', '.join(read.report.maps)}.",
            "Give pictures like those it was trained on, and --seeds 4.",
        )
    reference = Reference([{name: m[name] for name in maps} for m in read.materials])
    made = []
    for seed in seeds:
        tell(f"generating seed {seed}")
        width, height = _size(model, read.materials)
        config = GenerationConfig(model.info.name, seed, width, height, maps)
        made.append(model.generate(config).maps)
    rows: dict[str, Row] = {}
    tell("judging the model")
    rows["model"] = reference.evaluate(made)
    rows["model"]["shift_error"] = shift_error(model)
    for label, measure in (
        ("floor", lambda: reference.floor),
        ("random_phase", lambda: reference.random_phase),
        ("noise", lambda: reference.noise),
    ):
        tell(f"measuring {label.replace('_', ' ')}")
        rows[label] = measure()
    names = tuple(entry.name for entry in read.report.materials)
    copies = rows["model"]["copied"] > MOST_COPIED
    copied_from = names[reference.most_copied(made)] if copies else ""
    report(GenerationProgress(total, total))
    return Evaluation(
        model=model.info.name,
        model_hash=model.info.hash,
        step=model.info.step,
        pictures=names,
        scale=model.info.scale,
        seeds=tuple(seeds),
        rows=rows,
        copied_from=copied_from,
    )


def _size(model: Model, materials: Sequence[Material]) -> tuple[int, int]:
    """Width and height of the smallest real picture, in whole cells of the latent grid."""
    stride = model.network.stride
    sizes = [next(iter(m.values())).shape[:2] for m in materials]
    height, width = (min(LARGEST, *(s[axis] for s in sizes), LARGEST) for axis in (0, 1))
    return -(-width // stride) * stride, -(-height // stride) * stride


def shift_error(model: Model, seed: int = 1, cells: int = 8) -> float:
    """Largest change of any map's value, 0..1, beyond a plain shift, when all latents are shifted by one cell.

    Args:
        model: to be judged.
        seed: of the picture.
        cells: side of the picture on the latent grid.
    """
    stride = model.network.stride
    side = cells * stride
    latents = model.latents(GenerationConfig(model.info.name, seed, side, side))
    still, moved = (
        model.statistics.restore(_channels(model, x)) for x in (latents, latents.rolled(1, 1))
    )
    return max(
        float(np.abs(np.roll(still[name], (stride, stride), (0, 1)) - moved[name]).max())
        for name in still
    )


def _channels(model: Model, latents: Latents) -> tf.Tensor:
    w = model.generator.style(tf.constant(latents.z))
    noise = [tf.constant(field) for field in latents.noise]
    return model.generator.synthesis(w, tf.constant(latents.local), noise)[0]
