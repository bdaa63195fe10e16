"""Background tasks: work of seconds or minutes, advanced by the pump a piece at a time, one life cycle for all.

A subject derives from `BackgroundTask` and says in `work` what is done; the rest it inherits: state, stage, progress
with the time that is left, error, cancelling, and that the task belongs to the open file and ends when another is
opened. Panels draw one with `ui.layouts.draw_task`, operators cancel one with `reporting.CancelTask`. What is made by
the worker meanwhile goes through `Requests`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from gan_worker.errors import (
    Cancelled,
    RequestError,
    TilewrightError,
    UnexpectedError,
    WorkerError,
    error_from_info,
)
from gan_worker.progress import BatchProgress

from .. import state
from . import pump, session

if TYPE_CHECKING:
    from gan_worker.client.events import MaterialReady
    from gan_worker.config import GenerationConfig

log = logging.getLogger(__name__)

# Seconds between two looks at what came, while somebody waits: the worker has enough to do meanwhile, and each look
# costs what it could use.
PAUSE = 0.02
# Seconds without a link, or without the pixels of a finished job, until the worker is given up.
PATIENCE = 60.0


class BackgroundTask:
    """One piece of long work.

    Attributes:
        state: `running`, `succeeded`, `failed` or `cancelled`.
        stage: what it is busy with, in words.
        progress: how far it is with that.
        error: why it failed or was cancelled, or the first error it went on after.
        waiting: whether it waits for the worker.
    """

    stage = "starting"

    def __init__(self) -> None:
        self.state = "running"
        self.progress = BatchProgress(0, 0)
        self.error: TilewrightError | None = None
        self.waiting = False
        self._unwanted = False
        self._began = time.monotonic()

    # ---- what a subject says

    def work(self) -> Generator[bool]:
        """All of the work, in pieces of a few milliseconds; gives True where it waits for the worker.

        It may end at any of these places, where it is cancelled.
        """
        raise NotImplementedError

    def let_go(self) -> None:
        """Give back what is held; called at the end, however it came."""

    @property
    def told(self) -> str:
        """How far it is, in words."""
        return f"{self.stage.capitalize()}: {self.progress.done} of {self.progress.total}"

    # ---- its life

    @classmethod
    def newest(cls, about: str = "") -> Self | None:
        """The task of this kind that was started last in the open file.

        Args:
            about: as for `start`.
        """
        found = state.of_file.get(_Started).tasks.get((cls, about))
        return found if isinstance(found, cls) else None

    @classmethod
    def running(cls, about: str = "") -> Self | None:
        """The same, if it runs."""
        found = cls.newest(about)
        return found if found is not None and found.state == "running" else None

    def start(self, about: str = "") -> Self:
        """Let it go on with every tick.

        Args:
            about: uuid of the material, where each material may have a task of its own.
        """
        state.of_file.get(_Started).tasks[type(self), about] = self
        pump.run_along(self.steps())
        pump.wake()
        return self

    def cancel(self) -> None:
        """End soon."""
        self._unwanted = True
        pump.wake()

    def steps(self) -> Iterator[bool]:
        """What the pump advances: `work` up to its end, an error, or the wish to end."""
        try:
            with closing(self.work()) as pieces:
                yield from self._watched(pieces)
            self.state = "failed" if self.error else "succeeded"
        except Cancelled as error:
            self.state, self.error = "cancelled", error
        except TilewrightError as error:
            self.state, self.error = "failed", error
        except Exception as error:
            log.exception("%s", type(self).__name__)
            self.state, self.error = "failed", UnexpectedError(error)
        finally:
            self.waiting = False
            self.let_go()

    def _watched(self, pieces: Iterator[bool]) -> Iterator[bool]:
        while not self._unwanted:
            waits = next(pieces, None)
            if waits is None:
                return
            self.waiting = waits
            yield waits
        raise Cancelled

    def wait(self, watch: Callable[[], None] = lambda: None) -> None:
        """Pump until it has ended, for scripts and `blender -b`, where no timer fires.

        Args:
            watch: called every round.
        """
        try:
            while self.state == "running":
                pump.tick()
                watch()
                if self.waiting:
                    time.sleep(PAUSE)
        finally:
            self.cancel()

    def raise_error(self) -> None:
        """Raise why it did not succeed.

        Raises:
            TilewrightError: of any kind; `Cancelled` where it was cancelled.
        """
        if self.error:
            raise self.error

    # ---- its progress

    def expect(self, total: int) -> None:
        """So much is to be done from now on."""
        self.progress, self._began = BatchProgress(0, total), time.monotonic()

    def reach(self, done: int, total: int) -> None:
        """So much of it is done, as the worker tells."""
        self.progress = BatchProgress(done, total)

    def advance(self) -> None:
        """One more is done."""
        done, total = self.progress.done + 1, self.progress.total
        self.progress = BatchProgress(done, total, eta=self.eta(done, total - done))

    def eta(self, done: int, left: int) -> float | None:
        """Seconds that the rest will take; None while nothing is done.

        Args:
            done: pieces of work since `expect`.
            left: pieces of work that are left.
        """
        return (time.monotonic() - self._began) / done * left if done else None


@dataclass
class _Started(state.FilePart):
    """The newest tasks of the open file, by their kind and what they are about."""

    tasks: dict[tuple[type[BackgroundTask], str], BackgroundTask] = field(default_factory=dict)

    def closing(self) -> None:
        for task in self.tasks.values():
            task.cancel()


class Requests:
    """What a task has asked the worker for.

    Args:
        during: what the worker must run for, such as `motion is baked`.
        again: what to do where it did not.
        purpose: as in `Job`.

    Attributes:
        sent: id → job whose result was not taken yet, in the order in which they were asked for.
        arrived: id → its result.
    """

    def __init__(self, during: str, again: str, purpose: str = "") -> None:
        self.sent: dict[str, session.Job] = {}
        self.arrived: dict[str, MaterialReady] = {}
        self._during, self._again, self._purpose = during, again, purpose
        self._heard_at = time.monotonic()

    def generate(self, config: GenerationConfig) -> session.Job:
        """Ask for a material."""
        return self.add(
            session.current.generate(config, purpose=self._purpose, receive=self.receive)
        )

    def add(self, job: session.Job) -> session.Job:
        """Wait for a job whose result `receive` is given."""
        self.sent[job.id] = job
        return job

    def receive(self, ready: MaterialReady) -> None:
        """A result came; what is not waited for any more is left."""
        if ready.job in self.sent:
            self.arrived[ready.job] = ready

    def take(self, job: str) -> MaterialReady | None:
        """The result of a job, once it is there; it is not waited for any more then."""
        ready = self.arrived.pop(job, None)
        if ready is not None:
            del self.sent[job]
            self._heard_at = time.monotonic()
        return ready

    def take_failed(self) -> Iterator[tuple[str, TilewrightError]]:
        """The jobs that ended without a result, and why; they are not waited for any more."""
        for job in [j for j in self.sent.values() if j.ended and j.state != "succeeded"]:
            del self.sent[job.id]
            yield job.id, error_from_info(job.error) if job.error else Cancelled()

    def check(self) -> None:
        """See whether what is waited for can still come.

        Raises:
            TilewrightError: why the connection broke; `worker_gone` or `worker_silent`.
        """
        now, silence = session.current, time.monotonic() - self._heard_at
        if now.state == "stopped":
            raise error_from_info(now.last_error) if now.last_error else self._gone()
        if now.connected and not self._awaits_pixels():
            self._heard_at = time.monotonic()
        elif silence > PATIENCE:
            raise WorkerError(
                "worker_silent",
                f"The worker must answer and send its results; nothing came for {silence:.0f} s.",
                self._again,
            )

    def _awaits_pixels(self) -> bool:
        waiting = (job for job in self.sent.values() if job.id not in self.arrived)
        return not session.current.receiving and any(job.state == "succeeded" for job in waiting)

    def _gone(self) -> WorkerError:
        message = f"The worker must run while {self._during}; it was stopped."
        return WorkerError("worker_gone", message, f"Start it. {self._again}")

    def model_changed(self, model: str) -> RequestError:
        """What to raise where a result is of other weights than the others."""
        return RequestError(
            "wrong_state",
            f"The model {model!r} and its estimator must stay the same while {self._during}; one has learned on.",
            f"Wait until its training has ended. {self._again}",
        )

    def drop(self) -> None:
        """Ask the worker to forget what was sent; what comes all the same is left."""
        sent, self.sent = self.sent, {}
        self.arrived.clear()
        for job in sent.values():
            if session.current.state != "stopped" and not job.ended:
                session.current.cancel(job)
