"""Patterns on a torus: noise, bonds, cells and scattered pieces that continue across the border of a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Field = np.ndarray
# Samples a pixel along each axis while a pattern is drawn; their mean is the pixel, so edges are smooth.
FINE = 2


@dataclass(frozen=True)
class Elements:
    """The bricks, stones or threads that a picture is made of; arrays of the samples, lengths in pixels.

    Attributes:
        number: which element a sample belongs to.
        inset: how far inside its element's outline it lies.
        u: offset from the element's middle along its first axis.
        v: offset along its second axis.
    """

    number: Field
    inset: Field
    u: Field
    v: Field


class Torus:
    """A square picture that meets itself at its borders, with its random numbers.

    Attributes:
        size: pixels a side; all lengths are in pixels.
        x: column of each sample, (FINE · size, FINE · size).
        y: row of each sample.
    """

    def __init__(self, size: int, seed: list[int]):
        self.size, self._rng = size, np.random.default_rng(seed)
        line = (np.arange(size * FINE) + 0.5) / FINE
        self.x, self.y = np.meshgrid(line, line)
        self._frequencies = (
            np.fft.fftfreq(size * FINE, 1 / FINE),
            np.fft.rfftfreq(size * FINE, 1 / FINE),
        )

    def noise(self, length: float, falloff: float = 2.0, stretch: float = 1.0) -> Field:
        """Gaussian noise, mean 0 and deviation 1.

        Args:
            length: wavelength below which it fades, pixels.
            falloff: exponent of that fading: 1 is gritty, 1.5 a rough surface, 4 soft.
            stretch: how many times longer it is along x.
        """
        white = self._rng.standard_normal(self.x.shape)
        down, across = self._frequencies
        radius = np.hypot(down[:, None] * length, across[None] * length * stretch)
        spectrum = np.fft.rfft2(white) * (1 + radius**2) ** (-falloff / 2)
        spectrum[0, 0] = 0
        field = np.fft.irfft2(spectrum, s=white.shape)
        return field / field.std()

    def blur(self, field: Field, radius: float) -> Field:
        """Gaussian blur of that deviation, pixels."""
        down, across = self._frequencies
        fade = np.exp(-2 * (np.pi * radius) ** 2 * (down[:, None] ** 2 + across[None] ** 2))
        return np.fft.irfft2(np.fft.rfft2(field) * fade, s=field.shape)

    def each(self, elements: Elements, low: float = 0.0, high: float = 1.0) -> Field:
        """A random number of its own for every element."""
        return self._rng.uniform(low, high, elements.number.max() + 1)[elements.number]

    def bent(self, amount: float, length: float) -> tuple[Field, Field]:
        """Columns and rows moved by soft noise of that deviation and wavelength, pixels."""
        return (
            self.x + amount * self.noise(length, 3),
            self.y + amount * self.noise(length, 3),
        )

    def taken(self, field: Field, x: Field, y: Field) -> Field:
        """A field at other places, linear between samples."""
        n = len(field)
        column, row = x * FINE - 0.5, y * FINE - 0.5
        left, top = np.floor(column).astype(int), np.floor(row).astype(int)
        a, b = column - left, row - top
        i, j, k, m = left % n, (left + 1) % n, top % n, (top + 1) % n
        upper = field[k, i] * (1 - a) + field[k, j] * a
        return upper * (1 - b) + (field[m, i] * (1 - a) + field[m, j] * a) * b

    def uniform(self, *shape: int) -> Field:
        """Random numbers 0..1."""
        return self._rng.random(shape)


def courses(
    torus: Torus,
    length: float,
    height: float,
    stagger: float | None = 0.5,
    vary: float = 0.0,
    radius: float = 1.0,
    at: tuple[Field, Field] | None = None,
) -> Elements:
    """Courses of blocks.

    Args:
        torus: to lay them on.
        length: of a block; a whole number of them fits the size, as of courses.
        height: of a course.
        stagger: share of a block by which every second course is shifted; None shifts each at random.
        vary: how much lengths and heights differ, share of their mean, below 1.
        radius: of the blocks' corners.
        at: columns and rows of the samples, where they are bent.
    """
    x, y = at or (torus.x, torus.y)
    rows, columns = _whole(torus.size, height, bool(stagger)), _whole(torus.size, length)
    tops = (np.arange(rows) + vary / 2 * (torus.uniform(rows) - 0.5)) * torus.size / rows
    row, v, tall = _between(y % torus.size, tops, torus.size)
    shifts = torus.uniform(rows) if stagger is None else stagger * (np.arange(rows) % 2)
    number, u, long = np.zeros_like(row), np.zeros_like(x), np.zeros_like(x)
    for k in range(rows):
        here = row == k
        cuts = np.arange(columns) + vary * (torus.uniform(columns) - 0.5)
        place = (x[here] - shifts[k] * length) % torus.size
        block, u[here], long[here] = _between(place, cuts * torus.size / columns, torus.size)
        number[here] = k * columns + block
    return Elements(number, _rounded(u, v, long / 2, tall / 2, radius), u, v)


def _between(place: Field, cuts: Field, size: float) -> tuple[Field, Field, Field]:
    """Which interval of a circle a place is in, its offset from the middle, and the interval's length."""
    beyond = (place - cuts[0]) % size
    which = np.searchsorted(cuts - cuts[0], beyond, "right") - 1
    long = np.diff(cuts, append=cuts[0] + size)
    return which, beyond + cuts[0] - cuts[which] - long[which] / 2, long[which]


def _rounded(u: Field, v: Field, wide: Field | float, tall: Field | float, radius: float) -> Field:
    """How far inside a rectangle with round corners, of these half sides."""
    a, b = np.abs(u) - wide + radius, np.abs(v) - tall + radius
    return radius - np.hypot(np.maximum(a, 0), np.maximum(b, 0)) - np.minimum(np.maximum(a, b), 0)


def herringbone(torus: Torus, width: float, long: int, radius: float = 0.5) -> Elements:
    """Blocks of `long` times their width, each at right angles to the next; u runs along a block.

    The size is a multiple of 2 · long · width.
    """
    x, y = torus.x / width, torus.y / width
    i, j = np.floor(x).astype(int), np.floor(y).astype(int)
    k = (i - j) % (2 * long)
    lying = k < long
    column, row = np.where(lying, i - k, i), np.where(lying, j, j - (2 * long - 1 - k))
    along = np.where(lying, x - column, y - row) - long / 2
    across = np.where(lying, y - row, x - column) - 0.5
    cells = _whole(torus.size, 2 * long * width) * 2 * long
    key = ((row % cells) * cells + column % cells) * 2 + lying
    number = np.unique(key, return_inverse=True)[1].reshape(key.shape)
    u, v = along * width, across * width
    return Elements(number, _rounded(u, v, long * width / 2, width / 2, radius), u, v)


def cells(
    torus: Torus,
    across: float,
    down: float,
    jitter: float = 1.0,
    stagger: float = 0.0,
    rounding: float = 0.0,
    at: tuple[Field, Field] | None = None,
) -> Elements:
    """Voronoi cells around the jittered points of a grid (Worley 1996).

    Args:
        torus: to lay them on.
        across: distance of the points along x; a whole number of them fits the size.
        down: distance along y.
        jitter: share of these distances by which points are moved at most.
        stagger: share of `across` by which every second row is shifted.
        rounding: how round corners are, pixels.
        at: columns and rows of the samples, where they are bent.
    """
    near = list(_points(torus, across, down, jitter, stagger, at))
    number, u0, v0 = near[0]
    for which, u, v in near[1:]:
        nearer = u**2 + v**2 < u0**2 + v0**2
        number, u0, v0 = (
            np.where(nearer, new, old) for new, old in ((which, number), (u, u0), (v, v0))
        )
    borders = []
    for _, u, v in near:
        apart = np.hypot(u - u0, v - v0)
        # Half way between both points; a point has no border with itself.
        border = ((u + u0) * (u - u0) + (v + v0) * (v - v0)) / np.maximum(2 * apart, 1e-9)
        borders.append(np.where(apart < 1e-3, np.float32(np.inf), border))
    return Elements(number, _soft_least(borders, rounding), u0, v0)


def _soft_least(values: list[Field], rounding: float) -> Field:
    least = np.minimum.reduce(values)
    if rounding == 0:
        return least
    return least - rounding * np.log(sum(np.exp((least - value) / rounding) for value in values))


def _whole(size: int, side: float, even: bool = False) -> int:
    """How many times a side fits into the size.

    Raises:
        ValueError: the pattern would not close.
    """
    count = round(size / side)
    if abs(count * side - size) > 1e-6 * size or (even and count % 2):
        kind = "an even number of" if even else "a whole number of"
        raise ValueError(f"A side must fit {size} pixels {kind} times, not {size / side}.")
    return count


def _points(
    torus: Torus,
    across: float,
    down: float,
    jitter: float,
    stagger: float,
    at: tuple[Field, Field] | None,
) -> Iterator[tuple[Field, Field, Field]]:
    """The points of a jittered grid around each sample: their number, and the sample's offset from them."""
    # Single precision is a thousandth of a pixel fine, and twice as fast.
    x, y = (place.astype(np.float32) for place in at or (torus.x, torus.y))
    rows, columns = _whole(torus.size, down, bool(stagger)), _whole(torus.size, across)
    moved = (0.5 + jitter * (torus.uniform(2, rows, columns) - 0.5)).astype(np.float32)
    row = np.floor(y / down).astype(int)
    for dy in range(-2, 3):
        r = row + dy
        shift = stagger * (r % 2)
        column = np.floor(x / across - shift).astype(int)
        for dx in range(-2, 3):
            c = column + dx
            which = (r % rows) * columns + c % columns
            u = x - (c + moved[0].ravel()[which] + shift).astype(np.float32) * np.float32(across)
            v = y - (r + moved[1].ravel()[which]).astype(np.float32) * np.float32(down)
            yield which, u, v


def pieces(
    torus: Torus,
    side: float,
    radius: tuple[float, float],
    slender: tuple[float, float] = (1.0, 1.5),
    tilt: float = 0.0,
    at: tuple[Field, Field] | None = None,
) -> tuple[Elements, Field]:
    """Ellipsoids strewn over a plane, one for each square of a grid, the highest on top.

    Args:
        torus: to strew them on.
        side: of the grid's squares; a whole number of them fits the size.
        radius: smallest and largest small radius.
        slender: smallest and largest ratio of the radii.
        tilt: how much their middles differ in height, pixels.
        at: columns and rows of the samples, where they are bent.

    Returns:
        The pieces, u and v along their axes in radii, and the height, -inf where nothing lies.
    """
    x, y = at or (torus.x, torus.y)
    grid = _whole(torus.size, side)
    middles = (np.indices((grid, grid)).reshape(2, -1) + torus.uniform(2, grid**2)) * side
    small = radius[0] + np.ptp(radius) * torus.uniform(grid**2)
    ratio = slender[0] + np.ptp(slender) * torus.uniform(grid**2)
    turn, lift = np.pi * torus.uniform(grid**2), tilt * torus.uniform(grid**2)
    margin = max(np.abs(x - torus.x).max(), np.abs(y - torus.y).max())
    top, number = np.full(x.shape, -np.inf), np.zeros(x.shape, int)
    u, v = np.zeros(x.shape), np.zeros(x.shape)
    for k, (row, column) in enumerate(middles.T):
        near = _window(row, column, small[k] * ratio[k] + margin, len(x))
        right, down = _apart(x[near], column, torus.size), _apart(y[near], row, torus.size)
        c, s = np.cos(turn[k]) / small[k], np.sin(turn[k]) / small[k]
        a, b = (right * c + down * s) / ratio[k], down * c - right * s
        inside = 1 - a**2 - b**2
        height = lift[k] + small[k] * np.sqrt(np.maximum(inside, 0))
        higher = (inside > 0) & (height > top[near])
        for field, value in (top, height), (number, k), (u, a), (v, b):
            field[near] = np.where(higher, value, field[near])
    inset = np.where(np.isfinite(top), (1 - np.hypot(u, v)) * small[number], 0)
    return Elements(number, inset, u, v), top


def _window(row: float, column: float, reach: float, samples: int) -> tuple[Field, ...]:
    """Indices of the samples around a place, across the border too."""
    spans = (
        np.arange(int((m - reach) * FINE) - 1, int((m + reach) * FINE) + 2) for m in (row, column)
    )
    return np.ix_(*(span % samples for span in spans))


def _apart(place: Field, middle: float, size: float) -> Field:
    """The shorter way round a circle from a middle to a place."""
    return (place - middle + size / 2) % size - size / 2


def smooth(low: float, high: float, value: Field) -> Field:
    """0 below `low`, 1 above `high`, and a soft step between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def bevel(inset: Field, width: float) -> Field:
    """A quarter circle from 0 at the outline to 1 from that width on."""
    t = np.clip(inset / width, 0, 1)
    return np.sqrt(1 - (1 - t) ** 2)


def mix(first: Field, second: Field, share: Field | float) -> Field:
    """Between two fields, or two colors, (…, 3)."""
    weight = np.asarray(share)
    if np.ndim(first) > 2 or np.ndim(second) > 2:
        weight = weight[..., None]
    return first + (second - first) * weight


def gradient(value: Field, *colors: str) -> Field:
    """Colors along a field: hexadecimal sRGB, evenly spaced from 0 to 1; (…, 3)."""
    stops = np.array([[int(c[i : i + 2], 16) / 255 for i in (0, 2, 4)] for c in colors])
    places = np.linspace(0, 1, len(colors))
    return np.stack([np.interp(value, places, stops[:, i]) for i in range(3)], -1)
