"""Native finish: a small picture that was found for a hole gets its octaves, in its surroundings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from gan_worker.gan.detail.matching import ALIGNMENT
from gan_worker.gan.generation.rendering import Piece
from gan_worker.gan.generation.tiles import LONGEST, split

if TYPE_CHECKING:
    from gan_worker.gan.generation.model import Model


def draw_octaves(
    model: Model, small: np.ndarray, w: tf.Tensor, seed: int, octaves: int
) -> np.ndarray:
    """So many octaves of a small picture, in pieces; real detail is that of the material whose style is nearest.

    Args:
        model: with a stage of detail.
        small: standardised, a circle along both axes, (height, width, channels); sides are multiples of `ALIGNMENT`.
        w: the style, (1, w_dim).
        seed: of the noise.
        octaves: that are drawn.

    Returns:
        (height << octaves, width << octaves, channels).
    """
    detail = model.detail
    assert detail is not None
    margins, fineness = detail.margins(octaves), ALIGNMENT << octaves
    material = np.full((1, 1), model.styles.nearest_material(w))
    rows, columns = (n // ALIGNMENT for n in small.shape[:2])
    whole = np.empty((rows * fineness, columns * fineness, small.shape[-1]), np.float32)
    for tile in split(rows, columns, LONGEST // fineness):
        piece = Piece(small, ALIGNMENT, tile, margins, w, seed)
        for octave in range(octaves):
            piece.double(octave, detail, detail.move(octave, piece.low, material))
        top, left = tile.rows.start * fineness, tile.columns.start * fineness
        height, width = piece.low.shape[1:3]
        whole[top : top + height, left : left + width] = piece.low[0].numpy()
    return whole


def aligned(
    small: np.ndarray, circles: tuple[bool, bool], margin: int
) -> tuple[np.ndarray, slice, slice]:
    """A small picture with room along its open axes, where it is mirrored, so that it can be drawn as a circle.

    Args:
        small: (height, width, channels); along circles sides are multiples of `ALIGNMENT`.
        circles: which axes are.
        margin: that octaves look beyond what is wanted, a multiple of `ALIGNMENT`.

    Returns:
        The picture with its room, and the rows and columns of it that it was.
    """
    room = [
        (0, 0) if circle else (margin, margin + -n % ALIGNMENT)
        for n, circle in zip(small.shape, circles, strict=False)
    ]
    rows, columns = (slice(r[0], r[0] + n) for r, n in zip(room, small.shape, strict=False))
    return np.pad(small, (*room, (0, 0)), "symmetric"), rows, columns
