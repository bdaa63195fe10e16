"""Weights to start from: they mean the same in other networks, bring looks together, and are told of."""

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.config import PRESETS, DetailConfig, TrainingConfig
from gan_worker.errors import StorageError
from gan_worker.gan.data.dataset import Dataset
from gan_worker.gan.data.statistics import MapStatistics, Statistics, measure_statistics
from gan_worker.gan.data.waves import Pattern
from gan_worker.gan.networks.discriminator import Discriminator
from gan_worker.gan.networks.generator import Generator
from gan_worker.gan.networks.upsampler import Upsampler
from gan_worker.gan.training import loop
from gan_worker.gan.training.pretrained import SPREAD, Pretrained, bring_together, to_arrays
from gan_worker.gan.training.step import Hyperparameters, TrainingStep
from gan_worker.materials import pictures
from gan_worker.runs.checkpoints import format_tensors
from gan_worker.runs.provenance import read_provenance
from gan_worker.runs.run import Run

NANO = PRESETS["nano"]
DETAIL = DetailConfig(width=12, discriminator_channels=(6, 8))


def statistics(**counts):
    """Of maps with so many channels each."""
    return Statistics(
        {
            name: MapStatistics((0.0,) * n, tuple(map(tuple, np.eye(n))), (1.0,) * n)
            for name, n in counts.items()
        }
    )


KNOWN = statistics(base_color=3, height=1, roughness=1)


@pytest.fixture(scope="module")
def networks():
    """Of five channels, told of two materials, with weights that differ everywhere from what networks begin with."""
    tf.keras.utils.set_random_seed(5)
    generator, discriminator = Generator(NANO, 5), Discriminator(NANO, 5, materials=2)
    for variable in (*generator.variables, *discriminator.variables):
        noise = tf.random.stateless_normal(variable.shape, (1, 2), stddev=0.02)
        # As they are stored, so that what is read can be compared exactly.
        variable.assign(tf.cast(tf.cast(variable + noise, tf.float16), tf.float32))
    return generator, discriminator


@pytest.fixture(scope="module")
def weights(networks, tmp_path_factory):
    latents = np.random.default_rng(2).standard_normal((2, NANO.z_dim)).astype(np.float32)
    file = tmp_path_factory.mktemp("weights") / "nano.safetensors"
    file.write_bytes(format_tensors(to_arrays(*networks, KNOWN, latents)))
    return Pretrained(file)


def inputs(waves=0, batch=2):
    rng = np.random.default_rng(3)
    z = rng.standard_normal((batch, NANO.z_dim))
    local = rng.standard_normal((batch, 6, 6, NANO.local_channels + 2 * waves))
    noise = [rng.standard_normal((batch, 6 * 2**i, 6 * 2**i, 1)) for i in range(1, NANO.levels)]
    return [x.astype(np.float32) for x in (z, local)], [n.astype(np.float32) for n in noise]


def test_a_generator_makes_the_channels_it_shares_as_the_one_that_lent(weights, networks):
    borrower = Generator(NANO, 3)
    own = borrower.exit.kernel.numpy()[..., 1]
    weights.lend([borrower], Discriminator(NANO, 3), statistics(height=1, metallic=1, roughness=1))
    (z, local), noise = inputs()
    made, lent = borrower(z, local, noise), networks[0](z, local, noise)
    np.testing.assert_allclose(made[..., 0], lent[..., 3], atol=1e-5)
    np.testing.assert_allclose(made[..., 2], lent[..., 4], atol=1e-5)
    assert np.array_equal(borrower.exit.kernel.numpy()[..., 1], own)


def test_waves_of_a_material_keep_their_own_weights(weights, networks):
    borrower = Generator(NANO, 5, waves=(2, 0, 3, 0))
    own = borrower.entry.kernel.numpy()[:, :, NANO.local_channels :]
    weights.lend([borrower], Discriminator(NANO, 5), KNOWN)
    assert np.array_equal(borrower.entry.kernel.numpy()[:, :, NANO.local_channels :], own)
    (z, local), noise = inputs(waves=2)
    local[..., NANO.local_channels :] = 0
    lent = networks[0](z, local[..., : NANO.local_channels], noise)
    fine = np.random.default_rng(4).standard_normal((*noise[1].shape[:3], 6), np.float32)
    noise[1] = np.concatenate([noise[1], fine], axis=-1)
    mixture = borrower.grain[1].mixture
    assert np.abs(borrower(z, local, noise) - lent).max() > 1e-2
    mixture.assign(tf.zeros_like(mixture))
    np.testing.assert_allclose(borrower(z, local, noise), lent, atol=1e-5)


def test_a_discriminator_of_the_same_channels_judges_the_same(weights, networks):
    borrower = Discriminator(NANO, 5, materials=3)
    weights.lend([Generator(NANO, 5)], borrower, KNOWN)
    crops = tf.random.stateless_normal((2, 32, 32, 5), (4, 4))
    np.testing.assert_allclose(borrower(crops), networks[1](crops), atol=1e-5)
    assert not np.any(borrower.embedding.numpy())


def test_fewer_channels_are_as_strong_together_as_all_were(weights, networks):
    borrower = Discriminator(NANO, 2)
    weights.lend([Generator(NANO, 2)], borrower, statistics(roughness=1, height=1))
    kernel, stored = borrower.entry.kernel.numpy(), networks[1].entry.kernel.numpy()
    ratio = kernel / stored[:, :, [4, 3]]
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-4)
    assert np.square(kernel).sum() == pytest.approx(np.square(stored).sum(), rel=1e-4)


def test_maps_that_the_weights_do_not_know_keep_their_own(weights, networks):
    own, lent = Discriminator(NANO, 7), networks[1].entry.kernel.numpy()
    generator = Generator(NANO, 7)
    exit_kernel = generator.exit.kernel.numpy()
    entry_kernel = own.entry.kernel.numpy()
    weights.lend([generator], own, statistics(base_color=3, opacity=1, emission=3))
    assert np.array_equal(generator.exit.kernel.numpy()[..., 3:], exit_kernel[..., 3:])
    assert np.array_equal(own.entry.kernel.numpy()[:, :, 3:], entry_kernel[:, :, 3:])
    shared = networks[0].exit.kernel.numpy()[..., :3]
    np.testing.assert_allclose(generator.exit.kernel.numpy()[..., :3], shared, atol=1e-6)
    ratio = own.entry.kernel.numpy()[:, :, :3] / lent[:, :, :3]
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-4)


@pytest.fixture(scope="module")
def detail():
    """Of a detail stage of five channels and four octaves, which differ everywhere from what networks begin with."""
    tf.keras.utils.set_random_seed(6)
    networks = Upsampler(DETAIL, 5, 4, NANO.w_dim), Discriminator(DETAIL, 10, materials=4)
    for variable in (v for network in networks for v in network.variables):
        noise = tf.random.stateless_normal(variable.shape, (1, 2), stddev=0.02)
        variable.assign(tf.cast(tf.cast(variable + noise, tf.float16), tf.float32))
    return networks


@pytest.fixture(scope="module")
def with_detail(networks, detail, tmp_path_factory):
    latents = np.zeros((2, NANO.z_dim), np.float32)
    file = tmp_path_factory.mktemp("weights") / "nano.safetensors"
    file.write_bytes(format_tensors(to_arrays(*networks, KNOWN, latents, detail)))
    return Pretrained(file)


def drawn(upsampler, octave, low, moved):
    w, noise = tf.random.stateless_normal((1, NANO.w_dim), (1, 1)), tf.ones((1, 16, 16, 1))
    return upsampler(w, tf.constant([octave]), low, moved, noise, tf.ones(1)).numpy()


def small_and_moved(channels):
    shapes = ((1, 8, 8, channels), (1, 16, 16, channels))
    return [tf.random.stateless_normal(shape, (2, 2)) for shape in shapes]


@pytest.mark.parametrize(("octave", "lent"), [(2, 0), (0, 2)])
def test_the_finest_octave_is_drawn_as_the_finest_one_that_was_lent(
    with_detail, detail, octave, lent
):
    borrower = Upsampler(DETAIL, 5, 3, NANO.w_dim)
    with_detail.lend_detail([borrower], Discriminator(DETAIL, 10, 3), KNOWN)
    inputs = small_and_moved(5)
    np.testing.assert_allclose(
        drawn(borrower, octave, *inputs), drawn(detail[0], lent, *inputs), atol=1e-5
    )


def test_a_detail_stage_of_fewer_maps_draws_them_as_if_the_others_were_flat(with_detail, detail):
    borrower = Upsampler(DETAIL, 2, 4, NANO.w_dim)
    maps = statistics(roughness=1, height=1)
    with_detail.lend_detail([borrower], Discriminator(DETAIL, 4, 4), maps)
    low, moved = small_and_moved(2)

    def among_all(x):
        flat = tf.zeros_like(x[..., :1])
        return tf.concat([flat, flat, flat, x[..., 1:], x[..., :1]], -1)

    lent = drawn(detail[0], 3, among_all(low), among_all(moved))
    np.testing.assert_allclose(drawn(borrower, 0, low, moved), lent[..., [4, 3]], atol=1e-5)


@pytest.mark.parametrize(("octaves", "label", "lent"), [(0, None, 0), (2, 1, 0), (2, 0, 1)])
def test_detail_is_judged_as_the_one_that_lent_judges_it(with_detail, detail, octaves, label, lent):
    borrower = Discriminator(DETAIL, 10, octaves)
    with_detail.lend_detail([], borrower, KNOWN)
    crops = tf.random.stateless_normal((2, 32, 32, 10), (4, 4))
    labels = None if label is None else tf.constant([label] * 2)
    expected = detail[1](crops, labels=tf.constant([lent] * 2))
    np.testing.assert_allclose(borrower(crops, labels=labels), expected, atol=1e-5)


def test_weights_without_detail_leave_a_detail_stage_as_it_is(weights):
    borrower = Upsampler(DETAIL, 5, 3, NANO.w_dim)
    weights.lend_detail([borrower], Discriminator(DETAIL, 10, 3), KNOWN)
    assert not np.any(borrower.exit.kernel.numpy())


def test_looks_come_together_around_one_that_stays(networks):
    generator = Generator(NANO, 5)
    for own, other in zip(generator.variables, networks[0].variables, strict=True):
        own.assign(other)
    (z, local), noise = inputs()
    before = generator(z, local, noise).numpy()
    norms = [*(block.norm for level in generator.levels for block in level), generator.exit_norm]
    styles = [norm.affine(generator.style(z)).numpy() for norm in norms]
    bring_together(generator, tf.constant(z[0]))
    after = generator(z, local, noise).numpy()
    np.testing.assert_allclose(after[0], before[0], atol=1e-4)
    assert not np.allclose(after[1], before[1], atol=1e-3)
    for norm, own in zip(norms, styles, strict=True):
        moved = norm.affine(generator.style(z)).numpy()
        np.testing.assert_allclose(moved[1] - moved[0], SPREAD * (own[1] - own[0]), atol=1e-5)


def test_a_training_starts_nearer_to_its_picture(striped):
    """With the weights that come with the program, which know nothing of these stripes."""
    known = Pretrained.of_preset("tiny")
    assert known
    material = {"base_color": striped}
    dataset = Dataset([material], measure_statistics([material], ["base_color"]))
    update = TrainingStep(PRESETS["tiny"], dataset, (Pattern(),), 0, Hyperparameters())
    from_noise = update.unlikeness(known.latents).min()
    update.start_from(known)
    assert update.unlikeness(known.latents).max() < 0.8 * from_noise
    both = zip(update.generator.variables, update.ema_generator.variables, strict=True)
    assert all(np.array_equal(a, b) for a, b in both)


def test_each_of_several_materials_starts_as_what_is_most_like_it(striped):
    known = Pretrained.of_preset("tiny")
    assert known
    noise = np.random.default_rng(0).random(striped.shape, np.float32)
    materials = [{"base_color": picture} for picture in (striped, noise)]
    dataset = Dataset(materials, measure_statistics(materials, ["base_color"]))
    update = TrainingStep(PRESETS["tiny"], dataset, (Pattern(),) * 2, 0, Hyperparameters())
    own = update.conditioning.latents.numpy()
    update.start_from(known)
    unlikeness = update.unlikeness(known.latents)
    assert unlikeness.shape == (2, len(known.latents))
    nearest = unlikeness.argmin(axis=1)
    assert nearest[0] != nearest[1]
    expected = known.latents.numpy()[nearest] + SPREAD * own
    np.testing.assert_allclose(update.conditioning.latents.numpy(), expected, atol=1e-5)


def test_there_are_none_for_the_smallest_preset():
    assert Pretrained.of_preset("nano") is None


def test_a_damaged_file_is_told(tmp_path):
    file = tmp_path / "tiny.safetensors"
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(
        StorageError, match=r"tiny\.safetensors holds no tensors.* Install Tilewright again"
    ):
        Pretrained(file)


def test_provenance_names_the_weights_a_training_started_from(
    weights, striped, tmp_path, monkeypatch
):
    pictures.write_picture(tmp_path / "stripes.png", striped)
    config = TrainingConfig("run", (str(tmp_path / "stripes.png"),), "nano", kimg=0.008, scale=1.0)
    monkeypatch.setattr(Pretrained, "of_preset", classmethod(lambda cls, preset: weights))
    run = Run.create(tmp_path / "runs", "run")
    # Stopped before their first step: what is told is known by then.
    loop.train(config, run, lambda report: None, lambda: True)
    again = TrainingConfig(**{**vars(config), "kimg": 0.016, "resume": True})
    loop.train(again, run, lambda report: None, lambda: True)
    first, second = read_provenance(run.path).sessions
    assert first.settings["pretrained"] == weights.hash
    # It went on with its own.
    assert "pretrained" not in second.settings
