"""In which ways crops of a material differ, and that a look is of one of them."""

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.gan.data.looks import WAYS, Looks

SEEDS = [tf.constant([number, 50]) for number in range(20)]


@pytest.fixture(scope="module")
def crops():
    """Of a picture that is brighter here and darker there, and here calm and there busy."""
    draw = np.random.default_rng(3)
    brightness = draw.normal(0, 1, (64, 1, 1, 1))
    grain = draw.normal(0, 1, (64, 16, 16, 1)) * draw.uniform(0.5, 1.5, (64, 1, 1, 1))
    return (brightness + grain).astype(np.float32)


@pytest.fixture(scope="module")
def looks(crops):
    return Looks(crops)


def test_groups_are_alike_and_their_latents_say_in_which_way(looks, crops):
    z = tf.random.stateless_normal((2, 8), (1, 2))
    told, found, apart = [], [], []
    for seed in SEEDS:
        groups = looks.divide(crops[:8], 2, seed)
        assert sorted(groups.order.numpy()) == list(range(8))
        brightness = crops[groups.order.numpy()].mean((1, 2, 3)).reshape(2, 4)
        latents = groups.latents(z).numpy()
        assert np.array_equal(latents[:, 2:], z[:, 2:]), "of one channel there are mean and spread"
        told += list(latents[:, 0])
        found += list(brightness.mean(1))
        apart.append(abs(np.subtract(*brightness.mean(1))))
    assert abs(np.corrcoef(told, found)[0, 1]) > 0.99
    by_chance = abs(np.subtract(*crops[:8].mean((1, 2, 3)).reshape(2, 4).mean(1)))
    assert np.mean(apart) > 1.5 * by_chance


def test_latents_of_groups_are_spread_as_others(looks, crops):
    numbers = np.random.default_rng(0).integers(0, len(crops), (100, 8))
    groups = (
        looks.divide(crops[chosen], 2, tf.constant([i, 0])) for i, chosen in enumerate(numbers)
    )
    found = np.concatenate([g.latents(tf.zeros((2, 8))).numpy()[:, :2] for g in groups])
    assert np.all(np.abs(found.mean(0)) < 0.3)
    assert np.all((found.std(0) > 0.7) & (found.std(0) < 1.5))


def test_distance_is_in_deviations_of_crops(looks, crops):
    groups = looks.divide(crops[:8], 2, SEEDS[0])
    alike = crops[groups.order.numpy()]
    assert float(looks.distance(alike, groups)) == pytest.approx(0, abs=1e-5)
    spread = crops.mean((1, 2, 3)).std()
    # One deviation in one of the two ways, or in a direction between them.
    assert 0.49 < float(looks.distance(alike + spread, groups)) < 0.72
    swapped = float(looks.distance(np.concatenate([alike[4:], alike[:4]]), groups))
    assert swapped == pytest.approx(np.abs(np.subtract(*groups.means.numpy())).mean(), abs=1e-4)


def test_there_are_few_ways_and_none_where_all_crops_are_alike(looks, crops):
    assert looks.ways == 2
    colored = np.concatenate([crops, crops[::-1], crops[::2].repeat(2, 0)], -1)
    assert Looks(colored).ways == WAYS
    assert Looks(colored).divide(colored[:8], 2, SEEDS[0]).means.shape == (2, WAYS)
    assert Looks(np.repeat(crops[:1], 16, 0)).ways == 0
