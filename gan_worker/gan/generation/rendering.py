"""Rendering: from latents to the maps of one picture, piece by piece: first the small picture, then its octaves."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import tensorflow as tf

from gan_worker.errors import Cancelled, WorkerError
from gan_worker.gan.detail.stage import DetailStage, next_shares
from gan_worker.gan.generation.latents import Latents, fine_noise
from gan_worker.gan.generation.seams import SAMPLED, LineSteps, calm_origin, mean_steps
from gan_worker.gan.generation.tiles import (
    LONGEST,
    Canvas,
    Samples,
    Tile,
    as_stored,
    cut_latents,
    sample_lines,
    split,
)
from gan_worker.gan.networks.layers import PaintedStyle, upsample
from gan_worker.memory import ran_out_of_memory
from gan_worker.progress import GenerationProgress, Notice
from gan_worker.runs.checkpoints import not_finite

if TYPE_CHECKING:
    from gan_worker.config import GenerationConfig
    from gan_worker.gan.data.statistics import Statistics
    from gan_worker.gan.networks.architectures import AnyGenerator
    from gan_worker.style import Sway

logger = logging.getLogger(__name__)

Style: TypeAlias = "tf.Tensor | PaintedStyle"
# So often pieces are halved where there is no memory for them.
MOST_HALVINGS = 3


class Graphs:
    """The graphs of one model, each traced when it is first needed.

    Args:
        generator: with its weights.
        statistics: how its channels become maps.
        detail: what draws the octaves above its own pictures; None where there are none.
    """

    def __init__(self, generator: AnyGenerator, statistics: Statistics, detail: DetailStage | None):
        self.generator, self.statistics, self.detail = generator, statistics, detail
        # Nothing in them depends on a tensor; without autograph the first picture comes half a second earlier, and
        # no generated sources stay in the temporary folder. Two, because one graph cannot take styles of either kind.
        self._synthesis = {
            kind: tf.function(generator.synthesis, autograph=False, reduce_retracing=True)
            for kind in (tf.Tensor, PaintedStyle)
        }
        self.finish = tf.function(self._finish_in_graph, autograph=False, reduce_retracing=True)
        self.small_steps = tf.function(
            self._small_steps_in_graph, autograph=False, reduce_retracing=True
        )

    def synthesis(self, w: Style, latents: Latents) -> tf.Tensor:
        """Standardised channels, (height, width, channels)."""
        kind = PaintedStyle if isinstance(w, PaintedStyle) else tf.Tensor
        noise = [tf.constant(field) for field in latents.noise]
        return self._synthesis[kind](w, tf.constant(latents.local), noise)[0]

    def _finish_in_graph(
        self,
        channels: tf.Tensor,
        place: tf.Tensor,
        every: tf.Tensor,
        kept: tuple[tuple[str, int | None], ...],
        measured: tuple[str, ...],
    ) -> tuple[dict[str, tf.Tensor], dict[str, Samples], tf.Tensor]:
        """Maps of a piece as they are kept, its lines on which steps are measured, and whether all of it is finite.

        Args:
            channels: of the piece and of what is left of its halo.
            place: ((top, left), (height, width)) of the piece in the picture, pixels.
            every: of the canvas.
            kept: names of maps and their bits.
            measured: names of maps.
        """
        (top, left), (height, width) = tf.unstack(place[0]), tf.unstack(place[1])
        halo = (tf.shape(channels)[:2] - place[1]) // 2
        maps = self.statistics.restore(
            channels[halo[0] : halo[0] + height, halo[1] : halo[1] + width]
        )
        lines = {name: sample_lines(maps[name], top, left, every) for name in measured}
        finite = tf.reduce_all(tf.math.is_finite(channels))
        return {name: as_stored(maps[name], bits) for name, bits in kept}, lines, finite

    def _small_steps_in_graph(
        self, rows: tf.Tensor, columns: tf.Tensor
    ) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """`line_steps` of all maps, of standardised channels of some rows and of some columns of a picture."""
        across, down = self.statistics.restore(rows), self.statistics.restore(columns)
        return [(mean_steps(across[name], 1), mean_steps(down[name], 0)) for name in across]


@dataclass(frozen=True)
class Request:
    """What is rendered.

    Attributes:
        config: passes `check` and `check_for`.
        names: maps that are kept.
        bits: map name → bits of its whole numbers; None or nothing for float32.
        maps: that the model makes.
        latents: that were drawn.
        w: the style.
        kin: share of each training material at each cell of the latent grid, or everywhere, (…, materials).
        octaves: that are drawn above the small picture.
        still: what real detail is chosen for in its place, where it is a steady frame.
    """

    config: GenerationConfig
    names: tuple[str, ...]
    bits: Mapping[str, int]
    maps: tuple[str, ...]
    latents: Latents
    w: Style
    kin: np.ndarray
    octaves: int
    still: Request | None = None


@dataclass(frozen=True)
class Rendered:
    """What came of a request.

    Attributes:
        canvas: the maps.
        origin: the column and row that become the left and top edge.
        seconds: that the networks took.
    """

    canvas: Canvas
    origin: tuple[int, int]
    seconds: float


def render(
    graphs: Graphs,
    request: Request,
    report: Callable[[GenerationProgress | Notice], None],
    should_stop: Callable[[], bool],
) -> Rendered:
    """Draw a picture, in pieces of half the size where memory runs out, and of half of that.

    Args:
        graphs: of the model.
        request: what is rendered.
        report: is told after each piece.
        should_stop: is asked before each piece.

    Raises:
        Cancelled: `should_stop` said so.
        WorkerError: `out_of_memory` where the smallest pieces do not fit.
    """
    for halvings in range(MOST_HALVINGS + 1):
        if halvings:
            report(
                Notice(
                    f"There was not enough memory, so it is drawn in smaller pieces (1/{1 << halvings}). The result "
                    "is the same; it takes longer."
                )
            )
        try:
            return Rendering(graphs, request, report, should_stop, halvings).render()
        except Exception as error:
            if not ran_out_of_memory(error):
                raise
            logger.warning("no memory for pieces halved %d times: %s", halvings, error)
    raise WorkerError(
        "out_of_memory",
        "The computer or its GPU must have room for a piece of the picture; it ran out of memory even with pieces that "
        f"were halved {MOST_HALVINGS} times.",
        "Choose a smaller size, or end other programs that use the GPU.",
    )


class Rendering:
    """One picture in the making.

    Args:
        graphs: of the model.
        request: what is rendered.
        report: is told after each piece.
        should_stop: is asked before each piece.
        halvings: of the sides of pieces.

    Attributes:
        seconds: that the networks took.
    """

    def __init__(
        self,
        graphs: Graphs,
        request: Request,
        report: Callable[[GenerationProgress], None],
        should_stop: Callable[[], bool],
        halvings: int = 0,
    ):
        self._graphs, self._request = graphs, request
        self._report, self._should_stop = report, should_stop
        self._stride = graphs.generator.network.stride
        rows, columns = request.latents.local.shape[1:3]
        self._cells = rows, columns
        self.seconds = 0.0

        def pieces(fineness: int) -> list[Tile]:
            longest = min(LONGEST // fineness, max(self._cells))
            return split(*self._cells, longest >> halvings)

        self._pieces = pieces(self._stride << request.octaves)
        self._small_pieces = pieces(self._stride) if request.octaves else []
        self._done = 0

    def render(self) -> Rendered:
        """Draw everything.

        Raises:
            Cancelled: `should_stop` said so.
            StorageError: `checkpoint_corrupt` where the weights make what is not finite.
        """
        request = self._request
        config, graphs = request.config, self._graphs
        sheet = not graphs.generator.network.seamless
        kept = {name: request.bits.get(name) for name in request.names}
        small = self._draw_small(request)
        still = self._draw_small(request.still) if request.still else None
        # The border is chosen on all maps the model has, so that asking for fewer maps does not move it.
        measured = request.maps
        canvas = Canvas(config.height, config.width, kept, measured)
        every = tf.constant(canvas.every)
        for tile in self._pieces:
            self._check_stop()
            started = time.perf_counter()
            channels = self._piece(tile, small, still)
            self.seconds += time.perf_counter() - started
            fineness = self._stride << request.octaves
            corner = tile.rows.start * fineness, tile.columns.start * fineness
            size = tile.rows.length * fineness, tile.columns.length * fineness
            place = tf.constant((corner, size))
            maps, lines, finite = graphs.finish(
                channels, place, every, tuple(kept.items()), measured
            )
            if not finite:
                raise not_finite(f"the picture of {config.model} at seed {config.seed} is not")
            canvas.put(*corner, maps, lines)
            self._tell()
        # Where pictures lie side by side on a sheet, each stays whole, and a border that closes means nothing.
        painted = (0, 0) if config.has_map or sheet else None
        origin = config.origin or painted
        origin = origin or self._calm_origin(list(canvas.steps().values()), small)
        return Rendered(canvas, origin, self.seconds)

    def _calm_origin(self, steps: list[LineSteps], small: np.ndarray | None) -> tuple[int, int]:
        """Where the border is calm: with octaves, at a line of the small picture, the same at every level of detail.

        Of the lines of the pixels beside it the calmest is taken: what is calm in the small picture is not always so
        in the large one, and of one pixel alone there are few.
        """
        if small is None:
            return calm_origin(steps)
        # Of a few lines alone: all maps of a large small picture take more memory than the rest of the work.
        every = [max(1, n // SAMPLED) for n in small.shape[:2]]
        lines = tf.constant(small[:: every[0]]), tf.constant(small[:, :: every[1]])
        coarse = [(a.numpy(), d.numpy()) for a, d in self._graphs.small_steps(*lines)]
        side = 1 << self._request.octaves
        column, row = (range((at - 1) * side, (at + 1) * side) for at in calm_origin(coarse))
        return calm_origin(steps, (column, row))

    def _check_stop(self) -> None:
        if self._should_stop():
            raise Cancelled

    def _tell(self) -> None:
        self._done += 1
        pictures = 2 if self._request.still else 1
        total = len(self._pieces) + pictures * len(self._small_pieces)
        self._report(GenerationProgress(self._done, total))

    def _forward(self, request: Request, tile: Tile) -> tf.Tensor:
        """Standardised channels of a piece of the small picture and of what is left of its halo."""
        w, reach = request.w, self._graphs.generator.halos
        if isinstance(w, PaintedStyle):
            w = w._replace(shares=tf.constant(tile.cut(w.shares.numpy(), 1, reach[0])))
        return self._graphs.synthesis(w, cut_latents(request.latents, tile, reach))

    def _draw_small(self, request: Request) -> np.ndarray | None:
        """The small picture, (height, width, channels), where there are octaves to draw on it."""
        if not self._small_pieces:
            return None
        stride = self._stride
        height, width = (cells * stride for cells in self._cells)
        small = np.empty((height, width, self._graphs.statistics.channels), np.float32)
        for tile in self._small_pieces:
            self._check_stop()
            started = time.perf_counter()
            channels = self._forward(request, tile).numpy()
            rows, columns = (
                slice(span.start * stride, span.stop * stride) for span in (tile.rows, tile.columns)
            )
            size = rows.stop - rows.start, columns.stop - columns.start
            top, left = ((n - s) // 2 for n, s in zip(channels.shape, size, strict=False))
            small[rows, columns] = channels[top : top + size[0], left : left + size[1]]
            self.seconds += time.perf_counter() - started
            self._tell()
        return small

    def _piece(self, tile: Tile, small: np.ndarray | None, still: np.ndarray | None) -> tf.Tensor:
        """Standardised channels of a piece with all its octaves.

        Args:
            tile: the piece.
            small: the small picture, where there are octaves.
            still: that of the request's `still`, where there is one.
        """
        request, detail = self._request, self._graphs.detail
        if small is None or detail is None:
            return self._forward(request, tile)
        margins = detail.margins(request.octaves)
        materials = self._materials_of(tile, margins[0])

        def begin(request: Request, small: np.ndarray) -> Piece:
            config = request.config
            return Piece(small, self._stride, tile, margins, request.w, config.seed, config.sway)

        chosen = piece = begin(request, small)
        if request.still and still is not None:
            chosen = begin(request.still, still)
        for octave in range(request.octaves):
            moved = detail.move(octave, chosen.low, materials)
            piece.double(octave, detail, moved)
            if chosen is not piece and octave < request.octaves - 1:
                chosen.double(octave, detail, moved)
            materials = _doubled(materials, piece.cuts(octave))
        return piece.low[0]

    def _materials_of(self, tile: Tile, margin: int) -> np.ndarray:
        """Whose detail is moved where in a piece, (height, width) or (1, 1)."""
        nearest = np.argmax(self._request.kin, axis=-1)
        if nearest.ndim == 0 or len(np.unique(nearest)) == 1:
            return nearest.reshape(-1)[:1].reshape(1, 1)
        whole = nearest.repeat(self._stride, 0).repeat(self._stride, 1)
        return tile.cut(whole[None, ..., None], self._stride, margin)[0, ..., 0]


class Piece:
    """A piece of a picture on its way through the octaves.

    Args:
        small: the whole small picture, (height, width, channels).
        stride: pixels of it a cell.
        tile: the piece, in cells.
        margins: of `DetailStage.margins`.
        w: the style, painted with shares for each cell.
        seed: of the noise.
        sway: of the noise, as in `GenerationConfig`.

    Attributes:
        low: what has been drawn of it, (1, height, width, channels).
    """

    def __init__(
        self,
        small: np.ndarray,
        stride: int,
        tile: Tile,
        margins: list[int],
        w: Style,
        seed: int,
        sway: Sway = (0.0, 0.0),
    ):
        self._stride, self._size, self._spans = stride, small.shape[:2], (tile.rows, tile.columns)
        self._margins, self._w, self._seed, self._sway = margins, w, seed, sway
        self.low = tf.constant(tile.cut(small[None], stride, margins[0]))
        if isinstance(w, PaintedStyle):
            shares = w.shares
            for _ in range(stride.bit_length() - 1):
                shares = upsample(shares)
            cut = tf.constant(tile.cut(shares.numpy(), stride, margins[0]))
            self._w = w._replace(shares=cut)

    def double(self, octave: int, detail: DetailStage, moved: tf.Tensor) -> None:
        """Draw an octave, and leave off what of the margin is not right any more."""
        high = detail.draw(octave, self.low, self._w, self._noise(octave), moved)
        rows, columns = self.cuts(octave)
        self.low = high[:, rows, columns]
        w = next_shares(self._w)
        if isinstance(w, PaintedStyle):
            w = w._replace(shares=w.shares[:, rows, columns])
        self._w = w

    def cuts(self, octave: int) -> list[slice]:
        """Rows and columns that are kept of an octave."""
        off = (n - self._margins[octave + 1] if n else 0 for n in self._drawn_margins(octave))
        return [slice(n, -n or None) for n in off]

    def _drawn_margins(self, octave: int) -> list[int]:
        """How far the octave is drawn beyond the piece: an axis that it takes all of closes there."""
        return [0 if s.length == s.cells else 2 * self._margins[octave] for s in self._spans]

    def _noise(self, octave: int) -> np.ndarray:
        fineness = self._stride << octave + 1
        rows, columns = (
            np.arange(span.start * fineness - margin, span.stop * fineness + margin)
            for span, margin in zip(self._spans, self._drawn_margins(octave), strict=True)
        )
        size = self._size[0] << octave + 1, self._size[1] << octave + 1
        return fine_noise(self._seed, octave, rows, columns, size, self._sway)


def _doubled(materials: np.ndarray, cuts: list[slice]) -> np.ndarray:
    if materials.size == 1:
        return materials
    return materials.repeat(2, 0).repeat(2, 1)[cuts[0], cuts[1]]
