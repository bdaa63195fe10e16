"""The last part of an estimator's training: a discriminator looks at color and slopes together.

The mean of all reliefs that a color may have is smoother and flatter than any of them. A discriminator of patches asks
for one that could be real (as SurfaceNet does, arXiv 2107.11298); it compares each estimate with the real relief of the
same crop, so what the two share, the color first of all, tells it nothing.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from gan_worker.config import DetailConfig
from gan_worker.gan.estimation.learning import BORDER, RATE, Training
from gan_worker.gan.estimation.network import Estimate
from gan_worker.gan.estimation.samples import BATCH, CROP
from gan_worker.gan.networks.adam import Adam, assign
from gan_worker.gan.networks.discriminator import Discriminator
from gan_worker.gan.networks.precision import reduced_precision
from gan_worker.gan.training.losses import penalties_when_due, penalty_signs, weighted_penalties

# What the discriminator says against the other losses, and the weight and the steps between two of its penalties.
WEIGHT = 0.02
GAMMA, EVERY = 2.0, 4
SIZES = DetailConfig(discriminator_channels=(24, 48, 96), crop=CROP - 2 * BORDER, batch=BATCH)
# Slopes as strong beside the color as the color is.
STEEP = 0.3


class JudgedTraining(Training):
    """A training whose slopes are judged too."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = Discriminator(SIZES, 5)
        self.judge_optimizer = Adam(RATE, 0.0, 0.99)
        self.judge_optimizer.build(self.judge.trainable_variables)

    def variables(self) -> list[Any]:
        """All of its state; what is only of the judge comes last."""
        return [*super().variables(), *self.judge.variables, *self.judge_optimizer.variables]

    def _further(
        self, number: tf.Tensor, rate: tf.Tensor, found: Estimate, batch: tuple[tf.Tensor, ...]
    ) -> dict[str, tf.Tensor]:
        seen, targets, facts = batch
        pair = [_shown(seen, slopes) for slopes in (targets[..., :2], found.slopes)]
        weights = facts[:, 0, None, None]
        with reduced_precision(SIZES.discriminator_channels[0]):
            real, fake = self.judge(pair[0]), self.judge(pair[1])
        self._learn(number, rate, [tf.stop_gradient(x) for x in pair], weights)
        return {"judged": WEIGHT * tf.reduce_mean(weights * tf.nn.softplus(real - fake))}

    def _learn(
        self, number: tf.Tensor, rate: tf.Tensor, pair: list[tf.Tensor], weights: tf.Tensor
    ) -> None:
        variables = self.judge.trainable_variables
        with tf.GradientTape() as tape:
            with reduced_precision(SIZES.discriminator_channels[0]):
                real, fake = self.judge(pair[0]), self.judge(pair[1])
            loss = tf.reduce_mean(weights * tf.nn.softplus(fake - real))
        plain = tape.gradient(loss, variables)
        signs = penalty_signs(SIZES, tf.stack([number, 6]))
        _, _, slopes = penalties_when_due(
            number % EVERY == 0,
            lambda: weighted_penalties(self.judge, pair, signs, GAMMA / 2 * EVERY, variables),
            variables,
        )
        assign(self.judge_optimizer.learning_rate, rate)
        self.judge_optimizer.apply(list(map(tf.add, plain, slopes)), variables)


def _shown(color: tf.Tensor, slopes: tf.Tensor) -> tf.Tensor:
    """What the discriminator sees, (batch, side, side, 5)."""
    whole = tf.concat([color * 4 - 2, slopes / STEEP], axis=-1)
    return whole[:, BORDER:-BORDER, BORDER:-BORDER]
