"""Nearest patches, contrast-normalised: what of the real material is covered, what is copied, what repeats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

PATCH, QUERIES = 16, 256
# Patches with less contrast than this share of the mean say nothing about shapes.
FLAT = 0.5
# A patch is a copy where it is closer than this share of what two halves of the real picture reach.
COPY = 0.5
# Smaller sides leave no room for patches, those of the classifier neither.
SMALLEST = 32
# Pixels of the real material that are searched for copies, at most: as many as a model keeps of its pictures.
SEARCHED = 2**22
# Patches looked for together, and pixels in which: more would take memory, 4 MiB for each patch and megapixel.
AT_ONCE, STRIP = 64, 2**20


def nearest_distances(
    sources: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    count: int = QUERIES,
    turned: bool = False,
    patch: int = PATCH,
) -> np.ndarray:
    """Distances from some patches of the sources to their nearest among all patches of the targets.

    Patches have their mean removed and unit length, so the distance lies in 0..2, and √2 is that of
    unrelated ones: √(2 − 2 · correlation).

    Args:
        sources: pictures of intensity, (height, width).
        targets: the same; every place of them is looked at.
        count: of the patches, at most.
        turned: look for each patch in all eight ways of turning and mirroring it.
        patch: side of a patch, pixels.

    Returns:
        (number of patches,), sorted.
    """
    queries, _ = _unit_patches(sources, count, patch)
    ways = _turned(queries) if turned else queries
    best = np.max([_best_correlation(ways, target) for target in targets], axis=0)
    best = best.reshape(-1, len(queries)).max(axis=0)
    return np.sort(np.sqrt(np.maximum(2 - 2 * best, 0)))


@dataclass(frozen=True)
class Match:
    """A patch of a source and the place of a target that is nearest to it.

    Attributes:
        source: number of its picture.
        source_place: row and column of its first pixel.
        target: number of the picture where it was found.
        target_place: row and column.
        correlation: −1..1, where 1 is a copy.
    """

    source: int
    source_place: tuple[int, int]
    target: int
    target_place: tuple[int, int]
    correlation: float


def most_alike(
    sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], count: int
) -> tuple[np.ndarray, list[Match]]:
    """How near each target comes to patches of the sources, and the patches that are most like a place of any.

    Args:
        sources: pictures of intensity, (height, width).
        targets: the same; every place of them is looked at.
        count: of the matches, at most; no two are of the same part of a source.

    Returns:
        Distances as of `nearest_distances`, (targets, patches), and the matches, the most alike first.
    """
    queries, places = _unit_patches(sources, QUERIES, PATCH)
    best = np.stack([_best_correlation(queries, target) for target in targets])
    chosen: list[int] = []
    for number in np.argsort(-best.max(axis=0), kind="stable"):
        others = places[chosen]
        apart = np.abs(others[:, 1:] - places[number, 1:]).max(axis=1, initial=0) >= 2 * PATCH
        if len(chosen) < count and np.all(apart | (others[:, 0] != places[number, 0])):
            chosen.append(number)
    matches = []
    for number in chosen:
        target = int(best[:, number].argmax())
        found = _correlation(queries[number : number + 1], targets[target])[..., 0]
        row, column = np.unravel_index(int(found.argmax()), found.shape)
        source, *place = map(int, places[number])
        at = int(row), int(column)
        matches.append(Match(source, (place[0], place[1]), target, at, float(found.max())))
    return np.sqrt(np.maximum(2 - 2 * best, 0)), matches


def _unit_patches(
    pictures: Sequence[np.ndarray], count: int, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Patches with visible structure at fixed random places, (count, side²), mean 0, length 1.

    Their places come with them, (count, 3): the picture's number, row and column.
    """
    generator, patches, places = np.random.default_rng(19), [], []
    each = -(-4 * count // len(pictures))
    for number, picture in enumerate(pictures):
        rows, columns = (generator.integers(0, n - side + 1, each) for n in picture.shape)
        places += [(number, r, c) for r, c in zip(rows, columns, strict=True)]
        patches += [
            picture[r : r + side, c : c + side].ravel() for r, c in zip(rows, columns, strict=True)
        ]
    order = generator.permutation(len(patches))
    table = np.stack(patches)[order].astype(np.float32)
    table -= table.mean(axis=1, keepdims=True)
    length = np.linalg.norm(table, axis=1, keepdims=True)
    kept = length[:, 0] >= FLAT * length.mean()
    return (table / np.maximum(length, 1e-9))[kept][:count], np.array(places)[order][kept][:count]


def _turned(patches: np.ndarray) -> np.ndarray:
    """Patches, (count, side²), in the eight ways a square can lie, one way after the other, (8 · count, side²)."""
    side = math.isqrt(patches.shape[1])
    squares = patches.reshape(-1, side, side)
    ways = [np.rot90(s, n, (1, 2)) for s in (squares, squares[:, ::-1]) for n in range(4)]
    return np.concatenate(ways).reshape(-1, side * side)


def _best_correlation(queries: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Highest normalised correlation of each query with any place of the target, (queries,)."""
    parts, strips = np.array_split(queries, -(-len(queries) // AT_ONCE)), _strips(target)
    return np.concatenate(
        [
            np.max([np.max(_correlation(part, s), axis=(0, 1)) for s in strips], axis=0)
            for part in parts
        ]
    )


def _strips(target: np.ndarray) -> list[np.ndarray]:
    """A picture in strips that share as many rows as it takes to hold each patch whole in one of them."""
    rows = max(1, STRIP // target.shape[1])
    starts = range(0, max(1, target.shape[0] - PATCH + 1), rows)
    return [target[start : start + rows + PATCH - 1] for start in starts]


def _correlation(queries: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Normalised correlation with every place of the target, (rows, columns, queries)."""
    side = math.isqrt(queries.shape[1])
    x = tf.constant(target - target.mean(), tf.float32)[None, :, :, None]
    kernel = tf.reshape(tf.transpose(tf.constant(queries)), (side, side, 1, -1))
    products = tf.nn.conv2d(x, kernel, 1, "VALID")
    mean = tf.nn.avg_pool2d(x, side, 1, "VALID")
    square = tf.nn.avg_pool2d(tf.square(x), side, 1, "VALID")
    variance = tf.maximum(square - tf.square(mean), 1e-4 * tf.reduce_mean(tf.square(x)) + 1e-12)
    correlation = products / (side * tf.sqrt(variance))
    return tf.minimum(correlation[0], 1.0).numpy()


def copied_share(nearest: np.ndarray, floor: np.ndarray) -> float:
    """Share of patches that are far closer to the real material than its halves are to each other.

    Args:
        nearest: distances from generated patches to the real ones, of `nearest_distances`.
        floor: distances between two halves of the real material.
    """
    return float(np.mean(nearest < COPY * np.quantile(floor, 0.05)))


def pixel_diversity(pictures: Sequence[np.ndarray]) -> float:
    """How much pictures of different seeds differ at the same place, in units of the real material's variation.

    Args:
        pictures: (height, width, channels) of one size, two at least, standardised; one a seed.

    Returns:
        0 where all seeds give the same picture, about 1 where places have nothing to do with each other.
    """
    pairs = [np.mean(np.square(a - b)) for i, a in enumerate(pictures) for b in pictures[i + 1 :]]
    # Standardised values have variance 1, and the difference of two independent ones 2.
    return float(np.sqrt(np.mean(pairs) / 2))


def halves(pictures: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Every picture cut into quadrants, of which the diagonal ones make one half and the others the other half.

    Light that falls off to one side, as on most photos, is the same in both; left and right half would differ.
    """
    first: list[np.ndarray] = []
    second: list[np.ndarray] = []
    for picture in pictures:
        row, column = (n // 2 for n in picture.shape[:2])
        first += [picture[:row, :column], picture[row:, column:]]
        second += [picture[:row, column:], picture[row:, :column]]
    return first, second


def intensities(pictures: Sequence[np.ndarray], pixels: float = SEARCHED) -> list[np.ndarray]:
    """Intensities, (height, width), of the upper part of each picture, so that all have so many pixels at most."""
    share = pixels / len(pictures)
    return [p[: max(SMALLEST, int(share // p.shape[1]))].mean(axis=-1) for p in pictures]
