"""Previews are measured, and a collapse is told from a young generator and from a regular material."""

import os
from pathlib import Path

import numpy as np
import pytest

from gan_worker.errors import TrainingError
from gan_worker.gan.data.dataset import read_pictures
from gan_worker.gan.training.collapse import (
    FLAT_YOUNG,
    LEAST,
    LOOK_EVERY,
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
    for number in range(1, PATIENCE):
        collapse_detector.look(BAD[name], OLD + number * LOOK_EVERY)
        assert not collapse_detector.calm
    with pytest.raises(TrainingError, match=name) as caught:
        collapse_detector.look(BAD[name], OLD + PATIENCE * LOOK_EVERY)
    assert caught.value.code == "diverged"
    collapse_detector.forget()
    collapse_detector.look(BAD[name], OLD)


def judged(shown, between=()):
    """What is decided of a training: its pictures by step at all looks that count, and at so many of the others.

    Returns:
        The step at which it has collapsed, or None.
    """
    detector = CollapseDetector([grained(0)], side=96, stride=8)
    for step in sorted({*range(0, OLD + 12 * LOOK_EVERY, LOOK_EVERY), *between}):
        try:
            detector.look(shown(step), step)
        except TrainingError:
            return step
    return None


def flat_for_a_while(step):
    return BAD["contrast"] if 4 <= step // LOOK_EVERY < 7 else GOOD


def flickering(step):
    return GOOD if step % (2 * LOOK_EVERY) == 0 else BAD["seeds"]


def good_between_looks(step):
    return GOOD if step <= OLD or step % LOOK_EVERY else BAD["places"]


def bad_between_looks(step):
    return BAD["contrast"] if step % LOOK_EVERY else GOOD


def good_only_between_looks(step):
    """Never alive where it counts."""
    return GOOD if step % LOOK_EVERY else BAD["contrast"]


@pytest.mark.parametrize(
    ("shown", "step"),
    [
        (flat_for_a_while, 6 * LOOK_EVERY),
        (good_between_looks, OLD + PATIENCE * LOOK_EVERY),
        (flickering, None),
        (bad_between_looks, None),
        (good_only_between_looks, None),
    ],
)
def test_a_training_is_judged_alike_however_slow_the_computer_is(shown, step):
    """A slow one shows more previews between two looks that count, and not the same ones each time."""
    chance = np.random.default_rng(0).integers(0, OLD + 12 * LOOK_EVERY, 20)
    assert judged(shown) == judged(shown, range(5, 900, 30)) == judged(shown, chance) == step


def test_what_is_bad_between_looks_that_count_is_not_kept(collapse_detector):
    collapse_detector.look(GOOD, OLD)
    collapse_detector.look(BAD["contrast"], OLD + 1)
    assert not collapse_detector.calm
    collapse_detector.look(GOOD, OLD + 2)
    assert collapse_detector.calm
    collapse_detector.look(BAD["contrast"], OLD + LOOK_EVERY)
    collapse_detector.look(GOOD, OLD + LOOK_EVERY + 1)
    assert not collapse_detector.calm, "the look that counts is not outvoted"


def test_what_was_alive_before_a_resume_can_collapse():
    resumed = CollapseDetector([grained(0)], side=96, stride=8, alive=True)
    with pytest.raises(TrainingError, match="contrast"):
        for number in range(PATIENCE):
            resumed.look(BAD["contrast"], OLD + number * LOOK_EVERY)


@pytest.mark.parametrize("name", BAD)
def test_one_bad_preview_is_forgiven_except_the_last(collapse_detector, name):
    collapse_detector.look(GOOD, OLD)
    collapse_detector.look(BAD[name], OLD)
    collapse_detector.look(GOOD, OLD)
    assert collapse_detector.calm
    with pytest.raises(TrainingError):
        collapse_detector.look(BAD[name], OLD, last=True)


def test_a_young_generator_may_be_flat(collapse_detector):
    for number in range(PATIENCE + 1):
        collapse_detector.look(BAD["contrast"], OLD + number * LOOK_EVERY)
    assert collapse_detector.calm


def test_what_an_untrained_generator_shows_counts_for_nothing(collapse_detector):
    collapse_detector.look(GOOD, step=0)
    for _ in range(PATIENCE + 1):
        collapse_detector.look(BAD["contrast"], step=0)
    for number in range(PATIENCE + 1):
        collapse_detector.look(BAD["contrast"], OLD + number * LOOK_EVERY)
    assert collapse_detector.calm
    with pytest.raises(TrainingError):
        collapse_detector.look([GOOD[0] * np.nan], step=0)


def test_a_generator_without_any_contrast_is_noticed_even_if_it_never_had_any(collapse_detector):
    dead = [p * 0.001 + 0.4 for p in GOOD]
    for step in (0, OLD - LOOK_EVERY, OLD - 1, OLD, OLD + LOOK_EVERY):
        collapse_detector.look(dead, step)
        assert not collapse_detector.calm
    with pytest.raises(TrainingError, match="contrast"):
        collapse_detector.look(dead, OLD + 2 * LOOK_EVERY)
    collapse_detector.forget()
    assert collapse_detector.calm
    with pytest.raises(TrainingError, match="contrast"):
        collapse_detector.look(dead, step=1, last=True)


def test_where_an_untrained_generator_is_flat_it_may_stay_so():
    collapse_detector = CollapseDetector([grained(0)], side=96, stride=8, lively=False)
    dead = [p * 0.001 + 0.4 for p in GOOD]
    # What is noise yet is no good preview either.
    collapse_detector.look(GOOD, FLAT_YOUNG - LOOK_EVERY)
    for number in range(PATIENCE + 1):
        collapse_detector.look(dead, FLAT_YOUNG + number * LOOK_EVERY)
    assert collapse_detector.calm
    collapse_detector.look(GOOD, 2 * FLAT_YOUNG)
    with pytest.raises(TrainingError, match="contrast"):
        for number in range(PATIENCE):
            collapse_detector.look(dead, 3 * FLAT_YOUNG + number * LOOK_EVERY)


def test_what_is_not_finite_is_noticed_at_once(collapse_detector):
    with pytest.raises(TrainingError):
        collapse_detector.look([GOOD[0], GOOD[1] * np.nan], OLD)


def test_a_material_that_repeats_every_cell_may_look_the_same_everywhere():
    regular = np.tile(grained(3)[:8, :8], (12, 12, 1))
    collapse_detector = CollapseDetector([regular], side=96, stride=8)
    for number in range(PATIENCE + 1):
        collapse_detector.look([regular, regular], OLD + number * LOOK_EVERY)
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
