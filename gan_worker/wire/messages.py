"""The messages of the wire: one frozen dataclass for the body of each type."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from gan_worker.errors import ErrorInfo
from gan_worker.progress import (
    DataReport,
    GenerationProgress,
    Notice,
    Recipe,
    Stage,
    TrainingProgress,
)

JobKind = Literal["train", "generate", "repair"]
State = Literal[
    "queued", "running", "paused", "cancelling", "succeeded", "failed", "cancelled", "interrupted"
]
Action = Literal["pause", "resume", "stop", "cancel"]
ComputeState = Literal["off", "starting", "idle", "busy", "stopping"]
SIDE_LIMIT = 16384
THUMBNAIL_SIDE = 96
FINAL_STATES = frozenset({"succeeded", "failed", "cancelled", "interrupted"})


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
class Hello:
    """First message of a client: what it is, for the log."""

    client: str = ""
    version: str = ""


@dataclass(frozen=True)
class Subscribe:
    """Ask for the state events after this number; None for those from now on."""

    after: int | None = None


@dataclass(frozen=True)
class Submit:
    """Ask for a job. On a channel, a newer generate job cancels older ones that still wait."""

    job: str
    kind: JobKind
    config: dict[str, Any]
    channel: str = ""


@dataclass(frozen=True)
class Command:
    """Ask a job to pause, resume, stop (keeps a checkpoint) or cancel (keeps nothing new)."""

    job: str
    action: Action


@dataclass(frozen=True)
class Models:
    """Ask which models there are."""


@dataclass(frozen=True)
class Runs:
    """Ask which runs there are, with a model or without. Since 1.1."""


@dataclass(frozen=True)
class RunSettings:
    """Ask what a run was started with. Since 1.1."""

    run: str


@dataclass(frozen=True)
class RunPreview:
    """Ask for a small picture of what a run has learned. Since 1.2."""

    run: str


@dataclass(frozen=True)
class RenameRun:
    """Give a run, and so its model, another name. Since 1.1."""

    run: str
    name: str


@dataclass(frozen=True)
class DeleteRun:
    """Delete a run with its model and checkpoints, for good. Since 1.1."""

    run: str


@dataclass(frozen=True)
class Release:
    """End the compute process, which is idle, so that its memory returns. Since 1.1."""


@dataclass(frozen=True)
class Jobs:
    """Ask for the newest jobs of this owner."""


@dataclass(frozen=True)
class AskResult:
    """Ask for a job's last state once more, with its result."""

    job: str


@dataclass(frozen=True)
class Ping:
    """Are you there?"""


@dataclass(frozen=True)
class Shutdown:
    """Stop the training with a checkpoint, then end the worker."""


@dataclass(frozen=True)
class Goodbye:
    """This client leaves; its jobs go on."""


@dataclass(frozen=True)
class Seen:
    """So many latest-wins events were taken in."""

    count: int


@dataclass(frozen=True)
class Fetch:
    """Ask for a piece of a blob (bulk)."""

    job: str
    name: str
    offset: int
    length: int


# ---- server to client


@dataclass(frozen=True)
class Welcome:
    """Answer to hello; the session goes into the head of what follows."""

    server_version: str
    device: str
    compute_state: ComputeState
    session: str
    protocol: tuple[int, int] = (1, 0)


@dataclass(frozen=True)
class Subscribed:
    """Events after `after` follow; `missed` where some are no longer kept: ask for the jobs."""

    after: int
    missed: bool = False


@dataclass(frozen=True)
class Accepted:
    """The job is in the journal."""

    job: str
    duplicate: bool = False


@dataclass(frozen=True)
class Rejected:
    """The job is not taken, and nothing of it is kept."""

    job: str
    error: ErrorInfo


@dataclass(frozen=True)
class Done:
    """The request was carried out or is on its way."""


@dataclass(frozen=True)
class Error:
    """The request was refused."""

    error: ErrorInfo


@dataclass(frozen=True)
class Pong:
    """I am here."""


@dataclass(frozen=True)
class UnknownSession:
    """The server does not know this client (any more)."""


@dataclass(frozen=True)
class JobEvent:
    """A job is in this state now; its number stands in the head."""

    job: str
    kind: JobKind
    name: str
    state: State
    error: ErrorInfo | None = None
    attempt: int = 1
    result: Result | None = None


@dataclass(frozen=True)
class ReportEvent:
    """One report of a running job, by the name of its dataclass."""

    job: str
    kind: Literal["Stage", "DataReport", "TrainingProgress", "GenerationProgress", "Notice"]
    report: dict[str, Any]


@dataclass(frozen=True)
class PreviewEvent:
    """There is a newer preview."""

    job: str
    step: int
    blob: Blob


@dataclass(frozen=True)
class Status:
    """How the compute process is."""

    compute_state: ComputeState
    device: str = ""
    memory_mb: float = 0.0


@dataclass(frozen=True)
class Fault:
    """An error that belongs to no job."""

    error: ErrorInfo


@dataclass(frozen=True)
class ModelEntry:
    """One model, as a panel needs it.

    `directions` are those worth a slider, the strongest first; `copied` is the share of its pieces that are copies of
    training pictures, 0..1, or None where that was not measured.
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


@dataclass(frozen=True)
class ModelList:
    """The models, newest first; `complete` is false where there are too many for one message."""

    models: tuple[ModelEntry, ...]
    complete: bool = True


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


@dataclass(frozen=True)
class RunList:
    """The runs, newest first; `complete` is false where there are too many for one message."""

    runs: tuple[RunEntry, ...]
    complete: bool = True


@dataclass(frozen=True)
class RunConfig:
    """What a run was started with: fields of `config.TrainingConfig`, pictures as the client may name them."""

    run: str
    config: dict[str, Any]


@dataclass(frozen=True)
class RunPicture:
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
class JobList:
    """The newest jobs of this owner, newest first, without results."""

    jobs: tuple[JobEvent, ...]


@dataclass(frozen=True)
class Chunk:
    """A piece of a blob; its bytes are the third frame (bulk)."""

    job: str
    name: str
    offset: int


# ---- server and compute process


@dataclass(frozen=True)
class ComputeReady:
    """The compute process is up and knows its device."""

    device: str


@dataclass(frozen=True)
class Beat:
    """The compute process is between two steps; `work` counts them."""

    work: int
    memory_mb: float = 0.0


@dataclass(frozen=True)
class Run:
    """Run this job; pictures are resolved paths here."""

    job: str
    kind: JobKind
    config: dict[str, Any]
    attempt: int = 1


@dataclass(frozen=True)
class Finished:
    """The job ended: well, with an error, or cancelled (an error with that code)."""

    job: str
    error: ErrorInfo | None = None
    result: Result | None = None


@dataclass(frozen=True)
class Leave:
    """Save a checkpoint of what is training, then end."""


BODIES: dict[str, type[Any]] = {
    "hello": Hello,
    "subscribe": Subscribe,
    "submit": Submit,
    "command": Command,
    "models": Models,
    "runs": Runs,
    "run_settings": RunSettings,
    "run_preview": RunPreview,
    "rename_run": RenameRun,
    "delete_run": DeleteRun,
    "release": Release,
    "jobs": Jobs,
    "result": AskResult,
    "ping": Ping,
    "shutdown": Shutdown,
    "goodbye": Goodbye,
    "seen": Seen,
    "fetch": Fetch,
    "welcome": Welcome,
    "subscribed": Subscribed,
    "accepted": Accepted,
    "rejected": Rejected,
    "done": Done,
    "error": Error,
    "pong": Pong,
    "unknown_session": UnknownSession,
    "state": JobEvent,
    "report": ReportEvent,
    "preview": PreviewEvent,
    "status": Status,
    "fault": Fault,
    "model_list": ModelList,
    "run_list": RunList,
    "run_config": RunConfig,
    "run_picture": RunPicture,
    "job_list": JobList,
    "chunk": Chunk,
    "compute_ready": ComputeReady,
    "beat": Beat,
    "run": Run,
    "finished": Finished,
    "leave": Leave,
}
TYPES: dict[type[Any], str] = {body: name for name, body in BODIES.items()}
REPORTS: dict[str, type[Any]] = {
    c.__name__: c for c in (Stage, DataReport, TrainingProgress, GenerationProgress, Notice)
}
