"""Latents are found by gradient, and what a model fills a hole with fits, in all maps and over the border."""

from dataclasses import asdict, replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from memory_peaks import peak_memory

from gan_worker.config import PRESETS, GenerationConfig
from gan_worker.errors import RequestError
from gan_worker.gan.data.statistics import Statistics, measure_statistics
from gan_worker.gan.editing import inpainting, projection
from gan_worker.gan.generation import arrays
from gan_worker.gan.generation import model as generation
from gan_worker.gan.generation.latents import draw_z
from gan_worker.gan.generation.seams import line_steps
from gan_worker.gan.networks.classic import ClassicGenerator
from gan_worker.gan.networks.generator import Generator
from gan_worker.materials.masks import border_band, looks_seamless
from gan_worker.runs import run as runs

NANO = PRESETS["nano"]
MAPS = ("base_color", "normal", "height")


@pytest.fixture(scope="module")
def model(striped, tmp_path_factory):
    """A published model of three maps, with a wave too fast for the latent grid; untrained, but all of it is awake."""
    flat = {"base_color": striped, "height": striped[..., :1]}
    flat["normal"] = striped * [1, 1, 0] * 0.6 + [0.2, 0.2, 0.9]
    statistics = measure_statistics([flat], MAPS)
    keras.utils.set_random_seed(3)
    generator = Generator(NANO, statistics.channels, waves=(0, 1, 0, 0))
    for variable in generator.trainable_variables:
        variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2]) * 0.1)
    info = runs.ModelInfo(
        name="stripes",
        hash="",
        stride=NANO.stride,
        z_dim=NANO.z_dim,
        maps=MAPS,
        preset="nano",
        network={"config": asdict(NANO), "patterns": [[[0.0, 1 / 16]]]},
        statistics=statistics.to_json(),
        scale=1.0,
        created="2030",
        step=1,
        kimg=0.1,
    )
    run = runs.Run.create(tmp_path_factory.mktemp("runs"), "stripes")
    run.save_model(info, arrays.to_arrays({"generator": generator.variables}))
    return generation.load_model(run.path)


@pytest.fixture(scope="module")
def material(model):
    """A seamless material of that model, 80×96, of a seed that no search starts from."""
    config = GenerationConfig("stripes", 77, 96, 80)
    return dict(model.generate(config).maps)


def hole(top, bottom, left, right):
    hidden = np.zeros((80, 96), bool)
    hidden[np.ix_(np.arange(top, bottom) % 80, np.arange(left, right) % 96)] = True
    return hidden


@pytest.fixture(scope="module")
def over_the_border(model, material):
    hidden = hole(-12, 12, -10, 14)
    told = []
    done = inpainting.inpaint(model, material, hidden, True, steps=30, report=told.append)
    return hidden, done, told


def test_a_search_that_is_stopped_has_come_nearer_and_its_latents_give_what_it_says(
    model, material
):
    told = []
    found = inpainting.find_latents(
        model, material, (64, 64), steps=90, report=told.append, should_stop=lambda: len(told) == 25
    )
    assert found.projection.steps == 25 and told[-1].total == 90
    assert found.projection.distance < 0.6 * found.projection.first
    latents = found.projection.latents
    again = model.generator(latents.z, latents.local, list(latents.noise))[0, :64, :64].numpy()
    np.testing.assert_allclose(again, found.projection.channels, atol=1e-4)
    assert found.wanted["base_color"].shape == found.made["base_color"].shape == (64, 64, 3)
    np.testing.assert_allclose(found.wanted["height"], material["height"][8:72, 16:80], atol=0.02)


def test_a_seeds_own_picture_is_found_where_it_lies(model):
    own = model.generate(GenerationConfig("stripes", 3, 96, 80, origin=(24, 16))).maps
    channels = model.statistics.standardise(own)
    counted = np.ones(channels.shape[-1], np.float32)
    target = projection.ProjectionTarget(
        channels, np.ones((80, 96), np.float32), counted, (True, True), channels[None, :0, :0]
    )
    found = projection.project(model, target, seed=1, steps=0)
    assert found.seed == 3
    assert found.distance < 0.05


def test_all_maps_are_filled_and_what_is_known_keeps_its_bits(material, over_the_border):
    hidden, done, told = over_the_border
    assert [news.done for news in told] == list(range(1, 31))
    assert list(done.maps) == list(material)
    for name, picture in done.maps.items():
        assert picture[~hidden].tobytes() == material[name][~hidden].tobytes()
        assert not np.array_equal(picture[hidden], material[name][hidden])
        assert picture.min() >= 0 and picture.max() <= 1


def test_filled_normals_have_unit_length(over_the_border):
    hidden, done, _ = over_the_border
    normals = done.maps["normal"][hidden] * 2 - 1
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-5)
    assert (normals[:, 2] > 0).all()


def steps_within(hidden, picture):
    """Mean step over the vertical border and the rim of a hole that lies over it, along rows."""
    over = hidden != np.roll(hidden, 1, axis=1)
    over[:, 0] |= hidden[:, 0]
    return np.abs(picture - np.roll(picture, 1, axis=1))[over].mean()


def test_a_seamless_picture_stays_seamless(material, over_the_border):
    hidden, done, _ = over_the_border
    for name in ("base_color", "height"):
        before, after = (steps_within(hidden, m[name]) for m in (material, done.maps))
        assert after < 2 * before
    assert looks_seamless(done.maps, np.zeros_like(hidden))


def test_a_hole_at_an_open_border_is_filled_twice_alike(model, material):
    hidden = hole(0, 20, 70, 96)
    once, again = (
        inpainting.inpaint(model, {"height": material["height"]}, hidden, False, steps=2).maps
        for _ in range(2)
    )
    assert list(once) == ["height"]
    assert np.isfinite(once["height"]).all()
    np.testing.assert_array_equal(once["height"], again["height"])


def found_at_once(model, target, *others):
    """A search that is over before it begins, with the opposite of what is wanted."""
    return projection.Projection(None, -target.channels, 1, 0.0, 0.0, 0)


@pytest.mark.parametrize("closed", [True, False])
def test_a_large_material_is_copied_once_however_many_holes_it_has(
    model, material, closed, monkeypatch
):
    monkeypatch.setattr(inpainting, "project", found_at_once)
    large = {name: np.tile(picture, (12, 12, 1)) for name, picture in material.items()}
    hidden = np.zeros((960, 1152), bool)
    for place in (100, 400, 700):
        hidden[place : place + 12, place : place + 12] = True
    done = []
    held = peak_memory(lambda: done.append(inpainting.inpaint(model, large, hidden, closed)))
    assert held < 2 * sum(picture.nbytes for picture in large.values())
    for name, picture in done[0].maps.items():
        np.testing.assert_array_equal(picture[~hidden], large[name][~hidden])
        assert not np.array_equal(picture[hidden], large[name][hidden])


def test_another_scale_than_the_models_gives_the_same_size(model, material):
    hidden = hole(20, 50, 30, 52)
    done = inpainting.inpaint(model, material, hidden, True, scale=0.6, steps=1)
    for name, picture in done.maps.items():
        assert picture.shape == material[name].shape
        np.testing.assert_array_equal(picture[~hidden], material[name][~hidden])


def roughest_border(maps):
    """The step over the border against the largest one inside; the most of all maps and both axes."""
    steps = [s for p in maps.values() for s in line_steps(p)]
    return max(s[0] / s[1:].max() for s in steps)


def test_borders_become_seamless_and_the_inside_stays(model):
    wide = model.generate(GenerationConfig("stripes", 78, 176, 144)).maps
    photo = {name: picture[:96, 5:115] for name, picture in wide.items()}
    done = inpainting.make_tileable(model, photo, steps=10)
    assert roughest_border(photo) > 1.5 > roughest_border(done.maps)
    band = border_band(96, 110, inpainting.band_width(model, None))
    assert 0.2 < band.mean() < 0.9
    for name, picture in done.maps.items():
        np.testing.assert_array_equal(picture[~band], photo[name][~band])


def test_maps_that_the_model_does_not_make_are_refused(model, material):
    with pytest.raises(RequestError, match="not metallic"):
        inpainting.inpaint(model, {"metallic": material["height"]}, hole(1, 9, 1, 9), False)
    with pytest.raises(RequestError, match="marks nothing"):
        inpainting.inpaint(model, material, hole(0, 0, 0, 0), False)


def test_of_several_materials_a_seed_brings_its_own_pattern(model, material):
    network = {"config": asdict(NANO), "patterns": [[], [[0.0, 1 / 16]]]}
    info = replace(model.info, network=network, styles=("plain", "striped"))
    seeds = {
        name: model.generator.style(draw_z(n, NANO)[None])[0].numpy()
        for n, name in enumerate(info.styles, 90)
    }
    several = generation.Model(info, model.generator, seeds)
    kin = [int(several.seed_pattern(seed).argmax()) for seed in range(1, 40)]
    assert {0, 1} == set(kin)
    for wanted in (0, 1):
        found = inpainting.find_latents(
            several, material, (32, 32), seed=1 + kin.index(wanted), steps=0
        )
        fine = found.projection.latents.noise[0]
        assert fine.shape[-1] == 1 + 2
        striped = bool(several.seed_pattern(found.projection.seed).argmax())
        assert bool(fine[..., 1:].any()) == striped


def test_a_model_without_styles_is_refused(model, material):
    classic = PRESETS["classic"]
    info = replace(model.info, network={"config": asdict(classic), "waves": []}, maps=("height",))
    info = replace(
        info, statistics=Statistics({"height": model.statistics.maps["height"]}).to_json()
    )
    plain = generation.Model(info, ClassicGenerator(classic))
    with pytest.raises(RequestError, match="classic") as refused:
        inpainting.inpaint(plain, {"height": material["height"]}, hole(1, 9, 1, 9), False)
    assert refused.value.code == "invalid_config"
