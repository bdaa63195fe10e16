"""Patch matching without a network brings a random picture to the real one's patches, and the result tiles."""

import itertools

import numpy as np
import pytest

from gan_worker.gan.metrics.baselines import patch_matched_like
from gan_worker.gan.metrics.distances import projected, wasserstein


def matched(material, steps, size=(64, 64), seed=1):
    """What comes out after so many steps at all sizes together."""
    clock = itertools.count()
    return patch_matched_like(material, size, seed, steps, lambda: next(clock))


@pytest.fixture(scope="module")
def real(native_material):
    return {name: picture[:64, :64] for name, picture in native_material.items()}


@pytest.fixture(scope="module")
def made(real):
    return matched(real, 80)


def patch_distance(real, made):
    """Of the patches of all maps."""

    def of(material, rows):
        x = np.concatenate(list(material.values()), axis=-1)[None].astype(np.float32)
        found = projected(x, 0)
        return found[np.linspace(0, len(found) - 1, rows).astype(int)]

    return wasserstein(of(real, 1000), of(made, 1000))


def test_patches_come_to_be_distributed_as_the_real_ones(real, made):
    assert made.keys() == real.keys()
    assert made["base_color"].shape == (64, 64, 3)
    assert patch_distance(real, made) < 0.5 * patch_distance(real, matched(real, 1))
    assert min(p.min() for p in made.values()) >= 0
    assert max(p.max() for p in made.values()) <= 1


def test_the_result_tiles(made):
    """Its border is a line like every second one; doubling leaves smaller steps between."""
    flat = np.concatenate(list(made.values()), axis=-1)
    ratios = []
    for axis in (0, 1):
        steps = np.abs(flat - np.roll(flat, 1, axis)).mean((1 - axis, 2))
        ratios.append(steps[0] / steps[2::2].mean())
    assert np.mean(ratios) < 1.15


def test_seeds_differ_and_repeat(real):
    first, again, other = (matched(real, 2, seed=s)["height"] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.02


def test_it_takes_no_longer_than_it_may(real):
    """Each size takes one step at least, and none more than its share."""
    told = itertools.count()
    patch_matched_like(real, (64, 64), 1, 6, lambda: next(told))
    assert 6 <= next(told) <= 9
