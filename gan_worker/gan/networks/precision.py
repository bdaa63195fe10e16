"""Convolutions in bfloat16, where the processor has instructions for it: about twice as fast in training.

Weights, sums outside convolutions, losses and penalties stay float32, and so does all generation: a seed gives the
same picture on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

import tensorflow as tf

# Channels below which a conversion costs more than a faster convolution saves.
FEWEST_CHANNELS = 16
# Features of its widest level below which a network gains nothing on a GPU: a step of `tiny` took an H100 30 ms in
# bfloat16 and 23 ms in float32, one of `full` 96 ms and 129 ms; and the first step takes half a minute more.
WIDE_FOR_A_GPU = 128

# TensorFlow rounds what a GPU multiplies to 10 bits, unless told not to: a seed would give another picture there.
tf.config.experimental.enable_tensor_float_32_execution(False)

_reduced: ContextVar[bool] = ContextVar("reduced", default=False)


@cache
def has_bfloat16() -> bool:
    """Whether this machine's convolutions are faster in bfloat16: GPUs from compute capability 8, CPUs that say so."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return bool(details.get("compute_capability", (0, 0)) >= (8, 0))
    flags = Path("/proc/cpuinfo")
    # Systems without this file do not tell, and get float32.
    return flags.exists() and "avx512_bf16" in flags.read_text(encoding="utf-8", errors="replace")


@contextmanager
def reduced_precision(widest: int) -> Iterator[None]:
    """Inside, convolutions compute in bfloat16 where that is faster. It acts when a graph is traced.

    Args:
        widest: features of the network's widest level.
    """
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    token = _reduced.set(has_bfloat16() and not (on_gpu and widest < WIDE_FOR_A_GPU))
    try:
        yield
    finally:
        _reduced.reset(token)


def convolution(x: tf.Tensor, kernel: tf.Tensor, padding: str) -> tf.Tensor:
    """Convolution with stride 1 in the precision that holds here, float32 in and out.

    Args:
        x: (batch, height, width, channels).
        kernel: (height, width, channels, filters).
        padding: `SAME` or `VALID`.
    """
    if not _reduced.get() or min(kernel.shape[2:]) < FEWEST_CHANNELS:
        return tf.nn.conv2d(x, kernel, 1, padding)
    small = tf.cast(x, tf.bfloat16), tf.cast(kernel, tf.bfloat16)
    return tf.cast(tf.nn.conv2d(*small, 1, padding), tf.float32)
