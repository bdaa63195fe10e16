"""Losses against cases whose answer is known."""

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.gan.training.losses import (
    gradient_penalty,
    patch_distance,
    relativistic_losses,
    sort_on_processor,
)

SEED = tf.constant([1, 2])


def test_relativistic_losses_mirror_each_other():
    real, fake = tf.constant([2.0, 1.0]), tf.constant([-1.0, 0.5])
    discriminator, generator = relativistic_losses(real, fake)
    swapped = relativistic_losses(fake, real)
    assert float(discriminator) == pytest.approx(np.mean(np.log1p(np.exp([-3.0, -0.5]))), rel=1e-5)
    assert float(generator) == pytest.approx(float(swapped[0]), rel=1e-6)
    assert float(discriminator) < float(generator)


def test_penalty_of_a_linear_discriminator_is_the_square_of_its_slope():
    slope = tf.constant(np.random.default_rng(0).normal(size=(1, 4, 4, 2)).astype(np.float32))

    def discriminator(crops):
        return tf.reduce_sum(crops * slope, axis=(1, 2, 3))[:, None, None]

    crops = tf.random.stateless_normal((3, 4, 4, 2), SEED)
    penalty = gradient_penalty(discriminator, crops, tf.constant([1.0, -1.0, 1.0])[:, None, None])
    assert float(penalty) == pytest.approx(float(tf.reduce_sum(slope**2)), rel=1e-5)


def test_patch_distance_sees_color_and_grain_and_not_the_place():
    real = tf.random.stateless_normal((4, 32, 32, 3), SEED)
    other_sample = tf.random.stateless_normal((4, 32, 32, 3), SEED + 5)
    same = float(patch_distance(real, real, SEED))
    sample = float(patch_distance(real, other_sample, SEED))
    blurred = float(patch_distance(real, tf.nn.avg_pool2d(real, 3, 1, "SAME"), SEED))
    tinted = float(patch_distance(real, other_sample + [0.5, 0.0, 0.0], SEED))
    assert same == 0
    assert sample < 0.5 * min(blurred, tinted)


def test_patch_distance_sees_calm_and_busy_places():
    spread = tf.constant(np.repeat([0.2, 1.4], 32), tf.float32)[None, None, :, None]
    real, other, even = (tf.random.stateless_normal((8, 64, 64, 1), SEED + i) for i in range(3))
    sample = float(patch_distance(real * spread, other * spread, SEED))
    assert float(patch_distance(real * spread, even, SEED)) > 8 * sample


def test_of_what_changes_slowly_the_means_of_crops_are_compared_and_bumps_count_as_bumps():
    grain = tf.random.stateless_normal((8, 32, 32, 2), SEED)
    heights = np.linspace(-2, 2, 8, dtype=np.float32)[:, None, None, None] * [0.0, 1.0]
    bumps = np.sin(np.arange(32) / 4).astype(np.float32)[None, :, None, None] * [0.0, 2.0]
    real = grain * 0.2 + heights

    def distance(fake, slow=(False, True)):
        return float(patch_distance(real, fake, SEED, slow))

    shuffled = real[::-1]
    assert distance(shuffled) == pytest.approx(0, abs=1e-5)
    assert distance(grain * 0.2 + bumps) > 5 * distance(grain * 0.2)
    # Otherwise bumps cost little beside the heights that are missing.
    assert distance(grain * 0.2 + bumps, ()) < 2 * distance(grain * 0.2, ())


def test_the_fast_sort_is_that_of_tensorflow():
    odd = [0.0, -0.0, np.inf, -np.inf, 1e-45, -1e-45, 3.5, 3.5, -2.0, 1e38, -1e38, 0.0]
    rows = np.random.default_rng(0).normal(0, 3, (3, 700)).astype(np.float32)
    rows[0, : len(odd)], rows[1] = odd, rows[1].round()  # few values, each many times
    np.testing.assert_array_equal(sort_on_processor(tf.constant(rows)), np.sort(rows))


def test_the_fast_sort_leads_every_slope_back_to_its_value():
    rows = tf.constant(np.random.default_rng(0).normal(0, 1, (4, 300)), tf.float32)
    weights = tf.random.stateless_normal((4, 300), (1, 2))

    def slopes(sort):
        with tf.GradientTape() as tape:
            tape.watch(rows)
            total = tf.reduce_sum(sort(rows) * weights)
        return tape.gradient(total, rows)

    in_graph = tf.function(lambda: slopes(sort_on_processor))
    np.testing.assert_array_equal(in_graph(), slopes(tf.sort))


def test_on_a_gpu_and_on_a_processor_the_same_is_found(monkeypatch):
    pair = [tf.random.stateless_normal((2, 32, 32, 3), (0, seed)) for seed in (1, 2)]
    on_processor = patch_distance(*pair, tf.constant([3, 4]))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    np.testing.assert_allclose(patch_distance(*pair, tf.constant([3, 4])), on_processor, rtol=1e-6)
