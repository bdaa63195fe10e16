"""Faults that an artist sees at once and other distances forgive: dots at the pixel, and shapes that have melted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

# Second differences in four directions. Along one of them an edge has none, wherever it goes; a dot has some in all.
DIRECTIONS = [np.diag([1, -2, 1]), np.diag([1, -2, 1])[::-1]]
DIRECTIONS += [np.pad(np.array([[1, -2, 1]]), ((1, 1), (0, 0)))]
DIRECTIONS += [DIRECTIONS[-1].T]
# High differences see what alternates from pixel to pixel, along both axes like a checkerboard or along one like lines.
FOURTH, SIXTH = [0, 1, -4, 6, -4, 1, 0], [1, -6, 15, -20, 15, -6, 1]
ALTERNATING = [np.outer(FOURTH, FOURTH), np.outer([0, 0, 1, 2, 1, 0, 0], SIXTH)]
ALTERNATING += [ALTERNATING[-1].T]
# Power means of the responses that are compared: grain everywhere moves the first, dots here and there the last; higher
# ones also a single glint. A level of 8 bits is added to both, so that what is flat is not judged by its rounding.
POWERS, TRACE = (1, 2, 4), 1 / 255
# Pixels that shapes have across where their edges are described, about, and smallest side of a window there.
ACROSS, SMALLEST = 16, 64
# Windows in which edges are described, and in which they are to go on straight, pixels; pixels between two.
NEAR, FAR, APART = 9, 25, 3
# Blurs with a box of three pixels, below which an edge is described, and against which its width is measured.
FINE, COARSE = 2, 6
# Quantiles that stand for a distribution, and the least spread of one that tells anything.
QUANTILES, LEAST_SPREAD = 256, 0.05
# Side of the middle of a picture that its shapes are measured in, pixels.
MIDDLE = 1024


@dataclass(frozen=True)
class Faults:
    """What is described of one set of windows, by map.

    Attributes:
        grain: sizes of what stands out at single pixels, 0..1, (channels and color differences, powers, filters).
        shapes: quantiles of each of the figures of shapes: straight edges near and far, how sharp they are, and how
            large the shapes.
    """

    grain: Mapping[str, np.ndarray]
    shapes: Mapping[str, Sequence[np.ndarray]]


def describe_faults(
    maps: Mapping[str, np.ndarray], intensities: Mapping[str, np.ndarray], halvings: int
) -> Faults:
    """Describe one set of windows.

    Args:
        maps: of each map, as far apart as its values of 0..1 are, (count, side, side, channels).
        intensities: of each map, (count, side, side).
        halvings: of what shapes are described on, as far as the windows are large enough.
    """

    def shapes(intensity: np.ndarray) -> Sequence[np.ndarray]:
        most = max(0, (intensity.shape[1] // SMALLEST).bit_length() - 1)
        return _shapes(intensity, min(halvings, most))

    return Faults(
        grain={name: _grain(x) for name, x in maps.items()},
        shapes={name: shapes(x) for name, x in intensities.items()},
    )


def fault_figures(real: Faults, other: Faults) -> dict[str, float]:
    """How much worse the other windows are.

    Returns:
        `dots/<map>`: what stands out at single pixels, as a multiple of the real material's, of the channel, power and
        filter where it is most: 1 as in the real one, below 1 softer. `melted/<map>`: mean Wasserstein distance of what
        shapes are like, in standard deviations of the real material: how straight their edges are near (coherence of
        the structure tensor, Bigün and Granlund 1987) and far, how sharp (the gradient beside that of a blurred
        picture, Zhuo and Sim 2011, Pattern Recognition 44(9)) and how large they are (chords, Torquato and Lu 1993,
        Phys. Rev. E 47(4)); 0 is the same.
    """
    dots = {
        f"dots/{name}": float(np.max((other.grain[name] + TRACE) / (grain + TRACE)))
        for name, grain in real.grain.items()
    }
    melted = {
        f"melted/{name}": float(
            np.mean([_moved(*pair) for pair in zip(shapes, other.shapes[name], strict=True)])
        )
        for name, shapes in real.shapes.items()
    }
    return dots | melted


def halvings_of(picture: np.ndarray) -> int:
    """How often a picture is to be halved until its shapes have `ACROSS` pixels or less.

    Args:
        picture: of intensity, (height, width).
    """
    rows, columns = (
        slice((n - min(n, MIDDLE)) // 2, (n + min(n, MIDDLE)) // 2) for n in picture.shape
    )
    x = tf.constant(picture[rows, columns], tf.float32)[None, ..., None]
    halvings = 0
    while min(x.shape[1:3]) >= 2 * SMALLEST:
        chords = _chords(_blurred(x, FINE).numpy()[..., 0])
        # That in which a pixel lies, in the mean.
        if np.sum(chords**2) <= ACROSS * np.sum(chords):
            break
        x = tf.nn.avg_pool2d(x, 2, 2, "VALID")
        halvings += 1
    return halvings


def _grain(x: np.ndarray) -> np.ndarray:
    """Of channels (count, side, side, channels) in 0..1; of colors also the differences from green."""
    if x.shape[-1] == 3:
        x = np.concatenate([x, x[..., :1] - x[..., 1:2], x[..., 2:] - x[..., 1:2]], axis=-1)
    found = []
    for channel in np.moveaxis(x, -1, 0):
        values = tf.constant(channel[..., None], tf.float32)
        alone = tf.reduce_min(_sizes(values, DIRECTIONS), axis=-1, keepdims=True)[:, 2:-2, 2:-2]
        sizes = tf.concat([alone, _sizes(values, ALTERNATING)], axis=-1)
        means = [tf.reduce_mean(sizes**power, axis=(0, 1, 2)) ** (1 / power) for power in POWERS]
        found.append(tf.stack(means).numpy())
    return np.stack(found)


def _sizes(x: tf.Tensor, kernels: Sequence[np.ndarray]) -> tf.Tensor:
    """What filters that keep the strength of noise find in a channel, without sign, (count, side, side, filters)."""
    table = np.stack([k / np.sqrt(np.sum(k**2)) for k in kernels], axis=-1)[:, :, None]
    return tf.abs(tf.nn.conv2d(x, table.astype(np.float32), 1, "VALID"))


def _shapes(intensity: np.ndarray, halvings: int) -> list[np.ndarray]:
    x = tf.constant(intensity[..., None], tf.float32)
    for _ in range(halvings):
        x = tf.nn.avg_pool2d(x, 2, 2, "VALID")
    fine, coarse = _blurred(x, FINE), _blurred(x, COARSE)
    cut = COARSE - FINE
    near, far, wide = (
        _tensor(picture, side)
        for picture, side in ((fine[:, cut:-cut, cut:-cut], NEAR), (fine, FAR), (coarse, NEAR))
    )
    # Where there are edges: calm places have none that could be straight or sharp.
    strong = wide[0] >= np.median(wide[0])
    sharpness = np.log((near[0] + 1e-12) / (wide[0] + 1e-12)) / 2
    parts = near[1][strong], far[1], sharpness[strong], np.log(_chords(fine.numpy()[..., 0]))
    return [np.quantile(part, (np.arange(QUANTILES) + 0.5) / QUANTILES) for part in parts]


def _blurred(x: tf.Tensor, times: int) -> tf.Tensor:
    for _ in range(times):
        x = tf.nn.avg_pool2d(x, 3, 1, "VALID")
    return x


def _tensor(x: tf.Tensor, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Power of the gradient in windows of this side, and its coherence: 1 where all edges there are parallel."""
    down = (x[:, 2:, 1:-1] - x[:, :-2, 1:-1]) / 2
    across = (x[:, 1:-1, 2:] - x[:, 1:-1, :-2]) / 2
    products = tf.concat([across * across, down * down, across * down], axis=-1)
    means = tf.nn.avg_pool2d(products, side, APART, "VALID").numpy()
    xx, yy, xy = np.moveaxis(means, -1, 0)
    power = xx + yy
    return power, np.hypot(xx - yy, 2 * xy) / (power + 1e-12)


def _chords(pictures: np.ndarray) -> np.ndarray:
    """Lengths of the runs of pixels, along rows and columns, that lie above or below the median; whole ones alone.

    Args:
        pictures: of intensity, (count, height, width).
    """
    above = pictures > np.median(pictures)
    lengths = [np.array([max(pictures.shape[1:])])]
    for axis in (1, 2):
        lines = np.moveaxis(above, axis, -1).reshape(-1, above.shape[axis])
        line, place = np.nonzero(lines[:, 1:] != lines[:, :-1])
        lengths.append(np.diff(place)[np.diff(line) == 0])
    return np.concatenate(lengths).astype(float)


def _moved(real: np.ndarray, other: np.ndarray) -> float:
    """Wasserstein-1 distance of two distributions by their quantiles, in standard deviations of the first."""
    return float(np.abs(real - other).mean() / max(real.std(), LEAST_SPREAD))
