"""Photo: a model that has learned nothing; it gives its one picture back, with maps made of what was estimated once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gan_worker.config import GenerationConfig, PhotoConfig, Recipe
from gan_worker.errors import Cancelled
from gan_worker.estimation import Estimation
from gan_worker.gan.estimation.estimator import CHANNELS, Estimates, estimate
from gan_worker.gan.estimation.maps import make_maps, relief_depth
from gan_worker.materials.maps import MAPS, Kind
from gan_worker.materials.pixels import as_floats, quantise, unit_normals
from gan_worker.progress import GeneratedMaterial, GenerationProgress, Notice
from gan_worker.runs.checkpoints import damaged
from gan_worker.validation.seams import calm_origin, line_steps, seam_ratio

if TYPE_CHECKING:
    from gan_worker.runs.checkpoints import Arrays, Shapes
    from gan_worker.runs.run import ModelInfo, Weights

# Among a model's tensors: the picture's maps are named after this, and what was estimated is that.
STORED, ESTIMATES = "maps/", "estimates"
COLOR = STORED + "base_color"
KIND = np.dtype(np.float16)

Maps = dict[str, np.ndarray]
# What a photo shows, and what was found of it, at each level of detail, the finest first.
Levels = list[tuple[Maps, Estimates]]


class PhotoModel:
    """A photo as a model: what `generation.model.Model` is to whoever makes materials.

    Args:
        info: what stands in `model.json`.
        tensors: of `stored_maps`, and the values of `Estimates`.
        find: gives the weights of an estimator by its name, as `run.find_weights`.

    Raises:
        StorageError: `checkpoint_corrupt` where they are not what `model.json` speaks of.
    """

    # It draws no detail of its own.
    detail = None

    def __init__(self, info: ModelInfo, tensors: Arrays, find: Callable[[str], Weights]):
        self.info, self._find = info, find
        self.network = PhotoConfig(info.tileable)
        maps = {name: tensors[STORED + name] for name in info.maps}
        kinds = {STORED + name: stored_kind(name) for name in maps} | {ESTIMATES: KIND}
        for name, kind in kinds.items():
            if tensors[name].dtype != kind:
                raise damaged(f"{name} of model {info.name!r} has numbers of {tensors[name].dtype}")
        try:
            octaves, errors = int(info.statistics["octaves"]), dict(info.statistics["errors"])
            found = Estimates(tensors[ESTIMATES], octaves, info.tileable, _numbers(errors))
            self._estimator = str(info.statistics.get("estimator", ""))
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
            raise damaged(f"model.json of {info.name!r} has no estimates ({error!r})") from error
        # By the estimator that found them, of which that of the photo comes first; a level of detail is made when it is
        # first asked for.
        self._levels: dict[str, Levels] = {self._estimator: [(maps, found)]}
        # How deep its relief is at its full size, pixels, by estimator.
        self._depths: dict[str, float] = {}

    def generate(
        self,
        config: GenerationConfig,
        bits: Mapping[str, int] | None = None,
        report: Callable[[GenerationProgress | Notice], None] = lambda news: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> GeneratedMaterial:
        """The photo at a level of detail, as often as it fits, with the maps that are wanted.

        No network runs, but for another estimator than that of the photo, once.

        Args:
            config: what to make; neither seed nor truncation nor sway changes anything.
            bits: map name → bits of its whole numbers, 8 or 16; None for float32 in 0..1.
            report: is told when it is done.
            should_stop: is asked before it is made.

        Raises:
            RequestError: `invalid_size`, `invalid_config`, `unknown_estimator`.
            StorageError: the estimator cannot be read.
            Cancelled: `should_stop` said so.
        """
        config.check()
        config.check_for(self.info)
        if should_stop():
            raise Cancelled
        started = time.perf_counter()
        estimator = self._estimated(config, report, should_stop)
        tile = self._tile(config, bits or {}, estimator)
        across, down = config.origin or (0, 0)
        tile = {name: np.roll(picture, (-down, -across), (0, 1)) for name, picture in tile.items()}
        ratios = {name: _seam(picture) for name, picture in tile.items() if self.info.tileable}
        made = {name: _repeated(picture, config) for name, picture in tile.items()}
        report(GenerationProgress(1, 1))
        recipe = self._recipe(config, (across, down), estimator)
        return GeneratedMaterial(made, recipe, ratios, time.perf_counter() - started)

    def _estimated(
        self,
        config: GenerationConfig,
        report: Callable[[GenerationProgress | Notice], None],
        should_stop: Callable[[], bool],
    ) -> str:
        """`Weights.hash` of the wanted estimator, once that has found what it can."""
        name = config.estimation.estimator if config.estimation else ""
        if not name:
            return self._estimator
        weights = self._find(name)
        if weights.hash not in self._levels:
            maps, known = self._levels[self._estimator][0]
            found = estimate(
                maps["base_color"],
                known.closed,
                known.octaves,
                weights.file,
                report=report,
                should_stop=should_stop,
            )
            # One more than the photo's own is remembered.
            own = self._levels[self._estimator]
            self._levels = {self._estimator: own, weights.hash: [(maps, found)]}
        return weights.hash

    def _tile(self, config: GenerationConfig, bits: Mapping[str, int], estimator: str) -> Maps:
        """One tile of each map."""
        levels = self._levels[estimator]
        stored, found = _level(levels, config.mip)
        chosen = config.estimation
        names = set(config.maps or self._names(config))
        made: Maps = {}
        if chosen:
            if estimator not in self._depths:
                self._depths[estimator] = relief_depth(levels[0][1])
            found = replace(found, depth=self._depths[estimator] / 2**config.mip)
            # Of what the picture brings, the light is taken out of the color alone.
            lit = {"base_color"} if chosen.light > 0 else set()
            wanted = [n for n in MAPS if n in names and (n in lit or n not in stored)]
            made = make_maps(stored["base_color"], found, chosen, wanted, bits)
        for name in names & set(stored) - set(made):
            made[name] = _as_wanted(stored[name], bits.get(name))
        return {name: made[name] for name in MAPS if name in made}

    def _names(self, config: GenerationConfig) -> tuple[str, ...]:
        estimated = config.estimation.maps(self.info.maps) if config.estimation else ()
        return (*self.info.maps, *estimated)

    def _recipe(self, config: GenerationConfig, origin: tuple[int, int], estimator: str) -> Recipe:
        made = replace(config, model=self.info.name, origin=origin)
        if config.estimation is None:
            return Recipe.of_now(made, self.info.hash, self.info.credits)
        _, found = self._levels[estimator][0]
        estimated = found.expected(config.estimation.maps(self.info.maps))
        return Recipe.of_now(made, self.info.hash, self.info.credits, estimated, estimator)


def _level(levels: Levels, mip: int) -> tuple[Maps, Estimates]:
    while len(levels) <= mip:
        maps, found = levels[-1]
        small = {name: _halved_map(name, picture) for name, picture in maps.items()}
        values = _halved(found.values).astype(KIND)
        # Shapes are as large as ever, and so half as many pixels.
        octaves = max(0, found.octaves - 1)
        levels.append((small, replace(found, values=values, octaves=octaves)))
    return levels[mip]


def stored_maps(maps: Mapping[str, np.ndarray]) -> Arrays:
    """A photo's maps as the file of its model holds them, beside what was estimated.

    Args:
        maps: map name → (height, width, channels), 0..1.
    """
    return {STORED + n: quantise(p, 8 * stored_kind(n).itemsize) for n, p in maps.items()}


def with_calm_border(stored: Arrays, found: Estimates) -> tuple[Arrays, Estimates]:
    """A closed photo, rolled so that its border lies where all its maps are calm, estimated ones too.

    Args:
        stored: of `stored_maps`.
        found: its estimates.
    """
    names = Estimation().maps(())
    maps = [*stored.values(), *make_maps(stored[COLOR], found, Estimation(), names, {}).values()]
    across, down = calm_origin([line_steps(picture) for picture in maps])
    rolled = {name: np.roll(p, (-down, -across), (0, 1)) for name, p in stored.items()}
    return rolled, replace(found, values=np.roll(found.values, (-down, -across), (0, 1)))


def photo_shapes(info: ModelInfo) -> Shapes:
    """Shapes by name of what a photo's model must hold."""
    width, height = info.tile or (0, 0)
    maps = {STORED + name: (height, width, MAPS[name].channels) for name in info.maps}
    return {**maps, ESTIMATES: (height, width, CHANNELS)}


def stored_kind(name: str) -> np.dtype:
    """What whole numbers a map is stored as."""
    return np.dtype(np.uint16 if MAPS[name].bits > 8 else np.uint8)


def _numbers(errors: Mapping[str, float]) -> dict[str, float]:
    return {str(name): float(value) for name, value in errors.items()}


def _halved(picture: np.ndarray) -> np.ndarray:
    """Means of boxes of two by two pixels, float32."""
    small = np.zeros((picture.shape[0] // 2, picture.shape[1] // 2, picture.shape[2]), np.float32)
    for y, x in np.ndindex(2, 2):
        small += picture[y::2, x::2]
    small /= 4
    return small


def _halved_map(name: str, picture: np.ndarray) -> np.ndarray:
    small = _halved(picture) / np.float32(np.iinfo(picture.dtype).max)
    if MAPS[name].kind is Kind.direction:
        small = unit_normals(small)
    return quantise(small, 8 * picture.dtype.itemsize)


def _as_wanted(stored: np.ndarray, bits: int | None) -> np.ndarray:
    if bits == 8 * stored.dtype.itemsize:
        return stored
    return as_floats(stored) if bits is None else quantise(as_floats(stored), bits)


def _seam(picture: np.ndarray) -> float:
    return seam_ratio(line_steps(picture))


def _repeated(picture: np.ndarray, config: GenerationConfig) -> np.ndarray:
    height, width = picture.shape[:2]
    times = config.height // height, config.width // width
    return picture if times == (1, 1) else np.tile(picture, (*times, 1))
