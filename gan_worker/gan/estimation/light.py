"""Light: materials as a sun and the sky would have lit them, so that an estimator learns to take the light away."""

from __future__ import annotations

import tensorflow as tf

from gan_worker.gan.estimation.relief import normals_of_slopes


def to_linear(color: tf.Tensor) -> tf.Tensor:
    """sRGB to linear light (IEC 61966-2-1), both 0..1."""
    low = color / 12.92
    high = tf.pow((tf.maximum(color, 0.0) + 0.055) / 1.055, 2.4)
    return tf.where(color <= 0.04045, low, high)


def to_srgb(light: tf.Tensor) -> tf.Tensor:
    """Linear light to sRGB, both 0..1."""
    low = light * 12.92
    high = 1.055 * tf.pow(tf.maximum(light, 1e-6), 1 / 2.4) - 0.055
    return tf.where(light <= 0.0031308, low, high)


def shade(slopes: tf.Tensor, occlusion: tf.Tensor, sun: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """The light on surfaces over that on a flat open one.

    Args:
        slopes: (batch, height, width, 2).
        occlusion: 0..1, (batch, height, width, 1); holds back the sky.
        sun: unit vectors towards it, (batch, 3), z above 0.
        share: of the sun in all light on a flat surface, (batch,), 0..1.

    Returns:
        (batch, height, width, 1), about 1.
    """
    normals = normals_of_slopes(slopes)
    direct = tf.maximum(tf.einsum("bhwc,bc->bhw", normals, sun), 0.0)[..., None]
    direct /= tf.reshape(sun[:, 2], (-1, 1, 1, 1))
    sky = occlusion * (0.5 + 0.5 * normals[..., 2:])
    share = share[:, None, None, None]
    return tf.maximum(share * direct + (1 - share) * sky, 0.02)


def reflect(
    albedo: tf.Tensor, slopes: tf.Tensor, roughness: tf.Tensor, light: tf.Tensor, view: tf.Tensor
) -> tf.Tensor:
    """Light that a dielectric reflects: Lambert, and GGX with Smith's shadows (Walter et al. 2007).

    Args:
        albedo: linear, (batch, height, width, 3).
        slopes: (batch, height, width, 2).
        roughness: 0..1, (batch, height, width, 1).
        light: unit vectors towards it, (batch, 3).
        view: unit vectors towards the eye, (batch, 3).

    Returns:
        (batch, height, width, 3), of a light of strength π.
    """
    normals = normals_of_slopes(slopes)
    half = tf.math.l2_normalize(light + view, axis=-1)

    def along(vector: tf.Tensor) -> tf.Tensor:
        return tf.maximum(tf.einsum("bhwc,bc->bhw", normals, vector), 0.0)[..., None]

    to_light, to_eye, to_half = along(light), along(view), along(half)
    # Below this a mirror's highlight is narrower than a pixel, and its gradient useless.
    alpha = tf.square(tf.maximum(roughness, 0.15))
    alpha2 = tf.square(alpha)
    distribution = alpha2 / tf.square(tf.square(to_half) * (alpha2 - 1) + 1)
    k = alpha / 2
    visible = 0.25 / ((to_light * (1 - k) + k) * (to_eye * (1 - k) + k))
    cosine = tf.reduce_sum(view * half, -1)[:, None, None, None]
    fresnel = 0.04 + 0.96 * tf.pow(1 - cosine, 5.0)
    return (albedo + distribution * visible * fresnel) * to_light
