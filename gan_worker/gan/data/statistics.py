"""Standardised channels: what the networks see of a material's maps, and the way back."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import tensorflow as tf

from gan_worker.materials.maps import MAPS, Kind

# Below this spread (standard deviation in 0..1) a channel is one value, and that value is stored instead.
CONSTANT = 1.5 / 255
# Where that would leave a color nothing but one axis, and all have this share of the strongest at least, faint ones can
# be kept, down to just above what rounding to 8 bits alone gives (0.29 / 255): the tints of what is nearly gray.
# Without them a critic told the real picture from itself (AUC .84 to 1.0) of three materials with .038 and more; of
# two with .031 and .027 it told what was generated more surely with them.
TINTED = 0.035
ROUNDING = 0.4 / 255
# A color axis weaker than this share of the strongest keeps its true proportion, so that the color noise of
# a nearly grey photo is not blown up to the importance of its shapes.
WEAKEST_AXIS = 0.2
# Longest x and y of a generated normal together, so that it always points outwards.
STEEPEST = 0.98


@dataclass(frozen=True)
class MapStatistics:
    """How one map becomes standardised channels: `(value - mean) @ axes / spread`.

    Attributes:
        mean: mean of each stored channel; normals are stored as x and y in -1..1.
        axes: one row for each standardised channel, orthonormal; no rows where the map is constant.
        spread: standard deviation along each axis.
    """

    mean: tuple[float, ...]
    axes: tuple[tuple[float, ...], ...]
    spread: tuple[float, ...]


@dataclass(frozen=True)
class Statistics:
    """The statistics of all maps that are learned together, in order of their channels."""

    maps: dict[str, MapStatistics]

    @property
    def channels(self) -> int:
        """Standardised channels of all maps together."""
        return sum(len(m.axes) for m in self.maps.values())

    def to_json(self) -> dict:
        return {name: asdict(m) for name, m in self.maps.items()}

    @classmethod
    def from_json(cls, data: Mapping) -> Statistics:
        """The way back from `to_json`.

        Raises:
            LookupError, TypeError, ValueError: it is none, or holds what is not finite.
        """
        maps = {
            name: MapStatistics(
                tuple(m["mean"]), tuple(tuple(a) for a in m["axes"]), tuple(m["spread"])
            )
            for name, m in data.items()
        }
        for name, m in maps.items():
            _check_sizes(name, m)
        return cls(maps)

    def standardise(self, maps: Mapping[str, np.ndarray]) -> np.ndarray:
        """Maps of one material, (height, width, map channels) in 0..1, to (height, width, channels)."""
        parts = []
        for name, m in self.maps.items():
            values: np.ndarray = _stored(name, maps[name]) - np.array(m.mean, np.float32)
            axes = np.array(m.axes, np.float32).reshape(-1, len(m.mean))
            parts.append(values @ axes.T / np.array(m.spread, np.float32))
        return np.concatenate(parts, axis=-1)

    def place(self, name: str) -> slice | None:
        """Which standardised channels are this map's; None where it has none."""
        start = 0
        for known, m in self.maps.items():
            if known == name and m.axes:
                return slice(start, start + len(m.axes))
            start += len(m.axes)
        return None

    def stored(self, name: str, part: tf.Tensor) -> tf.Tensor:
        """Standardised channels of one map to the channels it is stored in: of normals x and y, -1..1."""
        m = self.maps[name]
        axes = np.array(m.axes, np.float32).reshape(-1, len(m.mean))
        scaled = axes * np.array(m.spread, np.float32)[:, None]
        return tf.matmul(part, scaled) + np.array(m.mean, np.float32)

    def standardised(self, name: str, values: tf.Tensor) -> tf.Tensor:
        """The way back from `stored`."""
        m = self.maps[name]
        axes = np.array(m.axes, np.float32).reshape(-1, len(m.mean))
        centred = values - np.array(m.mean, np.float32)
        return tf.matmul(centred, axes.T) / np.array(m.spread, np.float32)

    def restore(self, channels: tf.Tensor) -> dict[str, tf.Tensor]:
        """The way back: (height, width, channels) to maps in 0..1, float32; normals get unit length."""
        parts = tf.split(channels, [len(m.axes) for m in self.maps.values()], axis=-1)
        return {
            name: _shown(name, self.stored(name, part))
            for name, part in zip(self.maps, parts, strict=True)
        }


def _check_sizes(name: str, m: MapStatistics) -> None:
    channels = 2 if MAPS[name].kind is Kind.direction else MAPS[name].channels
    fits = len(m.mean) == channels >= len(m.axes) == len(m.spread)
    if not (fits and all(len(axis) == channels for axis in m.axes)):
        raise ValueError(f"the statistics of {name} do not fit together")
    if not all(map(math.isfinite, (*m.mean, *m.spread, *itertools.chain(*m.axes)))):
        raise ValueError(f"the statistics of {name} are not finite")


def _stored(name: str, values: np.ndarray) -> np.ndarray:
    return values[..., :2] * 2 - 1 if MAPS[name].kind is Kind.direction else values


def _shown(name: str, values: tf.Tensor) -> tf.Tensor:
    if MAPS[name].kind is not Kind.direction:
        return tf.clip_by_value(values, 0.0, 1.0)
    return normals_from_slopes(values)


def normals_from_slopes(values: tf.Tensor) -> tf.Tensor:
    """Normals of unit length, as a map in 0..1, from their x and y, (…, 2) in -1..1."""
    steepness = tf.reduce_sum(tf.square(values), axis=-1, keepdims=True)
    values *= tf.minimum(1.0, STEEPEST * tf.math.rsqrt(tf.maximum(steepness, 1e-12)))
    z = tf.sqrt(1.0 - tf.minimum(steepness, STEEPEST**2))
    return tf.concat([values, z], axis=-1) * 0.5 + 0.5


def measure_statistics(
    materials: Sequence[Mapping[str, np.ndarray]], names: Sequence[str], tints: bool = False
) -> Statistics:
    """Measure mean, axes and spread of each named map over all materials.

    Colors are turned to their principal axes (after Heeger and Bergen 1995), all other maps are taken channel by
    channel.

    Args:
        materials: maps of each by name.
        names: of the maps.
        tints: keep the faint tints of what is nearly gray.
    """
    measured = {n: _measure_map(n, [m[n] for m in materials], tints) for n in names if n in MAPS}
    return Statistics(measured)


def _measure_map(name: str, pictures: Sequence[np.ndarray], tints: bool) -> MapStatistics:
    samples = [_stored(name, p).reshape(-1, _stored(name, p).shape[-1])[::7] for p in pictures]
    values = np.concatenate(samples).astype(np.float64)
    mean = values.mean(axis=0)
    colored = MAPS[name].kind is Kind.color
    if colored:
        variance, columns = np.linalg.eigh(np.cov((values - mean).T))
        order = np.argsort(variance)[::-1]
        axes, spread = columns.T[order], np.sqrt(np.maximum(variance[order], 0))
        # The sign of an eigenvector is free; fix it, so that the same pictures always give the same model.
        axes = axes * np.where(axes.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    else:
        axes, spread = np.eye(len(mean)), values.std(axis=0)
    kept = spread > CONSTANT
    if tints and colored and kept.sum() == 1 and spread.min() > TINTED * spread.max():
        kept = spread > ROUNDING
    floor = WEAKEST_AXIS * spread.max() if colored else 0.0
    return MapStatistics(
        tuple(float(v) for v in mean),
        tuple(tuple(float(v) for v in axis) for axis in axes[kept]),
        tuple(float(max(s, floor)) for s in spread[kept]),
    )
