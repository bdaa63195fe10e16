"""Weights that know many materials already, from which a training goes further in its minutes than from noise.

`scripts/pretrained_weights.py` makes them; `<preset>.json` beside them says of which materials. There each map of each
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

from gan_worker.errors import StorageError
from gan_worker.gan.generation import arrays as checkpoint
from gan_worker.runs.checkpoints import Arrays, parse_tensors

if TYPE_CHECKING:
    from gan_worker.gan.data.statistics import Statistics
    from gan_worker.gan.networks.discriminator import Discriminator
    from gan_worker.gan.networks.generator import Generator
    from gan_worker.gan.networks.upsampler import Upsampler

FOLDER = Path(__file__).parents[2] / "pretrained"
# How far apart the looks of one material start, as a share of how far apart the looks of different materials lie.
SPREAD = 0.3
# What the arrays of such a file are called.
GENERATOR, DISCRIMINATOR, CHANNELS, LATENTS = "generator", "discriminator", "channels/", "latents"
UPSAMPLER, DETAIL_DISCRIMINATOR = "upsampler", "detail_discriminator"


def to_arrays(
    generator: Generator,
    discriminator: Discriminator,
    statistics: Statistics,
    latents: np.ndarray,
    detail: tuple[Upsampler, Discriminator] | None = None,
) -> Arrays:
    """What a file of such weights holds.

    The weights are rounded to half precision: a step of training moves them further.

    Args:
        generator: trained without waves.
        discriminator: trained with it.
        statistics: say which channel is which.
        latents: of the materials, (materials, z_dim).
        detail: both networks of a detail stage with the same channels, whose octaves count from the finest.

    Returns:
        `generator/000` and so on, `discriminator/000` and so on, `latents`, and for each map `channels/<map>`, the
        places of its standardised channels; with `detail`, `upsampler/000` and `detail_discriminator/000` and so on.
    """
    groups: dict[str, list] = {
        GENERATOR: generator.variables,
        DISCRIMINATOR: discriminator.shared_variables,
    }
    if detail:
        upsampler, judge = detail
        assert judge.embedding is not None, "it must be told of several octaves"
        groups[UPSAMPLER] = upsampler.variables
        groups[DETAIL_DISCRIMINATOR] = [*judge.shared_variables, judge.embedding]
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

    def lend_detail(
        self, upsamplers: Sequence[Upsampler], discriminator: Discriminator, statistics: Statistics
    ) -> None:
        """Give the networks of a detail stage these weights, if there are any; see `lend`.

        What was learned of the finest octave is taken for the finest octave here.

        Args:
            upsamplers: of one architecture.
            discriminator: the one that judges them.
            statistics: say which channel is which.
        """
        if f"{UPSAMPLER}/000" not in self._arrays:
            return
        here, there = self._shared_channels(statistics)
        known = sum(len(a) for name, a in self._arrays.items() if name.startswith(CHANNELS))
        own = statistics.channels

        def parts(places: Sequence[int], channels: int, count: int) -> list[int]:
            """The places in so many groups of channels one after the other."""
            return [part * channels + place for part in range(count) for place in places]

        # Small maps and the moved detail of four pixels; after them come the noise and whether anything was moved.
        after = tuple(range(5))
        entry = [
            [*parts(places, channels, 5), *(5 * channels + place for place in after)]
            for places, channels in ((here, own), (there, known))
        ]
        exits = [parts(here, own, 4), parts(there, known, 4)]
        for upsampler in upsamplers:
            for variable, stored in self._pairs(UPSAMPLER, upsampler.variables):
                if variable is upsampler.entry.kernel:
                    stored = _replaced(variable, np.s_[:, :, entry[0]], stored[:, :, entry[1]])
                elif variable is upsampler.exit.kernel:
                    stored = _replaced(variable, np.s_[..., exits[0]], stored[..., exits[1]])
                elif variable is upsampler.exit.bias:
                    stored = _replaced(variable, exits[0], stored[exits[1]])
                elif variable is upsampler.octave:
                    stored = _from_the_finest(stored, upsampler.octaves)
                variable.assign(stored)
        self._lend_judge(discriminator, parts(here, own, 2), parts(there, known, 2))

    def _lend_judge(
        self, discriminator: Discriminator, here: Sequence[int], there: Sequence[int]
    ) -> None:
        """Of a detail stage, which is told the octave only where there are several."""
        *weights, told = self._of_group(DETAIL_DISCRIMINATOR)
        for variable, stored in zip(discriminator.shared_variables, weights, strict=True):
            if variable is discriminator.entry.kernel:
                stored = _replaced(variable, np.s_[:, :, here], stored[:, :, there])
            elif variable is discriminator.exit.kernel and discriminator.embedding is None:
                stored = stored + told[0][None, None, :, None]
            variable.assign(stored)
        if discriminator.embedding is not None:
            discriminator.embedding.assign(_from_the_finest(told, discriminator.embedding.shape[0]))

    def _of_group(self, group: str) -> list[np.ndarray]:
        """Its stored weights, in order."""
        return [self._arrays[name] for name in sorted(self._arrays) if name.startswith(f"{group}/")]

    def _pairs(
        self, group: str, variables: Iterable[tf.Variable]
    ) -> Iterator[tuple[tf.Variable, np.ndarray]]:
        """Each variable with its stored weight."""
        return zip(variables, self._of_group(group), strict=True)

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


def _from_the_finest(stored: np.ndarray, octaves: int) -> np.ndarray:
    """What is stored of each octave from the finest on, for so many octaves of which the finest is the last."""
    return stored[[min(octave, len(stored) - 1) for octave in reversed(range(octaves))]]


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
