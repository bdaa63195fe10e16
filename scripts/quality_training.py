"""One training of the benchmark of quality: timed by its steps, then measured at the pictures' own resolution."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import tensorflow as tf
from levers import LEVERS, OTHER_NETWORKS, draw_without_moved
from quality_figures import Material, NativeReference, Row

from gan_worker.config import MATERIAL_PRESETS, GenerationConfig, NetworkConfig, TrainingConfig
from gan_worker.estimation import Estimation
from gan_worker.gan.data.dataset import MeasuredPictures, Tell
from gan_worker.gan.data.waves import Pattern
from gan_worker.gan.detail.bank import Bank, KeptPictures
from gan_worker.gan.detail.matching import ALIGNMENT
from gan_worker.gan.detail.stage import DetailStage
from gan_worker.gan.estimation.estimator import estimate
from gan_worker.gan.estimation.maps import make_maps
from gan_worker.gan.generation.latents import fine_noise
from gan_worker.gan.generation.model import Model
from gan_worker.gan.metrics.baselines import patch_matched_like
from gan_worker.gan.networks import precision
from gan_worker.gan.networks.upsampler import Upsampler
from gan_worker.gan.training import native
from gan_worker.gan.training.detail import DetailHyperparameters, DetailStep
from gan_worker.gan.training.log import TrainingLog
from gan_worker.gan.training.loop import Training
from gan_worker.gan.training.native import NativeStep
from gan_worker.gan.training.pipelines import MaterialPipeline
from gan_worker.gan.training.pretrained import Pretrained
from gan_worker.gan.training.step import TrainingStep, recipe
from gan_worker.materials.contact_sheet import contact_sheet
from gan_worker.materials.pictures import quantise, resize, write_picture
from gan_worker.progress import Notice
from gan_worker.runs.estimators import Weights
from gan_worker.runs.room import Room
from gan_worker.runs.run import Run

# Longest side of a judged picture, and of what is shown of it, pixels.
SIDE, SHOWN = 1024, 512
# Of two pictures a critic asks above all whether their looks are alike (.17 to .82 by pairs of seeds), and those of
# seeds 1 and 2 are: the numbers of z that say what a look is like have a cosine of .72.
SEEDS = range(1, 9)
# Of what has no look of its own: patch matching, materials by name.
PAIR = SEEDS[:2]
# Of which minutes are told: those of a process, shared by so many, are the same whatever else the computer does.
CORES = 2
# Steps in which the pace is measured; the first of each kind build graphs and say nothing of it.
PACED, WARM_UP = 84, 9
# A small picture goes on for so many pixels beyond its edge before it is resized, or a resize would end there.
LAPPED = 8
# What an old way of training is told: the generator draws the finest detail itself.
OLD_WAY = {"octaves": 0, "scale": 1.0}
# Maps of a photo: none but its color, learned beside it, or estimated on what was generated.
MAPS_OF_PHOTOS = ("", "learned", "estimated")


class Stopwatch:
    """Adds up the time of training steps, of which there are two kinds with different costs.

    Args:
        pace: seconds of a step of each kind on an idle computer, which tell the time; a kind that is missing is taken
            as it is, but for the first steps, which build graphs.
    """

    def __init__(self, pace: Mapping[str, float]):
        self._given, self.seconds = pace, 0.0
        self._taken: dict[str, list[float]] = {}

    def add(self, kind: str, seconds: float) -> None:
        """One step more."""
        taken = self._taken.setdefault(kind, [])
        taken.append(seconds)
        self.seconds += self._given.get(kind, seconds if len(taken) > WARM_UP else 0.0)

    @property
    def pace(self) -> dict[str, float]:
        """Seconds of a step of each kind, as measured."""
        return {kind: round(fmean(t[WARM_UP:]), 4) for kind, t in self._taken.items()}

    @property
    def steps(self) -> dict[str, int]:
        """How many there were of each kind."""
        return {kind: len(taken) for kind, taken in self._taken.items()}


class TimedTraining(Training):
    """The program's own training, whose minutes are those of a stopwatch."""

    def __init__(self, watch: Stopwatch, *arguments: Any):
        super().__init__(*arguments)
        self._watch = watch

    def _step(self, log: TrainingLog) -> None:
        before, began = self._detail_steps(), time.perf_counter()
        super()._step(log)
        kind = "detail" if self._detail_steps() > before else "small"
        self._watch.add(kind, time.perf_counter() - began)
        self.seconds = self._watch.seconds

    def _detail_steps(self) -> int:
        return int(self.update.detail.steps) if isinstance(self.update, NativeStep) else 0


@dataclass(frozen=True)
class Levers:
    """How a training differs from the program's own: its `TrainingStep`, numbers, and where it begins."""

    kind: Any
    parameters: Any
    network: NetworkConfig
    patterned: bool
    from_noise: bool
    detail_from_noise: bool
    isotropic: bool
    maps: str
    octaves: int | None


def read_levers(preset: str, told: Sequence[str]) -> Levers:
    """The levers of `--change`; see the help of `bench_quality`."""
    kinds = [LEVERS[lever] for lever in told if lever in LEVERS]
    if len(kinds) > 1:
        sys.exit("Parts of scripts/levers.py are tried one at a time.")
    if set(OTHER_NETWORKS) & set(told) and "start=none" not in told:
        sys.exit(
            f"{' and '.join(OTHER_NETWORKS)} start from noise: put --change start=none before it."
        )
    values = dict(lever.split("=") for lever in told if lever not in LEVERS)
    patterned = values.pop("patterns", "") != "none"
    from_noise = values.pop("start", "") == "none"
    detail_from_noise = from_noise or values.pop("detail.start", "") == "none"
    isotropic = json.loads(values.pop("isotropic", "false"))
    maps = values.pop("maps", "")
    if maps not in MAPS_OF_PHOTOS:
        sys.exit(f"maps is learned or estimated, and never {maps}.")
    if values.pop("precision", "") == "float32":
        precision.has_bfloat16 = lambda: False  # type: ignore[assignment]
    if values.pop("detail.moved", "") == "none":
        values["detail.unmoved"] = "1"
        DetailStage.draw = draw_without_moved  # type: ignore[method-assign]
    if first := values.pop("detail.from", ""):
        native.FIRST = float(first)
    if turns := values.pop("detail.turns", ""):
        native.TURNS = (int(turns), 1)
    octaves = values.pop("octaves", "")
    network = MATERIAL_PRESETS[preset]
    parts: dict[str, Any] = {
        "": recipe(preset),
        "detail.": DetailHyperparameters(),
        "detail. ": network.detail,
    }
    changed = {prefix: _changed(part, values, prefix.strip()) for prefix, part in parts.items()}
    if values:
        known = ", ".join(f"{p.strip()}{n}" for p, part in parts.items() for n in asdict(part))
        sys.exit(f"There is no lever {', '.join(values)}; numbers are {known}.")
    native.DetailStep = partial(  # type: ignore[attr-defined, assignment]
        DetailStep, parameters=changed["detail."]
    )
    network = replace(network, detail=changed["detail. "])
    kind = kinds[0] if kinds else TrainingStep
    starts = patterned, from_noise, detail_from_noise
    chosen = int(octaves) if octaves else None
    return Levers(kind, changed[""], network, *starts, isotropic, maps, chosen)


def _changed(part: Any, values: dict[str, str], prefix: str) -> Any:
    """A dataclass with those of its numbers that are told, which are taken out of the values."""
    own = asdict(part)
    told = {n: values.pop(prefix + n) for n in own if prefix + n in values}
    return replace(part, **{n: type(own[n])(value) for n, value in told.items()})


class Levered(MaterialPipeline):
    """The program's own pipeline but for some levers."""

    def __init__(self, levers: Levers):
        super().__init__(levers.network)
        self._levers = levers
        self.real: Material = {}

    def read(
        self, config: TrainingConfig, state: Mapping[str, Any], weights: Weights, tell: Tell
    ) -> MeasuredPictures:
        read = super().read(config, state, weights, tell)
        # For what is measured in the end: the training lets go of it.
        self.real = (read.natives or read.materials)[0]
        plain = (Pattern(),) * len(read.materials)
        return read if self._levers.patterned else replace(read, patterns=plain)

    def new_update(
        self,
        config: TrainingConfig,
        pictures: MeasuredPictures,
        pretrained: Pretrained | None,
        report: Callable,
    ) -> TrainingStep | NativeStep:
        levers, data = self._levers, self.new_dataset(pictures)
        update: TrainingStep = levers.kind(
            self.network, data, pictures.patterns, config.seed, levers.parameters
        )
        if pretrained and not levers.from_noise:
            update.start_from(pretrained)
        if not pictures.natives:
            return update
        natives = [pictures.statistics.standardise(picture) for picture in pictures.natives]
        kept = KeptPictures.of(natives, pictures.report.octaves)
        native = NativeStep(update, kept, config.seed)
        if pretrained and not levers.detail_from_noise:
            native.detail.start_from(pretrained, pictures.statistics)
        return native


def train_one(
    item: Path,
    name: Sequence[str],
    minutes: float,
    pace: Mapping[str, float] | None,
    sheet: Path,
    extra: Sequence[str],
) -> dict[str, Any]:
    """Train on a picture or a set and measure it.

    Args:
        item: file or folder.
        name: recipe and changes.
        minutes: the budget.
        pace: seconds of a step of each kind; None measures that alone.
        sheet: file of the contact sheet.
        extra: rows that no training has a part in and that are measured too.
    """
    preset, *changes = name
    old = preset == "scale_1"
    levers = read_levers("tiny" if old else preset, changes)
    sizes = OLD_WAY if old else {}
    if levers.octaves is not None:
        # Without a scale, what too few octaves leave out would be left out.
        sizes = {"octaves": levers.octaves, "scale": 1.0}
    config = TrainingConfig(
        "bench",
        (str(item),),
        preset="tiny" if old else preset,
        minutes=minutes,
        isotropic=levers.isotropic,
        learn_maps=levers.maps == "learned",
        **sizes,  # type: ignore[arg-type]
    )
    if pace is None:
        config = replace(config, minutes=None, kimg=PACED * levers.network.batch / 1000)
    watch, told = Stopwatch(pace or {}), []

    def report(news: Any) -> None:
        if isinstance(news, Notice):
            told.append(news.text)

    with tempfile.TemporaryDirectory() as home:
        run = Run.create(Path(home), "bench")
        room = Room(report, lambda: False)
        pipeline = Levered(levers)
        training = TimedTraining(watch, config, run, report, lambda _: pipeline, room)
        training.loop(lambda: False)
        for text in told:
            print(f"  {text}", file=sys.stderr)
        if pace is None:
            return watch.pace
        if levers.maps:
            return {"steps": watch.steps, **figures_of_maps(training, pipeline.real, levers.maps)}
        measured = Measured(training, pipeline.real, sheet, minutes, extra)
        return {"steps": watch.steps, **measured.figures(alone=bool(changes))}


def figures_of_maps(training: Training, source: Material, maps: str) -> dict[str, Any]:
    """How near all maps of a photo come to those that are estimated of it, and its color alone."""
    color, chosen = source["base_color"], None
    if maps == "estimated":
        chosen = Estimation()
        names = chosen.maps(("base_color",))
        source = {**source, **make_maps(color, estimate(color, False), chosen, names, {})}
    stride = training.live.info.stride
    height, width = (max(stride, min(SIDE, n) // stride * stride) for n in color.shape[:2])
    made = [
        training.live.generate(
            GenerationConfig("bench", seed, width, height, estimation=chosen)
        ).maps
        for seed in SEEDS
    ]
    judged = {"result": source, "color": {"base_color": color}}
    return {"rows": {name: rounded(NativeReference(m).row(made)) for name, m in judged.items()}}


class Measured:
    """What is measured of a finished training.

    Args:
        training: that is finished.
        real: what it learned from.
        sheet: file of the contact sheet.
        minutes: of the training.
        extra: rows that no training has a part in and that are measured too.
    """

    def __init__(
        self, training: Training, real: Material, sheet: Path, minutes: float, extra: Sequence[str]
    ):
        self._training, self._model = training, training.live
        self._octaves = training.data.octaves
        self.real = real
        self._sheet, self._minutes, self._extra = sheet, minutes, extra
        height, width = next(iter(self.real.values())).shape[:2]
        stride = self._model.info.stride
        self._size = [max(stride, min(SIDE, n) // stride * stride) for n in (height, width)]

    def figures(self, alone: bool = False) -> dict[str, Any]:
        """All that is kept of it, rows among it.

        Args:
            alone: the result without what it is compared with, which stands in the table of what has no lever.
        """
        began = time.perf_counter()
        reference = NativeReference(self.real)
        made = self.generate(self._model)
        others = {} if alone else self._without_the_network()
        if "patch_matching" in self._extra:
            others["patch_matching"] = self._patch_matched()
        rows = {"result": reference.row(made, copied=True)}
        for name, pictures in others.items():
            rows[name] = reference.row(pictures, copied=name != "lanczos")
        if self._octaves and not alone:
            rows["held_back"] = self._held_back(reference)
        if "floor" in self._extra:
            rows["floor"] = reference.floor
        if "random_phase" in self._extra:
            rows["random_phase"] = reference.random_phase()
        self.write_sheet(
            {"source": self.real, "result": made[0]}
            | {name: pictures[0] for name, pictures in others.items()}
        )
        found = {
            "rows": {name: rounded(row) for name, row in rows.items()},
            "octaves": self._octaves,
            "scale": round(self._training.data.scale, 4),
            "maps": len(self._training.data.maps),
            "size": self._size,
            "megabytes": round(self._megabytes(), 2),
            "seconds": round(self._seconds(), 2),
        }
        return found | {"measured_in": round(time.perf_counter() - began, 1)}

    def generate(self, model: Model, mip: int = 0) -> list[Material]:
        height, width = (n >> mip for n in self._size)
        return [
            dict(model.generate(GenerationConfig("bench", seed, width, height, mip=mip)).maps)
            for seed in SEEDS
        ]

    def _without_the_network(self) -> dict[str, list[Material]]:
        """The small pictures resized, and with moved detail alone; nothing where there are no octaves."""
        stage = self._model.detail
        if not stage:
            return {}
        small = self.generate(self._model, self._octaves)
        # Before its first step the network adds nothing to what was moved.
        network = MATERIAL_PRESETS[self._model.info.preset]
        silent = Upsampler(
            network.detail, stage.kept.scales.shape[-1], self._octaves, network.w_dim
        )
        moved = DetailStage(silent, stage.kept, [stage.bank(0)])
        model = Model(self._model.info, self._model.generator, self._training.named, moved)
        return {
            "lanczos": [
                {name: _enlarged(p, 1 << self._octaves) for name, p in picture.items()}
                for picture in small
            ],
            "transfer": self.generate(model),
        }

    def _patch_matched(self) -> list[Material]:
        """Pictures that were given the real one's patches, in the minutes of the training together."""
        height, width = self._size
        seconds = 60 * self._minutes / len(PAIR)
        return [
            patch_matched_like(
                self.real, (height, width), seed, seconds, lambda: time.process_time() / CORES
            )
            for seed in PAIR
        ]

    def _held_back(self, reference: NativeReference) -> Row:
        """Each half of the real small picture, with octaves drawn from what the other half's bank has for it."""
        stage = self._model.detail
        assert stage
        sizes = stage.kept.pyramid(0, self._octaves)
        half = sizes[0].shape[1] // (2 * ALIGNMENT) * ALIGNMENT
        spans = slice(0, half), slice(half, 2 * half)
        parts, drawn = [], []
        for own, other in (spans, spans[::-1]):
            there = [x[:, _finer(other, octave)] for octave, x in enumerate(sizes)]
            bank = Bank(there, stage.kept.bases)
            drawn.append(
                self._drawn(DetailStage(stage.upsampler, stage.kept, [bank]), sizes[0][:, own])
            )
            parts.append(_finer(own, self._octaves))
        return reference.part_against_part(parts, drawn)

    def _drawn(self, stage: DetailStage, small: tf.Tensor) -> Material:
        """All octaves of a picture that does not tile: it is drawn with more around it, mirrored, that is cut off."""
        margin = stage.margins(self._octaves)[0]
        height, width = small.shape[:2]
        around = [(margin, margin + -n % ALIGNMENT) for n in (height, width)]
        low = tf.constant(np.pad(small.numpy(), (*around, (0, 0)), "symmetric")[None])
        config = GenerationConfig("bench", SEEDS[0], self._size[1], self._size[0])
        w = self._model.styles.style(config, *self._model.cells(config))
        for octave in range(self._octaves):
            size = 2 * low.shape[1], 2 * low.shape[2]
            noise = fine_noise(SEEDS[0], octave, np.arange(size[0]), np.arange(size[1]), size)
            moved = stage.move(octave, low, np.zeros((1, 1), int))
            low = stage.draw(octave, low, w, noise, moved)
        rows, columns = (_finer(slice(margin, margin + n), self._octaves) for n in (height, width))
        maps = self._model.statistics.restore(low[0, rows, columns])
        return {name: picture.numpy() for name, picture in maps.items()}

    def _seconds(self) -> float:
        """Of a picture of 1024² whose graphs are warm."""
        config = GenerationConfig("bench", SEEDS[0], SIDE, SIDE)
        self._model.generate(config)
        began = time.perf_counter()
        self._model.generate(config)
        return time.perf_counter() - began

    def _megabytes(self) -> float:
        return max(f.stat().st_size for f in self._training.run.path.glob("generator-*")) / 1e6

    def write_sheet(self, pictures: Mapping[str, Material]) -> None:
        """The middle of each at its own size: a line for each map."""
        shown, labels = [], []
        for name in self.real:
            shown += [middle(picture[name]) for picture in pictures.values()]
            labels += [f"{label.replace('_', ' ')}: {name}" for label in pictures]
        side = tuple(max(p.shape[axis] for p in shown) for axis in (0, 1))
        padded = [
            np.pad(p, [(0, n - m) for n, m in zip(side, p.shape, strict=False)] + [(0, 0)])
            for p in shown
        ]
        self._sheet.parent.mkdir(parents=True, exist_ok=True)
        write_picture(self._sheet, contact_sheet(padded, labels, len(pictures)))


def _finer(span: slice, octaves: int) -> slice:
    return slice(span.start << octaves, span.stop << octaves)


def _enlarged(picture: np.ndarray, times: int) -> np.ndarray:
    """A picture that tiles, resized so that it still does."""
    around = np.pad(picture, [(LAPPED, LAPPED)] * 2 + [(0, 0)], "wrap")
    cut = LAPPED * times
    return resize(around, times)[cut:-cut, cut:-cut]


def middle(picture: np.ndarray) -> np.ndarray:
    spans = [slice((n - min(n, SHOWN)) // 2, (n + min(n, SHOWN)) // 2) for n in picture.shape[:2]]
    levels = quantise(np.asarray(picture[spans[0], spans[1]], np.float32), 8)
    return np.broadcast_to(levels, (*levels.shape[:2], 3))


def rounded(row: Row) -> Row:
    return {name: float(f"{value:.4g}") for name, value in row.items()}
