"""GPUs that share a training: every batch is divided among them, each holds all the weights."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from gan_worker.progress import Notice


def divide_training(
    gpus: int, batch: int, report: Callable[[Notice], None]
) -> tf.distribute.Strategy | None:
    """As many of this computer's GPUs as are wanted, are there, and divide the batch evenly.

    Args:
        gpus: how many are wanted.
        batch: crops a step.
        report: is told where more than one was wanted.

    Returns:
        What divides the work; None where one device does all of it.
    """
    found = _devices()[:gpus]
    count = max((n for n in range(1, len(found) + 1) if batch % n == 0), default=1)
    if gpus > 1:
        text = f"It trains on {count} of {gpus} GPUs that were wanted"
        here = f"{len(found)} {'is' if len(found) == 1 else 'are'} here"
        report(Notice(f"{text}: {here}, and {batch} crops are divided evenly."))
    return tf.distribute.MirroredStrategy(found[:count]) if count > 1 else None


def _devices() -> list[str]:
    return [device.name for device in tf.config.list_logical_devices("GPU")]
