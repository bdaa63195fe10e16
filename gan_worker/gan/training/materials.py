"""Several materials in one training: each has a latent of its own, which the discriminator is told of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from gan_worker.gan.generation.styles import nearest_style

if TYPE_CHECKING:
    from gan_worker.gan.networks.generator import Generator

# Stands in place of a material where a crop is judged without one.
NOBODY = -1
# How far, in each number of z, a material's latent strays while training; what lies near it looks like it.
STRAY = 0.2


def own_crops(batch: int) -> int:
    """How many pairs of crops are of a material by its name; the first ones."""
    return batch - batch // 4


class Conditioning:
    """The latents of the training materials, and which crops of a batch are theirs.

    In the first three quarters of every batch a generated crop has the latent of the material that its real partner
    shows, and the discriminator judges both as that material. In the last one latents are free, and crops are judged
    without a material, so that what lies between the materials is taught to look real too.

    Args:
        materials: how many.
        z_dim: length of a latent.
        seed: fixes the latents.
    """

    def __init__(self, materials: int, z_dim: int, seed: int):
        drawn = np.random.default_rng([seed, 41]).standard_normal((materials, z_dim))
        self.latents = tf.Variable(drawn.astype(np.float32), trainable=False)

    def start_near(self, looks: tf.Tensor, spread: float) -> None:
        """Begin where a generator that knows other materials draws the most alike of them.

        Args:
            looks: one for each material, (materials, z_dim); several may have the same.
            spread: how far from them, as a share of how far the latents lie apart.
        """
        self.latents.assign(looks + spread * self.latents)

    @staticmethod
    def label(which: tf.Tensor) -> tf.Tensor:
        """What each pair of crops is judged as: (batch,) materials to the same, with `NOBODY` in the last quarter."""
        batch = which.shape[0]
        return tf.where(tf.range(batch) < own_crops(batch), which, NOBODY)

    def assign_latents(self, z: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Put the latents of the labelled materials, astray a little, in place of free ones, (batch, z_dim)."""
        stray = STRAY * tf.random.stateless_normal(tf.shape(z), seed + [0, 70])
        own = tf.gather(self.latents, tf.maximum(labels, 0)) + stray
        return tf.where(labels[:, None] == NOBODY, z, own)

    def nearest(self, z: tf.Tensor, generator: Generator) -> tf.Tensor:
        """The material that each latent looks most like, (batch,) integers: a picture gets its pattern."""
        return nearest_style(generator.style(z), generator.style(self.latents))


class MaterialStyles(Mapping[str, np.ndarray]):
    """The style w of each training material by name, as the generator has it at the moment of asking.

    Args:
        names: of the materials, all different.
        latents: (materials, z_dim).
        generator: with its weights, which may still be in training.
    """

    def __init__(self, names: Sequence[str], latents: tf.Variable, generator: Generator):
        self._index = {name: index for index, name in enumerate(names)}
        self._latents, self._generator = latents, generator

    def __getitem__(self, name: str) -> np.ndarray:
        index = self._index[name]
        w: np.ndarray = self._generator.style(self._latents[index : index + 1])[0].numpy()
        return w

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)
