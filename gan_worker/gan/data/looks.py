"""Looks of one material: in which ways crops of its pictures differ as wholes, and what a look makes of that.

If all looks were compared with any real crops, they would become the same, and no slider would move anything. If each
crop had a look of its own, looks would take what differs from stone to stone, and a tile, which has one look, would be
all of one color. So a look is compared with a few real crops that are alike, and its latent says in which way they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

# In how many ways looks differ at most: those in which crops differ most; as many numbers of z say it.
WAYS = 4
# How much crops have to differ in a way, as a share of what pixels do: what is less is not seen, and rounding counts.
# The fourth way of real materials has .046 (a denim) to .11 (bricks).
LEAST = 0.04
# How far means of half a batch, divided along one of the ways, lie from that of all, in standard deviations of crops:
# divided by it they are spread as z is.
SPREAD = 0.6


class Groups(NamedTuple):
    """Real crops divided into as many groups as there are looks.

    Attributes:
        order: numbers of the crops, those of each group beside each other, (batch,).
        means: what each group is like, (looks, ways): how far its mean lies from that of the pictures in each way, in
            standard deviations of crops.
    """

    order: tf.Tensor
    means: tf.Tensor

    def latents(self, z: tf.Tensor) -> tf.Tensor:
        """Latents whose first numbers say what the groups are like, (looks, z_dim); the others are those of z."""
        return tf.concat([self.means / SPREAD, z[:, self.means.shape[1] :]], 1)


class Looks:
    """In which ways crops of a material differ.

    Args:
        crops: of the pictures, many, (crops, crop, crop, channels), standardised.

    Attributes:
        ways: how many there are, up to WAYS; 0 where all crops are alike.
    """

    def __init__(self, crops: tf.Tensor):
        measures = _measures(crops).numpy()
        self._middle = tf.constant(measures.mean(0))
        _, sizes, axes = np.linalg.svd(measures - measures.mean(0), full_matrices=False)
        spreads = sizes[:WAYS] / np.sqrt(len(measures))
        self.ways = int(np.sum(spreads >= LEAST))
        self._axes = tf.constant((axes[: self.ways] / spreads[: self.ways, None]).T, tf.float32)

    def divide(self, real: tf.Tensor, looks: int, seed: tf.Tensor) -> Groups:
        """Divide real crops into groups that are alike in one way, another one for each seed.

        Args:
            real: (batch, crop, crop, channels), standardised; the batch is a multiple of the looks.
            looks: how many groups.
            seed: (2,) integers that fix the way, and which group comes first.
        """
        values = self._values(real)
        way = tf.random.stateless_normal((self.ways,), seed)
        order = tf.argsort(tf.linalg.matvec(values, way))
        means = tf.reduce_mean(tf.reshape(tf.gather(values, order), (looks, -1, self.ways)), 1)
        return Groups(order, means)

    def distance(self, fake: tf.Tensor, groups: Groups) -> tf.Tensor:
        """How far the crops of each look are from its group as a whole, a scalar in standard deviations of crops.

        Args:
            fake: (batch, crop, crop, channels), the crops of each look beside each other.
            groups: what they were to be like.
        """
        looks = groups.means.shape[0]
        means = tf.reduce_mean(tf.reshape(self._values(fake), (looks, -1, self.ways)), 1)
        return tf.reduce_mean(tf.abs(means - groups.means))

    def _values(self, crops: tf.Tensor) -> tf.Tensor:
        return (_measures(crops) - self._middle) @ self._axes


def _measures(crops: tf.Tensor) -> tf.Tensor:
    """What crops differ in as wholes: mean and spread of each channel, (crops, 2 · channels)."""
    means, variances = tf.nn.moments(crops, (1, 2))
    # The slope of a square root at 0 has no end.
    return tf.concat([means, tf.sqrt(variances + 1e-3)], -1)
