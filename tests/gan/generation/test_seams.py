"""The seam ratio tells what tiles from what does not."""

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.gan.generation import seams


def steps(picture):
    return seams.line_steps(tf.constant(picture, tf.float32))


def seam_ratio(picture):
    return seams.seam_ratio(steps(picture))


def test_a_periodic_picture_has_ratio_one_and_a_ramp_a_large_one():
    x = np.arange(64)[None, :, None]
    wave = np.broadcast_to(np.sin(2 * np.pi * x / 16), (64, 64, 1))
    noise = np.random.default_rng(0).normal(0, 1, (256, 256, 3))
    ramp = np.broadcast_to(x / 64.0, (64, 64, 1))
    assert seam_ratio(wave) <= 1.7
    assert 0.9 < seam_ratio(noise) < 1.1
    assert seam_ratio(ramp) > 50
    assert seam_ratio(np.zeros((8, 8, 1))) == 0


def test_calm_origin_moves_the_border_off_an_edge():
    picture = np.random.default_rng(0).normal(0.5, 0.01, (64, 48, 3))
    picture[:20] += 0.3
    height = picture.mean(axis=-1, keepdims=True)
    assert seam_ratio(picture) > 5
    origin = column, row = seams.calm_origin([steps(picture), steps(height)])
    moved = np.roll(picture, (-row, -column), (0, 1))
    assert seam_ratio(moved) <= 1.05
    told = seams.seam_ratio(seams.rolled(steps(picture), origin))
    assert told == pytest.approx(seam_ratio(moved), rel=1e-4)


def test_calm_origin_looks_only_where_it_is_asked_to_and_across_the_border():
    columns, rows = np.ones(64), np.ones(48)
    columns[[30, 62]], rows[[20, 3]] = (0.1, 0.5), (0.1, 0.5)
    maps = [(columns, rows)]
    assert seams.calm_origin(maps) == (30, 20)
    assert seams.calm_origin(maps, (range(-4, 4), range(0, 8))) == (62, 3)
