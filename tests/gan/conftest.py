"""Small pictures and models that every test of the GAN can afford."""

from __future__ import annotations

import dataclasses
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


@pytest.fixture(scope="session")
def native_material(blobs):
    """A real material of 256×256 at its own size: blobs with a grain that is lost when it is halved."""
    soft = blobs(256, 6.0)
    grain = np.random.default_rng(4).normal(0, 0.06, (256, 256, 1))
    color = np.clip((soft + grain) * np.array([0.9, 0.7, 0.5]), 0, 1).astype(np.float32)
    return {"base_color": color, "height": np.clip(soft, 0, 1).astype(np.float32)}


@pytest.fixture(scope="session")
def native_model(native_material):
    """Two octaves of detail above an untrained nano whose convolutions are all awake."""
    import keras
    import tensorflow as tf

    from gan_worker.config import PRESETS
    from gan_worker.gan.data.statistics import measure_statistics
    from gan_worker.gan.detail.bank import KeptPictures
    from gan_worker.gan.detail.stage import DetailStage
    from gan_worker.gan.generation.model import Model
    from gan_worker.gan.networks.generator import Generator
    from gan_worker.gan.networks.upsampler import Upsampler
    from gan_worker.runs.run import ModelInfo

    nano, octaves = PRESETS["nano"], 2
    statistics = measure_statistics([native_material], tuple(native_material))
    keras.utils.set_random_seed(3)
    generator = Generator(nano, statistics.channels)
    upsampler = Upsampler(nano.detail, statistics.channels, octaves, nano.w_dim)
    for variable in (*generator.trainable_variables, *upsampler.trainable_variables):
        variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2]) * 0.05)
    kept = KeptPictures.of([statistics.standardise(native_material)], octaves)
    info = ModelInfo(
        name="native",
        hash="0" * 64,
        stride=nano.stride << octaves,
        z_dim=nano.z_dim,
        maps=tuple(native_material),
        preset="nano",
        network={"config": dataclasses.asdict(nano), "patterns": []},
        statistics=statistics.to_json(),
        scale=1.0,
        created="2030",
        step=1,
        kimg=0.1,
        octaves=octaves,
    )
    return Model(info, generator, detail=DetailStage(upsampler, kept))
