"""Detail stage: draws octave after octave out of moved real detail and the upsampler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from gan_worker.gan.detail.matching import ALIGNMENT, REACH
from gan_worker.gan.networks.layers import PaintedStyle, upsample

if TYPE_CHECKING:
    from gan_worker.gan.detail.bank import Bank, KeptPictures
    from gan_worker.gan.networks.upsampler import Upsampler


class DetailStage:
    """All that a model needs to draw what is finer than its generator's pictures.

    Args:
        upsampler: with its weights, which may still be in training.
        kept: real pictures at their own size.
        banks: of each material, made of these; None makes them when they are needed.
    """

    def __init__(
        self, upsampler: Upsampler, kept: KeptPictures, banks: Sequence[Bank] | None = None
    ):
        self.upsampler, self.kept = upsampler, kept
        self._banks: dict[int, Bank] = dict(enumerate(banks or ()))
        # One graph for either kind of style.
        self._draw = {
            kind: tf.function(upsampler.__call__, autograph=False, reduce_retracing=True)
            for kind in (tf.Tensor, PaintedStyle)
        }

    @property
    def octaves(self) -> int:
        """How many it draws at most."""
        return self.upsampler.octaves

    @property
    def has_learned(self) -> bool:
        """Whether the upsampler has made a step: it begins silent."""
        return bool(tf.reduce_any(tf.convert_to_tensor(self.upsampler.exit.kernel) != 0))

    def bank(self, material: int) -> Bank:
        """Of a material, in the order of the training."""
        if material not in self._banks:
            self._banks[material] = self.kept.bank(material)
        return self._banks[material]

    def margins(self, octaves: int) -> list[int]:
        """How far a piece must reach beyond what is wanted of it before each octave, pixels of what comes in.

        All are multiples of `matching.ALIGNMENT`, on which all small pictures begin.

        Args:
            octaves: that are drawn.
        """
        own, found = REACH + self.upsampler.reach, [0]
        for _ in range(octaves):
            beyond = own - (-found[0] // 2)
            found.insert(0, -(-beyond // ALIGNMENT) * ALIGNMENT)
        return found

    def move(self, octave: int, low: tf.Tensor, materials: np.ndarray) -> tf.Tensor:
        """Real detail moved into place for one octave of a circular picture, or of a piece with its margin.

        Args:
            octave: 0 for the first.
            low: (1, height, width, channels), sides multiples of `matching.ALIGNMENT`.
            materials: whose detail is moved where, (height, width) or (1, 1).

        Returns:
            (1, 2 · height, 2 · width, channels).
        """
        there = np.unique(materials)
        moved = self.bank(int(there[0])).octaves[octave].move(low)
        for material in there[1:]:
            own = (materials == material).repeat(2, 0).repeat(2, 1)[None, ..., None]
            moved = tf.where(own, self.bank(int(material)).octaves[octave].move(low), moved)
        return moved

    def draw(
        self,
        octave: int,
        low: tf.Tensor,
        w: tf.Tensor | PaintedStyle,
        noise: np.ndarray,
        moved: tf.Tensor,
    ) -> tf.Tensor:
        """One octave of a circular picture, or of a piece with its margin.

        Args:
            octave: 0 for the first.
            low: (1, height, width, channels).
            w: (1, w_dim), or painted with shares for each pixel.
            noise: (1, 2 · height, 2 · width, 1).
            moved: of `move`.

        Returns:
            (1, 2 · height, 2 · width, channels).
        """
        kind = PaintedStyle if isinstance(w, PaintedStyle) else tf.Tensor
        octaves, has_moved = tf.constant([octave]), tf.ones(1)
        return self._draw[kind](w, octaves, low, moved, tf.constant(noise), has_moved)


def next_shares(w: tf.Tensor | PaintedStyle) -> tf.Tensor | PaintedStyle:
    """A style for each pixel of twice the size."""
    return w._replace(shares=upsample(w.shares)) if isinstance(w, PaintedStyle) else w
