"""Isotropy: whether a texture looks the same turned and mirrored, without direction in its edges and its light."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gan_worker.materials.maps import MAPS

# Widths of the edges that are looked at, pixels.
WIDTHS = (1.5, 3.0, 6.0)
# Largest harmonic that counts as none: gravel and moss have 0.02 to 0.1, planks and woven cloth 0.3 and more.
LARGEST_HARMONIC = 0.15
# One side for light, two for a grain, four for one that crosses it, three and six for triangles and hexagons.
HARMONICS = (1, 2, 3, 4, 6)
# Pixels that are looked at, a side.
LARGEST = 512


def is_isotropic(material: Mapping[str, np.ndarray]) -> bool:
    """Whether no map of a material has a direction.

    Args:
        material: map name → (height, width, channels) in 0..1.
    """
    greys = [picture.mean(axis=-1) for name, picture in material.items() if MAPS[name].shows_edges]
    return bool(greys) and max(map(strongest_harmonic, greys)) < LARGEST_HARMONIC


def strongest_harmonic(grey: np.ndarray) -> float:
    """How unevenly the directions of a picture's edges are spread, 0 evenly to 1 all the same.

    Edges are gradients of the picture smoothed to several widths, weighted by their square; what is measured are
    harmonics of their directions.

    Args:
        grey: (height, width).
    """
    grey = grey[:LARGEST, :LARGEST]
    height, width = grey.shape
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    window = np.hanning(height)[:, None] * np.hanning(width)[None]
    spectrum = np.fft.rfft2((grey - grey.mean()) * window)
    found = 0.0
    for size in WIDTHS:
        smooth = spectrum * np.exp(-2 * (np.pi * size) ** 2 * (rows**2 + columns**2))
        down, across = (
            np.fft.irfft2(2j * np.pi * f * smooth, s=grey.shape) for f in (rows, columns)
        )
        edges = across + 1j * down
        weight = np.abs(edges) ** 2
        unit = edges / np.maximum(np.abs(edges), 1e-12)
        total = max(float(weight.sum()), 1e-12)
        found = max(found, *(abs(complex((weight * unit**n).sum())) / total for n in HARMONICS))
    return found
