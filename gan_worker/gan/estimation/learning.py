"""Learning: an estimator's training step, on sets as a camera might have seen them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gan_worker.gan.estimation.light import reflect, shade, to_linear, to_srgb
from gan_worker.gan.estimation.network import Estimate, Estimator
from gan_worker.gan.estimation.relief import normals_of_slopes
from gan_worker.gan.networks.adam import Adam, assign, follow
from gan_worker.gan.networks.layers import downsample
from gan_worker.gan.networks.precision import reduced_precision

if TYPE_CHECKING:
    from gan_worker.runs.checkpoints import Arrays

RATE = 5e-4
# Length of a gradient at most.
LONGEST_STEP = 1.0
# Pixels at the border of a crop that are not judged: there the circular network sees the opposite side.
BORDER = 24
# Share of real pictures whose brightness is turned over while their relief stays.
INVERTED = 0.15


def as_photographed(
    color: tf.Tensor, targets: tf.Tensor, facts: tf.Tensor, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Colors as a camera might have seen them, and the logarithm of the light that is in them.

    Args:
        color: sRGB of the surfaces, (batch, height, width, 3).
        targets: slopes, roughness, occlusion, (batch, height, width, 4).
        facts: of `samples.batches`.
        seed: (2,).
    """
    batch = color.shape[0]

    def draw(salt: int, least: float, most: float, shape: tuple[int, ...] = (batch,)) -> tf.Tensor:
        return tf.random.stateless_uniform(shape, seed + [0, salt], least, most)

    def wide(x: tf.Tensor) -> tf.Tensor:
        return x[:, None, None, None]

    light = tf.reduce_mean(color, -1, keepdims=True)
    mean = tf.reduce_mean(light, (1, 2), keepdims=True)
    inverted = tf.clip_by_value(color - 2 * (light - mean), 0.0, 1.0)
    turned_over = (draw(1, 0, 1) < INVERTED) & (facts[:, 3] == 0)
    color = tf.where(wide(turned_over), inverted, color)
    turn, height = draw(2, 0, 2 * np.pi), draw(3, 0.45, 1.3)
    sun = tf.stack(
        [tf.cos(turn) * tf.cos(height), tf.sin(turn) * tf.cos(height), tf.sin(height)], axis=-1
    )
    lit = shade(targets[..., :2], targets[..., 3:4], sun, draw(4, 0.1, 0.8))
    # Sets have little light in them, and what is made up always has some, else it says nothing of its relief.
    lit = tf.where(wide((draw(5, 0, 1) < 0.5) | (facts[:, 3] > 0)), lit, tf.ones_like(lit))
    log_light = tf.math.log(lit)
    log_light -= tf.reduce_mean(log_light, (1, 2), keepdims=True)
    balance = draw(6, 0.85, 1.15, (batch, 1, 1, 3)) * wide(draw(7, 0.7, 1.3))
    seen = to_srgb(tf.clip_by_value(to_linear(color) * tf.exp(log_light) * balance, 0.0, 1.0))
    noise = tf.random.stateless_normal(tf.shape(seen), seed + [0, 8]) * wide(draw(9, 0, 0.02))
    return tf.clip_by_value(seen + noise, 0.0, 1.0), log_light


def as_arrays(estimator: Estimator) -> Arrays:
    """Weights as `estimator.load_estimator` reads them; half precision loses nothing that shows."""
    return {f"{i:04d}": v.numpy().astype(np.float16) for i, v in enumerate(estimator.variables)}


class Training:
    """An estimator that learns, and its running means.

    Attributes:
        estimator: that is trained.
        ema: whose weights are the running means; what is used.
        step: does one update.
    """

    def __init__(self) -> None:
        self.estimator, self.ema = Estimator(), Estimator()
        self.start_from(self.estimator)
        self.optimizer = Adam(RATE, 0.9, 0.99)
        self.optimizer.build(self.estimator.trainable_variables)
        self.step = tf.function(self._step, autograph=False)

    def start_from(self, estimator: Estimator) -> None:
        """Take over the weights of an estimator."""
        for network in (self.estimator, self.ema):
            for variable, value in zip(network.variables, estimator.variables, strict=True):
                variable.assign(value)

    def weights(self) -> Arrays:
        """The running means, as `estimator.load_estimator` reads them."""
        return as_arrays(self.ema)

    def variables(self) -> list[Any]:
        """All of its state."""
        return [*self.estimator.variables, *self.ema.variables, *self.optimizer.variables]

    def _step(
        self,
        number: tf.Tensor,
        rate: tf.Tensor,
        ema: tf.Tensor,
        color: tf.Tensor,
        targets: tf.Tensor,
        facts: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        seed = tf.stack([number, 5])
        seen, log_light = as_photographed(color, targets, facts, seed)
        known = facts[:, :3]
        with tf.GradientTape() as tape:
            with reduced_precision(128):
                found = self.estimator(seen)
            losses = measure(found, to_linear(color), targets, log_light, known, seed)
            losses |= self._further(number, rate, found, (seen, targets, facts))
            total = tf.add_n(list(losses.values()))
        gradients = tape.gradient(total, self.estimator.trainable_variables)
        norm = tf.linalg.global_norm(gradients)
        # What is not finite, once in many thousand steps, is left out.
        share = tf.where(tf.math.is_finite(norm), LONGEST_STEP / tf.maximum(norm, LONGEST_STEP), 0)
        gradients = [tf.math.multiply_no_nan(g, share) for g in gradients]
        assign(self.optimizer.learning_rate, rate)
        self.optimizer.apply(gradients, self.estimator.trainable_variables)
        follow(self.ema, self.estimator, ema)
        return losses

    def _further(
        self, number: tf.Tensor, rate: tf.Tensor, found: Estimate, batch: tuple[tf.Tensor, ...]
    ) -> dict[str, tf.Tensor]:
        """Losses beside those of `measure`, of what is seen, targets and facts."""
        return {}


def measure(
    found: Estimate,
    albedo: tf.Tensor,
    targets: tf.Tensor,
    log_light: tf.Tensor,
    known: tf.Tensor,
    seed: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """All losses, each a scalar."""

    def inner(x: tf.Tensor) -> tf.Tensor:
        return x[:, BORDER:-BORDER, BORDER:-BORDER]

    weights = [known[:, i, None, None, None] for i in range(3)]
    p, t = inner(found.slopes), inner(targets[..., :2])
    cosine = tf.reduce_sum(normals_of_slopes(p) * normals_of_slopes(t), -1, keepdims=True)
    losses = {"normal": 4 * tf.reduce_mean(weights[0] * (1 - cosine))}
    losses["reflection"] = 0.5 * reflection_loss(
        p, inner(found.roughness), inner(albedo), inner(targets), weights, seed
    )
    coarse = 0.0
    errors = [tf.sqrt(2 * tf.maximum(1 - cosine, 1e-6))]
    for _ in range(5):
        p, t = downsample(p), downsample(t)
        coarse += tf.reduce_mean(weights[0] * tf.abs(p - t))
    losses["coarse"] = 0.6 * coarse
    for name, index, value in (
        ("roughness", 1, found.roughness),
        ("occlusion", 2, found.occlusion),
    ):
        errors.append(tf.abs(inner(value - targets[..., index + 1 : index + 2])))
        losses[name] = tf.reduce_mean(weights[index] * errors[-1])
    losses["shading"] = 0.5 * tf.reduce_mean(tf.abs(inner(found.shading - log_light)))
    # Exponential distributions of the errors, whose means are what is expected.
    doubts, seen = inner(found.doubts), tf.stop_gradient(tf.concat(errors, -1))
    likely = doubts + (seen + 1e-3) * tf.exp(-doubts)
    losses["doubts"] = 0.01 * tf.reduce_mean(known[:, None, None, :] * likely)
    return losses


def reflection_loss(
    slopes: tf.Tensor,
    roughness: tf.Tensor,
    albedo: tf.Tensor,
    targets: tf.Tensor,
    weights: Sequence[tf.Tensor],
    seed: tf.Tensor,
) -> tf.Tensor:
    """How different both look under a random light (Deschaintre et al. 2018, 10.1145/3197517.3201378)."""
    batch = slopes.shape[0]
    ways = tf.random.stateless_normal((2, batch, 3), seed + [0, 20])
    light, view = (
        tf.math.l2_normalize(tf.abs(w) * [0, 0, 1] + w * [1, 1, 0] + [0, 0, 0.3], -1)
        for w in tf.unstack(ways)
    )
    # Where no roughness is known, both have the estimated one.
    real = weights[1] * targets[..., 2:3] + (1 - weights[1]) * tf.stop_gradient(roughness)
    pair = [
        tf.math.log(0.05 + reflect(albedo, s, r, light, view))
        for s, r in ((slopes, roughness), (targets[..., :2], real))
    ]
    return tf.reduce_mean(weights[0] * tf.abs(pair[0] - pair[1]))
