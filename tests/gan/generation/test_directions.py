"""Directions are unit axes of w, ordered, repeatable, and are what their papers say they are."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_worker.config import PRESETS
from gan_worker.errors import RequestError
from gan_worker.gan.generation.directions import (
    factor_directions,
    find_direction,
    principal_directions,
    random_styles,
)
from gan_worker.gan.networks.generator import Generator
from gan_worker.gan.networks.layers import StyleNorm


@pytest.fixture(scope="module")
def generator():
    keras.utils.set_random_seed(5)
    return Generator(PRESETS["nano"], channels=4)


@pytest.mark.parametrize("find", [principal_directions, factor_directions])
def test_they_are_orthonormal_ordered_and_the_same_every_time(generator, find):
    found = find(generator)
    vectors = np.stack([d.vector for d in found])
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(16), atol=1e-5)
    strengths = [d.strength for d in found]
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[0] > 1.05 * strengths[-1]
    again = find(generator)
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one.vector, other.vector)
        assert one.vector[np.abs(one.vector).argmax()] > 0


def test_a_step_is_one_standard_deviation_of_w(generator):
    w = random_styles(generator, 4096).numpy()
    for direction in (*principal_directions(generator), *factor_directions(generator)):
        assert direction.step == pytest.approx((w @ direction.vector).std(), rel=1e-3)
    first = principal_directions(generator)[0]
    assert first.strength == pytest.approx(first.step, rel=1e-4)


def test_the_first_factor_changes_scales_and_shifts_most(generator):
    norms = [layer for layer in generator._flatten_layers() if isinstance(layer, StyleNorm)]

    def change(vector):
        return sum(np.square(vector @ norm.affine.kernel.numpy()).sum() for norm in norms)

    found = factor_directions(generator)
    changes = [change(direction.vector) for direction in found]
    np.testing.assert_allclose(changes, [d.strength for d in found], rtol=1e-4)
    draw = np.random.default_rng(1).standard_normal((50, 16))
    others = [change(v) for v in draw / np.linalg.norm(draw, axis=1, keepdims=True)]
    assert max(others) <= changes[0]


def test_a_planted_direction_is_found(generator):
    planted = np.zeros((16, 1), np.float32)
    planted[3] = 1
    kernel = generator.exit_norm.affine.kernel
    before = tf.identity(kernel)
    kernel.assign_add(planted * np.ones((1, kernel.shape[1]), np.float32))
    assert factor_directions(generator)[0].vector.argmax() == 3
    kernel.assign(before)


def test_they_have_names_that_count_from_one(generator):
    assert [d.name for d in principal_directions(generator)[:2]] == ["pca 1", "pca 2"]
    second = find_direction(generator, "factor 2")
    np.testing.assert_array_equal(second.vector, factor_directions(generator)[1].vector)
    for name in ("factor 17", "pca 0", "size", "pca 1 "):
        with pytest.raises(RequestError, match="'pca 16'") as caught:
            find_direction(generator, name)
        assert caught.value.code == "invalid_config"
