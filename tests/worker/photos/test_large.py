"""Photos too large to be held: what corners cut out of them has all their pixels, whichever way they were taken."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from gan_worker.materials.pictures import read_layout, read_picture, write_picture
from gan_worker.materials.reduction import read_part
from gan_worker.materials.sets import find_materials, read_material
from gan_worker.photos.straightening import straighten, straighten_part

HEIGHT, WIDTH = 150, 210
SLANTED = ((0.3, 0.2), (0.8, 0.25), (0.75, 0.7), (0.35, 0.65))
UPRIGHT = ((0.25, 0.2), (0.75, 0.2), (0.75, 0.8), (0.25, 0.8))
TO_THE_EDGE = ((0.0, 0.02), (1.0, 0.0), (0.97, 1.0), (0.0, 0.98))


@pytest.fixture
def picture():
    return np.random.default_rng(3).random((HEIGHT, WIDTH, 3), np.float32)


def photo(file):
    (found,), _, _ = find_materials([file])
    return found


def cut_out(file, corners, shrink=1):
    one = photo(file)
    return straighten_part(lambda box: read_part(one, box), read_layout(file).size, corners, shrink)


def means(picture, side):
    rows, columns = (n // side for n in picture.shape[:2])
    cut = picture[: rows * side, : columns * side]
    return cut.reshape(rows, side, columns, side, -1).mean(axis=(1, 3))


@pytest.mark.parametrize("corners", [SLANTED, UPRIGHT, TO_THE_EDGE])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.exr"])
def test_it_is_what_the_whole_photo_gives(picture, tmp_path, name, corners):
    write_picture(tmp_path / name, picture, "exr" if "exr" in name else 16)
    found = cut_out(tmp_path / name, corners)
    whole = straighten(read_material(photo(tmp_path / name))["base_color"], corners)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, whole, atol=1e-4)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_corners_are_those_of_the_upright_photo(picture, tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray((picture * 255).astype(np.uint8)).save(tmp_path / "a.png", exif=exif)
    found = cut_out(tmp_path / "a.png", SLANTED)
    upright = read_picture(tmp_path / "a.png")
    assert (upright.shape[0] > upright.shape[1]) == (orientation > 4)
    np.testing.assert_allclose(found, straighten(upright, SLANTED), atol=1e-4)


@pytest.mark.parametrize("corners", [SLANTED, UPRIGHT])
@pytest.mark.parametrize("shrink", [2, 4])
def test_what_is_left_is_made_smaller_by_means(tmp_path, corners, shrink):
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    waves = np.sin(x / 11), np.cos(y / 9), np.sin((x + y) / 14)
    smooth = (0.5 + 0.4 * np.stack(waves, axis=-1)).astype(np.float32)
    write_picture(tmp_path / "a.png", smooth, 16)
    found = cut_out(tmp_path / "a.png", corners, shrink)
    wanted = means(straighten(smooth, corners), shrink)
    assert found.shape == wanted.shape
    # What fills no box is left out of an upright part, and shrunk into the others of a slanted one.
    error = np.abs(found - wanted)
    assert error.max() < 1e-4 if corners == UPRIGHT else error.mean() < 0.03


def test_no_more_than_the_part_is_held(tmp_path):
    gray = np.full((2048, 2048, 3), 0.5, np.float32)
    write_picture(tmp_path / "a.png", gray)
    small = ((0.1, 0.1), (0.15, 0.11), (0.15, 0.16), (0.1, 0.15))
    tracemalloc.start()
    try:
        cut_out(tmp_path / "a.png", small)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < gray.nbytes / 3
