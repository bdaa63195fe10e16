"""Layers of the generator: what gives each of several materials its colors."""

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.gan.networks.layers import PaintedStyle, Tone

STYLES = np.random.default_rng(3).standard_normal((3, 64)).astype(np.float32)
MEANS = np.array([[0.0], [5.0], [-5.0]], np.float32)
SPREADS = np.array([[1.0], [0.1], [2.0]], np.float32)


@pytest.fixture
def tone():
    made = Tone(3)
    made.build(8, 1)
    made.means.assign(MEANS)
    made.spreads.assign(SPREADS)
    return made


def toned(tone, w):
    """Mean and spread that a style is given."""
    x = tf.constant([[[[0.0], [1.0]]]])
    zero, one = tone(tf.repeat(x, len(w), 0), tf.constant(w), tf.constant(STYLES)).numpy()[0, 0]
    return float(zero[0]), float(one[0] - zero[0])


@pytest.mark.parametrize("material", [0, 1, 2])
def test_at_the_style_of_a_material_it_is_that_ones(tone, material):
    mean, spread = toned(tone, STYLES[material : material + 1])
    assert mean == pytest.approx(MEANS[material, 0], abs=0.01)
    assert spread == pytest.approx(SPREADS[material, 0], abs=0.01)


def test_in_the_middle_of_two_it_is_half_of_each_and_moves_steadily(tone):
    means = [toned(tone, (1 - t) * STYLES[:1] + t * STYLES[1:2])[0] for t in np.linspace(0, 1, 9)]
    assert means[4] == pytest.approx(2.5, abs=0.6)
    assert np.all(np.diff(means) > 0)


def test_far_from_all_it_is_still_one_of_theirs(tone):
    mean, spread = toned(tone, 30 * STYLES[2:])
    assert (mean, spread) == (pytest.approx(-5, abs=0.01), pytest.approx(2, abs=0.01))


def test_what_is_painted_has_the_tone_of_each_look_at_its_place(tone):
    shares = tf.constant([[[[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]]])
    painted = PaintedStyle(shares, tf.constant(STYLES[1:]))
    found = tone(tf.zeros((1, 1, 3, 1)), painted, tf.constant(STYLES)).numpy().ravel()
    assert found == pytest.approx([5, 0, -5], abs=0.02)
