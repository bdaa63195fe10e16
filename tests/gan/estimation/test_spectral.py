"""Heights from slopes and blurred fields, one axis after the other: as in both at once, in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.gan.estimation import spectral
from gan_worker.gan.estimation.relief import slopes_of_height
from gan_worker.gan.estimation.spectral import blur, height_of_slopes, integrate

SIZES = [(48, 64), (47, 65), (1, 9), (8, 1)]


@pytest.fixture(autouse=True)
def small_bands(monkeypatch):
    monkeypatch.setattr(spectral, "AT_ONCE", 200)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def mirrored(field: np.ndarray, across: int = 1, down: int = 1) -> np.ndarray:
    """A field and its mirror images, whose sign may be another."""
    wide = np.concatenate([field, across * field[:, ::-1]], 1)
    return np.concatenate([wide, down * wide[::-1]], 0)


def frankot_chellappa(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The method as it was published, on a torus, in one piece and in double precision."""
    height, width = p.shape
    u, v = 2 * np.pi * np.fft.fftfreq(width)[None], -2 * np.pi * np.fft.fftfreq(height)[:, None]
    u, v = (np.where(np.isclose(np.abs(w), np.pi), 0, w) for w in (u, v))
    power = u**2 + v**2
    power[power == 0] = np.inf
    waves = (-1j * u * np.fft.fft2(p) - 1j * v * np.fft.fft2(q)) / power
    found: np.ndarray = np.fft.ifft2(waves).real
    return found


@pytest.mark.parametrize("size", SIZES)
def test_the_height_is_that_of_both_axes_at_once(size):
    slopes = noise(*size, 2)
    p, q = slopes[..., 0], slopes[..., 1]
    closed = integrate(lambda rows: slopes[rows], size, True)
    assert closed.shape == size and closed.dtype == np.float32
    np.testing.assert_allclose(closed, frankot_chellappa(p, q), atol=1e-5)
    open_sided = integrate(lambda rows: slopes[rows], size, False)
    wanted = frankot_chellappa(mirrored(p, across=-1), mirrored(q, down=-1))
    np.testing.assert_allclose(open_sided, wanted[: size[0], : size[1]], atol=1e-5)


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_a_field_is_blurred_as_in_both_axes_at_once(size, closed):
    field = noise(*size, 2)
    found = field.copy()
    blur(found, 3.0, closed)
    for channel in range(2):
        whole = field[..., channel] if closed else mirrored(field[..., channel])
        u, v = np.fft.fftfreq(whole.shape[1])[None], np.fft.fftfreq(whole.shape[0])[:, None]
        gains = np.exp(-2 * (np.pi * 3.0) ** 2 * (u**2 + v**2))
        wanted = np.fft.ifft2(np.fft.fft2(whole) * gains).real[: size[0], : size[1]]
        np.testing.assert_allclose(found[..., channel], wanted, atol=1e-5)


@pytest.mark.parametrize("closed", [True, False])
def test_it_takes_as_much_memory_again_as_the_slopes(monkeypatch, closed):
    monkeypatch.setattr(spectral, "AT_ONCE", 2**12)
    slopes = noise(512, 512, 2)
    tracemalloc.start()
    try:
        integrate(lambda rows: slopes[rows], (512, 512), closed)
        blur(slopes, 4.0, closed)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * 512**2, f"{peak / 512**2:.1f} bytes a pixel"


def hills(height: int, width: int) -> np.ndarray:
    """A smooth relief on a torus, pixels."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    across, down = 2 * np.pi * columns / width, 2 * np.pi * rows / height
    found: np.ndarray = 3 * np.sin(across) + 2 * np.cos(2 * down + across)
    return found


@pytest.mark.parametrize("size", [(48, 64), (47, 65)])
def test_a_height_comes_back_from_its_slopes(size):
    real = hills(*size)
    slopes = slopes_of_height(tf.constant(real[None, ..., None]))[0].numpy()
    found = height_of_slopes(slopes)
    assert found.dtype == np.float32 and found.shape == size
    np.testing.assert_allclose(found, real - real.mean(), atol=0.1)


def test_a_ramp_that_does_not_close_is_a_ramp():
    slopes = np.zeros((32, 32, 2), np.float32)
    slopes[..., 0] = 0.5
    open_sided = height_of_slopes(slopes, closed=False)
    assert np.diff(open_sided, axis=1)[:, 4:-4] == pytest.approx(0.5, abs=0.05)
    assert np.ptp(height_of_slopes(slopes)) < 0.1  # a torus has no slope all the way around
