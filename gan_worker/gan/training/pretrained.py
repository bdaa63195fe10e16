"""Weights that know many materials already, from which a training goes further in its minutes than from noise.

`scripts/pretrained_weights.py` makes them, from this project's own procedural materials alone. There each map of each
material was standardised by itself, as the maps of a training are, so the weights mean the same here: what reads or
makes a channel of the color, of the height or of the normals is taken for that channel.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

import gan_worker
from gan_worker.errors import StorageError
from gan_worker.gan.generation import arrays as checkpoint
from gan_worker.runs.checkpoints import Arrays, parse_tensors

if TYPE_CHECKING:
    from gan_worker.gan.data.statistics import Statistics
    from gan_worker.gan.networks.discriminator import Discriminator
    from gan_worker.gan.networks.generator import Generator

FOLDER = Path(gan_worker.__file__).parent / "pretrained"
# How far apart the looks of one material start, as a share of how far apart the looks of different materials lie.
SPREAD = 0.3
# What the arrays of such a file are called.
GENERATOR, DISCRIMINATOR, CHANNELS, LATENTS = "generator", "discriminator", "channels/", "latents"


def to_arrays(
    generator: Generator, discriminator: Discriminator, statistics: Statistics, latents: np.ndarray
) -> Arrays:
    """What a file of such weights holds.

    The weights are rounded to half precision: a step of training moves them further.

    Args:
        generator: trained without waves.
        discriminator: trained with it.
        statistics: say which channel is which.
        latents: of the materials, (materials, z_dim).

    Returns:
        `generator/000` and so on, `discriminator/000` and so on, `latents`, and for each map `channels/<map>`, the
        places of its standardised channels.
    """
    groups = {GENERATOR: generator.variables, DISCRIMINATOR: discriminator.shared_variables}
    weights = {name: a.astype(np.float16) for name, a in checkpoint.to_arrays(groups).items()}
    places = {name: statistics.place(name) for name in statistics.maps}
    channels = {
        CHANNELS + name: np.arange(statistics.channels)[place]
        for name, place in places.items()
        if place
    }
    return {**weights, **channels, LATENTS: latents}


class Pretrained:
    """The weights of both networks, and the latents of the materials they were trained on.

    Args:
        file: safetensors of what `to_arrays` returns.

    Attributes:
        hash: sha256 of the file, hex.
        latents: (materials, z_dim), one for each material that it knows.

    Raises:
        StorageError: `checkpoint_corrupt`.
    """

    def __init__(self, file: Path):
        data = file.read_bytes()
        self.hash = hashlib.sha256(data).hexdigest()
        try:
            arrays = parse_tensors(data, file.name)
        except StorageError as error:
            cure = "Install Tilewright again: the file comes with it."
            raise StorageError(error.code, error.info.message, cure) from error
        self._arrays = {name: a.astype(np.float32) for name, a in arrays.items()}
        self.latents = tf.constant(self._arrays.pop(LATENTS))

    @classmethod
    def of_preset(cls, preset: str) -> Pretrained | None:
        """What comes with the program for the networks of a preset; None where nothing does."""
        file = FOLDER / f"{preset}.safetensors"
        return cls(file) if file.exists() else None

    def lend(
        self, generators: Sequence[Generator], discriminator: Discriminator, statistics: Statistics
    ) -> None:
        """Give networks these weights; what belongs to other channels, waves or materials keeps its own.

        Args:
            generators: of one architecture.
            discriminator: the one that judges them.
            statistics: say which channel is which.
        """
        here, there = self._shared_channels(statistics)
        for generator in generators:
            first = generator.network.local_channels
            for variable, stored in self._pairs(GENERATOR, generator.shared_variables):
                if variable is generator.entry.kernel:
                    # The waves come after the fields, and every material has its own.
                    stored = _replaced(variable, np.s_[:, :, :first], stored[:, :, :first])
                elif variable is generator.exit.kernel:
                    stored = _replaced(variable, np.s_[..., here], stored[..., there])
                elif variable is generator.exit.bias:
                    stored = _replaced(variable, here, stored[there])
                variable.assign(stored)
        for variable, stored in self._pairs(DISCRIMINATOR, discriminator.shared_variables):
            if variable is discriminator.entry.kernel:
                # Fewer channels, as strong together as all were.
                kept = stored[:, :, there]
                kept = kept * np.sqrt(np.square(stored).sum() / np.square(kept).sum())
                stored = _replaced(variable, np.s_[:, :, here], kept)
            variable.assign(stored)

    def _pairs(
        self, group: str, variables: Iterable[tf.Variable]
    ) -> Iterator[tuple[tf.Variable, np.ndarray]]:
        """Each variable with its stored weight."""
        stored = [
            self._arrays[name] for name in sorted(self._arrays) if name.startswith(f"{group}/")
        ]
        return zip(variables, stored, strict=True)

    def _shared_channels(self, statistics: Statistics) -> tuple[list[int], list[int]]:
        """Places of the channels that both know, here and there."""
        here: list[int] = []
        there: list[int] = []
        for name in statistics.maps:
            place, known = statistics.place(name), self._arrays.get(CHANNELS + name, ())
            for own, stored in zip(
                range(statistics.channels)[place] if place else (), known, strict=False
            ):
                here.append(own)
                there.append(int(stored))
        return here, there


def _replaced(variable: tf.Variable, place: Any, values: np.ndarray) -> np.ndarray:
    """The variable's value with others at some places."""
    value = np.array(variable)
    value[place] = values
    return value


def bring_together(generator: Generator, z: tf.Tensor) -> None:
    """Make all styles look like that of one latent, (z_dim,), with `SPREAD` of what sets them apart.

    What is linear in the style does it: `affine(w)` becomes `affine(w0 + SPREAD · (w - w0))`.
    """
    w = generator.style(z[None])
    blocks = itertools.chain.from_iterable(generator.levels)
    for norm in (*(block.norm for block in blocks), generator.exit_norm):
        kernel, bias = norm.affine.kernel, norm.affine.bias
        bias.assign(bias + (1 - SPREAD) * tf.matmul(w, kernel)[0])
        kernel.assign(SPREAD * kernel)
