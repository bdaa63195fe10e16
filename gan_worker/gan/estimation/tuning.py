"""Tuning: an estimator that goes on learning, from an artist's own sets, for minutes, and is kept as a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from gan_worker.errors import Cancelled, PictureError, TrainingError, counted
from gan_worker.gan.estimation.estimator import estimate, load_estimator
from gan_worker.gan.estimation.learning import Training
from gan_worker.gan.estimation.relief import normals_of_slopes
from gan_worker.gan.estimation.samples import BATCH, SIDE, Sample, batches, read_sample
from gan_worker.materials.sets import find_materials
from gan_worker.memory import resident_memory_mb
from gan_worker.progress import (
    DataReport,
    MaterialEntry,
    Preview,
    Report,
    SkippedFile,
    Stage,
    TrainingProgress,
)
from gan_worker.runs.estimators import Weights, save_estimator, shipped
from gan_worker.runs.provenance import Provenance, describe_training, write_provenance

if TYPE_CHECKING:
    from gan_worker.config import TrainingConfig
    from gan_worker.runs.checkpoints import Arrays
    from gan_worker.runs.run import Run

# A few sets are learned by heart at the rate that many were learned with.
TUNING_RATE, MEMORY = 1.5e-4, 0.99
# Seconds between two ticks.
TELL_EVERY = 1.0
# Side of a run's preview at most, pixels.
SHOWN = 256
# Sets at most: each takes 14 MiB.
MOST = 128
NEEDED = "base color and normals, of 192 pixels or more along each side"


@dataclass(frozen=True, eq=False)
class OwnSets:
    """Sets to learn from.

    Attributes:
        samples: their maps, whose relief counts, whatever it was made by.
        files: that were read.
        report: what was found, and what was left out, for a person.
    """

    samples: list[Sample]
    files: tuple[Path, ...]
    report: DataReport


def read_own(
    places: Sequence[str | Path],
    report: Callable[[Report], None] = lambda news: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> OwnSets:
    """Read the sets that have what an estimator learns from.

    Args:
        places: folders.
        report: is told how far it is.
        should_stop: is asked before each set.

    Raises:
        Cancelled: `should_stop` said so.
        PictureError: `dataset_empty` where none has color and normals; `picture_missing`.
    """
    sets, skipped, notes = find_materials(list(places), alike=False)
    if len(sets) > MOST:
        notes.append(
            f"{MOST} of the {len(sets)} sets are learned from: more do not fit into memory."
        )
        sets = [sets[n * len(sets) // MOST] for n in range(MOST)]
    samples, entries = [], []
    files: list[Path] = []
    for number, one in enumerate(sets):
        if should_stop():
            raise Cancelled
        report(Stage(f"reading set {number + 1} of {len(sets)}"))
        try:
            sample = read_sample(one)
        except PictureError as error:
            skipped.append(SkippedFile(one.name, error.info.message))
            continue
        if sample is None:
            skipped.append(SkippedFile(one.name, f"a set must have {NEEDED}"))
            continue
        samples.append(replace(sample, known=(1.0, *sample.known[1:])))
        files += one.files.values()
        height, width = sample.color.shape[:2]
        entries.append(MaterialEntry(one.name, width, height, tuple(one.maps)))
    if not samples:
        raise _nothing(places, len(sets))
    learned = {name for entry in entries for name in entry.maps}
    maps = tuple(n for n in ("normal", "roughness", "ambient_occlusion") if n in learned)
    found = DataReport(tuple(entries), tuple(skipped), maps, 1.0, tuple(notes))
    return OwnSets(samples, tuple(sorted(set(files))), found)


def _nothing(places: Sequence[str | Path], count: int) -> PictureError:
    return PictureError(
        "dataset_empty",
        f"To learn from sets, at least one must have {NEEDED}; {', '.join(map(str, places))} holds "
        f"{counted(count, 'material')} and none of these.",
        "Name a folder of material sets with normal maps.",
    )


def save_tuned(
    config: TrainingConfig,
    run: Run,
    report: Callable[[Report], None],
    should_stop: Callable[[], bool],
) -> None:
    """Let the estimator that comes with the program learn from sets, and keep it in a run's folder.

    Begun again after an interruption, it starts anew.

    Args:
        config: of the preset estimator, checked.
        run: the run's folder.
        report: is told what happens.
        should_stop: is asked now and then; then what was learned is kept, if anything was. It may raise `Cancelled`.

    Raises:
        Cancelled: it was stopped before the first step, or `should_stop` raised it; nothing is kept.
        PictureError: the sets cannot be used.
        StorageError: it cannot be written.
        TrainingError: `diverged`.
    """
    sets, start = read_own(config.pictures, report, should_stop), shipped()
    settings = {"learned_from": start.hash}
    described = describe_training(config, sets.files, 0, settings, report)
    largest = max(min(picture.width, picture.height) for picture in described[0])
    found = replace(sets.report, scale=min(1.0, SIDE / largest))
    report(found)
    report(Stage("learning"))
    tuned, last = tune(sets.samples, config.minutes or 0.0, config.seed, report, should_stop, start)
    report(Stage("saving"))
    provenance = Provenance().extended(*described)
    run.save_config(config)
    run.save_data_report(found)
    write_provenance(run.path, provenance)
    weights = save_estimator(run.path, tuned, start, last.step)
    shown = _preview(sets.samples[0], weights)
    run.save_preview(last.step, shown, provenance.credits)
    run.append_progress(last)
    report(Preview(last.step, shown))


def tune(
    samples: Sequence[Sample],
    minutes: float,
    seed: int,
    report: Callable[[TrainingProgress], None],
    should_stop: Callable[[], bool],
    start: Weights,
) -> tuple[Arrays, TrainingProgress]:
    """Let an estimator learn from sets.

    Args:
        samples: of `read_own`.
        minutes: spent in steps.
        seed: of what is drawn.
        report: is told how far it is.
        should_stop: is asked before each step; its own time does not count.
        start: what it goes on from.

    Returns:
        The weights, as `estimator.load_estimator` reads them, and how it was at the end.

    Raises:
        Cancelled: it was stopped before the first step.
        TrainingError: `diverged`.
    """
    training = Training()
    training.start_from(load_estimator(start.file))
    ticks = _Ticks(60 * minutes, report)
    for step, crops in enumerate(batches([(1.0, samples)], 0, seed)):
        if ticks.seconds >= 60 * minutes:
            break
        if should_stop():
            if not step:
                raise Cancelled
            break
        began = time.perf_counter()
        left = 1 - ticks.seconds / (60 * minutes)
        rate = TUNING_RATE * min(1.0, (step + 1) / 20, 4 * left + 0.02)
        memory = min(MEMORY, (1 + step) / (10 + step))
        told = (tf.constant(n, tf.float32) for n in (rate, memory))
        losses = training.step(tf.constant(step), *told, *crops)
        total = float(tf.add_n(list(losses.values())))
        # The first one builds the graph.
        ticks.add(total, time.perf_counter() - began if step else 0.0)
    weights = training.weights()
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise TrainingError(
            "diverged",
            "All numbers of an estimator must stay finite; some did not.",
            "Learn for fewer minutes, or leave sets out whose normals are damaged.",
        )
    return weights, ticks.end()


class _Ticks:
    """Tells how far a training is, now and then.

    Args:
        whole: seconds that it takes.
        report: is told.
    """

    def __init__(self, whole: float, report: Callable[[TrainingProgress], None]):
        self._whole, self._report = whole, report
        self.seconds, self._steps, self._next = 0.0, 0, TELL_EVERY
        self._losses: list[float] = []

    def add(self, loss: float, seconds: float) -> None:
        self._steps += 1
        self.seconds += seconds
        self._losses.append(loss)
        if self._next <= self.seconds < self._whole:
            self._next = self.seconds + TELL_EVERY
            self._report(self._now())

    def end(self) -> TrainingProgress:
        """The last tick, told too."""
        last = self._now()
        self._report(last)
        return last

    def _now(self) -> TrainingProgress:
        recent = self._losses[-50:]
        return TrainingProgress(
            step=self._steps,
            kimg=self._steps * BATCH / 1000,
            seconds=self.seconds,
            fraction=min(1.0, self.seconds / self._whole),
            eta=max(0.0, self._whole - self.seconds),
            images_per_second=self._steps * BATCH / max(self.seconds, 1e-9),
            losses={"loss": sum(recent) / len(recent)},
            memory_mb=resident_memory_mb(),
        )


def _preview(sample: Sample, weights: Weights) -> np.ndarray:
    """A set's color and the normals that are estimated from it now, beside each other, uint8."""
    color = sample.color[:SHOWN, :SHOWN].astype(np.float32)
    slopes = estimate(color, False, weights=weights.file).values[..., :2].astype(np.float32)
    normals = normals_of_slopes(tf.constant(slopes)).numpy() / 2 + 0.5
    return np.rint(255 * np.concatenate([color, normals], axis=1)).astype(np.uint8)
