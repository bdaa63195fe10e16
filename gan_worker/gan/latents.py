"""Latents: what is drawn for one picture, with NumPy alone, so that a seed means the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gan_worker.config import Network

Wave = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Latents:
    """Inputs of the generator for a batch of one or more.

    Attributes:
        z: (batch, z_dim).
        local: (batch, h, w, local_channels + 2 · waves).
        noise: for each level after the first, (batch, h·2^i, w·2^i, 1).
    """

    z: np.ndarray
    local: np.ndarray
    noise: tuple[np.ndarray, ...]

    def rolled(self, rows: int, columns: int) -> Latents:
        """The same latents with the latent grid rolled by so many cells; the picture rolls by strides."""
        return Latents(
            self.z,
            np.roll(self.local, (rows, columns), (1, 2)),
            tuple(
                np.roll(n, (rows * 2 ** (i + 1), columns * 2 ** (i + 1)), (1, 2))
                for i, n in enumerate(self.noise)
            ),
        )


def draw_z(seed: int, network: Network) -> np.ndarray:
    """The style latent of a seed, (z_dim,) float32, the same for every size."""
    return np.random.default_rng([seed, 0]).standard_normal(network.z_dim, np.float32)


def draw_latents(
    seed: int,
    rows: int,
    columns: int,
    network: Network,
    waves: Sequence[Wave] = (),
    z: Sequence[float] = (),
) -> Latents:
    """Draw the latents of one picture.

    Args:
        seed: 0 or more.
        rows: height of the latent grid, cells.
        columns: width of the latent grid, cells.
        network: sizes.
        waves: regular patterns of the material, cycles a pixel along x and y.
        z: explicit style latent; empty for the seed's own.
    """
    style = np.asarray(z, np.float32) if len(z) else draw_z(seed, network)
    generator = np.random.default_rng([seed, 1])
    phases = generator.uniform(0, 2 * np.pi, (1, len(waves)))
    local = generator.standard_normal((1, rows, columns, network.local_channels), np.float32)
    regular = wave_fields(waves, rows, columns, network.stride, phases)
    noise = tuple(
        generator.standard_normal((1, rows * 2**i, columns * 2**i, 1), np.float32)
        for i in range(1, network.levels)
    )
    return Latents(style[None], np.concatenate([local, regular], axis=-1), noise)


def wave_fields(
    waves: Sequence[Wave], rows: int, columns: int, stride: int, phases: np.ndarray
) -> np.ndarray:
    """Sine and cosine of each wave on the latent grid, (batch, rows, columns, 2 · waves) float32.

    Waves let a regular pattern keep its pitch over any distance (Bergmann 2017, arXiv 1705.06566). Their frequency
    is snapped to a whole number of periods on the torus, so that the pattern closes on itself.

    Args:
        waves: cycles a pixel along x and y.
        rows: height of the latent grid, cells.
        columns: width of the latent grid, cells.
        stride: pixels a cell.
        phases: (batch, waves), radians.
    """
    y, x = np.mgrid[0:rows, 0:columns]
    fields = np.zeros((len(phases), rows, columns, 2 * len(waves)), np.float32)
    for i, (fx, fy) in enumerate(waves):
        turns = (
            2
            * np.pi
            * (round(fx * columns * stride) * x / columns + round(fy * rows * stride) * y / rows)
        )
        angle = turns + phases[:, i, None, None]
        fields[..., 2 * i], fields[..., 2 * i + 1] = np.sin(angle), np.cos(angle)
    return fields * np.float32(2**0.5)
