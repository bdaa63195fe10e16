"""Metrics of other sizes than those of small pictures: large patches, and the finest band alone."""

import numpy as np
import pytest

from gan_worker.gan.metrics.classifier_test import held_out_auc
from gan_worker.gan.metrics.distances import Layout, map_correlations, pyramid
from gan_worker.gan.metrics.nearest import nearest_distances


def _noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("patch", [32, 64])
def test_a_classifier_tells_what_differs_and_nothing_else(patch: int) -> None:
    # Given noise, more of the same noise, and noise that is calm every other row
    real, alike = ([_noise(i, 4, 96, 96, 3) for i in pair] for pair in ((1, 2), (3, 4)))
    striped = [w * np.resize([1.0, 0.2], (96, 1, 1)).astype(np.float32) for w in alike]
    # When and Then
    assert held_out_auc((real[0], real[1]), (striped[0], striped[1]), patch) > 0.95
    assert abs(held_out_auc((real[0], real[1]), (alike[0], alike[1]), patch) - 0.5) < 0.15


def test_a_large_patch_is_found_where_it_was_copied_from_and_a_mosaic_of_small_ones_is_not() -> (
    None
):
    # Given a picture, a shifted copy of it, and its pieces of 16 pixels in another order
    picture = _noise(5, 256, 256)
    tiles = picture.reshape(16, 16, 16, 16).transpose(0, 2, 1, 3).reshape(256, 16, 16)
    mixed = tiles[np.random.default_rng(6).permutation(256)].reshape(16, 16, 16, 16)
    mosaic = mixed.transpose(0, 2, 1, 3).reshape(256, 256)
    # When
    copied = nearest_distances([np.roll(picture, 40, 0)[60:]], [picture], 32, patch=32)
    mixed_up = nearest_distances([mosaic], [picture], 32, patch=32)
    # Then
    assert copied.max() < 0.01
    assert mixed_up.min() > 0.5


def test_correlations_of_the_finest_band_leave_out_shapes() -> None:
    # Given two maps with the same slow waves, and grain of their own
    slow = np.sin(np.arange(128) * 2 * np.pi / 64).astype(np.float32)
    waves = np.broadcast_to(slow[:, None] + slow, (2, 128, 128))[..., None]
    windows = np.concatenate([waves, waves], -1) + 0.1 * _noise(8, 2, 128, 128, 2)
    layout = Layout({"height": slice(0, 1), "roughness": slice(1, 2)}, np.zeros(2), np.ones(2))
    # When
    whole, finest = (map_correlations(windows, layout, finest=f)[0, 1] for f in (False, True))
    # Then
    assert whole > 0.95
    assert abs(finest) < 0.1


def test_a_pyramid_ends_at_its_coarsest_level() -> None:
    # Given
    x = _noise(9, 1, 128, 128, 1)
    # When and Then
    assert [level.shape[1] for level in pyramid(x)] == [128, 64, 32]
    assert [level.shape[1] for level in pyramid(x, 16)] == [128, 64, 32, 16]
