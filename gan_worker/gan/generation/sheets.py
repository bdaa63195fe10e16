"""Sheets that show what a model can do: many seeds, and what each direction changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from gan_worker.config import GenerationConfig, check_has_styles
from gan_worker.errors import RequestError
from gan_worker.gan.generation.directions import factor_directions, principal_directions
from gan_worker.limits import MOST_PIXELS
from gan_worker.materials.contact_sheet import Picture, contact_sheet
from gan_worker.materials.pictures import quantise
from gan_worker.progress import GenerationProgress

if TYPE_CHECKING:
    from gan_worker.gan.generation.model import Model

# Amounts in the columns of a sheet of directions.
STEPS = (-3, -2, -1, 0, 1, 2, 3)
# Pixels that a picture of a strip has at least.
STRIP_SIDE = 128

Report = Callable[[GenerationProgress], None]


def seed_sheet(
    model: Model, seeds: Sequence[int], config: GenerationConfig, report: Report
) -> Picture:
    """One picture for each seed, in a grid that is about as wide as high.

    Args:
        model: what makes them.
        seeds: at least one.
        config: all but the seed and the maps, of which the model's first is shown.
        report: is told after each picture.

    Returns:
        uint8 of shape (height, width, 3).

    Raises:
        RequestError: `invalid_size` for more than a picture can hold, and as `Model.generate`.
    """
    if len(seeds) * config.width * config.height > MOST_PIXELS:
        raise RequestError(
            "invalid_size",
            f"A sheet may have {MOST_PIXELS // 10**6} million pixels at most; received {len(seeds)} pictures of "
            f"{config.width}×{config.height}.",
            "Ask for fewer seeds, or for smaller pictures.",
        )
    shown = []
    for seed in seeds:
        shown.append(_picture(model, replace(config, seed=seed)))
        report(GenerationProgress(len(shown), len(seeds)))
    return contact_sheet(shown, list(map(str, seeds)), columns=ceil(len(seeds) ** 0.5))


def direction_sheet(model: Model, seed: int, count: int, report: Report) -> Picture:
    """A strip for each of the strongest directions of either kind, from three steps back to three ahead.

    Args:
        model: what makes them.
        seed: of the material in the middle of every strip.
        count: strips of each kind, at most the length of w.
        report: is told after each picture.

    Returns:
        uint8 of shape (height, width, 3).

    Raises:
        RequestError: as `Model.generate`.
    """
    check_has_styles(model.network.z_dim)
    stride = model.network.stride
    side = -(-STRIP_SIDE // stride) * stride
    # A fixed origin: what moves in a strip is the style and not the border.
    small = model.info.octaves
    config = GenerationConfig(model.info.name, seed, side, side, mip=small, origin=(0, 0))
    kinds = (principal_directions, factor_directions)
    names = [direction.name for kind in kinds for direction in kind(model.generator)[:count]]
    shown = []
    for name, step in product(names, STEPS):
        shown.append(_picture(model, replace(config, directions=((name, float(step)),))))
        report(GenerationProgress(len(shown), len(names) * len(STEPS)))
    labels = [f"{name} {step:+d}" if step else f"{name} 0" for name, step in product(names, STEPS)]
    return contact_sheet(shown, labels, columns=len(STEPS))


def _picture(model: Model, config: GenerationConfig) -> Picture:
    (made,) = model.generate(replace(config, maps=model.info.maps[:1])).maps.values()
    return np.broadcast_to(quantise(made, 8), (config.height, config.width, 3))
