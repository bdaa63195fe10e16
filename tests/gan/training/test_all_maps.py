"""A training learns every map that its set has, and what it makes is told apart by name."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.gan.data.statistics import measure_statistics
from gan_worker.gan.generation.model import load_model
from gan_worker.gan.training import loop
from gan_worker.materials.files import Format, file_bits, save_material
from gan_worker.materials.maps import MAPS, Kind
from gan_worker.materials.pictures import write_picture
from gan_worker.materials.sets import find_materials, read_material
from gan_worker.progress import DataReport
from gan_worker.runs.run import Run, open_model


def draw(number: int) -> np.ndarray:
    """A map of 96×96 that no other number gives: bars of a width and brightness of its own, with grain."""
    kind = list(MAPS.values())[number]
    rows, columns = np.mgrid[0:96, 0:96]
    bars = ((rows + number * columns) % (12 + 2 * number) < 6)[..., None] * 0.5
    grain = np.random.default_rng(number).normal(0, 0.05, (96, 96, kind.channels))
    picture = np.clip(0.1 + 0.04 * number + bars + grain, 0, 1)
    if kind.kind is Kind.direction:
        picture[..., 2] = 1
    return picture.astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("set")
    for number, kind in enumerate(MAPS.values()):
        write_picture(made / f"grate_{kind.file_word}.png", draw(number), kind.bits)
    return made


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """The model of two steps, and what was told of its pictures."""
    run = Run.create(tmp_path_factory.mktemp("runs"), "grate")
    told = []
    config = TrainingConfig("grate", (str(folder),), "nano", None, 0.008, 1.0)
    loop.train(config, run, told.append, lambda: False)
    model = load_model(open_model(run.path.parent, "grate"))
    return model, next(report for report in told if isinstance(report, DataReport))


def test_all_of_them_are_learned(trained):
    model, report = trained
    assert report.maps == model.info.maps == tuple(MAPS)
    assert all(statistics.axes for statistics in model.statistics.maps.values())
    credits = model.info.credits
    assert (credits.materials, credits.pictures) == (1, len(MAPS)), "a set, not so many photos"


def test_what_is_made_has_the_channels_of_its_name_whatever_is_asked_for(trained):
    model, _ = trained
    whole = model.generate(GenerationConfig("grate", 1, 64, 64)).maps
    assert {n: p.shape for n, p in whole.items()} == {
        n: (64, 64, kind.channels) for n, kind in MAPS.items()
    }
    few = model.generate(GenerationConfig("grate", 1, 64, 64, ("emission", "opacity"))).maps
    assert set(few) == {"emission", "opacity"}
    for name, picture in few.items():
        assert np.array_equal(picture, whole[name])


def test_files_of_what_was_made_are_read_as_the_same_maps(trained, tmp_path):
    model, _ = trained
    made = model.generate(GenerationConfig("grate", 1, 32, 32), file_bits(None, Format.png))
    save_material(made, tmp_path, Format.png)
    (found,) = find_materials([tmp_path])[0]
    read = read_material(found)
    assert list(read) == list(MAPS)
    for name, picture in made.maps.items():
        most = np.iinfo(picture.dtype).max
        np.testing.assert_allclose(read[name], picture / most, atol=0.51 / most)


def test_what_the_networks_see_of_each_map_goes_back_to_it(folder):
    material = read_material(find_materials([folder])[0][0])
    statistics = measure_statistics([material], list(MAPS))
    back = statistics.restore(tf.constant(statistics.standardise(material), tf.float32))
    for name in set(MAPS) - {"normal"}:
        np.testing.assert_allclose(back[name].numpy(), material[name], atol=2e-3, err_msg=name)


def test_a_set_that_is_whole_and_dark_gives_just_that(folder, tmp_path):
    """Opacity and emission of one value are no channels, and come out as that value."""
    material = read_material(find_materials([folder])[0][0])
    even = {
        "base_color": material["base_color"],
        "opacity": np.ones((96, 96, 1), np.float32),
        "emission": np.zeros((96, 96, 3), np.float32),
    }
    statistics = measure_statistics([even], list(even))
    assert statistics.channels == 3
    back = statistics.restore(tf.zeros((4, 4, 3)))
    assert np.all(back["opacity"] == 1)
    assert not np.any(back["emission"])
