"""Which holes belong together, the windows around them, and what a border says."""

import numpy as np
from memory_peaks import peak_memory

from gan_worker.materials.masks import (
    calm_shift,
    distance_to,
    looks_seamless,
    mask_groups,
    window_around,
)


def hole(top, bottom, left, right):
    hidden = np.zeros((80, 96), bool)
    hidden[np.ix_(np.arange(top, bottom) % 80, np.arange(left, right) % 96)] = True
    return hidden


def test_holes_far_from_each_other_are_filled_one_by_one():
    both = hole(20, 30, 20, 30) | hole(22, 26, 60, 90) | hole(31, 33, 18, 20)
    first, second = sorted(mask_groups(both, False, 8), key=np.sum)
    np.testing.assert_array_equal(first, hole(20, 30, 20, 30) | hole(31, 33, 18, 20))
    np.testing.assert_array_equal(second, hole(22, 26, 60, 90))
    border = hole(20, 30, -4, 4)
    assert len(mask_groups(border, True, 8)) == 1
    assert len(mask_groups(border, False, 8)) == 2
    specks = np.zeros((80, 96), bool)
    specks[::20, ::20] = True
    (one,) = mask_groups(specks, False, 4)
    np.testing.assert_array_equal(one, specks)


def test_a_border_tells_whether_a_picture_is_seamless():
    y, x = np.mgrid[0:80, 0:96] * 2 * np.pi
    torus = {
        "height": (np.sin(3 * y / 80 + 1) + np.sin(2 * x / 96 + 1))[..., None].astype(np.float32)
    }
    nothing = hole(0, 0, 0, 0)
    assert looks_seamless(torus, nothing)
    slope = {"height": torus["height"] + np.linspace(0, 2, 96, dtype=np.float32)[:, None]}
    assert not looks_seamless(slope, nothing)
    assert not looks_seamless({"roughness": torus["height"], **slope}, nothing)
    # Dirt on the border is what shall be mended, and says nothing.
    dirty = {"height": torus["height"].copy()}
    dirty["height"][30:50, :40, 0] += np.linspace(9, 0, 40, dtype=np.float32)
    assert not looks_seamless(dirty, nothing)
    assert looks_seamless(dirty, hole(28, 52, -1, 2))


def test_looking_at_a_border_takes_no_copy_of_the_picture():
    large = {"base_color": np.random.default_rng(1).random((2048, 2048, 3), np.float32)}
    nothing = np.zeros((2048, 2048), bool)
    held = peak_memory(lambda: looks_seamless(large, nothing))
    assert held < large["base_color"].nbytes


def test_a_seamless_picture_is_turned_so_that_its_holes_lie_inside():
    hidden = hole(-5, 7, 90, 110)
    shift = calm_shift(hidden)
    turned = np.roll(hidden, shift, (0, 1))
    (rows, columns), circles = window_around(turned, True, 6)
    assert circles == (False, False)
    assert turned[rows, columns].sum() == hidden.sum()
    assert turned[rows, columns].shape == (12 + 12, 20 + 12)
    assert window_around(turned, True, 36)[1] == (True, False)
    assert calm_shift(hole(0, 80, 3, 5))[0] == 0


def test_a_window_ends_at_an_open_border():
    window, circles = window_around(hole(0, 10, 80, 96), False, 20)
    assert window == (slice(0, 30), slice(60, 96))
    assert circles == (False, False)


def test_distance_is_counted_from_the_hole():
    distance = distance_to(hole(40, 41, 50, 51), 9)
    assert distance[40, 50] == 0 and distance[43, 52] == 5 and distance[0, 0] == 9
