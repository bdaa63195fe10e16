"""Periodicity: the waves that courses, bonds and tilings are built on, measured instead of learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import takewhile
from typing import NamedTuple

import numpy as np

from gan_worker.gan.data.waves import FASTEST, Grain, Pattern, Wave
from gan_worker.materials.maps import MAPS
from gan_worker.materials.pictures import resize
from gan_worker.photos.lattice import Likeness, find_lattice, measure_exactly

# Pixels that are looked at, a side.
LARGEST = 512
# The same of a power spectrum, which takes half a gigabyte a megapixel: waves of a quarter of that repeat four times.
MIDDLE = 1024
# How alike a picture with a grain is far along it, and what share of that across it at most. Planks, ribs and courses
# reach 0.3 to 1 and less than 0.05; others 0.17 at most.
RUNS_ON, ENDS = 0.25, 0.5
# Share of its power that waves hold in a map of ribs. Planks reach 0.45 and sheets 0.96; soils and snow that happen to
# rise and fall evenly 0.29.
RIBBED = 0.4
# Pixels a cell of the finest level whose waves are looked for: a pitch of five of them, as fine weaves have it.
FINEST = 2


def measure_pattern(material: Mapping[str, np.ndarray], stride: int) -> Pattern:
    """What is regular in a material: the waves that it is built on, and which way its elements run on.

    A bond or a tiling gets the two waves of its lattice, then their sum and their difference, with which courses
    are told apart; a material that repeats along one direction only gets that one. They are measured on the map that
    repeats best: bricks that all have other colors are alike in height.

    Args:
        material: map name → (height, width, channels) in 0..1, at training scale.
        stride: pixels a cell of the latent grid; faster waves than 2.5 cells cannot be drawn on it. Where it could
            carry nothing, what is finer is looked for.
    """
    pictures = list(_measured(material).values())
    likenesses, spectra = _likenesses(pictures), [_Spectrum(picture) for picture in pictures]
    pattern = _pattern(spectra, likenesses, stride)
    if pattern.waves:
        return pattern
    finer = _pattern(spectra, likenesses, FINEST)
    return finer if finer.waves else pattern


def _pattern(spectra: Sequence[_Spectrum], likenesses: Sequence[Likeness], stride: int) -> Pattern:
    best = _best_lattice(likenesses, FASTEST * stride)
    if best is not None:
        one, two = _shortest_waves(*best)
        drawn = [
            w for w in (one, two, one + two, one - two) if np.hypot(*w) * FASTEST * stride <= 1
        ]
        # Without its two slowest waves a lattice cannot be told from another one.
        if np.hypot(*two) * FASTEST * stride <= 1:
            return Pattern(tuple((float(x), float(y)) for x, y in drawn))
    return Pattern(_waves(spectra, stride), _grain(likenesses))


def _waves(spectra: Sequence[_Spectrum], stride: int) -> tuple[Wave, ...]:
    """Those of the first picture, or of another one that consists of them, as the height of a ribbed sheet does."""
    color, *others = spectra
    waves, _ = color.strongest_waves(stride)
    if waves:
        return waves
    found = [spectrum.strongest_waves(stride) for spectrum in others]
    return next((waves for waves, share in found if share > RIBBED), ())


def find_cell(material: Mapping[str, np.ndarray]) -> tuple[float, bool]:
    """How large what repeats is, and whether anything runs on in the height.

    Args:
        material: map name → (height, width, channels) in 0..1.

    Returns:
        Side of a square as large as the cell of a bond or tiling, pixels, infinite where there is none; and whether
        the height has a grain.
    """
    measured = _measured(material)
    greys = [
        picture.mean(axis=-1, keepdims=True, dtype=np.float32) for picture in measured.values()
    ]
    # Of what is finer than the whole shows, as weaves are, a part is enough.
    part = _likenesses(greys)
    likeness = dict(zip(measured, part, strict=True)).get("height")
    runs_on = likeness is not None and _grain([likeness]) != ""
    searched = [(1.0, part)]
    whole = LARGEST / min(greys[0].shape[:2])
    if whole < 1:
        searched.insert(0, (whole, _likenesses([resize(grey, whole) for grey in greys])))
    for scale, likenesses in searched:
        lattice = _best_lattice(likenesses, FASTEST * FINEST)
        if lattice is not None:
            return abs(float(np.linalg.det(np.array(lattice)))) ** 0.5 / scale, runs_on
    return float("inf"), runs_on


def _measured(material: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The maps in which a pattern may show; where there is none, the first."""
    return {n: p for n, p in material.items() if MAPS[n].shows_pattern} or dict(
        [next(iter(material.items()))]
    )


def _likenesses(pictures: Sequence[np.ndarray]) -> list[Likeness]:
    # What repeats, repeats within so many pixels; more of them would take seconds.
    return [Likeness(picture[:LARGEST, :LARGEST].mean(axis=-1)) for picture in pictures]


def _grain(likenesses: Sequence[Likeness]) -> Grain:
    down, across = max((likeness.far() for likeness in likenesses), key=max)
    if max(down, across) < RUNS_ON or min(down, across) > ENDS * max(down, across):
        return ""
    return "down" if down > across else "across"


def _best_lattice(
    likenesses: Sequence[Likeness], smallest: float
) -> tuple[np.ndarray, np.ndarray] | None:
    found = [(find_lattice(likeness, smallest), likeness) for likeness in likenesses]
    regular = [(lattice, likeness) for lattice, likeness in found if lattice]
    if not regular:
        return None
    lattice, likeness = max(regular, key=lambda pair: pair[0].alike)
    return measure_exactly(likeness, lattice)


def _shortest_waves(one: np.ndarray, two: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two slowest waves that take the same value after either shift: a basis of the reciprocal lattice."""
    a, b = np.linalg.inv(np.array([one, two])).T
    while True:
        a, b = (a, b) if a @ a <= b @ b else (b, a)
        times = round(float(a @ b) / float(a @ a))
        if times == 0:
            return a, b
        b = b - times * a


class _Peak(NamedTuple):
    """Of a power spectrum: its wave, its share of all power, and whether it points another way than those before."""

    wave: Wave
    share: float
    is_another: bool


class _Spectrum:
    """The power spectrum of the middle of a picture, which is worked out when it is first asked."""

    def __init__(self, picture: np.ndarray):
        starts = [max(0, length - MIDDLE) // 2 for length in picture.shape[:2]]
        spans = [slice(start, start + MIDDLE) for start in starts]
        self._picture = picture[spans[0], spans[1]]

    def strongest_waves(self, stride: int) -> tuple[tuple[Wave, ...], float]:
        """The one or two waves that stand out, cycles a pixel along x and y, and their share of all power."""
        fastest = 1 / (FASTEST * stride)
        slow = list(takewhile(lambda peak: np.hypot(*peak.wave) <= fastest, self._peaks))
        waves = [peak for peak in slow if peak.is_another]
        return tuple(peak.wave for peak in waves), sum(peak.share for peak in waves)

    @cached_property
    def _peaks(self) -> list[_Peak]:
        """The highest, up to two that point different ways.

        A wave is taken where a peak of the power spectrum holds a tenth of all power and half of that at its own
        frequency, and repeats four times at least.
        """
        grey = self._picture.mean(axis=-1)
        height, width = grey.shape
        window = np.hanning(height)[:, None] * np.hanning(width)[None]
        spectrum = np.fft.fft2((grey - grey.mean()) * window, s=(4 * height, 4 * width))
        power = np.abs(spectrum) ** 2
        del spectrum
        fy, fx = np.fft.fftfreq(4 * height)[:, None], np.fft.fftfreq(4 * width)[None]
        radius = np.hypot(fx, fy)
        slowest, fastest = 4.0 / min(height, width), 1 / (FASTEST * FINEST)
        upper = (fy > 0) | ((fy == 0) & (fx > 0))
        power = np.where(upper & (radius > slowest * 0.75), power, 0)
        total = power.sum()
        peaks: list[_Peak] = []
        while sum(peak.is_another for peak in peaks) < 2:
            row, column = np.unravel_index(np.argmax(power), power.shape)
            x, y = float(fx[0, column]), float(fy[row, 0])
            lobe = (((fx - x) * width) ** 2 + ((fy - y) * height) ** 2 < 4) | (
                ((fx + x) * width) ** 2 + ((fy + y) * height) ** 2 < 4
            )
            ring = np.abs(radius - np.hypot(x, y)) * min(height, width) < 2
            share = power[lobe].sum()
            if share < 0.1 * total or share < 0.5 * power[ring].sum():
                break
            if not slowest <= np.hypot(x, y) <= fastest:
                break
            power = np.where(lobe, 0, power)
            waves = [peak.wave for peak in peaks if peak.is_another]
            is_another = all(
                abs(x * b - y * a) > 0.25 * np.hypot(x, y) * np.hypot(a, b) for a, b in waves
            )
            peaks.append(_Peak((x, y), share / total, is_another))
        return peaks
