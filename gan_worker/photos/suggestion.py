"""Suggestion of corners: where a photo shows a regular pattern, the rectangle in which it is seen upright.

A slant is two numbers, how fast what is seen comes nearer to the right and downwards: a place (x, y) of the photo, from
-1 to 1 along both sides, lies at (x, y) / (1 + slant · (x, y)) of a plane on which all repeats of a pattern are equally
large. The slant that makes the spectrum stand out most is searched; the lattice seen then tells which way is up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gan_worker.photos.lattice import Likeness, find_lattice, measure_exactly
from gan_worker.photos.light import luminance, shrunk_light
from gan_worker.photos.pieces import Pieces, finished

if TYPE_CHECKING:
    from gan_worker.materials.pixels import Picture
    from gan_worker.preparation import Corner

Array = NDArray[np.float64]
Slant = tuple[float, float]
Corners = tuple["Corner", "Corner", "Corner", "Corner"]

# Pixels along the sides of what is looked at: at many slants, at few, and for the lattice.
COARSE, FINE, MEASURED = 192, 320, 384
# Slants that are tried first, along both sides and together at most, and the first and the last step of the search from
# the best of them. What is found beyond the most is an accident.
FIRST, TOGETHER = np.linspace(-0.5, 0.5, 11), 0.75
STEP, LAST_STEP, MOST = 0.05, 0.004, 0.7
# Two parts of the photo, from and to along both sides, in which the search from some way off must find the same slant,
# and by how much they may differ: elsewhere an accident is another one.
PARTS, AFAR, AGREE = ((0.0, 0.85), (0.15, 1.0)), 0.16, 0.06
# Distance of what repeats at least, pixels of what is measured.
SMALLEST = 6.0
# Degrees by which the axes of a pattern may differ from a right angle, and be turned.
SQUARE, TURNED = 12.0, 25.0
# Lines along both axes on which the rectangle's sides are looked for, and how near to the photo's own corners it is the
# whole photo.
LINES, WHOLE = 41, 0.03
# Waves across what is looked at whose power counts: from these to a share of its pixels.
SLOWEST, FASTEST = 4, 0.3
# Deviation of brightness below which there is nothing to see.
FLAT = 0.005
CORNERS: Array = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])


def suggest_corners(picture: Picture) -> Corners | None:
    """The corners of a rectangle on the surface, as `Preparation.corners`.

    It says nothing rather than something wrong: of 72 slanted photos that were rendered of bricks, tiles, pavements and
    weaves it suggests corners for 11, and for 2 of 39 of other materials; their sides lie along the pattern within 2.2
    degrees, of most within half a degree.

    Args:
        picture: (height, width, 1 or 3), sRGB in 0..1.

    Returns:
        Those of the photo itself where it is upright already; None where no pattern can be trusted.
    """
    return finished(suggest_pieces(picture))


def suggest_pieces(picture: Picture) -> Pieces[Corners | None]:
    """As `suggest_corners`, some milliseconds at a time."""
    gray = np.sqrt(luminance(shrunk_light(picture, 2 * FINE))).astype(np.float64)
    if min(gray.shape) < COARSE or gray.std() < FLAT:
        return None
    slant = yield from _find_slant(gray)
    if slant is None:
        return None
    for part in PARTS:
        if not (yield from _is_found_in(gray, slant, part)):
            return None
    axes = _upright_axes(gray, slant)
    corners = None if axes is None else _largest_rectangle(slant, axes)
    if corners is None:
        return None
    if np.abs(corners - CORNERS).max() < 2 * WHOLE:
        corners = CORNERS
    one, two, three, four = ((float(x), float(y)) for x, y in (corners + 1) / 2)
    return one, two, three, four


# ---- the slant


def _find_slant(gray: Array) -> Pieces[Slant | None]:
    tried = ((a, b) for a, b in product(FIRST, FIRST) if abs(a) + abs(b) < TOGETHER)
    _, first = yield from _most_regular(gray, tried, COARSE)
    return (yield from _climbed(gray, first, STEP, LAST_STEP))


def _most_regular(gray: Array, slants: Iterable[Slant], side: int) -> Pieces[tuple[float, Slant]]:
    """How regular the pattern is at the best of several slants, and which that is."""
    found = []
    for slant in slants:
        found.append((_regularity(gray, slant, side), slant))
        yield
    return max(found)


def _climbed(gray: Array, slant: Slant, step: float, last: float) -> Pieces[Slant | None]:
    """The slant near to one at which the pattern is most regular; None where it leads too far away."""
    value = _regularity(gray, slant, FINE)
    while step > last:
        best, other = yield from _most_regular(gray, _around(slant, step), FINE)
        if best <= value:
            step /= 2
        else:
            value, slant = best, other
        if max(map(abs, slant)) > MOST:
            return None
    return slant


def _around(slant: Slant, step: float) -> Iterator[Slant]:
    return (
        (slant[0] + step * x, slant[1] + step * y)
        for x, y in product((-1, 0, 1), repeat=2)
        if x or y
    )


def _is_found_in(gray: Array, slant: Slant, part: tuple[float, float]) -> Pieces[bool]:
    """Whether a part of the photo has that slant too; as seen from its own middle, at its own size."""
    start, stop = part
    rows, columns = (slice(int(start * n), int(stop * n)) for n in gray.shape)
    middle, size = start + stop - 1, stop - start
    nearer = 1 + middle * sum(slant)
    x, y = (size * n / nearer for n in slant)
    found = yield from _climbed(gray[rows, columns], (x, y), AFAR, 2 * LAST_STEP)
    if found is None:
        return False
    back = [n / size for n in found]
    nearer = 1 - middle * sum(back)
    return max(abs(n / nearer - m) for n, m in zip(back, slant, strict=True)) < AGREE


def _regularity(gray: Array, slant: Slant, side: int) -> float:
    """How far the spectrum stands out of its mean at each frequency, as that of what repeats does."""
    window = np.hanning(side)
    seen = _seen(gray, slant, side)
    power = np.abs(np.fft.rfft2((seen - seen.mean()) * np.outer(window, window))) ** 2
    down, across = np.fft.fftfreq(side)[:, None] * side, np.fft.rfftfreq(side)[None] * side
    radius = np.hypot(across, down)
    used = (radius >= SLOWEST) & (radius < FASTEST * side)
    ring, values = radius[used].astype(int), power[used]
    means = np.bincount(ring, values)[ring] / np.bincount(ring)[ring]
    weights = np.sqrt(means)
    peaks = (values / np.maximum(means, 1e-12)) ** 2
    return float((peaks * weights).sum() / max(float(weights.sum()), 1e-12))


def _seen(gray: Array, slant: Slant, side: int) -> Array:
    """The largest square of the plane around its middle of which the photo shows all, (side, side)."""
    toward = CORNERS @ np.array(slant)
    half = 1 / (1 + np.abs(toward).max())
    places = ((np.arange(side) + 0.5) / side * 2 - 1) * half
    x, y = np.meshgrid(places, places)
    near = 1 - slant[0] * x - slant[1] * y
    height, width = gray.shape
    return _between_pixels(gray, (x / near + 1) * width / 2, (y / near + 1) * height / 2)


def _between_pixels(gray: Array, x: Array, y: Array) -> Array:
    """Values at places in pixels from the upper left, bilinear."""
    height, width = gray.shape
    x, y = np.clip(x - 0.5, 0, width - 1.001), np.clip(y - 0.5, 0, height - 1.001)
    column, row = x.astype(int), y.astype(int)
    right, down = x - column, y - row
    above = gray[row, column] * (1 - right) + gray[row, column + 1] * right
    below = gray[row + 1, column] * (1 - right) + gray[row + 1, column + 1] * right
    return np.asarray(above * (1 - down) + below * down, np.float64)


# ---- which way is up, and the rectangle


def _upright_axes(gray: Array, slant: Slant) -> Array | None:
    """Directions on the plane that are across and down on the surface, columns of (2, 2); None where none are."""
    likeness = Likeness(_seen(gray, slant, MEASURED))
    lattice = find_lattice(likeness, SMALLEST)
    if lattice is None:
        return None
    # Angles are those of the photo, whose sides may differ.
    sides = np.array(gray.shape[::-1]) / min(gray.shape)
    one, two = _shortest(*(shift * sides for shift in measure_exactly(likeness, lattice)))
    pairs = [(one, two), (one + two, one - two)]
    for a, b in ((one, two), (two, one)):
        pairs += [(a, 2 * b - a), (a, 2 * b + a)]
    best, found = np.inf, None
    for a, b in (*pairs, *((b, a) for a, b in pairs)):
        across, down = a * (1 if a[0] > 0 else -1), b * (1 if b[1] > 0 else -1)
        turns = np.degrees([np.arctan2(across[1], across[0]), np.arctan2(-down[0], down[1])])
        off, turned = float(np.ptp(turns)), float(np.abs(turns).max())
        if off < SQUARE and turned < TURNED and off + turned < best:
            best, found = off + turned, np.stack([across / sides, down / sides], axis=1)
    return found


def _shortest(one: Array, two: Array) -> tuple[Array, Array]:
    """The shortest two shifts that make the same lattice (Gauss)."""
    while True:
        one, two = (one, two) if one @ one <= two @ two else (two, one)
        times = round(float(one @ two) / float(one @ one))
        if times == 0:
            return one, two
        two = two - times * one


def _largest_rectangle(slant: Slant, axes: Array) -> Array | None:
    """Of all that lie along the axes and are seen whole, in places of the photo, -1..1, (4, 2)."""
    toward = np.array(slant)
    axes = axes / np.linalg.norm(axes, axis=0)
    # The photo on the plane, measured along the axes: convex, and its sides go around clockwise.
    shown = CORNERS / (1 + CORNERS @ toward)[:, None] @ np.linalg.inv(axes).T
    sides = np.roll(shown, -1, axis=0) - shown
    outward = np.stack([sides[:, 1], -sides[:, 0]], axis=1)
    limits = (outward * shown).sum(axis=1)
    spans = [np.linspace(shown[:, axis].min(), shown[:, axis].max(), LINES) for axis in (0, 0, 1)]
    left, right, top = np.meshgrid(*spans, indexing="ij")
    bottom, inside = np.full_like(top, np.inf), right > left
    for (x, y), limit in zip(outward, limits, strict=True):
        for edge in (left, right):
            inside &= x * edge + y * top <= limit + 1e-9
            if y > 1e-9:
                bottom = np.minimum(bottom, (limit - x * edge) / y)
    area = np.where(inside, (right - left) * (bottom - top), 0)
    best = np.unravel_index(np.argmax(area), area.shape)
    if not area[best] > 0:
        return None
    low, high, above, below = (float(n[best]) for n in (left, right, top, bottom))
    places = np.array([[low, above], [high, above], [high, below], [low, below]]) @ axes.T
    return np.asarray(np.clip(places / (1 - places @ toward)[:, None], -1, 1), np.float64)
