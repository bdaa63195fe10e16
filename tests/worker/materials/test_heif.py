"""HEIC pictures of phones: read as JPEG is, whatever they are called, or refused with what to do."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
from PIL import Image

from gan_worker.errors import PictureError
from gan_worker.materials.pictures import (
    check_picture,
    read_bands,
    read_header,
    read_picture,
    read_stored,
)
from gan_worker.materials.sets import find_materials

pillow_heif = pytest.importorskip("pillow_heif")


@pytest.fixture
def photo():
    """Smooth, different at each corner: uint8 (48, 80, 3)."""
    down, across = np.mgrid[0:48, 0:80]
    return np.stack([4 * down, 3 * across, 200 - 2 * down], axis=-1).astype(np.uint8)


def save(photo, file, **options):
    pillow_heif.from_pillow(Image.fromarray(photo)).save(file, quality=100, **options)


def refusal(file):
    with pytest.raises(PictureError) as caught:
        check_picture(file)
    assert caught.value.code == "picture_unreadable"
    return caught.value


@pytest.mark.parametrize("name", ["IMG_0001.HEIC", "a.heif", "a.hif", "sent as.jpg", "a.png"])
def test_a_photo_is_read_whole_and_in_bands(name, photo, tmp_path):
    file = tmp_path / name
    save(photo, file, exif=exif(Artist=(0x13B, "Ann")))
    assert check_picture(file) == (80, 48)
    read = read_picture(file)
    assert read.shape == (48, 80, 3)
    assert np.abs(read * 255 - photo).max() < 12
    assert np.array_equal(np.concatenate(list(read_bands(file))), read)
    assert np.array_equal(read_stored(file), np.round(read * 255))
    assert read_header(file) == (80, 48, read_header(file)[2] | {"Artist": "Ann"})
    (found,), _, _ = find_materials([tmp_path])
    assert list(found.files.values()) == [file]


@pytest.mark.parametrize("channels", [1, 4])
def test_one_in_gray_or_with_alpha_is_read_too(channels, photo, tmp_path):
    stored = np.concatenate([photo, photo[..., :1]], axis=-1)[..., :channels]
    save(stored.squeeze(), tmp_path / "a.heic")
    assert check_picture(tmp_path / "a.heic") == (80, 48)
    read = read_picture(tmp_path / "a.heic", alpha=True)
    assert read.shape == stored.shape
    assert np.abs(read * 255 - stored).max() < 12
    assert len(find_materials([tmp_path])[0]) == 1


def exif(**texts):
    made = Image.Exif()
    for tag, text in texts.values():
        made[tag] = text
    return made.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_stands_upright(orientation, photo, tmp_path):
    made = Image.Exif()
    made[0x112] = orientation
    save(photo, tmp_path / "a.heic", exif=made.tobytes())
    upright = np.asarray(Image.open(_opened(tmp_path / "a.heic")))
    assert read_picture(tmp_path / "a.heic").shape == upright.shape


def _opened(file):
    """The same picture as PNG, as Pillow shows it."""
    pillow_heif.register_heif_opener()
    shown = file.with_suffix(".png")
    Image.open(file).save(shown)
    return shown


@pytest.mark.parametrize("share", [0.05, 0.4, 0.8, 0.98])
def test_a_truncated_one_is_refused(share, photo, tmp_path):
    file = tmp_path / "a.heic"
    save(np.random.default_rng(0).integers(0, 256, photo.shape).astype(np.uint8), file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    refusal(file)


def test_without_the_package_the_cure_is_said(photo, tmp_path, monkeypatch):
    save(photo, tmp_path / "a.heic")
    load = builtins.__import__

    def missing(name, *others):
        if name == "pillow_heif":
            raise ImportError(name)
        return load(name, *others)

    monkeypatch.setattr(builtins, "__import__", missing)
    error = refusal(tmp_path / "a.heic")
    assert "pillow-heif" in str(error)
    assert "JPEG" in error.info.cure


def test_another_of_its_family_is_named(tmp_path):
    (tmp_path / "a.avif").write_bytes(b"\0\0\0\x1cftypavif" + bytes(200))
    error = refusal(tmp_path / "a.avif")
    assert "AVIF" in str(error)
    assert "PNG" in error.info.cure
