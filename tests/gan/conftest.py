"""Small pictures and models that every test of the GAN can afford."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest

from gan_worker.materials import pictures


@pytest.fixture(scope="session")
def striped() -> np.ndarray:
    """96×96 in warm stripes of 16 pixels with a little grain."""
    rows = np.arange(96)[:, None, None]
    stripe = 0.5 + 0.4 * np.sign(np.sin(2 * np.pi * rows / 16 + 0.1))
    grain = np.random.default_rng(0).normal(0, 0.03, (96, 96, 1))
    return np.clip(stripe * np.array([0.9, 0.6, 0.4]) + grain, 0, 1).astype(np.float32)


@pytest.fixture(scope="session")
def striped_file(striped, tmp_path_factory):
    file = tmp_path_factory.mktemp("pictures") / "stripes.png"
    pictures.write_picture(file, striped)
    return file


@pytest.fixture(scope="session")
def blobs():
    """Makes noise blurred to blobs: `blobs(size, radius)`, (size, size, 1)."""

    def make(size: int, radius: float) -> np.ndarray:
        frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
        noise = np.random.default_rng(0).normal(size=(size, size))
        spectrum = np.fft.rfft2(noise) * np.exp(-((frequency * radius * 4) ** 2))
        soft = np.fft.irfft2(spectrum, s=noise.shape)
        return soft[..., None] / soft.std() * 0.2 + 0.5

    return make
