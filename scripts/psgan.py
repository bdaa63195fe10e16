"""PSGAN's recipe at the size of `tiny`, which the benchmark of quality compares with (Bergmann 2017, arXiv 1705.06566).

Batch norm, transposed 5×5 convolutions, Adam at 2e-4, the non-saturating loss and no penalty; a local latent, a
global one and learned waves as its input.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from gan_worker.config import NetworkConfig

LOCAL, GLOBAL, WAVES, HIDDEN = 16, 20, 4, 60
# Cells around a picture that are cut away, because zero padding shows there.
BORDER = 2


class Psgan:
    """The two networks in training, on one picture.

    Args:
        network: sizes.
        pixels: (height, width, channels) in 0..1.
        seed: fixes first weights and draws.
    """

    def __init__(self, network: NetworkConfig, pixels: np.ndarray, seed: int = 0):
        keras.utils.set_random_seed(seed)
        self.network, self._pixels = network, tf.constant(pixels * 2 - 1, tf.float32)
        self._generator = _generator(network, pixels.shape[-1])
        self._discriminator = _discriminator(network, pixels.shape[-1])
        hidden, waves = keras.layers.Dense(HIDDEN, "relu"), keras.layers.Dense(4 * WAVES)
        self._mapping = keras.Sequential([keras.Input((GLOBAL,)), hidden, waves])
        self._trained = (
            self._generator.trainable_variables + self._mapping.trainable_variables,
            self._discriminator.trainable_variables,
        )
        self._optimizers = [keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2)]
        for optimizer, variables in zip(self._optimizers, self._trained, strict=True):
            optimizer.build(variables)
        self.step = tf.function(self._step, autograph=False)

    def sample(self, side: int, seed: int) -> np.ndarray:
        """One picture, (side, side, channels) in 0..1; it does not tile."""
        tf.random.set_seed(seed)
        cells = side // self.network.stride + 2 * BORDER
        made = self._generator(self._latent(1, cells), training=False)[0]
        border = BORDER * self.network.stride
        return (made[border : border + side, border : border + side].numpy() + 1) / 2

    def _latent(self, batch: int, cells: int) -> tf.Tensor:
        chosen = tf.random.normal((batch, GLOBAL))
        across, down = tf.split(self._mapping(chosen), 2, axis=-1)
        y, x = tf.meshgrid(tf.range(float(cells)), tf.range(float(cells)), indexing="ij")
        phase = tf.random.uniform((batch, 1, 1, 2 * WAVES), 0, 2 * np.pi)
        angle = (
            across[:, None, None] * x[None, :, :, None] + down[:, None, None] * y[None, :, :, None]
        )
        everywhere = tf.tile(chosen[:, None, None], (1, cells, cells, 1))
        local = tf.random.normal((batch, cells, cells, LOCAL))
        return tf.concat([local, everywhere, tf.sin(angle + phase)], axis=-1)

    def _step(self) -> tf.Tensor:
        crop, batch = self.network.crop, self.network.batch
        size = (crop, crop, self._pixels.shape[-1])
        real = tf.stack([tf.image.random_crop(self._pixels, size) for _ in range(batch)])
        with tf.GradientTape(persistent=True) as tape:
            fake = self._generator(self._latent(batch, crop // self.network.stride), training=True)
            judged = [self._discriminator(crops, training=True) for crops in (real, fake)]
            wrong = tf.reduce_mean(tf.nn.softplus(-judged[0]) + tf.nn.softplus(judged[1]))
            losses = tf.reduce_mean(tf.nn.softplus(-judged[1])), wrong
        for optimizer, loss, variables in zip(self._optimizers, losses, self._trained, strict=True):
            optimizer.apply(tape.gradient(loss, variables), variables)
        return losses[0]


def _convolution(kind: type, filters: int, strides: int, **options: object) -> keras.layers.Layer:
    initial = keras.initializers.RandomNormal(stddev=0.02)
    return kind(filters, 5, strides, padding="same", kernel_initializer=initial, **options)


def _generator(network: NetworkConfig, channels: int) -> keras.Model:
    x = inputs = keras.Input((None, None, LOCAL + GLOBAL + 2 * WAVES))
    for filters in network.generator_channels[1:]:
        x = _convolution(keras.layers.Conv2DTranspose, filters, 2)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(x))
    last = _convolution(keras.layers.Conv2D, channels, 1, activation="tanh")
    return keras.Model(inputs, last(x))


def _discriminator(network: NetworkConfig, channels: int) -> keras.Model:
    x = inputs = keras.Input((None, None, channels))
    for level, filters in enumerate(network.discriminator_channels):
        x = _convolution(keras.layers.Conv2D, filters, 2 if level < 3 else 1)(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x) if level else x
        x = keras.layers.LeakyReLU(negative_slope=0.2)(x)
    return keras.Model(inputs, _convolution(keras.layers.Conv2D, 1, 1)(x))
