"""What is made of a whole picture takes memory for what is made, and not for each step on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from memory_peaks import peak_memory

from gan_worker.materials.pixels import unit_normals
from gan_worker.materials.reading import as_maps

LARGE = (4096, 256, 3)


def noise():
    return np.random.default_rng(1).random(LARGE, np.float32)


def test_unit_normals_take_their_own_size_alone():
    picture = noise()
    assert peak_memory(lambda: unit_normals(picture)) < 1.5 * picture.nbytes


def test_unit_normals_are_the_same_in_each_part_of_a_picture():
    picture = noise()
    parts = [unit_normals(picture[top : top + 100]) for top in range(0, len(picture), 100)]
    assert np.array_equal(unit_normals(picture), np.concatenate(parts))


@pytest.mark.parametrize(("name", "times"), [("a.png", 1), ("a.exr", 2)])
def test_a_color_that_is_read_is_copied_as_often_as_it_is_changed(name, times):
    picture = noise()
    held = peak_memory(lambda: as_maps("base_color", picture, Path(name)))
    assert held < (times + 0.5) * picture.nbytes
