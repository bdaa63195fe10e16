"""Baselines: what a generated material is held against, made of the real one's statistics or patches, by no network."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

Material = Mapping[str, np.ndarray]

# Of patch matching: side of a patch, directions drawn for a step, smallest side of a size, pixels, patches that a step
# takes, and Adam's rate, for values of spread 1: more than the paper's 0.02, as there is time for fewer steps.
PATCH, DIRECTIONS, COARSEST, PATCHES, RATE = 7, 64, 32, 2**14, 0.05
# Variance of the weakest channel that is matched, as a share of the strongest: below it there is rounding.
LEAST = 1e-4


def noise_like(material: Material, seed: int) -> dict[str, np.ndarray]:
    """Independent normal pixels with the mean and covariance that the channels of all maps have together.

    Args:
        material: map name → (height, width, channels), 0..1; all of one size.
        seed: fixes the draw.
    """
    flat = _stacked(material)
    root = _mixing(flat)
    drawn = np.random.default_rng(seed).standard_normal((flat.shape[0] * flat.shape[1], len(root)))
    noise = drawn @ root.T + flat.mean(axis=(0, 1), dtype=np.float64)
    return _unstacked(noise.reshape(flat.shape), material)


def random_phase_like(material: Material, seed: int) -> dict[str, np.ndarray]:
    """The power spectrum of every channel and the phases between channels kept, all other phases drawn anew.

    Random phase noise after Galerne, Gousseau and Morel 2011 (IEEE TIP 20(1)): one random phase is added to all
    channels; the periodic component (Moisan 2011, JMIV 39(2)) is used, so that the border leaves no cross.

    Args:
        material: map name → (height, width, channels), 0..1; all of one size.
        seed: fixes the phases.
    """
    flat = _stacked(material).astype(np.float64)
    spectrum = _periodic_spectrum(flat)
    drawn = np.random.default_rng(seed).standard_normal(flat.shape[:2])
    phases = np.fft.fft2(drawn)
    phases /= np.maximum(np.abs(phases), 1e-12)
    phases[0, 0] = 1
    mixed = np.fft.ifft2(spectrum * phases[..., None], axes=(0, 1)).real
    return _unstacked(mixed, material)


def patch_matched_like(
    material: Material,
    size: tuple[int, int],
    seed: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, np.ndarray]:
    """A picture that tiles, whose patches are distributed as the real ones, at every size from coarse to fine.

    GPDM after Elnekave and Weiss 2022 (arXiv 2203.15799): pixels are moved down the gradient of the sliced Wasserstein
    distance of all patches, along directions drawn anew for each step; here of channels that are independent of each
    other, or noise would stay in the weak ones. All sizes have equally long. Where a size has more patches than a step
    takes, it takes some on a grid that lies elsewhere each time.

    Args:
        material: map name → (height, width, channels), 0..1; all of one size.
        size: height and width of the result, pixels; each times that both can be halved is a size.
        seed: fixes all that is drawn.
        seconds: that it may take.
        clock: tells them.
    """
    real = _stacked(material)
    mean, root = real.mean(axis=(0, 1)), _mixing(real, LEAST)
    levels = [tf.constant((real - mean) @ np.linalg.inv(root).T, tf.float32)[None]]
    sizes = [size]
    while all(n % 2 == 0 and n // 2 >= COARSEST for n in (*sizes[-1], *levels[-1].shape[1:3])):
        levels.append(tf.nn.avg_pool2d(levels[-1], 2, 2, "VALID"))
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    generator, start = np.random.default_rng(seed), clock()
    made = generator.normal(size=(1, *sizes[-1], real.shape[-1])).astype(np.float32)
    for number, level in enumerate(reversed(levels), 1):
        until = start + seconds * number / len(levels)
        made = _matched(made if number == 1 else _doubled(made), level, generator, clock, until)
    return _unstacked(made[0] @ root.T + mean, material)


def _matched(
    made: np.ndarray,
    real: np.ndarray,
    generator: np.random.Generator,
    clock: Callable[[], float],
    until: float,
) -> np.ndarray:
    """A picture, (1, height, width, channels), after all steps to the real one's patches that there is time for."""
    picture, optimizer = tf.Variable(made), keras.optimizers.Adam(RATE)
    apart = max(1, int(np.sqrt(made.shape[1] * made.shape[2] / PATCHES)))
    while True:
        kernel = generator.normal(size=(PATCH, PATCH, made.shape[-1], DIRECTIONS))
        kernel = (kernel / np.sqrt(np.sum(kernel**2, axis=(0, 1, 2)))).astype(np.float32)
        down, across = generator.integers(0, apart, 2)
        shift = generator.integers(0, made.shape[1:3])
        wanted = np.sort(_projections(real[:, down:, across:], kernel, apart).numpy(), axis=0)
        with tf.GradientTape() as tape:
            found = _projections(_wrapped(picture, shift), kernel, apart)
        gradient = tape.gradient(found, picture, _signs(found.numpy(), wanted))
        optimizer.apply([gradient], [picture])
        if clock() >= until:
            result: np.ndarray = picture.numpy()
            return result


def _projections(x: tf.Tensor, kernel: np.ndarray, apart: int) -> tf.Tensor:
    """Of the patches so many pixels apart, (patches, directions)."""
    return tf.reshape(tf.nn.conv2d(x, kernel, apart, "VALID"), (-1, DIRECTIONS))


def _wrapped(picture: tf.Variable, shift: np.ndarray) -> tf.Tensor:
    """A picture that tiles, moved, and so much more of it that every pixel begins a patch."""
    x = tf.roll(tf.convert_to_tensor(picture), shift, (1, 2))
    x = tf.concat([x, x[:, : PATCH - 1]], axis=1)
    return tf.concat([x, x[:, :, : PATCH - 1]], axis=2)


def _signs(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Gradient of the distance of two distributions by the first's values, up to a factor: Adam knows none.

    Args:
        found: (values, directions).
        wanted: sorted by column, of any length.
    """
    # NumPy sorts some ten times as fast as TensorFlow.
    order = np.argsort(found, axis=0)
    ranks = ((np.arange(len(found)) + 0.5) / len(found) * len(wanted)).astype(int)
    signs = np.sign(np.take_along_axis(found, order, axis=0) - wanted[ranks])
    result = np.empty_like(found)
    np.put_along_axis(result, order, signs, axis=0)
    return result


def _doubled(picture: np.ndarray) -> np.ndarray:
    """A picture that tiles, twice as large by linear interpolation."""
    for axis in (1, 2):
        picture = picture.repeat(2, axis)
        picture = (np.roll(picture, 1, axis) + 2 * picture + np.roll(picture, -1, axis)) / 4
    return picture


def _mixing(flat: np.ndarray, least: float = 0.0) -> np.ndarray:
    """What makes the channels of a picture of independent ones with mean 0 and variance 1, (channels, channels).

    Args:
        flat: (height, width, channels).
        least: variance of each, as a share of the largest.
    """
    pixels = flat.reshape(-1, flat.shape[-1]).astype(np.float64)
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(pixels.T)))
    mixing: np.ndarray = vectors * np.sqrt(np.maximum(values, least * values.max()))
    return mixing


def _periodic_spectrum(flat: np.ndarray) -> np.ndarray:
    """Fourier transform of the picture less the smooth part that holds its border's steps."""
    height, width = flat.shape[:2]
    border = np.zeros_like(flat)
    rows, columns = flat[0] - flat[-1], flat[:, 0] - flat[:, -1]
    border[0] += rows
    border[-1] -= rows
    border[:, 0] += columns
    border[:, -1] -= columns
    waves = np.cos(2 * np.pi * np.arange(height) / height)[:, None] + np.cos(
        2 * np.pi * np.arange(width) / width
    )
    laplacian = 4 - 2 * waves
    laplacian[0, 0] = 1
    smooth = np.fft.fft2(border, axes=(0, 1)) / laplacian[..., None]
    smooth[0, 0] = 0
    return np.fft.fft2(flat, axes=(0, 1)) - smooth


def _stacked(material: Material) -> np.ndarray:
    return np.concatenate(list(material.values()), axis=-1)


def _unstacked(flat: np.ndarray, material: Material) -> dict[str, np.ndarray]:
    ends = np.cumsum([picture.shape[-1] for picture in material.values()])[:-1]
    parts = np.split(np.clip(flat, 0, 1).astype(np.float32), ends, axis=-1)
    return dict(zip(material, parts, strict=True))
