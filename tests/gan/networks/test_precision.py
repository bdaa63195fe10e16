"""Convolutions compute in bfloat16 where told, and nowhere else."""

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.gan.networks import precision
from gan_worker.gan.networks.precision import convolution, reduced_precision

X = tf.random.stateless_normal((1, 8, 8, 32), [1, 2])
KERNEL = tf.random.stateless_normal((3, 3, 32, 16), [3, 4])


@pytest.fixture
def able(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)


def test_it_is_close_and_not_the_same(able):
    exact = convolution(X, KERNEL, "VALID").numpy()
    with reduced_precision(32):
        near = convolution(X, KERNEL, "VALID").numpy()
    assert near.dtype == np.float32
    assert 0 < np.abs(near - exact).max() < 0.05 * exact.std()
    np.testing.assert_array_equal(convolution(X, KERNEL, "VALID").numpy(), exact)


def test_few_channels_stay_exact(able):
    with reduced_precision(32):
        near = convolution(X[..., :3], KERNEL[:, :, :3], "SAME").numpy()
    np.testing.assert_array_equal(near, convolution(X[..., :3], KERNEL[:, :, :3], "SAME").numpy())


def test_a_machine_without_it_stays_exact(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    with reduced_precision(32):
        near = convolution(X, KERNEL, "VALID").numpy()
    np.testing.assert_array_equal(near, convolution(X, KERNEL, "VALID").numpy())


@pytest.mark.parametrize(("widest", "exact"), [(96, True), (256, False)])
def test_on_a_gpu_a_narrow_network_stays_exact(able, monkeypatch, widest, exact):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    with reduced_precision(widest):
        near = convolution(X, KERNEL, "VALID").numpy()
    assert np.array_equal(near, convolution(X, KERNEL, "VALID").numpy()) == exact


def test_a_gpu_rounds_nothing_that_was_not_asked_for():
    assert not tf.config.experimental.tensor_float_32_execution_enabled()
