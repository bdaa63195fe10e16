"""Tiles of a picture of any size: what one needs of its neighbors, and how they become one picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow as tf

from gan_worker.gan.generation.latents import Latents
from gan_worker.gan.generation.seams import SAMPLED, LineSteps, mean_steps
from gan_worker.materials.maps import MAPS

# Longest side of a piece, pixels. Larger ones need more memory and are no faster on a CPU.
LONGEST = 1024

Samples = tuple[tf.Tensor, tf.Tensor]


@dataclass(frozen=True)
class Span:
    """Cells of one axis of the latent grid that a piece covers, of all there are."""

    start: int
    stop: int
    cells: int

    @property
    def length(self) -> int:
        return self.stop - self.start

    def cut(self, field: np.ndarray, axis: int, fineness: int, halo: int) -> np.ndarray:
        """This span of a field with `fineness` values a cell, and `halo` values of its neighbours at both ends.

        The field is a circle. What spans all of it has no neighbours but itself, and gets no halo.
        """
        if self.length == self.cells:
            return field
        wanted = np.arange(self.start * fineness - halo, self.stop * fineness + halo)
        return np.take(field, wanted, axis, mode="wrap")


@dataclass(frozen=True)
class Tile:
    """A rectangle of the latent grid."""

    rows: Span
    columns: Span

    def cut(self, field: np.ndarray, fineness: int, halo: int) -> np.ndarray:
        """The piece of a field of shape (batch, rows · fineness, columns · fineness, channels), with its halo."""
        return self.columns.cut(self.rows.cut(field, 1, fineness, halo), 2, fineness, halo)


def split(rows: int, columns: int, longest: int) -> list[Tile]:
    """Divide a latent grid into pieces of about the same size, row by row.

    Args:
        rows: height of the grid, cells.
        columns: width of the grid, cells.
        longest: side of a piece at most, cells.
    """
    return [
        Tile(down, across) for down in _spans(rows, longest) for across in _spans(columns, longest)
    ]


def _spans(cells: int, longest: int) -> list[Span]:
    count = -(-cells // max(1, longest))
    ends = [i * cells // count for i in range(count + 1)]
    return [Span(a, b, cells) for a, b in pairwise(ends)]


def cut_latents(latents: Latents, tile: Tile, halos: tuple[int, ...]) -> Latents:
    """The latents of a piece with their halos, which get narrower from level to level."""
    noise = [tile.cut(n, 2 ** (i + 1), halos[i + 1]) for i, n in enumerate(latents.noise)]
    return Latents(latents.z, tile.cut(latents.local, 1, halos[0]), tuple(noise))


def as_stored(values: tf.Tensor, bits: int | None) -> tf.Tensor:
    """0..1 as whole numbers of so many bits, rounded; None leaves them as they are."""
    if bits is None:
        return values
    kind = tf.uint8 if bits == 8 else tf.uint16
    return tf.cast(tf.round(values * (2.0**bits - 1)), kind)


def sample_lines(picture: tf.Tensor, top: tf.Tensor, left: tf.Tensor, every: tf.Tensor) -> Samples:
    """Of a piece, the rows and the columns that lie on every so-manieth of the whole picture.

    Args:
        picture: (height, width, channels).
        top: row of the whole picture at which the piece begins.
        left: column at which it begins.
        every: distance of sampled rows, and of sampled columns, in the whole picture.
    """
    height, width = tf.unstack(tf.shape(picture)[:2])
    rows = tf.range(-top % every[0], height, every[0])
    columns = tf.range(-left % every[1], width, every[1])
    # Slices with a step that only the graph knows take three times as long.
    return tf.gather(picture, rows), tf.gather(picture, columns, axis=1)


class Canvas:
    """The maps of one picture while its pieces come.

    Args:
        height: pixels.
        width: pixels.
        kept: maps that are kept → bits of their whole numbers; None for float32.
        measured: maps of which the steps between lines are measured.

    Attributes:
        every: distance of the rows, and of the columns, on which steps are measured; as `metrics.line_steps` does.
        maps: (height, width, channels).
    """

    def __init__(
        self, height: int, width: int, kept: Mapping[str, int | None], measured: Iterable[str]
    ):
        self.every = max(1, height // SAMPLED), max(1, width // SAMPLED)
        kinds = {None: np.float32, 8: np.uint8, 16: np.uint16}
        self.maps: dict[str, np.ndarray] = {
            name: np.empty((height, width, MAPS[name].channels), kinds[bits])
            for name, bits in kept.items()
        }
        rows, columns = -(-height // self.every[0]), -(-width // self.every[1])
        self._lines: dict[str, tuple[Any, Any]] = {
            name: (
                np.empty((rows, width, MAPS[name].channels), np.float32),
                np.empty((height, columns, MAPS[name].channels), np.float32),
            )
            for name in measured
        }

    def put(
        self, top: int, left: int, maps: Mapping[str, tf.Tensor], lines: Mapping[str, Samples]
    ) -> None:
        """Take in the pixels of a piece and its samples.

        Args:
            top: row of the picture at which the piece begins.
            left: column at which it begins.
            maps: of the piece.
            lines: `sample_lines` of the piece.
        """
        for name, pixels in maps.items():
            height, width = pixels.shape[:2]
            self.maps[name][top : top + height, left : left + width] = pixels.numpy()
        row, column = -(-top // self.every[0]), -(-left // self.every[1])
        for name, (across, down) in lines.items():
            rows, columns = self._lines[name]
            if (across.shape, down.shape) == (rows.shape, columns.shape):
                # One piece is all there is: its lines can stay in TensorFlow, where they are measured.
                self._lines[name] = across, down
                continue
            rows[row : row + across.shape[0], left : left + across.shape[1]] = across.numpy()
            columns[top : top + down.shape[0], column : column + down.shape[1]] = down.numpy()

    def steps(self) -> dict[str, LineSteps]:
        """`metrics.line_steps` of each measured map, the same as of the whole picture."""
        found = _all_steps(
            {n: tuple(map(tf.convert_to_tensor, lines)) for n, lines in self._lines.items()}
        )
        return {name: (across.numpy(), down.numpy()) for name, (across, down) in found.items()}

    def take(self, name: str, origin: tuple[int, int]) -> np.ndarray:
        """A map with this column and row at its left and top edge; it is not kept here any longer."""
        return np.roll(self.maps.pop(name), (-origin[1], -origin[0]), (0, 1))


# In one graph: of a small picture, the calls of some hundred single operations would take a third of all its time.
@tf.function(reduce_retracing=True, autograph=False)
def _all_steps(lines: dict[str, Samples]) -> dict[str, Samples]:
    return {
        name: (mean_steps(rows, axis=1), mean_steps(columns, axis=0))
        for name, (rows, columns) in lines.items()
    }
