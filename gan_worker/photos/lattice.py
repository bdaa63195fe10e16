"""Lattice: the two shifts at which a picture matches itself, measured on its autocorrelation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Two shifts at which a picture matches itself make a lattice: how alike it must be there on average, what share of that
# at the worst, and at most half way between them, in the mean and in each direction. Gravel and grass reach 0.2,
# bricks and tiles 0.5 and more.
ALIKE, WORST, BETWEEN, HALF_WAY = 0.4, 0.6, 0.5, 0.85
# Matches that must have been seen, or one accident would make a pattern.
MATCHES = 11
# Among lattices that match about as well as the best one, the finest counts; and which share of the best shift's match
# makes a shift worth a try: where every slate has a tone of its own, far ones are the best by luck.
AS_GOOD, NEARLY = 0.85, 0.65
# Share of the picture by which it is shifted at most, and how many of the best shifts are looked at.
REACH, LOOKED_AT = 0.62, 24
# Distance of two best shifts at least, and how far from its place a match may lie, pixels.
APART, LOOSE = 4, 2
# What is far along a picture: from so many pixels to a share of it.
FAR, FARTHEST = 48, 0.5

Array = NDArray[Any]
Shift = tuple[float, float]


@dataclass(frozen=True)
class Lattice:
    """Two shifts and all their sums.

    Attributes:
        one: x and y, pixels.
        two: the same of the other.
        at: how alike the picture is after each of the sums, -1..1.
    """

    one: Shift
    two: Shift
    at: tuple[float, ...]

    @property
    def alike(self) -> float:
        """How alike it is in the mean."""
        return float(np.mean(self.at))

    @property
    def area(self) -> float:
        """Of a cell, square pixels."""
        return abs(self.one[0] * self.two[1] - self.one[1] * self.two[0])


def find_lattice(likeness: Likeness, smallest: float) -> Lattice | None:
    """The finest lattice that a picture repeats on; None where it does not.

    Args:
        likeness: of the picture.
        smallest: distance of what repeats, pixels, at least.
    """
    best_shifts = likeness.best_shifts()
    # No lattice of worse shifts could count, and most pictures end here.
    if not best_shifts or best_shifts[0][0] < ALIKE:
        return None
    shifts = map(likeness.exact, _nearest_of_the_best(best_shifts, smallest))
    found = []
    for one, two in combinations(shifts, 2):
        lattice = Lattice(one, two, tuple(likeness.around(_sums(one, two, (0, 0)))))
        long_and_thin = lattice.area < 0.35 * np.hypot(*one) * np.hypot(*two)
        if len(lattice.at) > 1 and not long_and_thin and lattice.area >= 0.8 * smallest**2:
            found.append(lattice)
    best = max((lattice.alike for lattice in found), default=0.0)
    good = [x for x in found if x.alike >= AS_GOOD * best and min(x.at) >= WORST * best]
    finest = min(good, key=lambda lattice: lattice.area, default=None)
    if finest is None or finest.alike < ALIKE or len(finest.at) < MATCHES:
        return None
    between = _between(likeness, finest)
    if max(between) > HALF_WAY * finest.alike or np.mean(between) > BETWEEN * finest.alike:
        return None
    return finest


def _nearest_of_the_best(shifts: Sequence[tuple[float, Shift]], smallest: float) -> list[Shift]:
    """Of the shifts that match about as well as the best, those nearest to none: a lattice is made of its shortest.

    None where the shortest is too short: every lattice of longer ones would be a part of the true one.
    """
    good = [shift for alike, shift in shifts if alike >= NEARLY * shifts[0][0]]
    good.sort(key=lambda shift: float(np.hypot(*shift)))
    return good[:LOOKED_AT] if good and np.hypot(*good[0]) >= smallest else []


def _between(likeness: Likeness, lattice: Lattice) -> list[float]:
    """How alike the picture is half way along either shift and both, where a pattern must differ from itself."""
    found = []
    for half in ((0.5, 0), (0, 0.5), (0.5, 0.5)):
        at = likeness.at(_sums(lattice.one, lattice.two, half))
        found.append(float(np.mean(at)) if at else 1.0)
    return found


def _sums(one: Shift, two: Shift, start: tuple[float, float]) -> Array:
    """So many times either shift, and all sums of these, but not the shift to the same place, (sums, 2)."""
    times = [(n + start[0], m + start[1]) for n in range(-6, 7) for m in range(-6, 7)]
    found: Array = np.array([pair for pair in times if pair != (0, 0)]) @ np.array([one, two])
    return found


class Likeness:
    """How alike a picture and itself are after a shift: the normalised correlation of what overlaps, -1..1.

    Args:
        grey: (height, width).
    """

    def __init__(self, grey: Array):
        height, width = grey.shape
        self._down, self._across = int(height * REACH), int(width * REACH)
        rows = np.arange(-self._down, self._down + 1)
        columns = np.arange(-self._across, self._across + 1)
        # Shifts from the most negative to the most positive one.
        self._table = _correlation(_details(grey))[np.ix_(rows, columns)]

    def far(self) -> tuple[float, float]:
        """How alike after shifts straight down, and straight across, that are longer than most elements."""
        down = self._table[self._down :, self._across]
        across = self._table[self._down, self._across :]
        ends = (round(len(x) / REACH * FARTHEST) for x in (down, across))
        parts = [x[FAR:end] for x, end in zip((down, across), ends, strict=True)]
        found = [float(np.median(part)) if len(part) else 0.0 for part in parts]
        return found[0], found[1]

    def best_shifts(self) -> list[tuple[float, Shift]]:
        """How alike, and the shift (x, y), for those that are better than all near them; one of each opposite pair.

        The best comes first.
        """
        rows, columns = np.nonzero(self._table >= _largest_near(self._table, APART))
        found = [
            (float(self._table[r, c]), (int(c) - self._across, int(r) - self._down))
            for r, c in zip(rows, columns, strict=True)
        ]
        return [
            (alike, (x, y))
            for alike, (x, y) in sorted(found, reverse=True)
            if (y, x) > (0, 0) and abs(x) < self._across and y < self._down
        ]

    def peak(self, shift: Array, loose: int) -> tuple[int, int] | None:
        """Where within so many pixels of a shift (x, y) it is most alike; None where that was not measured."""
        row, column = round(shift[1]) + self._down, round(shift[0]) + self._across
        height, width = self._table.shape
        if not (loose <= row < height - loose and loose <= column < width - loose):
            return None
        window = self._table[row - loose : row + loose + 1, column - loose : column + loose + 1]
        down, across = np.unravel_index(np.argmax(window), window.shape)
        return column + int(across) - loose - self._across, row + int(down) - loose - self._down

    def exact(self, shift: Shift) -> Shift:
        """A shift in fractions of a pixel, as its multiples tell it: six of a fine weave are a pixel longer or more."""
        found = np.array(shift, float)
        for times in range(2, 7):
            at = self.peak(times * found, LOOSE)
            if at is None:
                break
            found = np.array(at) / times
        return float(found[0]), float(found[1])

    @cached_property
    def _loosely(self) -> Array:
        return _largest_near(self._table, LOOSE)

    def at(self, shifts: Array) -> list[float]:
        """How alike after each of these shifts, (shifts, 2), that was measured."""
        return self._read(self._table, shifts)

    def around(self, shifts: Array) -> list[float]:
        """The best within `LOOSE` pixels of each shift, (shifts, 2), for those that were measured."""
        return self._read(self._loosely, shifts)

    def _read(self, table: Array, shifts: Array) -> list[float]:
        columns, rows = (np.rint(shifts).astype(int) + (self._across, self._down)).T
        height, width = table.shape
        measured = (rows >= 3) & (rows < height - 3) & (columns >= 3) & (columns < width - 3)
        return [float(alike) for alike in table[rows[measured], columns[measured]]]


def _largest_near(table: Array, reach: int) -> Array:
    """The largest value within so many places of each, in both directions."""
    for axis in (0, 1):
        padding = [(reach, reach) if axis == a else (0, 0) for a in (0, 1)]
        padded = np.pad(table, padding, constant_values=-np.inf)
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis)
        table = windows.max(axis=-1)
    return table


def _details(grey: Array) -> Array:
    """Without grain of about a pixel and without what changes over an eighth of the picture and more."""
    height, width = grey.shape
    padded = np.pad(grey, ((height // 2,) * 2, (width // 2,) * 2), mode="reflect")
    rows, columns = np.fft.fftfreq(padded.shape[0])[:, None], np.fft.rfftfreq(padded.shape[1])[None]
    squared = -2 * np.pi**2 * (rows**2 + columns**2)
    band = np.exp(squared) - np.exp(squared * (min(height, width) / 8) ** 2)
    found = np.fft.irfft2(np.fft.rfft2(padded) * band, s=padded.shape)
    return np.asarray(found[height // 2 : height // 2 + height, width // 2 : width // 2 + width])


def _correlation(x: Array) -> Array:
    """Correlation of the overlap for every shift, (2 · height, 2 · width); negative shifts count from the end."""
    size = (2 * x.shape[0], 2 * x.shape[1])
    ones, values, squares = (np.fft.rfft2(a, s=size) for a in (np.ones_like(x), x, x * x))

    def overlap(a: Array, b: Array) -> Array:
        return np.fft.irfft2(a * np.conj(b), s=size)

    rows, columns = (np.minimum(np.arange(2 * n), 2 * n - np.arange(2 * n)) for n in x.shape)
    count = np.maximum(np.outer(x.shape[0] - rows, x.shape[1] - columns), 1)
    here = overlap(values, ones)
    spread = np.maximum(overlap(squares, ones) - here**2 / count, 1e-9)
    # After the opposite shift the two parts have changed places.
    there, spread_there = (np.roll(table[::-1, ::-1], 1, (0, 1)) for table in (here, spread))
    product = overlap(values, values) - here * there / count
    return np.asarray(product / np.sqrt(spread * spread_there))


def measure_exactly(likeness: Likeness, lattice: Lattice) -> tuple[Array, Array]:
    """The two shifts in fractions of a pixel: whole ones fit those of the many periods around best."""
    shifts = np.array([lattice.one, lattice.two], float)
    for reach in range(1, 7):
        steps = [(n, m) for n in range(-reach, reach + 1) for m in range(-reach, reach + 1)]
        pairs = [(s, likeness.peak(np.array(s) @ shifts, LOOSE)) for s in steps if any(s)]
        seen = [(step, at) for step, at in pairs if at is not None]
        counted, places = (np.array(column, float) for column in zip(*seen, strict=True))
        shifts = np.linalg.lstsq(counted, places, rcond=None)[0]
    return shifts[0], shifts[1]
