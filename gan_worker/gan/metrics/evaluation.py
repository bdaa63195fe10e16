"""Evaluation of a model: every metric beside floor, random-phase and noise rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from gan_worker.config import GenerationConfig, check_learned
from gan_worker.errors import RequestError
from gan_worker.gan.data.dataset import read_pictures
from gan_worker.gan.estimation.training_photos import AS_IT_IS, as_trained
from gan_worker.gan.metrics.nearest import PATCH, Match
from gan_worker.gan.metrics.reference import Material, Reference
from gan_worker.materials.contact_sheet import Picture, contact_sheet
from gan_worker.materials.pictures import quantise
from gan_worker.progress import Evaluation, GenerationProgress, Likeness, Report, Row, Stage

if TYPE_CHECKING:
    from gan_worker.gan.generation.latents import Latents
    from gan_worker.gan.generation.model import Model
    from gan_worker.runs.run import Run

# Longest side of a generated picture that is judged, pixels, without and with octaves of detail.
LARGEST, LARGEST_NATIVE = 512, 1024
# Pairs of a generated piece and the real one most like it that are shown, the side of what is shown of each, and how
# much larger.
PAIRS, VIEW, ENLARGED = 8, 64, 3
FRAME = (255, 190, 60)


def evaluate_model(
    model: Model,
    files: Sequence[str],
    seeds: Sequence[int],
    report: Callable[[Report], None],
    run: Run | None = None,
) -> tuple[Evaluation, Picture]:
    """All metrics of a model beside those of the real halves, of random-phase noise and of noise.

    Args:
        model: makes the pictures.
        files: real pictures or folders, which are brought to the model's scale, that of its detail; of large ones as
            much of the middle as a training keeps.
        seeds: two at least, a picture each.
        report: is told what is done.
        run: that made the model: what it did to photos before it learned from them is done to these too.

    Returns:
        The figures, and the most alike pieces side by side: uint8 (height, width, 3).

    Raises:
        PictureError: the pictures cannot be used.
        RequestError: `invalid_config` for less than two seeds, for pictures without any map that the model makes, and
            for a model whose pictures are no material.
    """
    check_learned(model.info)
    if not model.network.seamless:
        raise RequestError(
            "invalid_config",
            f"Only models of seamless materials are measured; {model.info.name!r} was trained with the preset "
            "classic and makes separate small pictures.",
            "Look at its pictures with gan-worker sheet, or train another preset.",
        )
    done, total = 0, len(seeds) + 6

    def tell(text: str) -> None:
        nonlocal done
        report(Stage(text))
        report(GenerationProgress(done, total))
        done += 1

    tell("reading pictures")
    octaves = model.info.octaves
    prepared, estimate = as_trained(run, files, report) if run else (AS_IT_IS, None)
    read = read_pictures(
        files,
        model.network.crop,
        model.info.scale,
        octaves=octaves,
        preparation=prepared,
        estimate=estimate,
    )
    materials = read.natives or read.materials
    maps = tuple(name for name in model.info.maps if name in read.report.maps)
    if not maps or len(seeds) < 2:
        raise RequestError(
            "invalid_config",
            f"A model is judged by two seeds or more and pictures of the maps it makes "
            f"({', '.join(model.info.maps)}); received {len(seeds)} and {', '.join(read.report.maps)}.",
            "Give pictures like those it was trained on, and --seeds 4.",
        )
    reference = Reference([{name: m[name] for name in maps} for m in materials])
    made = []
    for seed in seeds:
        tell(f"generating seed {seed}")
        width, height = _size(model, materials)
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
    tell("looking for what is most alike")
    nearest, matches = reference.most_alike(made, PAIRS)
    likenesses = [
        Likeness(
            seeds[m.source],
            m.source_place[::-1],
            names[m.target],
            m.target_place[::-1],
            m.correlation,
        )
        for m in matches
    ]
    real = [m[maps[0]] for m in reference.materials]
    sheet = _side_by_side([m[maps[0]] for m in made], real, matches, likenesses)
    report(GenerationProgress(total, total))
    found = Evaluation(
        model=model.info.name,
        model_hash=model.info.hash,
        step=model.info.step,
        pictures=names,
        scale=model.info.scale,
        seeds=tuple(seeds),
        rows=rows,
        nearest=names[nearest],
        likenesses=tuple(likenesses),
    )
    return found, sheet


def _side_by_side(
    made: Sequence[np.ndarray],
    real: Sequence[np.ndarray],
    matches: Sequence[Match],
    likenesses: Sequence[Likeness],
) -> Picture:
    """Each generated piece, framed in its surroundings, and to its right the real one."""
    pictures, labels = [], []
    for match, pair in zip(matches, likenesses, strict=True):
        pictures += [
            _view(made[match.source], match.source_place),
            _view(real[match.target], match.target_place),
        ]
        labels += [f"seed {pair.seed}, {pair.correlation:.0%} alike", pair.picture]
    return contact_sheet(pictures, labels, columns=4)


def _view(picture: np.ndarray, place: tuple[int, int]) -> Picture:
    """What lies around a piece at a row and column, enlarged, uint8 (side, side, 3)."""
    starts = []
    for start, length in zip(place, picture.shape, strict=False):
        starts.append(min(max(0, start + PATCH // 2 - VIEW // 2), length - VIEW))
    row, column = starts
    seen = quantise(picture[row : row + VIEW, column : column + VIEW], 8)
    shown = np.broadcast_to(seen, (VIEW, VIEW, 3)).repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
    top, left = ((at - start) * ENLARGED for at, start in zip(place, starts, strict=True))
    side = PATCH * ENLARGED
    inside = shown[top + 2 : top + side - 2, left + 2 : left + side - 2].copy()
    shown[top : top + side, left : left + side] = FRAME
    shown[top + 2 : top + side - 2, left + 2 : left + side - 2] = inside
    return shown


def _size(model: Model, materials: Sequence[Material]) -> tuple[int, int]:
    """Width and height of the smallest real picture, in whole cells of the latent grid."""
    stride = model.info.stride
    largest = LARGEST_NATIVE if model.info.octaves else LARGEST
    sizes = [next(iter(m.values())).shape[:2] for m in materials]
    height, width = (min(largest, *(s[axis] for s in sizes)) for axis in (0, 1))
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
    # Without octaves: they draw on blocks, which a shift by a cell leaves in their places.
    config = GenerationConfig(model.info.name, seed, side, side, mip=model.info.octaves)
    latents = model.latents(config)
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
