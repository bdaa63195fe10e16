"""A photo as a model: levels of detail, tiles, estimates and what is refused."""

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from gan_worker.config import GenerationConfig, PhotoConfig, RepairConfig
from gan_worker.errors import Cancelled, RequestError
from gan_worker.estimation import Estimation
from gan_worker.gan.estimation.estimator import Estimates
from gan_worker.gan.generation.photo import ESTIMATES, PhotoModel, photo_shapes, stored_maps
from gan_worker.gan.metrics.evaluation import evaluate_model
from gan_worker.materials.maps import MAPS
from gan_worker.runs.run import ModelInfo, find_weights
from gan_worker.style import Material
from gan_worker.styles.motion import probe_config

WIDTH, HEIGHT = 96, 64
NOWHERE = partial(find_weights, Path("nowhere"))
BITS = {name: kind.bits for name, kind in MAPS.items()}


@pytest.fixture(scope="module")
def color():
    return np.random.default_rng(1).random((HEIGHT, WIDTH, 3), np.float32)


@pytest.fixture(scope="module")
def found():
    """Waves of slopes that close, one level of everything else."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    values = np.zeros((HEIGHT, WIDTH, 5), np.float16)
    values[..., 0] = 0.5 * np.cos(2 * np.pi * x / 32)
    values[..., 1] = 0.25 * np.cos(2 * np.pi * y / 32)
    values[..., 2:] = (0.6, 0.8, 0.0)
    return Estimates(values, 0, True, {"normal": 12.0, "roughness": 0.1, "ambient_occlusion": 0.1})


@pytest.fixture
def model(color, found):
    info = ModelInfo(
        *("stone", "0" * 64, 8, 0, ("base_color",), "photo"),
        network={"config": dataclasses.asdict(PhotoConfig())},
        statistics={"octaves": found.octaves, "errors": found.errors},
        scale=1.0,
        created="",
        step=0,
        kimg=0.0,
        octaves=3,
        tile=(WIDTH, HEIGHT),
    )
    return PhotoModel(info, photo_tensors({"base_color": color}, found), NOWHERE)


def photo_tensors(maps, found):
    return {**stored_maps(maps), ESTIMATES: found.values}


def config(**chosen):
    return GenerationConfig(**{"model": "stone", "width": WIDTH, "height": HEIGHT} | chosen)


def test_only_the_picture_comes_without_an_estimation(model, color):
    done = model.generate(config(), BITS)
    assert list(done.maps) == ["base_color"] and not done.recipe.estimated
    assert np.abs(done.maps["base_color"] / 255 - color).max() <= 0.5 / 255 + 1e-6


def test_a_level_of_detail_is_the_mean_of_the_picture(model, color):
    small = model.generate(config(width=WIDTH // 4, height=HEIGHT // 4, mip=2)).maps["base_color"]
    means = color.reshape(HEIGHT // 4, 4, WIDTH // 4, 4, 3).mean((1, 3))
    assert np.abs(small - means).max() <= 1.6 / 255


def test_a_multiple_of_the_tile_repeats_it_and_the_origin_rolls_it(model):
    one = model.generate(config(estimation=Estimation()), BITS)
    many = model.generate(config(width=2 * WIDTH, height=3 * HEIGHT, estimation=Estimation()), BITS)
    moved = model.generate(config(origin=(5, -70), estimation=Estimation()), BITS)
    for name, picture in one.maps.items():
        assert np.array_equal(many.maps[name], np.tile(picture, (3, 2, 1)))
        assert np.array_equal(moved.maps[name], np.roll(picture, (70, -5), (0, 1)))
    assert moved.recipe.config.origin == (5, -70)
    assert one.recipe.config.origin == (0, 0)


@pytest.mark.parametrize("mip", [0, 1, 3])
def test_estimated_maps_close_and_are_as_steep_at_every_level(model, mip):
    size = {"width": WIDTH >> mip, "height": HEIGHT >> mip, "mip": mip}
    done = model.generate(config(estimation=Estimation(light=0), **size), BITS)
    assert list(done.maps) == ["base_color", "roughness", "normal", "height", "ambient_occlusion"]
    assert done.maps["height"].dtype == np.uint16 and done.maps["normal"].dtype == np.uint8
    steepest = (done.maps["normal"][..., 0] / 255 * 2 - 1).max()
    expected = {0: 0.447, 1: 0.44, 3: 0.3}[mip]
    assert steepest == pytest.approx(expected, abs=0.05)
    assert set(done.seam_ratios) == set(done.maps)


@pytest.mark.parametrize("mip", [1, 2])
def test_estimated_heights_are_the_same_at_every_level(model, mip):
    whole, small = (
        model.generate(
            config(
                width=WIDTH >> m,
                height=HEIGHT >> m,
                mip=m,
                maps=("height",),
                estimation=Estimation(),
            )
        ).maps["height"]
        for m in (0, mip)
    )
    side = 1 << mip
    means = whole.reshape(HEIGHT // side, side, WIDTH // side, side, 1).mean((1, 3))
    assert np.ptp(whole) > 0.2
    np.testing.assert_allclose(small, means, atol=0.02)


def test_sliders_change_maps_and_not_the_picture_and_make_the_same_again(model):
    flat, plain, deep, inverted = (
        model.generate(config(estimation=Estimation(light=0, **chosen)), BITS)
        for chosen in ({"depth": 0.0}, {}, {"depth": 2.0}, {"invert": True})
    )
    again = model.generate(config(estimation=Estimation(light=0)), BITS)
    spread = [np.ptp(m.maps["normal"][..., 0].astype(int)) for m in (flat, plain, deep)]
    assert spread[0] == 0 < spread[1] < spread[2]
    sides = plain.maps["normal"][..., 0].astype(int) + inverted.maps["normal"][..., 0]
    assert np.abs(sides - 255).max() <= 1
    for name, picture in plain.maps.items():
        assert np.array_equal(again.maps[name], picture)
        if name == "base_color":
            assert np.array_equal(deep.maps[name], picture)


def test_the_recipe_says_what_was_estimated_and_makes_it_again(model):
    chosen = Estimation(surface="metal", metallic=1.0)
    done = model.generate(config(estimation=chosen, seed=7), BITS)
    assert done.recipe.estimated == {
        "roughness": 0.1,
        "metallic": 0.0,
        "normal": 12.0,
        "height": 12.0,
        "ambient_occlusion": 0.1,
    }
    again = model.generate(done.recipe.config, BITS)
    assert all(np.array_equal(again.maps[n], p) for n, p in done.maps.items())


def test_only_maps_that_are_asked_for_are_made(model):
    done = model.generate(config(maps=("normal",), estimation=Estimation()), BITS)
    assert list(done.maps) == ["normal"]


@pytest.mark.parametrize(
    ("width", "height", "mip", "cure"),
    [(100, 64, 0, "96×64"), (96, 32, 0, "96×64"), (400, 200, 0, "384×192"), (96, 60, 1, "96×64")],
)
def test_sizes_that_are_no_multiples_of_the_tile_are_refused(model, width, height, mip, cure):
    with pytest.raises(RequestError, match="multiples of") as caught:
        model.generate(config(width=width, height=height, mip=mip))
    assert caught.value.code == "invalid_size" and cure in caught.value.info.cure


def test_what_needs_styles_or_learning_is_refused(model):
    for chosen in ({"style": Material("oak")}, {"directions": (("pca 1", 1.0),)}, {"mip": 4}):
        with pytest.raises(RequestError) as caught:
            model.generate(config(**chosen))
        assert caught.value.code == "invalid_config"
    with pytest.raises(RequestError, match="learned its material"):
        RepairConfig("stone", "a.png", "b.png").check_for(model.info)
    with pytest.raises(RequestError, match="learned its material"):
        evaluate_model(model, ["nothing.png"], (1, 2), lambda news: None)
    with pytest.raises(Cancelled):
        model.generate(config(), should_stop=lambda: True)


def test_a_small_probe_of_it_can_be_made(model):
    probe = probe_config(config(), model.info)
    assert model.generate(probe).maps["base_color"].shape[:2] == (probe.height, probe.width)


def test_an_open_photo_has_no_seams_to_measure(model, color, found):
    network = {"config": dataclasses.asdict(PhotoConfig(seamless=False))}
    info = dataclasses.replace(model.info, network=network)
    open_model = PhotoModel(info, photo_tensors({"base_color": color}, found), NOWHERE)
    assert not open_model.generate(config()).seam_ratios
    assert not info.tileable


def test_normals_of_a_set_keep_their_length_at_every_level(model, color, found):
    tilted = np.random.default_rng(2).normal(0, 0.4, (HEIGHT, WIDTH, 3)).astype(np.float32)
    tilted[..., 2] = 1
    tilted /= np.linalg.norm(tilted, axis=-1, keepdims=True)
    maps = {"base_color": color, "normal": tilted / 2 + 0.5}
    info = dataclasses.replace(model.info, maps=tuple(maps))
    tensors = photo_tensors(maps, found)
    assert {name: array.shape for name, array in tensors.items()} == photo_shapes(info)
    small = PhotoModel(info, tensors, NOWHERE).generate(
        config(width=WIDTH // 4, height=HEIGHT // 4, mip=2), BITS
    )
    lengths = np.linalg.norm(small.maps["normal"] / 127.5 - 1, axis=-1)
    assert np.abs(lengths - 1).max() < 0.02
