import numpy as np
import pytest

from gan_worker.photos.straightening import homography, project, straighten, straightened_size

SLANTED = ((0.1, 0.05), (0.9, 0.15), (0.8, 0.95), (0.05, 0.85))


def smooth(x, y):
    """Colors of a plane, slow enough for any filter, at places in pixels of an upright wall of 200 × 160."""
    waves = (np.sin(x / 11), np.cos(y / 9), np.sin((x + y) / 14))
    return (0.5 + 0.4 * np.stack(waves, axis=-1)).astype(np.float32)


def slanted_wall(corners, width=240, height=200, size=(200, 160)):
    """A photo of the wall, whose corners it shows at these places."""
    places = np.array(corners) * (width, height)
    wall = np.array([[0, 0], [size[0], 0], size, [0, size[1]]])
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return smooth(*project(homography(places, wall), x, y))


def test_a_slanted_wall_becomes_upright():
    width, height = straightened_size(240, 200, SLANTED)
    found = straighten(slanted_wall(SLANTED), SLANTED)
    assert found.shape == (height, width, 3)
    x, y = np.meshgrid(
        (np.arange(width) + 0.5) / width * 200, (np.arange(height) + 0.5) / height * 160
    )
    error = np.abs(found - smooth(x, y))[3:-3, 3:-3]
    assert error.max() < 0.01


def test_sides_are_the_means_of_opposite_ones():
    corners = ((0, 0), (0.5, 0), (1, 1), (0, 1))
    across = (50 + 100) / 2
    down = (80 + np.hypot(50, 80)) / 2
    assert straightened_size(100, 80, corners) == (round(across), round(down))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_rectangle_is_cut_out_to_the_bit(channels):
    picture = np.random.default_rng(1).random((40, 60, channels), np.float32)
    corners = ((0.25, 0.1), (0.75, 0.1), (0.75, 0.9), (0.25, 0.9))
    assert straightened_size(60, 40, corners) == (30, 32)
    np.testing.assert_array_equal(straighten(picture, corners), picture[4:36, 15:45])


def test_all_of_a_picture_is_itself():
    picture = np.random.default_rng(1).random((21, 33, 3), np.float32)
    whole = ((0, 0), (1, 0), (1, 1), (0, 1))
    np.testing.assert_array_equal(straighten(picture, whole), picture)


def test_where_it_shrinks_nothing_aliases():
    # Near the lower edge the wall is seen large, and shrinks to what it is at the upper one.
    stripes = np.zeros((400, 400, 1), np.float32)
    stripes[:, ::2] = 1
    found = straighten(stripes, ((0.45, 0), (0.55, 0.001), (1, 1), (0, 0.999)))
    lowest = found[-8:, 10:-10]
    # Stripes of one pixel, on half as many: an even gray, where single samples would beat.
    assert lowest.std() < 0.06
    assert lowest.mean() == pytest.approx(0.5, abs=0.03)


def test_borders_go_on_beyond_the_edge():
    picture = np.full((32, 32, 3), 0.25, np.float32)
    found = straighten(picture, ((0, 0.02), (1, 0), (0.98, 1), (0.01, 0.97)))
    np.testing.assert_allclose(found, 0.25, atol=1e-6)
