"""Baselines: stand-ins for a generated material that share some statistics with the real one and none of its shapes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Material = Mapping[str, np.ndarray]


def noise_like(material: Material, seed: int) -> dict[str, np.ndarray]:
    """Independent normal pixels with the mean and covariance that the channels of all maps have together.

    Args:
        material: map name → (height, width, channels), 0..1; all of one size.
        seed: fixes the draw.
    """
    flat = _stacked(material)
    height, width, channels = flat.shape
    pixels = flat.reshape(-1, channels).astype(np.float64)
    covariance = np.atleast_2d(np.cov(pixels.T))
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    drawn = np.random.default_rng(seed).standard_normal((height * width, channels))
    noise = drawn @ root.T + pixels.mean(axis=0)
    return _unstacked(noise.reshape(flat.shape), material)


def random_phase_like(material: Material, seed: int) -> dict[str, np.ndarray]:
    """The power spectrum of every channel and the phases between channels kept, all other phases drawn anew.

    Random phase noise after Galerne, Gousseau and Morel 2011 (IEEE TIP 20(1)): one random phase is added to all
    channels; the periodic component (Moisan 2011, JMIV 39(2)) is used, so that the border leaves no cross.

    Args:
        material: map name → (height, width, channels), 0..1; all of one size.
        seed: fixes the phases.
    """
    flat = _stacked(material).astype(np.float64)
    spectrum = _periodic_spectrum(flat)
    drawn = np.random.default_rng(seed).standard_normal(flat.shape[:2])
    phases = np.fft.fft2(drawn)
    phases /= np.maximum(np.abs(phases), 1e-12)
    phases[0, 0] = 1
    mixed = np.fft.ifft2(spectrum * phases[..., None], axes=(0, 1)).real
    return _unstacked(mixed, material)


def _periodic_spectrum(flat: np.ndarray) -> np.ndarray:
    """Fourier transform of the picture less the smooth part that holds its border's steps."""
    height, width = flat.shape[:2]
    border = np.zeros_like(flat)
    rows, columns = flat[0] - flat[-1], flat[:, 0] - flat[:, -1]
    border[0] += rows
    border[-1] -= rows
    border[:, 0] += columns
    border[:, -1] -= columns
    waves = np.cos(2 * np.pi * np.arange(height) / height)[:, None] + np.cos(
        2 * np.pi * np.arange(width) / width
    )
    laplacian = 4 - 2 * waves
    laplacian[0, 0] = 1
    smooth = np.fft.fft2(border, axes=(0, 1)) / laplacian[..., None]
    smooth[0, 0] = 0
    return np.fft.fft2(flat, axes=(0, 1)) - smooth


def _stacked(material: Material) -> np.ndarray:
    return np.concatenate(list(material.values()), axis=-1)


def _unstacked(flat: np.ndarray, material: Material) -> dict[str, np.ndarray]:
    ends = np.cumsum([picture.shape[-1] for picture in material.values()])[:-1]
    parts = np.split(np.clip(flat, 0, 1).astype(np.float32), ends, axis=-1)
    return dict(zip(material, parts, strict=True))
