"""Poisson blending: a hole filled with other pixels so that no border shows; gradients and the rim are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Of the largest residual, in the values' own unit; a tenth of a step of 16 bits at 0..1.
TOLERANCE = 1.5e-6
MOST_STEPS = 200
# Shortest side of the coarsest level, and the steps of Jacobi's method and their length on each.
COARSEST, SWEEPS, DAMPING = 4, 2, 0.8

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
# Whether rows, and whether columns, go on at the opposite side.
Closed = tuple[bool, bool]


def blend(known: Floats, source: Floats, hidden: Mask, closed: Closed = (False, False)) -> Floats:
    """Put the source where the picture is hidden, moved in value so that it meets the rim (Pérez et al. 2003).

    The difference at the rim is spread over the hole by Laplace's equation, which is the same as solving Poisson's
    with the source's gradients. Where the hole touches an open border of the picture there is nothing to meet.

    Args:
        known: (height, width, channels); what it holds where it is hidden does not count.
        source: the same shape.
        hidden: (height, width), with one known pixel at least.
        closed: which axes are circles.

    Returns:
        The picture, with `known` untouched where it is not hidden.
    """
    difference = np.where(hidden[..., None], 0, known - source).astype(np.float32)
    spread = _spread(difference, hidden, closed)
    return np.where(hidden[..., None], source + spread, known).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Level:
    """The hole at one size.

    Attributes:
        inside: 1 where hidden, else 0, (height, width, 1).
        degree: how many neighbours each pixel has.
        closed: which axes are circles.
    """

    inside: Floats
    degree: Floats
    closed: Closed

    def laplacian(self, x: Floats) -> Floats:
        """Each hidden pixel times its neighbours' number, minus them."""
        return self.inside * (self.degree * x - _neighbours(x, self.closed))


def _levels(hidden: Mask, closed: Closed) -> list[_Level]:
    """The hole, and at half the size as long as anything is left of it."""
    inside = hidden[..., None].astype(np.float32)
    levels = [_Level(inside, _neighbours(np.ones_like(inside), closed), closed)]
    if min(hidden.shape) >= 2 * COARSEST:
        smaller = _blocks(inside)[..., 0] == 4
        levels += _levels(smaller, closed) if smaller.any() else []
    return levels


def _spread(difference: Floats, hidden: Mask, closed: Closed) -> Floats:
    """The smoothest continuation of the known differences: conjugate gradients (Hestenes and Stiefel 1952).

    A cycle of multigrid before each step (Tatebe 1993) lets a wide hole take no more steps than a narrow one.
    """
    levels = _levels(hidden, closed)
    finest = levels[0]
    x = np.zeros_like(difference)
    residual = finest.inside * _neighbours(difference, closed)
    direction, power = np.zeros_like(x), np.ones(x.shape[-1])
    for _ in range(MOST_STEPS):
        if np.abs(residual).max() < TOLERANCE:
            break
        improved = _cycle(residual, levels)
        before, power = power, _product(residual, improved)
        direction = improved + (power / before).astype(np.float32) * direction
        applied = finest.laplacian(direction)
        bend = np.maximum(_product(direction, applied), np.finfo(np.float64).tiny)
        step = (power / bend).astype(np.float32)
        x += step * direction
        residual -= step * applied
        power = np.maximum(power, np.finfo(np.float64).tiny)
    return difference + x


def _product(x: Floats, y: Floats) -> NDArray[np.float64]:
    product: NDArray[np.float64] = np.einsum("hwc,hwc->c", x, y, dtype=np.float64)
    return product


def _cycle(residual: Floats, levels: list[_Level]) -> Floats:
    """About what must be added for this residual to vanish: a V-cycle, the same forwards and backwards."""
    level, *coarser = levels
    x = _smoothed(np.zeros_like(residual), residual, level)
    if coarser:
        rest = coarser[0].inside * _blocks(residual - level.laplacian(x))
        height, width = residual.shape[:2]
        x += level.inside * _enlarged(_cycle(rest, coarser), height, width)
    return _smoothed(x, residual, level)


def _smoothed(x: Floats, residual: Floats, level: _Level) -> Floats:
    for _ in range(SWEEPS if level.inside.size > COARSEST**2 else SWEEPS * COARSEST):
        x = x + DAMPING * (residual - level.laplacian(x)) / level.degree
    return x


def _blocks(x: Floats) -> Floats:
    """Sums of 2×2; what an odd side lacks counts as nothing."""
    x = np.pad(x, ((0, x.shape[0] % 2), (0, x.shape[1] % 2), (0, 0)))
    sums: Floats = x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]
    return sums


def _enlarged(x: Floats, height: int, width: int) -> Floats:
    return np.repeat(np.repeat(x, 2, axis=0), 2, axis=1)[:height, :width]


def _neighbours(x: Floats, closed: Closed) -> Floats:
    """The sum over the four neighbours of each pixel."""
    total = np.zeros_like(x)
    total[1:] += x[:-1]
    total[:-1] += x[1:]
    total[:, 1:] += x[:, :-1]
    total[:, :-1] += x[:, 1:]
    if closed[0]:
        total[0] += x[-1]
        total[-1] += x[0]
    if closed[1]:
        total[:, 0] += x[:, -1]
        total[:, -1] += x[:, 0]
    return total
