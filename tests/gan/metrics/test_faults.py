"""Dots at the pixel and melted shapes are seen; another real part, moved or mirrored, is neither."""

import numpy as np
import pytest
from scipy import ndimage

from gan_worker.gan.metrics.distances import faults_of
from gan_worker.gan.metrics.faults import fault_figures, halvings_of
from gan_worker.gan.metrics.reference import cut_windows, measure_layout, stacked

SIDE, WINDOW = 512, 128


def bricks(seed):
    """A wall that tiles: courses of 32 pixels, bricks of uneven tone and length, pale joints, fine grain."""
    generator = np.random.default_rng(seed)
    tone = np.empty((SIDE, SIDE))
    joint = np.zeros((SIDE, SIDE), bool)
    for top in range(0, SIDE, 32):
        ends = np.cumsum(generator.integers(40, 90, 20)) % SIDE
        for start, end in zip(ends, np.roll(ends, -1), strict=True):
            columns = np.arange(start, start + (end - start) % SIDE) % SIDE
            tone[top : top + 32, columns] = generator.uniform(0.3, 0.6)
            joint[top : top + 32, start : start + 4] = True
        joint[top : top + 4] = True
    return _finished(np.where(joint, 0.8, tone), generator)


def pebbles(seed):
    """Blobs of some twenty pixels that tile, brighter in their middle, on dark ground."""
    generator = np.random.default_rng(seed)
    soft = ndimage.gaussian_filter(generator.normal(size=(SIDE, SIDE)), 7, mode="wrap")
    return _finished(0.2 + 0.5 * np.clip(4 * soft / soft.std(), 0, 1), generator)


def _finished(shapes, generator):
    sharp = ndimage.gaussian_filter(shapes, 0.7, mode="wrap")
    grain = ndimage.gaussian_filter(generator.normal(size=(SIDE, SIDE)), 0.8, mode="wrap")
    color = (sharp + 0.02 * grain / grain.std())[..., None] * np.array([1.0, 0.8, 0.6])
    return {"base_color": color, "height": sharp[..., None]}


SOURCES = {"bricks": bricks, "pebbles": pebbles}


class Source:
    """The left half of a picture, against which others are held."""

    def __init__(self, make):
        self.make, whole = make, make(0)
        self.left, self.right = (
            {name: p[:, part] for name, p in whole.items()}
            for part in (slice(0, SIDE // 2), slice(SIDE // 2, SIDE))
        )
        self.layout = measure_layout([self.left])
        self.described = self.describe(self.left)
        self.floor = self.figures(self.right)

    def describe(self, material):
        flat = stacked({n: np.clip(p, 0, 1) for n, p in material.items()}, self.layout)
        return faults_of(cut_windows([flat], WINDOW), self.layout)

    def figures(self, material):
        return fault_figures(self.described, self.describe(material))

    def of_changed(self, change, maps=("base_color", "height")):
        return self.figures({n: change(p) if n in maps else p for n, p in self.right.items()})


@pytest.fixture(scope="module", params=SOURCES)
def source(request):
    return Source(SOURCES[request.param])


def sparse(generator, shape, amount, share):
    dots = generator.choice([-1.0, 1.0], (*shape[:2], 1)) * (
        generator.random((*shape[:2], 1)) < share
    )
    return amount * dots


def checker(shape):
    return np.indices(shape[:2]).sum(0)[..., None] % 2 * 2.0 - 1


GENERATOR = np.random.default_rng(5)
DOTTED = {
    "bright dots": lambda p: p + np.abs(sparse(GENERATOR, p.shape, 0.4, 0.004)),
    "dots of both kinds": lambda p: p + sparse(GENERATOR, p.shape, 0.2, 0.01),
    "noise": lambda p: p + GENERATOR.normal(0, 0.03, (*p.shape[:2], 1)),
    "noise of color": lambda p: p + GENERATOR.normal(0, 0.03, p.shape),
    "checker": lambda p: p + 0.02 * checker(p.shape),
    "rows": lambda p: p + 0.02 * (np.arange(len(p))[:, None, None] % 2 * 2 - 1),
    "columns": lambda p: p + 0.02 * (np.arange(p.shape[1])[None, :, None] % 2 * 2 - 1),
    "dots in one corner": lambda p: np.where(
        np.indices(p.shape[:2]).max(0)[..., None] < 100, p + 0.05 * checker(p.shape), p
    ),
}


def warped(picture, far=8.0, wave=9.0, seed=3):
    """Every pixel moved by some pixels, neighbors alike."""
    generator = np.random.default_rng(seed)
    moves = ndimage.gaussian_filter(
        generator.normal(size=(2, *picture.shape[:2])), (0, wave, wave), mode="wrap"
    )
    places = np.indices(picture.shape[:2]) + far * moves / moves.std()
    channels = np.moveaxis(picture, -1, 0)
    return np.stack(
        [ndimage.map_coordinates(c, places, order=3, mode="mirror") for c in channels], -1
    )


MELTED = {
    "warped": warped,
    "blurred": lambda p: ndimage.gaussian_filter(p, (3, 3, 0), mode="wrap"),
    "run together": lambda p: ndimage.grey_closing(p, (25, 25, 1), mode="wrap"),
}
HARMLESS = {
    "mirrored": lambda p: p[:, ::-1],
    "upside down": lambda p: p[::-1],
    "moved": lambda p: np.roll(p, 77, 0),
    "a little darker": lambda p: 0.93 * p,
}


def test_the_other_half_stands_where_the_real_one_does(source):
    for name in ("base_color", "height"):
        assert 0.85 < source.floor[f"dots/{name}"] < 1.15
        assert source.floor[f"melted/{name}"] < 0.3


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_is_only_moved_is_no_fault(source, change):
    found = source.of_changed(change)
    for name in ("base_color", "height"):
        assert 0.85 < found[f"dots/{name}"] < 1.2
        assert found[f"melted/{name}"] < source.floor[f"melted/{name}"] + 0.1


@pytest.mark.parametrize("change", DOTTED.values(), ids=DOTTED)
def test_dots_are_told_of_the_map_that_has_them(source, change):
    color = source.of_changed(change, ("base_color",))
    assert color["dots/base_color"] > 1.4 * source.floor["dots/base_color"]
    assert color["dots/height"] == source.floor["dots/height"]


@pytest.mark.parametrize("change", MELTED.values(), ids=MELTED)
def test_melted_shapes_are_told(source, change):
    found = source.of_changed(change)
    for name in ("base_color", "height"):
        assert found[f"melted/{name}"] > 1.8 * source.floor[f"melted/{name}"]
        assert found[f"melted/{name}"] > 0.2


def test_what_is_soft_has_no_dots(source):
    assert source.of_changed(MELTED["blurred"])["dots/base_color"] <= 1


def test_another_picture_of_the_same_kind_is_no_fault(source):
    found = source.figures(source.make(1))
    for name in ("base_color", "height"):
        assert 0.85 < found[f"dots/{name}"] < 1.2
        assert found[f"melted/{name}"] < source.floor[f"melted/{name}"] + 0.1


@pytest.mark.parametrize("times", [1, 2, 4])
def test_larger_shapes_are_halved_more_often(times):
    picture = pebbles(1)["height"][..., 0]
    large = picture.repeat(times, 0).repeat(times, 1)
    assert halvings_of(large) == halvings_of(picture) + times.bit_length() - 1


def test_flat_pictures_are_measured(source):
    flat = {n: np.full_like(p, 0.5) for n, p in source.right.items()}
    found = source.figures(flat)
    assert found["dots/base_color"] <= 1
    assert np.isfinite(list(found.values())).all()
    assert found["melted/base_color"] > 0.5
