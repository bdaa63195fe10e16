"""Weights from which any one of many materials is learned in few steps.

Reptile (Nichol, Achiam and Schulman 2018, arXiv 1803.02999), with both networks of a GAN as in FIGR (Clouâtre and
Demers 2019, arXiv 1901.02199): each round trains one material as the program would, and moves the weights part of the
way to what came out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from pretraining import as_maps, statistics

from gan_worker.config import NetworkConfig
from gan_worker.gan.data.dataset import Dataset
from gan_worker.gan.data.looks import WAYS, Looks
from gan_worker.gan.data.waves import Pattern
from gan_worker.gan.training.step import TrainingStep, recipe

# Steps of a round, and how far the weights follow what came out: at the first round, and at the last.
STEPS, FIRST, LAST = 30, 0.3, 0.03
SEED = 7


class OneAtATime(Dataset):
    """Crops of one of many materials, which is another one in each round.

    Attributes:
        current: the material, int32.
        count: of materials.
    """

    def __init__(self, pictures: Sequence[np.ndarray]):
        maps = [as_maps(picture) for picture in pictures]
        super().__init__(maps, statistics(), turned=True)
        self.current = tf.Variable(0, trainable=False)
        self.count = len(pictures)

    @property
    def materials(self) -> int:
        """One, for whoever trains on it."""
        return 1

    def choose(self, seed: tf.Tensor, batch: int) -> tf.Tensor:
        """The current material for each crop, (batch,) int32."""
        return tf.fill((batch,), self.current)


class LooksOfAny(Looks):
    """In which ways crops of one of many materials differ, which is another one in each round."""

    def __init__(self, crops: tf.Tensor):
        super().__init__(crops)
        self.ways = WAYS
        self._middle = tf.Variable(self._middle, trainable=False)
        self._axes = tf.Variable(tf.zeros((crops.shape[-1] * 2, WAYS)), trainable=False)
        self.learn(crops)

    def learn(self, crops: tf.Tensor) -> None:
        """Of another material; where it has fewer ways, looks do not differ in the others."""
        found = Looks(crops)
        self._middle.assign(found._middle)
        self._axes.assign(tf.pad(found._axes, ((0, 0), (0, WAYS - found.ways))))


class OneMaterial(TrainingStep):
    """A training of one material, which is another one in each round: no channel of all of them is slow."""

    def _build(self) -> None:
        super()._build()
        self.slow, self.looks = (), LooksOfAny(self._many_crops())
        # They are wanted in each round: in a graph that takes half the time.
        self._crops = tf.function(self._many_crops, autograph=False)

    def begin(self) -> None:
        """See what the current material is like."""
        assert isinstance(self.looks, LooksOfAny)
        self.looks.learn(self._crops())


class Reptile:
    """The weights, and the rounds that improve them.

    Args:
        preset: whose recipe trainings follow.
        network: sizes.
        pictures: small ones, of `pretraining.Known`.
        start: networks of the same sizes that know these materials, to begin with.
    """

    def __init__(
        self,
        preset: str,
        network: NetworkConfig,
        pictures: Sequence[np.ndarray],
        start: TrainingStep,
    ):
        self._data = OneAtATime(pictures)
        # A round is the beginning of a training: its learning rate has not fallen yet.
        parameters = replace(recipe(preset), final_rate=1.0)
        self._training = OneMaterial(network, self._data, (Pattern(),), SEED, parameters)
        self._networks = {
            "generator": self._training.generator.variables,
            "discriminator": self._training.discriminator.variables,
        }
        known = {
            "generator": start.ema_generator.variables,
            "discriminator": start.discriminator.shared_variables,
        }
        self._weights = {
            name: [tf.Variable(v, trainable=False) for v in variables]
            for name, variables in known.items()
        }

    def variables(self) -> dict[str, list]:
        """All that makes the next round what it is, by group."""
        return self._weights

    def step(self, number: int, fraction: float) -> dict[str, Any]:
        """One round; losses of its last step by name.

        Args:
            number: of the round, from 0.
            fraction: share of the rounds that are over.
        """
        lap, place = divmod(number, self._data.count)
        order = np.random.default_rng([SEED, lap]).permutation(self._data.count)
        self._data.current.assign(int(order[place]))
        self._begin()
        self._training.begin()
        for k in range(STEPS):
            losses = self._training.step(number * STEPS + k, 0.0)
        share = FIRST + (LAST - FIRST) * fraction
        for name, variables in self._networks.items():
            for kept, variable in zip(self._weights[name], variables, strict=True):
                kept.assign_add(share * (variable - kept))
        return losses

    def networks(self) -> TrainingStep:
        """A training that has these weights and has not begun."""
        self._begin()
        return self._training

    def _begin(self) -> None:
        for name, variables in self._networks.items():
            for variable, kept in zip(variables, self._weights[name], strict=True):
                variable.assign(kept)
        groups = self._training.variables()
        for mean, kept in zip(groups["ema_generator"], self._weights["generator"], strict=True):
            mean.assign(kept)
        for name in ("generator_optimizer", "discriminator_optimizer"):
            for variable in groups[name]:
                variable.assign(tf.zeros_like(variable))
