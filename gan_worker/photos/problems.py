"""Problems of photos that no preparation mends: blur, clipped light, the edge of a shadow; each with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from gan_worker.photos.light import BLACK, luminance, shrunk_light

if TYPE_CHECKING:
    from gan_worker.materials.pixels import Picture

# The limits were tuned on the colors of 514 CC0 materials and photos, of which 12 are told something: 8 are clipped
# indeed, and 4 have two parts of other brightness. Of copies that are blurred by a Gaussian of 2 to 4 pixels, 901 of
# the 904 that still show enough to be judged are told; with one of 1 pixel, as lenses have, 2 of 413. Of those that
# lose 2 % of their pixels at 2.5 times the exposure, all. Half in a shadow, with a straight or a curved edge, 97 % are
# told; with a lamp at one side or a ramp of light, which `light` evens out, 2 %.

# Pixels along the sides of the middle in which detail is looked for.
LOOKED_AT = 1024
# Least detail in octaves that are coarser than the finest, or there is nothing to judge; and the deviation of luminance
# that rounding to 8 bits and JPEG bring into the finest one, of which each next octave has half.
VISIBLE, GRAIN = 0.006, 0.0015
# Share of the deviation of each coarser octave that the finest has at least in a sharp picture.
SHARP = (0.45, 0.25, 0.14)
# Values, of 0..1, from which on light is clipped, and up to which it is black; and which share of the pixels may be.
WHITE, DARK, MOST_CLIPPED = 254 / 255, 0.5 / 255, 0.02
# Cells along the shorter side in which a shadow is looked for.
CELLS = 24
# Two parts of a picture are light and shadow where luminance differs by a factor of e^.4 at least, which explains so
# much of how it varies; where both are large, and the edge between them is short (a share of all edges between cells)
# and sharp (a share of the step on three cells); and where both have the same color, but for the blue of the sky.
STEP, EXPLAINED, LEAST_PART, LONGEST_EDGE, SHARPEST, TINT = 0.4, 0.6, 0.1, 0.12, 0.6, 0.08

Field = NDArray[np.float32]


@dataclass(frozen=True)
class PhotoProblem:
    """What is wrong with a photo.

    Attributes:
        kind: for programs.
        message: what is wrong, a sentence for a person.
        cure: what to do, another.
    """

    kind: Literal["blurred", "clipped", "shadow"]
    message: str
    cure: str


def find_problems(picture: Picture) -> tuple[PhotoProblem, ...]:
    """Say what is wrong with a photo; nothing where it can be used as it is.

    Args:
        picture: (height, width, 1 or 3), sRGB in 0..1, at the size of its file: blur is one of its pixels.
    """
    return tuple(
        problem for look in (_blurred, _clipped, _shadow) if (problem := look(picture)) is not None
    )


def _blurred(picture: Picture) -> PhotoProblem | None:
    top, left = ((n - min(n, LOOKED_AT)) // 2 for n in picture.shape[:2])
    middle = picture[top : top + LOOKED_AT, left : left + LOOKED_AT]
    noise = GRAIN / 2.0 ** np.arange(1 + len(SHARP))
    measured = np.array(list(_octaves(luminance(middle))))
    if len(measured) < len(noise):
        return None
    finest, *coarser = np.sqrt(np.maximum(measured**2 - noise**2, 0))
    if max(coarser) < VISIBLE or finest >= np.multiply(coarser, SHARP).max():
        return None
    message = "The photo is blurred: its finest detail is missing, and would be learned as blur."
    cure = "Take one in focus and with a steady hand, or use it at half of its size or less."
    return PhotoProblem("blurred", message, cure)


def _octaves(gray: Field) -> Iterator[float]:
    """The deviation in each octave of detail, the finest first (a Laplacian pyramid)."""
    for _ in range(1 + len(SHARP)):
        if min(gray.shape) < 8:
            return
        smooth = _smoothed(_smoothed(gray, 0), 1)
        yield float((gray - smooth).std())
        gray = smooth[::2, ::2]


def _smoothed(gray: Field, axis: int) -> Field:
    """By the binomial filter of five pixels along an axis."""
    length = gray.shape[axis]
    padded = np.pad(gray, [(2, 2) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
    parts = [np.take(padded, range(n, n + length), axis) for n in range(5)]
    total = parts[0] + parts[4] + 4 * (parts[1] + parts[3]) + 6 * parts[2]
    return np.asarray(total / 16, np.float32)


def _clipped(picture: Picture) -> PhotoProblem | None:
    # One color of three is enough for relief to be lost in light; what has no blue at all is no fault.
    light = float((picture >= WHITE).any(axis=-1).mean())
    dark = float((picture <= DARK).all(axis=-1).mean())
    if max(light, dark) <= MOST_CLIPPED:
        return None
    if light >= dark:
        what, cure = "too bright to show anything", "Take one with a shorter exposure."
    else:
        what, cure = "black", "Take one with a longer exposure."
    message = f"{max(light, dark):.0%} of the photo is {what}."
    return PhotoProblem("clipped", message, f"{cure} What is lost comes back by no preparation.")


def _shadow(picture: Picture) -> PhotoProblem | None:
    colors = shrunk_light(picture, CELLS)
    if min(colors.shape[:2]) < CELLS // 2:
        return None
    light = _median(np.log(np.maximum(luminance(colors), BLACK)))
    bright, explained = _two_parts(light)
    if not LEAST_PART <= bright.mean() <= 1 - LEAST_PART:
        return None
    step = float(light[bright].mean() - light[~bright].mean())
    edge, sharp = _edge(light, bright)
    tints = colors / np.maximum(colors.sum(axis=-1, keepdims=True), BLACK)
    tint = np.abs(tints[bright].mean(axis=0) - tints[~bright].mean(axis=0)).max()
    is_shadow = (
        step > STEP
        and explained > EXPLAINED
        and edge < LONGEST_EDGE
        and sharp > SHARPEST * step
        and tint < TINT
    )
    if not is_shadow:
        return None
    message = (
        f"A shadow lies over {1 - bright.mean():.0%} of the photo, and would be learned with it."
    )
    cure = "Take one in even light, such as under a cloudy sky, or choose a part beside the shadow."
    return PhotoProblem("shadow", message, cure)


def _median(values: Field) -> Field:
    """Each with the median of it and the eight around it."""
    padded = np.pad(values, 1, mode="edge")
    return np.asarray(
        np.median(np.lib.stride_tricks.sliding_window_view(padded, (3, 3)), axis=(2, 3)), np.float32
    )


def _two_parts(values: Field) -> tuple[NDArray[np.bool_], float]:
    """What is above the threshold that parts values best (Otsu 1979), and how much of their variance that explains."""
    ordered = np.sort(values, axis=None).astype(np.float64)
    count, sums = len(ordered), np.cumsum(ordered)
    below = np.arange(1, count)
    means = sums[:-1] / below, (sums[-1] - sums[:-1]) / (count - below)
    between = below * (count - below) / count**2 * (means[1] - means[0]) ** 2
    best = int(np.argmax(between))
    return values > ordered[best], float(between[best] / max(float(ordered.var()), 1e-12))


def _edge(light: Field, bright: NDArray[np.bool_]) -> tuple[float, float]:
    """Share of neighbors of which one is bright, and the median step over the three cells around these places."""
    crossings, pairs, steps = 0, 0, []
    for values, parts in ((light, bright), (light.T, bright.T)):
        crossed = parts[:, 1:] != parts[:, :-1]
        crossings, pairs = crossings + int(crossed.sum()), pairs + crossed.size
        steps.append(np.abs(values[:, 3:] - values[:, :-3])[crossed[:, 1:-1]])
    found = np.concatenate(steps)
    return crossings / pairs, float(np.median(found)) if found.size else 0.0
