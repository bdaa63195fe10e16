"""What a training learns from: pictures at their scale, their patterns and statistics, and where they come from."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import keras
import tensorflow as tf

from gan_worker import __version__
from gan_worker.config import PRESETS, ClassicConfig, TrainingConfig
from gan_worker.errors import RequestError
from gan_worker.gan.data.dataset import Material, Pictures, read_pictures
from gan_worker.gan.data.periodicity import measure_pattern
from gan_worker.gan.data.statistics import Statistics, measure_statistics
from gan_worker.gan.data.waves import Pattern
from gan_worker.gan.generation.model import patterns_from_json
from gan_worker.gan.training import classic
from gan_worker.gan.training.materials import unique_names
from gan_worker.gan.training.pretrained import Pretrained
from gan_worker.progress import DataReport, Report, Stage
from gan_worker.runs.licences import Attribution
from gan_worker.runs.provenance import Provenance, TrainingSession, describe_pictures


@dataclass(frozen=True)
class TrainingSet:
    """All that is known before the first step.

    Attributes:
        materials: the maps of each, scaled.
        names: of the materials, each once.
        patterns: of each material; none for the preset classic.
        statistics: how maps become standardised channels.
        data: the report a person sees.
        provenance: of all that the run has learned from, this session included.
        pretrained: weights to start from; None where the run goes on, or none come with the program.
    """

    materials: tuple[Material, ...]
    names: tuple[str, ...]
    patterns: tuple[Pattern, ...]
    statistics: Statistics
    data: DataReport
    provenance: Provenance
    pretrained: Pretrained | None


def read_training_set(
    config: TrainingConfig,
    state: Mapping[str, Any],
    before: Provenance,
    report: Callable[[Report], None],
) -> TrainingSet:
    """Read and measure the pictures.

    Args:
        config: what was chosen.
        state: of the checkpoint to go on from, which keeps its scale, turns, patterns and statistics, or its weights
            would mean something else; empty at the start.
        before: where the pictures of earlier sessions came from.
        report: is told what was found.

    Raises:
        PictureError: the pictures cannot be used.
        RequestError: `invalid_config`, where a run would go on as something else.
    """
    _check_preset(config, state)
    report(Stage("reading pictures"))
    network = PRESETS[config.preset]
    small = isinstance(network, ClassicConfig)
    pictures = _read(config, state)
    if state:
        patterns = patterns_from_json(state)
    else:
        learned = () if small else pictures.materials
        patterns = tuple(measure_pattern(material, network.stride) for material in learned)
    data = pictures.report
    if any(pattern.is_any for pattern in patterns):
        data = replace(data, isotropic=False)  # turned, a pattern is another one
    report(data)
    pretrained = None if state else Pretrained.of_preset(config.preset)
    settings = {"pretrained": pretrained.hash} if pretrained else {}
    provenance = _describe(config, pictures, state.get("step", 0), settings, before, report)
    names = unique_names([entry.name for entry in data.materials])
    if not small:
        _check_materials(state, names)
    if state:
        statistics = Statistics.from_json(state["statistics"])
    else:
        statistics = classic.GREY if small else measure_statistics(pictures.materials, data.maps)
    return TrainingSet(
        pictures.materials, names, patterns, statistics, data, provenance, pretrained
    )


def _read(config: TrainingConfig, state: Mapping[str, Any]) -> Pictures:
    network = PRESETS[config.preset]
    if isinstance(network, ClassicConfig):
        return classic.read_small_pictures(config.pictures, network.side)
    scale = state.get("scale") or config.scale
    turned = state.get("turned", False) if state else config.isotropic
    read = read_pictures(config.pictures, network.crop, scale, turned)
    return _with_maps(read, tuple(state["statistics"])) if state else read


def _with_maps(read: Pictures, names: tuple[str, ...]) -> Pictures:
    """What was read, with the maps alone that a run was started with: files may have come since, or be known since.

    Raises:
        RequestError: `invalid_config`, where one of them is missing.
    """
    missing = [name for name in names if name not in read.report.maps]
    if missing:
        raise RequestError(
            "invalid_config",
            f"A run keeps the maps it was started with; it learned {', '.join(names)}, and the pictures have no "
            f"{', '.join(missing)}.",
            "Resume with the same pictures, or start a new run with these.",
        )
    others = [name for name in read.report.maps if name not in names]
    notes = [f"{name} is left out: the run was started without it." for name in others]
    entries = tuple(replace(entry, maps=names) for entry in read.report.materials)
    report = replace(read.report, materials=entries, maps=names, notes=(*read.report.notes, *notes))
    materials = tuple({name: m[name] for name in names} for m in read.materials)
    return replace(read, materials=materials, report=report)


def _describe(
    config: TrainingConfig,
    pictures: Pictures,
    step: int,
    more: dict[str, Any],
    before: Provenance,
    report: Callable[[Report], None],
) -> Provenance:
    """Where the pictures come from, added to what the run has learned from before, and with what it was trained."""
    attribution = Attribution(config.author, config.license, config.source)
    described = describe_pictures(pictures.files, config.pictures, attribution, report)
    told = ("pictures", "run", "resume", "author", "license", "source")
    settings = {name: value for name, value in asdict(config).items() if name not in told} | more
    versions = {
        "tilewright": __version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    return before.extended(described, TrainingSession(step, settings, versions))


def _check_preset(config: TrainingConfig, state: Mapping[str, Any]) -> None:
    if state and state["preset"] != config.preset:
        raise RequestError(
            "invalid_config",
            f"A run keeps its preset; this one was started as {state['preset']}, received "
            f"{config.preset}.",
            "Resume with the same preset, or start a new run.",
        )


def _check_materials(state: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """A network that knows several materials by name knows those it was started with."""
    before = tuple(state.get("materials", names))
    if names == before or max(len(names), len(before)) == 1:
        return
    odd = sorted(set(names) ^ set(before)) or ["their order"]
    raise RequestError(
        "invalid_config",
        f"A run keeps the materials it was started with; it had {len(before)}, received {len(names)}, and they "
        f"differ in {', '.join(odd[:3])}.",
        "Resume with the same pictures, or start a new run with these.",
    )
