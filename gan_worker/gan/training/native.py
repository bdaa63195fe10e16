"""Native training: the networks of the small picture first, then in turns with the detail stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from gan_worker.gan.generation.latents import draw_latents
from gan_worker.gan.training.detail import (
    POOL_SIDE,
    DetailHyperparameters,
    DetailStep,
    Drawn,
)

if TYPE_CHECKING:
    from gan_worker.gan.detail.bank import KeptPictures
    from gan_worker.gan.training.step import Hyperparameters, TrainingStep

# Share of the budget in which only small pictures are learned, and of so many steps after it those of the detail stage.
FIRST, TURNS = 0.3, (2, 1)


@dataclass(frozen=True)
class NativeHyperparameters:
    """How both parts are updated."""

    small: Hyperparameters
    detail: DetailHyperparameters


class NativeStep:
    """The networks of the small pictures and of the detail, in training in turns.

    Args:
        small: networks of the small pictures.
        kept: real pictures at their own size.
        seed: fixes all that is drawn.
    """

    def __init__(self, small: TrainingStep, kept: KeptPictures, seed: int):
        self.small = small
        # The running mean of the generator of small pictures.
        self.ema_generator = small.ema_generator
        network = small.network
        self.detail = DetailStep(
            network.detail, kept, self._draw_small, self._styles, network.w_dim, seed
        )
        self.parameters = NativeHyperparameters(small.parameters, self.detail.parameters)

    @property
    def rate_factor(self) -> float:
        """On both learning rates."""
        return self.small.rate_factor

    @rate_factor.setter
    def rate_factor(self, value: float) -> None:
        self.small.rate_factor = self.detail.rate_factor = value

    def variables(self) -> dict[str, list]:
        """All variables that make the next step what it is, by group."""
        return {**self.small.variables(), **self.detail.variables()}

    def restored(self) -> None:
        """Work out again what follows from variables that were given values."""
        self.detail.restored()

    def divide(self) -> bool:
        """Both parts' batches; see `TrainingStep.divide`."""
        return any([self.small.divide(), self.detail.divide()])

    def step(self, number: int, fraction: float) -> dict[str, tf.Tensor]:
        """Update one of both parts once; see `TrainingStep.step`."""
        if fraction >= FIRST and number % TURNS[0] < TURNS[1]:
            return self.detail.step((fraction - FIRST) / (1 - FIRST))
        # Counted by itself: of every other number none might be one of those on which penalties are due.
        return self.small.step(number - int(self.detail.steps), fraction)

    def named_styles(self, names: Sequence[str]) -> Mapping[str, np.ndarray]:
        """See `TrainingStep.named_styles`."""
        return self.small.named_styles(names)

    def _draw_small(self, number: int) -> Drawn:
        """A small picture of a free style or, of several materials and every other time, of one of theirs."""
        small, network = self.small, self.small.network
        cells = POOL_SIDE // 2 // network.stride
        z = np.random.default_rng([small.seed, 4, number]).standard_normal(
            (1, network.z_dim), np.float32
        )
        material = 0
        if small.conditioning is not None:
            latents = small.conditioning.latents
            if number % 2:
                own = number // 2 % latents.shape[0]
                z = latents[own : own + 1].numpy()
            material = int(small.conditioning.nearest(tf.constant(z), small.ema_generator)[0])
        shares = np.eye(len(small.patterns), dtype=np.float32)[material]
        latents = draw_latents(
            # Far from the seeds that a person takes first.
            *(2**31 - 1 - number, cells, cells, network, small.patterns),
            z[0],
            shares,
        )
        w = small.ema_generator.style(tf.constant(latents.z))
        noise = [tf.constant(field) for field in latents.noise]
        channels = small.ema_generator.synthesis(w, tf.constant(latents.local), noise)
        return Drawn(channels[0], w[0], material)

    def _styles(self, materials: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Styles of real crops: their materials' own, or where there is one material, any."""
        small = self.small
        if small.conditioning is not None:
            z = tf.gather(small.conditioning.latents, materials)
        else:
            shape = (materials.shape[0], small.network.z_dim)
            z = tf.random.stateless_normal(shape, seed)
        return small.ema_generator.style(z)
