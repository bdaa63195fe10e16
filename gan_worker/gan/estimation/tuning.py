"""Tuning: an estimator that goes on learning, from an artist's own sets, for minutes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

from gan_worker.errors import Cancelled, PictureError
from gan_worker.gan.estimation.estimator import WEIGHTS, load_estimator
from gan_worker.gan.estimation.learning import Training
from gan_worker.gan.estimation.samples import Sample, batches, read_sample
from gan_worker.materials.sets import find_materials

if TYPE_CHECKING:
    from gan_worker.runs.checkpoints import Arrays

# A few sets are learned by heart at the rate that many were learned with.
TUNING_RATE, MEMORY = 1.5e-4, 0.99


def read_own(places: Sequence[Path]) -> list[Sample]:
    """Read the sets that have what an estimator learns from; the relief of each counts, whatever it was made by.

    Raises:
        PictureError: `dataset_empty` where none has color and normals.
    """
    sets, _, _ = find_materials(list(places))
    found = [
        replace(sample, known=(1.0, *sample.known[1:]))
        for one in sets
        if (sample := read_sample(one))
    ]
    if found:
        return found
    raise PictureError(
        "dataset_empty",
        "To learn from sets, at least one must have a base color and normals, of 192 pixels or more along each side; "
        f"{', '.join(map(str, places))} holds {len(sets)} materials and none of these.",
        "Name a folder of material sets with normal maps.",
    )


def tune(
    samples: Sequence[Sample],
    minutes: float,
    seed: int = 0,
    report: Callable[[float], None] = lambda share: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Arrays:
    """Let the shipped estimator learn from sets.

    Args:
        samples: of `read_own`.
        minutes: spent in steps.
        seed: of what is drawn.
        report: is told which share of the time is over, 0..1.
        should_stop: is asked before each step.

    Returns:
        The weights, as `estimator.load_estimator` reads them.

    Raises:
        Cancelled: `should_stop` said so.
    """
    training = Training()
    training.start_from(load_estimator(WEIGHTS))
    began, whole = time.monotonic(), 60 * minutes
    for step, crops in enumerate(batches([(1.0, samples)], 0, seed)):
        past = time.monotonic() - began
        if past >= whole:
            break
        if should_stop():
            raise Cancelled
        rate = TUNING_RATE * min(1.0, (step + 1) / 20, 4 * (1 - past / whole) + 0.02)
        memory = min(MEMORY, (1 + step) / (10 + step))
        training.step(
            tf.constant(step), *(tf.constant(n, tf.float32) for n in (rate, memory)), *crops
        )
        report(past / whole)
    return training.weights()
