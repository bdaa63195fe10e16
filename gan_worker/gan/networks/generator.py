"""The generator: fully convolutional and circular, from a latent grid to all maps of a material at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from gan_worker.gan.networks.layers import (
    Convolution,
    Noise,
    PaintedStyle,
    StyleBlock,
    StyleNorm,
    Tone,
    centre,
    leaky_relu,
    pixel_norm,
    upsample,
)

if TYPE_CHECKING:
    from gan_worker.config import NetworkConfig


class Generator(keras.Model):
    """Latents of any grid size h×w to pictures of stride·h × stride·w.

    Inputs of a call:
        z: (batch, z_dim), N(0, 1): which material.
        local: (batch, h, w, local_channels + 2 · waves), N(0, 1) fields and the waves of the material's pattern, zeros
            where it has fewer: where things lie.
        noise: one field for each level after the first, (batch, h·2^i, w·2^i, 1 + 2 · waves), N(0, 1): grain, and the
            waves of patterns too fine for the grid.

    The output has standardised channels, shape (batch, stride·h, stride·w, channels); `dataset.Statistics`
    turns them into maps. Shifting all local inputs by a cell shifts the output by a stride, exactly.

    Args:
        network: sizes.
        channels: standardised channels of all maps together.
        waves: number of waves that come in at each level; none by default.
        materials: of which each has a tone of its own; 0 where there is one alone.

    Attributes:
        tone: what gives a picture the mean and spread of its material; None where there is one alone.
    """

    def __init__(
        self,
        network: NetworkConfig,
        channels: int,
        waves: Sequence[int] = (),
        materials: int = 0,
    ):
        super().__init__(name="generator")
        first, *rest = network.generator_channels
        coarse, *fine = waves or (0,) * network.levels
        self.network = network
        self.local_inputs = network.local_channels + 2 * coarse
        self.mapping = [keras.layers.Dense(network.w_dim) for _ in range(2)]
        self.entry = Convolution(first)
        self.levels = [[StyleBlock(first), StyleBlock(first)]] + [[StyleBlock(c)] for c in rest]
        self.narrow = [Convolution(c, size=1) for c in rest]
        self.grain = [Noise(count) for count in fine]
        self.exit_norm = StyleNorm()
        self.exit = Convolution(channels, size=1)
        self.tone = Tone(materials) if materials else None
        self._build_layers()

    def _build_layers(self) -> None:
        network = self.network
        style = (None, network.w_dim)
        self.mapping[0].build((None, network.z_dim))
        self.mapping[1].build(style)
        self.entry.build((None, None, None, self.local_inputs))
        before = network.generator_channels[0]
        for level, filters in enumerate(network.generator_channels):
            shape = (None, None, None, filters)
            if level > 0:
                self.narrow[level - 1].build((None, None, None, before))
                self.grain[level - 1].build(shape)
            for block in self.levels[level]:
                block.build(shape, style)
            before = filters
        self.exit_norm.build((None, None, None, before), style)
        self.exit.build((None, None, None, before))
        if self.tone:
            self.tone.build(network.z_dim, self.exit.filters)
        self.built = True

    @property
    def shared_variables(self) -> list[tf.Variable]:
        """All variables but those of materials' own fine waves and tones, in an order that these do not change."""
        own = {id(grain.mixture) for grain in self.grain if grain.waves}
        own |= {id(variable) for variable in (self.tone.variables if self.tone else ())}
        return [variable for variable in self.variables if id(variable) not in own]

    @property
    def halos(self) -> tuple[int, ...]:
        """How far beyond a piece the features reach that its pixels are made of, in the cells of each level.

        Counted from the picture back to the latent grid: a 3×3 convolution looks one cell further on its level; the
        blur of `upsample` makes r cells out of r // 2 + 1.
        """
        reach, found = _reach(self.exit), []
        for narrow, blocks in zip(reversed(self.narrow), reversed(self.levels[1:]), strict=True):
            reach += sum(map(_reach, blocks))
            found.append(reach)
            reach = reach // 2 + 1 + _reach(narrow)
        found.append(reach + sum(map(_reach, self.levels[0])) + _reach(self.entry))
        return tuple(reversed(found))

    def style(self, z: tf.Tensor) -> tf.Tensor:
        """The mapping network: z of shape (batch, z_dim) to the style w of shape (batch, w_dim)."""
        w = pixel_norm(z)
        for layer in self.mapping:
            w = leaky_relu(layer(w))
        return w

    def synthesis(
        self, w: tf.Tensor | PaintedStyle, local: tf.Tensor, noise: list[tf.Tensor]
    ) -> tf.Tensor:
        """From style w and local inputs to standardised channels.

        Args:
            w: (batch, w_dim), or painted, with shares for each cell of the latent grid.
            local: as in a call.
            noise: as in a call. Fields may be smaller than their level: then its middle alone is worked on, which
                is how a piece of a picture drops the parts of its halo that are no longer needed.
        """
        x, w = self._untoned(w, local, noise)
        return self.tone(x, w, self.style(self.tone.latents)) if self.tone else x

    def untoned(self, z: tf.Tensor, local: tf.Tensor, noise: list[tf.Tensor]) -> tf.Tensor:
        """The same as a call, but of several materials each at a spread of 1 around 0, as they are learned."""
        return self._untoned(self.style(z), local, noise)[0]

    def _untoned(
        self, w: tf.Tensor | PaintedStyle, local: tf.Tensor, noise: list[tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor | PaintedStyle]:
        x = self._on_grid(w, local)
        for level, field in zip(range(1, len(self.levels)), noise, strict=True):
            if isinstance(w, PaintedStyle):
                w = w._replace(shares=centre(upsample(w.shares), field))
            x = self._on_level(level, self._enlarged(level, x, field), w, field)
        return self.exit(leaky_relu(self.exit_norm(x, w))), w

    def _on_grid(self, w: tf.Tensor | PaintedStyle, local: tf.Tensor) -> tf.Tensor:
        x = self.entry(local)
        for block in self.levels[0]:
            x = block(x, w)
        return x

    def _enlarged(self, level: int, x: tf.Tensor, field: tf.Tensor) -> tf.Tensor:
        """Features of the level before, as large as this one's field."""
        return centre(upsample(self.narrow[level - 1](x)), field)

    def _on_level(
        self, level: int, x: tf.Tensor, w: tf.Tensor | PaintedStyle, field: tf.Tensor
    ) -> tf.Tensor:
        x = self.grain[level - 1](x, field)
        for block in self.levels[level]:
            x = block(x, w)
        return x

    def strengthen_waves(self, z: tf.Tensor, local: tf.Tensor, noise: Sequence[tf.Tensor]) -> None:
        """Make fine waves, which are fresh, as strong as they should be beside features of trained weights.

        Trained features are up to six times as strong as fresh ones; what is hardly heard is not followed, and threads
        end here and there. Nothing is drawn where no waves are fine.

        Args:
            z: as in a call.
            local: as in a call.
            noise: as in a call.
        """
        finest = max((level for level, grain in enumerate(self.grain, 1) if grain.waves), default=0)
        if not finest:
            return
        w = self.style(z)
        x = self._on_grid(w, local)
        for level, field in enumerate(noise[:finest], 1):
            x = self._enlarged(level, x, field)
            if self.grain[level - 1].waves:
                self.grain[level - 1].strengthen(x)
            x = self._on_level(level, x, w, field)

    def call(self, z: tf.Tensor, local: tf.Tensor, noise: list[tf.Tensor]) -> tf.Tensor:
        return self.synthesis(self.style(z), local, noise)


def _reach(layer: keras.layers.Layer) -> int:
    """Cells that a layer looks to each side; of branches side by side the sum, which is at least enough."""
    convolutions = [one for one in layer._flatten_layers() if isinstance(one, Convolution)]
    return sum(one.size // 2 for one in convolutions)
