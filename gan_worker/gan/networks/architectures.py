"""Architectures: which generator belongs to a config; no other is ever made from what a file says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gan_worker.config import ClassicConfig, DetailConfig, Network, NetworkConfig
from gan_worker.gan.networks.classic import ClassicGenerator
from gan_worker.gan.networks.generator import Generator

AnyGenerator = Generator | ClassicGenerator


# Layers of one kind in a network; the files of ours have eight at most.
MOST_LAYERS = 32


def network_from_json(data: Mapping[str, Any]) -> Network:
    """The sizes of networks, from the entry `network` of `model.json`.

    Raises:
        LookupError, TypeError, ValueError: it describes none.
    """
    fields = _with_tuples(data["config"])
    if "detail" in fields:
        fields["detail"] = DetailConfig(**_with_tuples(fields["detail"]))
    network = ClassicConfig(**fields) if "side" in fields else NetworkConfig(**fields)
    _check_layers(network)
    if isinstance(network, NetworkConfig):
        _check_layers(network.detail, network.detail.blocks)
    return network


def _check_layers(sizes: Network | DetailConfig, blocks: int = 0) -> None:
    """A file of a few letters can ask for more layers than can be built in a lifetime."""
    counts = [blocks, *(len(v) for v in vars(sizes).values() if isinstance(v, tuple))]
    if max(counts) > MOST_LAYERS:
        raise ValueError(f"{max(counts)} layers of one kind, more than {MOST_LAYERS}")


def _with_tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}


def new_generator(
    network: Network, channels: int, waves: Sequence[int] = (), materials: int = 0
) -> AnyGenerator:
    """A generator with first weights.

    Args:
        network: sizes.
        channels: standardised channels of all maps together.
        waves: number of waves that come in at each level; none by default.
        materials: that are told apart by name.
    """
    if isinstance(network, ClassicConfig):
        return ClassicGenerator(network)
    return Generator(network, channels, waves, materials if network.toned else 0)
