"""What a client hears from a worker: frozen dataclasses that `Client.collect` returns.

Those here the client makes; the others are messages, handed on as they came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gan_worker.wire.messages import Reply

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gan_worker.config import Recipe
    from gan_worker.errors import ErrorInfo
    from gan_worker.progress import (
        DataReport,
        GenerationProgress,
        Notice,
        Preview,
        Stage,
        TrainingProgress,
    )


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
class ResultLost:
    """The pixels of a job that has ended do not come, and why."""

    job: str
    error: ErrorInfo


@dataclass(frozen=True)
class RunRenamed:
    """A run, and so its model, has another name now; the new lists follow."""

    run: str
    name: str


@dataclass(frozen=True, eq=False)
class RunPreviewReady:
    """A small picture of what a run has learned: uint8 (height, width, 3), top row first; None where there is none."""

    run: str
    pixels: NDArray[Any] | None


Event = (
    Connected
    | LinkLost
    | JobReport
    | PreviewReady
    | MapReady
    | MaterialReady
    | ResultLost
    | RunRenamed
    | RunPreviewReady
    | Reply
)
