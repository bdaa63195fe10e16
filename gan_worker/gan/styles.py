"""The style w of one request: from a seed, a latent, a name, a mix or a painted map, to what synthesis takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from gan_worker.config import GenerationConfig
from gan_worker.errors import RequestError
from gan_worker.gan.classic import ClassicGenerator
from gan_worker.gan.conditioning import nearest_style
from gan_worker.gan.directions import find_direction, fingerprint, random_styles
from gan_worker.gan.generator import Generator
from gan_worker.gan.latents import draw_z
from gan_worker.style_choices import Style, StyleMap, check_materials, check_style, chosen_styles

# Styles averaged for the mean style that truncation pulls towards.
MEAN_STYLES = 1024
# Names of stored styles among a model's tensors start with this.
STORED = "styles/"


class Styles:
    """All styles that one model knows.

    Args:
        generator: with its weights, which may still be in training.
        named: training material → its style w, (w_dim,).
    """

    def __init__(self, generator: Generator | ClassicGenerator, named: Mapping[str, np.ndarray]):
        self._generator = generator
        self._named = named
        self._measured: dict[str, Any] = {}
        self._measured_on = 0

    def check(self, config: GenerationConfig) -> None:
        """Check what a request says of the style.

        Raises:
            RequestError: `invalid_config` or `invalid_latent`.
        """
        chosen = (config.z, config.material, config.mix, config.style_map, config.directions)
        check_style(*chosen)
        if any(chosen):
            check_has_styles(self._generator)
        styles = list(chosen_styles(config.material, config.mix, config.style_map))
        check_materials(styles, self._named)
        expected = self._generator.network.z_dim
        for z in (config.z, *(style.z for style in styles)):
            if len(z) not in (0, expected) or not np.all(np.isfinite(z)):
                raise RequestError(
                    "invalid_latent",
                    f"A latent of this model has {expected} finite numbers; received {len(z)}.",
                    "Use a seed, or a latent of this very model.",
                )

    def style(self, config: GenerationConfig, rows: int, columns: int) -> tf.Tensor:
        """The style that a request asks for, truncated, then moved along its directions.

        Args:
            config: passes `check`.
            rows: height of the latent grid, cells.
            columns: width of the latent grid, cells.

        Returns:
            (1, w_dim), or (1, rows, columns, w_dim) for a style map, which rolls and can be cut as local latents.
        """
        if config.style_map:
            w = tf.constant(self._painted(config.style_map, rows, columns)[None])
        else:
            w = tf.constant(self._mixed(config)[None])
        if config.truncation_psi != 1.0:
            w_avg = self._measure("w_avg", partial(mean_style, self._generator))
            w = w_avg + config.truncation_psi * (w - w_avg)
        for name, amount in config.directions:
            direction = self._measure(name, partial(find_direction, self._generator, name))
            w += amount * direction.step * direction.vector
        return w

    def kinship(self, config: GenerationConfig, rows: int, columns: int) -> np.ndarray:
        """Which training material's pattern a request gets: that of the material its style is nearest to.

        Of a mix the heaviest style counts. Directions and truncation change nothing, so that no pattern jumps while
        a slider moves.

        Returns:
            (materials,), one of them 1 and the rest 0, or (rows, columns, materials) for a style map.
        """
        if config.style_map:
            shares = _places(config.style_map, rows, columns)
            return shares @ np.stack([self._kin(style) for style in config.style_map.styles])
        style = Style(z=config.z) if config.z else Style(seed=config.seed)
        style = Style(material=config.material) if config.material else style
        return self._kin(max(config.mix, key=lambda part: part[1])[0] if config.mix else style)

    def _kin(self, style: Style) -> np.ndarray:
        known = np.stack([self._named[name] for name in self._named])
        nearest = nearest_style(self._one(style)[None], known)
        return np.eye(len(known), dtype=np.float32)[int(nearest[0])]

    def _measure(self, name: str, measure: Callable[[], Any]) -> Any:
        """What takes many styles to measure, once for as long as the weights are the same.

        A slider asks for all of it again with every move, and in training the weights change.
        """
        plain = isinstance(self._generator, ClassicGenerator)  # its style has no numbers
        weights = 0 if plain else fingerprint(self._generator)
        if weights != self._measured_on:
            self._measured, self._measured_on = {}, weights
        if name not in self._measured:
            self._measured[name] = measure()
        return self._measured[name]

    def _mixed(self, config: GenerationConfig) -> np.ndarray:
        if not config.mix:
            style = Style(z=config.z) if config.z else Style(seed=config.seed)
            return self._one(Style(material=config.material) if config.material else style)
        weights = np.array([weight for _, weight in config.mix], np.float32)
        w = np.stack([self._one(style) for style, _ in config.mix])
        return weights / weights.sum() @ w

    def _one(self, style: Style) -> np.ndarray:
        if style.material:
            return np.asarray(self._named[style.material], np.float32)
        z = style.z or draw_z(style.seed or 0, self._generator.network)
        return self._generator.style(tf.constant(z, tf.float32)[None])[0].numpy()

    def _painted(self, chosen: StyleMap, rows: int, columns: int) -> np.ndarray:
        """The style of each cell of the latent grid, (rows, columns, w_dim) float32."""
        w = np.stack([self._one(style) for style in chosen.styles])
        return (_places(chosen, rows, columns) @ w).astype(np.float32)


def mean_style(generator: Generator | ClassicGenerator) -> tf.Tensor:
    """The style that truncation pulls towards, (w_dim,)."""
    return tf.reduce_mean(random_styles(generator, MEAN_STYLES), axis=0)


def check_has_styles(generator: Generator | ClassicGenerator) -> None:
    """Refuse what a generator without styles cannot do.

    Raises:
        RequestError: `invalid_config`.
    """
    if isinstance(generator, ClassicGenerator):
        raise RequestError(
            "invalid_config",
            "Only a model with styles can change its look; one of the preset classic has none, its pictures depend "
            "on the seed alone.",
            "Change the seed, or use a model of another preset.",
        )


def _places(chosen: StyleMap, rows: int, columns: int) -> np.ndarray:
    """How much of each style there is in each cell of the latent grid, (rows, columns, styles)."""
    count = len(chosen.styles)
    shares = _shares(chosen.cells, count).reshape(chosen.rows, chosen.columns, count)
    down, across = resampling(chosen.rows, rows), resampling(chosen.columns, columns)
    return np.einsum("hr,rcs,wc->hws", down, shares, across, optimize=True)


def _shares(cells: Sequence[float], styles: int) -> np.ndarray:
    """How much of each style each cell has, (cells, styles), rows of sum 1: linear between neighbours."""
    distances = np.abs(np.asarray(cells)[:, None] - np.arange(styles))
    return np.maximum(0.0, 1.0 - distances)


def resampling(before: int, after: int) -> np.ndarray:
    """Weights that bring a circle of cells to another number of cells, (after, before), rows of sum 1.

    Linear between the cells' centres when there will be more of them, and as wide as a new cell when fewer.
    """
    centres = (np.arange(after)[:, None] + 0.5) * before / after - 0.5
    distances = (centres - np.arange(before) + before / 2) % before - before / 2
    weights = np.maximum(0.0, 1.0 - np.abs(distances) / max(1.0, before / after))
    return weights / weights.sum(axis=1, keepdims=True)
