"""Pipelines: what differs in a training from one kind of network to another; the loop drives any of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from gan_worker.config import ClassicConfig, NetworkConfig, TrainingConfig, network_of
from gan_worker.gan.data.dataset import (
    Dataset,
    MeasuredPictures,
    Pictures,
    Tell,
    measure_pictures,
    read_pictures,
    with_maps,
)
from gan_worker.gan.detail.bank import KeptPictures
from gan_worker.gan.estimation.training_photos import photo_maps
from gan_worker.gan.training.classic import ClassicPipeline
from gan_worker.gan.training.gpus import divide_training
from gan_worker.gan.training.native import NativeStep
from gan_worker.gan.training.step import TrainingStep, recipe

if TYPE_CHECKING:
    from gan_worker.gan.training.pretrained import Pretrained
    from gan_worker.progress import Notice
    from gan_worker.runs.estimators import Weights

PREVIEW_CELLS = 24


class Networks(Protocol):
    """The networks in training and the step that improves them: `step.TrainingStep` and what has its interface.

    Attributes:
        parameters: a dataclass of how they are updated.
        rate_factor: on the learning rate, lowered by a training that went wrong.
        ema_generator: the running mean of the generator, which is what a model is made of.
    """

    parameters: Any
    rate_factor: float
    ema_generator: Any

    def variables(self) -> dict[str, list]:
        """All variables that make the next step what it is, by group."""

    def restored(self) -> None:
        """Work out again what follows from variables that were given values."""

    def step(self, number: int, fraction: float) -> dict[str, Any]:
        """Update the networks once, at this step and share of the budget; losses by name, scalars."""

    def divide(self) -> bool:
        """Take less memory: work batches off in smaller parts, with the same result; False where there are none."""

    def named_styles(self, names: Sequence[str]) -> Mapping[str, np.ndarray]:
        """The style w of each material that they know by name."""


class Pipeline(Protocol):
    """What the loop asks of a kind of network.

    Attributes:
        preview_cells: side of a preview on the latent grid.
    """

    preview_cells: int

    @property
    def network(self) -> NetworkConfig | ClassicConfig:
        """Sizes."""

    def read(
        self, config: TrainingConfig, state: Mapping[str, Any], weights: Weights, tell: Tell
    ) -> MeasuredPictures:
        """Read the pictures and measure them, or take what was measured from the state of a checkpoint, if any.

        The weights are those of the estimator, which all maps of photos are learned with where that is wanted. Of
        several sets each is told of.
        """

    def new_update(
        self,
        config: TrainingConfig,
        pictures: MeasuredPictures,
        pretrained: Pretrained | None,
        report: Callable[[Notice], None],
    ) -> Networks:
        """The networks with first weights: those that come with the program, where there are any, else random ones."""

    def real_pictures(self, pictures: MeasuredPictures) -> list[np.ndarray]:
        """What previews are measured against: real pictures of the first map, as a preview shows its own."""


class MaterialPipeline:
    """The pipeline of the networks that make seamless materials.

    Args:
        network: sizes; that several materials are toned is known when they are read.
    """

    preview_cells = PREVIEW_CELLS

    def __init__(self, network: NetworkConfig):
        self.network = network

    def read(
        self, config: TrainingConfig, state: Mapping[str, Any], weights: Weights, tell: Tell
    ) -> MeasuredPictures:
        scale, octaves, turned = config.scale, config.octaves, config.isotropic
        if state:
            scale, octaves = _resumed_detail(state, config.octaves)
            turned = state.get("turned", False)
        pictures = read_pictures(
            config.pictures,
            self.network.crop,
            scale,
            turned,
            octaves,
            config.prepare,
            photo_maps(weights) if config.learn_maps else None,
            tell,
        )
        if state:
            pictures = with_maps(pictures, tuple(state["statistics"]))
            pictures = _with_note(pictures, config.octaves)
        elif len(pictures.materials) > 1:
            self.network = replace(self.network, toned=True)
        return measure_pictures(pictures, self.network.stride, state, tell)

    def new_update(
        self,
        config: TrainingConfig,
        pictures: MeasuredPictures,
        pretrained: Pretrained | None,
        report: Callable[[Notice], None],
    ) -> TrainingStep | NativeStep:
        network = self.network
        dataset = self.new_dataset(pictures)
        hyperparameters = recipe(config.preset)
        strategy = divide_training(config.gpus, network.batch, report)
        update = TrainingStep(
            network, dataset, pictures.patterns, config.seed, hyperparameters, strategy
        )
        if pretrained:
            update.start_from(pretrained)
        if not pictures.natives:
            return update
        natives = [pictures.statistics.standardise(native) for native in pictures.natives]
        kept = KeptPictures.of(natives, pictures.report.octaves)
        native = NativeStep(update, kept, config.seed)
        if pretrained:
            native.detail.start_from(pretrained, pictures.statistics)
        return native

    def new_dataset(self, pictures: MeasuredPictures) -> Dataset:
        """What crops are taken from."""
        return Dataset(
            pictures.materials, pictures.statistics, pictures.report.turned, self.network.toned
        )

    def real_pictures(self, pictures: MeasuredPictures) -> list[np.ndarray]:
        return [material[pictures.report.maps[0]] for material in pictures.materials]


def _resumed_detail(state: Mapping[str, Any], asked: int | None) -> tuple[float, int]:
    """The scale and the octaves that a run goes on with: what it has, and more up to its pictures' own size.

    What was asked for at its start is asked for again each time it goes on, and was the most it might have.
    """
    scale, before = state["scale"], state.get("octaves", 0)
    room = max(0, math.floor(-math.log2(scale)))
    added = min(max(0, (asked or 0) - before), room)
    return scale * 2.0**added, before + added


def _with_note(pictures: Pictures, asked: int | None) -> Pictures:
    """With a sentence where a run goes on with other octaves than were asked for."""
    report = pictures.report
    if asked is None or asked == report.octaves:
        return pictures
    more = "More would enlarge the pictures, which brings no detail."
    fewer = "A run keeps those it has; start a new one for fewer."
    reason = more if asked > report.octaves else fewer
    note = f"Octaves of detail: {report.octaves} instead of {asked}. {reason}"
    return replace(pictures, report=replace(report, notes=(*report.notes, note)))


def new_pipeline(preset: str, state: Mapping[str, Any]) -> Pipeline:
    """The pipeline of a preset's networks, or of those that a run was begun with.

    Args:
        preset: that was chosen.
        state: of the checkpoint to go on from; empty at the start.
    """
    network = network_of(preset, state)
    if isinstance(network, ClassicConfig):
        return ClassicPipeline(network)
    assert isinstance(network, NetworkConfig)
    return MaterialPipeline(network)
