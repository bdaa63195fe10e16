"""Holes are searched small and finished at the picture's own size."""

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.gan.editing import inpainting, native

OCTAVES = 2


@pytest.fixture(scope="module")
def hidden():
    hidden = np.zeros((256, 256), bool)
    hidden[97:143, 101:160] = True
    return hidden


@pytest.fixture(scope="module")
def holed(native_material, hidden):
    return {n: np.where(hidden[..., None], 0, p) for n, p in native_material.items()}


@pytest.fixture(scope="module")
def mended(native_model, holed, hidden):
    """By an upsampler that leaves moved detail as it is, since it has learned nothing."""
    last = native_model.detail.upsampler.exit
    awake = [variable.numpy() for variable in last.variables]
    for variable in last.variables:
        variable.assign(tf.zeros(variable.shape))
    done = inpainting.inpaint(native_model, holed, hidden, False, steps=6)
    for variable, value in zip(last.variables, awake, strict=True):
        variable.assign(value)
    return done


def finest(picture):
    rows, columns = (n // 2 for n in picture.shape[:2])
    boxes = picture[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, -1)
    return float(np.sqrt(boxes.var(axis=(1, 3)).mean()))


def test_a_hole_gets_the_detail_of_its_surroundings(mended, native_material, hidden):
    for name, picture in mended.maps.items():
        assert picture[~hidden].tobytes() == native_material[name][~hidden].tobytes()
        assert np.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1
    inside, around = (m["base_color"][104:136, 108:152] for m in (mended.maps, native_material))
    assert finest(inside) == pytest.approx(finest(around), rel=0.4)


def test_octaves_in_pieces_are_those_of_the_whole(native_model, monkeypatch):
    channels = native_model.statistics.channels
    small = np.random.default_rng(1).normal(size=(40, 24, channels)).astype(np.float32)
    w = native_model.generator.style(tf.zeros((1, native_model.network.z_dim)))
    whole = native.draw_octaves(native_model, small, w, 1, OCTAVES)
    assert whole.shape == (160, 96, channels)
    monkeypatch.setattr(native, "LONGEST", 48)
    parts = native.draw_octaves(native_model, small, w, 1, OCTAVES)
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-4)


@pytest.mark.parametrize("circles", [(False, False), (True, False), (True, True)])
def test_room_lies_along_open_axes_alone(circles):
    small = np.random.default_rng(2).normal(size=(24, 30, 2) if not circles[1] else (24, 32, 2))
    padded, rows, columns = native.aligned(small, circles, 12)
    np.testing.assert_array_equal(padded[rows, columns], small)
    assert padded.shape[0] == (24 if circles[0] else 48)
    assert all(n % 4 == 0 for n in padded.shape[:2])


def test_borders_become_seamless_at_the_pictures_own_size(native_model, native_material):
    part = {n: p[3:250, :201] for n, p in native_material.items()}
    done = inpainting.make_tileable(native_model, part, steps=2)
    assert all(done.maps[n].shape == p.shape for n, p in part.items())
    after, before = (inpainting.seam_ratios(m)["base_color"] for m in (done.maps, part))
    assert after < 1.2 < before
    band = inpainting.band_width(native_model, None)
    assert band == inpainting.BAND << OCTAVES


def test_a_photos_middle_is_shown_with_all_detail(native_model, native_material):
    found = inpainting.find_latents(native_model, native_material, (192, 160), steps=2)
    assert found.wanted["base_color"].shape == found.made["base_color"].shape == (192, 160, 3)
    np.testing.assert_array_equal(found.wanted["height"], native_material["height"][32:224, 48:208])
    assert found.projection.channels.shape[:2] == (48, 40)


@pytest.mark.parametrize("times", [1, OCTAVES])
def test_a_picture_of_less_detail_is_mended_at_its_own_size(
    native_model, native_material, hidden, times
):
    side = 256 >> times
    little = {
        n: p.reshape(side, 1 << times, side, 1 << times, -1).mean(axis=(1, 3))
        for n, p in native_material.items()
    }
    hole = hidden[:: 1 << times, :: 1 << times]
    mended = inpainting.inpaint(
        native_model, little, hole, False, scale=float(1 << times), steps=1
    ).maps
    assert all(mended[n].shape == p.shape for n, p in little.items())
    assert (mended["base_color"][~hole] == little["base_color"][~hole]).all()
