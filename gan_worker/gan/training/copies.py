"""Copy detection: what share of a training's previews is copied from the training pictures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from gan_worker.gan.metrics.nearest import copied_share, halves, intensities, nearest_distances

# Seconds of training between two measurements, at least, and the share of the time they may take.
EVERY, MOST_TIME = 60.0, 0.02
# Pieces of the previews that are looked for, fewer where each is looked for in eight ways, and the training pictures
# in which, evenly chosen.
PIECES, TURNED_PIECES, COMPARED = 128, 32, 32


class CopyDetector:
    """Looks now and then for copies in the previews of one training.

    Attributes:
        copied: share of the last measured previews' pieces that are copies, 0..1; None before the first.

    Args:
        pictures: one map of the real materials, (height, width, channels), 0..1, at training scale.
        turned: whether they are learned turned and mirrored too, so that copies may be so.
        copied: what was measured before a resume.
    """

    def __init__(
        self, pictures: Sequence[np.ndarray], turned: bool, copied: float | None = None
    ) -> None:
        self._turned = turned
        self.copied = copied
        self._pictures = pictures[:: -(-len(pictures) // COMPARED)]
        self._due: float | None = None

    def look(
        self, pictures: Sequence[np.ndarray], seconds: float, last: bool = False
    ) -> dict[str, float]:
        """Measure a preview where it is time to.

        Args:
            pictures: of the real pictures' map, one a seed.
            seconds: of training so far; must not fall.
            last: there will be no other, so it is time.

        Returns:
            `copied`, as in `nearest`, or nothing.
        """
        if self._due is None:
            self._due = seconds + EVERY
        if not last and seconds < self._due:
            return {}
        started = time.perf_counter()
        found = self._distances(intensities(pictures), intensities(self._pictures))
        self.copied = copied_share(found, self._between_halves)
        spent = time.perf_counter() - started
        self._due = seconds + max(EVERY, spent / MOST_TIME)
        return {"copied": self.copied}

    @cached_property
    def _between_halves(self) -> np.ndarray:
        a, b = map(intensities, halves(self._pictures))
        return np.sort(np.concatenate([self._distances(a, b), self._distances(b, a)]))

    def _distances(self, sources: list[np.ndarray], targets: list[np.ndarray]) -> np.ndarray:
        pieces = TURNED_PIECES if self._turned else PIECES
        return nearest_distances(sources, targets, pieces, self._turned)
