"""Losses: relativistic GAN with gradient penalties, and the sliced Wasserstein distance of patches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gan_worker.gan.metrics.distances import local_variance

if TYPE_CHECKING:
    from gan_worker.config import DetailConfig, NetworkConfig


def relativistic_losses(
    real_logits: tf.Tensor, fake_logits: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Losses of discriminator and generator that compare real with fake (Jolicoeur-Martineau 2018, arXiv 1807.00734).

    Args:
        real_logits: logits of real crops, any shape.
        fake_logits: logits of generated crops, the same shape.

    Returns:
        (discriminator loss, generator loss), scalars.
    """
    difference = real_logits - fake_logits
    return tf.reduce_mean(tf.nn.softplus(-difference)), tf.reduce_mean(tf.nn.softplus(difference))


def gradient_penalty(
    discriminator: Callable[[tf.Tensor], tf.Tensor], crops: tf.Tensor, signs: tf.Tensor
) -> tf.Tensor:
    """Mean squared gradient norm of a patch's logit at these crops (R1 or R2, Mescheder 2018, arXiv 1801.04406).

    The logits are summed with random signs, so that the expected square of the one gradient is the sum of the
    squares of the patches' own gradients (Hutchinson's estimator).

    Args:
        discriminator: crops to logits.
        crops: (batch, crop, crop, channels).
        signs: ±1, the shape of the logits.
    """
    with tf.GradientTape() as tape:
        tape.watch(crops)
        total = tf.reduce_sum(discriminator(crops) * signs)
    gradient = tape.gradient(total, crops)
    return tf.reduce_sum(tf.square(gradient)) / tf.cast(tf.size(signs), tf.float32)


def penalty_signs(sizes: NetworkConfig | DetailConfig, seed: tf.Tensor) -> tf.Tensor:
    """Random signs for the logits of a batch, ±1, (batch, patches, patches)."""
    side = sizes.crop >> (len(sizes.discriminator_channels) - 1)
    coins = tf.random.stateless_uniform((sizes.batch, side, side), seed, 0, 2, tf.int32)
    return tf.cast(coins * 2 - 1, tf.float32)


def weighted_penalties(
    discriminator: Callable[[tf.Tensor], tf.Tensor],
    pair: Sequence[tf.Tensor],
    signs: tf.Tensor,
    weight: float,
    variables: Sequence[Any],
) -> list[tf.Tensor]:
    """Both penalties, then the gradients of their weighted sum for each variable of the discriminator.

    Args:
        discriminator: crops to logits.
        pair: real and generated crops.
        signs: of `penalty_signs`.
        weight: of the sum.
        variables: of the discriminator that are trained.
    """
    with tf.GradientTape() as tape:
        penalties = [gradient_penalty(discriminator, crops, signs) for crops in pair]
        total = weight * (penalties[0] + penalties[1])
    # What is added after the last unit changes no slope, and has no gradient.
    slopes = tape.gradient(
        total,
        [v.value for v in variables],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    return [*penalties, *map(tf.convert_to_tensor, slopes)]


def penalties_when_due(
    due: tf.Tensor, measure: Callable[[], list[tf.Tensor]], variables: Sequence[Any]
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Both penalties and their gradients, of `weighted_penalties`, or all 0 on steps without.

    Decided inside the graph: one graph for each kind of step would take twice as long to build.
    """

    def none() -> list[tf.Tensor]:
        return [tf.constant(0.0), tf.constant(0.0), *map(tf.zeros_like, variables)]

    r1, r2, *slopes = tf.cond(due, measure, none)
    return r1, r2, slopes


def patch_distance(
    real: tf.Tensor,
    fake: tf.Tensor,
    seed: tf.Tensor,
    slow: Sequence[bool] = (),
    size: int = 7,
    projections: int = 32,
) -> tf.Tensor:
    """Sliced Wasserstein distance of patches over three sizes (after Elnekave and Weiss 2022, arXiv 2203.12032).

    Patches of the picture at full, half and quarter size are projected on random directions, sorted, and compared;
    this alone finds colors, contrast and small shapes within seconds, long before the discriminator can say anything
    useful. Sums of values say little of how calm a patch is, so the standard deviations of patches are compared in
    the same way: shapes have calm insides and sharp edges.

    Args:
        real: (batch, crop, crop, channels), standardised.
        fake: the same shape.
        seed: (2,) integers that fix the directions.
        slow: for each channel whether it changes over longer ways than a crop; none by default. Of these the means of
            crops are compared by themselves and patches without them, or what is high here and low there would be
            drawn as bumps within a crop.
        size: side of a patch, pixels.
        projections: random directions a size.
    """
    total = 0.0
    if any(slow):
        slowly = np.array(slow, np.float32)
        means = [tf.reduce_mean(x, (1, 2), keepdims=True) * slowly for x in (real, fake)]
        real, fake = real - means[0], fake - means[1]
        total += _sorted_distance(*means)
    pair = (patch_profile(x, seed, size, projections) for x in (real, fake))
    return total + profile_distance(*pair)


def patch_profile(
    x: tf.Tensor, seed: tf.Tensor, size: int = 7, projections: int = 32
) -> list[tf.Tensor]:
    """What `patch_distance` compares of one side: sorted values of each channel, (samples, channels) each."""
    profile = []
    for level, stride in enumerate((3, 2, 1)):
        kernel = tf.random.stateless_normal(
            (size, size, x.shape[-1], projections), seed + [0, level]
        )
        kernel *= tf.math.rsqrt(tf.reduce_sum(tf.square(kernel), axis=(0, 1, 2), keepdims=True))
        profile.append(_sorted_values(tf.nn.conv2d(x, kernel, stride, "VALID")))
        # The slope of a square root at 0 has no end.
        profile.append(_sorted_values(tf.sqrt(local_variance(x, size, stride) + 1e-3)))
        x = tf.nn.avg_pool2d(x, 2, 2, "VALID")
    return profile


def profile_distance(real: Sequence[tf.Tensor], fake: Sequence[tf.Tensor]) -> tf.Tensor:
    """Sum of the Wasserstein distances of two profiles of equally many crops, a scalar."""
    return sum(tf.reduce_mean(tf.abs(a - b)) for a, b in zip(real, fake, strict=True))


def _sorted_distance(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Wasserstein distance of the values of each channel, their mean."""
    return tf.reduce_mean(tf.abs(_sorted_values(real) - _sorted_values(fake)))


def _sorted_values(x: tf.Tensor) -> tf.Tensor:
    """Values of each channel in ascending order, (channels, samples)."""
    rows = tf.transpose(tf.reshape(x, (-1, x.shape[-1])))
    return tf.sort(rows) if tf.config.list_physical_devices("GPU") else sort_on_processor(rows)


@tf.custom_gradient
def sort_on_processor(rows: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """`tf.sort` along the last axis of (rows, samples) float32, in half the time with its gradient.

    TensorFlow sorts places by the values they point to, one comparison after the other; NumPy sorts many numbers at
    once with the processor's vector instructions. A fifth of a training step went into it.
    """
    values, places = tf.numpy_function(_sort, [rows], (tf.float32, tf.int32), stateful=False)
    values.set_shape(rows.shape)

    def gradient(slopes: tf.Tensor) -> tf.Tensor:
        back = tf.numpy_function(_put_back, [slopes, places], tf.float32, stateful=False)
        back.set_shape(rows.shape)
        return back

    return values, gradient


def _sort(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row in ascending order, and where in the row each value was.

    The bits of a float are in order as those of an integer, once negative ones are turned. With its place below them
    in an integer of 64 bits, one sort finds both.
    """
    keys = _turned(rows.view(np.int32)).astype(np.int64) << 32
    keys |= np.arange(rows.shape[-1])
    keys.sort(axis=-1)
    places, bits = np.moveaxis(
        keys.astype("<i8", copy=False).view("<i4").reshape(*keys.shape, 2), -1, 0
    )
    return _turned(bits).view(np.float32), np.ascontiguousarray(places)


def _turned(bits: np.ndarray) -> np.ndarray:
    """Bits of floats that are in order as integers, and back."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def _put_back(slopes: np.ndarray, places: np.ndarray) -> np.ndarray:
    back = np.empty(slopes.size, np.float32)
    back[(places + np.arange(0, slopes.size, slopes.shape[-1])[:, None]).ravel()] = slopes.ravel()
    return back.reshape(slopes.shape)


def band_distance(
    real: tf.Tensor, fake: tf.Tensor, seed: tf.Tensor, size: int = 7, projections: int = 32
) -> tf.Tensor:
    """The same distance of the finest octave alone: of its patches, and of how strong it is from place to place.

    Args:
        real: (batch, crop, crop, channels), of standard deviation 1.
        fake: the same shape.
        seed: (2,) integers that fix the directions.
        size: side of a patch, pixels.
        projections: random directions.
    """
    kernel = tf.random.stateless_normal((size, size, real.shape[-1], projections), seed)
    kernel *= tf.math.rsqrt(tf.reduce_sum(tf.square(kernel), axis=(0, 1, 2), keepdims=True))
    patches = [tf.nn.conv2d(x, kernel, 2, "VALID") for x in (real, fake)]
    strengths = [tf.sqrt(local_variance(x, size, 2) + 1e-3) for x in (real, fake)]
    return _sorted_distance(*patches) + _sorted_distance(*strengths)
