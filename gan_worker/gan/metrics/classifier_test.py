"""Classifier two-sample test: a small network, trained for a second to tell two sets of windows apart.

Lopez-Paz and Oquab 2017 (arXiv 1610.06545).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import keras
import numpy as np
import tensorflow as tf

PATCH = 32
STEPS, BATCH, RATE = 150, 32, 2e-3
# Of its levels, each of half the size of the one before, down to so many pixels.
FILTERS, LAST = (32, 48, 64, 64), 4
TESTED = 512


def held_out_auc(
    real: tuple[np.ndarray, np.ndarray], fake: tuple[np.ndarray, np.ndarray], patch: int = PATCH
) -> float:
    """Area under the ROC curve of a fresh classifier on patches that it has not seen: 0.5 where it cannot tell.

    Trained on the first of each pair and tested on the second, then the other way around; the mean of both.

    Args:
        real: two sets of windows, (count, side, side, channels), standardised; the side is that of a patch at least.
        fake: the same.
        patch: side of a patch, pixels: 16, 32 or 64.
    """
    classifier = _classifier(real[0].shape[-1], patch)
    ahead = classifier.train_and_test((real[0], fake[0]), (real[1], fake[1]))
    return (ahead + classifier.train_and_test((real[1], fake[1]), (real[0], fake[0]))) / 2


@cache
def _classifier(channels: int, patch: int) -> PatchClassifier:
    return PatchClassifier(channels, patch)


class PatchClassifier:
    """The network, its graph, and first weights that every training starts from.

    Args:
        channels: of a window.
        patch: side of a patch, pixels.
    """

    def __init__(self, channels: int, patch: int):
        self._patch = patch
        # Half as many of twice the side: twice the pixels a step, and no more.
        self._batch = BATCH * PATCH // patch
        filters = FILTERS[: (patch // LAST).bit_length() - 1]
        sizes = zip((channels, *filters), filters, strict=False)
        generator = np.random.default_rng(17)
        shapes = [(3, 3, a, b) for a, b in sizes] + [(filters[-1], 1)]
        self._first = [
            (generator.standard_normal(s) * np.sqrt(2 / np.prod(s[:-1]))).astype(np.float32)
            for s in shapes
        ] + [np.zeros(s[-1], np.float32) for s in shapes]
        self._weights = [tf.Variable(w) for w in self._first]
        self._optimizer = keras.optimizers.Adam(RATE)
        self._optimizer.build(self._weights)
        self._fresh = [np.asarray(v) for v in self._optimizer.variables]
        self._step = tf.function(self._step_in_graph, autograph=False, reduce_retracing=True)

    def train_and_test(
        self, training: Sequence[np.ndarray], testing: Sequence[np.ndarray]
    ) -> float:
        """AUC on the test windows after training from the first weights; both are (real, fake)."""
        for variable, value in zip(
            [*self._weights, *self._optimizer.variables], [*self._first, *self._fresh], strict=True
        ):
            variable.assign(value)
        real, fake = (tf.constant(w, tf.float32) for w in training)
        for number in range(STEPS):
            self._step(tf.constant(number), real, fake)
        logits = [
            self._logits(self._patches(tf.constant(w, tf.float32), [23, i], TESTED)).numpy()
            for i, w in enumerate(testing)
        ]
        return auc(*logits)

    def _logits(self, x: tf.Tensor) -> tf.Tensor:
        kernels, biases = (
            self._weights[: len(self._weights) // 2],
            self._weights[len(self._weights) // 2 :],
        )
        for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
            x = tf.nn.leaky_relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 2, "SAME"), bias), 0.2)
        return (tf.matmul(tf.reduce_mean(x, axis=(1, 2)), kernels[-1]) + biases[-1])[:, 0]

    def _step_in_graph(self, number: tf.Tensor, real: tf.Tensor, fake: tf.Tensor) -> None:
        seed = tf.stack([number, 0])
        batch = self._batch
        drawn = [self._patches(w, seed + [0, i], batch) for i, w in ((1, real), (2, fake))]
        x = tf.concat(drawn, axis=0)
        labels = tf.concat([tf.ones(batch), tf.zeros(batch)], axis=0)
        with tf.GradientTape() as tape:
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, self._logits(x))
            loss = tf.reduce_mean(losses)
        self._optimizer.apply(tape.gradient(loss, self._weights), self._weights)

    def _patches(self, windows: tf.Tensor, seed: tf.Tensor, count: int) -> tf.Tensor:
        """Random patches, (count, side, side, channels); the same seed takes the same places."""
        seed, side = tf.convert_to_tensor(seed), self._patch
        number, height, width = (tf.shape(windows)[i] for i in range(3))
        which = tf.random.stateless_uniform((count,), seed + [0, 10], 0, number, tf.int32)
        rows, columns = (
            tf.random.stateless_uniform((count,), seed + [0, salt], 0, n - side + 1, tf.int32)
            for salt, n in ((11, height), (12, width))
        )
        span = tf.range(side)
        row = (rows[:, None] + span)[:, :, None]
        column = (columns[:, None] + span)[:, None, :]
        index = (which[:, None, None] * height + row) * width + column
        return tf.gather(tf.reshape(windows, (-1, windows.shape[-1])), index)


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Probability that a positive stands above a negative, equal ones counted half (Mann and Whitney 1947)."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    return float(below.mean() / (2 * len(negative)))
