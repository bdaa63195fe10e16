"""Building blocks of the generator and the discriminator.

Everything in the generator is circular: what leaves a picture on the right comes in on the left. Shifting
all its inputs by one cell of the latent grid therefore shifts its output by one stride, exactly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from gan_worker.gan.networks.precision import convolution

LEAK = 0.2


def circular_pad(x: tf.Tensor, cells: int = 1) -> tf.Tensor:
    """Pad height and width of (batch, height, width, channels) by its own opposite sides.

    `keras.ops.pad(mode="circular")` exists for Torch only, so slices are joined.
    """
    x = tf.concat([x[:, -cells:], x, x[:, :cells]], axis=1)
    return tf.concat([x[:, :, -cells:], x, x[:, :, :cells]], axis=2)


def upsample(x: tf.Tensor) -> tf.Tensor:
    """Double height and width: repeat, then a circular [1, 2, 1] blur, which removes the checkerboard.

    The two steps together are linear interpolation between cell centres moved by a half pixel, written with
    additions because they are several times faster on a CPU than a depthwise convolution.
    """
    rows = tf.roll(x, 1, axis=1)
    x = interleave(0.25 * rows + 0.75 * x, 0.75 * x + 0.25 * tf.roll(x, -1, axis=1), axis=1)
    columns = tf.roll(x, 1, axis=2)
    return interleave(0.25 * columns + 0.75 * x, 0.75 * x + 0.25 * tf.roll(x, -1, axis=2), axis=2)


def interleave(first: tf.Tensor, second: tf.Tensor, axis: int) -> tf.Tensor:
    """Alternate the slices of two equal tensors along height (1) or width (2)."""
    shape = tf.shape(first)
    stacked = tf.stack([first, second], axis=axis + 1)
    doubled = tf.tensor_scatter_nd_update(shape, [[axis]], [shape[axis] * 2])
    result = tf.reshape(stacked, doubled)
    static = first.shape.as_list()
    static[axis] = None if static[axis] is None else static[axis] * 2
    result.set_shape(static)
    return result


def centre(x: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """The middle of (batch, height, width, channels), as high and wide as another tensor."""
    known = tuple(like.shape[1:3])
    if known == tuple(x.shape[1:3]) and None not in known:
        return x
    height, width = tf.shape(like)[1], tf.shape(like)[2]
    top, left = (tf.shape(x)[1] - height) // 2, (tf.shape(x)[2] - width) // 2
    return x[:, top : top + height, left : left + width]


def downsample(x: tf.Tensor) -> tf.Tensor:
    """Halve height and width by averaging 2×2."""
    return tf.nn.avg_pool2d(x, 2, 2, "VALID")


def leaky_relu(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.leaky_relu(x, LEAK)


def pixel_norm(x: tf.Tensor) -> tf.Tensor:
    """Divide every pixel's features by their root mean square (Karras et al. 2018, arXiv 1710.10196)."""
    return x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), axis=-1, keepdims=True) + 1e-6)


class Convolution(keras.layers.Layer):
    """Convolution with He initialisation; circular, or zero-padded where `circular` is False.

    Args:
        filters: output channels.
        size: 1 or 3.
        circular: pad with the opposite side.
        silent: start with zero weights, so that a residual branch adds nothing at first.
    """

    def __init__(
        self,
        filters: int,
        size: int = 3,
        circular: bool = True,
        silent: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters, self.size, self.circular, self.silent = filters, size, circular, silent

    def build(self, input_shape: tuple) -> None:
        fan_in = self.size * self.size * input_shape[-1]
        initial = keras.initializers.RandomNormal(stddev=(2.0 / fan_in) ** 0.5)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.size, self.size, input_shape[-1], self.filters),
            initializer="zeros" if self.silent else initial,
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        if self.size == 3 and self.circular:
            x = convolution(circular_pad(x), tf.convert_to_tensor(self.kernel), "VALID")
        else:
            x = convolution(x, tf.convert_to_tensor(self.kernel), "SAME")
        return tf.nn.bias_add(x, self.bias)


class PaintedStyle(NamedTuple):
    """A style for each place, as shares of a few: what is linear in the style is worked out for those alone.

    Attributes:
        shares: of each style at each place, (1, height, width, styles), sums 1.
        styles: (styles, w_dim).
    """

    shares: tf.Tensor
    styles: tf.Tensor


class StyleNorm(keras.layers.Layer):
    """Per-pixel norm, then scale and shift by the style: `pixel_norm(x) * (1 + S(w)) + T(w)`.

    Features are modulated, never weights: demodulated weights cannot differ from place to place. The style
    is one for the whole picture, (batch, w_dim), or painted, with shares for each pixel of x.
    """

    def build(self, feature_shape: tuple, style_shape: tuple) -> None:
        self.affine = keras.layers.Dense(
            2 * feature_shape[-1],
            kernel_initializer=keras.initializers.RandomNormal(
                stddev=0.1 * style_shape[-1] ** -0.5
            ),
        )
        self.affine.build(style_shape)

    def call(self, x: tf.Tensor, w: tf.Tensor | PaintedStyle) -> tf.Tensor:
        if isinstance(w, PaintedStyle):
            changes = tf.tensordot(w.shares, self.affine(w.styles), 1)
        else:
            changes = self.affine(w)[:, None, None, :]
        scale, shift = tf.split(changes, 2, axis=-1)
        return pixel_norm(x) * (1.0 + scale) + shift


class StyleBlock(keras.layers.Layer):
    """Residual block of the generator: style norm, circular 3×3, circular 3×3 that starts silent."""

    def __init__(self, filters: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.norm = StyleNorm()
        self.first = Convolution(filters)
        self.second = Convolution(filters, silent=True)

    def build(self, feature_shape: tuple, style_shape: tuple) -> None:
        self.norm.build(feature_shape, style_shape)
        self.first.build(feature_shape)
        self.second.build(feature_shape)

    def call(self, x: tf.Tensor, w: tf.Tensor | PaintedStyle) -> tf.Tensor:
        residual = self.first(leaky_relu(self.norm(x, w)))
        return x + self.second(leaky_relu(residual))


# Of waves beside the features that they are added to, standard deviations: what they have where both are fresh.
HEARD = 0.47


class Noise(keras.layers.Layer):
    """Add one noise field to all features, each with its own learned strength: the grain of the material.

    Args:
        waves: of patterns too fine for the latent grid. Their sines and cosines come after the noise in a field, and
            are mixed strongly from the start: what is silent at first leaves threads less straight.
    """

    def __init__(self, waves: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.waves = waves

    def build(self, feature_shape: tuple) -> None:
        self.strength = self.add_weight(
            name="strength",
            shape=(feature_shape[-1],),
            initializer=keras.initializers.RandomNormal(stddev=0.1),
        )
        if self.waves:
            shape = (1, 1, 2 * self.waves, feature_shape[-1])
            initial = keras.initializers.RandomNormal(stddev=0.5 * self.waves**-0.5)
            self.mixture = self.add_weight(name="mixture", shape=shape, initializer=initial)

    def strengthen(self, x: tf.Tensor) -> None:
        """Make the waves as strong beside these features as they are beside those of fresh weights."""
        added = tf.sqrt(tf.reduce_mean(tf.reduce_sum(tf.square(self.mixture), axis=2)))
        self.mixture.assign(self.mixture * HEARD * tf.sqrt(tf.reduce_mean(tf.square(x))) / added)

    def call(self, x: tf.Tensor, field: tf.Tensor) -> tf.Tensor:
        if not self.waves:
            return x + field * self.strength
        # One sum: of three terms TensorFlow changes the order where it knows their shapes, and with it the rounding.
        strength = tf.reshape(self.strength, (1, 1, 1, -1))
        kernel = tf.concat([strength, tf.convert_to_tensor(self.mixture)], axis=2)
        return x + convolution(field, kernel, "SAME")


class Tone(keras.layers.Layer):
    """Brings a picture of spread 1 around 0 to the mean and spread of the material that its style is most like.

    Materials differ more in their means and spreads than most do within themselves: beside bricks, the weave of a
    denim is hardly anything. So each is drawn at a spread of its own, and gets its colors and depths at the end. A
    style between materials has a mixture, by how far it is from each beside how far the nearest one's neighbor is.

    Args:
        materials: how many, 2 at least.
    """

    def __init__(self, materials: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.materials = materials

    def build(self, z_dim: int, channels: int) -> None:
        self.latents = self._fixed("latents", z_dim)
        self.spreads = self._fixed("spreads", channels)
        self.means = self._fixed("means", channels)
        self.built = True

    def _fixed(self, name: str, length: int) -> tf.Variable:
        shape = self.materials, length
        return self.add_weight(name=name, shape=shape, initializer="zeros", trainable=False)

    def call(self, x: tf.Tensor, w: tf.Tensor | PaintedStyle, styles: tf.Tensor) -> tf.Tensor:
        """Give pictures their means and spreads.

        Args:
            x: (batch, height, width, channels).
            w: (batch, w_dim), or painted, with shares for each pixel.
            styles: w of each material, (materials, w_dim).
        """
        tones = tf.concat(
            [tf.convert_to_tensor(self.spreads), tf.convert_to_tensor(self.means)], axis=-1
        )
        if isinstance(w, PaintedStyle):
            found = tf.tensordot(w.shares, _likeness(w.styles, styles) @ tones, 1)
        else:
            found = (_likeness(w, styles) @ tones)[:, None, None, :]
        spread, mean = tf.split(found, 2, axis=-1)
        return x * spread + mean


# How much less a material counts for each that is nearer: at the style of one, its nearest neighbor counts e^-8.
SHARPNESS = 8.0


def _likeness(w: tf.Tensor, styles: tf.Tensor) -> tf.Tensor:
    """Share of each material in a style, (batch, materials), sums 1: a softmax of squared distances."""
    apart = _squared_distances(styles, styles) + tf.linalg.diag(tf.fill([tf.shape(styles)[0]], 1e9))
    neighbors = tf.maximum(tf.reduce_min(apart, axis=1), 1e-6)
    found = _squared_distances(w, styles)
    near = tf.gather(neighbors, tf.argmin(found, axis=1))[:, None]
    return tf.nn.softmax(-SHARPNESS * found / near)


def _squared_distances(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.square(a[:, None] - b[None]), axis=-1)
