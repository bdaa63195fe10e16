"""The discriminator: plain crops of all maps stacked, to a map of logits, one for each patch."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from gan_worker.gan.networks.layers import Convolution, downsample, leaky_relu

if TYPE_CHECKING:
    from gan_worker.config import DetailConfig, NetworkConfig


class Residual(keras.layers.Layer):
    """Halve the size: 3×3, average, 3×3 beside an averaged 1×1 shortcut; no normalisation."""

    def __init__(self, filters_in: int, filters: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.first = Convolution(filters_in, circular=False)
        self.second = Convolution(filters, circular=False)
        self.shortcut = Convolution(filters, size=1)

    def build(self, input_shape: tuple) -> None:
        self.first.build(input_shape)
        self.second.build(input_shape)
        self.shortcut.build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        residual = downsample(leaky_relu(self.first(leaky_relu(x))))
        return (self.shortcut(downsample(x)) + self.second(residual)) * 0.5**0.5


class Discriminator(keras.Model):
    """Crops of shape (batch, crop, crop, channels) to logits of shape (batch, patches, patches).

    It sees plain crops with zero padding: real pictures do not tile, and rolling them would teach seams.

    Where there are several materials it can be told which one a crop is said to show: the logit of a patch then gains
    the product of its features with what was learned of that material (Miyato and Koyama 2018, arXiv 1802.05637).

    Args:
        network: sizes.
        channels: standardised channels of all maps together.
        materials: how many it can be told of; 0 where it is told nothing.
    """

    def __init__(self, network: NetworkConfig | DetailConfig, channels: int, materials: int = 0):
        super().__init__(name="discriminator")
        widths = network.discriminator_channels
        self.entry = Convolution(widths[0], circular=False)
        self.blocks = [Residual(a, b) for a, b in itertools.pairwise(widths)]
        self.last = Convolution(widths[-1], circular=False)
        self.exit = Convolution(1, size=1)
        self.entry.build((None, None, None, channels))
        for block, width in zip(self.blocks, widths, strict=False):
            block.build((None, None, None, width))
        self.last.build((None, None, None, widths[-1]))
        self.exit.build((None, None, None, widths[-1]))
        self.embedding = None
        if materials:
            self.embedding = self.add_weight(
                name="embedding", shape=(materials, widths[-1]), initializer="zeros"
            )
        self.built = True

    @property
    def shared_variables(self) -> list[tf.Variable]:
        """All that is not of a certain material."""
        return [v for v in self.variables if v is not self.embedding]

    def call(self, x: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Judge crops, each as the material of its label, (batch,), or as any where that is negative."""
        x = self.entry(x)
        for block in self.blocks:
            x = block(x)
        features = leaky_relu(self.last(leaky_relu(x)))
        logits = self.exit(features)[..., 0]
        if labels is None:
            return logits
        told = tf.where(labels[:, None] < 0, 0.0, tf.gather(self.embedding, tf.maximum(labels, 0)))
        return logits + tf.einsum("bhwc,bc->bhw", features, told)
