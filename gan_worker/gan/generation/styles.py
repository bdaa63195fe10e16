"""The style w of one request: from a seed, a latent, a name, a mix or a painted map, to what synthesis takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gan_worker.gan.generation.directions import find_direction, fingerprint, random_styles
from gan_worker.gan.generation.latents import draw_z
from gan_worker.gan.networks.layers import PaintedStyle
from gan_worker.style import (
    CellMap,
    Directions,
    Latent,
    LookMap,
    Material,
    Mix,
    Seed,
    Style,
    StyleMap,
    as_mix,
    mixes,
    read_weights,
)

if TYPE_CHECKING:
    from gan_worker.config import GenerationConfig
    from gan_worker.gan.networks.architectures import AnyGenerator

# Styles averaged for the mean style that truncation pulls towards.
MEAN_STYLES = 1024


def nearest_style(w: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """Which of the known styles each style is nearest to: (batch, w_dim) and (known, w_dim) to (batch,) integers."""
    return tf.argmin(tf.reduce_sum(tf.square(w[:, None] - known[None]), axis=-1), axis=-1)


class Styles:
    """All styles that one model knows.

    Args:
        generator: with its weights, which may still be in training.
        named: training material → its style w, (w_dim,).
    """

    def __init__(self, generator: AnyGenerator, named: Mapping[str, np.ndarray]):
        self._generator = generator
        self._named = named
        self._style = tf.function(generator.style, autograph=False, reduce_retracing=True)
        self._measured: dict[str, Any] = {}
        self._measured_on = 0

    def style(self, config: GenerationConfig, rows: int, columns: int) -> tf.Tensor | PaintedStyle:
        """The style that a request asks for, truncated, then moved along its directions.

        Args:
            config: passes `check` and `check_for`.
            rows: height of the latent grid, cells.
            columns: width of the latent grid, cells.

        Returns:
            (1, w_dim), or painted for a style map of different styles, with shares that roll and can be cut as local
            latents.
        """
        if isinstance(config.style, CellMap | LookMap):
            shares = _places(config.style, config, rows, columns)
            looks = self._looks(config.style)
            if (one := _only_value(shares, looks)) is None:
                styles = [self._moved(w, config.truncation_psi, config.directions) for w in looks]
                return PaintedStyle(tf.constant(shares[None], tf.float32), tf.concat(styles, 0))
        else:
            one = self._mean(as_mix(config.style or Seed(config.seed)))
        return self._moved(one, config.truncation_psi, config.directions)

    def _moved(self, w: np.ndarray, truncation_psi: float, directions: Directions) -> tf.Tensor:
        """A style, (w_dim,), truncated and moved, (1, w_dim)."""
        moved = tf.constant(w[None])
        if truncation_psi != 1.0 and self._generator.network.has_styles:
            w_avg = self._measure("w_avg", partial(mean_style, self._generator))
            moved = w_avg + truncation_psi * (moved - w_avg)
        for name, amount in directions:
            direction = self._measure(name, partial(find_direction, self._generator, name))
            moved += amount * direction.step * direction.vector
        return moved

    def kinship(self, config: GenerationConfig, rows: int, columns: int) -> np.ndarray:
        """Which training material's pattern a request gets: that of the material its style is nearest to.

        Of a mix the heaviest style counts. Directions and truncation change nothing, so that no pattern jumps while
        a slider moves.

        Returns:
            (materials,), one of them 1 and the rest 0, or (rows, columns, materials) for a style map.
        """
        if isinstance(config.style, CellMap | LookMap):
            shares = _places(config.style, config, rows, columns)
            kin = np.stack([self._kin(mix) for mix in mixes(config.style)])
            one = _only_value(shares, kin)
            return (shares @ kin).astype(np.float32) if one is None else one
        return self._kin(as_mix(config.style or Seed(config.seed)))

    def nearest_material(self, w: tf.Tensor) -> int:
        """Number of the training material whose style is nearest to this one, (1, w_dim)."""
        if not self._named:
            return 0
        return int(nearest_style(w, np.stack([self._named[name] for name in self._named]))[0])

    def _kin(self, mix: Mix) -> np.ndarray:
        heaviest = max(mix, key=lambda part: part[1])[0]
        nearest = self.nearest_material(self._one(heaviest)[None])
        return np.eye(len(self._named), dtype=np.float32)[nearest]

    def _measure(self, name: str, measure: Callable[[], Any]) -> Any:
        """What takes many styles to measure, once for as long as the weights are the same.

        A slider asks for all of it again with every move, and in training the weights change.
        """
        weights = fingerprint(self._generator)
        if weights != self._measured_on:
            self._measured, self._measured_on = {}, weights
        if name not in self._measured:
            self._measured[name] = measure()
        return self._measured[name]

    def _mean(self, mix: Mix) -> np.ndarray:
        weights = np.array([weight for _, weight in mix], np.float32)
        w = np.stack([self._one(style) for style, _ in mix])
        return weights / weights.sum() @ w

    def _one(self, style: Style) -> np.ndarray:
        if isinstance(style, Material):
            return np.asarray(self._named[style.name], np.float32)
        z = style.z if isinstance(style, Latent) else draw_z(style.number, self._generator.network)
        return self._style(tf.constant(np.asarray(z, np.float32)[None]))[0].numpy()

    def _looks(self, chosen: StyleMap) -> np.ndarray:
        """The styles of a map, (styles or looks, w_dim) float32."""
        w = [self._mean(mix) for mix in mixes(chosen)]
        for i, look in enumerate(chosen.looks if isinstance(chosen, LookMap) else ()):
            w[i] = self._moved(w[i], look.truncation_psi, look.directions)[0].numpy()
        return np.stack(w)


def mean_style(generator: AnyGenerator) -> tf.Tensor:
    """The style that truncation pulls towards, (w_dim,)."""
    return tf.reduce_mean(random_styles(generator, MEAN_STYLES), axis=0)


def _only_value(shares: np.ndarray, values: np.ndarray) -> np.ndarray | None:
    """What every place has, (n,), to the bit, where all that is there is the same; else None.

    Args:
        shares: of each value at each place, (rows, columns, values), sums 1.
        values: (values, n).
    """
    used = values[shares.any(axis=(0, 1))]
    return used[0] if np.all(used == used[0]) else None


def _places(chosen: StyleMap, config: GenerationConfig, rows: int, columns: int) -> np.ndarray:
    """How much of each style there is in each cell of the latent grid, (rows, columns, styles)."""
    if isinstance(chosen, LookMap):
        return _painted_places(chosen, config, rows, columns)
    cells = _shares(chosen.cells, len(chosen.styles)).reshape(chosen.rows, chosen.columns, -1)
    down, across = resampling(chosen.rows, rows), resampling(chosen.columns, columns)
    return np.einsum("hr,rcs,wc->hws", down, cells, across, optimize=True)


def _painted_places(
    chosen: LookMap, config: GenerationConfig, rows: int, columns: int
) -> np.ndarray:
    """The same for a map of looks, which stays where it was painted wherever the border is put."""
    left, top = config.origin or (0, 0)
    down = softening(rows) @ resampling(chosen.rows, rows, top / config.height)
    across = softening(columns) @ resampling(chosen.columns, columns, left / config.width)
    weights = np.frombuffer(read_weights(chosen), np.uint8).astype(np.float64)
    cells = weights.reshape(chosen.rows, chosen.columns, -1)
    shares = cells / cells.sum(axis=-1, keepdims=True)
    return np.einsum("hr,rcs,wc->hws", down, shares, across, optimize=True)


def _shares(cells: Sequence[float], styles: int) -> np.ndarray:
    """How much of each style each cell has, (cells, styles), rows of sum 1: linear between neighbours."""
    distances = np.abs(np.asarray(cells)[:, None] - np.arange(styles))
    return np.maximum(0.0, 1.0 - distances)


def softening(cells: int) -> np.ndarray:
    """Weights that make each of a circle of cells a quarter like either neighbour, (cells, cells), rows of sum 1.

    A brush with a hard edge would else change the style from one cell to the next, which shows as a line; where
    what is painted does not go on beyond the border, that line would be a seam.
    """
    itself = np.eye(cells)
    return (2 * itself + np.roll(itself, 1, axis=0) + np.roll(itself, -1, axis=0)) / 4


def resampling(before: int, after: int, turn: float = 0.0) -> np.ndarray:
    """Weights that bring a circle of cells to another number of cells, (after, before), rows of sum 1.

    Linear between the cells' centres when there will be more of them, and as wide as a new cell when fewer.

    Args:
        before: cells there are.
        after: cells there will be.
        turn: share of the circle by which everything moves on.
    """
    centres = ((np.arange(after)[:, None] + 0.5) / after - turn) * before - 0.5
    distances = (centres - np.arange(before) + before / 2) % before - before / 2
    weights = np.maximum(0.0, 1.0 - np.abs(distances) / max(1.0, before / after))
    return weights / weights.sum(axis=1, keepdims=True)
