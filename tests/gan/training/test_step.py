"""A training step: how many looks a batch has, and what the crops of each are compared with."""

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.config import PRESETS
from gan_worker.gan.data.dataset import Dataset
from gan_worker.gan.data.statistics import measure_statistics
from gan_worker.gan.data.waves import Pattern
from gan_worker.gan.training.shares import WHOLE
from gan_worker.gan.training.step import Hyperparameters, TrainingStep

TINY = PRESETS["tiny"]


@pytest.fixture(scope="module")
def update():
    material = {"roughness": np.random.default_rng(0).random((96, 96, 1), np.float32)}
    dataset = Dataset([material], measure_statistics([material], ["roughness"]))
    return TrainingStep(TINY, dataset, (Pattern(),), 0, Hyperparameters(looks=2))


def test_crops_of_a_batch_share_a_look_by_halves(update, monkeypatch):
    given, untoned = [], update.generator.untoned
    monkeypatch.setattr(
        update.generator, "untoned", lambda z, *rest: given.append(z) or untoned(z, *rest)
    )
    seed = tf.constant([1, 0])
    crops = update._fake_crops(seed, update.draw_batch(seed).z, WHOLE).numpy()
    z = given[0].numpy()
    assert len(z) == TINY.batch
    assert len(np.unique(z, axis=0)) == 2
    assert (z[: TINY.batch // 2] == z[0]).all()
    assert len(np.unique(crops.reshape(TINY.batch, -1), axis=0)) == TINY.batch, (
        "each lies elsewhere"
    )


def test_a_look_for_each_color_is_farther_than_all_colors_in_each(update):
    bright = np.ones((TINY.crop, TINY.crop, update.dataset.channels), np.float32)
    by_turns, by_halves = (
        tf.stack([sign * bright for sign in signs])
        for signs in ([1, -1] * (TINY.batch // 2), sorted([1, -1] * (TINY.batch // 2)))
    )
    seed = tf.constant([1, 2])
    assert float(update._patch_distance(by_turns, by_turns, seed)) == pytest.approx(0, abs=1e-5)
    assert update._patch_distance(by_turns, by_halves, seed) > 1


def test_a_look_is_compared_with_what_its_latent_says():
    """Of a picture that is dark on one side, crops of one look are compared with dark ones, and its latent says so."""
    draw = np.random.default_rng(0).random((256, 256, 1), np.float32)
    material = {"roughness": draw * 0.5 + (np.arange(256) > 128)[None, :, None] * 0.4}
    dataset = Dataset([material], measure_statistics([material], ["roughness"]))
    update = TrainingStep(TINY, dataset, (Pattern(),), 0, Hyperparameters(looks=2))
    told, found = [], []
    for number in range(20):
        batch = update.draw_batch(tf.constant([number, 0]))
        assert sorted(x.numpy().tobytes() for x in batch.alike) == sorted(
            x.numpy().tobytes() for x in batch.real
        )
        halves = batch.alike.numpy().reshape(2, -1).mean(1)
        told.append(float(batch.z[0, 0] - batch.z[-1, 0]))
        found.append(halves[0] - halves[1])
    assert abs(np.corrcoef(told, found)[0, 1]) > 0.9
    assert "look_distance" in update.step(0, 0.0)
