"""Latents: what is drawn for one picture, with NumPy alone, so that a seed means the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gan_worker.gan.data.waves import Pattern, level_of, wave_fields, waves_of_levels

if TYPE_CHECKING:
    from gan_worker.config import Network
    from gan_worker.style import Sway

# Side of what is drawn of fine noise together, pixels.
BLOCK = 128


@dataclass(frozen=True, eq=False)
class Latents:
    """Inputs of the generator for a batch of one or more.

    Attributes:
        z: (batch, z_dim).
        local: (batch, h, w, local_channels + 2 · waves of this level); of a material with a grain half of the
            channels are the same all along it.
        noise: for each level after the first, (batch, h·2^i, w·2^i, 1 + 2 · waves of this level).
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
    patterns: Sequence[Pattern] = (),
    z: Sequence[float] = (),
    shares: np.ndarray | None = None,
    sway: Sway = (0.0, 0.0),
) -> Latents:
    """Draw the latents of one picture.

    Args:
        seed: 0 or more.
        rows: height of the latent grid, cells.
        columns: width of the latent grid, cells.
        network: sizes.
        patterns: of the training materials.
        z: explicit style latent; empty for the seed's own.
        shares: how much there is of each pattern, (patterns,), or of each at each place, (rows, columns, patterns);
            None for the first one alone.
        sway: as in `GenerationConfig`. Regular patterns stay where they are.
    """
    style = np.asarray(z, np.float32) if len(z) else draw_z(seed, network)
    generator = np.random.default_rng([seed, 1])
    shift = generator.uniform(0, 1, (1, 2))
    local = generator.standard_normal((1, rows, columns, network.local_channels), np.float32)
    shares = np.eye(1, len(patterns))[0] if shares is None else shares
    noise = tuple(
        generator.standard_normal((1, rows * 2**i, columns * 2**i, 1), np.float32)
        for i in range(1, network.levels)
    )
    if sway[0]:
        local, *moved = _swayed((local, *noise), seed, sway)
        noise = tuple(moved)
    local = _grained(local, patterns, shares)
    fields = [local, *noise]
    for level, waves in _regular(patterns, shares, shift, (rows, columns), network).items():
        fields[level] = np.concatenate([fields[level], waves], axis=-1)
    return Latents(style[None], fields[0], tuple(fields[1:]))


def fine_noise(
    seed: int,
    octave: int,
    rows: np.ndarray,
    columns: np.ndarray,
    size: tuple[int, int],
    sway: Sway = (0.0, 0.0),
) -> np.ndarray:
    """Noise of one octave of a piece, drawn by blocks, so that memory does not grow with the picture.

    Args:
        seed: of the picture.
        octave: 0 for the first above the generator's own pictures.
        rows: of the piece in the picture, which is a circle: one after the other, and they may lie outside.
        columns: the same.
        size: height and width of the whole picture at this octave.
        sway: as in `GenerationConfig`.

    Returns:
        N(0, 1), (1, rows, columns, 1) float32.
    """
    rows, columns = rows % size[0], columns % size[1]
    found = np.empty((len(rows), len(columns)), np.float32)
    for down in np.unique(rows // BLOCK):
        for across in np.unique(columns // BLOCK):
            generator = np.random.default_rng([seed, 3 + octave, int(down), int(across)])
            block = generator.standard_normal((BLOCK, BLOCK), np.float32)
            if sway[0]:
                others = generator.standard_normal((2, BLOCK, BLOCK), np.float32)
                block = np.tensordot(_sway_weights(sway), np.stack([block, *others]), 1)
            ours = np.flatnonzero(rows // BLOCK == down), np.flatnonzero(columns // BLOCK == across)
            found[np.ix_(*ours)] = block[np.ix_(rows[ours[0]] % BLOCK, columns[ours[1]] % BLOCK)]
    return found[None, ..., None]


def _regular(
    patterns: Sequence[Pattern],
    shares: np.ndarray,
    shift: np.ndarray,
    cells: tuple[int, int],
    network: Network,
) -> dict[int, np.ndarray]:
    """For each level that takes waves, its waves, (1, h·2^i, w·2^i, 2 · waves of the level)."""
    rows, columns = cells
    found = {
        level: np.zeros((1, rows << level, columns << level, 2 * count), np.float32)
        for level, count in enumerate(waves_of_levels(patterns, network))
        if count
    }
    for pattern, share in zip(patterns, np.moveaxis(shares, -1, 0), strict=True):
        if not (pattern.waves and share.any()):
            continue
        level = level_of(pattern, network.stride)
        fields = wave_fields(
            pattern.waves, rows << level, columns << level, network.stride >> level, shift
        )
        if share.ndim:
            share = share.repeat(1 << level, 0).repeat(1 << level, 1)[..., None]
        found[level][..., : fields.shape[-1]] += share.astype(np.float32) * fields
    return found


def _swayed(fields: Sequence[np.ndarray], seed: int, sway: Sway) -> list[np.ndarray]:
    """Normal fields of the same variance on a circle around these: cos a · A + sin a · (cos t · B + sin t · C)."""
    generator = np.random.default_rng([seed, 2])
    weights = _sway_weights(sway)
    moved = []
    for field in fields:
        others = generator.standard_normal((2, *field.shape), np.float32)
        moved.append(weights[0] * field + weights[1] * others[0] + weights[2] * others[1])
    return moved


def _sway_weights(sway: Sway) -> np.ndarray:
    away, turn = sway[0] * np.pi / 2, sway[1] * 2 * np.pi
    to_b, to_c = np.sin(away) * np.cos(turn), np.sin(away) * np.sin(turn)
    return np.array((np.cos(away), to_b, to_c), np.float32)


def _grained(local: np.ndarray, patterns: Sequence[Pattern], shares: np.ndarray) -> np.ndarray:
    """Give half of the channels one value all along the grain; between materials both are mixed, at variance 1."""
    parts = [shares[..., [p.grain == g for p in patterns]].sum(-1) for g in ("down", "across")]
    if not np.any(parts):
        return local
    half = local.shape[-1] // 2
    down, across = (part[..., None].astype(np.float32) for part in parts)
    free, head = 1 - down - across, local[..., :half]
    mixed = free * head + down * head[:, :1] + across * head[:, :, :1]
    mixed /= np.sqrt(free**2 + down**2 + across**2)
    return np.concatenate([mixed, local[..., half:]], axis=-1)
