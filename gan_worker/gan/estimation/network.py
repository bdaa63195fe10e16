"""The estimator: a U-Net from color to slopes, roughness, occlusion and shading, told what the whole picture is."""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf

from gan_worker.gan.estimation.relief import BANDS, STEEPEST, luminance_bands, slopes_of_bands
from gan_worker.gan.networks.layers import Convolution, downsample, leaky_relu, upsample

# Features a level, from half of the picture's size down, and blocks on the way down and up again.
WIDTHS = (32, 64, 96, 128, 128)
DOWN, UP = (1, 2, 2, 3, 2), (1, 1, 1, 1)
# How much of each octave of brightness is relief before anything is learned: what comes nearest to the real slopes of
# the sets that weights are learned from, each set counting as much as any other.
FIXED = (0.58, 0.29, 0.24, 0.21, 0.21)
CONTEXT = 64
# Pixels that the sides of a picture are a multiple of.
STRIDE = 2 << (len(WIDTHS) - 1)
# Channels of what it finds, in order: slopes along x and y, roughness, occlusion, the logarithm of the shading, and
# the logarithms of the errors expected of slopes, roughness and occlusion.
OUTPUTS = (2, 1, 1, 1, 3)


class Estimate(NamedTuple):
    """What the estimator finds of a picture, (batch, height, width, …).

    Attributes:
        slopes: of the height along x and along y upwards, pixels a pixel, 2 channels.
        roughness: 0..1, 1 channel.
        occlusion: 0..1, 1 where it is open, 1 channel.
        shading: natural logarithm of the light on the picture over that of its mean, 1 channel.
        doubts: natural logarithms of the errors that are expected of normals (radians), roughness and occlusion,
            3 channels.
    """

    slopes: tf.Tensor
    roughness: tf.Tensor
    occlusion: tf.Tensor
    shading: tf.Tensor
    doubts: tf.Tensor


class Block(keras.layers.Layer):
    """Residual block: soft norm, circular 3×3, scale and shift by the context, circular 3×3 that starts silent."""

    def __init__(self, filters: int):
        super().__init__()
        self.first = Convolution(filters)
        self.affine = keras.layers.Dense(2 * filters, kernel_initializer="zeros")
        self.second = Convolution(filters, silent=True)

    def build(self, feature_shape: tuple, context_shape: tuple) -> None:
        self.first.build(feature_shape)
        self.affine.build(context_shape)
        self.second.build(feature_shape)

    def call(self, x: tf.Tensor, context: tf.Tensor) -> tf.Tensor:
        scale, shift = tf.split(self.affine(context)[:, None, None, :], 2, axis=-1)
        inner = self.first(leaky_relu(soft_norm(x))) * (1 + scale) + shift
        return x + self.second(leaky_relu(inner))


def soft_norm(x: tf.Tensor) -> tf.Tensor:
    """Small features as they are, large ones with a root mean square of 1 at each pixel.

    How much a pixel differs from its neighbors is what relief is read from, and the generator's norm hides it; without
    any norm, features grew beyond all bounds on one picture in some thousand.
    """
    return x * tf.math.rsqrt(1.0 + tf.reduce_mean(tf.square(x), axis=-1, keepdims=True))


class Estimator(keras.Model):
    """Colors to maps; all convolutions are circular, and all features are modulated by what the whole picture is.

    The same brightness is a joint in one material and a stone in another: so a vector that describes the whole picture,
    the mean of features of it at half its size, changes what every block does, as a style does in the generator. It
    also says how much of each octave of brightness is relief, and which way, and the network corrects that from place
    to place: so fine relief takes no more than coarse features to be as sharp as the picture. What differs from all of
    that is drawn.
    """

    def __init__(self) -> None:
        super().__init__(name="estimator")
        first = WIDTHS[0]
        inputs = 4 * (3 + BANDS)
        self.seen = [Convolution(w) for w in WIDTHS[:3]]
        self.context = keras.layers.Dense(CONTEXT)
        self.gains = keras.layers.Dense(
            BANDS, kernel_initializer="zeros", bias_initializer=tf.constant_initializer(FIXED)
        )
        self.local_gains = Convolution(BANDS, silent=True)
        self.entry = Convolution(first)
        self.down = [[Block(w) for _ in range(n)] for w, n in zip(WIDTHS, DOWN, strict=True)]
        self.widen = [Convolution(w, size=1) for w in WIDTHS[1:]]
        self.join = [Convolution(w, size=1) for w in WIDTHS[:-1]]
        self.up = [[Block(w) for _ in range(n)] for w, n in zip(WIDTHS, UP, strict=False)]
        self.exit = Convolution(4 * sum(OUTPUTS), silent=True)
        self._build_layers(inputs)

    def _build_layers(self, inputs: int) -> None:
        context = (None, CONTEXT)
        before = inputs
        for layer, width in zip(self.seen, WIDTHS, strict=False):
            layer.build((None, None, None, before))
            before = width
        self.context.build((None, 2 * before))
        self.gains.build((None, CONTEXT))
        self.local_gains.build((None, None, None, WIDTHS[1]))
        self.entry.build((None, None, None, inputs))
        for index, width in enumerate(WIDTHS):
            shape = (None, None, None, width)
            for block in self.down[index]:
                block.build(shape, context)
            if index:
                self.widen[index - 1].build((None, None, None, WIDTHS[index - 1]))
            if index < len(WIDTHS) - 1:
                self.join[index].build((None, None, None, width + WIDTHS[index + 1]))
                for block in self.up[index]:
                    block.build(shape, context)
        self.exit.build((None, None, None, WIDTHS[0]))
        self.built = True

    def describe(self, color: tf.Tensor) -> tf.Tensor:
        """What whole pictures look like, (batch, CONTEXT).

        Args:
            color: sRGB, 0..1, (batch, height, width, 3).
        """
        small = downsample(color)
        x = _inputs(small, luminance_bands(small))
        for layer in self.seen:
            x = downsample(leaky_relu(layer(x)))
        mean, variance = tf.nn.moments(x, (1, 2))
        return leaky_relu(self.context(tf.concat([mean, tf.sqrt(variance + 1e-4)], axis=-1)))

    def call(self, color: tf.Tensor, context: tf.Tensor | None = None) -> Estimate:
        """Estimate the maps of circular pictures.

        Args:
            color: sRGB, 0..1, (batch, height, width, 3); sides are multiples of STRIDE.
            context: of `describe`; of these pictures themselves where it is left out.
        """
        w = self.describe(color) if context is None else context
        bands = luminance_bands(color)
        x = self.entry(_inputs(color, bands))
        kept = []
        for index, blocks in enumerate(self.down):
            if index:
                x = self.widen[index - 1](downsample(x))
            for block in blocks:
                x = block(x, w)
            kept.append(x)
        for index in reversed(range(len(WIDTHS) - 1)):
            x = self.join[index](tf.concat([kept[index], upsample(x)], axis=-1))
            for block in self.up[index]:
                x = block(x, w)
            if index == 1:
                local = upsample(upsample(self.local_gains(leaky_relu(soft_norm(x)))))
        drawn = tf.nn.depth_to_space(self.exit(leaky_relu(soft_norm(x))), 2)
        slopes, roughness, occlusion, shading, doubts = tf.split(drawn, OUTPUTS, axis=-1)
        slopes += slopes_of_bands(bands, self.gains(w)[:, None, None, :] + local)
        return Estimate(
            STEEPEST * tf.tanh(slopes / STEEPEST),
            tf.sigmoid(roughness + 0.5),
            tf.sigmoid(occlusion + 2.0),
            tf.tanh(shading),
            # From a thousandth to all: an error that is taken for nothing would make its loss endless.
            3.5 * tf.tanh(doubts / 3.5 + 0.45) - 3.5,
        )


def _inputs(color: tf.Tensor, bands: tf.Tensor) -> tf.Tensor:
    """What the network sees of pictures, folded to half their size."""
    return tf.nn.space_to_depth(tf.concat([color * 4 - 2, bands], axis=-1), 2)
