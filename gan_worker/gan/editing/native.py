"""Native finish: a small picture that was found for a hole gets its octaves, out of what is known around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from gan_worker.gan.detail.bank import Octave, pyramid
from gan_worker.gan.detail.matching import ALIGNMENT, GROUP, PATCH
from gan_worker.gan.generation.rendering import Piece
from gan_worker.gan.generation.tiles import LONGEST, split

if TYPE_CHECKING:
    from gan_worker.gan.generation.model import Model

# Longest side of the part of a picture around a hole that detail is taken from, pixels.
SOURCE = 2048


def draw_octaves(
    model: Model, small: np.ndarray, w: tf.Tensor, seed: int, octaves: list[Octave]
) -> np.ndarray:
    """All octaves of a small picture, in pieces.

    Args:
        model: with a stage of detail.
        small: standardised, a circle along both axes, (height, width, channels); sides are multiples of `ALIGNMENT`.
        w: the style, (1, w_dim).
        seed: of the noise.
        octaves: where real detail is taken from.

    Returns:
        (height << octaves, width << octaves, channels).
    """
    detail = model.detail
    assert detail is not None
    count = len(octaves)
    margins, fineness = detail.margins(count), ALIGNMENT << count
    rows, columns = (n // ALIGNMENT for n in small.shape[:2])
    whole = np.empty((rows * fineness, columns * fineness, small.shape[-1]), np.float32)
    for tile in split(rows, columns, LONGEST // fineness):
        piece = Piece(small, ALIGNMENT, tile, margins, w, seed)
        for number, octave in enumerate(octaves):
            piece.double(number, detail, octave.move(piece.low))
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


def source_window(
    window: tuple[slice, slice], sides: tuple[int, ...], scale: float
) -> tuple[slice, slice]:
    """The part of a picture around a window that detail is taken from, of at most about `SOURCE` pixels.

    Args:
        window: rows and columns.
        sides: height and width of the picture.
        scale: pixels of the small picture of one of this, on whole ones of which it begins.
    """
    step, spans = max(1, round(1 / scale)), []
    for span, side in zip(window, sides, strict=True):
        length = min(side, max(SOURCE, span.stop - span.start))
        start = min(max(0, (span.start + span.stop - length) // 2), side - length) // step * step
        spans.append(slice(start, start + length))
    return spans[0], spans[1]


def known_octaves(
    model: Model, native: np.ndarray, hidden: np.ndarray, count: int
) -> list[Octave] | None:
    """The detail of the known part of a picture, octave by octave.

    Args:
        model: with a stage of detail.
        native: standardised, with so many octaves, (height, width, channels).
        hidden: (height, width), what is not known.
        count: of octaves.

    Returns:
        None where too little is known of any octave.
    """
    detail = model.detail
    assert detail is not None
    bases, step = detail.kept.bases[:count], 1 << count
    height, width = (n // step * step for n in hidden.shape)
    sizes = pyramid(tf.constant(native), count)
    octaves = []
    for number, basis in enumerate(bases):
        side = step >> number
        boxes = hidden[:height, :width].reshape(height // side, side, width // side, side)
        usable = _all_known(boxes.any(axis=(1, 3)))
        if usable.sum() < GROUP:
            return None
        octaves.append(Octave(sizes[number], sizes[number + 1], basis, usable))
    return octaves


def _all_known(hidden: np.ndarray) -> np.ndarray:
    """Where a patch that begins at a pixel lies in what is known, as `matching.place_features`."""
    height, width = (max(0, n - PATCH + 1) for n in hidden.shape)
    counted = np.pad(hidden.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = counted[PATCH:, PATCH:] - counted[:-PATCH, PATCH:]
    inside = inside - counted[PATCH:, :-PATCH] + counted[:-PATCH, :-PATCH]
    return inside[:height, :width] == 0
