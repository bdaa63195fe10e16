"""Corners that are dragged: what the mouse takes hold of, and how far it may pull."""

from __future__ import annotations

import numpy as np
import pytest

from blender_addon.photos import corners, overlay
from gan_worker.preparation import Preparation

PLACES = [(10.0, 90.0), (90.0, 90.0), (90.0, 10.0), (10.0, 10.0)]


def test_the_nearest_corner_is_taken():
    assert corners.nearest(PLACES, (88.0, 14.0)) == (2, pytest.approx(4.47, abs=0.01))


@pytest.mark.parametrize("turned", [PLACES, PLACES[::-1]])
def test_inside_is_between_them_whichever_way_they_go(turned):
    assert corners.is_inside(turned, (50, 50))
    assert not corners.is_inside(turned, (5, 50))
    assert not corners.is_inside(turned, (50, 95))


def test_a_corner_goes_where_it_is_pulled():
    assert corners.pulled(corners.DEFAULT, 0, (0.2, 0.3))[0] == (0.2, 0.3)


def test_a_corner_stays_on_the_photo():
    assert corners.pulled(corners.DEFAULT, 2, (3.0, 4.0))[2] == (1.0, 1.0)


@pytest.mark.parametrize("target", [(0.95, 0.95), (0.9, 0.5), (2.0, 0.5), (0.1, 5.0)])
def test_a_corner_stops_where_the_part_would_turn_over(target):
    pulled = corners.pulled(corners.DEFAULT, 0, target)
    Preparation(pulled).check()
    assert pulled[1:] == corners.DEFAULT[1:]
    assert pulled != corners.DEFAULT, "it goes as far as it may"


def test_random_pulls_always_leave_a_part_that_can_be_used():
    random, now = np.random.default_rng(0), corners.DEFAULT
    for _ in range(300):
        x, y = random.uniform(-0.5, 1.5, 2)
        now = corners.pulled(now, int(random.integers(4)), (x, y))
        Preparation(now).check()


@pytest.mark.parametrize("by", [(0.05, -0.02), (5.0, 0.0), (-5.0, 5.0)])
def test_all_of_them_move_as_far_as_the_photo_goes(by):
    moved = corners.moved(corners.DEFAULT, by)
    Preparation(moved).check()
    steps = np.subtract(moved, corners.DEFAULT)
    assert np.allclose(steps, steps[0]), "its shape stays"


def test_the_grid_of_a_rectangle_is_even_and_that_of_a_slanted_part_leans():
    lines = np.array(overlay.grid(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))))
    assert np.allclose(lines[:3, :, 0], [[0.25] * 2, [0.5] * 2, [0.75] * 2])
    leaning = np.array(overlay.grid(((0.2, 0.0), (0.8, 0.0), (1.0, 1.0), (0.0, 1.0))))
    rows = leaning[3:, 0, 1]
    assert (np.diff(rows) > np.diff([0.0, *rows[:2]])).all(), "rows far off lie closer together"
