"""What is known of each job of this session, and the generations that wait to be sent."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gan_worker.config import GenerationConfig, JobConfig, TrainingConfig
from gan_worker.progress import DataReport, GenerationProgress, Notice, Stage, TrainingProgress

if TYPE_CHECKING:
    from gan_worker.client.events import MaterialReady
    from gan_worker.errors import ErrorInfo

ENDED = ("succeeded", "failed", "cancelled")
# Generations the worker has at once; more wait here, so that it is never told to wait by it.
MOST_SENT = 16
MOST_POINTS = 500


@dataclass(eq=False)
class Job:
    """What is known of one job of this session.

    Attributes:
        id: made on this side; names the job on both.
        kind: `train`, `generate` or `repair`.
        name: of the run or the model.
        target: uuid of the material that a result is for; empty for training.
        purpose: what a result is for, in a word of who asked; who registered for it with the pump gets it.
        receive: is given the pixels instead.
        note: what who asked wants to know again when the result comes.
        state: a job state of the protocol; `sent` until the worker answered.
        config: what was asked for.
        stage: what the worker is busy with, in words.
        figures: metric of a training's previews → (minutes, value), by time.
        result: recipe, seam ratios and times of a finished generation; the pixels are only in the
            event, which listeners and `tick` give out, so that memory stays flat.
    """

    id: str
    kind: str
    name: str
    target: str = ""
    purpose: str = ""
    receive: Callable[[MaterialReady], None] | None = None
    note: object = None
    state: str = "sent"
    config: JobConfig = field(kw_only=True)
    stage: str = ""
    error: ErrorInfo | None = None
    attempt: int = 1
    data_report: DataReport | None = None
    progress: TrainingProgress | None = None
    pieces: GenerationProgress | None = None
    notices: list[str] = field(default_factory=list)
    figures: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    result: MaterialReady | None = None

    @property
    def generation(self) -> GenerationConfig | None:
        """What was asked for, of a generation."""
        return self.config if isinstance(self.config, GenerationConfig) else None

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def failure(self) -> ErrorInfo | None:
        """Why it came to no end; nothing where it goes on, as another attempt."""
        return self.error if self.state in ("failed", "interrupted") else None

    @property
    def done(self) -> bool:
        """Ended, and nothing more will come: a generation's pixels follow its last state."""
        awaits_pixels = self.kind != "train" and self.state == "succeeded"
        return self.ended and not (awaits_pixels and self.result is None)

    @property
    def under_way(self) -> bool:
        """Whether more is due of it; what was interrupted goes on where its worker says so, and else never."""
        return not self.done and self.state != "interrupted"

    def take_report(self, report: Any) -> None:
        """Bring up to date what its work tells of itself."""
        match report:
            case Stage():
                self.stage = report.text
            case DataReport():
                self.data_report = report
            case TrainingProgress():
                self.progress, self.stage = report, "training"
                _add_figures(self.figures, report)
            case GenerationProgress():
                self.pieces = report
            case Notice() if report.text not in self.notices:  # it may be told again
                self.notices.append(report.text)


def earlier_training(job: str, name: str) -> Job:
    """A training that an earlier session began: its id and name are all that is told; its run knows the rest."""
    return Job(job, "train", name, purpose="training", config=TrainingConfig(name))


def _add_figures(figures: dict[str, list[tuple[float, float]]], report: TrainingProgress) -> None:
    for name, value in report.figures.items():
        points = figures.setdefault(name, [])
        points.append((report.seconds / 60, value))
        if len(points) > MOST_POINTS:  # of a long training every second one tells as much
            del points[1::2]


class Backlog:
    """Generations in the order in which they were asked for; the worker has a few of them at a time."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._sent: list[Job] = []
        self._hold_until = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, job: Job) -> None:
        """Let a generation wait for its turn."""
        self._waiting.append(job)

    def withdraw(self, job: Job) -> bool:
        """Forget a generation that is not wanted any more; False where it was sent already."""
        if job not in self._waiting:
            return False
        self._waiting.remove(job)
        job.state = "cancelled"
        return True

    def put_back(self, job: Job, seconds: float) -> None:
        """The worker takes no more for so long: this one is sent again then, before all others."""
        self._hold_until = time.monotonic() + seconds
        self._sent = [sent for sent in self._sent if sent is not job]
        self._waiting.appendleft(job)

    def send(self, submit: Callable[[Job], Any]) -> None:
        """Send as many as the worker takes without pushing back."""
        if time.monotonic() < self._hold_until:
            return
        self._sent = [sent for sent in self._sent if not sent.done]
        while self._waiting and len(self._sent) < MOST_SENT:
            job = self._waiting.popleft()
            submit(job)
            self._sent.append(job)

    def clear(self) -> None:
        """There is no worker any more."""
        self._waiting.clear()
        self._sent.clear()
