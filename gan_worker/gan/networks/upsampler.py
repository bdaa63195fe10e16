"""The upsampler: one octave of detail, from small maps and real detail moved into place to maps of twice the size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from gan_worker.gan.networks.layers import (
    Convolution,
    PaintedStyle,
    StyleBlock,
    StyleNorm,
    leaky_relu,
    upsample,
)

if TYPE_CHECKING:
    from gan_worker.config import DetailConfig

# How far the network looks to each side, in pixels of what comes in: the entry, the blocks' two convolutions, the exit.
ENTRY_AND_EXIT, BLOCK = 2, 2


class Upsampler(keras.Model):
    """Maps of any size to maps of twice the size; the same weights for every octave, told which one by its style.

    All convolutions work at the size of what comes in, on pixels folded into channels: four times fewer places with
    four times the channels keep a processor's convolutions busy.

    Args:
        config: sizes.
        channels: standardised channels of all maps together.
        octaves: of the model.
        w_dim: length of the style w.
    """

    def __init__(self, config: DetailConfig, channels: int, octaves: int, w_dim: int):
        super().__init__(name="upsampler")
        self.config, self.octaves = config, octaves
        self.entry = Convolution(config.width)
        self.blocks_ = [StyleBlock(config.width) for _ in range(config.blocks)]
        self.exit_norm = StyleNorm()
        # Silent at first: then the result is the small maps with the moved detail as it is.
        self.exit = Convolution(4 * channels, silent=True)
        shape = (None, None, None, config.width)
        # The small maps, the moved detail and the noise of the four new pixels, and whether detail was moved at all.
        self.entry.build((None, None, None, 5 * channels + 4 + 1))
        for block in self.blocks_:
            block.build(shape, (None, w_dim))
        self.exit_norm.build(shape, (None, w_dim))
        self.exit.build(shape)
        self.octave = self.add_weight(name="octave", shape=(octaves, w_dim), initializer="zeros")
        self.built = True

    @property
    def reach(self) -> int:
        """How far it looks to each side, pixels of what comes in."""
        return ENTRY_AND_EXIT + BLOCK * len(self.blocks_)

    def call(
        self,
        w: tf.Tensor | PaintedStyle,
        octave: tf.Tensor,
        low: tf.Tensor,
        moved: tf.Tensor,
        noise: tf.Tensor,
        has_moved: tf.Tensor,
    ) -> tf.Tensor:
        """Draw one octave.

        Args:
            w: (batch, w_dim), or painted, with shares for each pixel of `low`.
            octave: (batch,) integers: 0 for the first one above the generator's own pictures.
            low: standardised channels, (batch, h, w, channels).
            moved: real detail moved into place, (batch, 2h, 2w, channels): what real pictures have beyond their own
                small ones.
            noise: (batch, 2h, 2w, 1), N(0, 1).
            has_moved: (batch,), 1 where `moved` holds anything, as always in generation; 0 in those crops of a
                training that are without it.

        Returns:
            (batch, 2h, 2w, channels).
        """
        told = tf.gather(tf.convert_to_tensor(self.octave), octave)
        w = w._replace(styles=w.styles + told) if isinstance(w, PaintedStyle) else w + told
        flag = tf.broadcast_to(has_moved[:, None, None, None], tf.shape(low[..., :1]))
        parts = [low, tf.nn.space_to_depth(moved, 2), tf.nn.space_to_depth(noise, 2), flag]
        x = self.entry(tf.concat(parts, axis=-1))
        for block in self.blocks_:
            x = block(x, w)
        drawn = self.exit(leaky_relu(self.exit_norm(x, w)))
        return upsample(low) + moved + tf.nn.depth_to_space(drawn, 2)
