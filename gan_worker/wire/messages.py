"""The messages of the wire: one frozen dataclass for the body of each type, which is its entry in the registry too.

A new question and its answer are two classes here, a handler in `server.handlers`, and who asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from gan_worker.config import Recipe, TrainingConfig
from gan_worker.errors import ErrorInfo
from gan_worker.progress import DataReport, GenerationProgress, Notice, Stage, TrainingProgress

JobKind = Literal["train", "generate", "repair"]
State = Literal[
    "queued", "running", "paused", "cancelling", "succeeded", "failed", "cancelled", "interrupted"
]
Action = Literal["pause", "resume", "stop", "cancel"]
ComputeState = Literal["off", "starting", "idle", "busy", "stopping"]
THUMBNAIL_SIDE = 96
FINAL_STATES = frozenset({"succeeded", "failed", "cancelled", "interrupted"})


class Body:
    """What a message carries.

    Attributes:
        wire_type: its name on the wire, which never changes: that of the class in snake case, where no other is given.
    """

    wire_type: ClassVar[str]

    def __init_subclass__(cls, wire_type: str = "") -> None:
        cls.wire_type = wire_type or re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


class Request(Body):
    """What a client sends on control."""


class Reply(Body):
    """What the server sends a client on control; what a client does not need itself it hands on as it came."""


class LatestReply(Reply):
    """One of which only the newest counts: a client says how many it has seen."""


@dataclass(frozen=True)
class Blob:
    """Bytes in the result store: name below the job, size, sha256 and what they are."""

    name: str
    size: int
    sha256: str
    shape: tuple[int, ...]
    dtype: Literal["uint8", "uint16"]


@dataclass(frozen=True)
class Result:
    """What a generate or repair job made; the maps are pulled as blobs."""

    recipe: Recipe
    maps: dict[str, Blob]
    seam_ratios: dict[str, float] = field(default_factory=dict)
    forward_seconds: float = 0.0


# ---- client to server


@dataclass(frozen=True)
class Hello(Request):
    """First message of a client: what it is, for the log; warm: work will follow, so it is time to get ready."""

    client: str = ""
    version: str = ""
    warm: bool = False


@dataclass(frozen=True)
class Subscribe(Request):
    """Ask for the state events after this number; None for those from now on."""

    after: int | None = None


@dataclass(frozen=True)
class Submit(Request):
    """Ask for a job. On a channel, a newer generate job cancels older ones that still wait."""

    job: str
    kind: JobKind
    config: dict[str, Any]
    channel: str = ""


@dataclass(frozen=True)
class Command(Request):
    """Ask a job to pause, resume, stop (keeps a checkpoint) or cancel (keeps nothing new)."""

    job: str
    action: Action


@dataclass(frozen=True)
class AskModels(Request, wire_type="models"):
    """Ask which models there are, from one on: 0, or since 1.6 the `next` of a `ModelList`."""

    first: int = 0


@dataclass(frozen=True)
class AskRuns(Request, wire_type="runs"):
    """Ask which runs there are, with a model or without, from one on, as `AskModels`. Since 1.1."""

    first: int = 0


@dataclass(frozen=True)
class AskRunSettings(Request, wire_type="run_settings"):
    """Ask what a run was started with. Since 1.1."""

    run: str


@dataclass(frozen=True)
class AskRunPreview(Request, wire_type="run_preview"):
    """Ask for a small picture of what a run has learned. Since 1.2."""

    run: str


@dataclass(frozen=True)
class RenameRun(Request):
    """Give a run, and so its model, another name. Since 1.1."""

    run: str
    name: str


@dataclass(frozen=True)
class DeleteRun(Request):
    """Delete a run with its model and checkpoints, for good. Since 1.1."""

    run: str


@dataclass(frozen=True)
class Release(Request):
    """End the compute process, which is idle, so that its memory returns. Since 1.1."""


@dataclass(frozen=True)
class AskStorage(Request, wire_type="storage"):
    """Ask how large the worker's folder is. Since 1.4."""


@dataclass(frozen=True)
class Tidy(Request):
    """Remove from the worker's folder what nobody needs any more; only for who started it. Since 1.4."""


@dataclass(frozen=True)
class AskJobs(Request, wire_type="jobs"):
    """Ask for the newest jobs of this owner."""


@dataclass(frozen=True)
class AskResult(Request, wire_type="result"):
    """Ask for a job's last state once more, with its result."""

    job: str


@dataclass(frozen=True)
class Ping(Request):
    """Are you there?"""


@dataclass(frozen=True)
class Shutdown(Request):
    """Stop the training with a checkpoint, then end the worker."""


@dataclass(frozen=True)
class Goodbye(Request):
    """This client leaves; its jobs go on."""


@dataclass(frozen=True)
class Seen(Request):
    """So many latest-wins events were taken in."""

    count: int


@dataclass(frozen=True)
class Fetch(Body):
    """Ask for a piece of a blob (bulk)."""

    job: str
    name: str
    offset: int
    length: int


# ---- server to client


@dataclass(frozen=True)
class Welcome(Reply):
    """Answer to hello; the session goes into the head of what follows."""

    server_version: str
    device: str
    compute_state: ComputeState
    session: str
    protocol: tuple[int, int] = (1, 0)


@dataclass(frozen=True)
class Subscribed(Reply):
    """Events after `after` follow; `missed` where some are no longer kept: ask for the jobs."""

    after: int
    missed: bool = False


@dataclass(frozen=True)
class JobAccepted(Reply, wire_type="accepted"):
    """The job is in the journal."""

    job: str
    duplicate: bool = False


@dataclass(frozen=True)
class JobRejected(Reply, wire_type="rejected"):
    """The job is not taken, and nothing of it is kept."""

    job: str
    error: ErrorInfo


@dataclass(frozen=True)
class Done(Reply):
    """The request was carried out or is on its way."""


@dataclass(frozen=True)
class Error(Reply):
    """The request was refused."""

    error: ErrorInfo


@dataclass(frozen=True)
class Pong(Reply):
    """I am here."""


@dataclass(frozen=True)
class UnknownSession(Reply):
    """The server does not know this client (any more)."""


@dataclass(frozen=True)
class JobState(Reply, wire_type="state"):
    """A job is in this state now; its number stands in the head."""

    job: str
    kind: JobKind
    name: str
    state: State
    error: ErrorInfo | None = None
    attempt: int = 1
    result: Result | None = None


@dataclass(frozen=True)
class ReportEvent(LatestReply, wire_type="report"):
    """One report of a running job, by the name of its dataclass."""

    job: str
    kind: Literal["Stage", "DataReport", "TrainingProgress", "GenerationProgress", "Notice"]
    report: dict[str, Any]


@dataclass(frozen=True)
class PreviewEvent(LatestReply, wire_type="preview"):
    """There is a newer preview."""

    job: str
    step: int
    blob: Blob


@dataclass(frozen=True)
class WorkerStatus(LatestReply, wire_type="status"):
    """How the compute process is."""

    compute_state: ComputeState
    device: str = ""
    memory_mb: float = 0.0


@dataclass(frozen=True)
class WorkerFault(Reply, wire_type="fault"):
    """An error that belongs to no job."""

    error: ErrorInfo


@dataclass(frozen=True)
class ModelEntry:
    """One model, as a panel needs it.

    `directions` are those worth a slider, the strongest first; `copied` is the share of its pieces that are copies of
    training pictures, 0..1, or None where that was not measured. `octaves`, `scale` and `tile` (since 1.5) are those of
    `ModelInfo`, `tileable` (since 1.5) tells whether its pictures close at their borders, and a `retired` one (since
    1.5) is not offered any more. `pixel_size` (since 1.5) is that of `ModelInfo`.
    """

    name: str
    hash: str
    stride: int
    z_dim: int
    maps: tuple[str, ...]
    preset: str = ""
    created: str = ""
    step: int = 0
    kimg: float = 0.0
    live: bool = False
    styles: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    copied: float | None = None
    octaves: int = 0
    scale: float = 1.0
    tile: tuple[int, int] | None = None
    tileable: bool = True
    retired: bool = False
    pixel_size: float = 0.0


@dataclass(frozen=True)
class Unreadable:
    """A folder that would be a model if it could be read, or a model of which not all can be told, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class EstimatorEntry:
    """What estimates maps: a run's name, empty for what comes with the worker, and letters of its weights' hash."""

    name: str
    hash: str


@dataclass(frozen=True)
class ModelList(Reply):
    """The models, those trained here first, the newest at the top, then the program's by name; `complete` is false
    where there are too many for one message, and `next` (since 1.6) is then the `first` to ask for the others with.

    `unreadable` (since 1.4) are those that cannot be listed, or not with all there is of them. `estimators` (since 1.5)
    are what maps can be estimated with, the worker's own first. Both come with the first models.
    """

    models: tuple[ModelEntry, ...]
    complete: bool = True
    unreadable: tuple[Unreadable, ...] = ()
    estimators: tuple[EstimatorEntry, ...] = ()
    next: int = 0


@dataclass(frozen=True)
class RunEntry:
    """One run, as a panel needs it.

    Attributes:
        name: of the run, and of its model.
        created: when its model was saved last, or when its folder changed last; ISO 8601 in UTC.
        preset: size of its networks.
        kimg: thousands of crops its model has seen.
        minutes: spent in training steps, over all resumes.
        size: of all its files, bytes.
        has_model: whether it can generate.
        training: whether it waits or trains now.
        critic_auc: how surely a fresh critic tells this model from real pictures, 0.5 never to 1 always;
            None where `gan-worker evaluate` was not asked.
        figures: metric → value of its newest preview that was measured, as in `TrainingProgress`; `copied`
            is that of its model.
        problem: what of its folder cannot be read, and why; empty where all can. Since 1.4.
    """

    name: str
    created: str
    preset: str
    kimg: float
    minutes: float
    size: int
    has_model: bool
    training: bool
    critic_auc: float | None = None
    figures: dict[str, float] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class RunList(Reply):
    """The runs, newest first; `complete` and `next` as of `ModelList`."""

    runs: tuple[RunEntry, ...]
    complete: bool = True
    next: int = 0


@dataclass(frozen=True)
class RunConfig(Reply):
    """What a run was started with, its pictures as the client may name them."""

    run: str
    config: TrainingConfig


@dataclass(frozen=True)
class RunPicture(Reply):
    """The newest preview of a run, small; without pixels where there is none.

    Attributes:
        run: its name.
        height: pixels, `THUMBNAIL_SIDE` at most, and so is the width.
        width: pixels.
        pixels: uint8 (height, width, 3), top row first, compressed by zlib, in Base64.
    """

    run: str
    height: int = 0
    width: int = 0
    pixels: str = ""


@dataclass(frozen=True)
class StorageSizes(Reply):
    """How large the worker's folder is, in bytes.

    Attributes:
        runs: all runs with their models and checkpoints.
        state: all else: journal, results, logs and keys.
        free: on its disk.
        freed: by the tidying that this answers.
    """

    runs: int
    state: int
    free: int
    freed: int = 0


@dataclass(frozen=True)
class JobList(Reply):
    """The newest jobs of this owner without results: those that go on, as they came, then others, newest first."""

    jobs: tuple[JobState, ...]


@dataclass(frozen=True)
class Chunk(Body):
    """A piece of a blob; its bytes are the third frame (bulk)."""

    job: str
    name: str
    offset: int


# ---- server and compute process


@dataclass(frozen=True)
class ComputeReady(Body):
    """The compute process is up and knows its device."""

    device: str


@dataclass(frozen=True)
class Beat(Body):
    """The compute process is between two steps; `work` counts them, and `heard` the commands it has taken."""

    work: int
    memory_mb: float = 0.0
    heard: int = 0


@dataclass(frozen=True)
class RunJob(Body, wire_type="run"):
    """Run this job; pictures are resolved paths here."""

    job: str
    kind: JobKind
    config: dict[str, Any]
    attempt: int = 1


@dataclass(frozen=True)
class Finished(Body):
    """The job ended: well, with an error, or cancelled (an error with that code)."""

    job: str
    error: ErrorInfo | None = None
    result: Result | None = None


@dataclass(frozen=True)
class Leave(Body):
    """Save a checkpoint of what is training, then end."""


def _leaves(kind: type[Body]) -> Iterator[type[Body]]:
    for inner in kind.__subclasses__():
        yield from _leaves(inner)
    if not kind.__subclasses__():
        yield kind


BODIES: dict[str, type[Body]] = {body.wire_type: body for body in _leaves(Body)}
REPORTS: dict[str, type[Any]] = {
    c.__name__: c for c in (Stage, DataReport, TrainingProgress, GenerationProgress, Notice)
}
