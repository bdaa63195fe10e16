"""Relief: bands of brightness, slopes and normals."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from gan_worker.gan.estimation.relief import (
    BANDS,
    luminance,
    luminance_bands,
    normals_of_slopes,
    slopes_of_bands,
    slopes_of_height,
    slopes_of_normals,
)


def test_slopes_rise_to_the_right_and_upwards():
    ramp = np.tile(np.arange(8, dtype=np.float32), (8, 1))
    across = slopes_of_height(tf.constant(ramp[None, ..., None]))[0].numpy()
    up = slopes_of_height(tf.constant(ramp.T[::-1][None, ..., None]))[0].numpy()
    assert across[4, 4].tolist() == [1.0, 0.0] and up[4, 4].tolist() == [0.0, 1.0]


def test_normals_lean_away_from_the_slope_and_have_unit_length():
    slopes = tf.constant([[[1.0, 0.0], [0.0, -1.0], [0.5, 2.0]]])
    normals = normals_of_slopes(slopes)
    assert normals[0, 0, 0] < 0 and normals[0, 1, 1] > 0
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(slopes_of_normals(normals / 2 + 0.5), slopes, atol=1e-5)


def test_bands_add_up_to_the_brightness():
    color = np.random.default_rng(1).uniform(size=(1, 64, 96, 3)).astype(np.float32)
    bands = luminance_bands(tf.constant(color))
    assert bands.shape == (1, 64, 96, BANDS)
    total = tf.reduce_sum(bands, -1, keepdims=True) / 8 + 0.5
    np.testing.assert_allclose(total, luminance(tf.constant(color)), atol=1e-5)


def test_a_gain_below_nothing_turns_the_relief_over():
    color = np.random.default_rng(2).uniform(size=(1, 32, 32, 3)).astype(np.float32)
    bands = luminance_bands(tf.constant(color))
    up = slopes_of_bands(bands, tf.ones((1, 1, 1, BANDS)))
    assert np.abs(up).max() > 0.1
    np.testing.assert_allclose(slopes_of_bands(bands, -tf.ones((1, 1, 1, BANDS))), -up, atol=1e-5)
