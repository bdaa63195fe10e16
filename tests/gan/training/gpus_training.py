"""Trains twice for a few steps, on one device and on two logical ones of the CPU, and says how far they end apart.

A program of its own, because the devices of a process cannot be changed once TensorFlow has begun.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from gan_worker.config import TrainingConfig
from gan_worker.gan.networks import precision
from gan_worker.gan.training import gpus as replicas
from gan_worker.gan.training import loop
from gan_worker.progress import Notice
from gan_worker.runs.run import Run

CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(CPU, [tf.config.LogicalDeviceConfiguration()] * 2)
# Rounding of bfloat16 depends on how a batch is divided.
precision.has_bfloat16 = lambda: False
replicas._devices = lambda: [device.name for device in tf.config.list_logical_devices("CPU")]


def train(folder: Path, pictures: str, gpus: int) -> tuple[dict, list[str]]:
    notices: list[str] = []
    config = TrainingConfig(
        "r", (pictures,), "nano", None, kimg=0.02, scale=1.0, octaves=0, gpus=gpus
    )
    run = Run.create(folder / str(gpus), "r")
    loop.train(
        config,
        run,
        lambda news: notices.append(news.text) if isinstance(news, Notice) else None,
        lambda: False,
    )
    return run.load_checkpoint()[0], notices


one, _ = train(Path(sys.argv[1]), sys.argv[2], 1)
two, notices = train(Path(sys.argv[1]), sys.argv[2], 2)
assert one.keys() == two.keys()
apart = {name: float(np.abs(one[name] - two[name]).max()) for name in one if one[name].size}
gradients = max(gap for name, gap in apart.items() if "optimizer/" in name)
# The average of the weights lags behind them as long as they move.
moved = max(
    float(np.abs(one[name] - one[f"ema_{name}"]).max())
    for name in one
    if name.startswith("generator/")
)
told = {
    "apart": max(apart.values()),
    "gradients_apart": gradients,
    "moved": moved,
    "notices": notices,
}
sys.stdout.write(json.dumps(told) + "\n")
