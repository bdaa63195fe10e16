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
    crops = update._fake_crops(tf.constant([1, 0]), None, WHOLE).numpy()
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
