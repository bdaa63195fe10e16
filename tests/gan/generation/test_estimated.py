"""Estimated maps of a generated material: all maps at once, moved with the picture, adjusted without a network."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.config import GenerationConfig
from gan_worker.errors import Cancelled, RequestError
from gan_worker.estimation import Estimation
from gan_worker.gan.estimation.estimator import Estimates
from gan_worker.gan.estimation.light import to_linear
from gan_worker.gan.estimation.relief import slopes_of_normals
from gan_worker.gan.estimation.spectral import height_of_slopes
from gan_worker.gan.generation import estimated, model
from gan_worker.gan.generation.estimated import octaves_of_shapes
from gan_worker.gan.generation.model import Model, load_model
from gan_worker.materials.maps import MAPS
from gan_worker.runs.checkpoints import parse_tensors
from gan_worker.runs.estimators import save_estimator, shipped
from gan_worker.runs.run import BUNDLED

ALL = {"base_color", "roughness", "normal", "height", "ambient_occlusion"}
WANTED = GenerationConfig("native", 3, 128, 96, origin=(0, 0), estimation=Estimation())
BITS = {name: kind.bits for name, kind in MAPS.items()}


@pytest.fixture(scope="module")
def native(native_model):
    """The same model with a memory of its own; traced once, so each test draws seeds that no other does."""
    return Model(native_model.info, native_model.generator, detail=native_model.detail)


@pytest.fixture(scope="module")
def made(native):
    return native.generate(WANTED, BITS)


@pytest.fixture
def no_networks(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a network was asked")

    return lambda: [
        monkeypatch.setattr(place, name, refuse)
        for place, name in ((model, "render"), (estimated, "estimate"))
    ]


def test_a_material_has_all_maps_and_says_which_are_estimated(made, native):
    assert {
        name: (m.shape[:2], m.shape[2], m.dtype.itemsize * 8) for name, m in made.maps.items()
    } == {name: ((96, 128), MAPS[name].channels, MAPS[name].bits) for name in ALL}
    # The model makes the height itself.
    assert set(made.recipe.estimated) == {"roughness", "normal", "ambient_occlusion"}
    assert 0 < made.recipe.estimated["normal"] < 45
    assert 0 < made.recipe.estimated["roughness"] < 0.5
    assert set(made.seam_ratios) == ALL
    assert made.recipe.config.estimation == WANTED.estimation
    plain = native.generate(replace(WANTED, estimation=None), BITS)
    np.testing.assert_array_equal(made.maps["height"], plain.maps["height"])
    assert plain.recipe.estimated == {}


def test_the_light_is_taken_out_of_the_color_as_far_as_wanted(native, monkeypatch):
    def bright(color, *_, **__):
        values = np.zeros((*color.shape[:2], 5), np.float16)
        values[..., 4] = np.log(2.0)
        return Estimates(
            values, 0, True, {"normal": 9.0, "roughness": 0.1, "ambient_occlusion": 0.1}
        )

    monkeypatch.setattr(estimated, "estimate", bright)
    wanted = replace(WANTED, seed=10)
    lit = native.generate(replace(wanted, estimation=Estimation(light=0.0)), BITS)
    plain = native.generate(replace(wanted, estimation=None), BITS).maps["base_color"]
    np.testing.assert_array_equal(lit.maps["base_color"], plain)
    unlit = native.generate(wanted, BITS).maps["base_color"]
    np.testing.assert_allclose(linear(unlit), linear(plain) / 2, atol=0.01)


def linear(color):
    return to_linear(tf.constant(color / 255, tf.float32)).numpy()


def test_which_maps_are_asked_for_and_in_what_order_changes_none(made, native):
    names = ("roughness", "base_color")
    forget(native)
    few = native.generate(replace(WANTED, maps=names), BITS)
    assert tuple(few.maps) == names
    for name in names:
        np.testing.assert_array_equal(few.maps[name], made.maps[name])
    assert few.recipe == made.recipe


@pytest.mark.parametrize("origin", [(17, 41), (127, 95)])
def test_estimates_move_with_the_picture(made, native, origin, monkeypatch):
    monkeypatch.setattr(estimated, "ROLLED", 50)
    moved = native.generate(replace(WANTED, origin=origin), BITS)
    for name, whole in made.maps.items():
        wanted = np.roll(whole, (-origin[1], -origin[0]), (0, 1)).astype(int)
        steps = 1 if BITS[name] == 8 else 16  # of rounding
        assert np.abs(moved.maps[name] - wanted).max() <= steps, name


def test_the_recipe_makes_the_material_again(native):
    first = native.generate(replace(WANTED, origin=None), BITS)
    forget(native)
    again = native.generate(first.recipe.config, BITS)
    for name, whole in first.maps.items():
        np.testing.assert_array_equal(again.maps[name], whole)
    assert again.recipe == first.recipe


def test_other_adjustments_need_no_network(native, no_networks):
    first = native.generate(WANTED, BITS)
    other = native.generate(replace(WANTED, seed=4), BITS)
    no_networks()
    deep = native.generate(replace(WANTED, estimation=Estimation(depth=3.0, metallic=1.0)), BITS)
    same = native.generate(replace(WANTED, seed=4, maps=("normal",)), BITS)
    np.testing.assert_array_equal(same.maps["normal"], other.maps["normal"])
    assert deep.recipe.estimated.keys() - first.recipe.estimated.keys() == {"metallic"}
    tilt = [np.abs(m.maps["normal"][..., :2] / 255 - 0.5).mean() for m in (first, deep)]
    assert tilt[1] > 1.2 * tilt[0]
    with pytest.raises(AssertionError, match="a network"):
        native.generate(replace(WANTED, seed=5), BITS)


@pytest.mark.parametrize(
    "change", ["more maps", "more bits", "a third", "too large", "in training"]
)
def test_what_is_not_remembered_is_drawn_again(native, no_networks, monkeypatch, change):
    if change == "too large":
        monkeypatch.setattr(estimated, "LARGEST", 127 * 96)
    if change == "in training":
        monkeypatch.setattr(native, "info", replace(native.info, hash=""))
    forget(native)
    asked, bits = WANTED, BITS
    if change == "more maps":
        native.generate(replace(WANTED, maps=("roughness",)), BITS)
    else:
        native.generate(WANTED, BITS)
    if change == "more bits":
        bits = BITS | {"base_color": 16}
    if change == "a third":
        native.generate(replace(WANTED, seed=4), BITS)
        native.generate(replace(WANTED, seed=5), BITS)
    no_networks()
    with pytest.raises(AssertionError, match="a network"):
        native.generate(asked, bits)


def forget(native):
    """Let two other pictures come, so that no other is remembered."""
    for seed in (90, 91):
        native.generate(replace(WANTED, seed=seed), BITS)


def test_the_pieces_of_both_networks_are_counted_and_each_can_be_the_last(native):
    told = []
    native.generate(replace(WANTED, seed=20), BITS, told.append)
    total = len(told)
    assert [(p.done, p.total) for p in told] == [(n + 1, total) for n in range(total)]
    for last in range(total):
        asked = iter(range(total))
        with pytest.raises(Cancelled):
            native.generate(
                replace(WANTED, seed=21),
                BITS,
                should_stop=lambda asked=asked, n=last: next(asked) == n,
            )


def test_estimated_maps_have_no_seam_where_the_color_has_none(monkeypatch):
    name = "Starter Red Bricks"
    bricks = load_model(BUNDLED / name)
    monkeypatch.setattr(bricks, "info", replace(bricks.info, maps=("base_color",)))
    for seed in (1, 2, 3):
        made = bricks.generate(replace(WANTED, model=name, seed=seed, origin=None), BITS)
        # A map of one value or two has hardly a step anywhere.
        varied = {n for n, whole in made.maps.items() if np.ptp(whole) > 8}
        assert varied >= {"base_color", "normal", "height"}
        assert max(made.seam_ratios[n] for n in varied) <= 1.05, made.seam_ratios


def test_heights_of_a_model_have_one_scale(native, monkeypatch):
    """At each size, level of detail and look: so many of the model's pixels are one step of the map."""
    monkeypatch.setattr(native, "info", replace(native.info, maps=("base_color",)))
    found = []
    for seed, width, height, mip in ((30, 128, 96, 0), (31, 128, 64, 0), (30, 64, 48, 1)):
        config = replace(WANTED, seed=seed, width=width, height=height, mip=mip)
        made = native.generate(config, BITS).maps
        normals = tf.constant(made["normal"] / 255, tf.float32)
        real = height_of_slopes(slopes_of_normals(normals).numpy())
        stored = made["height"][..., 0] / 65535 - 0.5
        found.append(2**mip * (real * stored).sum() / (stored**2).sum())
        assert np.corrcoef(real.ravel(), stored.ravel())[0, 1] > 0.95
    assert found == pytest.approx([found[0]] * 3, rel=0.1)


def test_all_levels_of_detail_see_shapes_on_the_same_picture():
    assert [octaves_of_shapes(4, mip) for mip in range(5)] == [2, 1, 0, 0, 0]
    assert [octaves_of_shapes(octaves, 0) for octaves in range(4)] == [0, 0, 0, 1]


def test_a_model_without_a_base_color_is_refused(native, monkeypatch):
    monkeypatch.setattr(native, "info", replace(native.info, maps=("height",)))
    with pytest.raises(RequestError, match="base color") as caught:
        native.generate(WANTED, BITS)
    assert caught.value.code == "invalid_config" and caught.value.info.cure


def test_another_estimator_estimates_anew_and_the_recipe_says_which(native, tmp_path):
    arrays = parse_tensors(shipped().file.read_bytes(), "shipped")
    arrays["0000"] = arrays["0000"] * np.float16(1.5)
    (tmp_path / "hers").mkdir()
    hers = save_estimator(tmp_path / "hers", arrays, shipped(), 1)
    knowing = Model(native.info, native.generator, detail=native.detail, runs=tmp_path)
    wanted = replace(WANTED, maps=("normal",))
    own = knowing.generate(wanted, BITS)
    assert own.recipe.estimator == shipped().hash
    other = knowing.generate(replace(wanted, estimation=Estimation(estimator="hers")), BITS)
    assert other.recipe.estimator == hers.hash
    assert other.recipe.config.estimation == Estimation(estimator="hers")
    assert not np.array_equal(own.maps["normal"], other.maps["normal"])
    again = knowing.generate(wanted, BITS)
    np.testing.assert_array_equal(again.maps["normal"], own.maps["normal"])
    assert again.recipe == own.recipe
    assert knowing.generate(replace(wanted, maps=(), estimation=None), BITS).recipe.estimator == ""
    with pytest.raises(RequestError) as caught:
        knowing.generate(replace(wanted, estimation=Estimation(estimator="mud")), BITS)
    assert caught.value.code == "unknown_estimator" and caught.value.info.cure
