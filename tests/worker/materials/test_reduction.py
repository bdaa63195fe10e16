"""Large pictures read in bands: the same pixels as those of small ones, in memory that does not grow with them."""

import subprocess
import sys
import zlib

import numpy as np
import OpenImageIO as oiio
import pytest
from PIL import Image

from gan_worker.errors import PictureError
from gan_worker.materials.pictures import read_bands, read_layout, read_picture, write_picture
from gan_worker.materials.reduction import read_reduced
from gan_worker.materials.sets import find_materials, read_material

HEIGHT, WIDTH = 300, 410


@pytest.fixture
def random():
    return np.random.default_rng(5)


def as_it_is(_, picture):
    return picture


def write_tiled(file, picture, kind=oiio.UINT16):
    spec = oiio.ImageSpec(WIDTH, HEIGHT, picture.shape[2], kind)
    spec.tile_width = spec.tile_height = 48
    output = oiio.ImageOutput.create(str(file))
    assert output.open(str(file), spec)
    assert output.write_tiles(0, WIDTH, 0, HEIGHT, 0, 1, picture)
    output.close()


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.exr", "a.tga", "a.bmp"])
def test_bands_are_the_rows_of_the_picture(name, tmp_path, random):
    write_picture(tmp_path / name, random.random((HEIGHT, WIDTH, 3)), "exr" if "exr" in name else 8)
    bands = list(read_bands(tmp_path / name))
    assert len(bands) > 1
    np.testing.assert_array_equal(np.concatenate(bands), read_picture(tmp_path / name))


@pytest.mark.parametrize(("name", "kind"), [("a.tif", oiio.UINT16), ("a.exr", oiio.HALF)])
def test_bands_of_tiles_are_the_rows_of_the_picture(name, kind, tmp_path, random):
    write_tiled(tmp_path / name, random.random((HEIGHT, WIDTH, 4)).astype(np.float32), kind)
    bands = np.concatenate(list(read_bands(tmp_path / name)))
    np.testing.assert_array_equal(bands, read_picture(tmp_path / name))


def test_a_picture_that_ends_early_is_refused_in_its_bands(tmp_path, random):
    write_picture(tmp_path / "a.png", random.random((HEIGHT, WIDTH, 3)))
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(PictureError) as caught:
        list(read_bands(tmp_path / "a.png"))
    assert caught.value.code == "picture_unreadable"


def boxes(picture, side):
    rows, columns = (n // side for n in picture.shape[:2])
    cut = picture[: rows * side, : columns * side]
    return cut.reshape(rows, side, columns, side, -1).mean(axis=(1, 3))


def check_against_whole(folder, shrink=16, side=64):
    (material,), _, _ = find_materials([folder])
    whole = read_material(material)
    reduced = read_reduced(material, tuple(whole), shrink, side, as_it_is)
    height, width = next(iter(whole.values())).shape[:2]
    assert (reduced.size, reduced.shrink) == ((width, height), shrink)
    assert list(reduced.overview) == list(reduced.window) == list(whole)
    top, left = (height - side) // 2, (width - side) // 2
    for name, picture in whole.items():
        np.testing.assert_allclose(reduced.overview[name], boxes(picture, shrink), atol=1e-5)
        kept = picture[top : top + side, left : left + side]
        np.testing.assert_allclose(reduced.window[name], kept, atol=1e-6)


def test_all_kinds_of_maps_are_reduced_as_they_are_read_whole(tmp_path, random):
    colors = random.random((HEIGHT, WIDTH, 3))
    write_picture(tmp_path / "wall_arm.png", colors)
    write_picture(tmp_path / "wall_roughness.png", random.random((HEIGHT, WIDTH, 1)))
    write_picture(tmp_path / "wall_normaldx.png", random.random((HEIGHT, WIDTH, 3)), 16)
    # Light, and heights in some unit, whose range is that of the whole picture.
    write_picture(tmp_path / "wall_basecolor.exr", colors, "exr")
    write_tiled(
        tmp_path / "wall_height.exr",
        random.normal(3, 2, (HEIGHT, WIDTH, 1)).astype(np.float32),
        oiio.FLOAT,
    )
    check_against_whole(tmp_path)


@pytest.mark.parametrize("signed", [True, False])
def test_normals_and_packed_heights_of_any_range_are_reduced_as_they_are_read_whole(
    signed, tmp_path, random
):
    normals = random.normal((0.5, 0.5, 1), (0.1, 0.1, 0), (HEIGHT, WIDTH, 3)).astype(np.float32)
    normals[0, 0] = -0.05  # in the first band alone
    height = random.normal(3, 2, (HEIGHT, WIDTH, 1)).astype(np.float32)
    height[0, 0] = np.nan
    write_picture(tmp_path / "wall_normal.exr", 2 * normals - 1 if signed else normals, "exr")
    packed = np.concatenate([normals.clip(0, 1), height], axis=-1)
    write_tiled(tmp_path / "wall_albht.exr", packed, oiio.FLOAT)
    check_against_whole(tmp_path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_is_reduced_upright(orientation, tmp_path, random):
    pixels = random.integers(0, 256, (256, 384, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "photo.png", exif=exif)
    assert read_layout(tmp_path / "photo.png").orientation == orientation
    check_against_whole(tmp_path)


def test_maps_of_other_sizes_are_refused(tmp_path, random):
    write_picture(tmp_path / "a_basecolor.png", random.random((64, 64, 3)))
    write_picture(tmp_path / "a_height.png", random.random((64, 64, 1)))
    (material,), _, _ = find_materials([tmp_path])
    write_picture(tmp_path / "a_height.png", random.random((64, 32, 1)))
    with pytest.raises(PictureError) as caught:
        read_reduced(material, ("height",), 2, 16, as_it_is)
    assert caught.value.code == "map_size_mismatch"


READ = """
import resource, sys
from gan_worker.materials.reduction import read_reduced
from gan_worker.materials.sets import find_materials
(material,), _, _ = find_materials([sys.argv[1]])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read_reduced(material, ("base_color",), 8, 256, lambda _, picture: picture)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_what_could_not_be_held_is_read_in_little_memory(tmp_path):
    side = 8200
    rows = np.tile(np.arange(side, dtype=np.uint32).astype(np.uint8)[:, None], (1, 3))
    packed = zlib.compress(side * (b"\0" + rows.tobytes()), 1)
    write_png(tmp_path / "a.png", side, packed)
    ran = subprocess.run([sys.executable, "-c", READ, tmp_path], capture_output=True, check=True)
    # As floats it takes 770 MB, and as bytes 190.
    assert int(ran.stdout) < 150


def write_png(file, side, packed):
    def chunk(kind, data):
        checked = kind + data
        return len(data).to_bytes(4) + checked + zlib.crc32(checked).to_bytes(4)

    header = side.to_bytes(4) * 2 + bytes((8, 2, 0, 0, 0))
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks))
