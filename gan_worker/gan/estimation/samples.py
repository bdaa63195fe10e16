"""Samples: material sets as an estimator learns from them, and endless batches of crops of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from gan_worker.gan.estimation.relief import luminance, slopes_of_normals
from gan_worker.materials import pictures
from gan_worker.materials.sets import MaterialSet, read_material

# Side of a crop, crops a step, and the shorter side of a set at most and at least, pixels.
CROP, BATCH, SIDE, LEAST = 192, 6, 1024, 192
# Of the set of a publisher who made its normals by a filter of the color, a luminance filter explains more than that
# share of the slopes; and below so many degrees in the mean there is little to tell.
FILTERED, LEAST_SLOPE = 0.5, 4.0
# How much such normals count.
LESS = 0.15


@dataclass(frozen=True)
class Sample:
    """A material to learn from or to be measured by, all float16.

    Attributes:
        name: of the set.
        color: sRGB 0..1, (height, width, 3).
        targets: slopes, roughness, occlusion, (height, width, 4).
        known: of slopes, roughness and occlusion, how much each counts.
        own_relief: whether its normals are no filter of its color.
        made_up: whether nothing but light on it says what its relief is.
    """

    name: str
    color: np.ndarray
    targets: np.ndarray
    known: tuple[float, float, float]
    own_relief: bool
    made_up: bool = False


def read_sample(found: MaterialSet, facts: Mapping[str, str] | None = None) -> Sample | None:
    """Read a set to learn from; None where it has no color or no normals, or is too small.

    Args:
        found: the set.
        facts: columns of SOURCES.csv where they are known; else it is measured whether its relief is its own.
    """
    material = read_material(found)
    if "base_color" not in material or "normal" not in material:
        return None
    shape = material["base_color"].shape[:2]
    factor = min(1.0, SIDE / min(shape))
    maps = {name: pictures.resize(p, factor) if factor < 1 else p for name, p in material.items()}
    height, width = (n // 32 * 32 for n in maps["base_color"].shape[:2])
    if min(height, width) < LEAST:
        return None
    maps = {name: p[:height, :width] for name, p in maps.items()}
    slopes = slopes_of_normals(tf.constant(maps["normal"])).numpy()
    own = (
        measure_own(maps["base_color"], slopes)
        if facts is None
        else (float(facts["relief_r2_from_luminance"] or 1), float(facts["mean_slope_deg"] or 0))
    )
    own_relief = own[0] <= FILTERED and own[1] >= LEAST_SLOPE
    ones = np.ones((height, width, 1), np.float32)
    parts = [slopes, maps.get("roughness", 0.5 * ones), maps.get("ambient_occlusion", ones)]
    known = (
        1.0 if own_relief else LESS,
        float("roughness" in maps),
        float("ambient_occlusion" in maps),
    )
    targets = np.concatenate(parts, -1).astype(np.float16)
    return Sample(found.name, maps["base_color"].astype(np.float16), targets, known, own_relief)


def measure_own(color: np.ndarray, slopes: np.ndarray) -> tuple[float, float]:
    """Share of the slopes that bands of luminance explain, and the mean slope in degrees."""
    grey = luminance(tf.constant(color))[..., 0].numpy()
    columns = []
    for sigma in (0, 1, 2, 4, 8, 16):
        soft = grey if not sigma else blurred(grey, sigma)
        across = (np.roll(soft, -1, 1) - np.roll(soft, 1, 1)) / 2
        up = (np.roll(soft, 1, 0) - np.roll(soft, -1, 0)) / 2
        columns.append(np.concatenate([across.ravel(), up.ravel()])[::13])
    target = np.concatenate([slopes[..., 0].ravel(), slopes[..., 1].ravel()])[::13]
    table = np.stack(columns, 1)
    fit = table @ np.linalg.lstsq(table, target, rcond=None)[0]
    r2 = 1 - np.mean((target - fit) ** 2) / max(float(np.mean(target**2)), 1e-9)
    angles = np.degrees(np.arctan(np.hypot(slopes[..., 0], slopes[..., 1])))
    return float(r2), float(angles.mean())


def blurred(grey: np.ndarray, sigma: float) -> np.ndarray:
    rows, columns = np.fft.fftfreq(grey.shape[0])[:, None], np.fft.rfftfreq(grey.shape[1])[None]
    soft = np.exp(-2 * (np.pi * sigma) ** 2 * (rows**2 + columns**2))
    found: np.ndarray = np.fft.irfft2(np.fft.rfft2(grey) * soft, s=grey.shape)
    return found


def batches(
    pools: Sequence[tuple[float, Sequence[Sample]]], step: int, seed: int = 17
) -> Iterator[tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
    """Endless batches; the one of a step depends on its number alone.

    Args:
        pools: samples, and how often a crop is one of them.
        step: number of the first.
        seed: of what is drawn.

    Yields:
        Color, (BATCH, CROP, CROP, 3), targets, (BATCH, CROP, CROP, 4), and how much slopes, roughness and occlusion
        count and whether it is made up, (BATCH, 4).
    """
    pools = [pool for pool in pools if pool[1]]
    shares = np.array([share for share, _ in pools])
    while True:
        generator = np.random.default_rng([seed, step])
        crops = []
        for _ in range(BATCH):
            number = generator.choice(len(pools), p=shares / shares.sum())
            samples = pools[number][1]
            sample = samples[generator.integers(len(samples))]
            # Relief is learned at several scales.
            sides = [n for n in (1, 2, 4) if n * CROP <= min(sample.color.shape[:2])] or [1]
            factor = int(generator.choice(sides))
            side = factor * CROP
            # Sets tile: they are cut across their borders, and what is all of one is seen as the torus that it is.
            places = [generator.integers(n) + np.arange(side) for n in sample.color.shape[:2]]
            color, targets = (_taken(x, places) for x in (sample.color, sample.targets))
            if factor > 1:
                color, targets = (
                    x.reshape(CROP, factor, CROP, factor, -1).mean((1, 3)) for x in (color, targets)
                )
            facts = np.array([*sample.known, sample.made_up], np.float32)
            crops.append((*turned(color, targets, generator), facts))
        yield tuple(tf.constant(np.stack(parts)) for parts in zip(*crops, strict=True))
        step += 1


def _taken(field: np.ndarray, places: Sequence[np.ndarray]) -> np.ndarray:
    rows = np.take(field, places[0], 0, mode="wrap")
    return np.take(rows, places[1], 1, mode="wrap").astype(np.float32)


def turned(color: np.ndarray, targets: np.ndarray, generator: np.random.Generator) -> tuple:
    if generator.random() < 0.5:
        color, targets = color[:, ::-1], targets[:, ::-1] * np.array([-1, 1, 1, 1], np.float32)
    if generator.random() < 0.5:
        color, targets = color[::-1], targets[::-1] * np.array([1, -1, 1, 1], np.float32)
    if generator.random() < 0.5:
        color, targets = color.swapaxes(0, 1), targets.swapaxes(0, 1)
        targets = np.concatenate([-targets[..., 1::-1], targets[..., 2:]], axis=-1)
    return color, targets
