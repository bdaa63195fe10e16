"""What a client hears from a worker: frozen dataclasses that `Client.collect` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gan_worker.config import TrainingConfig
from gan_worker.errors import ErrorInfo
from gan_worker.progress import (
    DataReport,
    GenerationProgress,
    Notice,
    Preview,
    Recipe,
    Stage,
    TrainingProgress,
)
from gan_worker.wire.messages import ModelEntry, RunEntry

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Connected:
    """The worker answered. Comes again after every `LinkLost` that was overcome.

    Attributes:
        server_version: version of Tilewright on the worker's side.
        protocol: that the worker speaks, (major, minor).
        device: such as `GPU NVIDIA ...`; empty while the compute process has not been started.
        compute_state: `off starting idle busy stopping`.
    """

    server_version: str
    protocol: tuple[int, int]
    device: str
    compute_state: str


@dataclass(frozen=True)
class LinkLost:
    """Nothing was heard for so many seconds; the client goes on trying, its jobs go on."""

    seconds: float
    error: ErrorInfo


@dataclass(frozen=True)
class JobAccepted:
    """The worker has the job in its journal."""

    job: str


@dataclass(frozen=True)
class JobRejected:
    """The worker does not take the job."""

    job: str
    error: ErrorInfo


@dataclass(frozen=True)
class JobState:
    """A job's state, in order and without gaps.

    Attributes:
        job: id as returned by `Client.submit`.
        kind: `train`, `generate` or `repair`.
        name: the run or the model.
        state: one of `queued running paused cancelling succeeded failed cancelled interrupted`.
        error: why, where it failed or was interrupted.
        attempt: 1, and one more for every time the compute process died with it.
        sequence: number among the events of this client's key.
    """

    job: str
    kind: str
    name: str
    state: str
    error: ErrorInfo | None
    attempt: int
    sequence: int


@dataclass(frozen=True)
class JobReport:
    """The newest report of a running job; older ones may have been left out."""

    job: str
    report: Stage | DataReport | TrainingProgress | GenerationProgress | Notice


@dataclass(frozen=True, eq=False)
class PreviewReady:
    """The newest preview of a training, fetched and verified."""

    job: str
    preview: Preview


@dataclass(frozen=True, eq=False)
class MapReady:
    """One map of a generated material: uint8 or uint16 (height, width, channels), top row first."""

    job: str
    name: str
    pixels: NDArray[Any]


@dataclass(frozen=True, eq=False)
class MaterialReady:
    """All maps of a generated material, as `MapReady` gave them, and how it was made."""

    job: str
    recipe: Recipe
    maps: dict[str, NDArray[Any]]
    seam_ratios: dict[str, float]
    forward_seconds: float


@dataclass(frozen=True)
class ModelList:
    """The models the worker has, newest first."""

    models: tuple[ModelEntry, ...]


@dataclass(frozen=True)
class RunList:
    """The runs the worker has, newest first, with a model or without."""

    runs: tuple[RunEntry, ...]


@dataclass(frozen=True)
class RunRenamed:
    """A run, and so its model, has another name now; the new lists follow."""

    run: str
    name: str


@dataclass(frozen=True)
class RunSettings:
    """What a run was started with; its pictures as this client may name them."""

    config: TrainingConfig


@dataclass(frozen=True, eq=False)
class RunPreviewReady:
    """A small picture of what a run has learned: uint8 (height, width, 3), top row first; None where there is none."""

    run: str
    pixels: NDArray[Any] | None


@dataclass(frozen=True)
class JobList:
    """The newest jobs of this client's key, newest first; their `sequence` is 0."""

    jobs: tuple[JobState, ...]


@dataclass(frozen=True)
class WorkerStatus:
    """The compute process: `off starting idle busy stopping`, its device, memory in MiB."""

    compute_state: str
    device: str
    memory_mb: float


@dataclass(frozen=True)
class WorkerFault:
    """A refused request or an error that belongs to no job."""

    error: ErrorInfo


Event = (
    Connected
    | LinkLost
    | JobAccepted
    | JobRejected
    | JobState
    | JobReport
    | PreviewReady
    | MapReady
    | MaterialReady
    | ModelList
    | RunList
    | RunRenamed
    | RunSettings
    | RunPreviewReady
    | JobList
    | WorkerStatus
    | WorkerFault
)
