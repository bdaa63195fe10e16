"""Whole pictures estimated: a coarse view for shapes and finer ones for detail, in pieces, on a torus or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from gan_worker.errors import Cancelled
from gan_worker.gan.estimation.network import STRIDE, Estimator
from gan_worker.gan.networks.layers import downsample, upsample
from gan_worker.materials.pixels import Picture, as_floats
from gan_worker.progress import GenerationProgress
from gan_worker.runs.checkpoints import parse_tensors
from gan_worker.runs.estimators import SHIPPED

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = SHIPPED
# Sides of pieces and of what is seen around them, pixels, multiples of the stride. The network's reach is 212; what is
# farther than this moves no value by half a step of 8 bits.
LONGEST, HALO = 1024, 96
# Shorter side of the coarse view at most: its shapes are as large as those it has learned.
COARSE = 768
# Side of the part that says what a finer view is of. It is described at half its size, which fits the stride as well.
TYPICAL, EVEN = 512, 2 * STRIDE
# By how much more than the network expects its errors are, of normals, roughness and occlusion, in the mean of sets of
# kinds that it has never seen (`scripts/bench_estimate`).
MADE = (1.3, 0.95, 1.12)
# Channels of estimates: slopes along x and y, roughness, occlusion, logarithm of the shading.
CHANNELS = 5


@dataclass(frozen=True, eq=False)
class Estimates:
    """What was found of a picture.

    Attributes:
        values: slopes along x and along y upwards (pixels a pixel), roughness and occlusion (0..1), natural logarithm
            of the light, (height, width, 5) float16.
        octaves: how often the coarse view was halved; slopes of shapes count from there.
        closed: whether the picture's sides meet.
        errors: map name → the mean error that is expected: of the normal in degrees, else of values 0..1.
        depth: of the material's relief, pixels, which sets the scale of heights, as of `maps.relief_depth`; None where
            this picture is all there is of the material.
    """

    values: np.ndarray
    octaves: int
    closed: bool
    errors: dict[str, float]
    depth: float | None = None

    def expected(self, estimated: Sequence[str]) -> dict[str, float]:
        """Map that was estimated → the mean error that is expected, as in `Recipe.estimated`."""
        # The height is made of the same slopes as the normals, and metallic is a person's choice.
        errors = {**self.errors, "height": self.errors["normal"], "metallic": 0.0}
        return {name: errors[name] for name in estimated}


def coarse_octaves(height: int, width: int) -> int:
    """How often a photo is halved for its coarse view."""
    octaves = 0
    while min(height, width) >> octaves > COARSE:
        octaves += 1
    return octaves


def count_pieces(height: int, width: int, octaves: int) -> int:
    """Of how many pieces `estimate` reports."""
    return sum(len(_pieces(-(-height >> o), -(-width >> o))) for o in range(octaves + 1))


def estimate(
    color: Picture,
    closed: bool,
    octaves: int | None = None,
    weights: Path = WEIGHTS,
    report: Callable[[GenerationProgress], None] = lambda news: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Estimates:
    """Estimate the maps of one picture.

    Args:
        color: sRGB, (height, width, 3), float32 in 0..1 or uint8.
        closed: whether its sides meet; then so do those of what is estimated.
        octaves: how often it is halved for the coarse view; None for what a photo needs.
        weights: of the network.
        report: is told after each piece.
        should_stop: is asked before each piece.

    Raises:
        Cancelled: `should_stop` said so.
        StorageError: `checkpoint_corrupt` for damaged weights.
    """
    if octaves is None:
        octaves = coarse_octaves(*color.shape[:2])
    views = [color]
    for _ in range(octaves):
        views.append(_halved(views[-1]))
    work = _Work(load_estimator(weights), closed, views, report, should_stop)
    values, expected = work.view(octaves)
    for octave in reversed(range(octaves)):
        finer, _ = work.view(octave)
        _replace_coarse(finer, values)
        values = finer
    angle, roughness, occlusion = expected * MADE
    errors = {
        "normal": float(np.degrees(angle)),
        "roughness": float(roughness),
        "ambient_occlusion": float(occlusion),
    }
    return Estimates(values, octaves, closed, errors)


@cache
def load_estimator(weights: Path) -> Estimator:
    """The network with its weights.

    Raises:
        StorageError: `checkpoint_corrupt`.
    """
    arrays = parse_tensors(weights.read_bytes(), weights.name)
    estimator = Estimator()
    for index, variable in enumerate(estimator.variables):
        variable.assign(arrays[f"{index:04d}"].astype(np.float32))
    return estimator


class _Work:
    """One picture being estimated."""

    def __init__(
        self,
        network: Estimator,
        closed: bool,
        views: list[Picture],
        report: Callable[[GenerationProgress], None],
        should_stop: Callable[[], bool],
    ):
        self._network, self._closed, self._views = network, closed, views
        self._report, self._should_stop = report, should_stop
        self._done = 0
        self._pieces = [_pieces(*view.shape[:2]) for view in views]

    def view(self, octave: int) -> tuple[np.ndarray, np.ndarray]:
        """All channels of one view, (height, width, 5) float16, and the mean errors that are expected, (3,)."""
        color = self._views[octave]
        context = _describe(self._network, _typical(color, self._closed))
        values = np.empty((*color.shape[:2], CHANNELS), np.float16)
        expected = np.zeros(3)
        for rows, columns in self._pieces[octave]:
            if self._should_stop():
                raise Cancelled
            window, inner = cut(color, rows, columns, self._closed)
            found, errors = _run(self._network, as_floats(window)[None], context)
            values[rows, columns] = found.numpy()[inner]
            expected += errors.numpy()
            self._done += 1
            self._report(GenerationProgress(self._done, sum(map(len, self._pieces))))
        return values, expected / len(self._pieces[octave])


@tf.function(reduce_retracing=True, autograph=False)
def _run(network: Estimator, color: tf.Tensor, context: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    found = network(color, context)
    joined = tf.concat([found.slopes, found.roughness, found.occlusion, found.shading], axis=-1)
    return tf.cast(joined[0], tf.float16), tf.reduce_mean(tf.exp(found.doubts), (0, 1, 2))


@tf.function(reduce_retracing=True, autograph=False)
def _describe(network: Estimator, color: tf.Tensor) -> tf.Tensor:
    return network.describe(color)


def _typical(color: Picture, closed: bool) -> tf.Tensor:
    """The middle of a picture, (1, height, width, 3), at sides that can be described."""
    spans = []
    for side in color.shape[:2]:
        length = -(-min(side, TYPICAL if side > COARSE else side) // EVEN) * EVEN
        spans.append(slice((side - length) // 2, (side - length) // 2 + length))
    window, _ = cut(color, spans[0], spans[1], closed, 0)
    return tf.constant(as_floats(window)[None])


def _pieces(height: int, width: int) -> list[tuple[slice, slice]]:
    return [(r, c) for r in _spans(height) for c in _spans(width)]


def _spans(side: int) -> list[slice]:
    """Pieces of about one size that begin at multiples of the stride, so that all are seen alike."""
    count = -(-side // LONGEST)
    step = -(-side // count // STRIDE) * STRIDE
    return [slice(start, min(start + step, side)) for start in range(0, side, step)]


def cut(
    field: np.ndarray, rows: slice, columns: slice, closed: bool, halo: int = HALO
) -> tuple[np.ndarray, tuple[slice, slice]]:
    """A piece of a picture with what surrounds it, and where the piece lies in that.

    What surrounds it lies on the opposite side where the picture is closed, else it is mirrored. An axis of which the
    piece has all needs nothing around where it is closed and fits the stride.
    """
    inner = []
    for axis, span in enumerate((rows, columns)):
        side = field.shape[axis]
        start, stop = span.start, span.stop
        whole = (start, stop) == (0, side) and closed and side % STRIDE == 0
        before = 0 if whole else halo
        length = stop - start + 2 * before
        length = -(-length // STRIDE) * STRIDE
        wanted = np.arange(start - before, start - before + length)
        if not closed:
            wanted = np.abs((wanted + side - 1) % max(1, 2 * side - 2) - side + 1)
        if len(wanted) != side or not whole:
            field = np.take(field, wanted % side, axis)
        inner.append(slice(before, before + stop - start))
    return field, (inner[0], inner[1])


def _halved(picture: Picture) -> Picture:
    """Half the size, in bands; an odd last row or column is repeated."""
    tops = range(0, len(picture), BAND)
    return np.concatenate([_halved_band(picture[top : top + BAND]) for top in tops])


def _halved_band(color: Picture) -> Picture:
    height, width = color.shape[:2]
    if height % 2 or width % 2:
        color = np.pad(color, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
    small: Picture = downsample(as_floats(color)[None]).numpy()[0]
    return np.rint(small * 255).astype(np.uint8) if color.dtype == np.uint8 else small


# Rows that are worked on at once, so that little more than the estimates themselves is in memory.
BAND = 512


def _replace_coarse(finer: np.ndarray, coarser: np.ndarray) -> None:
    """Give estimates what a view of half the size says of all but their finest octave, in place."""
    change = coarser.astype(np.float32)
    height, width = finer.shape[:2]
    for top in range(0, height, BAND):
        change[top // 2 : (top + BAND) // 2] -= _halved(finer[top : top + BAND].astype(np.float32))
    for top in range(0, height, BAND):
        rows = np.arange(top // 2 - 1, min(top + BAND, height + 1) // 2 + 1) % len(change)
        raised = upsample(tf.constant(change[rows][None])).numpy()[0, 2 : 2 + BAND]
        stop = min(top + BAND, height)
        finer[top:stop] += raised[: stop - top, :width].astype(np.float16)
