"""Previews are measured, and a collapse is told from a young generator and from a regular material."""

import os
from pathlib import Path

import numpy as np
import pytest

from gan_worker.errors import TrainingError
from gan_worker.gan.data.dataset import read_pictures
from gan_worker.gan.training.collapse import LASTING, LEAST, PATIENCE, YOUNG, Vigilance, _quantiles

DATA = os.environ.get("TILEWRIGHT_TEST_DATA", "")


def grained(seed, side=96):
    """Soft blobs with grain, different for every seed."""
    generator = np.random.default_rng(seed)
    coarse = np.kron(generator.uniform(0, 1, (side // 12, side // 12, 1)), np.ones((12, 12, 3)))
    return np.clip(coarse + generator.normal(0, 0.05, coarse.shape), 0, 1).astype(np.float32)


@pytest.fixture
def vigilance():
    return Vigilance([grained(0)], side=96, stride=8)


# A step at which a training is judged.
OLD = YOUNG
GOOD = [grained(1), grained(2)]
BAD = {
    "contrast": [p * 0.05 + 0.4 for p in GOOD],
    "places": [np.tile(p[:8, :8], (12, 12, 1)) for p in GOOD],
    "seeds": [GOOD[0], GOOD[0] + 0.001],
}


def test_figures_are_near_the_floor_for_what_looks_real(vigilance):
    good, soft = vigilance.look(GOOD, OLD), vigilance.look([p * 0.6 + 0.2 for p in GOOD], OLD)
    for name, floor in vigilance.floor.items():
        assert good[name] < 3 * floor, name
        assert soft[name] > 2 * good[name], name
    assert good["diversity"] == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("rows", [1, 2, 37, 100])
def test_quantiles_of_a_sorted_table_are_those_of_numpy(rows):
    table = np.sort(np.random.default_rng(0).normal(size=(100, 3)), axis=0)
    expected = np.quantile(table, np.linspace(0, 1, rows), axis=0)
    np.testing.assert_allclose(_quantiles(table, rows), expected, atol=1e-12)


@pytest.mark.parametrize("name", BAD)
def test_a_collapse_is_noticed_after_several_previews(vigilance, name):
    vigilance.look(GOOD, OLD)
    for number in range(PATIENCE - 1):
        vigilance.look(BAD[name], OLD + number * LASTING)
        assert not vigilance.calm
    with pytest.raises(TrainingError, match=name) as caught:
        vigilance.look(BAD[name], OLD + PATIENCE * LASTING)
    assert caught.value.code == "diverged"
    vigilance.forget()
    vigilance.look(BAD[name], OLD)


def test_a_slow_computer_that_shows_every_step_does_not_give_up_sooner(vigilance):
    vigilance.look(GOOD, OLD)
    for step in range(LASTING):
        vigilance.look(BAD["contrast"], OLD + step)
    with pytest.raises(TrainingError, match="contrast"):
        vigilance.look(BAD["contrast"], OLD + LASTING)


@pytest.mark.parametrize("name", BAD)
def test_one_bad_preview_is_forgiven_except_the_last(vigilance, name):
    vigilance.look(GOOD, OLD)
    vigilance.look(BAD[name], OLD)
    vigilance.look(GOOD, OLD)
    assert vigilance.calm
    with pytest.raises(TrainingError):
        vigilance.look(BAD[name], OLD, last=True)


def test_a_young_generator_may_be_flat(vigilance):
    for _ in range(PATIENCE + 1):
        vigilance.look(BAD["contrast"], OLD)
    assert vigilance.calm


def test_what_an_untrained_generator_shows_counts_for_nothing(vigilance):
    vigilance.look(GOOD, step=0)
    for _ in range(PATIENCE + 1):
        vigilance.look(BAD["contrast"], step=0)
    for _ in range(PATIENCE + 1):
        vigilance.look(BAD["contrast"], OLD)
    assert vigilance.calm
    with pytest.raises(TrainingError):
        vigilance.look([GOOD[0] * np.nan], step=0)


def test_a_generator_without_any_contrast_is_noticed_even_if_it_never_had_any(vigilance):
    dead = [p * 0.001 + 0.4 for p in GOOD]
    for step in (0, OLD - 1, OLD):
        vigilance.look(dead, step)
        assert not vigilance.calm
    vigilance.look(dead, OLD + 1)
    with pytest.raises(TrainingError, match="contrast"):
        vigilance.look(dead, OLD + LASTING)
    vigilance.forget()
    assert vigilance.calm
    with pytest.raises(TrainingError, match="contrast"):
        vigilance.look(dead, step=1, last=True)


def test_where_an_untrained_generator_is_flat_it_may_stay_so():
    vigilance = Vigilance([grained(0)], side=96, stride=8, lively=False)
    for number in range(PATIENCE + 1):
        vigilance.look([p * 0.001 + 0.4 for p in GOOD], OLD + number * LASTING)
    assert vigilance.calm


def test_what_is_not_finite_is_noticed_at_once(vigilance):
    with pytest.raises(TrainingError):
        vigilance.look([GOOD[0], GOOD[1] * np.nan], OLD)


def test_a_material_that_repeats_every_cell_may_look_the_same_everywhere():
    regular = np.tile(grained(3)[:8, :8], (12, 12, 1))
    vigilance = Vigilance([regular], side=96, stride=8)
    for _ in range(PATIENCE + 1):
        vigilance.look([regular, regular], OLD)
    assert vigilance.calm


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="needs real material sets")
def test_no_real_material_is_taken_for_a_collapse():
    for place in sorted((*Path(DATA, "single").iterdir(), *Path(DATA, "pbr").iterdir())):
        read = read_pictures([str(place)], 64, None)
        picture = read.materials[0][read.report.maps[0]]
        vigilance = Vigilance([picture], side=192, stride=8)
        height, width = (n // 2 for n in picture.shape[:2])
        other = np.roll(picture, (37, 61), (0, 1))
        health = vigilance.health([picture[:height, :width], other[:height, :width]])
        assert all(share > 2 * LEAST[name] for name, share in health.items()), (place, health)
