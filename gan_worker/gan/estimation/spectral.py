"""Spectral solutions one axis after the other, in bands: heights from slopes, and fields without what is fine.

No copy of a field is made whole in the Fourier domain: beside what they give, they need as much memory again at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

# Numbers of a field that are worked on at a time.
AT_ONCE = 2**20


class _Circle:
    """Waves of lines that close.

    Args:
        length: of a line.
        real: whether lines are real, else waves of an axis that was transformed before.
    """

    def __init__(self, length: int, real: bool):
        self._length, self._real = length, real
        # Radians a step.
        self.frequencies = 2 * np.pi * (np.fft.rfftfreq if real else np.fft.fftfreq)(length)
        # The derivative of the interpolating wave, which the highest frequency of an even length has none of.
        self.steepness = self.frequencies.copy()
        if length % 2 == 0:
            self.steepness[length // 2] = 0
        self.kind = np.complex64

    def values(self, lines: np.ndarray) -> np.ndarray:
        """Waves of lines along the last axis."""
        return np.fft.rfft(lines) if self._real else np.fft.fft(lines)

    def slopes(self, lines: np.ndarray) -> np.ndarray:
        """Waves of slopes as far as they are those of waves of values, times their steepness."""
        return self.values(lines) * (-1j * self.steepness)

    def lines(self, waves: np.ndarray) -> np.ndarray:
        """Lines of waves."""
        return np.fft.irfft(waves, self._length) if self._real else np.fft.ifft(waves)


class _Mirrored:
    """Waves of lines that end, and go on as their mirror image: cosines, whose slopes are sines.

    Args:
        length: of a line.
    """

    def __init__(self, length: int):
        self._length = length
        self.frequencies = np.pi * np.arange(length) / length
        self.steepness = self.frequencies
        self.kind = np.float32
        # Of the mirrored line as of a circle that begins half a step before the first value.
        self._turn = np.exp(-0.5j * self.frequencies)

    def values(self, lines: np.ndarray) -> np.ndarray:
        """Waves of lines along the last axis."""
        return np.asarray(self._waves(lines, lines).real)

    def slopes(self, lines: np.ndarray) -> np.ndarray:
        """As of `_Circle`."""
        return np.asarray(self._waves(lines, -lines).imag * self.steepness)

    def _waves(self, lines: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
        whole = np.concatenate([lines, mirrored[..., ::-1]], axis=-1)
        waves: np.ndarray = np.fft.rfft(whole)[..., : self._length] * self._turn
        return waves

    def lines(self, waves: np.ndarray) -> np.ndarray:
        """Lines of waves."""
        found = np.fft.irfft(waves * self._turn.conj(), 2 * self._length)
        return found[..., : self._length]


_Axis: TypeAlias = "_Circle | _Mirrored"


def _axes(size: tuple[int, ...], closed: bool) -> tuple[_Axis, _Axis]:
    height, width = size
    if closed:
        return _Circle(height, real=False), _Circle(width, real=True)
    return _Mirrored(height), _Mirrored(width)


def integrate(
    slopes: Callable[[slice], np.ndarray], size: tuple[int, ...], closed: bool
) -> np.ndarray:
    """The height whose slopes are nearest to these (Frankot and Chellappa 1988).

    Args:
        slopes: gives those of some rows, along x and along y upwards, (rows, width, 2), pixels a pixel.
        size: height and width, pixels.
        closed: on a torus; else they are continued by their mirror image, whose height goes on at each border.

    Returns:
        (height, width) float32, pixels, mean 0.
    """
    height, width = size
    down, across = _axes(size, closed)
    count = len(across.frequencies)
    waves, upwards = (np.empty((height, count), across.kind) for _ in range(2))
    for rows in _bands(height, width):
        band = slopes(rows)
        waves[rows], upwards[rows] = across.slopes(band[..., 0]), across.values(band[..., 1])
    for columns in _bands(count, height):
        power = across.steepness[columns, None] ** 2 + down.steepness**2
        power[power == 0] = np.inf
        both = down.values(waves[:, columns].T) - down.slopes(upwards[:, columns].T)
        waves[:, columns] = down.lines(both / power).T
    del upwards
    # Into the same memory: a line has no more numbers than its waves have.
    found: np.ndarray = waves.view(np.float32)[:, :width]
    for rows in _bands(height, width):
        found[rows] = across.lines(waves[rows])
    return found


def blur(field: np.ndarray, sigma: float, closed: bool) -> None:
    """A Gaussian along both axes, in place.

    Args:
        field: (height, width, channels).
        sigma: pixels.
        closed: on a torus; else it is continued by its mirror image.
    """
    for axis, waves in enumerate(_axes(field.shape[:2], closed)):
        gains = np.exp(-((sigma * waves.frequencies) ** 2) / 2)
        for channel in range(field.shape[2]):
            lines = field[..., channel] if axis else field[..., channel].T
            for band in _bands(len(lines), lines.shape[1]):
                lines[band] = waves.lines(waves.values(lines[band]) * gains).real


def _bands(lines: int, length: int) -> Iterator[slice]:
    step = max(1, AT_ONCE // length)
    return (slice(start, start + step) for start in range(0, lines, step))


def height_of_slopes(slopes: np.ndarray, closed: bool = True) -> np.ndarray:
    """The height whose slopes are nearest to these (Frankot and Chellappa 1988).

    Args:
        slopes: along x, and along y upwards, (height, width, 2), pixels a pixel.
        closed: on a torus; else they are continued by their mirror image, whose height goes on at each border.

    Returns:
        (height, width) float32, pixels, mean 0.
    """
    return integrate(lambda rows: slopes[rows], slopes.shape[:2], closed)
