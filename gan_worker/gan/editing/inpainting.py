"""Inpainting: what is masked in a material, or its borders, filled with what a model generates to fit there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil, log2
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gan_worker.gan.data.statistics import normals_from_slopes
from gan_worker.gan.editing.material_files import check_maps, check_mask
from gan_worker.gan.editing.native import aligned, draw_octaves
from gan_worker.gan.editing.poisson_blending import blend
from gan_worker.gan.editing.projection import CROP, STEPS, Projection, ProjectionTarget, project
from gan_worker.gan.generation.seams import line_steps, seam_ratio
from gan_worker.gan.generation.styles import resampling
from gan_worker.materials.maps import MAPS, Kind
from gan_worker.materials.masks import (
    border_band,
    calm_shift,
    distance_to,
    mask_groups,
    window_around,
)
from gan_worker.progress import GenerationProgress

if TYPE_CHECKING:
    from gan_worker.gan.generation.model import Model

Maps = Mapping[str, np.ndarray]

# Known pixels around a hole that the generated picture is fitted to, and how fast their weight falls with distance,
# down to what is left of it, in pixels of the picture that the model's generator draws; so are the following.
MARGIN, NEAR, FAR_WEIGHT = 40, 8.0, 0.1
# Between two holes that are filled one by one.
APART = 20
# Crops of the known part that tell what the material looks like.
EXEMPLARS = 32
# Width of the cross that becomes new where borders are made seamless.
BAND = 64
# Share of a hidden pixel that may have got into a known one when the picture was made smaller.
STAINED = 0.02


@dataclass(frozen=True, eq=False)
class Inpainted:
    """What became of a material.

    Attributes:
        maps: map name → (height, width, channels), 0..1, as given where nothing was hidden.
        distance: of the rim to what was generated, in standard deviations; 0.2 is close, 1 has nothing to do with it.
        steps: of the search.
    """

    maps: dict[str, np.ndarray]
    distance: float
    steps: int


@dataclass(frozen=True, eq=False)
class Found:
    """Latents that were searched for a material.

    Attributes:
        projection: what was found.
        wanted: map name → the part that was searched, 0..1: at the model's scale or, where its detail stage draws
            octaves, at the picture's own.
        made: map name → what the latents give there.
    """

    projection: Projection
    wanted: dict[str, np.ndarray]
    made: dict[str, np.ndarray]


def inpaint(
    model: Model,
    maps: Maps,
    hidden: np.ndarray,
    closed: bool,
    scale: float | None = None,
    seed: int = 1,
    steps: int = STEPS,
    report: Callable[[GenerationProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Inpainted:
    """Fill a hole in all maps of a material.

    Latents are searched for the small picture that the generator draws. Where the model has octaves of detail, these
    are drawn on what was found and on what is known around it.

    Args:
        model: makes all of these maps.
        maps: map name → (height, width, channels), 0..1.
        hidden: (height, width) bool.
        closed: whether the picture is seamless; it stays so.
        scale: the model's pixels of one of the picture, with all detail; None is that of its training.
        seed: another one fills the hole in another way.
        steps: of the search for latents.
        report: is told after each step.
        should_stop: is asked before each step; what was found until then is used.

    Raises:
        RequestError: `invalid_config` for maps that the model does not make, nothing hidden, or nothing known.
    """
    check_maps(model.info, maps)
    check_mask(hidden)
    scale = _search_scale(model, scale)
    filled, unknown = {name: picture.copy() for name, picture in maps.items()}, hidden.copy()
    found: list[Projection] = []
    holes = mask_groups(hidden, closed, max(1, round(APART / scale)))

    def tell(news: GenerationProgress) -> None:
        report(GenerationProgress(len(found) * steps + news.done, len(holes) * steps))

    for hole in holes:
        work = _Hole(model, filled, hole, unknown, closed, scale, seed)
        found.append(project(model, work.target(), seed, steps, tell, should_stop))
        work.fill(found[-1])
        unknown &= ~hole
        del work  # before the next one is made, which holds as much
    return Inpainted(
        filled, float(np.mean([f.distance for f in found])), sum(f.steps for f in found)
    )


def fill_with(made: Maps, maps: Maps, hidden: np.ndarray, closed: bool) -> dict[str, np.ndarray]:
    """Fill a hole in maps with others of the same size, blended in.

    Args:
        made: map name → (height, width, channels), 0..1, what is taken.
        maps: the same names → what is filled.
        hidden: (height, width) bool.
        closed: whether they are seamless; they stay so.
    """
    filled = {name: maps[name].copy() for name in made}
    for hole in mask_groups(hidden, closed, APART):
        shift = calm_shift(hole) if closed else (0, 0)
        rolled = np.roll(hole, shift, (0, 1))
        window, circles = window_around(rolled, closed, MARGIN)
        known, new = _Rolled(filled, shift), _Rolled(made, shift).part(window)
        blended = {
            name: _filled(name, part, new[name], rolled[window], circles)
            for name, part in known.part(window).items()
        }
        known.put(window, blended)
    return filled


@dataclass(frozen=True)
class _Rolled:
    """A material as it lies when it is rolled, of which only parts are taken: the whole is not copied.

    Attributes:
        maps: of the material as it is.
        shift: rows down and columns across.
    """

    maps: Maps
    shift: tuple[int, int] = (0, 0)

    def part(self, window: tuple[slice, slice]) -> dict[str, np.ndarray]:
        """What lies in a window."""
        return {name: picture[self._places(picture, window)] for name, picture in self.maps.items()}

    def put(self, window: tuple[slice, slice], new: Maps) -> None:
        """Give the material other values there."""
        for name, part in new.items():
            picture = self.maps[name]
            picture[self._places(picture, window)] = part

    def _places(self, picture: np.ndarray, window: tuple[slice, slice]) -> Any:
        if self.shift == (0, 0):
            return window
        rows, columns = (
            np.arange(span.start - by, span.stop - by) % side
            for span, by, side in zip(window, self.shift, picture.shape, strict=False)
        )
        return np.ix_(rows, columns)


class _Hole:
    """A hole in a material, in the window around it that is worked on.

    Args:
        model: the model.
        maps: of the whole material; what is filled is put there.
        hole: (height, width), what is to be filled.
        unknown: (height, width), that and whatever else is not known.
        closed: whether the picture is seamless.
        scale: pixels that the generator draws of one of the picture.
        seed: fixes which exemplars are taken, and the noise of octaves.
    """

    def __init__(
        self,
        model: Model,
        maps: Maps,
        hole: np.ndarray,
        unknown: np.ndarray,
        closed: bool,
        scale: float,
        seed: int,
    ):
        shift = calm_shift(hole) if closed else (0, 0)
        self._rolled = _Rolled(maps, shift)
        rolled_hole, rolled_unknown = (np.roll(mask, shift, (0, 1)) for mask in (hole, unknown))
        window, self._circles = window_around(rolled_hole, closed, round(MARGIN / scale))
        self._window = _whole_pixels(model, window, hole.shape, scale)
        self._hole = rolled_hole[self._window].copy()
        self._sight = _Sight(
            model, self._rolled, rolled_unknown, self._window, self._circles, scale, seed
        )

    def target(self) -> ProjectionTarget:
        return self._sight.target

    def fill(self, found: Projection) -> None:
        """Put what was generated into the hole.

        Args:
            found: for the target.
        """
        made = self._sight.as_maps(found)
        known = self._rolled.part(self._window)
        self._rolled.put(
            self._window,
            {
                name: _filled(name, picture, made[name], self._hole, self._circles)
                for name, picture in known.items()
            },
        )


def make_tileable(
    model: Model,
    maps: Maps,
    scale: float | None = None,
    seed: int = 1,
    steps: int = STEPS,
    report: Callable[[GenerationProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Inpainted:
    """Make the borders of a material seamless: they are brought to its middle and a cross over them is filled anew.

    Args: as for `inpaint`.

    Raises:
        RequestError: `invalid_config` for maps that the model does not make.
    """
    height, width = next(iter(maps.values())).shape[:2]
    half = (height // 2, width // 2)
    hidden = border_band(height, width, band_width(model, scale))
    rolled = {name: np.roll(picture, half, (0, 1)) for name, picture in maps.items()}
    done = inpaint(
        model, rolled, np.roll(hidden, half, (0, 1)), True, scale, seed, steps, report, should_stop
    )
    del rolled
    for name, picture in done.maps.items():  # one after the other, since they are large
        done.maps[name] = np.roll(picture, (-half[0], -half[1]), (0, 1))
    return done


def find_latents(
    model: Model,
    maps: Maps,
    size: tuple[int, int],
    scale: float | None = None,
    seed: int = 1,
    steps: int = STEPS,
    report: Callable[[GenerationProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Found:
    """Search the latents whose picture is nearest to the middle of a material's.

    Args:
        model: makes all of these maps.
        maps: map name → (height, width, channels), 0..1.
        size: height and width of the middle at most, the model's pixels with all detail.
        scale: as for `inpaint`, and so are the following.

    Raises:
        RequestError: `invalid_config` for maps that the model does not make.
    """
    check_maps(model.info, maps)
    scale = _search_scale(model, scale)
    sides = next(iter(maps.values())).shape[:2]
    middle = []
    for side, most in zip(sides, size, strict=True):
        length = min(side, max(1, round((most >> model.info.octaves) / scale)))
        middle.append(slice((side - length) // 2, (side - length) // 2 + length))
    window = _whole_pixels(model, (middle[0], middle[1]), sides, scale)
    sight = _Sight(model, _Rolled(maps), np.zeros(sides, bool), window, (False, False), scale, seed)
    target = sight.target
    found = project(model, target, seed, steps, report, should_stop)
    if model.detail:
        return Found(found, {n: p[window] for n, p in maps.items()}, sight.as_maps(found))
    restored = [
        {n: p.numpy() for n, p in model.statistics.restore(tf.constant(c)).items() if n in maps}
        for c in (target.channels, found.channels)
    ]
    return Found(found, *restored)


def seam_ratios(maps: Maps) -> dict[str, float]:
    """The seam ratio of each map."""
    return {name: seam_ratio(line_steps(picture)) for name, picture in maps.items()}


def band_width(model: Model, scale: float | None) -> int:
    """How wide the cross is that becomes new where borders are made seamless, the picture's pixels."""
    return round(BAND / _search_scale(model, scale))


def _search_scale(model: Model, scale: float | None) -> float:
    """Pixels that the generator draws of one of a picture.

    Args:
        model: the model.
        scale: the model's pixels with all detail; None as in its training.
    """
    return (scale or model.info.scale) / (1 << model.info.octaves)


def _whole_pixels(
    model: Model, window: tuple[slice, slice], sides: tuple[int, ...], scale: float
) -> tuple[slice, slice]:
    """A window of whole pixels of the small picture, where these hold whole ones of the picture.

    Anything else would have to be stretched by less than a pixel, which costs the finest octave.
    """
    step = round(1 / scale)
    if not model.detail or step * scale != 1:
        return window
    found = []
    for span, side in zip(window, sides, strict=True):
        more = -(span.stop - span.start) % step
        start = max(0, span.start - more)
        stop = min(side, span.stop + more - (span.start - start))
        found.append(slice(start, stop))
    return found[0], found[1]


def _filled(
    name: str,
    known: np.ndarray,
    made: np.ndarray,
    hidden: np.ndarray,
    circles: tuple[bool, bool],
) -> np.ndarray:
    """The known picture with the made one blended in where it is hidden."""
    if MAPS[name].kind is Kind.direction:
        slopes = blend(known[..., :2], made[..., :2], hidden, circles) * 2 - 1
        new = normals_from_slopes(tf.constant(slopes)).numpy()
    else:
        new = np.clip(blend(known, made, hidden, circles), 0, 1)
    return np.where(hidden[..., None], new, known)


class _Sight:
    """A window of a material as the model sees it: at its scale, in standardised channels.

    Args:
        model: the model.
        material: the whole of it.
        hidden: of the whole material as it is rolled, (height, width).
        window: rows and columns that are worked on.
        circles: which axes of the window are.
        scale: pixels that the generator draws of one of the picture.
        seed: fixes which exemplars are taken, and the noise of octaves.
    """

    def __init__(
        self,
        model: Model,
        material: _Rolled,
        hidden: np.ndarray,
        window: tuple[slice, slice],
        circles: tuple[bool, bool],
        scale: float,
        seed: int,
    ):
        self.model, self.material, self.hidden = model, material, hidden
        self.window, self.circles, self.scale, self.seed = window, circles, scale, seed
        stride = model.network.stride
        self.size = tuple(
            max(stride, round(n * scale / stride) * stride) if circle else max(1, round(n * scale))
            for n, circle in zip(hidden[window].shape, circles, strict=True)
        )

    @cached_property
    def target(self) -> ProjectionTarget:
        """What is searched for."""
        hidden = self._hidden_at(self.hidden[self.window], self.size)
        weights = np.where(hidden, 0, FAR_WEIGHT + np.exp(-distance_to(hidden, MARGIN) / NEAR))
        return ProjectionTarget(
            self._channels(self.material.part(self.window), self.size),
            weights.astype(np.float32),
            self._counted(),
            self.circles,
            self._exemplars(),
        )

    def as_maps(self, found: Projection) -> dict[str, np.ndarray]:
        """The way back, at the picture's own scale, with all octaves where there are any."""
        size = self.hidden[self.window].shape
        channels = self._with_octaves(found) if self._octaves else found.channels
        restored = self.model.statistics.restore(tf.constant(channels, tf.float32))
        return {n: resampled(restored[n].numpy(), *size) for n in self.material.maps}

    @cached_property
    def _octaves(self) -> int:
        """How many the picture can show: one that has less detail than the model needs none of its finest."""
        return min(self.model.info.octaves, max(0, ceil(log2(1 / self.scale))))

    def _with_octaves(self, found: Projection) -> np.ndarray:
        """What was found where something is hidden, and what is known around it, with all octaves."""
        model, small, count = self.model, found.channels, self._octaves
        assert model.detail is not None
        hidden = self.target.weights == 0
        if hidden.any():
            small = blend(self.target.channels, small, hidden, self.circles)
        # Of maps that are not given nothing is known, and nothing is made.
        margin = model.detail.margins(count)[0]
        padded, rows, columns = aligned(small * self._counted(), self.circles, margin)
        w = model.generator.style(tf.constant(found.latents.z))
        whole = draw_octaves(model, padded, w, self.seed, count)
        spans = (slice(s.start << count, s.stop << count) for s in (rows, columns))
        return whole[tuple(spans)]

    def _channels(self, maps: Maps, size: tuple[int, ...]) -> np.ndarray:
        """Standardised channels; 0 for those of maps that are not given."""
        resize = reduced if self.model.detail else resampled
        given = {name: resize(picture, *size) for name, picture in maps.items()}
        for name, statistics in self.model.statistics.maps.items():
            if name not in given:
                mean: np.ndarray = np.array(statistics.mean, np.float32)
                mean = (mean + 1) / 2 if MAPS[name].kind is Kind.direction else mean
                given[name] = np.broadcast_to(mean, (*size, len(mean)))
        return self.model.statistics.standardise(given)

    def _counted(self) -> np.ndarray:
        counts = [
            np.full(len(statistics.axes), name in self.material.maps, np.float32)
            for name, statistics in self.model.statistics.maps.items()
        ]
        return np.concatenate(counts)

    def _hidden_at(self, hidden: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
        share = resampled(hidden[..., None].astype(np.float32), *size)[..., 0]
        return share > STAINED

    def _exemplars(self) -> np.ndarray:
        """Crops of the known part of the whole picture, none where there is not so much of it."""
        reach = max(1, round(CROP / self.scale))
        height, width = self.hidden.shape
        empty = np.empty((0, CROP, CROP, len(self._counted())), np.float32)
        if min(height, width) < reach:
            return empty
        before = np.zeros((height + 1, width + 1), np.int32)
        np.cumsum(self.hidden, 0, np.int32, before[1:, 1:])
        np.cumsum(before, 1, np.int32, before)
        inside = before[reach:, reach:] - before[:-reach, reach:]
        inside -= before[reach:, :-reach]
        inside += before[:-reach, :-reach]
        free = inside == 0
        # Where each row ends, if all free spots stood in one line.
        ends = np.count_nonzero(free, axis=1).cumsum()
        if not ends[-1]:
            return empty
        chosen = np.random.default_rng([self.seed, 5]).integers(0, ends[-1], EXEMPLARS)
        crops = []
        for number in chosen:
            top = int(np.searchsorted(ends, number, "right"))
            left = int(np.flatnonzero(free[top])[number - ends[top]])  # counted from the row's end
            part = (slice(top, top + reach), slice(left, left + reach))
            crops.append(self._channels(self.material.part(part), (CROP, CROP)))
        return np.stack(crops)


def reduced(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture brought to another size, by the means of its pixels where they fill whole ones of the smaller size."""
    down, across = picture.shape[0] // height, picture.shape[1] // width
    if picture.shape[:2] != (height * down, width * across):
        return resampled(picture, height, width)
    boxes = picture.reshape(height, down, width, across, -1)
    return boxes.mean(axis=(1, 3), dtype=np.float32)


def resampled(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture on a torus brought to another size, linearly; of an open axis only the last line sees the first."""
    if picture.shape[:2] == (height, width):
        return picture
    down = resampling(picture.shape[0], height).astype(np.float32)
    across = resampling(picture.shape[1], width).astype(np.float32)
    return np.einsum("wx,hxc->hwc", across, np.tensordot(down, picture, 1), optimize=True)
