"""What `tiny` could be made of instead, for `bench_quality --change`: parts that were measured and left out.

Each takes the place of the program's own part before a training is built, in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from gan_worker.gan.detail.stage import DetailStage
from gan_worker.gan.networks import generator, layers
from gan_worker.gan.networks.adam import assign
from gan_worker.gan.networks.discriminator import Discriminator
from gan_worker.gan.networks.precision import convolution
from gan_worker.gan.training import losses, step
from gan_worker.gan.training.shares import Share
from gan_worker.gan.training.step import TrainingStep


class BatchStyleNorm(layers.StyleNorm):
    """Batch norm in the place of the norm of every pixel; what is generated is made with frozen statistics."""

    # Whether the generator is being called to be trained: then the batch's own statistics count.
    training = False

    def build(self, feature_shape: tuple, style_shape: tuple) -> None:
        super().build(feature_shape, style_shape)
        size = (feature_shape[-1],)
        self.mean = self.add_weight(name="mean", shape=size, initializer="zeros", trainable=False)
        self.spread = self.add_weight(name="var", shape=size, initializer="ones", trainable=False)

    def call(self, x: tf.Tensor, w: Any) -> tf.Tensor:
        mean, spread = tf.convert_to_tensor(self.mean), tf.convert_to_tensor(self.spread)
        if BatchStyleNorm.training:
            kept = mean, spread
            mean, spread = tf.nn.moments(x, (0, 1, 2))
            assign(self.mean, 0.9 * kept[0] + 0.1 * mean)
            assign(self.spread, 0.9 * kept[1] + 0.1 * spread)
        scale, shift = tf.split(self.affine(w)[:, None, None, :], 2, axis=-1)
        return (x - mean) * tf.math.rsqrt(spread + 1e-5) * (1.0 + scale) + shift


class WithBatchNorm(TrainingStep):
    """Batch norm in the generator."""

    def __init__(self, *arguments: Any):
        layers.StyleNorm = generator.StyleNorm = BatchStyleNorm  # type: ignore[attr-defined, misc]
        super().__init__(*arguments)

    def _fake_crops(self, seed: tf.Tensor, z: tf.Tensor, share: Share) -> tf.Tensor:
        BatchStyleNorm.training = True
        fake = super()._fake_crops(seed, z, share)
        BatchStyleNorm.training = False
        return fake


class TwoScales(Discriminator):
    """A second discriminator judges the crops at half size; a patch's logit is the sum of both."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.coarse = Discriminator(*arguments)

    def call(self, x: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        coarse = self.coarse(layers.downsample(x), labels=labels)
        return super().call(x, labels) + tf.repeat(tf.repeat(coarse, 2, 1), 2, 2)


class WithTwoScales(TrainingStep):
    """A discriminator for each of two scales."""

    def __init__(self, *arguments: Any):
        step.Discriminator = TwoScales  # type: ignore[attr-defined, assignment]
        super().__init__(*arguments)


class WithGrowingCrops(TrainingStep):
    """Crops of half the side, three times as many, for the first three tenths of the budget: as much work a step."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self._whole_network = self.network
        self._small = True
        self._resize(
            replace(self.network, crop=self.network.crop // 2, batch=3 * self.network.batch)
        )

    def _resize(self, network: Any) -> None:
        self.network = network
        self._torus = step.torus_cells(self.patterns, network, self.parameters.torus_margin)
        self._step = tf.function(self._step_in_graph, autograph=False)

    def step(self, number: int, fraction: float) -> dict[str, tf.Tensor]:
        if self._small and fraction >= 0.3:
            self._small = False
            self._resize(self._whole_network)
        return super().step(number, fraction)


class Compiled(TrainingStep):
    """The step compiled by XLA: 0.46 steps in a second against 3.6, on two cores of an Intel Xeon without bfloat16."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self._step = tf.function(self._step_in_graph, autograph=False, jit_compile=True)


class NonSaturating(TrainingStep):
    """The loss of Goodfellow et al. 2014 (arXiv 1406.2661) that judges real and generated crops each by itself."""

    def __init__(self, *arguments: Any):
        step.relativistic_losses = _non_saturating  # type: ignore[attr-defined, assignment]
        super().__init__(*arguments)


def _non_saturating(real: tf.Tensor, fake: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    softplus: Callable[[tf.Tensor], tf.Tensor] = tf.nn.softplus
    wrong = tf.reduce_mean(softplus(-real)) + tf.reduce_mean(softplus(fake))
    return wrong, tf.reduce_mean(softplus(-fake))


class WithoutContrasts(TrainingStep):
    """The patch distance without the standard deviations of patches."""

    def __init__(self, *arguments: Any):
        losses.local_variance = _none  # type: ignore[attr-defined]
        super().__init__(*arguments)


def _none(x: tf.Tensor, side: int, stride: int) -> tf.Tensor:
    return tf.zeros((1, 1, 1, x.shape[-1]))


def draw_without_moved(
    self: DetailStage,
    octave: int,
    low: tf.Tensor,
    w: tf.Tensor,
    noise: np.ndarray,
    moved: tf.Tensor,
) -> tf.Tensor:
    """In the place of `DetailStage.draw`, for an upsampler that has never been given moved detail."""
    nothing, has_moved = tf.zeros_like(moved), tf.zeros(1)
    draw = self._draw[tf.Tensor]
    return draw(w, tf.constant([octave]), low, nothing, tf.constant(noise), has_moved)


class GatedNoise(layers.Noise):
    """Noise as strong as the features say at each pixel; at first everywhere as it was."""

    def build(self, feature_shape: tuple) -> None:
        super().build(feature_shape)
        shape = (1, 1, feature_shape[-1], feature_shape[-1])
        self.gate = self.add_weight(name="gate", shape=shape, initializer="zeros")

    def call(self, x: tf.Tensor, field: tf.Tensor) -> tf.Tensor:
        return super().call(x, field) + field[..., :1] * convolution(x, self.gate, "SAME")


class WithGatedNoise(TrainingStep):
    """Calm and grained parts of a material differ by the strength of the noise, too."""

    def __init__(self, *arguments: Any):
        generator.Noise = GatedNoise  # type: ignore[attr-defined]
        shared = vars(generator.Generator)["shared_variables"].fget
        generator.Generator.shared_variables = property(  # type: ignore[assignment]
            # Pre-trained weights have no gates.
            lambda self: [v for v in shared(self) if not any(v is g.gate for g in self.grain)]
        )
        super().__init__(*arguments)


LEVERS: Mapping[str, type[TrainingStep]] = {
    "noise=gated": WithGatedNoise,
    "norm=batch": WithBatchNorm,
    "discriminators=2": WithTwoScales,
    "crops=growing": WithGrowingCrops,
    "xla=true": Compiled,
    "loss=nonsaturating": NonSaturating,
    "contrasts=none": WithoutContrasts,
}
# With these there are no pre-trained weights to start from.
OTHER_NETWORKS = ("norm=batch", "discriminators=2")
