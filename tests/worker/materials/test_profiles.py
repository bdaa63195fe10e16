"""Color profiles: pictures in other colors are learned as what they show; littleCMS is the judge."""

from __future__ import annotations

import io
import struct
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_peaks import peak_memory
from PIL import Image, ImageCms

from gan_worker.materials.pictures import (
    quantise,
    read_bands,
    read_header,
    read_picture,
    read_stored,
)
from gan_worker.materials.pixels import to_screen, to_srgb
from gan_worker.materials.sets import find_materials, read_material

# x and y of red, green and blue.
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
PROPHOTO = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))
D65, D50 = (0.3127, 0.3290), (0.3457, 0.3585)
SRGB_CURVE = (3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def fixed(*numbers):
    return b"".join(struct.pack(">i", round(n * 65536)) for n in numbers)


def gamma(value):
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256))


def table(values):
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *values)


def parametric(kind, *terms):
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + fixed(*terms)


def xyz_of(x, y):
    return np.array([x / y, 1, (1 - x - y) / y])


def colorants(primaries, white):
    """Red, green and blue in XYZ for D50, by Bradford."""
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    matrix = np.stack([xyz_of(*p) for p in primaries], axis=1)
    matrix = matrix * np.linalg.solve(matrix, xyz_of(*white))
    scale = (bradford @ np.array([0.9642, 1, 0.8249])) / (bradford @ xyz_of(*white))
    return np.linalg.inv(bradford) @ np.diag(scale) @ bradford @ matrix


def profile(primaries, white, curve):
    red, green, blue = colorants(primaries, white).T
    tags = {b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1, 0.8249)}
    for name, color in zip("rgb", (red, green, blue), strict=True):
        tags[f"{name}XYZ".encode()] = b"XYZ " + bytes(4) + fixed(*color)
        tags[f"{name}TRC".encode()] = curve
    return icc(b"RGB ", tags)


def icc(space, tags):
    description = b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(78)
    tags = {b"desc": description, b"cprt": b"text" + bytes(4) + b"x\0", **tags}
    place, listed, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        listed += name + struct.pack(">II", place + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = bytearray(128)
    head[0:4] = struct.pack(">I", place + len(body))
    head[8:12], head[12:24] = b"\x02\x10\0\0", b"mntr" + space + b"XYZ "
    head[36:40], head[68:80] = b"acsp", fixed(0.9642, 1, 0.8249)
    return bytes(head) + struct.pack(">I", len(tags)) + listed + body


PROFILES = {
    "Adobe RGB": profile(ADOBE, D65, gamma(563 / 256)),
    "Display P3": profile(P3, D65, parametric(*SRGB_CURVE)),
    "ProPhoto": profile(PROPHOTO, D50, gamma(1.8)),
    "P3 with a table": profile(P3, D65, table([round(65535 * (n / 1023) ** 2) for n in range(1024)])),
    "Adobe RGB with a foot": profile(ADOBE, D65, parametric(4, 2.2, 0.9, 0.1, 0.3, 0.04, 0, 0)),
    "linear": profile(ADOBE, D65, table([])),
}  # fmt: skip
GREYS = {
    "gamma 1.8": icc(b"GRAY", {b"kTRC": gamma(1.8)}),
    "dots that gain": icc(
        b"GRAY", {b"kTRC": table([round(65535 * (n / 255) ** 1.6) for n in range(256)])}
    ),
}


def colors():
    steps = [0, 30, 90, 128, 200, 255]
    return np.array(list(product(steps, repeat=3)), np.uint8).reshape(18, 12, 3)


def judged(picture, data):
    """What littleCMS makes of it."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(data))
    srgb = ImageCms.createProfile("sRGB")
    flat = picture[..., 0] if picture.shape[-1] == 1 else picture
    image = Image.fromarray(flat)
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    return np.asarray(ImageCms.profileToProfile(image, source, srgb, intent, "RGB"), np.float32)


@pytest.mark.parametrize("name", PROFILES)
def test_colors_become_what_another_program_shows(name):
    convert = to_srgb(PROFILES[name])
    found = convert(colors().astype(np.float32) / 255) * 255
    assert np.abs(found - judged(colors(), PROFILES[name])).max() < 1.6


@pytest.mark.parametrize(("name", "power"), [("gamma 1.8", 1.8), ("dots that gain", 1.6)])
def test_greys_become_what_has_that_light(name, power):
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16, 1)
    assert to_srgb(GREYS[name])(ramp) == pytest.approx(to_screen(ramp**power), abs=1e-3)


def test_colors_of_srgb_stay_what_they_are_to_the_bit():
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert to_srgb(own) is None


@pytest.mark.parametrize("extension", ["png", "jpg", "tif", "webp"])
def test_a_base_color_is_converted_and_data_is_not(extension, tmp_path):
    data = PROFILES["Adobe RGB"]
    for word in ("color", "normal", "roughness"):
        options = {"lossless": True} if extension == "webp" else {}
        options |= {"quality": 100, "subsampling": 0} if extension == "jpg" else {}
        image = Image.fromarray(np.full((32, 32, 3), (180, 60, 120), np.uint8))
        image.save(tmp_path / f"wall_{word}.{extension}", icc_profile=data, **options)
    (found,), _, _ = find_materials([tmp_path])
    maps = {name: picture[8, 8] * 255 for name, picture in read_material(found).items()}
    wanted = judged(np.full((1, 1, 3), (180, 60, 120), np.uint8), data)[0, 0]
    assert maps["base_color"] == pytest.approx(wanted, abs=3)
    assert maps["base_color"][0] > 190
    assert maps["normal"] == pytest.approx((180, 60, 120), abs=2)
    assert maps["roughness"] == pytest.approx((120,), abs=2)


def test_bands_and_stored_numbers_have_the_same_colors_and_their_alpha(tmp_path):
    file = tmp_path / "a.png"
    alpha = np.arange(216, dtype=np.uint8).reshape(18, 12, 1)
    picture = Image.fromarray(np.concatenate([colors(), alpha], axis=-1))
    picture.save(file, icc_profile=PROFILES["Display P3"])
    whole = read_picture(file, srgb=True)
    assert np.array_equal(np.concatenate(list(read_bands(file, srgb=True))), whole)
    stored = read_stored(file, srgb=True)
    assert np.array_equal(stored[..., :3], quantise(whole, 8))
    assert np.array_equal(stored[..., 3:], alpha)
    assert np.array_equal(quantise(read_picture(file), 8), colors())


def test_sixteen_bits_keep_their_steps(tmp_path):
    found = to_srgb(PROFILES["Adobe RGB"])(
        np.linspace(0.2, 0.8, 30000, dtype=np.float32).reshape(1, -1, 1).repeat(3, 2)
    )
    assert len(np.unique(found[..., 1])) > 15000


@pytest.mark.parametrize("channels", [3, 4])
def test_a_large_picture_takes_no_memory_beside_what_is_made_of_it(channels):
    picture = np.random.default_rng(1).random((4096, 256, channels), np.float32)
    convert = to_srgb(PROFILES["Display P3"])
    parts = [convert(picture[top : top + 100]) for top in range(0, len(picture), 100)]
    assert np.array_equal(convert(picture), np.concatenate(parts))
    assert peak_memory(lambda: convert(picture)) < 1.5 * picture.nbytes


def test_a_profile_of_another_kind_of_picture_changes_nothing():
    grey, color = np.full((2, 2, 1), 0.4, np.float32), np.full((2, 2, 3), 0.4, np.float32)
    assert np.array_equal(to_srgb(PROFILES["Adobe RGB"])(grey), grey)
    assert np.array_equal(to_srgb(GREYS["gamma 1.8"])(color), color)
    assert to_srgb(icc(b"CMYK", {})) is None
    assert to_srgb(icc(b"RGB ", {b"A2B0": bytes(50)})) is None


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_profile_never_stops_a_picture(data):
    whole = data.draw(st.sampled_from([*PROFILES.values(), *GREYS.values()]))
    spoiled = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for place in data.draw(st.lists(st.integers(0, max(0, len(spoiled) - 1)), max_size=4)):
        if spoiled:
            spoiled[place] = data.draw(st.integers(0, 255))
    convert = to_srgb(bytes(spoiled))
    if convert is not None:
        picture = np.linspace(0, 1, 36, dtype=np.float32).reshape(3, 4, 3)
        for given_picture in (picture, picture[..., :1]):
            found = convert(given_picture)
            assert found.shape == given_picture.shape
            assert found.min() >= 0
            assert found.max() <= 1


@pytest.mark.parametrize("name", PROFILES)
def test_what_a_file_says_of_itself_is_read_where_its_profile_says_little(name, tmp_path):
    Image.fromarray(colors()).save(tmp_path / "a.png", icc_profile=PROFILES[name])
    assert read_header(tmp_path / "a.png")[:2] == (12, 18)


def test_a_photo_of_a_phone_is_converted_too(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    file = tmp_path / "a.heic"
    heif.from_pillow(Image.new("RGB", (64, 64), (200, 60, 40))).save(
        file, quality=100, icc_profile=PROFILES["Display P3"]
    )
    plain = quantise(read_picture(file), 8)
    found = read_picture(file, srgb=True) * 255
    assert np.abs(found - judged(plain, PROFILES["Display P3"])).max() < 1.6
    assert found[32, 32, 0] > 205
