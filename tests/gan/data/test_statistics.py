"""Standardised channels and the way back."""

import numpy as np
import pytest

from gan_worker.gan.data.statistics import Statistics, measure_statistics


def material(rng):
    normal_xy = rng.normal(0, 0.2, (32, 32, 2)).clip(-0.6, 0.6)
    z = np.sqrt(1 - (normal_xy**2).sum(-1, keepdims=True))
    return {
        "base_color": rng.uniform(0.1, 0.9, (32, 32, 3)).astype(np.float32),
        "normal": (np.concatenate([normal_xy, z], -1) * 0.5 + 0.5).astype(np.float32),
        "metallic": np.full((32, 32, 1), 0.25, np.float32),
        "height": rng.uniform(0.2, 0.4, (32, 32, 1)).astype(np.float32),
    }


def test_restore_undoes_standardise():
    maps = material(np.random.default_rng(0))
    statistics = measure_statistics([maps], list(maps))
    channels = statistics.standardise(maps)
    restored = statistics.restore(channels)
    for name, picture in maps.items():
        np.testing.assert_allclose(restored[name], picture, atol=2e-5, err_msg=name)
    assert np.abs(channels.mean(axis=(0, 1))).max() < 0.1
    assert np.allclose(channels.std(axis=(0, 1)), 1, atol=0.1)


def test_a_constant_map_costs_no_channel_and_comes_back():
    maps = material(np.random.default_rng(0))
    statistics = measure_statistics([maps], ["metallic", "height"])
    assert statistics.channels == 1
    restored = statistics.restore(np.zeros((2, 2, 1), np.float32))
    np.testing.assert_allclose(restored["metallic"], 0.25, atol=1e-6)


def test_a_grey_photo_has_one_channel():
    grey = np.random.default_rng(0).uniform(0, 1, (32, 32, 1)).repeat(3, axis=-1)
    assert measure_statistics([{"base_color": grey}], ["base_color"]).channels == 1


def color_of(rng, tint, grey=5.0):
    """Grey that varies, and two tints, by these standard deviations, in steps of 8 bits."""
    axes = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
    values = 0.5 + rng.normal(0, np.array([grey, tint, tint]) / 255, (64, 64, 3)) @ axes
    return {"base_color": values.astype(np.float32)}


@pytest.mark.parametrize(
    ("tint", "grey", "axes"),
    [(1.0, 5, 3), (0.45, 5, 3), (0.3, 2, 1), (1.0, 26, 3), (1.0, 31, 1), (1.6, 40, 3)],
    ids=["tinted", "faint", "rounded", "enough", "too little", "visible"],
)
def test_faint_tints_are_kept_where_they_are_what_color_there_is(tint, grey, axes):
    maps = color_of(np.random.default_rng(0), tint, grey)
    assert measure_statistics([maps], ["base_color"]).channels == (3 if tint > 1.5 else 1)
    statistics = measure_statistics([maps], ["base_color"], tints=True)
    assert statistics.channels == axes
    restored = np.asarray(statistics.restore(statistics.standardise(maps))["base_color"])
    rest = 0.0 if axes == 3 else tint / 255 * np.sqrt(2 / 3)
    np.testing.assert_allclose((restored - maps["base_color"]).std(), rest, rtol=0.1, atol=1e-5)


def test_faint_color_beside_a_visible_one_is_left_out():
    maps = color_of(np.random.default_rng(0), 1)
    maps["base_color"][::2, :, 0] += 0.05
    assert measure_statistics([maps], ["base_color"], tints=True).channels == 2


def test_faint_color_stays_fainter_than_shapes():
    maps = color_of(np.random.default_rng(0), 0.6)
    channels = measure_statistics([maps], ["base_color"], tints=True).standardise(maps)
    spread = channels.std(axis=(0, 1))
    np.testing.assert_allclose(spread, [1, 0.6, 0.6], rtol=0.1)


def test_a_color_that_is_nearly_even_is_one_value():
    maps = {
        "base_color": np.random.default_rng(0).normal(0.5, 1 / 255, (32, 32, 3)).astype(np.float32)
    }
    statistics = measure_statistics([maps], ["base_color"])
    assert statistics.channels == 0
    assert statistics.maps["base_color"].mean == pytest.approx((0.5,) * 3, abs=0.5 / 255)


def test_generated_normals_have_unit_length_and_point_outwards():
    maps = material(np.random.default_rng(0))
    statistics = measure_statistics([maps], ["normal"])
    wild = np.random.default_rng(1).normal(0, 30, (16, 16, 2)).astype(np.float32)
    normal = np.asarray(statistics.restore(wild)["normal"]) * 2 - 1
    np.testing.assert_allclose(np.linalg.norm(normal, axis=-1), 1, atol=1e-5)
    assert normal[..., 2].min() > 0


def test_json_keeps_everything():
    maps = material(np.random.default_rng(0))
    statistics = measure_statistics([maps], list(maps))
    assert Statistics.from_json(statistics.to_json()) == statistics
