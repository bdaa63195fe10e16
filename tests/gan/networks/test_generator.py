"""The generator is circular, follows its latents, and does not depend on its neighbours in a batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_worker.config import PRESETS
from gan_worker.gan.data.dataset import Dataset
from gan_worker.gan.data.statistics import measure_statistics
from gan_worker.gan.data.waves import Pattern, level_of, snapped_turns, wave_fields, waves_of_levels
from gan_worker.gan.generation.latents import draw_latents
from gan_worker.gan.generation.seams import line_steps
from gan_worker.gan.networks.generator import Generator
from gan_worker.gan.training.step import Hyperparameters, TrainingStep

NANO = PRESETS["nano"]
WAVES = Pattern(((1 / 24, 0.0),))
WEAVE = Pattern(((1 / 15, 1 / 15), (1 / 15, -1 / 15), (0.0, 2 / 15)))
PATTERNS = WAVES, WEAVE
BOTH = np.array([0.5, 0.5])


@pytest.fixture(scope="module")
def generator():
    keras.utils.set_random_seed(3)
    generator = Generator(NANO, channels=4, waves=waves_of_levels(PATTERNS, NANO))
    # Residual branches start silent; wake them, so that every convolution takes part.
    for variable in generator.trainable_variables:
        variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2]) * 0.1)
    return generator


def picture(generator, latents):
    return generator(latents.z, latents.local, list(latents.noise)).numpy()


@pytest.mark.parametrize(("rows", "columns"), [(1, 0), (0, 1), (3, -2)])
def test_shifting_the_latent_grid_by_a_cell_shifts_the_picture_exactly(generator, rows, columns):
    latents = draw_latents(5, 6, 9, NANO, PATTERNS, shares=BOTH)
    shifted = picture(generator, latents.rolled(rows, columns))
    stride = NANO.stride
    expected = np.roll(picture(generator, latents), (rows * stride, columns * stride), (1, 2))
    np.testing.assert_allclose(shifted, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_any_grid_gives_its_size(generator):
    assert picture(generator, draw_latents(1, 3, 7, NANO, PATTERNS)).shape == (1, 24, 56, 4)


def test_wrap_is_like_the_inside(generator):
    shown = picture(generator, draw_latents(5, 12, 12, NANO, PATTERNS, shares=BOTH))[0]
    for steps in map(np.asarray, line_steps(shown)):
        # Lines of the same phase on the lattice are alike; the wrap is one of them.
        same_phase = steps[NANO.stride :: NANO.stride]
        assert same_phase.min() * 0.5 < steps[0] < same_phase.max() * 1.5


def test_neighbours_in_a_batch_do_not_matter(generator):
    one, other = (draw_latents(seed, 4, 4, NANO, PATTERNS) for seed in (1, 2))
    both = generator(
        np.concatenate([one.z, other.z]),
        np.concatenate([one.local, other.local]),
        [np.concatenate(pair) for pair in zip(one.noise, other.noise, strict=True)],
    ).numpy()
    np.testing.assert_allclose(both[:1], picture(generator, one), rtol=0, atol=1e-5)
    assert np.abs(both[0] - both[1]).mean() > 1e-2


def test_style_changes_the_picture(generator):
    seeded = draw_latents(1, 4, 4, NANO, PATTERNS)
    styled = draw_latents(1, 4, 4, NANO, PATTERNS, z=np.ones(NANO.z_dim))
    np.testing.assert_array_equal(seeded.local, styled.local)
    assert np.abs(picture(generator, seeded) - picture(generator, styled)).mean() > 1e-3


def test_half_of_the_channels_run_along_the_grain():
    down, across = Pattern(grain="down"), Pattern(grain="across")
    plain = draw_latents(3, 6, 8, NANO).local
    half = NANO.local_channels // 2
    for pattern, axis in ((down, 1), (across, 2)):
        local = draw_latents(3, 6, 8, NANO, [pattern]).local
        assert (local[..., :half] == local[..., :half].take([0], axis)).all()
        np.testing.assert_array_equal(local[..., half:], plain[..., half:])
    np.testing.assert_array_equal(draw_latents(3, 6, 8, NANO, [Pattern()]).local, plain)


def test_between_two_grains_latents_stay_normal():
    patterns = Pattern(grain="down"), Pattern()
    shares = np.broadcast_to([0.3, 0.7], (60, 80, 2))
    local = draw_latents(3, 60, 80, NANO, patterns, shares=shares).local
    assert local[..., : NANO.local_channels // 2].std() == pytest.approx(1, abs=0.1)
    alike = np.corrcoef(local[0, :-9, :, 0].ravel(), local[0, 9:, :, 0].ravel())[0, 1]
    assert 0.05 < alike < 0.4  # 0.3² of 0.3² + 0.7² is 0.16


def test_training_draws_along_the_grain_as_generation_does(blobs):
    materials = [{"roughness": blobs(64, 4).astype(np.float32)}]
    dataset = Dataset(materials, measure_statistics(materials, ["roughness"]))
    update = TrainingStep(NANO, dataset, [Pattern(grain="down"), Pattern()], 0, Hyperparameters())
    drawn = tf.random.stateless_normal((2, 6, 8, NANO.local_channels), (1, 2))
    local = update.along_grain(drawn, tf.constant([0, 1])).numpy()
    half = NANO.local_channels // 2
    assert (local[0, ..., :half] == local[0, :1, ..., :half]).all()
    np.testing.assert_array_equal(local[0, ..., half:], drawn[0, ..., half:])
    np.testing.assert_array_equal(local[1], drawn[1])


def test_what_differs_more_from_crop_to_crop_than_within_them_is_slow(blobs):
    materials = [{"roughness": blobs(256, 3), "height": blobs(256, 60)}]
    dataset = Dataset(materials, measure_statistics(materials, ["roughness", "height"]))
    update = TrainingStep(NANO, dataset, [Pattern()], 0, Hyperparameters())
    seen = {name: dataset.statistics.place(name) for name in materials[0]}
    slow = np.array(update.slow)
    assert slow[seen["height"]].any()
    assert not slow[seen["roughness"]].any()


def test_a_share_of_time_that_numpy_worked_out_makes_no_doubles(blobs, monkeypatch):
    materials = [{"roughness": blobs(64, 4).astype(np.float32)}]
    dataset = Dataset(materials, measure_statistics(materials, ["roughness"]))
    update = TrainingStep(NANO, dataset, [Pattern()], 0, Hyperparameters())
    monkeypatch.setattr(update, "_step", lambda *given: given)
    number, rate, ema = update.step(3, np.float64(0.9))
    assert (number.dtype, rate.dtype, ema.dtype) == (tf.int32, tf.float32, tf.float32)


def test_waves_come_in_where_the_cells_can_carry_them():
    periods = (20.0, 19.9, 10.0, 9.9, 5.0)
    levels = [level_of(Pattern(((0.0, 1 / p),)), NANO.stride) for p in periods]
    assert levels == [0, 1, 1, 2, 2]
    assert waves_of_levels([WAVES, WEAVE, Pattern()], NANO) == (1, 0, 3, 0)
    drawn = draw_latents(3, 6, 8, NANO, PATTERNS, shares=np.array([0.0, 1.0]))
    assert [n.shape[-1] for n in drawn.noise] == [1, 7, 1]
    np.testing.assert_array_equal(drawn.local[..., NANO.local_channels :], 0)
    plain = draw_latents(3, 6, 8, NANO)
    for own, other in zip(drawn.noise, plain.noise, strict=True):
        np.testing.assert_array_equal(own[..., :1], other)


def test_fine_waves_lie_where_their_material_was_painted():
    shares = np.zeros((6, 8, 2))
    shares[:, :3, 0] = shares[:, 3:, 1] = 1
    fine = draw_latents(3, 6, 8, NANO, PATTERNS, shares=shares).noise[1][0, ..., 1:]
    assert fine.shape == (24, 32, 6)
    assert not fine[:, :12].any()
    np.testing.assert_allclose((fine[:, 12:] ** 2).sum(-1), 6, rtol=1e-4)


def test_training_draws_fine_waves_as_generation_does(blobs):
    materials = [{"roughness": blobs(64, 4).astype(np.float32)}] * 2
    dataset = Dataset(materials, measure_statistics(materials, ["roughness"]))
    update = TrainingStep(NANO, dataset, PATTERNS, 0, Hyperparameters())
    picture = update.generator(*latents_of(update))
    assert picture.shape[0] == NANO.batch
    _, _, (_, fine, _) = latents_of(update)
    cells = fine.shape[1] // 4, fine.shape[2] // 4
    for index, (across, down) in enumerate(snapped_turns(WEAVE.waves, *cells, NANO.stride)):
        sine, cosine = np.moveaxis(fine[0, ..., 1 + 2 * index : 3 + 2 * index], -1, 0)
        power = np.abs(np.fft.fft2(cosine + 1j * sine)) ** 2
        assert power[down, across] == pytest.approx(power.sum(), rel=1e-4)
        assert np.mean(sine**2 + cosine**2) == pytest.approx(2, rel=1e-4)


def latents_of(update):
    which = tf.ones(NANO.batch, tf.int64)
    local, noise = update._draw(tf.constant([3, 0]), which)
    z = tf.random.stateless_normal((NANO.batch, NANO.z_dim), (1, 2))
    return z.numpy(), local.numpy(), [field.numpy() for field in noise]


def test_waves_are_heard_beside_strong_features():
    """Moved by half a period they move what is drawn, whether the other weights are fresh or trained and strong."""
    latents = draw_latents(5, 8, 8, NANO, (WEAVE,))
    level = level_of(WEAVE, NANO.stride)

    def heard(generator):
        moved = list(latents.noise)
        field = moved[level - 1]
        moved[level - 1] = np.concatenate([field[..., :1], -field[..., 1:]], -1)
        one, other = (
            generator(latents.z, latents.local, x).numpy() for x in (latents.noise, moved)
        )
        return float(np.std(one - other) / np.std(one))

    keras.utils.set_random_seed(4)
    generator = Generator(NANO, channels=4, waves=waves_of_levels((WEAVE,), NANO))
    fresh = heard(generator)
    generator.narrow[level - 1].kernel.assign(8 * generator.narrow[level - 1].kernel)
    assert heard(generator) < fresh / 3
    generator.strengthen_waves(latents.z, latents.local, latents.noise)
    assert heard(generator) == pytest.approx(fresh, rel=0.3)


def test_waves_close_on_the_torus():
    fields = wave_fields([(1 / 21, 1 / 50)], 10, 12, 8, np.zeros((1, 2)))
    # One more column or row of a wave that closes would be the first again.
    wider = wave_fields([(2 / (12 * 8), 0.0)], 10, 12, 8, np.zeros((1, 2)))
    assert fields.shape == (1, 10, 12, 2)
    np.testing.assert_allclose(wider[0, 0, 6:], wider[0, 0, :6], atol=1e-5)
