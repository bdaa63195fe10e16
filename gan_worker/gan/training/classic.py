"""The classic: a plain dense GAN on small grey pictures, without anything that came after 2016.

Goodfellow et al. 2014 (arXiv 1406.2661) with dense layers, and Adam as Radford et al. 2016 (arXiv 1511.06434) set it.
What is corrected where the plain game goes wrong is said at `ClassicHyperparameters` and `ClassicDiscriminator`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from gan_worker.errors import PictureError
from gan_worker.gan.data.dataset import (
    Dataset,
    Material,
    MeasuredPictures,
    Pictures,
    Tell,
    one_by_one,
)
from gan_worker.gan.data.statistics import CONSTANT, MapStatistics, Statistics
from gan_worker.gan.networks.adam import Adam
from gan_worker.gan.networks.classic import ClassicDiscriminator, ClassicGenerator
from gan_worker.materials.pictures import resize_to
from gan_worker.materials.sets import find_materials, read_material
from gan_worker.progress import DataReport, MaterialEntry

if TYPE_CHECKING:
    from gan_worker.config import ClassicConfig, TrainingConfig
    from gan_worker.materials.sets import MaterialSet

# The one channel of the networks is the mean of red, green and blue, 0..1; restored, all three are that mean.
GREY = Statistics({"base_color": MapStatistics((0.0,) * 3, ((3**-0.5,) * 3,), (3**0.5,))})
# Cells along each side of a preview, and of the sheet of real pictures it is compared with.
PREVIEW_CELLS, REAL_CELLS = 8, 16


class ClassicPipeline:
    """The pipeline of these networks, as `pipelines.Pipeline` describes it.

    Args:
        network: sizes.
    """

    preview_cells = PREVIEW_CELLS

    def __init__(self, network: ClassicConfig):
        self.network = network

    def read(
        self, config: TrainingConfig, _state: Mapping[str, Any], _weights: object, tell: Tell
    ) -> MeasuredPictures:
        read = read_small_pictures(config.pictures, self.network.side, tell)
        return MeasuredPictures(**vars(read), names=(), patterns=(), statistics=GREY)

    def new_update(
        self,
        config: TrainingConfig,
        pictures: MeasuredPictures,
        _pretrained: object,
        _report: object,
    ) -> ClassicStep:
        dataset = Dataset(pictures.materials, pictures.statistics, turned=False)
        return ClassicStep(self.network, dataset, config.seed, ClassicHyperparameters())

    def real_pictures(self, pictures: MeasuredPictures) -> list[np.ndarray]:
        return [real_sheet(pictures.materials)]


# ---- pictures


def read_small_pictures(
    files: Sequence[str], side: int, tell: Tell = lambda text: None
) -> Pictures:
    """Read all pictures, small and square; of one that is not square the middle is taken.

    Args:
        files: pictures or folders.
        side: what every picture is scaled to, pixels.
        tell: is told of each.

    Returns:
        Materials of one map, `base_color` (side, side, 3).

    Raises:
        PictureError: `picture_missing`; `dataset_empty` for fewer than two pictures, for none with a base color, and
            for one flat color; and as `find_materials` and `read_material`.
    """
    sets, skipped, notes = find_materials(files)
    colored = [s for s in sets if "base_color" in s.maps]
    if len(colored) < 2:
        raise PictureError(
            "dataset_empty",
            "The classic preset learns from many pictures with a base color, two at the least and better hundreds; "
            f"received {len(colored)}.",
            "Give a folder of pictures, or use the preset tiny, which learns from one photo.",
        )
    read = [_read_small(s, side) for s in one_by_one(colored, "reading", tell)]
    small = [picture for picture, _ in read]
    oblong = sum(was_oblong for _, was_oblong in read)
    if max(map(np.ptp, small)) < CONSTANT:
        raise PictureError(
            "dataset_empty",
            "A picture to learn from must show something; all of these are one flat color.",
            "Choose pictures with visible structure.",
        )
    notes = [*notes, f"All pictures are learned in gray at {side}×{side} pixels."]
    if oblong:
        notes.append(f"{oblong} of them are not square; their middle is learned.")
    entries = tuple(MaterialEntry(s.name, side, side, ("base_color",)) for s in colored)
    report = DataReport(entries, tuple(skipped), ("base_color",), 1.0, tuple(notes))
    used = tuple(s.files["base_color"] for s in colored)
    return Pictures(tuple({"base_color": p} for p in small), report, used)


def _read_small(material: MaterialSet, side: int) -> tuple[np.ndarray, bool]:
    """The middle of a base color, (side, side, 3), and whether there was more; hundreds would not fit whole."""
    picture = read_material(material)["base_color"]
    height, width = picture.shape[:2]
    return resize_to(_middle(picture), side, side), height != width


def _middle(picture: np.ndarray) -> np.ndarray:
    """The largest square in the middle of a picture, (height, width, channels)."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def real_sheet(materials: Sequence[Material], cells: int = REAL_CELLS) -> np.ndarray:
    """Real pictures side by side in grey, as the generator lays out its own, (cells · side, cells · side, 3).

    Args:
        materials: of `read_small_pictures`.
        cells: pictures in a row and in a column; some come twice where there are too few.
    """
    chosen = np.random.default_rng(0).permutation(np.resize(np.arange(len(materials)), cells**2))
    pictures = np.stack([materials[i]["base_color"] for i in chosen])
    side = pictures.shape[1]
    grid = pictures.reshape(cells, cells, side, side, -1).transpose(0, 2, 1, 3, 4)
    sheet = grid.reshape(cells * side, cells * side, -1).mean(axis=-1, keepdims=True)
    return np.repeat(sheet, 3, axis=-1)


# ---- training


@dataclass(frozen=True)
class ClassicHyperparameters:
    """How the networks are updated.

    Attributes:
        learning_rate: of both Adam optimizers; at Radford's 2e-4 a few hundred pictures were known by heart before
            the generator had learned them, and all it made became one picture.
        beta_1: Adam's memory of the gradient.
        real_label: what the discriminator should say of a real picture; a little below 1 it stays unsure, and goes
            on teaching (one-sided label smoothing, Salimans 2016, arXiv 1606.03498).
        dropout: share of the discriminator's features left out in a step.
        ema: memory of the running mean of the generator, reached after a ramp.
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.5
    real_label: float = 0.9
    dropout: float = 0.5
    ema: float = 0.999


class ClassicStep:
    """The networks in training and the step that improves them, with the interface of `step.TrainingStep`.

    The randomness of a step depends on the seed and the step's number alone, so a resumed run draws what the
    uninterrupted one would have drawn.

    Args:
        network: sizes.
        dataset: real pictures in the statistics `GREY`; of larger ones it takes random crops.
        seed: fixes first weights, pictures and latents.
        parameters: how.
    """

    def __init__(
        self,
        network: ClassicConfig,
        dataset: Dataset,
        seed: int,
        parameters: ClassicHyperparameters,
    ):
        keras.utils.set_random_seed(seed)
        self.network, self.dataset, self.seed, self.parameters = network, dataset, seed, parameters
        # Lowered by a training that went wrong.
        self.rate_factor = 1.0
        self.generator, self.ema_generator = ClassicGenerator(network), ClassicGenerator(network)
        self.discriminator = ClassicDiscriminator(network)
        for mean, variable in self._means():
            mean.assign(variable)
        self._optimizers = []
        for net in (self.generator, self.discriminator):
            optimizer = Adam(parameters.learning_rate, parameters.beta_1)
            optimizer.build(net.trainable_variables)
            self._optimizers.append(optimizer)
        self._step = tf.function(self._step_in_graph, autograph=False)

    def restored(self) -> None:
        """Nothing follows from the variables that they do not hold."""

    def divide(self) -> bool:
        """Never: its whole batch takes less memory than TensorFlow itself."""
        return False

    def named_styles(self, _names: Sequence[str]) -> Mapping[str, np.ndarray]:
        """None: there are no styles."""
        return {}

    def _means(self) -> zip[tuple[Any, Any]]:
        return zip(self.ema_generator.variables, self.generator.variables, strict=True)

    def variables(self) -> dict[str, list]:
        """All variables that make the next step what it is, by group."""
        return {
            "generator": self.generator.variables,
            "ema_generator": self.ema_generator.variables,
            "discriminator": self.discriminator.variables,
            "generator_optimizer": self._optimizers[0].variables,
            "discriminator_optimizer": self._optimizers[1].variables,
        }

    def step(self, number: int, fraction: float) -> dict[str, tf.Tensor]:
        """Update both networks once.

        Args:
            number: of the step, from 0.
            fraction: share of the budget that is used; the plain GAN does not care.

        Returns:
            Losses by name, scalars.
        """
        rate = self.rate_factor * self.parameters.learning_rate
        ema = min(self.parameters.ema, (1 + number) / (10 + number))
        return self._step(tf.constant(number), tf.constant(rate), tf.constant(ema))

    def _step_in_graph(
        self, number: tf.Tensor, rate: tf.Tensor, ema: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        seed = tf.stack([number * 65_537 + self.seed, 0])
        network = self.network
        real = self.dataset.crops(seed, network.batch, network.side)
        local = tf.random.stateless_normal(
            (network.batch, 1, 1, network.local_channels), seed + [0, 10]
        )
        # The article's two faults are these two lines' places: real pictures go in, and all of it inside the tape.
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            fake = self.generator(local[:, 0, 0, :0], local, [])
            dropout = self.parameters.dropout
            real_logits = self.discriminator(real, seed + [0, 20], dropout=dropout)
            fake_logits = self.discriminator(fake, seed + [0, 30], dropout=dropout)
            d_loss, g_loss = classic_losses(real_logits, fake_logits, self.parameters.real_label)
        for optimizer, tape, loss, net in (
            (self._optimizers[0], generator_tape, g_loss, self.generator),
            (self._optimizers[1], discriminator_tape, d_loss, self.discriminator),
        ):
            optimizer.learning_rate.assign(rate)
            optimizer.apply(tape.gradient(loss, net.trainable_variables), net.trainable_variables)
        for mean, variable in self._means():
            mean.assign(mean * ema + variable * (1 - ema))
        return {"generator": g_loss, "discriminator": d_loss}


def classic_losses(
    real_logits: tf.Tensor, fake_logits: tf.Tensor, real_label: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Losses of min_G max_D E[log D(x)] + E[log(1 - D(G(z)))], with D the sigmoid of the logits.

    The generator maximises log D(G(z)) instead of minimising log(1 - D(G(z))): the same goal, and a gradient also
    while the discriminator is sure of itself (Goodfellow 2014, section 3).

    Args:
        real_logits: (batch, 1).
        fake_logits: (batch, 1).
        real_label: what D should say of a real picture.

    Returns:
        (discriminator loss, generator loss), scalars.
    """
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits
    on_real = cross_entropy(tf.fill(tf.shape(real_logits), real_label), real_logits)
    on_fake = cross_entropy(tf.zeros_like(fake_logits), fake_logits)
    deceived = cross_entropy(tf.ones_like(fake_logits), fake_logits)
    return tf.reduce_mean(on_real) + tf.reduce_mean(on_fake), tf.reduce_mean(deceived)
