"""Architectures: which generator belongs to a config; no other is ever made from what a file says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gan_worker.config import ClassicConfig, DetailConfig, Network, NetworkConfig
from gan_worker.gan.networks.classic import ClassicGenerator
from gan_worker.gan.networks.generator import Generator

AnyGenerator = Generator | ClassicGenerator


def network_from_json(data: Mapping[str, Any]) -> Network:
    """The sizes of networks, from the entry `network` of `model.json`."""
    fields = _with_tuples(data["config"])
    if "detail" in fields:
        fields["detail"] = DetailConfig(**_with_tuples(fields["detail"]))
    return ClassicConfig(**fields) if "side" in fields else NetworkConfig(**fields)


def _with_tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}


def new_generator(network: Network, channels: int, waves: Sequence[int] = ()) -> AnyGenerator:
    """A generator with first weights.

    Args:
        network: sizes.
        channels: standardised channels of all maps together.
        waves: number of waves that come in at each level; none by default.
    """
    if isinstance(network, ClassicConfig):
        return ClassicGenerator(network)
    return Generator(network, channels, waves)
