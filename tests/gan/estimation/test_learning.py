"""What an estimator learns from."""

from __future__ import annotations

import itertools

import numpy as np
import tensorflow as tf

from gan_worker.gan.estimation.learning import as_photographed
from gan_worker.gan.estimation.light import to_linear
from gan_worker.gan.estimation.relief import slopes_of_height
from gan_worker.gan.estimation.samples import BATCH, CROP, Sample, batches, turned


def hills(side: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Color that is the height, and what it stands for: slopes, roughness, occlusion."""
    rows, columns = 2 * np.pi * np.mgrid[:side, :side] / side
    height = (np.sin(columns) + np.cos(2 * rows + columns)).astype(np.float32)
    slopes = slopes_of_height(tf.constant(height[None, ..., None]))[0].numpy()
    rest = np.full((side, side, 2), 0.5, np.float32)
    color = np.repeat(0.5 + height[..., None] / 8, 3, -1)
    return color, np.concatenate([slopes, rest], -1)


def test_a_turned_relief_has_turned_slopes():
    color, targets = hills()
    seen = set()
    for seed in range(40):
        other_color, other_targets = turned(color, targets, np.random.default_rng(seed))
        height = (other_color[None, ..., :1] - 0.5) * 8
        slopes = slopes_of_height(tf.constant(height))[0].numpy()
        np.testing.assert_allclose(other_targets[..., :2], slopes, atol=1e-4)
        seen.add(other_color.tobytes())
    assert len(seen) == 8


def test_a_batch_depends_on_its_number_alone():
    color, targets = (x.astype(np.float16) for x in hills(96))
    sample = Sample("hills", color, targets, (1.0, 0.0, 0.5), True)
    first = list(itertools.islice(batches([(1.0, [sample]), (0.5, [])], 0), 4))
    again = next(batches([(1.0, [sample])], 3))
    for a, b in zip(first[3], again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert first[0][0].shape == (BATCH, CROP, CROP, 3)
    assert first[0][2].numpy().tolist() == [[1.0, 0.0, 0.5, 0.0]] * BATCH
    assert np.any(first[0][0] != first[1][0])


def test_the_light_that_is_told_is_the_light_that_is_there():
    color, targets = (tf.constant(np.stack([x] * 8)) for x in hills())
    targets *= 4.0  # noise hides what is gentle
    facts = tf.constant([[1.0, 1, 1, 1]] * 8)
    seen, light = as_photographed(color, targets, facts, tf.constant([5, 6]))
    assert np.ptp(light, axis=(1, 2)).min() > 0.01
    np.testing.assert_allclose(tf.reduce_mean(light, (1, 2)), 0, atol=1e-5)
    shares = np.log(to_linear(seen).numpy() / to_linear(color).numpy()).mean(-1, keepdims=True)
    for one, told in zip(shares, light.numpy(), strict=True):
        assert np.corrcoef(one.ravel(), told.ravel())[0, 1] > 0.7
