"""Building of a model's networks, and the shapes that its file must hold, known before memory is taken for them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import keras

from gan_worker.config import NetworkConfig
from gan_worker.gan.data.statistics import Statistics
from gan_worker.gan.data.waves import patterns_from_json, waves_of_levels
from gan_worker.gan.detail.bank import bank_shapes
from gan_worker.gan.generation import arrays
from gan_worker.gan.networks.architectures import AnyGenerator, network_from_json, new_generator
from gan_worker.gan.networks.upsampler import Upsampler
from gan_worker.runs.checkpoints import damaged

if TYPE_CHECKING:
    from gan_worker.runs.checkpoints import Shapes
    from gan_worker.runs.run import ModelInfo

# Among a model's tensors the weights are named after these, and each stored style starts with that.
WEIGHTS, UPSAMPLER, STORED = "generator", "upsampler", "styles/"


def new_networks(info: ModelInfo) -> tuple[AnyGenerator, Upsampler | None]:
    """The generator, and the upsampler where there are octaves, with first weights.

    Raises:
        StorageError: `checkpoint_corrupt` where `model.json` describes none.
    """
    try:
        statistics = Statistics.from_json(info.statistics)
        if set(info.maps) != set(statistics.maps):
            raise ValueError(f"statistics of {sorted(statistics.maps)}")
        network = network_from_json(info.network)
        waves = waves_of_levels(patterns_from_json(info.network), network)
        generator = new_generator(network, statistics.channels, waves, len(info.styles))
        if not info.octaves:
            return generator, None
        if not isinstance(network, NetworkConfig):
            raise ValueError("octaves of a network that draws none")
        sizes = network.detail, statistics.channels, info.octaves, network.w_dim
        return generator, Upsampler(*sizes)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise damaged(f"model.json of {info.name!r} describes no network ({error!r})") from error


def groups_of(generator: AnyGenerator, upsampler: Upsampler | None) -> arrays.Groups:
    """The variables of the networks as they are named in a file."""
    return {WEIGHTS: generator.variables} | ({UPSAMPLER: upsampler.variables} if upsampler else {})


def check_model_shapes(info: ModelInfo, stored: Shapes) -> None:
    """Compare what `model.json` says with what the file of weights says that it holds.

    Raises:
        StorageError: `model_format` where they differ, `checkpoint_corrupt` where `model.json` describes no network.
    """
    # Keras keeps what shall get memory later apart for each thread; with this one it is forgotten.
    with ThreadPoolExecutor(1) as alone:
        expected = alone.submit(_shapes, info, stored).result()
    arrays.check_shapes(expected, stored)


def _shapes(info: ModelInfo, stored: Shapes) -> Shapes:
    """Shapes by name; the sides of real pictures, which nothing else says, are those that are stored."""
    with keras.StatelessScope(initialize_variables=False):
        generator, upsampler = new_networks(info)
        variables = arrays.by_name(groups_of(generator, upsampler))
    found = {name: tuple(variable.shape) for name, variable in variables.items()}
    found |= {STORED + name: (generator.network.w_dim,) for name in info.styles}
    if upsampler:
        channels = Statistics.from_json(info.statistics).channels
        found |= bank_shapes(stored, max(1, len(info.styles)), channels, info.octaves)
    return found
