"""Training log: what the steps between two reports come to."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from gan_worker.progress import TrainingProgress

logger = logging.getLogger(__name__)

# Steps, seconds and mean losses.
Tick = tuple[int, float, dict[str, float]]
# Seconds between two reports.
TICK = 1.0


class TrainingLog:
    """Losses since the last report, averaged, and their TensorBoard events.

    Args:
        folder: the run's folder, which TensorBoard reads.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._writer: Any = None
        self.clear()

    @property
    def empty(self) -> bool:
        """Whether no step counts: none was made, or all that were have been taken back."""
        return not self._losses and self._tick is None

    def add(self, losses: dict[str, tf.Tensor]) -> None:
        """Take the losses of a step; once they are read, a GPU has finished it, and its time can be told."""
        self._losses.append({name: float(value) for name, value in losses.items()})

    def is_due(self) -> bool:
        return time.perf_counter() - self._started >= TICK

    def clear(self) -> None:
        """Forget the losses of steps that do not count."""
        self._tick: Tick | None = None
        self._begin()

    def _begin(self) -> None:
        self._losses: list[dict[str, float]] = []
        self._started = time.perf_counter()

    def take(self) -> Tick:
        """Steps, seconds and mean losses since the last call, each over the steps that had it.

        Where there was no step since, those of the last call again: a last preview may come after the last tick, and
        its figures belong to the same step. Not of an empty log.
        """
        if self._losses or self._tick is None:
            seconds = time.perf_counter() - self._started
            self._tick = len(self._losses), seconds, self._means()
            self._begin()
        return self._tick

    def _means(self) -> dict[str, float]:
        means = {}
        for name in dict.fromkeys(name for step in self._losses for name in step):
            values = [step[name] for step in self._losses if name in step]
            if name.endswith("_penalty"):
                values = [v for v in values if v != 0] or [0.0]
            means[name] = float(np.mean(values))
        return means

    def write(self, progress: TrainingProgress) -> None:
        """Add a tick to the TensorBoard events; one that finds no room there is in `progress.jsonl` alone."""
        try:
            self._write(progress)
        except tf.errors.OpError as error:
            logger.warning("TensorBoard will not see step %d: %s", progress.step, error)
            self._writer = None  # one that failed once writes no more

    def _write(self, progress: TrainingProgress) -> None:
        self._writer = self._writer or tf.summary.create_file_writer(str(self._folder))
        with self._writer.as_default(step=progress.step):
            for name, value in progress.losses.items():
                tf.summary.scalar(f"losses/{name}", value)
            for name, value in progress.figures.items():
                tf.summary.scalar(f"figures/{name}", value)
            tf.summary.scalar("images_per_second", progress.images_per_second)
        self._writer.flush()
