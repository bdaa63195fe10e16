import numpy as np
import pytest

from gan_worker.materials.pixels import to_light, to_screen
from gan_worker.photos.problems import find_problems

SIDE = 240


def ground():
    """A photo of gravel: stones of all sizes, sharp to the pixel, evenly lit."""
    chance = np.random.default_rng(5)
    picture = np.zeros((SIDE, SIDE, 1))
    for cell in (1, 2, 4, 8, 16):
        coarse = chance.normal(size=(SIDE // cell, SIDE // cell, 1))
        picture += np.kron(coarse, np.ones((cell, cell, 1)))
    colors = 0.4 + 0.05 * picture * np.array([1.0, 0.95, 0.9])
    return np.clip(colors, 0.03, 0.95).astype(np.float32)


def blurred(picture, sigma):
    offsets = np.arange(-12, 13)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        picture = sum(w * np.roll(picture, n, axis) for w, n in zip(weights, offsets, strict=True))
    return np.round(picture * 255).astype(np.float32) / 255


def shaded(picture, tint=(0.35, 0.35, 0.35), soft=2.0, wave=20.0):
    """Half of it in the shadow of something with a curved edge."""
    y, x = np.mgrid[:SIDE, :SIDE]
    lit = 1 / (1 + np.exp(-(x - SIDE / 2 - wave * np.sin(y / 40)) / soft))
    return to_screen(to_light(picture) * (lit[..., None] + (1 - lit[..., None]) * np.array(tint)))


def kinds(picture):
    return [problem.kind for problem in find_problems(np.asarray(picture, np.float32))]


def test_a_good_photo_has_no_problems():
    assert kinds(ground()) == []
    assert kinds(blurred(ground(), 0.8)) == [], "as soft as a lens makes it"


@pytest.mark.parametrize("sigma", [2, 3, 4])
def test_blur_is_told(sigma):
    assert kinds(blurred(ground(), sigma)) == ["blurred"]


def test_too_long_an_exposure_is_told_with_how_much_is_lost():
    burnt = to_screen(np.minimum(to_light(ground()) * 5, 1))
    lost = (burnt > 0.999).any(-1).mean()
    (problem,) = find_problems(burnt)
    assert problem.kind == "clipped"
    assert f"{lost:.0%}" in problem.message and "bright" in problem.message
    assert "shorter" in problem.cure


def test_black_is_told_with_the_opposite_cure():
    dark = np.where(ground() < 0.35, 0, ground())
    (problem,) = find_problems(dark.astype(np.float32))
    assert problem.kind == "clipped" and "longer" in problem.cure


@pytest.mark.parametrize("tint", [(0.35, 0.35, 0.35), (0.3, 0.36, 0.42)])
@pytest.mark.parametrize("wave", [0.0, 20.0])
def test_a_shadow_is_told_gray_or_blue_straight_or_curved(tint, wave):
    assert kinds(shaded(ground(), tint, wave=wave)) == ["shadow"]


def test_two_materials_side_by_side_are_no_shadow():
    assert kinds(shaded(ground(), (0.5, 0.3, 0.1))) == []


def test_light_that_falls_off_slowly_is_no_shadow():
    assert kinds(shaded(ground(), soft=60.0)) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 500, 3), (64, 64, 1), (7, 9, 3)])
def test_pictures_of_any_shape_are_looked_at(shape):
    assert kinds(np.full(shape, 0.4)) == []
