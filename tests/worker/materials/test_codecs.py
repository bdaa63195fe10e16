"""Codecs of pictures by properties: what is written is read, by us and by others, and no damage ends the process."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageCms

from gan_worker.materials.pictures import (
    check_picture,
    read_bands,
    read_header,
    read_picture,
    read_stored,
    write_picture,
)

# One file is written again and again.
many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SIDES = st.integers(1, 70)


def whole_numbers(kind, channels):
    return st.tuples(SIDES, SIDES, channels).flatmap(lambda shape: arrays.arrays(kind, shape))


@many
@given(whole_numbers(np.uint8, st.integers(1, 4)))
def test_a_png_is_what_was_written_for_others_too(tmp_path, pixels):
    write_picture(tmp_path / "a.png", pixels)
    shown = np.asarray(Image.open(tmp_path / "a.png"))
    assert np.array_equal(shown.reshape(pixels.shape), pixels)
    assert np.array_equal(read_stored(tmp_path / "a.png"), pixels)
    assert check_picture(tmp_path / "a.png") == (pixels.shape[1], pixels.shape[0])


@many
@given(
    pixels=whole_numbers(np.uint16, st.sampled_from([1, 3, 4])),
    extension=st.sampled_from(["png", "tif"]),
)
def test_sixteen_bits_are_what_was_written(tmp_path, extension, pixels):
    write_picture(tmp_path / f"a.{extension}", pixels, 16)
    assert np.array_equal(read_stored(tmp_path / f"a.{extension}"), pixels)


@many
@given(whole_numbers(np.uint16, st.sampled_from([1, 3])))
def test_half_floats_are_what_was_written(tmp_path, pixels):
    halves = pixels.view(np.float16).astype(np.float32)
    write_picture(tmp_path / "a.exr", halves, "exr")
    assert np.array_equal(read_picture(tmp_path / "a.exr"), halves, equal_nan=True)


@many
@given(
    pixels=whole_numbers(np.uint8, st.integers(1, 4)),
    extension=st.sampled_from(["png", "tif", "tga", "bmp", "exr"]),
)
def test_bands_are_the_whole(tmp_path, extension, pixels):
    file = tmp_path / f"a.{extension}"
    if extension == "bmp" and pixels.shape[-1] == 2:
        pixels = pixels[..., :1]
    write_picture(file, pixels, "exr" if extension == "exr" else 8)
    for alpha in (False, True):
        whole = read_picture(file, alpha)
        assert np.array_equal(np.concatenate(list(read_bands(file, alpha))), whole)
    assert read_header(file)[:2] == (pixels.shape[1], pixels.shape[0])


@many
@given(st.dictionaries(st.sampled_from(["Artist", "Copyright", "Software"]), st.text(max_size=40)))
def test_what_a_file_says_of_itself_is_read_again(tmp_path, texts):
    texts = {name: text.replace("\0", "") for name, text in texts.items()}
    write_picture(tmp_path / "a.png", np.zeros((2, 2, 1), np.uint8), metadata=texts)
    said = read_header(tmp_path / "a.png")[2]
    assert {name: said.get(name, "") for name in texts} == texts


# Spoils pictures of all formats, byte by byte and by their length; a decoder that crashes takes this process alone.
SPOIL = """
import random, sys
from pathlib import Path
from gan_worker.errors import PictureError
from gan_worker.materials.pictures import check_picture, read_bands, read_header, read_picture
folder, draw = Path(sys.argv[1]), random.Random(7)
for file in sorted(folder.glob("whole.*")):
    whole = file.read_bytes()
    for number in range(40):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 6)):
            # The header is where it hurts.
            most = min(len(data), 200) if draw.random() < 0.7 else len(data)
            data[draw.randrange(most)] = draw.randrange(256)
        del data[len(data) if draw.random() < 0.7 else draw.randrange(len(data)):]
        spoiled = folder / f"spoiled{file.suffix}"
        spoiled.write_bytes(data)
        print(file.suffix, number, flush=True)
        for read in (check_picture, read_header, read_picture, lambda f: list(read_bands(f, srgb=True))):
            try:
                read(spoiled)
            except PictureError as error:
                assert error.info.cure
print("done")
"""


def test_spoiled_pictures_are_read_or_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (24, 40, 3)).astype(np.uint8)
    for extension in ("png", "jpg", "tif", "exr", "webp", "tga", "bmp", "ppm", "hdr", "sgi", "dpx"):
        write_picture(
            tmp_path / f"whole.{extension}", noise, "exr" if extension in ("exr", "hdr") else 8
        )
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(noise).save(tmp_path / "whole.jfif", "JPEG", icc_profile=profile)
    if find_spec("pillow_heif"):
        import pillow_heif

        pillow_heif.from_pillow(Image.fromarray(noise)).save(tmp_path / "whole.heic")
    done = subprocess.run(
        [sys.executable, "-c", SPOIL, str(tmp_path)], capture_output=True, text=True, timeout=200
    )
    assert done.stdout.splitlines()[-1:] == ["done"], (done.stdout[-30:], done.stderr[-1500:])


def test_a_name_that_an_old_camera_wrote_is_read(tmp_path):
    exif = Image.Exif()
    exif[0x13B] = "Ann Muller"
    Image.new("RGB", (16, 16)).save(tmp_path / "a.jpg", exif=exif)
    file = tmp_path / "a.jpg"
    file.write_bytes(file.read_bytes().replace(b"Ann Muller", b"Ann M\xfcller"))
    assert read_header(file)[2]["Artist"] == "Ann Müller"
