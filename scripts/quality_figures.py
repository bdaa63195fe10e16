"""Figures of a material at its own resolution: how near pictures come to the real one in its finest detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tensorflow as tf

from gan_worker.gan.metrics.baselines import random_phase_like
from gan_worker.gan.metrics.classifier_test import held_out_auc
from gan_worker.gan.metrics.distances import (
    CONTRAST_SIDES,
    Layout,
    faults_of,
    local_contrast,
    map_correlations,
    normal_height,
    projected,
    pyramid,
    wasserstein,
)
from gan_worker.gan.metrics.faults import Faults, fault_figures
from gan_worker.gan.metrics.nearest import copied_share, halves, intensities, nearest_distances
from gan_worker.gan.metrics.reference import (
    GROUPS,
    cut_windows,
    in_groups,
    measure_layout,
    seam_figures,
    smallest_side,
    stacked,
    window_side,
)

Material = Mapping[str, np.ndarray]
Row = dict[str, float]

# Side of a window, pixels of all windows of one half (all of a picture of 1024²), and smallest side of a band: three of
# them where a half is 128 pixels wide.
SIDE, PIXELS, COARSEST, BANDS = 256, 2**19, 16, 3
# Sides of the patches that a classifier sees, and of those that are looked for in the real picture, pixels.
CRITICS, COPIES = (32, 64), (16, 32)


@dataclass(frozen=True)
class Description:
    """Statistics of one set of windows.

    Attributes:
        bands: of all maps together, for each band sorted projections of patches, (samples, projections).
        colors: the same of the color alone, or of the first map.
        contrasts: for each side, sorted local standard deviations, (samples, channels).
        normal_height: correlation of the slopes that normals and height say; NaN without them.
        correlations: between the maps in the finest band, (maps, maps).
        faults: dots at the pixel, and shapes.
    """

    bands: tuple[np.ndarray, ...]
    colors: tuple[np.ndarray, ...]
    contrasts: tuple[np.ndarray, ...]
    normal_height: float
    correlations: np.ndarray
    faults: Faults


def describe(windows: np.ndarray, layout: Layout) -> Description:
    """Measure windows, (count, side, side, channels), standardised."""
    x = tf.constant(windows, tf.float32)
    levels = pyramid(x, COARSEST)[:BANDS]
    color = layout.channels.get("base_color", next(iter(layout.channels.values())))
    bands = tuple(projected(level, i) for i, level in enumerate(levels))
    return Description(
        bands=bands,
        colors=bands
        if len(layout.channels) == 1
        else tuple(projected(level[..., color], i) for i, level in enumerate(levels)),
        contrasts=tuple(local_contrast(x, side) for side in CONTRAST_SIDES),
        normal_height=normal_height(windows, layout),
        correlations=map_correlations(windows, layout, finest=True),
        faults=faults_of(windows, layout),
    )


def distances(real: Description, other: Description) -> Row:
    """Lower is better: `color/<band>` and `swd/<band>` (0 is the finest) and `contrast`, Wasserstein distances of
    standardised values × 1000; `correlations` (largest difference) and `normal_height` (difference); and of the worst
    map `dots` (1 as in the real material) and `melted`, as in `faults`."""
    found: Row = {}
    for name, pairs in (
        ("color", zip(real.colors, other.colors, strict=True)),
        ("swd", zip(real.bands, other.bands, strict=True)),
    ):
        found |= {f"{name}/{i}": 1000 * wasserstein(*pair) for i, pair in enumerate(pairs)}
    contrasts = zip(real.contrasts, other.contrasts, strict=True)
    found["contrast"] = 1000 * float(np.mean([wasserstein(*pair) for pair in contrasts]))
    if len(real.correlations) > 1:
        found["correlations"] = float(np.abs(real.correlations - other.correlations).max())
    if np.isfinite(real.normal_height):
        found["normal_height"] = abs(real.normal_height - other.normal_height)
    faults = fault_figures(real.faults, other.faults)
    for family in ("dots", "melted"):
        found[family] = max(v for name, v in faults.items() if name.startswith(f"{family}/"))
    return found


class NativeReference:
    """A real material at its own size, measured once, against which pictures are judged.

    As in the program's own evaluation, one half of the real picture is compared with as many windows of what is
    judged, then the other half; the mean of both.

    Args:
        material: map name → (height, width, channels), 0..1.
    """

    def __init__(self, material: Material):
        self.material = material
        self.layout = measure_layout([material])
        self.flat = stacked(material, self.layout)
        self._halves = halves([self.flat])
        side = min(window_side(half, SIDE) for half in self._halves)
        self._side, self._count = side, max(1, PIXELS // side**2)
        windows = [cut_windows(half, side, self._count) for half in self._halves]
        self._windows = tuple(w[: min(map(len, windows))] for w in windows)
        self._described = tuple(describe(w, self.layout) for w in self._windows)

    def row(self, pictures: Sequence[Material], copied: bool = False) -> Row:
        """All figures of generated pictures, two at least, of one size that is not smaller than half the real one.

        Args:
            pictures: one a seed.
            copied: also measure what share of the first two's patches are copies, which takes longest.

        Returns:
            What `distances` says, `critic/<side>` (0.5 where a fresh network cannot tell patches of that side, 1 where
            it always can), `seam` (of the worst map) and `copied/<side>`.
        """
        flat = [stacked(p, self.layout) for p in pictures]
        count = len(self._windows[0])
        made = cut_windows(flat, self._side, GROUPS * count)
        groups = [describe(group, self.layout) for group in in_groups(made, count)]
        row = _mean([distances(real, other) for real in self._described for other in groups])
        fake = [cut_windows(flat[i::2], self._side, self._count) for i in (0, 1)]
        row |= _critics(self._windows, fake)
        steps = seam_figures([{name: p[name] for name in self.layout.channels} for p in pictures])
        row["seam"] = max(v for name, v in steps.items() if name.startswith("seam_ratio/"))
        if copied:
            row |= {f"copied/{side}": self._copied(flat[:2], side) for side in COPIES}
        return row

    @cached_property
    def floor(self) -> Row:
        """The figures of one half of the real picture against the other."""
        row = distances(*self._described)
        quarters = [halves(half) for half in self._halves]
        least = min(smallest_side(part) for pair in quarters for part in pair)
        side = min(SIDE, least // 16 * 16)
        # Smaller ones hold too few patches to learn from.
        critics = [c for c in CRITICS if 2 * c <= side]
        real, fake = ([cut_windows(part, side, self._count) for part in pair] for pair in quarters)
        row |= _critics(real, fake, critics)
        row |= {f"copied/{s}": copied_share(n, n) for s, n in self._between_halves.items()}
        return row

    def random_phase(self) -> Row:
        """The figures of noise with the spectrum of the real picture."""
        return self.row([random_phase_like(self.material, seed) for seed in (1, 2)])

    def part_against_part(self, parts: Sequence[slice], drawn: Sequence[Material]) -> Row:
        """The figures of two parts of the real picture that were drawn anew, each against the real same part.

        Args:
            parts: columns of each.
            drawn: as large as the parts.
        """
        real = [self.flat[:, part] for part in parts]
        fake = [stacked(p, self.layout) for p in drawn]
        side = window_side(real, SIDE)
        windows = [
            [cut_windows([p], side, self._count) for p in pictures] for pictures in (real, fake)
        ]
        described = [[describe(w, self.layout) for w in pair] for pair in windows]
        row = _mean([distances(*pair) for pair in zip(*described, strict=True)])
        return row | _critics(windows[0], windows[1])

    @cached_property
    def _between_halves(self) -> dict[int, np.ndarray]:
        a, b = map(intensities, self._halves)
        return {
            side: np.sort(
                np.concatenate([nearest_distances(*pair, patch=side) for pair in ((a, b), (b, a))])
            )
            for side in COPIES
        }

    def _copied(self, flat: Sequence[np.ndarray], side: int) -> float:
        found = nearest_distances(intensities(flat), intensities([self.flat]), patch=side)
        return copied_share(found, self._between_halves[side])


def _mean(rows: Sequence[Row]) -> Row:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _critics(
    real: Sequence[np.ndarray], fake: Sequence[np.ndarray], sides: Sequence[int] = CRITICS
) -> Row:
    """Of patches of these sides; of those that are larger than what was cut, there is nothing to say."""
    pairs = (real[0], real[1]), (fake[0], fake[1])
    room = min(windows.shape[1] for pair in pairs for windows in pair)
    return {f"critic/{side}": held_out_auc(*pairs, side) for side in sides if side <= room}
