"""Patch matching finds where a block comes from, exactly, and moves its detail there."""

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.gan.detail import matching
from gan_worker.gan.detail.bank import KeptPictures, Octave, measure_basis, pyramid
from gan_worker.gan.networks.layers import upsample


@pytest.fixture(scope="module")
def native():
    """192×256 of two channels with detail at every size, standardised."""
    generator = np.random.default_rng(5)
    picture = np.zeros((192, 256, 2), np.float32)
    for size in (1, 2, 4, 8, 16):
        field = generator.standard_normal((192 // size, 256 // size, 2)).repeat(size, 0)
        picture += field.repeat(size, 1)
    return ((picture - picture.mean()) / picture.std()).astype(np.float32)


@pytest.fixture(scope="module")
def sizes(native):
    return pyramid(tf.constant(native), 2)


def test_nearest_keys_are_those_of_a_plain_search():
    generator = np.random.default_rng(1)
    queries = np.round(generator.normal(0, 40, (300, 16))).astype(np.float32)
    keys = np.round(generator.normal(0, 40, (512, 16))).astype(np.float32)
    found = matching.nearest_keys(tf.constant(queries), tf.constant(keys)).numpy()
    distances = np.square(queries[:, None] - keys[None]).sum(axis=2)
    np.testing.assert_array_equal(found, distances.argmin(axis=1))


def test_a_small_picture_gets_the_detail_it_was_halved_from(sizes, monkeypatch):
    low, high = sizes[0], sizes[1]
    octave = Octave(low, high, measure_basis([low.numpy()]))
    moved = octave.move(low[None])
    result = (upsample(low[None]) + moved)[0].numpy()
    # Beyond what surrounds a block the picture has a border, and no place is like one there.
    inner = np.s_[16:-16, 16:-16]
    np.testing.assert_allclose(result[inner], high.numpy()[inner], atol=0.01)


def test_what_lies_elsewhere_is_found_there(sizes):
    """A window of the real small picture on an even place gets the detail of that place."""
    low, high = sizes[0], sizes[1]
    octave = Octave(low, high, measure_basis([low.numpy()]))
    window = low[10:34, 12:44]
    moved = octave.move(window[None])
    result = (upsample(window[None]) + moved)[0].numpy()
    inner = np.s_[16:-16, 16:-16]
    np.testing.assert_allclose(result[inner], high.numpy()[20:68, 24:88][inner], atol=0.01)


def test_a_shifted_picture_gets_shifted_detail(sizes):
    octave = Octave(sizes[0], sizes[1], measure_basis([sizes[0].numpy()]))
    other = tf.constant(np.random.default_rng(3).normal(size=(1, 32, 48, 2)).astype(np.float32))
    moved = octave.move(other).numpy()
    rolled = octave.move(tf.roll(other, (4, 8), (1, 2))).numpy()
    np.testing.assert_array_equal(rolled, np.roll(moved, (8, 16), (1, 2)))


def test_a_block_depends_on_no_more_than_its_reach(sizes):
    octave = Octave(sizes[0], sizes[1], measure_basis([sizes[0].numpy()]))
    generator = np.random.default_rng(4)
    whole = tf.constant(generator.normal(size=(1, 48, 48, 2)).astype(np.float32))
    reach = matching.REACH
    piece = octave.move(whole[:, 8:40, 8:40])
    kept = np.s_[:, 2 * reach : -2 * reach, 2 * reach : -2 * reach]
    np.testing.assert_array_equal(piece[kept], octave.move(whole)[:, 16:80, 16:80][kept])


def test_neighbours_go_on_in_one_source(sizes):
    """Of equally good places a block takes the one that continues its neighbour's."""
    sources = np.random.default_rng(6).integers(0, 60, (8, 8, 2)).astype(np.int32)
    found = matching.coherent_sources(
        tf.ones((8, 8, 1)), tf.constant(sources), tf.zeros((64, 64, 1))
    ).numpy()

    def continued(chosen):
        steps = (chosen[1:] - chosen[:-1] == (matching.BLOCK, 0)).all(axis=-1)
        return steps.sum() + (chosen[:, 1:] - chosen[:, :-1] == (0, matching.BLOCK)).all(-1).sum()

    assert continued(sources) == 0
    assert continued(found) > 20


def test_reduced_pictures_are_the_middle_in_steps_no_finer_than_asked(native):
    kept = KeptPictures.of([native], 2)
    steps = 4 * kept.scales[1]
    steps[0] = 0.0  # finer than the picture has, which stays as it is
    reduced = kept.reduced(64, steps)
    (picture,) = reduced.pictures
    top, left = ((n - 64) // 2 for n in native.shape[:2])
    middle = native[top : top + 64, left : left + 64]
    assert picture.shape == middle.shape
    np.testing.assert_array_equal(reduced.scales[1], [kept.scales[1][0], *steps[1:]])
    wrong = np.abs(reduced.pyramid(0, 0)[0] - middle)
    assert np.all(wrong <= 0.51 * (reduced.scales[1] + kept.scales[1]))
    whole = kept.reduced(10_000, 0 * steps)
    np.testing.assert_array_equal(whole.pictures[0], kept.pictures[0])


def test_kept_pictures_come_back_from_a_file(native):
    kept = KeptPictures.of([native, native[:96]], 2)
    again = KeptPictures.from_arrays(kept.to_arrays(), 2)
    low = tf.constant(native[None, :32, :48])
    for index in range(2):
        for octave in range(2):
            expected = kept.bank(index).octaves[octave].move(low)
            np.testing.assert_array_equal(again.bank(index).octaves[octave].move(low), expected)
    step = np.ptp(native, axis=(0, 1)) / 255
    assert np.all(np.abs(kept.pyramid(0, 0)[0] - native) <= step * 0.51)
