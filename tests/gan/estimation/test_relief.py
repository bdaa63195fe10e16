"""Relief: bands of brightness, slopes, normals and heights."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.gan.estimation.relief import (
    BANDS,
    height_of_slopes,
    luminance,
    luminance_bands,
    normals_of_slopes,
    slopes_of_bands,
    slopes_of_height,
    slopes_of_normals,
)


def hills(height: int, width: int) -> np.ndarray:
    """A smooth relief on a torus, pixels."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    across, down = 2 * np.pi * columns / width, 2 * np.pi * rows / height
    found: np.ndarray = 3 * np.sin(across) + 2 * np.cos(2 * down + across)
    return found


@pytest.mark.parametrize("size", [(48, 64), (47, 65)])
def test_a_height_comes_back_from_its_slopes(size):
    real = hills(*size)
    slopes = slopes_of_height(tf.constant(real[None, ..., None]))[0].numpy()
    found = height_of_slopes(slopes)
    assert found.dtype == np.float32 and found.shape == size
    np.testing.assert_allclose(found, real - real.mean(), atol=0.1)


def test_a_ramp_that_does_not_close_is_a_ramp():
    slopes = np.zeros((32, 32, 2), np.float32)
    slopes[..., 0] = 0.5
    open_sided = height_of_slopes(slopes, closed=False)
    assert np.diff(open_sided, axis=1)[:, 4:-4] == pytest.approx(0.5, abs=0.05)
    assert np.ptp(height_of_slopes(slopes)) < 0.1  # a torus has no slope all the way around


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
