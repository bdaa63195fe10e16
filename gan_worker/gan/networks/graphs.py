"""Graphs of training steps: run as they were traced, where rewriting them first takes longer than it saves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

# TensorFlow's name for leaving out all that rewrites a graph before it runs.
NO_OPTIMIZER = "disable_meta_optimizer"


@contextmanager
def unoptimized_graphs() -> Iterator[None]:
    """Inside, a processor runs graphs as they were traced, so that their first call comes a second earlier.

    TensorFlow's optimizer of graphs works as long as that on a training step, fails at its fusions, and what it gets
    done saves nothing in a step. How a graph is run belongs to each call, so all calls must be inside. On a GPU it
    stays, where it also chooses the layout of convolutions.
    """
    if tf.config.list_physical_devices("GPU"):
        yield
        return
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({NO_OPTIMIZER: True})
    try:
        yield
    finally:
        off = bool(before.get(NO_OPTIMIZER, False))
        tf.config.optimizer.set_experimental_options({NO_OPTIMIZER: off})
