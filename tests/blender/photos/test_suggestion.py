"""Suggest: the corners of a photo's regular pattern, where there is one."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from blender_addon.photos import preparation, suggestion
from blender_addon.shader import images


def photo_of(colors: np.ndarray) -> bpy.types.Image:
    image = bpy.data.images.new("photo", colors.shape[1], colors.shape[0])
    images.write_pixels(image, (colors * 255).astype(np.uint8))
    return image


@pytest.fixture
def tiles() -> bpy.types.Image:
    """Tiles whose upper edge is further away than the lower one."""
    y, x = np.mgrid[0:480, 0:640] / 480
    far = 0.6 + 0.4 * y
    across, down = (x - 0.66) / far, 1 / far
    mortar = (np.mod(across * 6, 1) < 0.1) | (np.mod(down * 12, 1) < 0.12)
    return photo_of(np.where(mortar[..., None], (0.8, 0.8, 0.75), (0.65, 0.3, 0.2)))


@pytest.mark.newest_blender
def test_a_pattern_gives_corners_with_its_slant(tiles):
    task = suggestion.suggest(tiles)
    task.wait()
    task.raise_error()
    assert task.found
    left, right, _, _ = preparation.corners_of(tiles)
    lower_right, lower_left = preparation.corners_of(tiles)[2:]
    assert right[0] - left[0] < 0.85 * (lower_right[0] - lower_left[0])
    preparation.as_shown(tiles).check()


@pytest.mark.newest_blender
def test_where_there_is_no_pattern_nothing_is_suggested_and_it_is_said():
    noise = photo_of(np.random.default_rng(0).random((240, 320, 3)))
    before = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
    preparation.set_corners(noise, before)
    task = suggestion.suggest(noise)
    task.wait()
    assert task.state == "succeeded" and not task.found
    assert preparation.corners_of(noise) == before, "what was chosen stays"


def test_it_can_be_cancelled(tiles):
    task = suggestion.suggest(tiles)
    task.cancel()
    task.wait()
    assert task.state == "cancelled"
    assert not preparation.corners_of(tiles)
