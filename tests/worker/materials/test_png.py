"""The PNG encoder: pixels come back exactly for every reader, by either of its compressors and filters."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import OpenImageIO as oiio
import pytest
from PIL import Image

from gan_worker.materials import png
from gan_worker.materials.pictures import read_stored
from gan_worker.materials.png import encode_png, png_pieces, text_chunks, write_png


@pytest.fixture(params=["zlib", "isal.isal_zlib"], autouse=True)
def compressor(request, monkeypatch):
    """Both are used wherever the worker's packages are; in Blender there is zlib alone."""
    monkeypatch.setattr(png, "deflate", pytest.importorskip(request.param))


def grain(height, width, channels, kind, along=None):
    """Noise that is smooth along an axis of the picture."""
    generator = np.random.default_rng(5)
    highest = np.iinfo(kind).max
    steps = generator.integers(-highest // 9, highest // 9, (height, width, channels))
    values = np.cumsum(steps, axis=along) if along is not None else steps
    return (values % (highest + 1)).astype(kind)


def filters(data):
    """The filter of every row, as the file says."""
    width, _, bits, color = struct.unpack(">IIBB", data[16:26])
    place, packed = 8, b""
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        if data[place + 4 : place + 8] == b"IDAT":
            packed += data[place + 8 : place + 8 + length]
        place += 12 + length
    row = 1 + width * {0: 1, 2: 3, 4: 2, 6: 4}[color] * bits // 8
    return set(zlib.decompress(packed)[::row])


@pytest.mark.parametrize("along", [0, 1, None])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 70), (70, 1), (300, 211)])
def test_pixels_come_back_to_the_bit(size, channels, kind, along, tmp_path):
    pixels = grain(*size, channels, kind, along)
    file = tmp_path / "a.png"
    file.write_bytes(encode_png(pixels))
    assert np.array_equal(read_stored(file), pixels)
    opened = oiio.ImageInput.open(str(file))
    assert opened.spec().nchannels == channels
    opened.close()


def test_others_read_it_too():
    pixels = grain(64, 48, 3, np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_png(pixels)))), pixels)


def test_rows_that_lie_apart_are_taken_as_they_are(tmp_path):
    pixels = grain(40, 60, 3, np.uint16)[::-2, 3:50]
    (tmp_path / "a.png").write_bytes(encode_png(pixels))
    assert np.array_equal(read_stored(tmp_path / "a.png"), pixels)


@pytest.mark.parametrize("number", [1, 2])
def test_the_filter_goes_along_the_grain(number):
    stripes = np.broadcast_to(grain(200, 1, 3, np.uint8), (200, 200, 3))
    # Each row is of one color: a pixel is told by the one before it, filter 1. Turned, by the one above.
    pixels = stripes if number == 1 else stripes.transpose(1, 0, 2)
    assert filters(encode_png(pixels)) == {number}


def test_pieces_and_the_whole_are_the_same_bytes(tmp_path):
    pixels = grain(300, 400, 3, np.uint8)
    texts = text_chunks({"Artist": "Ü", "xmp": "<x/>"})
    parts: list[bytes] = []
    assert sum(1 for _ in png_pieces(pixels, parts, texts)) > 1
    with (tmp_path / "a.png").open("wb") as file:
        write_png(file, pixels, texts)
    assert (tmp_path / "a.png").read_bytes() == b"".join(parts)


def test_texts_stand_before_the_pixels_in_any_letters():
    picture = Image.open(io.BytesIO(_marked()))
    assert picture.text["Author"] == "Ünal 日本"
    data = _marked()
    assert data.index(b"IHDR") < data.index(b"iTXt") < data.index(b"IDAT")


def _marked():
    out = io.BytesIO()
    write_png(out, grain(8, 8, 1, np.uint8), text_chunks({"Artist": "Ünal 日本"}))
    return out.getvalue()
