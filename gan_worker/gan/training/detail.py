"""Training of the detail stage: the upsampler learns all octaves at once, on real and on generated small pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from gan_worker.gan.detail.bank import Bank, Octave
from gan_worker.gan.detail.matching import ALIGNMENT
from gan_worker.gan.detail.stage import DetailStage
from gan_worker.gan.networks.adam import Adam, follow, update
from gan_worker.gan.networks.discriminator import Discriminator
from gan_worker.gan.networks.graphs import unoptimized_graphs
from gan_worker.gan.networks.layers import downsample, upsample
from gan_worker.gan.networks.precision import reduced_precision
from gan_worker.gan.networks.upsampler import Upsampler
from gan_worker.gan.training.losses import (
    band_distance,
    patch_distance,
    penalties_when_due,
    penalty_signs,
    relativistic_losses,
    weighted_penalties,
)
from gan_worker.gan.training.shares import WHOLE, Measured, Share, Step, step_in_parts

if TYPE_CHECKING:
    from gan_worker.config import DetailConfig
    from gan_worker.gan.data.statistics import Statistics
    from gan_worker.gan.detail.bank import Basis, KeptPictures
    from gan_worker.gan.training.pretrained import Pretrained

# Generated pictures that are kept to learn from, and steps after which one of them is drawn anew.
POOL, REFRESH = 4, 20
# Longest side of a kept picture before an octave, pixels: what is larger is cut.
POOL_SIDE = 256
# Pixels at a cut border that do not look like the inside.
DISCARDED = 24
# Of a band, in standard deviations of its channel: what is flat at its finest is not blown up.
LEAST_DEVIATION = 1e-3


@dataclass(frozen=True)
class DetailHyperparameters:
    """How the detail stage is updated; weights of losses beside that of the discriminator.

    Attributes:
        unmoved: share of the crops that are drawn without moved detail, as generation never does: dropout of an input,
            so that the upsampler also learns to draw detail and not merely to pass on what was moved. Without it setts
            came out nearer in two minutes (critic .69, not .75), and a rock farther (.79, not .76).
    """

    learning_rate: float = 1e-3
    final_rate: float = 0.2
    decay_from: float = 0.4
    beta_1: float = 0.5
    beta_2: float = 0.99
    gamma: float = 4.0
    penalty_every: int = 4
    patch_weight: float = 2.0
    band_weight: float = 2.0
    small_weight: float = 2.0
    moved_weight: float = 0.5
    unmoved: float = 0.2
    ema: float = 0.99


@dataclass(frozen=True)
class Drawn:
    """A generated small picture to learn from: its channels, (height, width, channels), style and material."""

    channels: tf.Tensor
    w: tf.Tensor
    material: int


class Batch(NamedTuple):
    """What a step learns from, (batch, …) each: what the upsampler is given, then what is real and how much its
    bands deviate, (batch, 1, 1, channels).
    """

    w: tf.Tensor
    octave: tf.Tensor
    low: tf.Tensor
    moved: tf.Tensor
    noise: tf.Tensor
    kept: tf.Tensor
    real: tf.Tensor
    deviations: tf.Tensor

    def of(self, share: Share) -> Batch:
        """A share of it."""
        return Batch(*map(share.own, self))


class Table:
    """Pictures of different sizes as one table of pixels, from which crops are gathered inside a graph.

    Args:
        pictures: (height, width, channels) each.
        least: side that all are brought to at least, pixels, mirrored at their borders.
    """

    def __init__(self, pictures: Sequence[tf.Tensor], least: int = 0):
        padded = [_at_least(p, least) for p in pictures]
        sizes = np.array([p.shape[:2] for p in padded])
        self._first = np.concatenate([[0], np.cumsum(sizes.prod(axis=1))])
        flat = [tf.reshape(tf.cast(p, tf.float16), (-1, p.shape[-1])) for p in padded]
        self.pixels = tf.Variable(tf.concat(flat, 0), trainable=False)
        self._sizes = tf.constant(sizes, tf.int32)
        self._starts = tf.constant(self._first[:-1], tf.int32)

    def replace(self, number: int, picture: tf.Tensor) -> None:
        """Put another picture of the same size in the place of one."""
        flat = tf.reshape(tf.cast(picture, tf.float16), (-1, picture.shape[-1]))
        self.pixels[self._first[number] : self._first[number + 1]].assign(flat)

    def picture(self, number: int) -> tf.Tensor:
        """One of the pictures, (height, width, channels) float32."""
        flat = self.pixels[self._first[number] : self._first[number + 1]]
        height, width = self._sizes[number].numpy()
        return tf.cast(tf.reshape(flat, (height, width, -1)), tf.float32)

    def spots(self, which: tf.Tensor, seed: tf.Tensor, side: int) -> tf.Tensor:
        """Random places of crops in these pictures, (batch, 2)."""
        room = tf.cast(tf.gather(self._sizes, which) - side + 1, tf.float32)
        return tf.cast(tf.random.stateless_uniform((which.shape[0], 2), seed) * room, tf.int32)

    def crops(self, which: tf.Tensor, spots: tf.Tensor, side: int) -> tf.Tensor:
        """Crops of these pictures at these places, (batch, side, side, channels) float32."""
        span = tf.range(side)
        rows = spots[:, 0, None, None] + span[None, :, None]
        columns = spots[:, 1, None, None] + span[None, None, :]
        width = tf.gather(self._sizes[:, 1], which)[:, None, None]
        index = tf.gather(self._starts, which)[:, None, None] + rows * width + columns
        return tf.cast(tf.gather(self.pixels, index), tf.float32)


def _at_least(picture: tf.Tensor, side: int) -> tf.Tensor:
    """A picture brought to a side by mirroring it at its borders, as often as it takes."""
    while min(picture.shape[:2]) < side:
        height, width = picture.shape[:2]
        more = [[0, min(n, max(0, side - n))] for n in (height, width)]
        picture = tf.pad(picture, [*more, [0, 0]], "SYMMETRIC")
    return picture


class DetailStep:
    """The detail stage in training.

    Its randomness depends on the seed and the number of steps it has made alone, so a resumed run draws what the
    uninterrupted one would have drawn.

    Args:
        config: sizes.
        kept: real pictures at their own size.
        draw: a generated small picture for a number, square, of `POOL_SIDE / 2` pixels.
        styles: styles w of crops of these materials for a seed: (batch,) and (2,) to (batch, w_dim).
        w_dim: length of a style.
        seed: fixes all that is drawn.
        parameters: how the networks are updated.

    Attributes:
        stage: draws with the running mean of the upsampler.
    """

    def __init__(
        self,
        config: DetailConfig,
        kept: KeptPictures,
        draw: Callable[[int], Drawn],
        styles: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
        w_dim: int,
        seed: int,
        parameters: DetailHyperparameters | None = None,
    ):
        self.config, self.seed, self._draw_small, self._styles = config, seed, draw, styles
        self.parameters = p = parameters or DetailHyperparameters()
        self.octaves, self.channels = len(kept.bases), kept.scales.shape[-1]
        # Lowered by a training that went wrong.
        self.rate_factor = 1.0
        sizes = config, self.channels, self.octaves, w_dim
        self.upsampler, self.ema_upsampler = Upsampler(*sizes), Upsampler(*sizes)
        for mean, variable in zip(
            self.ema_upsampler.variables, self.upsampler.variables, strict=True
        ):
            mean.assign(variable)
        told = self.octaves if self.octaves > 1 else 0
        self.discriminator = Discriminator(config, 2 * self.channels, told)
        self._optimizers = [Adam(p.learning_rate, p.beta_1, p.beta_2) for _ in range(2)]
        self._optimizers[0].build(self.upsampler.trainable_variables)
        self._optimizers[1].build(self.discriminator.trainable_variables)
        self.steps = tf.Variable(0, trainable=False)
        self._prepare_real(kept)
        self._prepare_pool(w_dim)
        self.stage = DetailStage(self.ema_upsampler, kept, self.banks)
        self._step: Step = tf.function(self._step_in_graph, autograph=False)
        self._parts = 1

    def start_from(self, weights: Pretrained, statistics: Statistics) -> None:
        """Take over weights that know the detail of many materials.

        Args:
            weights: nothing is taken over where they hold none of this stage.
            statistics: of the pictures, which say which channel is which.
        """
        upsamplers = self.upsampler, self.ema_upsampler
        weights.lend_detail(upsamplers, self.discriminator, statistics)

    def _prepare_real(self, kept: KeptPictures) -> None:
        materials, octaves = range(len(kept.pictures)), range(self.octaves)
        pyramids = [kept.pyramid(index, self.octaves) for index in materials]
        self.banks = [Bank(sizes, kept.bases) for sizes in pyramids]
        # What is real at the size of each octave's result, by octave and material.
        self._targets = Table(
            [sizes[o + 1] for o in octaves for sizes in pyramids], self.config.crop
        )
        bands = [
            tf.concat([tf.reshape(band(s[o + 1][None]), (-1, self.channels)) for s in pyramids], 0)
            for o in octaves
        ]
        self._deviations = tf.stack([tf.math.reduce_std(b, 0) + LEAST_DEVIATION for b in bands])
        pairs = [
            pair
            for o in octaves
            for sizes in pyramids
            for pair in self._filled_from_the_other_half(sizes[o], sizes[o + 1], kept.bases[o])
        ]
        # Two halves of each octave and material.
        self._real_low = Table([low for low, _ in pairs])
        self._real_moved = Table([moved for _, moved in pairs])

    @property
    def _side(self) -> int:
        """Of what goes into the upsampler in training, pixels."""
        return self.config.crop // 2 + 2 * self.upsampler.reach

    def _filled_from_the_other_half(
        self, low: tf.Tensor, high: tf.Tensor, basis: Basis
    ) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """Both halves of a small picture with the detail that the other one has for it: its own it would know."""
        height, half = low.shape[0] // 4 * 4, low.shape[1] // 8 * 4
        lows = [low[:height, :half], low[:height, half : 2 * half]]
        highs = [high[: 2 * height, : 2 * half], high[: 2 * height, 2 * half : 4 * half]]
        octaves = [Octave(*pair, basis) for pair in zip(lows, highs, strict=True)]
        least = -(-self._side // ALIGNMENT) * ALIGNMENT
        mirrored = [_at_least(one, least) for one in lows]
        return [
            (own, other.move(own[None])[0])
            for own, other in zip(mirrored, reversed(octaves), strict=True)
        ]

    def _prepare_pool(self, w_dim: int) -> None:
        sides = [POOL_SIDE // 2 if octave == 0 else POOL_SIDE for octave in range(self.octaves)]
        empty = [tf.zeros((side, side, self.channels)) for side in sides for _ in range(POOL)]
        self._pool_low = Table(empty)
        self._pool_moved = Table([tf.tile(x, (2, 2, 1)) for x in empty])
        self._pool_w = tf.Variable(tf.zeros((POOL, w_dim)), trainable=False)
        self._pool_material = tf.Variable(tf.zeros(POOL, tf.int32), trainable=False)

    def variables(self) -> dict[str, list]:
        """All variables that make the next step what it is, by group."""
        return {
            "upsampler": self.upsampler.variables,
            "ema_upsampler": self.ema_upsampler.variables,
            "detail_discriminator": self.discriminator.variables,
            "upsampler_optimizer": self._optimizers[0].variables,
            "detail_discriminator_optimizer": self._optimizers[1].variables,
            "detail_pool": [self._pool_low.pixels, self._pool_w, self._pool_material, self.steps],
        }

    def restored(self) -> None:
        """Work out again what follows from variables that were given values."""
        materials = self._pool_material.numpy()
        for number in range(self.octaves * POOL):
            octave, place = divmod(number, POOL)
            bank = self.banks[int(materials[place])]
            low = self._pool_low.picture(number)
            self._pool_moved.replace(number, bank.octaves[octave].move(low[None])[0])

    def divide(self) -> bool:
        """See `TrainingStep.divide`."""
        if self.config.batch % (2 * self._parts):
            return False
        self._parts *= 2
        self._step = step_in_parts(self._parts, self._fakes, self._measure, self._apply)
        return True

    def _refresh(self, number: int) -> None:
        """Draw one picture of the pool anew, and from it what each octave starts from."""
        place, drawn = number % POOL, self._draw_small(number)
        low = drawn.channels[None]
        for octave in range(self.octaves):
            if max(low.shape[1:3]) > POOL_SIDE:
                low = low[:, DISCARDED : DISCARDED + POOL_SIDE, DISCARDED : DISCARDED + POOL_SIDE]
            # As it is kept, or a resumed run would move other detail.
            low = tf.cast(tf.cast(low, tf.float16), tf.float32)
            moved = self.banks[drawn.material].octaves[octave].move(low)
            self._pool_low.replace(octave * POOL + place, low[0])
            self._pool_moved.replace(octave * POOL + place, moved[0])
            if octave < self.octaves - 1:
                noise = tf.random.stateless_normal((1, *moved.shape[1:3], 1), (number, octave))
                low = self.stage.draw(octave, low, drawn.w[None], noise.numpy(), moved)
        self._pool_w[place].assign(drawn.w)
        self._pool_material[place].assign(drawn.material)

    def step(self, fraction: float) -> dict[str, tf.Tensor]:
        """Update both networks once.

        Args:
            fraction: share of the budget that is used, 0..1; sets the learning rate.

        Returns:
            Losses by name, scalars.
        """
        number = int(self.steps)
        if number == 0:
            for place in range(POOL):
                self._refresh(place)
        elif number % REFRESH == 0:
            self._refresh(POOL - 1 + number // REFRESH)
        self.steps.assign_add(1)
        p = self.parameters
        late = max(0.0, min(fraction, 1.0) - p.decay_from) / (1 - p.decay_from)
        rate = self.rate_factor * p.learning_rate * p.final_rate**late
        ema = min(p.ema, (1 + number) / (10 + number))
        weights = (tf.constant(value, tf.float32) for value in (rate, ema))
        with unoptimized_graphs():
            return self._step(tf.constant(number), *weights)

    def _inputs(self, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Of a batch, half real and half generated.

        Returns:
            Octaves, styles, small crops and their moved detail; then real crops to judge beside what is drawn, and how
            much their bands deviate.
        """
        config = self.config
        batch, half = config.batch, config.batch // 2
        side = self._side

        def draw(count: int, most: int, salt: int) -> tf.Tensor:
            return tf.random.stateless_uniform((count,), seed + [0, salt], 0, most, tf.int32)

        octave = draw(batch, self.octaves, 1)
        materials = len(self.banks)
        material = draw(half, materials, 2)
        real = (octave[:half] * materials + material) * 2 + draw(half, 2, 3)
        place = draw(batch - half, POOL, 4)
        pooled = octave[half:] * POOL + place
        parts = []
        for which, low, moved, salt in (
            (real, self._real_low, self._real_moved, 5),
            (pooled, self._pool_low, self._pool_moved, 6),
        ):
            spots = low.spots(which, seed + [0, salt], side)
            parts.append((low.crops(which, spots, side), moved.crops(which, 2 * spots, 2 * side)))
        low, moved = (tf.concat(pair, 0) for pair in zip(*parts, strict=True))
        w = tf.concat([self._styles(material, seed + [0, 7]), tf.gather(self._pool_w, place)], 0)
        kind = tf.concat([material, tf.gather(self._pool_material, place)], 0)
        target = octave * materials + kind
        spots = self._targets.spots(target, seed + [0, 8], config.crop)
        real = self._targets.crops(target, spots, config.crop)
        return octave, w, low, moved, real, tf.gather(self._deviations, octave)

    def _step_in_graph(
        self, number: tf.Tensor, rate: tf.Tensor, ema: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        gradients, losses = self._measure(number, WHOLE)
        self._apply(gradients, rate, ema)
        return losses

    def _seed_of(self, number: tf.Tensor) -> tf.Tensor:
        return tf.stack([number * 65_537 + self.seed, 1000])

    def _batch(self, seed: tf.Tensor) -> Batch:
        octave, w, low, moved, real, deviations = self._inputs(seed)
        drawn = tf.random.stateless_uniform((self.config.batch,), seed + [0, 9])
        kept = tf.cast(drawn >= self.parameters.unmoved, tf.float32)
        moved *= kept[:, None, None, None]
        noise = tf.random.stateless_normal((*moved.shape[:3], 1), seed + [0, 10])
        return Batch(w, octave, low, moved, noise, kept, real, deviations[:, None, None, :])

    def _fake(self, batch: Batch) -> tf.Tensor:
        return inner(self.upsampler(*batch[:6]), 2 * self.upsampler.reach)

    def _fakes(self, number: tf.Tensor, share: Share) -> tf.Tensor:
        batch = self._batch(self._seed_of(number)).of(share)
        with reduced_precision(self.config.width):
            return self._fake(batch)

    def _measure(self, number: tf.Tensor, share: Share) -> Measured:
        """Gradients and losses of a share of a step's batch."""
        p, reach, seed = self.parameters, self.upsampler.reach, self._seed_of(number)
        batch = self._batch(seed)
        own = batch.of(share)

        def with_band(x: tf.Tensor) -> tf.Tensor:
            return tf.concat([x, band(x) / batch.deviations], axis=-1)

        def judge(x: tf.Tensor) -> tf.Tensor:
            return self.discriminator(x, labels=own.octave if self.octaves > 1 else None)

        start = inner(upsample(own.low) + own.moved, 2 * reach)
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            with reduced_precision(self.config.width):
                fake = self._fake(own)
                whole = share.whole(fake)
                all_shown = with_band(batch.real), with_band(whole)
                shown = [share.own(x) for x in all_shown]
                real_logits, fake_logits = judge(shown[0]), judge(shown[1])
            discriminator_loss, generator_loss = relativistic_losses(real_logits, fake_logits)
            patches = patch_distance(batch.real, whole, seed + [0, 20])
            edges = [inner(x[..., self.channels :], 1) for x in all_shown]
            bands = band_distance(edges[0], edges[1], seed + [0, 30])
            small = tf.reduce_mean(tf.abs(downsample(fake) - inner(own.low, reach)))
            far = tf.reduce_mean(tf.abs(fake - start) * own.kept[:, None, None, None])
            total = (
                generator_loss
                # Of the whole batch, as in `TrainingStep`.
                + p.patch_weight * share.count * patches
                + p.band_weight * share.count * bands
                + p.small_weight * small
                + p.moved_weight * far
            )
        trained = self._trained()
        weight = p.gamma / 2 * self.channels / 3 * p.penalty_every
        signs = share.own(penalty_signs(self.config, seed + [0, 60]))
        r1, r2, slopes = penalties_when_due(
            number % p.penalty_every == 0,
            lambda: weighted_penalties(judge, shown, signs, weight, trained[1]),
            trained[1],
        )
        plain = discriminator_tape.gradient(discriminator_loss, trained[1])
        gradients = generator_tape.gradient(total, trained[0]), list(map(tf.add, plain, slopes))
        losses = {
            "detail_generator": generator_loss,
            "detail_discriminator": discriminator_loss,
            "detail_distance": patches + bands + small,
            "detail_r1_penalty": r1,
            "detail_r2_penalty": r2,
        }
        return gradients, losses

    def _trained(self) -> tuple[list[Any], list[Any]]:
        return self.upsampler.trainable_variables, self.discriminator.trainable_variables

    def _apply(
        self,
        gradients: tuple[Sequence[tf.Tensor], Sequence[tf.Tensor]],
        rate: tf.Tensor,
        ema: tf.Tensor,
    ) -> None:
        """Update both networks and the running mean."""
        update(self._optimizers, gradients, self._trained(), rate)
        follow(self.ema_upsampler, self.upsampler, ema)


def inner(x: tf.Tensor, cells: int) -> tf.Tensor:
    """Pictures without so many pixels at each border."""
    return x[:, cells:-cells, cells:-cells]


def band(x: tf.Tensor) -> tf.Tensor:
    """The finest octave of pictures: what is lost when they are halved."""
    return x - upsample(downsample(x))
