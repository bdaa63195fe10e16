"""The estimator on whole pictures: pieces, views, tori, cancelling, and what an artist makes of what it finds."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from gan_worker.errors import Cancelled
from gan_worker.estimation import ESTIMATED_MAPS, SURFACES, Estimation
from gan_worker.gan.estimation import estimator, maps, spectral
from gan_worker.gan.estimation.estimator import Estimates, coarse_octaves, estimate
from gan_worker.gan.estimation.maps import make_maps
from gan_worker.materials.maps import MAPS

BITS = {name: MAPS[name].bits for name in ESTIMATED_MAPS}


def stones(height: int = 96, width: int = 64) -> np.ndarray:
    """A picture of light squares with dark joints, which tiles."""
    rows, columns = np.mgrid[:height, :width]
    joint = (rows % 32 < 4) | (columns % 32 < 4)
    grain = np.random.default_rng(3).uniform(-0.1, 0.1, (height, width, 3))
    picture: np.ndarray = np.clip(np.where(joint, 0.2, 0.6)[..., None] + grain, 0, 1)
    return picture.astype(np.float32)


def test_every_map_has_the_size_of_the_picture():
    color = stones(90, 70)  # no multiple of anything
    for closed in (True, False):
        found = estimate(color, closed)
        made = make_maps(color, found, Estimation(metallic=0.5), ESTIMATED_MAPS, BITS)
        assert {n: (m.shape, m.dtype) for n, m in made.items()} == {
            n: ((90, 70, MAPS[n].channels), np.dtype(f"uint{BITS[n]}")) for n in ESTIMATED_MAPS
        }
    assert set(found.errors) == {"normal", "roughness", "ambient_occlusion"}
    assert 0 < found.errors["roughness"] < 0.5 and 0 < found.errors["normal"] < 45


def test_a_tile_moved_around_gives_estimates_moved_around():
    color = stones()
    moved = np.roll(color, (32, 16), (0, 1))
    back = np.roll(estimate(moved, True).values, (-32, -16), (0, 1))
    np.testing.assert_allclose(back, estimate(color, True).values, atol=4e-3)


@pytest.mark.parametrize("closed", [True, False])
def test_pieces_are_as_the_whole(monkeypatch, closed):
    color = stones(320, 288)
    whole = estimate(color, closed, 0).values.astype(np.float32)
    monkeypatch.setattr(estimator, "LONGEST", 128)
    told = []
    pieces = estimate(color, closed, 0, report=told.append).values
    assert len(told) == told[-1].total == told[-1].done == 9
    assert np.abs(pieces - whole).max() < 1 / 255


def test_shapes_are_seen_on_the_coarse_view():
    large = stones(64, 64).repeat(4, 0).repeat(4, 1)
    coarse = estimate(stones(64, 64), True, 0).values.astype(np.float32)
    values = estimate(large, True, 2).values.astype(np.float32)
    means = values.reshape(64, 4, 64, 4, 5).mean((1, 3))
    assert np.corrcoef(means.ravel(), coarse.ravel())[0, 1] > 0.98
    assert coarse_octaves(768, 4000) == 0
    assert coarse_octaves(1024, 4000) == 1
    assert coarse_octaves(8192, 8192) == 4


@pytest.mark.parametrize("closed", [True, False])
def test_views_joined_in_bands_are_as_the_whole(monkeypatch, closed):
    color = (255 * stones(150, 130)).astype(np.uint8)
    whole = estimate(color, closed, 2).values
    monkeypatch.setattr(estimator, "BAND", 16)
    np.testing.assert_array_equal(estimate(color, closed, 2).values, whole)


def test_it_stops_when_asked():
    with pytest.raises(Cancelled):
        estimate(stones(), True, should_stop=lambda: True)


# ---- what is made of it


def waves() -> Estimates:
    """Estimates of coarse and fine waves on a torus of 64 pixels."""
    x = 2 * np.pi * np.arange(64) / 64
    values = np.zeros((64, 64, 5), np.float16)
    values[..., 0] = 0.3 * np.sin(x) + 0.2 * np.sin(16 * x)
    values[..., 2] = 0.5 + 0.2 * np.sin(x)
    values[..., 3] = 0.8
    values[..., 4] = 0.3 * np.sin(x)[:, None]
    return Estimates(values, 0, True, {})


def made(chosen: Estimation, *names: str) -> list[np.ndarray]:
    color = np.full((64, 64, 3), 0.5, np.float32)
    found = make_maps(color, waves(), chosen, names, {})
    return [found[name] for name in names]


def slopes(normal: np.ndarray) -> np.ndarray:
    vector = 2 * normal - 1
    return -vector[..., 0] / vector[..., 2]


def test_depth_moves_height_and_normals_together():
    normal, height = made(Estimation(), "normal", "height")
    deep_normal, deep_height = made(Estimation(depth=2), "normal", "height")
    np.testing.assert_allclose(slopes(deep_normal), 2 * slopes(normal), atol=1e-3)
    np.testing.assert_allclose(deep_height - 0.5, 2 * (height - 0.5), atol=1e-4)
    flat_normal, flat_height = made(Estimation(depth=0), "normal", "height")
    assert np.ptp(flat_height) == 0 and flat_normal[0, 0].tolist() == [0.5, 0.5, 1.0]


def test_what_is_inverted_is_the_other_way_up():
    normal, height = made(Estimation(), "normal", "height")
    other_normal, other_height = made(Estimation(invert=True), "normal", "height")
    np.testing.assert_allclose(slopes(other_normal), -slopes(normal), atol=1e-4)
    np.testing.assert_allclose(other_height, 1 - height, atol=1e-5)


def test_coarse_and_fine_relief_are_apart():
    (fine,) = made(Estimation(coarse=0), "normal")
    (coarse,) = made(Estimation(fine=0), "normal")
    spectrum = [np.abs(np.fft.rfft(slopes(n)[0])) / 32 for n in (fine, coarse)]
    assert spectrum[0][16] == pytest.approx(0.2, abs=0.01) and spectrum[0][1] < 0.03
    assert spectrum[1][1] == pytest.approx(0.3, abs=0.03) and spectrum[1][16] < 0.01


def test_roughness_occlusion_metal_and_light_follow():
    rough, occlusion = made(Estimation(), "roughness", "ambient_occlusion")
    smooth, none = made(
        Estimation(roughness=-0.2, roughness_range=0, occlusion=0), "roughness", "ambient_occlusion"
    )
    assert np.ptp(rough) == pytest.approx(0.4, abs=0.01)
    assert smooth == pytest.approx(0.3, abs=2e-3) and occlusion == pytest.approx(0.8, abs=2e-3)
    assert none == pytest.approx(1)
    assert made(Estimation(metallic=1), "metallic")[0] == pytest.approx(1)
    lit, unlit = (made(Estimation(light=n), "base_color")[0] for n in (0, 1))
    assert lit == pytest.approx(0.5, abs=1e-3)
    # Where the light was, less of it is left.
    assert unlit[16, 0, 0] < 0.46 and unlit[48, 0, 0] > 0.54


def test_every_kind_of_surface_may_be_chosen():
    for name, surface in SURFACES.items():
        surface.check()
        assert surface.surface == name
    with pytest.raises(Exception, match="surface"):
        replace(Estimation(), surface="cheese").check()
    with pytest.raises(Exception, match="Depth"):
        replace(Estimation(), depth=float("nan")).check()


def test_maps_that_are_learned_are_not_estimated():
    everything = ("roughness", "normal", "height", "ambient_occlusion")
    assert Estimation().maps(("base_color",)) == everything
    assert Estimation(metallic=1).maps(("base_color", "normal")) == (
        *("roughness", "metallic", "height", "ambient_occlusion"),
    )


# ---- the scale of heights


def relief(side: int = 64, deep: float = 1.0, closed: bool = True) -> Estimates:
    """Slopes of the same two waves on a tile of any size."""
    x = 2 * np.pi * (np.arange(side) + 0.5) / side
    values = np.zeros((side, side, 5), np.float16)
    values[..., 0] = deep * (0.1 * np.cos(2 * x) + 0.1 * np.cos(5 * x))
    return Estimates(values, 0, closed, {})


def height_of(
    found: Estimates, chosen: Estimation = SURFACES["general"], bits: int = 0
) -> np.ndarray:
    color = np.zeros((*found.values.shape[:2], 3), np.uint8)
    return make_maps(color, found, chosen, ["height"], {"height": bits} if bits else {})["height"]


def test_a_tile_has_the_same_heights_at_each_of_its_sizes():
    small, large = height_of(relief(64)), height_of(relief(256))
    means = large.reshape(64, 4, 64, 4, 1).mean((1, 3))
    assert np.ptp(small) > 0.2
    np.testing.assert_allclose(means, small, atol=0.01)


def test_pictures_of_one_material_have_one_scale():
    one, other = (replace(relief(deep=n), depth=2.0) for n in (1.0, 0.5))
    np.testing.assert_allclose(height_of(other) - 0.5, (height_of(one) - 0.5) / 2, atol=1e-4)
    smaller = replace(relief(32), depth=1.0)
    assert np.ptp(height_of(smaller)) == pytest.approx(np.ptp(height_of(one)), rel=0.02)


def test_one_pixel_that_sticks_out_flattens_nothing():
    found = relief(128)
    values = found.values.copy()
    values[64, 64, :2] = 20.0
    spoiled = height_of(replace(found, values=values))
    away = np.abs(spoiled - height_of(found))[:32]
    assert away.max() < 0.1 and spoiled.min() >= 0 and spoiled.max() <= 1
    assert np.ptp(spoiled[:32]) > 0.2


def test_what_is_very_deep_is_pressed_together_and_keeps_its_order():
    calm = np.unique(height_of(relief(), Estimation(depth=4.0), 16))
    deep = np.unique(height_of(replace(relief(), depth=0.3), Estimation(depth=4.0), 16))
    assert len(deep) > 0.95 * len(calm)
    assert deep.min() > 0 and deep.max() < 65535


def test_heights_use_many_of_their_steps():
    for deep in (0.02, 1.0, 5.0):
        found = height_of(relief(deep=deep), bits=16)
        assert np.ptp(found.astype(np.int64)) > 8192, deep


def test_what_is_nearly_flat_stays_so():
    assert np.ptp(height_of(relief(deep=1e-5))) < 0.01


def test_version_1_scales_each_picture_by_its_deepest_place():
    for deep in (0.3, 1.0):
        found = height_of(relief(deep=deep), Estimation(depth=2.0, version=1))
        assert np.abs(found - 0.5).max() == pytest.approx(0.25, abs=1e-4)


def test_maps_take_little_memory_beside_themselves(monkeypatch):
    monkeypatch.setattr(maps, "AT_ONCE", 2**13)
    monkeypatch.setattr(spectral, "AT_ONCE", 2**13)
    side = 512
    values = np.random.default_rng(1).normal(0, 0.2, (side, side, 5)).astype(np.float16)
    found = Estimates(values, 0, True, {}, depth=3.0)
    color = np.zeros((side, side, 3), np.uint8)
    for chosen, most in ((Estimation(), 9), (Estimation(coarse=0.5), 17)):
        tracemalloc.start()
        try:
            made = make_maps(color, found, chosen, ESTIMATED_MAPS, BITS)
            peak = tracemalloc.get_traced_memory()[1] - sum(m.nbytes for m in made.values())
        finally:
            tracemalloc.stop()
        assert peak < most * side**2, f"{peak / side**2:.1f} bytes a pixel"
