"""The plain dense GAN: small grey pictures in, a sheet of them out, and nothing it cannot do is promised."""

import dataclasses
import weakref

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.config import PRESETS, GenerationConfig, TrainingConfig
from gan_worker.errors import PictureError, RequestError
from gan_worker.gan.generation import model as generation
from gan_worker.gan.training import classic, loop
from gan_worker.materials import pictures
from gan_worker.runs.run import Run, open_model
from gan_worker.style import Latent, Material

SIDE = PRESETS["classic"].side


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sixteen pictures, each with a bright cross or a bright ring on black, none of them square."""
    folder = tmp_path_factory.mktemp("signs")
    rows, columns = np.mgrid[:40, :48] - np.array([20.0, 24.0])[:, None, None]
    generator = np.random.default_rng(0)
    for number in range(16):
        wide = generator.uniform(2, 4)
        distance = np.hypot(rows, columns)
        ring = np.abs(distance - 12) < wide
        cross = ((np.abs(rows) < wide) | (np.abs(columns) < wide)) & (distance < 16)
        sign = (ring if number % 2 else cross).astype(np.float32)
        pictures.write_picture(
            folder / f"sign_{number:02d}.png", np.repeat(sign[..., None], 3, axis=-1)
        )
    return folder


@pytest.fixture(scope="module")
def config(folder):
    return TrainingConfig(
        run="signs", pictures=(str(folder),), preset="classic", minutes=None, kimg=76.8
    )


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    run = Run.create(tmp_path_factory.mktemp("classic"), "signs")
    loop.train(config, run, lambda report: None, lambda: False)
    return run


@pytest.fixture(scope="module")
def model(trained):
    return generation.load_model(open_model(trained.path.parent, "signs"))


def cells(material):
    """The pictures of a sheet, (pictures, SIDE, SIDE)."""
    sheet = material.maps["base_color"][..., 0]
    rows, columns = (n // SIDE for n in sheet.shape)
    grid = sheet.reshape(rows, SIDE, columns, SIDE).transpose(0, 2, 1, 3)
    return grid.reshape(-1, SIDE, SIDE)


def test_each_picture_is_told_while_they_are_read(folder):
    told = []
    count = len(classic.read_small_pictures([str(folder)], SIDE, told.append).materials)
    assert told == [f"reading set {number + 1} of {count}" for number in range(count)]


def test_every_picture_it_makes_looks_like_a_real_one(model, folder):
    real = classic.read_small_pictures([str(folder)], SIDE)
    known = np.stack([m["base_color"].mean(axis=-1).ravel() for m in real.materials])
    made = cells(model.generate(GenerationConfig("signs", 1, 8 * SIDE, 8 * SIDE))).reshape(64, -1)
    alike = np.corrcoef(made, known)[:64, 64:].max(axis=1)
    mixed = np.corrcoef(known.mean(axis=0), known)[0, 1:].max()

    assert np.median(alike) > 0.8
    assert np.median(alike) > mixed, (
        "their mean is like all of them a little, and no picture at all"
    )


def test_a_sheet_shows_whole_pictures_in_grey_and_claims_no_seam(model):
    material = model.generate(GenerationConfig("signs", 3, 2 * SIDE, 4 * SIDE))
    maps = material.maps["base_color"]

    assert maps.shape == (4 * SIDE, 2 * SIDE, 3)
    assert np.array_equal(maps[..., 0], maps[..., 2])
    assert material.seam_ratios == {}
    assert material.recipe.config.origin == (0, 0)
    assert np.allclose(cells(material)[:, 0].mean(), 0, atol=0.1), "borders of pictures are black"


def test_psi_zero_makes_every_picture_the_same(model):
    made = cells(model.generate(GenerationConfig("signs", 1, 56, 56, truncation_psi=0.0)))

    assert np.allclose(made, made[:1], atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"style": Latent((0.0,) * 16)},
        {"style": Material("sign_01")},
        {"directions": (("pca 1", 1.0),)},
    ],
)
def test_what_needs_a_style_is_refused(model, changes):
    with pytest.raises(RequestError) as caught:
        model.generate(dataclasses.replace(GenerationConfig("signs", 1, SIDE, SIDE), **changes))
    assert caught.value.code == "invalid_config"
    assert "classic" in str(caught.value)


def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(config, trained, tmp_path):
    run = Run.create(tmp_path / "runs", "signs")

    half = dataclasses.replace(config, kimg=config.kimg / 2)
    loop.train(half, run, lambda report: None, lambda: False)
    loop.train(dataclasses.replace(config, resume=True), run, lambda report: None, lambda: False)
    whole, whole_state, _ = trained.load_checkpoint()
    resumed, state, _ = run.load_checkpoint()

    assert state["step"] == whole_state["step"]
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_no_picture_is_held_at_its_full_size(folder, monkeypatch):
    read, held = classic.read_material, []

    def watched(material_set):
        assert not any(picture() is not None for picture in held), "an earlier one is still there"
        maps = read(material_set)
        held.append(weakref.ref(maps["base_color"]))
        return maps

    monkeypatch.setattr(classic, "read_material", watched)
    learned = classic.read_small_pictures([str(folder)], SIDE)

    assert len(held) == len(learned.materials) == 16
    assert "16 of them are not square; their middle is learned." in learned.report.notes


def test_one_picture_is_not_enough(folder, tmp_path):
    one = sorted(folder.iterdir())[0]
    with pytest.raises(PictureError, match="many pictures"):
        classic.read_small_pictures([str(one)], SIDE)


def test_pictures_of_one_flat_color_are_refused(tmp_path):
    for number in range(3):
        pictures.write_picture(
            tmp_path / f"flat{number}.png", np.full((30, 30, 3), number / 4, np.float32)
        )
    with pytest.raises(PictureError, match="flat color"):
        classic.read_small_pictures([str(tmp_path)], SIDE)


def test_a_scale_is_refused(config, tmp_path):
    with pytest.raises(RequestError, match="no scale"):
        dataclasses.replace(config, scale=0.5).check()


def test_losses_of_a_discriminator_that_knows_nothing():
    nothing = tf.zeros((5, 1))
    d_loss, g_loss = classic.classic_losses(nothing, nothing, real_label=0.9)

    assert float(d_loss) == pytest.approx(2 * np.log(2))
    assert float(g_loss) == pytest.approx(np.log(2))


def test_a_sure_discriminator_still_teaches_the_generator():
    fake = tf.constant([[-20.0]])
    with tf.GradientTape() as tape:
        tape.watch(fake)
        _, g_loss = classic.classic_losses(tf.constant([[20.0]]), fake, real_label=1.0)

    assert float(tape.gradient(g_loss, fake)[0, 0]) == pytest.approx(-1, abs=1e-3)
