"""Each fault of a material is named with its cure, and a good material has none."""

import numpy as np
import pytest

from gan_worker.materials.pixels import quantise, to_light, to_screen
from gan_worker.validation.findings import State
from gan_worker.validation.material import validate

SIDE = 96


def waves(seed, periods=(3, 5, 8, 13)):
    """A height in 0..1 that closes at its borders."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] * (2 * np.pi / SIDE)
    height = sum(
        np.sin(chance.integers(-n, n + 1) * x + n * y + chance.uniform(0, 6)) / n for n in periods
    )
    height = (height - height.min()) / np.ptp(height)
    return height[..., None].astype(np.float32)


def bricks():
    """Maps of a material that nothing is wrong with, all made of one relief."""
    height = waves(1)
    dx = (np.roll(height, -1, 1) - np.roll(height, 1, 1))[..., 0] * 4
    dy = (np.roll(height, -1, 0) - np.roll(height, 1, 0))[..., 0] * 4
    normals = np.stack([-dx, dy, np.ones_like(dx)], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    tints = np.array([0.55, 0.35, 0.28], np.float32)
    return {
        "base_color": (0.5 + 0.5 * height) * tints,
        "roughness": 0.9 - 0.3 * height,
        "metallic": np.zeros_like(height),
        "normal": (normals * 0.5 + 0.5).astype(np.float32),
        "height": 0.1 + 0.8 * height,
        "ambient_occlusion": 0.6 + 0.35 * height,
    }


def wrong(changes, closed=None):
    maps = bricks() | {name: np.asarray(p, np.float32) for name, p in changes.items()}
    return [f for f in validate(maps, closed) if f.state is not State.ok]


def only(changes, closed=None):
    (finding,) = wrong(changes, closed)
    assert finding.cure, "without a cure"
    return finding


def inverted(name, channel):
    picture = bricks()[name].copy()
    picture[..., channel] = 1 - picture[..., channel]
    return {name: picture}


@pytest.mark.parametrize("closed", [None, True, False])
@pytest.mark.parametrize("bits", [8, 16, 32])
def test_a_good_material_is_good_whatever_its_numbers(closed, bits):
    maps = {n: p if bits == 32 else quantise(p, bits) for n, p in bricks().items()}
    found = validate(maps, closed)
    assert [(f.map, f.state) for f in found] == [(n, State.ok) for n in maps]


def test_a_photo_alone_is_enough():
    (found,) = validate({"base_color": bricks()["base_color"]})
    assert found.state is State.ok


def test_nothing_is_wrong_with_nothing():
    assert validate({}) == ()


@pytest.mark.parametrize(
    ("channel", "word"), [(0, "red"), (1, "green")], ids=["mirrored", "directx"]
)
def test_a_turned_channel_of_normals_is_named(channel, word):
    found = only(inverted("normal", channel))
    assert (found.map, found.state) == ("normal", State.bad)
    assert f"The {word} of the normals" in found.message
    assert f"Invert the {word} channel" in found.cure


def test_an_inverted_height_is_named():
    found = only({"height": 1 - bricks()["height"]})
    assert (found.map, found.state) == ("height", State.bad)
    assert "inverted" in found.message


def test_a_height_of_something_else_is_told():
    found = only({"height": waves(99, (2, 7, 11))})
    assert "nothing in common" in found.message


@pytest.mark.parametrize("curve", [to_screen, to_light])
def test_normals_that_an_srgb_curve_has_changed_are_told_either_way(curve):
    found = wrong({"normal": curve(bricks()["normal"])})
    assert any("sRGB curve" in f.message and "Non-Color" in f.cure for f in found)
    assert found[0].state is State.bad


def test_normals_that_point_inwards_are_told():
    assert any("into the surface" in f.message for f in wrong(inverted("normal", 2)))


def test_short_and_flat_normals_are_told():
    normals = bricks()["normal"]
    short = only({"normal": 0.5 + 0.6 * (normals - 0.5)})
    assert "length of 0.60" in short.message and short.state is State.warn
    flat = np.broadcast_to(np.array([0.5, 0.5, 1.0]), normals.shape)
    assert "flat" in only({"normal": flat}).message


def test_colors_darker_and_brighter_than_any_surface_are_told():
    color = bricks()["base_color"]
    assert "darker than 30" in only({"base_color": color * 0.1}).message
    bright = only({"base_color": 0.97 + 0.03 * color})
    assert "brighter than 240" in bright.message and bright.state is State.bad


def test_metals_have_colors_of_their_own():
    metal = np.ones((SIDE, SIDE, 1))
    steel = {"metallic": metal, "base_color": 0.6 + 0.3 * np.repeat(waves(4), 3, axis=-1)}
    assert wrong(steel) == []
    dark = only(steel | {"base_color": steel["base_color"] * 0.35})
    assert "metal darker than 100" in dark.message
    # A dark metal under dust is judged where it is metal.
    half = metal.copy()
    half[:, SIDE // 2 :] = 0
    assert any(
        "metal darker" in f.message
        for f in wrong({"metallic": half, "base_color": 0.35 * steel["base_color"]})
    )


def test_a_metallic_map_of_half_metals_is_told():
    assert "neither" in only({"metallic": 0.3 + 0.4 * waves(6)}).message


def test_a_range_at_its_end_is_told():
    height = waves(7)
    mirror = only({"roughness": np.maximum(1.5 * height - 0.6, 0)})
    assert "end of its range" in mirror.message and "mirror" in mirror.message
    assert "0.50 everywhere" in only({"roughness": np.full_like(height, 0.5)}).message
    assert "cut off" in only({"height": np.minimum(bricks()["height"] * 2, 1)}).message


def test_an_occlusion_that_is_black_or_white_is_told():
    shape = (SIDE, SIDE, 1)
    black = only({"ambient_occlusion": np.zeros(shape)})
    assert black.state is State.bad and "inverted" in black.cure
    assert "everywhere" in only({"ambient_occlusion": np.ones(shape)}).message


def test_sizes_that_differ_are_told_with_both():
    found = only({"roughness": bricks()["roughness"][: SIDE // 2]})
    assert (found.map, found.state) == ("", State.bad)
    assert "96×48" in found.message and "96×96" in found.message


@pytest.mark.parametrize(("value", "word"), [(np.nan, "no numbers"), (1.5, "beyond 0 to 1")])
def test_values_that_are_none_are_told_and_not_looked_at_further(value, word):
    broken = bricks()["roughness"].copy()
    broken[3, 3] = value
    found = only({"roughness": broken})
    assert word in found.message and found.state is State.bad


def test_a_seam_is_told_where_the_first_map_has_none_or_all_must_close():
    ramp = np.linspace(0.3, 0.7, SIDE)[None, :, None] * np.ones((SIDE, 1, 1))
    found = only({"roughness": ramp})
    assert (found.map, found.state) == ("roughness", State.bad)
    assert "seam" in found.message
    assert wrong({"roughness": ramp}, closed=False) == []
    open_color = {"base_color": ramp * np.array([0.6, 0.5, 0.4])}
    assert wrong(open_color) == [], "a photo that does not tile need not"
    assert "Base Color has a seam" in only(open_color, closed=True).message


def test_the_worst_comes_first():
    changes = inverted("normal", 1) | {"roughness": np.full((SIDE, SIDE, 1), 0.5, np.float32)}
    found = validate(bricks() | changes)
    assert [f.state for f in found] == sorted((f.state for f in found), key=list(State)[::-1].index)
    assert found[0].map == "normal" and found[1].map == "roughness"


@pytest.mark.parametrize("side", [1, 2, 3, 5])
def test_tiny_maps_are_looked_at(side):
    maps = {name: picture[:side, :side] for name, picture in bricks().items()}
    assert {f.map for f in validate(maps, closed=True)} == set(maps)
