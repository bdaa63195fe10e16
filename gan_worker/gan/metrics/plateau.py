"""Plateau detection: whether a training's previews still get closer to the real pictures, or have stopped to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

# Of the figures of a preview: distances from the real pictures, of the small pictures and of their native detail.
DISTANCES = ("swd/0", "local_contrast", "native_swd")
# A distance must fall by this share within the last third of the time, or it has stopped falling.
IMPROVED, LATE = 0.01, 1 / 3
# Share of the time over which distances are averaged: a generator sways, and faster at the start.
SMOOTHED = 1 / 6
# Seconds and previews below which nothing is said.
LEAST_SECONDS, LEAST_PREVIEWS = 180.0, 18


class PlateauDetector:
    """Keeps the distances of the previews of one training, and tells where they have stopped to fall.

    All of a preview make one figure, the mean of their logarithms, which is averaged over a sixth of the time: its
    best in the last third of the time stands against its best before. What fell by less than a hundredth has stopped.
    Once that was said, it holds until the fall is also larger than what the averages sway by, or it would come and go.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew, where the training is another from here on."""
        self._seconds: list[float] = []
        self._levels: list[float] = []
        self._best_at: float | None = None

    def look(self, seconds: float, figures: Mapping[str, float]) -> None:
        """Take the figures of a preview.

        Args:
            seconds: of training so far; must not fall.
            figures: of the preview; others than distances, lower is better, do not count.
        """
        found = [max(figures[name], 1e-9) for name in DISTANCES if name in figures]
        self._seconds.append(seconds)
        self._levels.append(float(np.mean(np.log(found))))
        if self._is_old_enough():
            self._judge()

    def stopped_for(self, seconds: float) -> float | None:
        """Seconds since the best was reached, or nearly; None while it gets better, or before that can be known.

        Args:
            seconds: of training so far.
        """
        return None if self._best_at is None else seconds - self._best_at

    def _is_old_enough(self) -> bool:
        lasted = self._seconds[-1] - self._seconds[0]
        return lasted >= LEAST_SECONDS and len(self._seconds) >= LEAST_PREVIEWS

    def _judge(self) -> None:
        times = np.array(self._seconds)
        lasted = times[-1] - times[0]
        levels = _running_means(times, np.array(self._levels), SMOOTHED * lasted)
        whole = times - times[0] >= SMOOTHED * lasted
        late = times > times[-1] - LATE * lasted
        early = whole & ~late
        if not early.any():  # one step took most of the time
            return
        best = levels[early].min()
        fall = best - levels[late].min()
        sway = levels[late].std() if self._best_at is not None else 0.0
        if fall >= IMPROVED + sway:
            self._best_at = None
        else:
            self._best_at = float(times[early][levels[early] <= best + IMPROVED][0])


def _running_means(times: np.ndarray, values: np.ndarray, seconds: float) -> np.ndarray:
    """At each time the mean of the values of so many seconds up to it."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(times) + 1)
    starts = np.searchsorted(times, times - seconds, side="right")
    means: np.ndarray = (sums[ends] - sums[starts]) / (ends - starts)
    return means
