"""Waves: what is regular in a material, as waves that the latents carry, and the levels they come in at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from gan_worker.config import Network

Wave = tuple[float, float]
# Cells of a level that the fastest wave on it takes for a period.
FASTEST = 2.5
# Which way planks, ribs and courses run: straight down or straight across the picture.
Grain = Literal["", "down", "across"]


@dataclass(frozen=True)
class Pattern:
    """What is regular in one material.

    Attributes:
        waves: of its bond or tiling, cycles a pixel along x and y; none where it has none.
        grain: which way its elements run on; empty where they end.
    """

    waves: tuple[Wave, ...] = ()
    grain: Grain = ""

    @property
    def is_any(self) -> bool:
        return bool(self.waves or self.grain)


def patterns_from_json(data: Mapping[str, Any]) -> tuple[Pattern, ...]:
    """The pattern of each training material, from `model.json` or the state of a checkpoint.

    Until several materials could have patterns, there was one list of `waves`; until they had a grain, a list of them
    for each.
    """
    patterns = data["patterns"] if "patterns" in data else [data["waves"]]
    fields = [entry if isinstance(entry, dict) else {"waves": entry} for entry in patterns]
    return tuple(
        Pattern(tuple((float(x), float(y)) for x, y in entry["waves"]), entry.get("grain", ""))
        for entry in fields
    )


def level_of(pattern: Pattern, stride: int) -> int:
    """At which of its levels the generator takes a pattern's waves: the coarsest that can carry the fastest of them.

    Args:
        pattern: its waves take 2.5 pixels or more.
        stride: pixels a cell of the latent grid.
    """
    fastest = max((float(np.hypot(*wave)) for wave in pattern.waves), default=0.0)
    # A wave that just fits must not miss its level by what a file of numbers rounds.
    cells = FASTEST * stride * fastest * (1 - 1e-6)
    return int(np.ceil(np.log2(max(cells, 1.0))))


def waves_of_levels(patterns: Sequence[Pattern], network: Network) -> tuple[int, ...]:
    """How many waves each level of the generator takes: as many as that pattern has that has most of them there."""
    found = [0] * network.levels
    for pattern in patterns:
        level = level_of(pattern, network.stride)
        found[level] = max(found[level], len(pattern.waves))
    return tuple(found)


def snapped_turns(
    waves: Sequence[Wave], rows: int, columns: int, stride: int
) -> list[tuple[int, int]]:
    """Whole periods of each wave across and down the torus, so that the pattern closes on itself.

    What is a sum or a difference of the first two stays one, or the waves would drift apart.

    Args:
        waves: cycles a pixel along x and y.
        rows: height of the latent grid, cells.
        columns: width of the latent grid, cells.
        stride: pixels a cell.
    """
    free = [(round(x * columns * stride), round(y * rows * stride)) for x, y in waves[:2]]
    if len(waves) < 3:
        return free
    basis = np.array(waves[:2]).T
    times = np.rint(np.linalg.solve(basis, np.array(waves[2:]).T)).astype(int).T
    sums = times @ np.array(free)
    return [*free, *((int(across), int(down)) for across, down in sums)]


def wave_fields(
    waves: Sequence[Wave], rows: int, columns: int, stride: int, shift: np.ndarray
) -> np.ndarray:
    """Sine and cosine of each wave on the latent grid, (batch, rows, columns, 2 · waves) float32.

    Waves let a regular pattern keep its pitch over any distance (Bergmann 2017, arXiv 1705.06566). Their frequency
    is snapped to a whole number of periods on the torus.

    Args:
        waves: cycles a pixel along x and y; the third and fourth are sums or differences of the first two.
        rows: height of the latent grid, cells.
        columns: width of the latent grid, cells.
        stride: pixels a cell.
        shift: (batch, 2), by which shares of the torus the pattern is moved along x and y.
    """
    y, x = np.mgrid[0:rows, 0:columns]
    fields = np.zeros((len(shift), rows, columns, 2 * len(waves)), np.float32)
    for i, (across, down) in enumerate(snapped_turns(waves, rows, columns, stride)):
        moved = across * shift[:, 0] + down * shift[:, 1]
        angle = 2 * np.pi * (across * x / columns + down * y / rows + moved[:, None, None])
        fields[..., 2 * i], fields[..., 2 * i + 1] = np.sin(angle), np.cos(angle)
    return fields * np.float32(2**0.5)
