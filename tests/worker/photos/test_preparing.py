import numpy as np
import pytest

from gan_worker.errors import RequestError
from gan_worker.materials.pixels import to_light, to_screen
from gan_worker.photos.light import luminance
from gan_worker.photos.preparing import prepare, prepared_size
from gan_worker.preparation import Preparation


def stones(height=120, width=160, cells=12):
    """A pavement of stones of many tones, evenly lit."""
    chance = np.random.default_rng(3)
    tones = 0.15 + 0.5 * chance.random((height // cells + 1, width // cells + 1, 1), np.float32)
    tints = np.array([1.0, 0.9, 0.8], np.float32)
    return to_screen(np.kron(tones, np.ones((cells, cells, 1)))[:height, :width] * tints)


def lit(picture, stops):
    """It under light that falls off by so many stops from the left to the right."""
    ramp = 2.0 ** (-stops * np.linspace(0, 1, picture.shape[1], dtype=np.float32))
    return to_screen(to_light(picture) * ramp[None, :, None])


def slope(picture):
    """How many stops darker the right third is than the left one."""
    third = picture.shape[1] // 3
    light = luminance(to_light(picture))
    return float(np.log2(light[:, :third].mean() / light[:, -third:].mean()))


def test_an_empty_preparation_changes_nothing():
    picture = stones()
    assert prepare(picture, Preparation()) is picture
    assert prepared_size(160, 120, Preparation()) == (160, 120)


def test_the_size_is_known_before():
    corners = ((0.1, 0.1), (0.8, 0.2), (0.9, 0.9), (0.2, 0.8))
    preparation = Preparation(corners, even_light=0.5, white_balance=0.5)
    found = prepare(stones(), preparation)
    assert found.shape[1::-1] == prepared_size(160, 120, preparation)
    assert found.dtype == np.float32
    assert found.min() >= 0 and found.max() <= 1


def test_light_from_one_side_becomes_even():
    uneven = lit(stones(), stops=1.5)
    before, half, after = (
        slope(prepare(uneven, Preparation(even_light=strength))) for strength in (0.0, 0.5, 1.0)
    )
    own = slope(stones())
    assert before - own == pytest.approx(1.0, abs=0.2)
    assert abs(after) < 0.1
    assert after < half < before


def test_even_light_keeps_colors_and_stones():
    picture = stones()
    found = prepare(picture, Preparation(even_light=1.0))
    before, after = (
        to_light(p) / np.maximum(to_light(p).sum(-1, keepdims=True), 1e-4) for p in (picture, found)
    )
    np.testing.assert_allclose(before, after, atol=0.01)
    logs = [np.log(luminance(to_light(p))).ravel() for p in (picture, found)]
    assert np.corrcoef(*logs)[0, 1] > 0.97


def test_what_was_picked_as_neutral_becomes_gray():
    cast = np.array([1.0, 0.8, 0.5], np.float32)
    wall = to_screen(np.full((30, 40, 3), 0.4, np.float32) * cast)
    picked = tuple(float(n) for n in wall[0, 0])
    found = prepare(wall, Preparation(white_balance=1.0, neutral=picked))
    assert np.ptp(found, axis=-1).max() < 1e-3
    half = prepare(wall, Preparation(white_balance=0.5, neutral=picked))
    assert 0.05 < np.ptp(half, axis=-1).max() < np.ptp(wall, axis=-1).max()
    # As bright as before.
    np.testing.assert_allclose(luminance(to_light(found)), luminance(to_light(wall)), rtol=1e-3)


def test_a_strong_cast_is_found_without_a_pick():
    gray = to_light(np.repeat(stones()[..., :1], 3, axis=-1))
    bulb = to_screen(gray * np.array([1.0, 0.65, 0.3], np.float32))
    found = prepare(bulb, Preparation(white_balance=1.0))
    assert np.ptp(found, axis=-1).max() < 0.02


@pytest.mark.parametrize("channels", [1, 3])
def test_flat_and_black_pictures_survive_everything(channels):
    every = Preparation(((0, 0), (1, 0.1), (1, 1), (0, 1)), 1.0, 1.0)
    for value in (0.0, 0.5, 1.0):
        flat = np.full((20, 30, channels), value, np.float32)
        np.testing.assert_allclose(prepare(flat, every), value, atol=1e-3)


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        (Preparation(((0, 0), (1, 0), (1, 1))), "four corners"),
        (Preparation(((0, 0), (1.2, 0), (1, 1), (0, 1))), "0 to 1"),
        (Preparation(((0, 0), (float("nan"), 0), (1, 1), (0, 1))), "0 to 1"),
        (Preparation(((0, 0), (0, 1), (1, 1), (1, 0))), "clockwise"),
        (Preparation(((0, 0), (1, 1), (1, 0), (0, 1))), "clockwise"),
        (Preparation(((0.5, 0.5),) * 4), "clockwise"),
        (Preparation(((0, 0), (1, 0), (0.3, 0.3), (0, 1))), "clockwise"),
        (Preparation(even_light=1.5), "Even light"),
        (Preparation(even_light=float("nan")), "Even light"),
        (Preparation(white_balance=-0.1), "White balance"),
        (Preparation(white_balance=1.0, neutral=(0.5, 0.0, 0.5)), "gray"),
        (Preparation(white_balance=1.0, neutral=(0.5, float("nan"), 0.5)), "gray"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_must_hold(wrong, part):
    with pytest.raises(RequestError, match=part) as caught:
        prepare(stones(), wrong)
    assert caught.value.code == "invalid_config"
    assert caught.value.info.cure
