"""A training that has stopped getting better is told from one that falls, sways, or falls again late."""

import time

import numpy as np
import pytest

from gan_worker.gan.metrics.plateau import LEAST_SECONDS, PlateauDetector

EVERY = 10.0


def told(distance, minutes, sway=0.0, seed=0, figures=("swd/0", "local_contrast")):
    """For each preview of a training whether it was said to have stopped, and for how many minutes.

    Args:
        distance: minutes → distance from the real pictures.
        minutes: of the training.
        sway: standard deviation of the slow swings of a generator, as a share.
    """
    detector, generator = PlateauDetector(), np.random.default_rng(seed)
    said, swing = [], 0.0
    for second in np.arange(0, 60 * minutes, EVERY):
        swing = 0.8 * swing + 0.6 * generator.normal()
        value = float(distance(second / 60) * np.exp(sway * swing))
        detector.look(second, dict.fromkeys(figures, value) | {"diversity": second})
        said.append(detector.stopped_for(second))
    return [None if s is None else s / 60 for s in said]


def falling(minutes):
    return 20 + 60 / (1 + minutes)


def flat_after_two(minutes):
    return 20 + 30 * max(0.0, 1 - minutes / 2)


def falls_again(minutes):
    return flat_after_two(minutes) * (1.0 if minutes < 20 else max(0.5, 1 - (minutes - 20) / 8))


def rises_after_four(minutes):
    return flat_after_two(minutes) * (1 + max(0.0, minutes - 4) / 10)


def test_what_falls_is_never_said_to_have_stopped():
    assert not any(s is not None for s in told(falling, 30))


@pytest.mark.parametrize("seed", range(4))
def test_what_falls_and_sways_is_hardly_ever(seed):
    said = told(falling, 12, sway=0.03, seed=seed)
    assert np.mean([s is not None for s in said]) < 0.1


def test_a_plateau_is_noticed_and_dated():
    said = told(flat_after_two, 12)
    assert said[int(3 * 60 / EVERY)] is None
    assert all(s is not None for s in said[int(7 * 60 / EVERY) :])
    # The average over two minutes has fallen for as long after the fall itself.
    assert 12 - said[-1] == pytest.approx(4, abs=0.5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sway", [0.03, 0.15])
def test_a_plateau_that_sways_is_noticed_and_does_not_come_and_go(sway, seed):
    said = [s is not None for s in told(flat_after_two, 40, sway, seed)]
    assert np.mean(said[len(said) // 3 :]) > 0.6
    assert np.count_nonzero(np.diff(said)) <= 7


def test_a_late_second_fall_takes_it_back():
    said = told(falls_again, 30)
    before, after = (int(m * 60 / EVERY) for m in (19, 24))
    assert said[before] is not None
    assert said[after] is None


def test_what_gets_worse_has_stopped_too():
    said = told(rises_after_four, 12)
    assert said[-1] == pytest.approx(8, abs=1)


@pytest.mark.parametrize("minutes", [0.0, 1.0, LEAST_SECONDS / 60 - 0.2])
def test_nothing_is_said_of_a_short_training(minutes):
    assert not any(s is not None for s in told(lambda _: 20.0, minutes))


def test_one_distance_that_still_falls_is_enough():
    detector = PlateauDetector()
    for second in np.arange(0, 900, EVERY):
        detail = 50 / (1 + second / 60)
        detector.look(second, {"swd/0": 20.0, "local_contrast": 20.0, "native_swd": detail})
    assert detector.stopped_for(900) is None


def test_after_it_went_back_it_is_another_training():
    detector = PlateauDetector()
    for second in np.arange(0, 600, EVERY):
        detector.look(second, {"swd/0": 20.0})
    assert detector.stopped_for(600) is not None
    detector.forget()
    assert detector.stopped_for(600) is None
    detector.look(610, {"swd/0": 20.0})
    assert detector.stopped_for(610) is None


def test_a_day_of_previews_costs_nothing():
    detector = PlateauDetector()
    for second in np.arange(0, 86_400, 100.0):
        detector.look(second, {"swd/0": 20.0})
    began = time.process_time()
    detector.look(86_400.0, {"swd/0": 20.0})
    assert time.process_time() - began < 0.01 * EVERY


def test_a_step_that_takes_most_of_the_time_says_nothing():
    detector = PlateauDetector()
    for second in (*np.arange(0, 180, EVERY), 9000.0, 9000.0):
        detector.look(second, {"swd/0": 20.0})
    assert detector.stopped_for(9000) is None


def test_distances_of_zero_are_taken():
    assert told(lambda _: 0.0, 10)[-1] is not None
