"""Estimated maps of generated materials: made of the color of the whole picture, and made anew without any network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gan_worker.gan.estimation.estimator import Estimates, count_pieces, estimate
from gan_worker.gan.estimation.maps import make_maps, relief_depth
from gan_worker.gan.generation.seams import LineSteps, line_steps, rolled
from gan_worker.progress import GenerationProgress, Notice

if TYPE_CHECKING:
    from gan_worker.config import GenerationConfig
    from gan_worker.estimation import Estimation
    from gan_worker.gan.generation.rendering import Rendered
    from gan_worker.runs.estimators import Weights

# How many pictures are remembered, and pixels of each at most: an artist adjusts one, and looks back at another.
REMEMBERED, LARGEST = 2, 2048 * 2048
# Octaves that the coarse view has above the generator's own picture, whose shapes fit into what networks see at once.
VIEWED = 2

# Seeds of the pictures whose relief sets the scale of a model's heights, and their side on the latent grid, which shows
# three or four of the main shapes.
DEPTH_SEEDS, DEPTH_CELLS = range(4), 12

# Rows, and columns, that are moved at a time.
ROLLED = 256

Told = Callable[[GenerationProgress | Notice], None]


def octaves_of_shapes(octaves: int, mip: int) -> int:
    """How often a picture is halved for its coarse view, which is the same one at every level of detail.

    Args:
        octaves: of the model.
        mip: level of detail of the picture.
    """
    return max(0, octaves - VIEWED - mip)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A picture that was drawn, with the pattern's own place at its upper left, and what was found of it.

    Attributes:
        maps: that the model makes, unadjusted: map name → (height, width, channels).
        steps: `line_steps` of all of these.
        origin: the column and row that become the left and top edge.
        seconds: that the generator took.
        found: of the base color.
        estimator: `Weights.hash` of what found it.
    """

    maps: dict[str, np.ndarray]
    steps: dict[str, LineSteps]
    origin: tuple[int, int]
    seconds: float
    found: Estimates
    estimator: str


class DrawnPictures:
    """The newest pictures of a model, so that other adjustments of their estimated maps need no network."""

    def __init__(self) -> None:
        self._kept: list[tuple[GenerationConfig, Mapping[str, int], Drawn]] = []

    def find(
        self,
        config: GenerationConfig,
        bits: Mapping[str, int],
        names: Sequence[str],
        estimator: str,
    ) -> Drawn | None:
        """The same picture, estimated by that one, with these of the model's maps in so many bits, if remembered."""
        wanted = _unadjusted(config)
        for kept, kept_bits, drawn in self._kept:
            same = kept == wanted and drawn.estimator == estimator
            same = same and drawn.maps.keys() >= set(names)
            if same and all(kept_bits.get(name) == bits.get(name) for name in names):
                return drawn
        return None

    def keep(self, config: GenerationConfig, bits: Mapping[str, int], drawn: Drawn) -> None:
        """Remember a picture that is not too large, and forget the oldest."""
        if config.width * config.height > LARGEST:
            return
        wanted = _unadjusted(config)
        others = [entry for entry in self._kept if entry[0] != wanted]
        self._kept = [(wanted, bits, drawn), *others][:REMEMBERED]


def _unadjusted(config: GenerationConfig) -> GenerationConfig:
    return replace(config, estimation=None, maps=())


class CombinedProgress:
    """Pieces of the generator and then of the estimator, told as those of one work.

    Args:
        report: is told.
        pieces: of the estimator.
    """

    def __init__(self, report: Told, pieces: int):
        self._report, self._pieces, self._before = report, pieces, 0

    def of_generator(self, news: GenerationProgress | Notice) -> None:
        """Tell of a piece that was drawn."""
        if isinstance(news, GenerationProgress):
            self._before = news.total
            news = replace(news, total=news.total + self._pieces)
        self._report(news)

    def of_estimator(self, news: GenerationProgress) -> None:
        """Tell of a piece that was estimated."""
        self._report(GenerationProgress(self._before + news.done, self._before + news.total))


def measured_depth(draw: Callable[[int], np.ndarray], closed: bool, weights: Weights) -> float:
    """How deep the relief of a model is, pixels: that of the deepest of a few looks.

    Args:
        draw: gives the base color of the generator's own picture for a seed.
        closed: whether its sides meet.
        weights: of the estimator.
    """
    looks = (estimate(draw(seed), closed, 0, weights.file) for seed in DEPTH_SEEDS)
    return max(map(relief_depth, looks))


def draw_and_estimate(
    render: Callable[[Told], Rendered],
    octaves: int,
    closed: bool,
    size: tuple[int, int],
    weights: Weights,
    report: Told,
    should_stop: Callable[[], bool],
) -> Drawn:
    """Draw a picture and estimate what it shows.

    Args:
        render: draws it, base color included, and tells of each piece.
        octaves: of `octaves_of_shapes`.
        closed: whether its sides meet.
        size: height and width, pixels.
        weights: of the estimator.
        report: is told after each piece of either work.
        should_stop: is asked before each piece.

    Raises:
        Cancelled: `should_stop` said so.
        WorkerError: as `rendering.render`.
    """
    progress = CombinedProgress(report, count_pieces(*size, octaves))
    done = render(progress.of_generator)
    canvas = done.canvas
    found = estimate(
        canvas.maps["base_color"],
        closed,
        octaves,
        weights.file,
        report=progress.of_estimator,
        should_stop=should_stop,
    )
    return Drawn(canvas.maps, canvas.steps(), done.origin, done.seconds, found, weights.hash)


def maps_of_color(
    color: np.ndarray,
    closed: bool,
    octaves: int,
    depth: float | None,
    chosen: Estimation,
    names: Sequence[str],
    weights: Weights,
    should_stop: Callable[[], bool],
) -> dict[str, np.ndarray]:
    """Estimate maps of a picture that is there.

    Args:
        color: sRGB, (height, width, 3), 0..1.
        closed: whether its sides meet.
        octaves: of `octaves_of_shapes`.
        depth: as of `Estimates`.
        chosen: what is made of its estimates.
        names: of the maps.
        weights: of the estimator.
        should_stop: is asked before each piece.

    Returns:
        Map name → (height, width, channels), 0..1.
    """
    found = estimate(color, closed, octaves, weights.file, should_stop=should_stop)
    return make_maps(color, replace(found, depth=depth), chosen, names, {})


def adjusted_maps(
    drawn: Drawn, chosen: Estimation, names: Sequence[str], bits: Mapping[str, int]
) -> tuple[dict[str, np.ndarray], dict[str, LineSteps]]:
    """Maps of a picture as an artist wants them, and the steps between their lines.

    Args:
        drawn: the picture.
        chosen: what is made of its estimates.
        names: of maps, those that the model makes and estimated ones.
        bits: map name → bits of its whole numbers.

    Returns:
        Map name → (height, width, channels), in the order of the names, and `line_steps`.
    """
    made = [name for name in names if name not in drawn.maps or _is_lit(name, chosen)]
    maps = make_maps(drawn.maps["base_color"], drawn.found, chosen, made, bits)
    shown, steps = {}, {}
    across, down = drawn.origin
    for name in names:
        if name in made:
            shown[name] = maps.pop(name)
            _roll(shown[name], drawn.origin)
            steps[name] = line_steps(shown[name])
        else:
            shown[name] = np.roll(drawn.maps[name], (-down, -across), (0, 1))
            steps[name] = rolled(drawn.steps[name], drawn.origin)
    return shown, steps


def _roll(picture: np.ndarray, origin: tuple[int, int]) -> None:
    """Let a picture begin at this column and row, in place: another copy of a large one may not fit into memory."""
    for start in range(0, len(picture), ROLLED):
        rows = picture[start : start + ROLLED]
        rows[:] = np.roll(rows, -origin[0], 1)
    for start in range(0, picture.shape[1], ROLLED):
        columns = picture[:, start : start + ROLLED]
        columns[:] = np.roll(columns, -origin[1], 0)


def _is_lit(name: str, chosen: Estimation) -> bool:
    return name == "base_color" and chosen.light > 0
