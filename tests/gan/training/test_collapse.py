"""Previews are measured, and a collapse is told from a young generator and from a regular material."""

import os
from pathlib import Path

import numpy as np
import pytest

from gan_worker.errors import TrainingError
from gan_worker.gan.data.dataset import read_pictures
from gan_worker.gan.training.collapse import (
    LASTING,
    LEAST,
    PATIENCE,
    YOUNG,
    CollapseDetector,
    _quantiles,
)

DATA = os.environ.get("TILEWRIGHT_TEST_DATA", "")


def grained(seed, side=96):
    """Soft blobs with grain, different for every seed."""
    generator = np.random.default_rng(seed)
    coarse = np.kron(generator.uniform(0, 1, (side // 12, side // 12, 1)), np.ones((12, 12, 3)))
    return np.clip(coarse + generator.normal(0, 0.05, coarse.shape), 0, 1).astype(np.float32)


@pytest.fixture
def collapse_detector():
    return CollapseDetector([grained(0)], side=96, stride=8)


# A step at which a training is judged.
OLD = YOUNG
GOOD = [grained(1), grained(2)]
BAD = {
    "contrast": [p * 0.05 + 0.4 for p in GOOD],
    "places": [np.tile(p[:8, :8], (12, 12, 1)) for p in GOOD],
    "seeds": [GOOD[0], GOOD[0] + 0.001],
}


def test_figures_are_near_the_floor_for_what_looks_real(collapse_detector):
    good, soft = (
        collapse_detector.look(GOOD, OLD),
        collapse_detector.look([p * 0.6 + 0.2 for p in GOOD], OLD),
    )
    for name, floor in collapse_detector.floor.items():
        assert good[name] < 3 * floor, name
        assert soft[name] > 2 * good[name], name
    assert good["diversity"] == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("rows", [1, 2, 37, 100])
def test_quantiles_of_a_sorted_table_are_those_of_numpy(rows):
    table = np.sort(np.random.default_rng(0).normal(size=(100, 3)), axis=0)
    expected = np.quantile(table, np.linspace(0, 1, rows), axis=0)
    np.testing.assert_allclose(_quantiles(table, rows), expected, atol=1e-12)


@pytest.mark.parametrize("name", BAD)
def test_a_collapse_is_noticed_after_several_previews(collapse_detector, name):
    collapse_detector.look(GOOD, OLD)
    for number in range(PATIENCE - 1):
        collapse_detector.look(BAD[name], OLD + number * LASTING)
        assert not collapse_detector.calm
    with pytest.raises(TrainingError, match=name) as caught:
        collapse_detector.look(BAD[name], OLD + PATIENCE * LASTING)
    assert caught.value.code == "diverged"
    collapse_detector.forget()
    collapse_detector.look(BAD[name], OLD)


def test_a_slow_computer_that_shows_every_step_does_not_give_up_sooner(collapse_detector):
    collapse_detector.look(GOOD, OLD)
    for step in range(LASTING):
        collapse_detector.look(BAD["contrast"], OLD + step)
    with pytest.raises(TrainingError, match="contrast"):
        collapse_detector.look(BAD["contrast"], OLD + LASTING)


@pytest.mark.parametrize("name", BAD)
def test_one_bad_preview_is_forgiven_except_the_last(collapse_detector, name):
    collapse_detector.look(GOOD, OLD)
    collapse_detector.look(BAD[name], OLD)
    collapse_detector.look(GOOD, OLD)
    assert collapse_detector.calm
    with pytest.raises(TrainingError):
        collapse_detector.look(BAD[name], OLD, last=True)


def test_a_young_generator_may_be_flat(collapse_detector):
    for _ in range(PATIENCE + 1):
        collapse_detector.look(BAD["contrast"], OLD)
    assert collapse_detector.calm


def test_what_an_untrained_generator_shows_counts_for_nothing(collapse_detector):
    collapse_detector.look(GOOD, step=0)
    for _ in range(PATIENCE + 1):
        collapse_detector.look(BAD["contrast"], step=0)
    for _ in range(PATIENCE + 1):
        collapse_detector.look(BAD["contrast"], OLD)
    assert collapse_detector.calm
    with pytest.raises(TrainingError):
        collapse_detector.look([GOOD[0] * np.nan], step=0)


def test_a_generator_without_any_contrast_is_noticed_even_if_it_never_had_any(collapse_detector):
    dead = [p * 0.001 + 0.4 for p in GOOD]
    for step in (0, OLD - 1, OLD):
        collapse_detector.look(dead, step)
        assert not collapse_detector.calm
    collapse_detector.look(dead, OLD + 1)
    with pytest.raises(TrainingError, match="contrast"):
        collapse_detector.look(dead, OLD + LASTING)
    collapse_detector.forget()
    assert collapse_detector.calm
    with pytest.raises(TrainingError, match="contrast"):
        collapse_detector.look(dead, step=1, last=True)


def test_where_an_untrained_generator_is_flat_it_may_stay_so():
    collapse_detector = CollapseDetector([grained(0)], side=96, stride=8, lively=False)
    for number in range(PATIENCE + 1):
        collapse_detector.look([p * 0.001 + 0.4 for p in GOOD], OLD + number * LASTING)
    assert collapse_detector.calm


def test_what_is_not_finite_is_noticed_at_once(collapse_detector):
    with pytest.raises(TrainingError):
        collapse_detector.look([GOOD[0], GOOD[1] * np.nan], OLD)


def test_a_material_that_repeats_every_cell_may_look_the_same_everywhere():
    regular = np.tile(grained(3)[:8, :8], (12, 12, 1))
    collapse_detector = CollapseDetector([regular], side=96, stride=8)
    for _ in range(PATIENCE + 1):
        collapse_detector.look([regular, regular], OLD)
    assert collapse_detector.calm


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="needs real material sets")
def test_no_real_material_is_taken_for_a_collapse():
    for place in sorted((*Path(DATA, "single").iterdir(), *Path(DATA, "pbr").iterdir())):
        read = read_pictures([str(place)], 64, None)
        picture = read.materials[0][read.report.maps[0]]
        collapse_detector = CollapseDetector([picture], side=192, stride=8)
        height, width = (n // 2 for n in picture.shape[:2])
        other = np.roll(picture, (37, 61), (0, 1))
        health = collapse_detector.health([picture[:height, :width], other[:height, :width]])
        assert all(share > 2 * LEAST[name] for name, share in health.items()), (place, health)
