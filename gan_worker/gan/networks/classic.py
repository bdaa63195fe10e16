"""The classic's networks: dense generator and discriminator of small grey pictures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from gan_worker.config import ClassicConfig

SLOPE = 0.2


def leaky(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.leaky_relu(x, SLOPE)


class ClassicGenerator(keras.Model):
    """Random numbers to pictures, one picture for each cell of the latent grid: what it makes is a sheet of them.

    It is used as `generator.Generator` is. There is no style and no grain, and so z and noise are empty.

    Inputs of a call:
        z: (batch, 0).
        local: (batch, h, w, local_channels), N(0, 1): one picture for each cell.
        noise: empty.

    The output lies in 0..1, shape (batch, side·h, side·w, 1).

    Args:
        network: sizes.
    """

    def __init__(self, network: ClassicConfig):
        super().__init__(name="generator")
        self.network = network
        # Leaky where the article's are not: of plain ones so many fell silent that pictures became alike.
        hidden = [keras.layers.Dense(n, leaky) for n in network.generator_widths]
        # In one list from the start: Keras does not see a layer that is put into its place later.
        self.dense = [*hidden, keras.layers.Dense(network.side**2, "sigmoid")]
        _build(self.dense, network.local_channels)
        self.built = True

    @property
    def halos(self) -> tuple[int, ...]:
        """None: a picture of a sheet is made of its own cell alone."""
        return (0,)

    def style(self, z: tf.Tensor) -> tf.Tensor:
        """There is none: z of shape (batch, 0) to w of shape (batch, 0)."""
        return z

    def synthesis(self, w: tf.Tensor, local: tf.Tensor, noise: list[tf.Tensor]) -> tf.Tensor:
        """As a call; w is empty."""
        for layer in self.dense:
            local = layer(local)
        return tf.nn.depth_to_space(local, self.network.side)

    def call(self, z: tf.Tensor, local: tf.Tensor, noise: list[tf.Tensor]) -> tf.Tensor:
        return self.synthesis(z, local, noise)


class ClassicDiscriminator(keras.Model):
    """Pictures of shape (batch, side, side, 1) to logits of shape (batch, 1).

    With dropout while it trains, or it would know some hundred pictures by heart within a minute.
    """

    def __init__(self, network: ClassicConfig):
        super().__init__(name="discriminator")
        self.dense = [keras.layers.Dense(n) for n in (*network.discriminator_widths, 1)]
        _build(self.dense, network.side**2)
        self.built = True

    def call(self, x: tf.Tensor, seed: tf.Tensor, dropout: float) -> tf.Tensor:
        x = tf.reshape(x, (-1, x.shape[1] * x.shape[2])) * 2 - 1
        for number, layer in enumerate(self.dense[:-1]):
            x = leaky(layer(x))
            kept = tf.random.stateless_uniform(tf.shape(x), seed + [0, number]) >= dropout
            x = tf.where(kept, x / (1 - dropout), 0.0)
        return self.dense[-1](x)


def _build(layers: Sequence[keras.layers.Dense], inputs: int) -> None:
    for before, layer in pairwise([None, *layers]):
        layer.build((None, before.units if before else inputs))
