"""Several materials in one run: each learned under its name, one alone as if there were no names."""

import dataclasses
import shutil

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.config import PRESETS, GenerationConfig, TrainingConfig
from gan_worker.errors import RequestError, StorageError
from gan_worker.gan.generation.model import load_model
from gan_worker.gan.networks.discriminator import Discriminator
from gan_worker.gan.training import loop, pipelines
from gan_worker.gan.training.materials import NOBODY, STRAY, Conditioning
from gan_worker.materials import pictures
from gan_worker.progress import LiveModel
from gan_worker.runs.run import Run, load_model_files, open_model
from gan_worker.style import Material, Seed


def train(config, run, steps=10**9):
    left = iter(range(steps))
    reports = []

    def should_stop():
        # It is asked between sets that are read, too.
        began = any(isinstance(report, LiveModel) for report in reports)
        return began and next(left, None) is None

    loop.train(config, run, reports.append, should_stop)
    return reports


@pytest.fixture(scope="module")
def folder(striped, tmp_path_factory):
    """Two materials: warm rows, too fast for the latent grid, and cold columns of 24 pixels, which are a pattern."""
    folder = tmp_path_factory.mktemp("family")
    pictures.write_picture(folder / "warm.png", striped)
    columns = 0.5 + 0.4 * np.sign(np.sin(2 * np.pi * np.arange(120) / 24))[None, :, None]
    cold = np.tile(columns * [0.4, 0.6, 0.9], (120, 1, 1)).astype(np.float32)
    pictures.write_picture(folder / "cold.png", cold)
    return folder


@pytest.fixture(scope="module")
def config(folder):
    return TrainingConfig(
        run="two",
        pictures=(str(folder),),
        preset="nano",
        minutes=None,
        kimg=0.024,
        scale=1.0,
        octaves=0,
    )


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    run = Run.create(tmp_path_factory.mktemp("runs"), "two")
    train(config, run)
    return run


@pytest.fixture(scope="module")
def stopped(config, tmp_path_factory):
    """A run that was stopped after three of its six steps, and what it reported."""
    run = Run.create(tmp_path_factory.mktemp("stopped"), "two")
    return run, train(config, run, steps=3)


@pytest.fixture
def halfway(stopped, tmp_path):
    """A copy of the stopped run."""
    return Run(shutil.copytree(stopped[0].path, tmp_path / "halfway" / "two"))


class TestLatents:
    def test_most_of_a_batch_has_the_latents_of_what_it_is_paired_with(self):
        conditioning = Conditioning(3, 16, seed=5)
        labels = conditioning.label(tf.constant([2, 0, 1, 1]))
        assert labels.numpy().tolist() == [2, 0, 1, NOBODY]
        free = tf.random.stateless_normal((4, 16), [1, 2])
        z = conditioning.assign_latents(free, labels, tf.constant([3, 0]))
        np.testing.assert_array_equal(z[3:], free[3:])
        stray = (z[:3] - tf.gather(conditioning.latents, [2, 0, 1])).numpy()
        assert 0.5 * STRAY < stray.std() < 1.5 * STRAY

    def test_they_depend_on_the_seed_alone(self):
        one, same, other = (Conditioning(2, 16, seed).latents.numpy() for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, same)
        assert np.abs(one - other).min() > 0


class TestDiscriminator:
    def test_it_is_told_the_material_where_there_is_one(self):
        network = PRESETS["nano"]
        discriminator = Discriminator(network, 3, materials=2)
        crops = tf.random.stateless_normal((3, 32, 32, 3), [1, 2])
        plain = discriminator(crops)
        discriminator.embedding.assign(tf.random.stateless_normal((2, 32), [3, 4]))
        told = discriminator(crops, labels=tf.constant([0, 1, NOBODY]))
        changed = np.abs(told - plain).max(axis=(1, 2))
        assert changed[0] > 1e-3
        assert changed[1] > 1e-3
        assert changed[2] == 0


def test_each_material_is_called_up_by_its_name(trained):
    model = load_model(open_model(trained.path.parent, "two"))
    assert model.info.styles == ("cold", "warm")
    columns, rows = model.patterns
    (wave,) = columns.waves
    assert wave == pytest.approx((1 / 24, 0), abs=2e-3)
    assert columns.grain == "down"
    (fine,) = rows.waves
    assert fine == pytest.approx((0, 1 / 16), abs=2e-3)
    wanted = GenerationConfig("two", width=64, height=64, origin=(0, 0))
    cold, warm, mixed = (
        model.generate(dataclasses.replace(wanted, **style)).maps["base_color"]
        for style in (
            {"style": Material("cold")},
            {"style": Material("warm")},
            {"style": ((Material("cold"), 1.0), (Seed(3), 1.0))},
        )
    )
    assert np.abs(cold - warm).max() > 1e-4
    assert np.abs(cold - mixed).max() > 1e-4


def test_the_model_in_training_knows_them_as_the_stored_one_does(stopped):
    run, reports = stopped
    (live,) = (r.model for r in reports if isinstance(r, loop.LiveModel))
    stored = load_model(run.path)
    wanted = GenerationConfig("two", width=64, height=64, origin=(0, 0), style=Material("warm"))
    np.testing.assert_array_equal(
        live.generate(wanted).maps["base_color"], stored.generate(wanted).maps["base_color"]
    )


def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(config, trained, halfway):
    assert halfway.load_checkpoint()[1]["step"] == 3
    train(dataclasses.replace(config, resume=True), halfway)
    expected, received = trained.load_checkpoint()[0], halfway.load_checkpoint()[0]
    assert expected.keys() == received.keys()
    assert "materials/000" in expected
    for name in expected:
        np.testing.assert_array_equal(received[name], expected[name], err_msg=name)


def test_a_run_keeps_its_materials(config, folder, halfway, striped, tmp_path):
    pictures.write_picture(tmp_path / "third.png", striped)
    more = dataclasses.replace(
        config, resume=True, pictures=(str(folder), str(tmp_path / "third.png"))
    )
    with pytest.raises(RequestError, match=r"had 2, received 3.*third") as caught:
        train(more, halfway)
    assert caught.value.code == "invalid_config"
    assert halfway.load_config() == config


def test_a_single_material_is_trained_without_names(folder, config, tmp_path):
    run = Run.create(tmp_path, "one")
    train(dataclasses.replace(config, pictures=(str(folder / "warm.png"),)), run, steps=1)
    assert not any(name.startswith("materials/") for name in run.load_checkpoint()[0])
    assert load_model(run.path).info.styles == ()


@pytest.mark.parametrize(
    "network", [{}, {"config": {}, "waves": []}, {"config": {"crop": "x"}, "waves": 3}]
)
def test_a_model_that_describes_no_network_is_refused(trained, network, tmp_path):
    info, tensors = load_model_files(trained.path)
    run = Run.create(tmp_path, "odd")
    run.save_model(dataclasses.replace(info, network=network), tensors)
    with pytest.raises(StorageError, match="describes no network") as caught:
        load_model(run.path)
    assert caught.value.code == "checkpoint_corrupt"


def test_a_run_of_a_version_without_tones_goes_on_without_them(config, tmp_path, monkeypatch):
    run = Run.create(tmp_path, "two")
    with monkeypatch.context() as earlier:
        earlier.setattr(pipelines, "replace", lambda network, toned: network)
        train(config, run, steps=3)
    train(dataclasses.replace(config, resume=True), run)
    info, tensors = load_model_files(run.path)
    assert info.format == 1
    assert "toned" not in info.network["config"]
    assert not any("tone" in name for name in tensors)
    assert load_model(run.path).info.step == 6


def test_names_call_up_the_right_colors_from_the_first_step(trained):
    model = load_model(trained.path)
    assert model.info.format == 4
    red_over_blue = []
    for name in ("warm", "cold"):
        wanted = GenerationConfig("two", width=128, height=128, style=Material(name))
        made = model.generate(wanted).maps["base_color"].mean(axis=(0, 1))
        red_over_blue.append(made[0] - made[2])
    assert red_over_blue[0] > 0.1
    assert red_over_blue[1] < -0.1
