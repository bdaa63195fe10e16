"""Closed paths through looks: smooth, even, back where they began, and never beyond what a request may have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gan_worker.config import GenerationConfig
from gan_worker.errors import RequestError
from gan_worker.style import CellMap, Latent, Material, Seed, check_style
from gan_worker.styles import motion

BASE = GenerationConfig("bricks", 1, 128, 64, ("base_color",), origin=(3, 4))
LOOKS = [replace(BASE, seed=seed) for seed in (3, 8, 12)]


def weights(path, t):
    """Weights of the seeds 3, 8 and 12 at a place of the path."""
    mix = dict(path(t).style)
    return np.array([mix.get(Seed(seed), 0.0) for seed in (3, 8, 12)])


def test_a_path_goes_through_its_looks_smoothly_and_closes():
    path = motion.path_through(BASE, LOOKS)
    for number in range(3):
        assert weights(path, number / 3).tolist() == np.eye(3)[number].tolist()
    places = np.array([weights(path, t) for t in np.linspace(0, 1, 301)])
    np.testing.assert_allclose(places.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(places[0], places[-1], atol=1e-6)
    steps = np.diff(places, axis=0)
    # No corner, at the looks neither: each step is nearly the one before, around the end too.
    turns = np.linalg.norm(np.diff(np.concatenate([steps, steps[:1]]), axis=0), axis=1)
    assert turns.max() < 0.1 * np.linalg.norm(steps, axis=1).max()


def test_a_path_keeps_the_layout_the_size_and_the_maps_and_may_be_asked_for():
    looks = [
        replace(BASE, truncation_psi=0.0, directions=(("pca 1", 10.0),), width=8),
        replace(BASE, style=Material("oak"), truncation_psi=2.0, directions=(("pca 1", -10.0),)),
        replace(BASE, style=Latent((0.5,)), directions=(("factor 1", 1.0),)),
        replace(BASE, style=((Seed(7), 3.0), (Seed(9), 1.0))),
    ]
    path = motion.path_through(BASE, looks)
    for t in np.linspace(0, 1, 50):
        config = path(t)
        check_style(config.style, config.directions)
        assert 0 <= config.truncation_psi <= 2
        assert replace(config, style=None, directions=(), truncation_psi=1.0) == replace(
            BASE, origin=None
        )


def test_between_two_looks_it_goes_there_and_back():
    path = motion.path_through(BASE, LOOKS[:2])
    there, back = weights(path, 0.1), weights(path, 0.9)
    np.testing.assert_allclose(there, back, atol=1e-5)
    assert weights(path, 0.5).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    "looks",
    [
        LOOKS[:1],
        [*LOOKS, replace(BASE, model="oak")],
        [*LOOKS, replace(BASE, style=CellMap((Seed(1),), 1, 1, (0.0,)))],
        [replace(BASE, style=tuple((Seed(n + k), 1.0) for n in range(9))) for k in (0, 100)],
    ],
)
def test_what_cannot_be_a_path_is_refused_before_anything_is_generated(looks):
    with pytest.raises(RequestError) as caught:
        motion.path_through(BASE, looks)
    assert caught.value.code == "invalid_config"


def test_a_circle_lies_around_the_look():
    base = replace(BASE, directions=(("pca 1", 1.0), ("pca 3", -2.0)))
    path = motion.path_around(base, "pca 1", "pca 2", 1.5)
    places = [dict(path(t).directions) for t in np.arange(8) / 8]
    for place in places:
        assert place["pca 3"] == -2
        away = np.hypot(place.get("pca 1", 0) - 1, place.get("pca 2", 0))
        assert away == pytest.approx(1.5, abs=1e-5)
    assert places[0]["pca 1"] == 2.5
    # A model that knows no style can still sway.
    assert motion.path_around(BASE, "pca 1", "pca 2", 0.0)(0.3).directions == ()
    with pytest.raises(RequestError):
        motion.path_around(BASE, "pca 1", "pca 1", 1.0)


def test_a_loop_that_does_not_move_is_refused():
    circle, still = (motion.path_around(BASE, "pca 1", "pca 2", radius) for radius in (0.1, 0.0))
    same = motion.path_through(BASE, [LOOKS[0], LOOKS[0]])
    for path, sway in ((circle, 0.0), (still, 0.1), (motion.path_through(BASE, LOOKS[:2]), 0.0)):
        motion.check_moves(path, sway)
    for path in (still, same):
        with pytest.raises(RequestError, match="must move"):
            motion.check_moves(path, 0.0)


def test_even_places_cut_the_length_into_equal_parts():
    lengths = [1.0, 3.0, 0.0, 4.0]
    places = motion.even_places(lengths, 8)
    assert places[0] == 0
    passed = np.interp(places, np.linspace(0, 1, 5), [0, 1, 4, 4, 8])
    np.testing.assert_allclose(np.diff([*passed, 8.0]), 1)
    assert motion.even_places([0.0] * 5, 4) == [0, 0.25, 0.5, 0.75]


def test_frames_move_the_layout_once_around():
    path = motion.path_around(BASE, "pca 1", "pca 2", 1.0)
    frames = motion.loop_frames(path, [1.0] * 8, 4, 0.25)
    assert [f.sway for f in frames] == [(0.25, 0), (0.25, 0.25), (0.25, 0.5), (0.25, 0.75)]
    assert [f.directions for f in frames] == [path(t).directions for t in (0, 0.25, 0.5, 0.75)]
    assert {f.sway for f in motion.loop_frames(path, [1.0] * 8, 4, 0.0)} == {(0.0, 0.0)}


def place_of(layout):
    """A point on the half sphere that layouts lie on: the share of the seed's own, and of two others."""
    away, turn = layout[0] * np.pi / 2, layout[1] * 2 * np.pi
    return np.array([np.cos(away), np.sin(away) * np.cos(turn), np.sin(away) * np.sin(turn)])


@pytest.mark.parametrize("start", [(0.0, 0.0), (0.3, 0.1), (0.6, 0.8)])
def test_a_layout_is_moved_as_far_from_wherever_it_was(start):
    moved = [motion.moved_layout(start, 0.25, turn / 8) for turn in range(8)]
    angles = [np.arccos(place_of(start) @ place_of(layout)) for layout in moved]
    np.testing.assert_allclose(angles, 0.25 * np.pi / 2, atol=1e-4)
    steps = np.diff([place_of(layout) for layout in [*moved, moved[0]]], axis=0)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), np.linalg.norm(steps[0]), atol=1e-4)
    assert motion.moved_layout(start, 0.0, 0.7) == start


def test_a_layout_that_shares_nothing_with_the_seed_stays_one_that_can_be_asked_for():
    for turn in range(8):
        away, direction = motion.moved_layout((1.0, 0.25), 0.5, turn / 8)
        assert 0 <= away <= 1
        assert 0 <= direction <= 1


def test_a_loop_goes_around_the_layout_that_was_chosen():
    base = replace(BASE, sway=(0.4, 0.2))
    path = motion.path_around(base, "pca 1", "pca 2", 1.0)
    frames = motion.loop_frames(path, [1.0] * 8, 4, 0.1)
    for frame in frames:
        apart = np.arccos(place_of(base.sway) @ place_of(frame.sway))
        assert apart == pytest.approx(0.1 * np.pi / 2, abs=1e-4)
    assert len({frame.sway for frame in frames}) == 4
    assert {f.sway for f in motion.loop_frames(path, [1.0] * 8, 4, 0.0)} == {(0.4, 0.2)}


def measured(values, closes=True):
    meter = motion.StepMeter()
    for value in values:
        meter.add(np.full((4, 6, 3), value, np.uint8))
    return meter.evenness(closes)


def test_steps_are_measured_with_the_one_that_closes_the_loop():
    found = measured([0, 51, 102, 51])
    assert (found.median, found.largest, found.closing) == pytest.approx((0.2, 1, 1))
    jump = measured([0, 10, 20, 30, 40])
    assert (jump.largest, jump.closing) == pytest.approx((4, 4))
    assert str(jump) == "largest step 4.00× the median, last to first 4.00×"
    open_end = measured([0, 10, 20, 30, 40], closes=False)
    assert (open_end.largest, open_end.closing) == (pytest.approx(1), None)
    assert str(measured([7, 7])) == "largest step 0.00× the median, last to first 0.00×"
    held = measured([0, 0, 0, 0, 0, 51], closes=False)
    assert held.largest == pytest.approx(5)


def test_pictures_of_any_depth_are_measured_in_the_same_unit():
    meter = motion.StepMeter()
    for value in (0, 65535):
        meter.add(np.full((600, 700, 1), value, np.uint16))
    assert meter.steps == [1.0]
