"""Probe of TensorFlow, its GPU and one step of learning, line by line: what is said before a crash stays."""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def main() -> None:
    """Write one JSON object a line: `tensorflow`, then `gpus`, then `step`."""
    import keras
    import psutil
    import tensorflow as tf

    # This package's `__init__` has loaded most of it before anything here could look at a clock.
    seconds = time.time() - psutil.Process().create_time()
    _tell(tensorflow=tf.__version__, keras=keras.__version__, seconds=seconds)
    build = tf.sysconfig.get_build_info()
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    names = [str(found.get("device_name", "GPU")) for found in details]
    _tell(
        gpus=names,
        cuda_build=bool(build.get("is_cuda_build")),
        cuda=str(build.get("cuda_version", "")),
    )
    _tell(**_learn(tf))


def _learn(tf: Any) -> dict[str, Any]:
    """One step of the smallest generator: convolutions, their gradients, and an optimizer."""
    import keras

    from gan_worker.config import MATERIAL_PRESETS
    from gan_worker.gan.networks.generator import Generator
    from gan_worker.gan.networks.precision import has_bfloat16, reduced_precision

    network = MATERIAL_PRESETS["nano"]
    generator = Generator(network, 3)
    optimizer = keras.optimizers.Adam(1e-3)
    cells = network.crop // network.stride
    z = tf.random.normal((2, network.z_dim))
    local = tf.random.normal((2, cells, cells, network.local_channels))
    noise = [
        tf.random.normal((2, cells << level, cells << level, 1))
        for level in range(1, network.levels)
    ]
    began = time.perf_counter()
    with reduced_precision(max(network.generator_channels)), tf.GradientTape() as tape:
        loss = tf.reduce_mean(generator.synthesis(generator.style(z), local, noise) ** 2)
    weights = generator.trainable_variables
    gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
    optimizer.apply_gradients(zip(gradients, weights, strict=True))
    finite = all(bool(tf.reduce_all(tf.math.is_finite(w))) for w in weights)
    return {
        "step": time.perf_counter() - began,
        "finite": finite,
        "bfloat16": has_bfloat16(),
    }


def _tell(**found: Any) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
