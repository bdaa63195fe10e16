"""Photos whose borders are made to meet."""

import numpy as np
import pytest

from gan_worker.errors import PictureError
from gan_worker.photos.tiling import make_tile


def seam(picture):
    """Largest step between two lines of the endless picture over that of the ninth decile, the larger of both axes."""
    ratios = []
    for axis in (0, 1):
        steps = np.abs(picture - np.roll(picture, 1, axis)).mean((1 - axis, 2))
        ratios.append(steps.max() / np.quantile(steps, 0.9))
    return max(ratios)


def checks(height, width, period, slope=0.0):
    """Soft checks of a period that no side is a multiple of, on a ramp of light."""
    y, x = np.mgrid[:height, :width]
    value = 0.5 + 0.2 * np.sin(2 * np.pi * x / period) * np.sin(2 * np.pi * y / period)
    value = value + slope * (x / width - 0.5)
    return np.repeat(value[..., None], 3, -1).astype(np.float32)


@pytest.mark.parametrize(("size", "period"), [((190, 230), 31), ((150, 150), 22), ((300, 140), 43)])
def test_a_regular_pattern_ends_at_a_whole_number_of_periods(size, period):
    (tile,) = make_tile({"base_color": checks(*size, period)}).values()
    for side in tile.shape[:2]:
        off = abs(side / period - round(side / period)) * period
        assert off <= 1, side
    assert seam(tile) <= 1.05


@pytest.mark.parametrize("whole", [4, 16])
def test_the_sides_of_a_tile_can_be_halved_and_it_still_closes(whole):
    (tile,) = make_tile({"base_color": checks(190, 230, 31)}, whole).values()
    assert all(side % whole == 0 for side in tile.shape[:2])
    assert seam(tile) <= 1.05
    # It has whole periods, of which each is a little longer or shorter now.
    rows = np.fft.rfft(tile[..., 0] - tile.mean(), axis=1)
    power = (np.abs(rows) ** 2).sum(0)
    assert power.max() > 0.98 * power.sum()


def test_light_from_one_side_is_levelled_at_the_borders():
    photo = checks(180, 180, 24, slope=0.3)
    (tile,) = make_tile({"base_color": photo}).values()
    band = 12
    step = tile[:, :band].mean() - tile[:, -band:].mean()
    assert abs(step) < 0.02 < abs(photo[:, :band].mean() - photo[:, -band:].mean())


def test_all_maps_are_cut_along_the_same_lines(blobs_map):
    twice = make_tile({"base_color": blobs_map, "roughness": blobs_map[..., :1]})
    assert np.abs(twice["base_color"][..., :1] - twice["roughness"]).max() < 1e-5


def test_a_picture_without_any_rhythm_closes_too(blobs_map):
    (tile,) = make_tile({"base_color": blobs_map}).values()
    assert seam(blobs_map) > 3 and seam(tile) <= 1.3
    assert min(tile.shape[:2]) >= 0.5 * min(blobs_map.shape[:2])
    assert tile.dtype == np.float32 and tile.min() >= 0 and tile.max() <= 1


@pytest.mark.parametrize("size", [(20, 200), (31, 31), (200, 8)])
def test_a_picture_too_small_to_be_closed_is_refused(size):
    with pytest.raises(PictureError, match="32×32") as caught:
        make_tile({"base_color": np.zeros((*size, 3), np.float32)})
    assert caught.value.code == "picture_too_small"


def test_a_flat_picture_stays_flat():
    flat = np.full((64, 70, 3), 0.4, np.float32)
    (tile,) = make_tile({"base_color": flat}).values()
    assert np.allclose(tile, 0.4, atol=1e-6)


@pytest.fixture(scope="module")
def blobs_map():
    """Noise blurred to blobs, (160, 200, 3), that closes nowhere."""
    noise = np.random.default_rng(3).normal(size=(400, 400))
    frequency = np.hypot(np.fft.fftfreq(400)[:, None], np.fft.rfftfreq(400)[None])
    soft = np.fft.irfft2(np.fft.rfft2(noise) * np.exp(-((frequency * 20) ** 2)), s=noise.shape)
    part = soft[50:210, 60:260]
    return np.repeat((0.5 + 0.15 * part / part.std())[..., None], 3, -1).clip(0, 1).astype("f4")
