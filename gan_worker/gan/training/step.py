"""One training step: both networks, their optimizers and the running mean of the generator."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from gan_worker.gan.data.looks import Groups, Looks
from gan_worker.gan.data.waves import (
    Pattern,
    Wave,
    level_of,
    snapped_turns,
    wave_fields,
    waves_of_levels,
)
from gan_worker.gan.networks.adam import Adam, follow, update
from gan_worker.gan.networks.discriminator import Discriminator
from gan_worker.gan.networks.generator import Generator
from gan_worker.gan.networks.graphs import unoptimized_graphs
from gan_worker.gan.networks.precision import reduced_precision
from gan_worker.gan.training.losses import (
    patch_distance,
    patch_profile,
    penalties_when_due,
    penalty_signs,
    profile_distance,
    relativistic_losses,
    weighted_penalties,
)
from gan_worker.gan.training.materials import Conditioning, MaterialStyles, own_crops
from gan_worker.gan.training.pretrained import SPREAD, Pretrained, bring_together
from gan_worker.gan.training.shares import WHOLE, Measured, ReplicaShare, Share, Step, step_in_parts

if TYPE_CHECKING:
    from gan_worker.config import NetworkConfig
    from gan_worker.gan.data.dataset import Dataset

# Crops of which the variances within and between are compared.
CROPS = 128
# Of many latents, how many are generated at once.
AT_ONCE = 16
# Crops to logits.
Judge = Callable[[tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Hyperparameters:
    """How the networks are updated.

    Attributes:
        learning_rate: of both Adam optimizers, until `decay_from` of the budget is used.
        final_rate: share of the learning rate at the end; it falls exponentially.
        decay_from: share of the budget after which it falls.
        beta_1: Adam's memory of the gradient.
        beta_2: Adam's memory of the squared gradient.
        gamma: weight of the gradient penalties for three channels, and in proportion for others: the more
            channels, the easier the discriminator wins.
        penalty_every: steps between two penalties; their weight is multiplied by it.
        patch_weight: weight of the patch distance in the generator's loss.
        ema: memory of the running mean of the generator, reached after a ramp.
        torus_margin: cells by which the generated torus is larger than a crop.
        looks: different looks in a batch. The crops of one look are compared with as many real ones, so that each look
            has the variety of the pictures in itself: where every crop has a look of its own, that of a paving becomes
            a look for each color of its stones, and a tile, which has one look, all of one color.
        look_weight: weight of the distance of looks from what they shall be like, in the generator's loss.
    """

    learning_rate: float = 1e-3
    final_rate: float = 0.2
    decay_from: float = 0.4
    beta_1: float = 0.5
    beta_2: float = 0.99
    gamma: float = 8.0
    penalty_every: int = 4
    patch_weight: float = 3.0
    ema: float = 0.99
    torus_margin: int = 1
    # Contrast of paving: 43 with one for each of eight crops, 33 with two, 30 with one, when all looks had to be alike.
    looks: int = 2
    # Without it looks are still alike after 1,000 steps; at 1 the discriminator wins: .16 after 300 steps, .3 without.
    look_weight: float = 0.2


# Wider and deeper networks take smaller steps: the first at 1e-3 leave a generator of `full` without any contrast. Of
# small ones a penalty every 4 steps takes a twelfth of the time; with half as many, materials came out as near.
RECIPES = {
    "full": Hyperparameters(learning_rate=2e-4),
    "tiny": Hyperparameters(penalty_every=8),
}


def recipe(preset: str) -> Hyperparameters:
    """How networks of this preset are updated."""
    return RECIPES.get(preset, Hyperparameters())


class Batch(NamedTuple):
    """What a step is about.

    Attributes:
        real: crops, (batch, crop, crop, channels).
        alike: the same in the order in which generated ones are compared with them, look by look.
        groups: of a single material, what the looks shall be like.
        z: (batch, z_dim).
        labels: of several materials, which one each pair of crops is judged as, (batch,).
    """

    real: tf.Tensor
    alike: tf.Tensor
    groups: Groups | None
    z: tf.Tensor
    labels: tf.Tensor | None


def slow_channels(crops: tf.Tensor) -> tuple[bool, ...]:
    """Of each channel, whether it differs more from crop to crop than within crops: the height of large rocks."""
    means, within = tf.nn.moments(crops, (1, 2))
    slow = tf.math.reduce_variance(means, 0) > tf.reduce_mean(within, 0)
    return tuple(slow.numpy().tolist())


def torus_cells(
    patterns: Sequence[Pattern], network: NetworkConfig, margin: int
) -> tuple[int, int]:
    """Rows and columns of the training torus: the smallest on which the patterns' waves close well.

    Args:
        patterns: of the materials.
        network: sizes.
        margin: cells by which the torus is larger than a crop where no wave matters.
    """
    crop, stride = network.crop // network.stride, network.stride
    regular = [pattern.waves for pattern in patterns if pattern.waves]
    if not regular:
        return crop + margin, crop + margin

    def apart(waves: Sequence[Wave], rows: int, columns: int) -> float:
        """Periods by which a bent wave is off at the edge of a crop, if it is right in its middle; of the worst."""
        turns = snapped_turns(waves, rows, columns, stride)
        off = max(
            float(np.hypot(across / (columns * stride) - x, down / (rows * stride) - y))
            for (across, down), (x, y) in zip(turns, waves, strict=True)
        )
        return off * network.crop / 2

    def misfit(size: tuple[int, int]) -> float:
        """How far waves are off, and a price on the work of a larger torus: of two crops' area a step takes 1.3 times
        as long.
        """
        rows, columns = size
        mean = float(np.mean([apart(waves, rows, columns) for waves in regular]))
        return mean + 0.1 * rows * columns / crop**2

    sizes = range(crop, 2 * crop + 1)
    return min(itertools.product(sizes, sizes), key=misfit)


class TrainingStep:
    """The networks in training and the step that improves them.

    The randomness of a step depends on the seed and the step's number alone, so a resumed run draws what the
    uninterrupted one would have drawn.

    Args:
        network: sizes.
        dataset: real crops.
        patterns: of each material, in the order of the dataset.
        seed: fixes first weights, crops and latents.
        parameters: how the networks are updated.
        strategy: divides every batch among several devices of this computer; None for one device. The batch is
            the same, and so is what comes out, but for rounding.
    """

    def __init__(
        self,
        network: NetworkConfig,
        dataset: Dataset,
        patterns: Sequence[Pattern],
        seed: int,
        parameters: Hyperparameters,
        strategy: tf.distribute.Strategy | None = None,
    ):
        keras.utils.set_random_seed(seed)
        self._strategy = strategy
        self._replicas = strategy.num_replicas_in_sync if strategy else 1
        self.network, self.dataset, self.seed, self.parameters = network, dataset, seed, parameters
        self.patterns, self.waves = tuple(patterns), waves_of_levels(patterns, network)
        # Lowered by a training that went wrong.
        self.rate_factor = 1.0
        with strategy.scope() if strategy else nullcontext():
            self._build()
        # Nothing in it depends on a tensor; without autograph the first step comes a second earlier.
        step = self._step_on_replicas if strategy else self._step_in_graph
        self._step: Step = tf.function(step, autograph=False)
        self._parts = 1

    def _build(self) -> None:
        network, dataset, parameters = self.network, self.dataset, self.parameters
        several = dataset.materials if dataset.materials > 1 else 0
        sizes = network, dataset.channels, self.waves, several if network.toned else 0
        self.generator, self.ema_generator = Generator(*sizes), Generator(*sizes)
        self.discriminator = Discriminator(network, dataset.channels, several)
        self.conditioning = Conditioning(several, network.z_dim, self.seed) if several else None
        self._set_tones()
        for mean, variable in zip(
            self.ema_generator.variables, self.generator.variables, strict=True
        ):
            mean.assign(variable)
        self.slow: tuple[bool, ...] = ()
        self.looks: Looks | None = None
        if not several:
            crops = self._many_crops()
            self.slow, self.looks = slow_channels(crops), Looks(crops)
        self._torus = torus_cells(self.patterns, network, parameters.torus_margin)
        self._optimizers = [
            Adam(parameters.learning_rate, parameters.beta_1, parameters.beta_2) for _ in range(2)
        ]
        self._optimizers[0].build(self.generator.trainable_variables)
        self._optimizers[1].build(self.discriminator.trainable_variables)

    def _set_tones(self) -> None:
        """What each material's mean and spread are, and by which latent it is known."""
        for generator in (self.generator, self.ema_generator):
            if generator.tone and self.conditioning:
                generator.tone.latents.assign(self.conditioning.latents)
                generator.tone.spreads.assign(self.dataset.spreads)
                generator.tone.means.assign(self.dataset.means)

    def _many_crops(self) -> tf.Tensor:
        """Real crops that show what the material is like."""
        network = self.network
        seeds = [tf.constant([self.seed, number]) for number in range(CROPS // network.batch)]
        crops = [self.dataset.crops(seed, network.batch, network.crop) for seed in seeds]
        return tf.concat(crops, 0)

    def variables(self) -> dict[str, list]:
        """All variables that make the next step what it is, by group."""
        latents = {"materials": [self.conditioning.latents]} if self.conditioning else {}
        return {
            **latents,
            "generator": self.generator.variables,
            "ema_generator": self.ema_generator.variables,
            "discriminator": self.discriminator.variables,
            "generator_optimizer": self._optimizers[0].variables,
            "discriminator_optimizer": self._optimizers[1].variables,
        }

    def restored(self) -> None:
        """Nothing follows from the variables that they do not hold."""

    def divide(self) -> bool:
        """Work every batch off in twice as many parts from now on; False where there are no smaller ones."""
        if self._replicas > 1 or self.network.batch % (2 * self._parts):
            return False
        self._parts *= 2
        self._step = step_in_parts(self._parts, self._fakes, self._measure, self._apply)
        return True

    def named_styles(self, names: Sequence[str]) -> Mapping[str, np.ndarray]:
        """The style w of each of several materials as it is when it is asked for; none of a single one."""
        if self.conditioning is None:
            return {}
        return MaterialStyles(names, self.conditioning.latents, self.ema_generator)

    def start_from(self, weights: Pretrained) -> None:
        """Take over weights that know many materials, and of those the looks that each one here is most alike."""
        generators = self.generator, self.ema_generator
        weights.lend(generators, self.discriminator, self.dataset.statistics)
        alike = tf.gather(weights.latents, self.unlikeness(weights.latents).argmin(axis=1))
        if self.conditioning is not None:
            self.conditioning.start_near(alike, SPREAD)
            self._set_tones()
        else:
            for generator in generators:
                bring_together(generator, alike[0])
        which = tf.range(self.network.batch, dtype=tf.int64) % self.dataset.materials
        fields = self._draw(tf.constant([self.seed, 0]), which)
        for generator in generators:
            generator.strengthen_waves(tf.gather(alike, which), *fields)

    def unlikeness(self, latents: tf.Tensor) -> np.ndarray:
        """Distance from patches of each material's real crops to those of generated ones for each latent.

        Args:
            latents: (latents, z_dim).

        Returns:
            (materials, latents).
        """
        seed, batch = tf.constant([self.seed, 0]), self.network.batch
        real = [
            patch_profile(
                self.dataset.crops(seed, batch, self.network.crop, tf.repeat(material, batch)), seed
            )
            for material in range(self.dataset.materials)
        ]
        found: list[list[float]] = []
        fields = self._draw(seed, tf.zeros(batch, tf.int64))
        for first in range(0, len(latents), AT_ONCE):
            some = latents[first : first + AT_ONCE]
            # Many at once: one after the other, starting an operation would take longer than its work.
            local, *noise = [tf.tile(x, (len(some), 1, 1, 1)) for x in (fields[0], *fields[1])]
            fake = self._crop(self.generator.untoned(tf.repeat(some, batch, 0), local, noise))
            for x in tf.split(fake, len(some)):
                profile = patch_profile(x, seed)
                found.append([float(profile_distance(own, profile)) for own in real])
        return np.transpose(found)

    def step(self, number: int, fraction: float) -> dict[str, tf.Tensor]:
        """Update both networks once.

        Args:
            number: of the step, from 0.
            fraction: share of the budget that is used, 0..1; sets the learning rate.

        Returns:
            Losses by name, scalars; `r1_penalty` and `r2_penalty` are 0 on steps without penalty.
        """
        p = self.parameters
        late = max(0.0, min(fraction, 1.0) - p.decay_from) / (1 - p.decay_from)
        rate = self.rate_factor * p.learning_rate * p.final_rate**late
        ema = min(p.ema, (1 + number) / (10 + number))
        # A share of time that NumPy worked out would make doubles, which the graph does not take.
        weights = (tf.constant(value, tf.float32) for value in (rate, ema))
        with unoptimized_graphs():
            return self._step(tf.constant(number), *weights)

    def _step_on_replicas(
        self, number: tf.Tensor, rate: tf.Tensor, ema: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        assert self._strategy is not None
        losses = self._strategy.run(self._step_in_graph, (number, rate, ema))
        return {
            name: self._strategy.experimental_local_results(loss)[0]
            for name, loss in losses.items()
        }

    def _mean(self, values: Any) -> Any:
        """The mean over all replicas of every tensor."""
        if self._replicas == 1:
            return values
        return tf.distribute.get_replica_context().all_reduce("MEAN", values)

    def _step_in_graph(
        self, number: tf.Tensor, rate: tf.Tensor, ema: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        share = ReplicaShare(self._replicas) if self._replicas > 1 else WHOLE
        gradients, losses = self._mean(self._measure(number, share))
        self._apply(gradients, rate, ema)
        return dict(losses)

    def _fakes(self, number: tf.Tensor, share: Share) -> tf.Tensor:
        seed = self._seed_of(number)
        with reduced_precision(max(self.network.generator_channels)):
            return self._fake_crops(seed, self.draw_batch(seed).z, share)

    def _seed_of(self, number: tf.Tensor) -> tf.Tensor:
        """Two numbers make a seed; the second is raised by those who need independent draws in one step."""
        return tf.stack([number * 65_537 + self.seed, 0])

    def _measure(self, number: tf.Tensor, share: Share) -> Measured:
        """Gradients and losses of a share of a step's batch."""
        seed = self._seed_of(number)
        batch = self.draw_batch(seed)
        real, labels = share.own(batch.real), None
        if batch.labels is not None:
            labels = share.own(batch.labels)

        def judge(crops: tf.Tensor) -> tf.Tensor:
            return self.discriminator(crops, labels=labels)

        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            with reduced_precision(max(self.network.generator_channels)):
                fake = self._fake_crops(seed, batch.z, share)
                real_logits, fake_logits = judge(real), judge(fake)
            discriminator_loss, generator_loss = relativistic_losses(real_logits, fake_logits)
            whole = share.whole(fake)
            distance = self._patch_distance(batch.alike, whole, seed + [0, 20])
            weighted = self.parameters.patch_weight * distance
            if self.looks and batch.groups:
                apart = self.looks.distance(whole, batch.groups)
                weighted += self.parameters.look_weight * apart
            # Of the whole batch, and each share has its own part of the gradient: their sum is wanted, not the mean.
            total = generator_loss + share.count * weighted
        trained = self._trained()
        r1, r2, slopes = penalties_when_due(
            number % self.parameters.penalty_every == 0,
            lambda: self.measure_penalties(judge, real, fake, seed, share),
            trained[1],
        )
        plain = discriminator_tape.gradient(discriminator_loss, trained[1])
        gradients = generator_tape.gradient(total, trained[0]), list(map(tf.add, plain, slopes))
        losses = {
            "generator": generator_loss,
            "discriminator": discriminator_loss,
            "patch_distance": distance,
            "r1_penalty": r1,
            "r2_penalty": r2,
        }
        if batch.groups:
            losses["look_distance"] = apart
        return gradients, losses

    def _trained(self) -> tuple[list[Any], list[Any]]:
        return self.generator.trainable_variables, self.discriminator.trainable_variables

    def _apply(
        self,
        gradients: tuple[Sequence[tf.Tensor], Sequence[tf.Tensor]],
        rate: tf.Tensor,
        ema: tf.Tensor,
    ) -> None:
        """Update both networks and the running mean."""
        update(self._optimizers, gradients, self._trained(), rate)
        follow(self.ema_generator, self.generator, ema)

    def measure_penalties(
        self,
        judge: Judge,
        real: tf.Tensor,
        fake: tf.Tensor,
        seed: tf.Tensor,
        share: Share = WHOLE,
    ) -> list[tf.Tensor]:
        """Both penalties, then the gradients of their weighted sum for each variable of the discriminator."""
        p = self.parameters
        weight = p.gamma / 2 * self.dataset.channels / 3 * p.penalty_every
        signs = share.own(penalty_signs(self.network, seed + [0, 60]))
        trained = self.discriminator.trainable_variables
        return weighted_penalties(judge, (real, fake), signs, weight, trained)

    def draw_batch(self, seed: tf.Tensor) -> Batch:
        """The real crops and the latents of a step."""
        network, looks, chosen = self.network, self.parameters.looks, self._choose(seed)
        alike = real = self.dataset.crops(seed, network.batch, network.crop, chosen)
        z = tf.random.stateless_normal((looks, network.z_dim), seed + [0, 10])
        groups = labels = None
        if self.looks and self.looks.ways:
            groups = self.looks.divide(real, looks, seed + [0, 50])
            alike, z = tf.gather(real, groups.order), groups.latents(z)
        z = tf.gather(z, [i * looks // network.batch for i in range(network.batch)])
        if self.conditioning:
            labels = self.conditioning.label(chosen)
            z = self.conditioning.assign_latents(z, labels, seed)
        return Batch(real, alike, groups, z, labels)

    def _choose(self, seed: tf.Tensor) -> tf.Tensor:
        """Which material each crop of a batch shows, (batch,): where there are several, some crops of each."""
        which = self.dataset.choose(seed, self.network.batch)
        if self.conditioning is None:
            return which
        first = [part.start for part in self._looks() for _ in range(part.start, part.stop)]
        free = range(len(first), self.network.batch)
        return tf.gather(which, [*first, *free])

    def _looks(self) -> list[slice]:
        """Which crops of a batch are of one look each; where there are several materials, of those with a label."""
        crops = self.network.batch if self.conditioning is None else own_crops(self.network.batch)
        size = -(-crops // self.parameters.looks)
        return [slice(i, min(i + size, crops)) for i in range(0, crops, size)]

    def _patch_distance(self, real: tf.Tensor, fake: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Mean of those of each look, by how many crops it has; what has no label is one more."""
        looks = self._looks()
        if self.conditioning is not None and looks[-1].stop < self.network.batch:
            looks = [*looks, slice(looks[-1].stop, self.network.batch)]
        apart = (
            patch_distance(real[part], fake[part], seed, self.slow) * (part.stop - part.start)
            for part in looks
        )
        return tf.add_n(list(apart)) / self.network.batch

    def _fake_crops(self, seed: tf.Tensor, z: tf.Tensor, share: Share) -> tf.Tensor:
        """Crops of a torus rolled by half its size, so that its border lies inside what is judged."""
        which = tf.zeros(self.network.batch, tf.int64)
        if self.conditioning is not None:
            which = self.conditioning.nearest(z, self.generator)
        local, noise = self._draw(seed, which)
        return self._crop(
            self.generator.untoned(share.own(z), share.own(local), [share.own(n) for n in noise])
        )

    def _crop(self, torus: tf.Tensor) -> tf.Tensor:
        stride, crop = self.network.stride, self.network.crop
        shift = [cells // 2 * stride for cells in self._torus]
        return tf.roll(torus, shift, (1, 2))[:, :crop, :crop]

    def _draw(self, seed: tf.Tensor, which: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Local inputs of a batch whose pictures have these patterns, (batch,): latents with waves, and noise."""
        network, (rows, columns) = self.network, self._torus
        batch = network.batch
        local = tf.random.stateless_normal(
            (batch, rows, columns, network.local_channels), seed + [0, 11]
        )
        local = self.along_grain(local, which)
        noise = [
            tf.random.stateless_normal((batch, rows << i, columns << i, 1), seed + [0, 11 + i])
            for i in range(1, network.levels)
        ]
        local, *noise = [
            tf.concat([field, self._draw_waves(seed, which, level)], axis=-1) if count else field
            for level, (field, count) in enumerate(zip((local, *noise), self.waves, strict=True))
        ]
        return local, noise

    def along_grain(self, local: tf.Tensor, which: tf.Tensor) -> tf.Tensor:
        """Half of the channels the same all along the grain of these patterns, (batch,); see `draw_latents`."""
        if not any(pattern.grain for pattern in self.patterns):
            return local
        half = self.network.local_channels // 2
        head = local[..., :half]
        for grain, along in (("down", head[:, :1]), ("across", head[:, :, :1])):
            has = tf.constant([pattern.grain == grain for pattern in self.patterns])
            head = tf.where(tf.gather(has, which)[:, None, None, None], along, head)
        return tf.concat([head, local[..., half:]], axis=-1)

    def _draw_waves(self, seed: tf.Tensor, which: tf.Tensor, level: int) -> tf.Tensor:
        """The waves of one level of these patterns, (batch,), at a random place, the same for all waves of a crop.

        Sine and cosine of the moved waves come from those of the place and of the wave, by the rule for sums.
        """
        batch, count = self.network.batch, self.waves[level]
        rows, columns = (cells << level for cells in self._torus)
        stride = self.network.stride >> level
        every = np.zeros((len(self.patterns), rows, columns, 2 * count), np.float32)
        turns = np.zeros((len(self.patterns), count, 2), np.float32)
        for index, pattern in enumerate(self.patterns):
            waves = pattern.waves
            if waves and level_of(pattern, self.network.stride) == level:
                found = wave_fields(waves, rows, columns, stride, np.zeros((1, 2)))[0]
                every[index, ..., : 2 * len(waves)] = found
                turns[index, : len(waves)] = snapped_turns(waves, rows, columns, stride)
        shift = tf.random.stateless_uniform((batch, 2), seed + [0, 9], 0, 2 * np.pi)
        angles = tf.einsum("bx,bcx->bc", shift, tf.gather(turns, which))
        phases = tf.reshape(angles, (batch, 1, 1, count))
        fields = tf.gather(every, which)
        sine, cosine = fields[..., 0::2], fields[..., 1::2]
        pairs = [
            sine * tf.cos(phases) + cosine * tf.sin(phases),
            cosine * tf.cos(phases) - sine * tf.sin(phases),
        ]
        stacked = tf.stack(pairs, axis=-1)
        return tf.reshape(stacked, (batch, rows, columns, 2 * count))
