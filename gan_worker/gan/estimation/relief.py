"""Relief: luminance bands, slopes and normals, all of circular pictures."""

from __future__ import annotations

import tensorflow as tf

from gan_worker.gan.networks.layers import downsample, upsample

# Octaves into which luminance is divided.
BANDS = 5
# Slopes beyond this cannot be told from one another in a normal map of 8 bits.
STEEPEST = 4.0
LUMINANCE = (0.2126, 0.7152, 0.0722)


def luminance(color: tf.Tensor) -> tf.Tensor:
    """Brightness of sRGB as it is seen, (…, 3) to (…, 1), both 0..1."""
    return tf.reduce_sum(color * tf.constant(LUMINANCE), axis=-1, keepdims=True)


def luminance_bands(color: tf.Tensor) -> tf.Tensor:
    """Brightness by octaves, each divided by its own spread over the picture's surroundings at four times its size.

    Args:
        color: (batch, height, width, 3); sides are multiples of 2^(BANDS − 1).

    Returns:
        (batch, height, width, BANDS), the finest first.
    """
    x, found = luminance(color), []
    for octave in range(BANDS):
        if octave == BANDS - 1:
            band = x - 0.5
        else:
            small = downsample(x)
            band, x = x - upsample(small), small
        band *= 8.0
        for _ in range(octave):
            band = upsample(band)
        found.append(band)
    return tf.concat(found, axis=-1)


def slopes_of_bands(bands: tf.Tensor, gains: tf.Tensor) -> tf.Tensor:
    """Slopes of a relief that is the sum of bands of brightness, each that strong.

    Args:
        bands: of `luminance_bands`.
        gains: of each place, (batch, height, width, BANDS), or 1 for sides; below 0 what is dark is high.

    Returns:
        Along x and along y upwards, (batch, height, width, 2).
    """
    # Coarser octaves are as high as they are wide.
    gains *= tf.constant([2.0**octave for octave in range(BANDS)]) / 4.0
    height = tf.reduce_sum(bands * gains, axis=-1, keepdims=True)
    return slopes_of_height(height)


def slopes_of_height(height: tf.Tensor) -> tf.Tensor:
    """Central differences on a torus, (batch, height, width, 1) to slopes along x and along y upwards, 2 channels."""
    across = tf.roll(height, -1, axis=2) - tf.roll(height, 1, axis=2)
    up = tf.roll(height, 1, axis=1) - tf.roll(height, -1, axis=1)
    return tf.concat([across, up], axis=-1) / 2


def slopes_of_normals(normals: tf.Tensor) -> tf.Tensor:
    """Slopes of the height along x and along y upwards, (…, 2), from normals as maps, (…, 3) in 0..1."""
    vectors = normals * 2 - 1
    slopes = -vectors[..., :2] / tf.maximum(vectors[..., 2:], 0.05)
    return tf.clip_by_value(slopes, -STEEPEST, STEEPEST)


def normals_of_slopes(slopes: tf.Tensor) -> tf.Tensor:
    """Unit vectors, (…, 3), from slopes, (…, 2)."""
    vectors = tf.concat([-slopes, tf.ones_like(slopes[..., :1])], axis=-1)
    return tf.math.l2_normalize(vectors, axis=-1)
