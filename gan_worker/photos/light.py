"""Light on a photo: its slow changes and its cast, measured and taken out in linear light."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gan_worker.materials.pixels import Picture, to_light, to_screen
from gan_worker.photos.pieces import Pieces, finished

if TYPE_CHECKING:
    from gan_worker.preparation import Color

# Degree of the surface that is fitted to the logarithm of luminance: ten numbers for a whole photo, so few that stones
# stay as light or dark as they are. On 63 evenly lit materials it finds 3 % of light that is not there (6 % for the
# tenth with the largest shapes), and leaves as much of a ramp, of a lamp at one side and of dark corners, which were 14
# to 32 %. Degree 2 leaves 7 % of a lit side, degree 5 takes 4 % (9 %) off even materials, and Gaussians that take as
# little off leave 4 to 10 %.
DEGREE = 3
# Cells along the shorter side in which luminance is averaged before that, and what is black in it.
CELLS, BLACK = 64, 1e-4
# Power of the mean of steps between pixels that tells the color of the light (gray edge: van de Weijer, Gevers and
# Gijsenij 2007). On 109 materials without a cast it is 4.9 degrees off in the median, the mean color 8.9; shade is a
# cast of 8 degrees, a bulb of 21.
EDGE_POWER = 6
# Pixels along the shorter side of what it is measured on.
MEASURED = 256
# Rows that are worked off at a time, so that no second copy in linear light is made.
ROWS = 256

Field = NDArray[np.float32]


def luminance(light: Picture) -> Field:
    """Of linear light, (height, width, channels) → (height, width): ITU-R BT.709's, or the one channel."""
    if light.shape[-1] < 3:
        return light[..., 0]
    return light[..., :3] @ np.array([0.2126, 0.7152, 0.0722], np.float32)


def even_out(picture: Picture, strength: float) -> Picture:
    """Take slow changes of brightness out, and keep colors and the mean brightness.

    Args:
        picture: (height, width, channels), sRGB in 0..1.
        strength: 0 leaves it as it is, 1 takes out all that is found.

    Returns:
        float32, the same shape, sRGB in 0..1.
    """
    return finished(even_out_pieces(picture, strength))


def even_out_pieces(picture: Picture, strength: float) -> Pieces[Picture]:
    """As `even_out`, some rows at a time."""
    height, width = picture.shape[:2]
    down, across = (_places(n) for n in (height, width))
    surface = fit_light(picture)
    result = np.empty_like(picture, np.float32)
    for rows in _bands(height):
        gain = np.exp(-strength * (down[rows] @ surface @ across.T)).astype(np.float32)
        result[rows] = to_screen(to_light(picture[rows]) * gain[..., None])
        yield
    return result


def fit_light(picture: Picture) -> NDArray[np.float64]:
    """The surface of degree `DEGREE` nearest to the logarithm of luminance, without its mean.

    Args:
        picture: (height, width, channels), sRGB in 0..1.

    Returns:
        (DEGREE + 1, DEGREE + 1): factors of the products of Legendre polynomials down and across.
    """
    small = luminance(shrunk_light(picture, CELLS))
    down, across = (_places(n) for n in small.shape)
    degrees = [(i, j) for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i)]
    columns = [np.outer(down[:, i], across[:, j]).ravel() for i, j in degrees]
    values = np.log(np.maximum(small, BLACK)).ravel().astype(np.float64)
    factors = np.linalg.lstsq(np.array(columns).T, values, rcond=None)[0]
    surface = np.zeros((DEGREE + 1, DEGREE + 1))
    for (i, j), factor in zip(degrees, factors, strict=True):
        surface[i, j] = factor
    surface[0, 0] = 0  # the mean over the picture: the others have none
    return surface


def shrunk_light(picture: Picture, side: int) -> Picture:
    """The means of square boxes in linear light, so large that the shorter side has about so many.

    What fills no box is left out; no copy of all of the picture in linear light is made.
    """
    box = max(1, min(picture.shape[:2]) // side)
    step = max(1, ROWS // box) * box
    tops = range(0, len(picture) // box * box, step)
    return np.concatenate([_boxes(to_light(picture[top : top + step]), box) for top in tops])


def _boxes(light: Picture, side: int) -> Picture:
    rows, columns = (n // side for n in light.shape[:2])
    cut = light[: rows * side, : columns * side]
    boxes = cut.reshape(rows, side, columns, side, light.shape[2])
    return np.asarray(boxes.mean(axis=(1, 3), dtype=np.float32), np.float32)


def balance(picture: Picture, strength: float, neutral: Color | None) -> Picture:
    """Take the cast of the light out; the luminance of a neutral color stays (von Kries in linear sRGB).

    Args:
        picture: (height, width, channels), sRGB in 0..1; what has no colors stays as it is.
        strength: 0 leaves it as it is, 1 takes out all of it.
        neutral: as `Preparation.neutral`.

    Returns:
        float32, the same shape, sRGB in 0..1.
    """
    return finished(balance_pieces(picture, strength, neutral))


def balance_pieces(picture: Picture, strength: float, neutral: Color | None) -> Pieces[Picture]:
    """As `balance`, some rows at a time."""
    if picture.shape[2] < 3:
        return picture
    light = to_light(np.array(neutral)) if neutral else _light_by_edges(picture)
    gray = luminance(light[None, None])[0, 0]
    gains = (gray / np.maximum(light, BLACK)) ** np.float32(strength)
    result = np.empty_like(picture, np.float32)
    for rows in _bands(len(picture)):
        result[rows] = to_screen(to_light(picture[rows]) * gains)
        yield
    return result


def _light_by_edges(picture: Picture) -> NDArray[np.float32]:
    """The color of the light up to a factor, (3,): of steps between pixels, white light has as much in each channel."""
    small = shrunk_light(picture, MEASURED)
    down, across = (np.abs(np.diff(small, axis=axis)) for axis in (0, 1))
    steps = (down[:, 1:] + across[1:]).reshape(-1, 3).astype(np.float64)
    found = (steps**EDGE_POWER).mean(axis=0) ** (1 / EDGE_POWER)
    # Of what is flat nothing is known.
    return np.asarray(found if found.min() > BLACK else np.ones(3), np.float32)


def _places(count: int) -> NDArray[np.float64]:
    """The Legendre polynomials at the centers of so many pixels, (count, DEGREE + 1)."""
    x = (2 * np.arange(count) + 1) / count - 1
    found = [np.ones_like(x), x]
    for n in range(2, DEGREE + 1):
        found.append(((2 * n - 1) * x * found[-1] - (n - 1) * found[-2]) / n)
    return np.stack(found, axis=1)


def _bands(height: int) -> Iterator[slice]:
    return (slice(top, top + ROWS) for top in range(0, height, ROWS))
