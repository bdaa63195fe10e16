"""Motion: closed paths through the looks of a model, walked in even steps, and how even the steps are."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gan_worker.config import GenerationConfig, ModelFacts, size_step
from gan_worker.errors import require
from gan_worker.styles.mixing import DIGITS, blended, within_limit

if TYPE_CHECKING:
    from gan_worker.style import Sway

# Small pictures around a path, between which its length is measured.
PROBES = 64
PROBE_SIDE = 96
FEWEST_FRAMES, MOST_FRAMES = 2, 10_000
# Pixels along each side of a picture that two frames are compared by.
SAMPLED = 256

# From 0..1, once around, to what is generated there.
Path = Callable[[float], GenerationConfig]


def path_through(base: GenerationConfig, looks: Sequence[GenerationConfig]) -> Path:
    """A smooth closed path through looks, in their order, and back to the first.

    It is a closed Catmull-Rom spline in w (Catmull and Rom 1974), which leaves the looks by up to an eighth of their
    distances. Between two looks it goes there and back.

    Args:
        base: says where things lie, the size and the maps.
        looks: two or more, of the base's model.

    Raises:
        RequestError: `invalid_config` where they are too few or cannot be mixed.
    """
    require(
        len(looks) >= 2,
        "A loop must have two looks or more to go through",
        len(looks),
        "Choose more favorites, or name more seeds or materials with --styles.",
    )

    def at(t: float) -> GenerationConfig:
        segment, share = divmod(t % 1.0 * len(looks), 1.0)
        near = [looks[(int(segment) + step) % len(looks)] for step in (-1, 0, 1, 2)]
        return blended(base, list(zip(near, _catmull_rom(share), strict=True)))

    for number in range(
        len(looks)
    ):  # whatever cannot be mixed is found before anything is generated
        at((number + 0.5) / len(looks))
    return at


def _catmull_rom(s: float) -> tuple[float, float, float, float]:
    """Weights of the point before, the two that s = 0..1 lies between, and the one after them."""
    return (
        -s / 2 + s**2 - s**3 / 2,
        1 - 5 / 2 * s**2 + 3 / 2 * s**3,
        s / 2 + 2 * s**2 - 3 / 2 * s**3,
        -(s**2) / 2 + s**3 / 2,
    )


def path_around(base: GenerationConfig, first: str, second: str, radius: float) -> Path:
    """A circle around a look, in the plane of two of its model's directions.

    Args:
        base: the look in the middle.
        first: name of a direction.
        second: name of another.
        radius: steps of the directions; 0 leaves the look alone, for a layout that sways.

    Raises:
        RequestError: `invalid_config` where both are the same.
    """
    require(
        first != second,
        "A circle must have two different directions",
        f"{first!r} twice",
        "Choose another direction.",
    )

    def at(t: float) -> GenerationConfig:
        amounts = dict(base.directions)
        for name, share in (
            (first, math.cos(2 * math.pi * t)),
            (second, math.sin(2 * math.pi * t)),
        ):
            amounts[name] = amounts.get(name, 0.0) + radius * share
        moved = tuple((name, within_limit(amount)) for name, amount in amounts.items() if amount)
        return replace(base, directions=moved, origin=None)

    return at


def check_moves(path: Path, sway: float) -> None:
    """Refuse a loop whose frames would all be the same picture.

    Args:
        path: of looks.
        sway: how far things move, 0..1.

    Raises:
        RequestError: `invalid_config`.
    """
    require(
        sway or any(path(number / 8) != path(0) for number in range(1, 8)),
        "A loop must move",
        "one look all the way around, and no sway",
        "Choose a radius or a sway above 0, or looks that differ.",
    )


def even_places(lengths: Sequence[float], count: int) -> list[float]:
    """Places on a closed path between which it changes evenly.

    Args:
        lengths: how much it changes from each of evenly spaced places to the next, the last one back to the first.
        count: how many places.

    Returns:
        0 and up, below 1.
    """
    passed = np.concatenate([[0.0], np.cumsum(np.asarray(lengths, np.float64))])
    if passed[-1] == 0:
        return [number / count for number in range(count)]
    wanted = np.arange(count) / count * passed[-1]
    return [float(t) for t in np.interp(wanted, passed, np.linspace(0, 1, len(passed)))]


def moved_layout(layout: Sway, away: float, turn: float) -> Sway:
    """A layout near another one, on the half of a sphere that all layouts of a seed lie on.

    Args:
        layout: where to start, as in `GenerationConfig.sway`.
        away: how far it is moved, 0..1.
        turn: in which direction, in turns. All directions together are a closed path around `layout`.
    """
    if not away:
        return layout
    tilt, towards = layout[0] * math.pi / 2, layout[1] * 2 * math.pi
    angle, direction = away * math.pi / 2, turn * 2 * math.pi - towards
    up, along = math.cos(angle), math.sin(angle) * math.cos(direction)
    across = math.sin(angle) * math.sin(direction)
    # Moved away from the seed's own, and then tilted to where it starts from.
    up, along = (
        up * math.cos(tilt) - along * math.sin(tilt),
        up * math.sin(tilt) + along * math.cos(tilt),
    )
    distance = math.acos(min(1.0, abs(up))) * 2 / math.pi  # from the rim on it goes back
    turned = (math.atan2(across, along) + towards) / (2 * math.pi) % 1.0
    return round(distance, DIGITS), round(turned, DIGITS)


def loop_frames(
    path: Path, lengths: Sequence[float], count: int, sway: float
) -> list[GenerationConfig]:
    """What to generate for each frame of a loop.

    Look and layout each move evenly, the layout around that of the path. The layout's steps are not measured: they
    are even for the sum of all layouts, and small pictures show too few of them.

    Args:
        path: of looks.
        lengths: of `even_places`, measured without sway.
        count: how many frames.
        sway: how far things move from where the path has them, 0..1.
    """
    frames = [path(place) for place in even_places(lengths, count)]
    return [
        replace(frame, sway=moved_layout(frame.sway, sway, number / count), steady=True)
        for number, frame in enumerate(frames)
    ]


@dataclass(frozen=True)
class Evenness:
    """How even the steps of a sequence are, as multiples of the median step.

    Attributes:
        median: mean absolute difference of two frames that follow each other, of values 0..1.
        largest: largest step over the median.
        closing: step from the last frame to the first over the median; None where it does not close.
    """

    median: float
    largest: float
    closing: float | None

    def __str__(self) -> str:
        text = f"largest step {self.largest:.2f}× the median"
        return text if self.closing is None else f"{text}, last to first {self.closing:.2f}×"


class StepMeter:
    """Measures the steps between pictures that follow each other; it holds three small ones at most.

    Attributes:
        steps: mean absolute difference of each picture to the one before, of values 0..1.
    """

    def __init__(self) -> None:
        self.steps: list[float] = []
        self._first: NDArray[np.float32] | None = None
        self._last: NDArray[np.float32] | None = None

    def add(self, picture: NDArray[Any]) -> None:
        """Take the next picture, of the same size as the others: uint8 or uint16, (height, width, channels)."""
        sampled = _sampled(picture)
        if self._last is None:
            self._first = sampled
        else:
            self.steps.append(float(np.abs(sampled - self._last).mean()))
        self._last = sampled

    def closing(self) -> float:
        """The step from the last picture back to the first."""
        if self._first is None or self._last is None:
            return 0.0
        return float(np.abs(self._first - self._last).mean())

    def evenness(self, closes: bool) -> Evenness:
        """What was measured.

        Args:
            closes: whether the first picture follows the last one.
        """
        steps = [*self.steps, self.closing()] if closes else self.steps
        median = float(np.median(steps)) if steps else 0.0
        # Where most frames are the same, the mean says more.
        scale = median or float(np.mean(steps or [0.0])) or 1.0
        closing = self.closing() / scale if closes else None
        return Evenness(median, max(steps, default=0.0) / scale, closing)


def probe_config(config: GenerationConfig, model: ModelFacts) -> GenerationConfig:
    """What to ask for to get a small picture, with the least detail, that the length of a path is measured on.

    Args:
        config: a place on the path.
        model: that makes it.
    """
    steps = size_step(model, model.octaves)
    width, height = (max(1, PROBE_SIDE // step) * step for step in steps)
    probe = replace(config, width=width, height=height, mip=model.octaves)
    return replace(probe, maps=(shown_map(model.maps),), origin=(0, 0), estimation=None)


def shown_map(names: Collection[str]) -> str:
    """The map that steps are measured on."""
    return "base_color" if "base_color" in names else next(iter(names))


def _sampled(picture: NDArray[Any]) -> NDArray[np.float32]:
    down, across = (max(1, side // SAMPLED) for side in picture.shape[:2])
    part = picture[::down, ::across]
    return part.astype(np.float32) / np.float32(np.iinfo(picture.dtype).max)
