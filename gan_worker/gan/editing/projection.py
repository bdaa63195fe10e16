"""Projection: the latents whose picture is nearest to a given one, or to the known part of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from gan_worker.config import check_has_styles
from gan_worker.gan.data.waves import Pattern, Wave, level_of, snapped_turns
from gan_worker.gan.generation.latents import Latents, draw_latents
from gan_worker.gan.networks.adam import Adam
from gan_worker.gan.training.losses import patch_distance
from gan_worker.progress import GenerationProgress

if TYPE_CHECKING:
    from gan_worker.gan.generation.model import Model

# Seeds that are tried at every place before the best is made better.
SEEDS = 8
STEPS = 150
# Learning rate of all latents at the start; it falls to a twentieth along half a cosine wave.
RATE = 0.05
# Weights of the patches' distance, and of the latents' distance from a normal distribution.
PATCH_WEIGHT, PRIOR_WEIGHT = 0.5, 0.1
# Pairs of crops in which patches are compared, and their side, pixels.
CROPS, CROP = 4, 48
# Sizes at which pixels are compared, each half of the one before.
SIZES = 3


@dataclass(frozen=True, eq=False)
class ProjectionTarget:
    """What the generated picture shall look like.

    Attributes:
        channels: (height, width, channels), standardised.
        weights: (height, width), 0 where nothing is known; how much each pixel counts.
        counted: (channels,), 1 for those of maps that are given.
        closed: whether rows, and whether columns, go on at the opposite side; the size is a multiple of the stride
            along these.
        real: crops of what the picture shows elsewhere, (any, CROP, CROP, channels); may be none.
    """

    channels: np.ndarray
    weights: np.ndarray
    counted: np.ndarray
    closed: tuple[bool, bool]
    real: np.ndarray


@dataclass(frozen=True, eq=False)
class Projection:
    """What was found.

    Attributes:
        latents: inputs of the generator; they give a picture that may be larger than the target.
        channels: that picture's part beside the target, standardised.
        seed: whose latents were the start.
        distance: weighted mean difference of the pixels, in standard deviations.
        first: the same at the start.
        steps: that were made.
    """

    latents: Latents
    channels: np.ndarray
    seed: int
    distance: float
    first: float
    steps: int


def project(
    model: Model,
    target: ProjectionTarget,
    seed: int = 1,
    steps: int = STEPS,
    report: Callable[[GenerationProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Projection:
    """Search the latents by gradient, from the best of some seeds at its best place (after Karras et al. 2020).

    A generator has no encoder here, so seeds and the shifts of their pictures are what a first guess comes from.

    Args:
        model: of any preset but `classic`.
        target: what to come near to.
        seed: the first that is tried.
        steps: of the search.
        report: is told after each step.
        should_stop: is asked before each step; what was found until then is kept.

    Raises:
        RequestError: `invalid_config` for a model without styles.
    """
    check_has_styles(model.network.z_dim)
    search = _Search(model, target, seed)
    taken = 0
    while taken < steps and not should_stop():
        search.step(taken / steps)
        taken += 1
        report(GenerationProgress(taken, steps))
    return search.best(taken)


class _Search:
    """The latents on their way."""

    def __init__(self, model: Model, target: ProjectionTarget, seed: int):
        self.generator, self.target = model.generator, target
        self.stride = model.network.stride
        height, width = target.weights.shape
        # Along an open axis there is room between the last pixel and the first, which are no neighbours.
        self.cells = tuple(
            -(-n // self.stride) + (0 if closed else 2)
            for n, closed in zip((height, width), target.closed, strict=True)
        )
        room = [(0, c * self.stride - n) for c, n in zip(self.cells, (height, width), strict=True)]
        self.channels = tf.constant(np.pad(target.channels, (*room, (0, 0)))[None], tf.float32)
        self.weights = tf.constant(np.pad(target.weights, room)[None, ..., None], tf.float32)
        self.counted = tf.constant(target.counted, tf.float32)
        self._start(model, seed)
        self._prepare_patches()
        self.variables = [self.z, self.shift, self.local, *self.noise]
        self.optimizer = Adam(RATE, beta_1=0.9, beta_2=0.99)
        self.optimizer.build(self.variables)
        self._step = tf.function(self._step_in_graph, autograph=False)
        self.first = float(self._pixels(self.picture()))
        self._kept, self._least = [v.numpy() for v in self.variables], math.inf

    # ---- the first guess

    def _start(self, model: Model, seed: int) -> None:
        found = min(
            (self._try(model, number) for number in range(seed, seed + SEEDS)),
            key=lambda tried: tried[0],
        )
        _, self.seed, latents, pattern, shift = found
        free = model.network.local_channels
        self.waves, self.grain = pattern.waves, pattern.grain
        self.level = level_of(pattern, self.stride)
        self.frequencies = tf.constant(
            np.reshape(self._frequencies(self.waves), (-1, 2)), tf.float32
        )
        self.z = keras.Variable(latents.z)
        self.shift = keras.Variable(np.float32(shift))
        self.local = keras.Variable(latents.local[..., :free])
        self.noise = [keras.Variable(n[..., :1]) for n in latents.noise]
        # What the generator takes at each level.
        self.inputs = [field.shape[-1] for field in (latents.local, *latents.noise)]

    def _try(self, model: Model, seed: int) -> tuple[float, int, Latents, Pattern, Any]:
        """A seed's picture where it fits best: how well, the latents rolled there, the pattern, its shift."""
        index = 0
        shares = model.seed_pattern(seed)
        if shares is not None:
            index = int(np.argmax(shares))
        pattern = model.patterns[index] if model.patterns else Pattern()
        rows, columns = self.cells
        latents = draw_latents(seed, rows, columns, model.network, model.patterns, (), shares)
        generator = np.random.default_rng([seed, 1])
        share = generator.uniform(0, 1, 2)
        made = self.generator(
            tf.constant(latents.z),
            tf.constant(latents.local),
            [tf.constant(n) for n in latents.noise],
        )[0].numpy()
        error, (down, across) = self._best_place(made)
        shift = share * (columns * self.stride, rows * self.stride)
        shift = shift - np.array([across, down]) * self.stride
        return error, seed, latents.rolled(down, across), pattern, shift

    def _best_place(self, made: np.ndarray) -> tuple[float, tuple[int, int]]:
        """By how many cells to roll a picture so that it differs least from the target, by cross-correlation."""
        weights = self.weights[0].numpy() * self.counted.numpy()
        wanted = self.channels[0].numpy()

        def correlated(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            spectrum = np.conj(np.fft.rfft2(a, axes=(0, 1))) * np.fft.rfft2(b, axes=(0, 1))
            return np.fft.irfft2(spectrum, s=a.shape[:2], axes=(0, 1)).sum(axis=-1)

        errors = correlated(made**2, weights) - 2 * correlated(made, weights * wanted)
        errors = errors[:: self.stride, :: self.stride]
        down, across = np.unravel_index(np.argmin(errors), errors.shape)
        return float(errors.min()), (int(down), int(across))

    def _frequencies(self, waves: Sequence[Wave]) -> list[tuple[float, float]]:
        """Cycles a pixel along x and y; where an axis is closed, whole periods fit."""
        rows, columns = self.cells
        turns = snapped_turns(waves, rows, columns, self.stride)
        height, width = rows * self.stride, columns * self.stride
        rows_closed, columns_closed = self.target.closed
        return [
            (across / width if columns_closed else x, down / height if rows_closed else y)
            for (x, y), (across, down) in zip(waves, turns, strict=True)
        ]

    # ---- pictures and losses

    def _inputs(self) -> list[tf.Tensor]:
        """For each level the free fields, then the waves where they have been shifted to."""
        free = self._along_grain(tf.convert_to_tensor(self.local))
        fields = [free, *map(tf.convert_to_tensor, self.noise)]
        if self.waves:
            fields[self.level] = tf.concat([fields[self.level], self._wave_fields()], axis=-1)
        # The generator takes as many waves as its widest pattern has.
        return [
            tf.pad(field, ((0, 0), (0, 0), (0, 0), (0, channels - field.shape[-1])))
            for field, channels in zip(fields, self.inputs, strict=True)
        ]

    def _wave_fields(self) -> tf.Tensor:
        rows, columns = (cells << self.level for cells in self.cells)
        stride = self.stride >> self.level
        x = stride * tf.range(columns, dtype=tf.float32)[None, :, None] + self.shift[0]
        y = stride * tf.range(rows, dtype=tf.float32)[:, None, None] + self.shift[1]
        angle = 2 * math.pi * (x * self.frequencies[:, 0] + y * self.frequencies[:, 1])
        fields = tf.stack([tf.sin(angle), tf.cos(angle)], axis=-1) * 2**0.5
        return tf.reshape(fields, (1, rows, columns, 2 * len(self.waves)))

    def _along_grain(self, local: tf.Tensor) -> tf.Tensor:
        """Keep those channels the same all along the grain that were drawn so, whatever was searched for."""
        if not self.grain:
            return local
        half, axis = local.shape[-1] // 2, 1 if self.grain == "down" else 2
        along = tf.reduce_mean(local[..., :half], axis, keepdims=True)
        head = tf.broadcast_to(along, (*local.shape[:3], half))
        return tf.concat([head, local[..., half:]], axis=-1)

    def picture(self) -> tf.Tensor:
        """(1, height, width, channels), with the room along open axes."""
        local, *noise = self._inputs()
        return self.generator(tf.convert_to_tensor(self.z), local, noise)

    def _pixels(self, picture: tf.Tensor) -> tf.Tensor:
        """Weighted mean difference of the pixels at several sizes, 0 for the same picture."""
        weights, difference = self.weights * self.counted, picture - self.channels
        total = 0.0
        for size in range(SIZES):
            total += tf.reduce_sum(weights * tf.abs(difference)) / tf.reduce_sum(weights)
            if size < SIZES - 1:
                summed = tf.nn.avg_pool2d(weights * difference, 2, 2, "VALID")
                weights = tf.nn.avg_pool2d(weights, 2, 2, "VALID")
                difference = summed / tf.maximum(weights, 1e-6)
        return total / SIZES

    def _prepare_patches(self) -> None:
        """Where crops of the generated picture may lie: over what is not known."""
        known = self.weights[0, ..., 0].numpy() > 0
        height, width = self.target.weights.shape
        spots = [
            (top, left)
            for top in range(0, height - CROP + 1, 4)
            for left in range(0, width - CROP + 1, 4)
            if not known[top : top + CROP, left : left + CROP].all()
        ]
        self.real = tf.constant(self.target.real, tf.float32)
        self.spots = tf.constant(spots or [(0, 0)], tf.int32)
        self.with_patches = len(self.target.real) > 0 and bool(spots)

    def _patches(self, picture: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Distance between the patches of what fills the hole and those of the rest of the picture."""
        which = tf.random.stateless_uniform((CROPS, 2), seed + [1, 0])
        real = tf.gather(self.real, tf.cast(which[:, 0] * float(len(self.target.real)), tf.int32))
        spots = tf.gather(self.spots, tf.cast(which[:, 1] * float(self.spots.shape[0]), tf.int32))
        fake = tf.stack(
            [
                tf.slice(picture[0], tf.concat([spots[i], [0]], 0), (CROP, CROP, picture.shape[-1]))
                for i in range(CROPS)
            ]
        )
        return patch_distance(real * self.counted, fake * self.counted, seed)

    def _prior(self) -> tf.Tensor:
        """Each cell's latents have mean square 1 in training, and so has each field of noise."""
        local = tf.reduce_mean(tf.square(tf.convert_to_tensor(self.local)), axis=-1)
        total = tf.reduce_mean(tf.square(local - 1.0))
        for field in self.noise:
            power = tf.nn.avg_pool2d(tf.square(tf.convert_to_tensor(field)), 2, 2, "VALID")
            total += tf.reduce_mean(tf.square(power - 1.0)) / 4
        return total

    # ---- the search

    def _step_in_graph(self, seed: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            picture = self.picture()
            pixels = self._pixels(picture)
            loss = pixels + PRIOR_WEIGHT * self._prior()
            if self.with_patches:
                loss += PATCH_WEIGHT * self._patches(picture, seed)
        sources = [v.value for v in self.variables]
        gradients = tape.gradient(loss, sources, unconnected_gradients="zero")
        self.optimizer.learning_rate.assign(rate)
        self.optimizer.apply(gradients, self.variables)
        return loss

    def step(self, fraction: float) -> None:
        """Move all latents once, and keep those of the least loss.

        Args:
            fraction: of the search that lies behind, 0..1.
        """
        rate = RATE * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * fraction)))
        seed = tf.constant([self.seed, int(fraction * 1e6)], tf.int32)
        before = [v.numpy() for v in self.variables]
        loss = float(self._step(seed, tf.constant(rate, tf.float32)))
        if loss < self._least:
            self._kept, self._least = before, loss

    def best(self, steps: int) -> Projection:
        """What has been found until now."""
        for variable, value in zip(self.variables, self._kept, strict=True):
            variable.assign(value)
        picture = self.picture()
        height, width = self.target.weights.shape
        local, *noise = (field.numpy() for field in self._inputs())
        latents = Latents(self.z.numpy(), local, tuple(noise))
        return Projection(
            latents,
            picture[0, :height, :width].numpy(),
            self.seed,
            float(self._pixels(picture)),
            self.first,
            steps,
        )
