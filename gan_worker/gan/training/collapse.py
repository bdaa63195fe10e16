"""Collapse detection: what previews say about a training in figures, and whether it has gone wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from gan_worker.errors import TrainingError
from gan_worker.gan.metrics.distances import local_contrast, projected, split_detail, wasserstein
from gan_worker.gan.metrics.nearest import pixel_diversity

# A preview below one of these shares of what is normal shows a collapse: of the real contrast; of the difference of
# unrelated places; of that of unrelated seeds.
LEAST = {"contrast": 0.25, "places": 0.1, "seeds": 0.1}
# Steps between two looks that count, for a training is judged alike however fast it is; and so many of them in a row
# that are a collapse and no chance.
LOOK_EVERY, PATIENCE = 100, 3
# Steps before which nothing is judged: an untrained generator is lively, and goes flat before it learns. One that
# begins flat shows noise for longer, which is no picture that could collapse.
YOUNG, FLAT_YOUNG = 200, 1000
# A real material that repeats this well after one cell of the latent grid may look the same everywhere.
REGULAR = 0.3
# Share of the real contrast below which a generator is dead: untrained ones have a third, and none that learned less.
DEAD = 0.02
# The finest octave of native pictures is so many times weaker or stronger than in truth at most; a trace, 0..1, is
# added to both, so that what is flat at its finest is not judged by its noise.
DETAIL, TRACE = 4.0, 1 / 255
CONTRAST_SIDE = 9
# Side of a compared window, pixels, at most, and real pictures that are compared.
SIDE, COMPARED = 128, 16


class Suspicion:
    """Looks that count and were bad, which are a collapse once there are many in a row.

    Args:
        young: steps before which none counts.

    Attributes:
        calm: whether neither the last look that counts nor the last of all was bad.
    """

    def __init__(self, young: int):
        self._young = young
        self.calm, self._count = True, 0

    def counts(self, step: int, last: bool) -> bool:
        """Whether a training is judged by a look at this step."""
        return last or (step >= self._young and step % LOOK_EVERY == 0)

    def look(self, bad: bool, step: int, last: bool) -> bool:
        """Take a look.

        Args:
            bad: what was seen.
            step: that the training has reached.
            last: there will be no other.

        Returns:
            Whether it is no chance any more; of the last look of all a first suspicion is enough.
        """
        if self.counts(step, last):
            self._count = self._count + 1 if bad else 0
        self.calm = not bad and not self._count
        return bad and self._count >= (1 if last else PATIENCE)

    def clear(self) -> None:
        """Begin anew."""
        self.calm, self._count = True, 0


class RealDistances:
    """How far pictures are from real ones of one training.

    Attributes:
        floor: of one half of a real picture from the other.

    Args:
        pictures: one map of the real materials, (height, width, channels), 0..1.
        side: of what is compared with them, pixels.
    """

    def __init__(self, pictures: Sequence[np.ndarray], side: int):
        values = np.concatenate([p[::3, ::3].reshape(-1, p.shape[-1]) for p in pictures])
        self._mean = values.mean(axis=0)
        self._spread = max(float(np.sqrt(values.var(axis=0).mean())), 1e-6)
        self._side = min(side, SIDE, *(n // 2 for p in pictures for n in p.shape[:2])) // 16 * 16
        flat = self.standardised(pictures[:: -(-len(pictures) // COMPARED)])
        first, second = (_corners(flat, self._side, end) for end in (False, True))
        self._real = self._described(np.concatenate([first, second]))
        self.floor = self._compare(self._described(first), self._described(second))

    def standardised(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Pictures with the mean and spread of the real ones taken out."""
        return [((p - self._mean) / self._spread).astype(np.float32) for p in pictures]

    def of(self, flat: Sequence[np.ndarray]) -> dict[str, float]:
        """`swd/0` and `local_contrast` as in `distances`, of two corners of each standardised picture."""
        corners = [_corners(flat, self._side, end) for end in (False, True)]
        return self._compare(self._real, self._described(np.concatenate(corners)))

    def _described(self, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = tf.constant(windows)
        return projected(split_detail(x)[0], 0), local_contrast(x, CONTRAST_SIDE)

    def _compare(
        self, first: tuple[np.ndarray, ...], second: tuple[np.ndarray, ...]
    ) -> dict[str, float]:
        names = ("swd/0", "local_contrast")
        found = zip(names, first, second, strict=True)
        return {name: 1000 * _quantile_distance(a, b) for name, a, b in found}


class CollapseDetector:
    """Measures the previews of one training.

    Args:
        pictures: one map of the real materials, (height, width, channels), 0..1, at training scale.
        side: of a preview picture, pixels.
        stride: pixels a cell of the latent grid.
        lively: whether the untrained generator has contrast, so that one without it is dead at any age; if not, it
            is young for longer.
        alive: whether there was a good preview before a resume.

    Attributes:
        alive: whether there was a good preview: only what has been there can collapse.
    """

    def __init__(
        self,
        pictures: Sequence[np.ndarray],
        side: int,
        stride: int,
        lively: bool = True,
        alive: bool = False,
    ):
        self._distances = RealDistances(pictures, side)
        self._stride = stride
        self._contrast = min(map(_contrast, pictures))
        self._regular = min(_places(p, stride) for p in pictures) < REGULAR
        self._lively, self.alive = lively, alive
        self._young = YOUNG if lively else FLAT_YOUNG
        self._suspicion = Suspicion(self._young)

    @property
    def floor(self) -> dict[str, float]:
        """Figures of one half of a real picture against the other."""
        return self._distances.floor

    @property
    def calm(self) -> bool:
        """Whether there is no reason to worry."""
        return self._suspicion.calm

    def forget(self) -> None:
        """Start anew after the training went back."""
        self._suspicion.clear()

    def look(
        self, pictures: Sequence[np.ndarray], step: int, last: bool = False
    ) -> dict[str, float]:
        """Measure the pictures of a preview.

        Args:
            pictures: of the real pictures' map, one a seed, all of one size.
            step: that the training has reached.
            last: there will be no other, so that a first suspicion counts.

        Returns:
            `swd/0` and `local_contrast` as in `distances`, `diversity` as in `nearest`.

        Raises:
            TrainingError: `diverged` for what is not finite, and for a collapse: several previews in a row of those
                that count, once there was a good one, are flat, the same at every place, or for every seed; without
                a good one, where they have no contrast at all.
        """
        if not all(np.all(np.isfinite(p)) for p in pictures):
            raise diverged("the preview is not finite")
        health = self.health(pictures)
        self._judge(health, step, last)
        flat = self._distances.standardised(pictures)
        return {**self._distances.of(flat), "diversity": pixel_diversity(flat)}

    def health(self, pictures: Sequence[np.ndarray]) -> dict[str, float]:
        """Contrast, difference of places and difference of seeds, each as a share of what is normal."""
        contrast = float(np.mean(list(map(_contrast, pictures))))
        between = np.sqrt(np.mean(np.square(pictures[0] - pictures[-1])) / 2)
        found = {"contrast": min(map(_contrast, pictures)) / max(self._contrast, 1e-6)}
        if not self._regular:
            found["places"] = min(_places(p, self._stride) for p in pictures)
            found["seeds"] = float(between / max(contrast, 1e-6))
        return found

    def _judge(self, health: dict[str, float], step: int, last: bool) -> None:
        low = [name for name, share in health.items() if share < LEAST[name]]
        old, dead = step >= self._young, self._lively and health["contrast"] < DEAD
        self.alive = self.alive or (old and not low and self._suspicion.counts(step, last))
        if self._suspicion.look(dead or (old and self.alive and bool(low)), step, last):
            shares = ", ".join(f"{name} {health[name]:.2f} of what is normal" for name in low)
            raise diverged(f"the previews collapsed ({shares})")


class DetailCollapseDetector:
    """Measures the native previews of one training: whether their finest octave is as strong as in truth.

    Args:
        natives: one map of the real materials at their own size, (height, width, channels), 0..1.
        side: of a preview picture, pixels.
    """

    def __init__(self, natives: Sequence[np.ndarray], side: int):
        self._distances = RealDistances(natives, side)
        strengths = [_finest_strength(picture) for picture in natives]
        self._least, self._most = min(strengths), max(strengths)
        self._suspicion = Suspicion(YOUNG)

    @property
    def calm(self) -> bool:
        """Whether there is no reason to worry."""
        return self._suspicion.calm

    def forget(self) -> None:
        """Start anew after the training went back."""
        self._suspicion.clear()

    def look(self, picture: np.ndarray, step: int, last: bool = False) -> dict[str, float]:
        """Measure a native preview.

        Args:
            picture: of the real pictures' map, (height, width, channels), sides even.
            step: that the training has reached.
            last: there will be no other, so that a first suspicion counts.

        Returns:
            `detail_strength`: of the finest octave, 1 where it is that of a real material or between two;
            `native_swd`: distance of its patches, as `swd/0` of the small pictures.

        Raises:
            TrainingError: `diverged` for what is not finite, and for a collapse: several previews in a row of those
                that count have a finest octave far weaker or far stronger than in truth.
        """
        if not np.all(np.isfinite(picture)):
            raise diverged("the native preview is not finite")
        found = _finest_strength(picture)
        share = (found + TRACE) / (min(max(found, self._least), self._most) + TRACE)
        if self._suspicion.look(not 1 / DETAIL <= share <= DETAIL, step, last):
            raise diverged(f"the finest detail collapsed (to {share:.2f} of its real strength)")
        distance = self._distances.of(self._distances.standardised([picture]))["swd/0"]
        return {"detail_strength": share, "native_swd": distance}


def _finest_strength(picture: np.ndarray) -> float:
    """Standard deviation of what is lost when a picture is halved, 0..1."""
    rows, columns = (n // 2 for n in picture.shape[:2])
    boxes = picture[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, -1)
    return float(np.sqrt(boxes.var(axis=(1, 3), dtype=np.float64).mean()))


def diverged(reason: str) -> TrainingError:
    """The error of a training that went wrong."""
    return TrainingError(
        "diverged",
        f"A training must stay finite and alive; {reason}.",
        "Resume from the last checkpoint, or start again with another seed.",
    )


def _contrast(picture: np.ndarray) -> float:
    return float(np.sqrt(picture.var(axis=(0, 1)).mean()))


def _places(picture: np.ndarray, stride: int) -> float:
    """Difference of places one cell apart, the larger of both directions, as a share of that of unrelated ones."""
    moved = [np.roll(picture, stride, axis) for axis in (0, 1)]
    steps = [np.sqrt(np.mean(np.square(picture - m)) / 2) for m in moved]
    return float(max(steps) / max(_contrast(picture), 1e-6))


def _corners(pictures: Sequence[np.ndarray], side: int, end: bool) -> np.ndarray:
    """A window from the first or the last corner of each picture, (count, side, side, channels)."""
    return np.stack([p[-side:, -side:] if end else p[:side, :side] for p in pictures])


def _quantile_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Wasserstein distance of tables with sorted columns of any length."""
    rows = min(len(first), len(second))
    return wasserstein(_quantiles(first, rows), _quantiles(second, rows))


def _quantiles(table: np.ndarray, rows: int) -> np.ndarray:
    """So many quantiles at equal distances of each column, interpolated linearly.

    As `np.quantile` gives them, which sorts again for each and takes seconds here.

    Args:
        table: sorted by column, as many rows at least.
        rows: of the result.
    """
    places = np.linspace(0, len(table) - 1, rows)
    below = places.astype(int)
    above = np.minimum(below + 1, len(table) - 1)
    return table[below] + (places - below)[:, None] * (table[above] - table[below])
