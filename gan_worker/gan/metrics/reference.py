"""Reference: real materials measured once, and every metric of generated ones against them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gan_worker.errors import PictureError, RequestError
from gan_worker.gan.data.statistics import measure_statistics
from gan_worker.gan.generation.seams import band_ratio, line_steps, seam_rank, seam_ratio
from gan_worker.gan.metrics.baselines import noise_like, random_phase_like
from gan_worker.gan.metrics.classifier_test import held_out_auc
from gan_worker.gan.metrics.distances import (
    Description,
    Layout,
    describe,
    distances,
    typical_halvings,
)
from gan_worker.gan.metrics.nearest import (
    SEARCHED,
    SMALLEST,
    Match,
    copied_share,
    halves,
    intensities,
    most_alike,
    nearest_distances,
    pixel_diversity,
)
from gan_worker.materials.maps import MAPS, Kind

if TYPE_CHECKING:
    from gan_worker.progress import Row

Material = Mapping[str, np.ndarray]

# Largest side of a window, and pixels of all windows of one set, at most.
SIDE, PIXELS = 128, 2**18
# Sets of windows of generated material that are compared with each half.
GROUPS = 4
STAND_INS = 4
# Materials of which the size of shapes is measured, at most.
MEASURED = 16


class Reference:
    """Real materials, measured once, against which generated ones are evaluated.

    Every row, the floor too, is made the same way: one half of each real picture is compared with as many windows of
    what is evaluated, then the other half; the mean of both.

    Args:
        materials: map name → (height, width, channels), 0..1, at training scale; all with the same maps.

    Raises:
        PictureError: `picture_too_small` where a picture has less than 64 pixels across, `dataset_empty` where all
            maps are constant.
    """

    def __init__(self, materials: Sequence[Material]):
        self.materials = materials
        self.layout = measure_layout(materials)
        self._flat = [stacked(m, self.layout) for m in materials]
        self._halves = halves(self._flat)
        smallest = min(map(smallest_side, self._halves))
        if smallest < SMALLEST:
            raise PictureError(
                "picture_too_small",
                f"Half a picture's side must have {SMALLEST} pixels to be judged by; the shortest has "
                f"{smallest}.",
                "Use larger pictures, or a larger scale.",
            )
        self.side = min(map(window_side, self._halves))
        windows = [cut_windows(half, self.side) for half in self._halves]
        self._windows = tuple(w[: min(map(len, windows))] for w in windows)
        self._described = tuple(describe(w, self.layout) for w in self._windows)

    def evaluate(self, pictures: Sequence[Material]) -> Row:
        """All metrics of generated pictures.

        Args:
            pictures: one a seed, two at least, with the reference's maps, at the same scale, of one size that is not
                smaller than half a reference picture.

        Returns:
            The distances of `distances.distances`, and:
            `critic_auc`: 0.5 where a fresh network cannot tell, 1 where it always can;
            `seam_ratio/<map>`, `seam_rank/<map>`, `seam_band/<map>`: of the border, see `metrics`, mean over pictures;
            `coverage`: mean distance of real patches to the nearest generated one, lower is better;
            `copied`: share of generated patches that are copies of real ones;
            `diversity`: difference of seeds at the same place, 1 where they have nothing to do with each other;
            `novelty`: distance of patches of one seed to the nearest of the other seeds, 1 as in the real halves.

        Raises:
            RequestError: `invalid_size` or `invalid_config` for pictures that cannot be compared.
        """
        self._check(pictures)
        flat = [stacked(p, self.layout) for p in pictures]
        row = self._distances([cut_windows(flat, self.side, GROUPS * len(self._windows[0]))] * 2)
        row["critic_auc"] = self._classifier_auc(flat)
        row |= seam_figures(pictures)
        row |= self._patches(flat)
        row["diversity"] = pixel_diversity(flat)
        return row

    @cached_property
    def floor(self) -> Row:
        """The metrics of one half of the real pictures against the other."""
        row = self._distances(self._windows[::-1])
        auc = self._critic_of_halves()
        if auc is not None:
            row["critic_auc"] = auc
        row |= seam_figures(self.materials)
        row["coverage"] = float(self._between_halves.mean())
        row["copied"] = copied_share(self._between_halves, self._between_halves)
        row["novelty"] = 1.0
        return row

    @cached_property
    def noise(self) -> Row:
        """The metrics of noise with the same covariance of channels."""
        return self._evaluate_stand_in(noise_like)

    @cached_property
    def random_phase(self) -> Row:
        """The metrics of noise with the same spectrum and no shapes."""
        return self._evaluate_stand_in(random_phase_like)

    def _evaluate_stand_in(self, make: Callable[[Material, int], Material]) -> Row:
        materials = [self.materials[i % len(self.materials)] for i in range(STAND_INS)]
        smallest = [min(m[next(iter(m))].shape[axis] for m in materials) for axis in (0, 1)]
        made = [make(material, seed) for seed, material in enumerate(materials)]
        return self.evaluate(
            [{n: p[: smallest[0], : smallest[1]] for n, p in m.items()} for m in made]
        )

    def _check(self, pictures: Sequence[Material]) -> None:
        missing = [n for n in self.layout.channels for p in pictures if n not in p]
        if missing or len(pictures) < 2:
            raise RequestError(
                "invalid_config",
                f"Two or more pictures with the maps {', '.join(self.layout.channels)} are needed; "
                f"received {len(pictures)}{' without ' + missing[0] if missing else ''}.",
                "Compare a model with pictures that have the maps it makes.",
            )
        name = next(iter(self.layout.channels))
        sizes = {p[name].shape[:2] for p in pictures}
        if len(sizes) > 1 or min(min(sizes)) < self.side:
            raise RequestError(
                "invalid_size",
                f"Generated pictures must be of one size, {self.side} pixels or more; received {sizes}.",
                "Generate larger ones.",
            )

    def _distances(self, candidates: Sequence[np.ndarray]) -> Row:
        """Mean distances of each half to its candidates, which are cut into sets of the half's size."""
        rows = []
        described: dict[int, list[Description]] = {}
        for real, windows in zip(self._described, candidates, strict=True):
            if id(windows) not in described:
                described[id(windows)] = [
                    describe(g, self.layout) for g in in_groups(windows, len(self._windows[0]))
                ]
            rows += [distances(real, other, self.layout) for other in described[id(windows)]]
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def _classifier_auc(self, flat: Sequence[np.ndarray]) -> float:
        first, second = (cut_windows(flat[i::2], self.side) for i in (0, 1))
        return held_out_auc((self._windows[0], self._windows[1]), (first, second))

    def _critic_of_halves(self) -> float | None:
        """One half as real, the other as generated, each halved again; None where a quarter is too small."""
        quarters = [halves(half) for half in self._halves]
        parts = [part for pair in quarters for part in pair]
        if min(map(smallest_side, parts)) < SMALLEST:
            return None
        side = min(map(window_side, parts))
        real, fake = ((cut_windows(a, side), cut_windows(b, side)) for a, b in quarters)
        return held_out_auc(real, fake)

    @cached_property
    def _between_halves(self) -> np.ndarray:
        a, b = map(intensities, self._halves)
        return np.sort(np.concatenate([nearest_distances(a, b), nearest_distances(b, a)]))

    def _patches(self, flat: Sequence[np.ndarray]) -> Row:
        # As much is searched as one half of the real picture has, or the nearest would be nearer by number alone.
        area = min(SEARCHED, sum(p.shape[0] * p.shape[1] for p in self._halves[0]))
        found, rest = intensities(flat, area), intensities(flat[1:], area)
        covered = [nearest_distances(intensities(half), found).mean() for half in self._halves]
        to_real = nearest_distances(intensities(flat), intensities(self._flat))
        repeated = nearest_distances(intensities(flat[:1]), rest)
        return {
            "coverage": float(np.mean(covered)),
            "copied": copied_share(to_real, self._between_halves),
            "novelty": float(repeated.mean() / max(self._between_halves.mean(), 1e-9)),
        }

    def most_alike(self, pictures: Sequence[Material], count: int) -> tuple[int, list[Match]]:
        """Which of the reference's materials the generated ones are nearest to, by its number, and where.

        Args:
            pictures: as for `evaluate`.
            count: of the matches, at most.
        """
        made = intensities([stacked(p, self.layout) for p in pictures])
        rows, matches = most_alike(made, intensities(self._flat), count)
        ranks = [(copied_share(row, self._between_halves), -row.mean()) for row in rows]
        return max(range(len(ranks)), key=ranks.__getitem__), matches


def stacked(material: Material, layout: Layout) -> np.ndarray:
    """Standardised channels, (height, width, channels) float32; of normals x and y."""
    stored = [_stored(name, material[name]) for name in layout.channels]
    flat = (np.concatenate(stored, axis=-1) - layout.mean) / layout.spread
    return flat.astype(np.float32)


def _stored(name: str, values: np.ndarray) -> np.ndarray:
    return values[..., :2] if MAPS[name].kind is Kind.direction else values


def measure_layout(materials: Sequence[Material]) -> Layout:
    """Which channels are judged, and how they are standardised.

    Raises:
        PictureError: `dataset_empty` where all maps are constant.
    """
    channels, means, spreads, start = {}, [], [], 0
    # A map that a training takes for one value is not judged: its last traces of compression would tell real from
    # generated at once.
    learned = measure_statistics(materials, list(materials[0])).maps
    for name in materials[0]:
        if not learned[name].axes:
            continue
        values = np.concatenate(
            [
                _stored(name, m[name]).reshape(-1, _stored(name, m[name]).shape[-1])
                for m in materials
            ]
        ).astype(np.float64)
        spread = float(np.sqrt(values.var(axis=0).mean()))
        count = values.shape[1]
        channels[name] = slice(start, start + count)
        start += count
        means.append(values.mean(axis=0))
        spreads.append(np.full(count, spread))
    if not channels:
        raise PictureError(
            "dataset_empty",
            "A picture to judge by must show something; all of these are one flat color.",
            "Choose pictures with visible structure.",
        )
    first = next(iter(channels))
    halvings = typical_halvings(
        [_stored(first, m[first]).mean(axis=-1) for m in materials[:MEASURED]]
    )
    return Layout(channels, np.concatenate(means), np.concatenate(spreads), halvings)


def smallest_side(pictures: Sequence[np.ndarray]) -> int:
    return min(min(p.shape[:2]) for p in pictures)


def window_side(pictures: Sequence[np.ndarray], largest: int = SIDE) -> int:
    """Of the windows these pictures are cut into, pixels."""
    return min(largest, smallest_side(pictures) // 16 * 16)


def cut_windows(pictures: Sequence[np.ndarray], side: int, most: int | None = None) -> np.ndarray:
    """Square windows that cover the pictures, those of different pictures in turn, (count, side, side, channels)."""
    lists = [_tiles(picture, side) for picture in pictures]
    longest = max(len(tiles) for tiles in lists)
    turns = [tiles[i] for i in range(longest) for tiles in lists if i < len(tiles)]
    return np.stack(turns[: most or max(1, PIXELS // side**2)])


def _tiles(picture: np.ndarray, side: int) -> list[np.ndarray]:
    """Windows in an even grid, in a fixed random order, so that the first few are spread over the picture."""
    starts = [
        np.linspace(0, n - side, -(-n // side)).round().astype(int) for n in picture.shape[:2]
    ]
    tiles = [picture[r : r + side, c : c + side] for r in starts[0] for c in starts[1]]
    order = np.random.default_rng(29).permutation(len(tiles))
    return [tiles[i] for i in order]


def in_groups(windows: np.ndarray, count: int) -> list[np.ndarray]:
    """Sets of so many windows; of fewer than that they are repeated."""
    if len(windows) < count:
        return [np.resize(windows, (count, *windows.shape[1:]))]
    return [windows[i : i + count] for i in range(0, len(windows) - count + 1, count)][:GROUPS]


def seam_figures(pictures: Sequence[Material]) -> Row:
    row = {}
    for name in pictures[0]:
        steps = [line_steps(p[name]) for p in pictures]
        for label, measure in (("ratio", seam_ratio), ("rank", seam_rank), ("band", band_ratio)):
            row[f"seam_{label}/{name}"] = float(np.mean([measure(s) for s in steps]))
    return row
