"""What a training learns from: pictures at their scale, their patterns and statistics, and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gan_worker.config import TrainingConfig
from gan_worker.errors import Cancelled, RequestError
from gan_worker.gan.data.dataset import MeasuredPictures, Tell
from gan_worker.gan.training.pretrained import Pretrained
from gan_worker.progress import Report, Stage
from gan_worker.runs.provenance import Provenance, describe_training

if TYPE_CHECKING:
    from gan_worker.runs.estimators import Weights

# Reads and measures the pictures of a config, or takes what was measured from the state of a checkpoint, if any.
Read = Callable[[TrainingConfig, Mapping[str, Any], "Weights", Tell], MeasuredPictures]


@dataclass(frozen=True)
class TrainingSet:
    """All that is known before the first step.

    Attributes:
        pictures: scaled and measured.
        provenance: of all that the run has learned from, this session included.
        pretrained: weights to start from; None where the run goes on, or none come with the program.
    """

    pictures: MeasuredPictures
    provenance: Provenance
    pretrained: Pretrained | None


def read_training_set(
    config: TrainingConfig,
    read: Read,
    state: Mapping[str, Any],
    before: Provenance,
    weights: Weights,
    report: Callable[[Report], None],
    should_stop: Callable[[], bool],
) -> TrainingSet:
    """Read and measure the pictures.

    Args:
        config: what was chosen.
        read: of the networks' pipeline.
        state: of the checkpoint to go on from, which keeps its scale, turns, patterns and statistics, or its weights
            would mean something else; empty at the start.
        before: where the pictures of earlier sessions came from.
        weights: of the estimator.
        report: is told how far it is, and what was found.
        should_stop: is asked before each of several sets.

    Raises:
        Cancelled: `should_stop` said so; there is nothing yet to keep.
        PictureError: the pictures cannot be used.
        RequestError: `invalid_config`, where a run would go on as something else.
    """

    def tell(text: str) -> None:
        if should_stop():
            raise Cancelled
        report(Stage(text))

    _check_preset(config, state)
    report(Stage("reading pictures"))
    pictures = read(config, state, weights, tell)
    report(pictures.report)
    pretrained = None if state else Pretrained.of_preset(config.preset)
    settings = {"pretrained": pretrained.hash} if pretrained else {}
    settings |= {"estimator_hash": weights.hash} if config.learn_maps else {}
    step = state.get("step", 0)
    provenance = before.extended(*describe_training(config, pictures.files, step, settings, report))
    _check_materials(state, pictures.names)
    return TrainingSet(pictures, provenance, pretrained)


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
