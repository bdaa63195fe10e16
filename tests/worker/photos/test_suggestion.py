"""Corners are suggested where a pattern tells them, rightly, and nowhere else."""

import numpy as np
import pytest

from gan_worker.photos.straightening import homography, project
from gan_worker.photos.suggestion import suggest_corners

SIDE = 400
WHOLE = ((0, 0), (1, 0), (1, 1), (0, 1))


def bond(x, y):
    """A wall of bricks of many tones in running bond; its joints lie along x and y."""
    row = np.floor(y / 0.05)
    column = np.floor(x / 0.11 + 0.5 * (row % 2))
    tone = np.sin(12.9898 * row + 78.233 * column) * 43758.5453 % 1
    across = x / 0.11 + 0.5 * (row % 2) - column
    joint = (y / 0.05 - row < 0.2) | (across < 0.1)
    return np.where(joint, 0.75, 0.25 + 0.2 * tone)


def photo(corners, pattern):
    """A photo that shows the square of a surface, 0..1, within these corners, and goes on around it."""
    shown = homography(np.array(corners) * SIDE, np.array(WHOLE, float))
    total = np.zeros((SIDE, SIDE))
    for dx, dy in ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)):
        x, y = np.meshgrid(np.arange(SIDE) + dx, np.arange(SIDE) + dy)
        total += pattern(*project(shown, x, y)) / 4
    return np.repeat(total[..., None], 3, axis=-1).astype(np.float32)


SLANTED = [
    ((0.15, 0.1), (0.85, 0.1), (1.0, 0.95), (0.0, 0.95)),
    ((0.05, 0.0), (0.95, 0.15), (0.95, 0.85), (0.05, 1.0)),
    ((0.1, 0.02), (0.92, 0.1), (1.0, 0.95), (0.02, 0.97)),
]


@pytest.mark.parametrize("corners", SLANTED)
def test_a_slanted_wall_gets_corners_that_lie_along_its_joints(corners):
    found = suggest_corners(photo(corners, bond))
    assert found is not None
    on_wall = homography(np.array(corners) * SIDE, np.array(WHOLE, float))
    x, y = project(on_wall, *(np.array(found).T * SIDE))
    width, height = x[1] - x[0], y[3] - y[0]
    off = [y[1] - y[0], y[2] - y[3], x[3] - x[0], x[2] - x[1]]
    assert min(width, height) > 0.5
    # Two degrees at most from the joints, on every side.
    assert np.abs(off).max() < np.tan(np.radians(2)) * min(width, height)


def test_an_upright_wall_is_taken_whole():
    assert suggest_corners(photo(WHOLE, bond)) == WHOLE


def test_gravel_has_no_corners():
    chance = np.random.default_rng(1)
    coarse = sum(
        np.kron(chance.normal(size=(SIDE // n, SIDE // n)), np.ones((n, n))) for n in (2, 4, 8, 16)
    )
    gravel = np.clip(0.5 + 0.1 * coarse, 0, 1)[..., None].astype(np.float32)
    assert suggest_corners(gravel) is None


@pytest.mark.parametrize("shape", [(1, 1, 3), (60, 400, 3), (300, 300, 1)])
def test_small_and_flat_pictures_have_none(shape):
    assert suggest_corners(np.full(shape, 0.5, np.float32)) is None
