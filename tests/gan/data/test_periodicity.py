"""Bonds and tilings are found with their pitch; heaps, grain and single elements are not taken for patterns."""

import numpy as np
import pytest

from gan_worker.config import PRESETS
from gan_worker.gan.data.periodicity import find_cell, measure_pattern
from gan_worker.gan.data.waves import Pattern, level_of, snapped_turns, wave_fields
from gan_worker.gan.training.step import torus_cells

TINY = PRESETS["tiny"]


def bricks(size=192, width=48, height=32, joint=4):
    """A running bond with grain: each course is moved by half a brick."""
    y, x = np.mgrid[0:size, 0:size]
    x = x + (y // height % 2) * width // 2
    wall = np.where((x % width < joint) | (y % height < joint), 0.8, 0.4)
    return (wall + np.random.default_rng(0).normal(0, 0.05, wall.shape))[..., None]


def test_a_bond_gets_the_waves_of_its_lattice():
    waves = measure_pattern({"base_color": bricks()}, stride=8).waves
    found = {(round(x * 48 * 2), round(y * 32 * 2)) for x, y in waves}
    # Half a turn a brick and half a turn a course, both ways, their sum and their difference.
    expected = {(2, 1), (-2, 1), (0, 2), (4, 0)}
    assert {max(w, (-w[0], -w[1])) for w in found} == {max(w, (-w[0], -w[1])) for w in expected}
    for x, y in waves:
        assert (x * 48 * 2) % 1 == pytest.approx(0, abs=0.1) or (x * 48 * 2) % 1 > 0.9
        assert abs(y * 64 - round(y * 64)) < 0.1


def test_bricks_of_all_colors_are_measured_by_their_height():
    """Many match equally well where a pattern is exact; the shortest shifts make its lattice."""
    wall = bricks(size=256, width=51, height=26)
    tints = np.random.default_rng(3).uniform(0, 1, (11, 12))
    y, x = np.mgrid[0:256, 0:256]
    number = y // 26, (x + (y // 26 % 2) * 25) // 51
    waves = measure_pattern(
        {"base_color": tints[number][..., None], "height": wall}, stride=8
    ).waves
    assert waves == measure_pattern({"height": wall}, stride=8).waves
    assert len(waves) == 4
    assert min(np.hypot(*wave) for wave in waves) == pytest.approx(
        np.hypot(1 / 51, 1 / 52), rel=0.1
    )


def test_a_grate_of_one_color_is_measured_by_its_holes():
    flat = np.full((192, 192, 3), 0.4)
    grate = {"base_color": flat, "opacity": bricks()}
    assert (
        measure_pattern(grate, stride=8).waves
        == measure_pattern({"base_color": bricks()}, stride=8).waves
    )
    assert find_cell(grate)[0] == pytest.approx((48 * 32) ** 0.5, rel=0.05)


def test_maps_of_one_value_hide_no_pattern_and_make_none(blobs):
    even = {"opacity": np.ones((192, 192, 1)), "emission": np.zeros((192, 192, 3))}
    assert measure_pattern({"base_color": bricks()} | even, stride=8).waves
    assert not measure_pattern({"base_color": blobs(192, 3)} | even, stride=8).waves


@pytest.mark.parametrize("side", [256, 400])
def test_waves_are_looked_for_once_and_in_the_middle_of_a_large_picture(blobs, monkeypatch, side):
    """A spectrum takes half a gigabyte a megapixel."""
    monkeypatch.setattr("gan_worker.gan.data.periodicity.MIDDLE", 256)
    transform, sizes = np.fft.fft2, []

    def watched(values, s):
        sizes.append(s)
        return transform(values, s=s)

    monkeypatch.setattr(np.fft, "fft2", watched)
    planks = 0.5 + 0.2 * np.sin(2 * np.pi * np.mgrid[0:side, 0:side][1] / 24.5)[..., None]
    noise = np.random.default_rng(0).normal(0, 0.1, planks.shape)
    (wave,) = measure_pattern({"base_color": planks + noise}, stride=8).waves
    assert np.abs(wave) == pytest.approx((1 / 24.5, 0), abs=1e-3)
    assert not measure_pattern({"base_color": blobs(side, 3)}, stride=8).waves
    assert sizes == [(1024, 1024)] * 2


def test_a_cell_is_as_large_as_what_repeats(blobs):
    y, x = np.mgrid[0:512, 0:512]
    tiles = np.where((x % 64 < 3) | (y % 64 < 3), 0.3, 0.8)[..., None]
    assert find_cell({"base_color": tiles})[0] == pytest.approx(64, rel=0.01)
    # Knots a little over seven and a half pixels apart, so that six of them are not six times a whole number.
    weave = (np.sin(np.pi * x / 7.65) * np.sin(np.pi * y / 7.65) + 1)[..., None] / 2
    assert find_cell({"roughness": weave})[0] == pytest.approx(7.65 * 2**0.5, rel=0.02)
    threads = np.sin(2 * np.pi * x / 8) + np.sin(2 * np.pi * y / 8)
    stained = 0.5 + 0.15 * threads[..., None] + 0.3 * (blobs(512, 40)[..., :1] - 0.5)
    assert find_cell({"base_color": stained})[0] == pytest.approx(8, rel=0.02)
    assert find_cell({"base_color": blobs(256, 6)})[0] == np.inf


def test_a_weave_too_fine_for_the_latent_grid_keeps_its_pitch():
    y, x = np.mgrid[0:256, 0:256]
    weave = (np.sin(np.pi * x / 7.65) * np.sin(np.pi * y / 7.65) + 1)[..., None] / 2
    pattern = measure_pattern({"base_color": weave}, stride=8)
    expected = 1 / 15.3
    for x, y in pattern.waves[:2]:
        assert (abs(x), abs(y)) == pytest.approx((expected, expected), rel=0.02)
    assert level_of(pattern, stride=8) == 2


def test_slates_that_all_have_a_tone_of_their_own_are_a_bond():
    """Some that lie far apart are alike by luck, more than neighbours are."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[0:384, 0:384]
    course = y // 24
    across = (x + course % 2 * 24) // 48
    tones = random.uniform(0.25, 1, (20, 20))[course, across]
    joints = ((x + course % 2 * 24) % 48 < 3) | (y % 24 < 3)
    height = np.where(joints, 0, tones * (0.4 + y % 24 / 40))[..., None]
    assert find_cell({"height": height})[0] == pytest.approx((48 * 24) ** 0.5, rel=0.02)
    assert len(measure_pattern({"height": height}, stride=8).waves) >= 2


def test_planks_get_one_wave():
    x = np.arange(128)[None, :, None]
    planks = np.broadcast_to(0.5 + 0.3 * np.sign(np.sin(2 * np.pi * x / 26)), (128, 128, 1))
    (wave,) = measure_pattern({"base_color": planks}, stride=8).waves
    assert wave == pytest.approx((1 / 26, 0), abs=2e-3)


def test_boards_stay_regular_where_what_repeats_along_them_is_too_fast_for_the_latent_grid():
    slope = np.arange(192)[:, None, None] % 30 / 30
    pattern = measure_pattern({"height": bricks(width=20, height=30) + slope}, stride=8)
    (wave,) = pattern.waves
    assert wave == pytest.approx((0, 1 / 30), abs=1e-3)
    assert pattern.grain == "across"


@pytest.mark.parametrize("pitch", [13, 26])
def test_ribs_of_a_sheet_keep_their_pitch_under_the_stains_of_its_color(blobs, pitch):
    x = np.arange(128)[None, :, None]
    ribs = np.broadcast_to(0.5 + 0.4 * np.sin(2 * np.pi * x / pitch), (128, 128, 1))
    (wave,) = measure_pattern({"base_color": blobs(128, 3), "height": ribs}, stride=8).waves
    assert wave == pytest.approx((1 / pitch, 0), abs=2e-3)


def test_a_height_that_happens_to_rise_and_fall_is_no_pattern(blobs):
    x = np.arange(128)[None, :, None]
    dunes = blobs(128, 3) + 0.1 * np.sin(2 * np.pi * x / 26)
    assert not measure_pattern({"base_color": blobs(128, 2), "height": dunes}, stride=8).waves


def plank_edges():
    """Planks of all widths, with grain along them: (160, 160, 1)."""
    random = np.random.default_rng(4)
    tints = np.repeat(random.uniform(0.3, 0.7, 40), random.integers(9, 30, 40))[:160]
    return (tints + random.normal(0, 0.05, (160, 160)))[..., None].clip(0, 1)


def test_planks_of_all_widths_run_on():
    planks = plank_edges()
    assert measure_pattern({"base_color": planks}, stride=8).grain == "down"
    assert measure_pattern({"base_color": planks.swapaxes(0, 1)}, stride=8).grain == "across"


def test_a_height_that_runs_on_is_told_with_the_cell():
    planks = plank_edges()
    assert find_cell({"base_color": planks}) == (np.inf, False)
    assert find_cell({"base_color": planks, "height": planks}) == (np.inf, True)


def test_the_map_that_runs_on_most_says_which_way():
    noise = np.random.default_rng(5).random((160, 160, 3))
    material = {"base_color": noise, "height": plank_edges()}
    assert measure_pattern(material, stride=8).grain == "down"


def test_a_lattice_and_heaps_have_no_grain(blobs):
    assert measure_pattern({"base_color": bricks()}, stride=8).grain == ""
    assert measure_pattern({"base_color": blobs(256, 4)}, stride=8).grain == ""


def test_others_get_none(blobs):
    assert measure_pattern({"base_color": blobs(256, 4)}, stride=8).waves == ()
    assert (
        measure_pattern(
            {"base_color": np.random.default_rng(1).random((192, 192, 3))}, stride=8
        ).waves
        == ()
    )
    # Faster than any level may carry.
    y, x = np.mgrid[0:192, 0:192]
    assert measure_pattern({"base_color": ((x + y) % 4 / 3)[..., None]}, stride=8).waves == ()


def test_the_training_torus_holds_whole_bricks():
    rows, columns = torus_cells(
        [measure_pattern({"base_color": bricks()}, stride=8)], TINY, margin=1
    )
    assert (rows * 8) % 64 == 0
    assert (columns * 8) % 48 == 0
    assert torus_cells([Pattern(), Pattern()], TINY, margin=1) == (9, 9)


def test_the_training_torus_serves_all_materials():
    """Periods of 24 and 48 pixels close together on 96 of them; what is irregular asks for nothing."""
    narrow, wide = Pattern(((1 / 24, 0.0),)), Pattern(((1 / 48, 0.0),))
    assert torus_cells([narrow, Pattern()], TINY, margin=1) == (8, 9)
    assert torus_cells([narrow, Pattern(), wide], TINY, margin=1) == (8, 12)


def test_many_fine_threads_keep_their_pitch_on_the_torus():
    """Half a period too many hardly bends eight of them, and leaves those at the edge of a crop out of step."""
    weave = ((1 / 7.5, 0.0), (0.0, 1 / 7.5))
    sizes = torus_cells([Pattern(weave)], TINY, margin=1)
    for cells, turns in zip(
        sizes[::-1], np.diag(snapped_turns(weave, *sizes, TINY.stride)), strict=True
    ):
        pitch = cells * TINY.stride / turns
        assert abs(TINY.crop / pitch - TINY.crop / 7.5) / 2 < 0.15


def test_sums_of_waves_stay_sums_on_any_torus():
    waves = measure_pattern({"base_color": bricks()}, stride=8).waves
    for rows, columns in ((8, 12), (32, 32), (37, 51)):
        one, two, both, apart = np.array(snapped_turns(waves, rows, columns, 8))
        np.testing.assert_array_equal(both, one + two)
        np.testing.assert_array_equal(apart, one - two)


def test_a_shift_moves_all_waves_together():
    waves = measure_pattern({"base_color": bricks()}, stride=8).waves
    still = wave_fields(waves, 16, 24, 8, np.zeros((1, 2)))
    moved = wave_fields(waves, 16, 24, 8, np.array([[1 / 24, 3 / 16]]))
    np.testing.assert_allclose(moved, np.roll(still, (-3, -1), (1, 2)), atol=1e-5)
