"""Job queue and job states: who waits, who runs, and what follows when one ends or dies."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gan_worker.errors import ErrorInfo, RequestError, TilewrightError, WorkerError, require
from gan_worker.server.journal import JobRecord, Journal
from gan_worker.wire.codec import check_job
from gan_worker.wire.messages import (
    Action,
    Command,
    Finished,
    JobAccepted,
    JobKind,
    JobRejected,
    RunJob,
    State,
    Submit,
)

if TYPE_CHECKING:
    from gan_worker.server.supervisor import Wish
    from gan_worker.server.validation import Validation

logger = logging.getLogger(__name__)

WAITING_PER_OWNER = 64
WAITING_IN_ALL = 256
DEATHS = 3
CHANNEL_LIMIT = 200
RUNNING_STATES = ("running", "paused", "cancelling")


class JobQueue:
    """All jobs of the server; at most one of each kind is with one compute process.

    Compute processes are places here, known by their numbers.

    Args:
        journal: where every change is written first.
        validation: says what may be taken.
        changed: called with a job after each change that is in the journal.
    """

    def __init__(
        self, journal: Journal, validation: Validation, changed: Callable[[JobRecord], None]
    ) -> None:
        self._journal = journal
        self._validation = validation
        self._changed = changed
        self._active: dict[str, JobRecord] = {}
        self._stopping: set[str] = set()
        self._places: dict[str, int] = {}
        # Owner → number of its last turn; who never had one, or is to have it again, comes first.
        self._turns: dict[str, int] = {}
        self.ending = False

    # ---- what there is

    @property
    def waiting(self) -> list[JobRecord]:
        return [job for job in self._active.values() if job.state == "queued"]

    @property
    def running(self) -> list[JobRecord]:
        """Jobs that are with a compute process."""
        return [job for job in self._active.values() if job.state in RUNNING_STATES]

    def running_at(self, place: int) -> list[JobRecord]:
        """Jobs that are with this compute process."""
        return [job for job in self.running if self._places.get(job.job) == place]

    def place_of(self, job: str) -> int | None:
        """The compute process that has this job."""
        return self._places.get(job)

    def wish_at(self, place: int) -> Wish | None:
        """The strongest of what clients want of the jobs that are with this compute process."""
        held = self.running_at(place)
        if any(job.state == "cancelling" for job in held):
            return "cancel"
        if any(job.job in self._stopping for job in held):
            return "stop"
        return "pause" if any(job.state == "paused" for job in held) else None

    @property
    def unplaced(self) -> int:
        """How many wait that one more compute process could take."""
        return sum(self._trainer(job) is None for job in self.waiting)

    @property
    def active(self) -> set[str]:
        return set(self._active)

    def training(self) -> set[str]:
        """Names of runs that wait or train."""
        return {job.name for job in self._active.values() if job.kind == "train"}

    def in_use(self) -> set[str]:
        """Names of runs and models that a job waits for or works with."""
        return {job.name for job in self._active.values()}

    def find(self, owner: str, job: str) -> JobRecord:
        """The owner's job of that id.

        Raises:
            RequestError: `unknown_job`, for another owner's job too.
        """
        found = self._active.get(job) or self._journal.get(check_job(job))
        if found is None or found.owner != owner:
            raise _unknown(job)
        return found

    def check_owner(self, owner: str, job: str) -> None:
        """Check what `find` checks without reading the job, which takes longer than a piece of its result.

        Raises:
            RequestError: `unknown_job`.
        """
        if (self.owner_of(job) or self._journal.owner(check_job(job))) != owner:
            raise _unknown(job)

    def owner_of(self, job: str) -> str | None:
        """The key that a job belongs to, while it is active."""
        found = self._active.get(job)
        return found.owner if found is not None else None

    # ---- what clients ask

    def submit(self, owner: str, request: Submit) -> JobAccepted | JobRejected:
        """Take a job into the queue and the journal, or say why not."""
        try:
            known = self._journal.get(check_job(request.job))
            if known is not None:
                self.find(owner, request.job)
                return JobAccepted(request.job, duplicate=True)
            self._check_room(owner)
            name, config = self._validation.check(
                owner, request.kind, request.config, self.training()
            )
            require(
                len(request.channel) <= CHANNEL_LIMIT,
                f"The name of a channel must have {CHANNEL_LIMIT} letters at most",
                f"one of {len(request.channel)}",
            )
            job = JobRecord(request.job, owner, request.kind, name, config, request.channel)
            self._journal.add(job)
        except TilewrightError as error:
            return JobRejected(request.job, error.info.clipped())
        self._active[job.job] = job
        self._changed(job)
        self._supersede(job)
        return JobAccepted(job.job)

    def command(self, owner: str, job: str, action: Action) -> Command | None:
        """Carry out a command.

        Returns:
            What the compute process must be told, if anything.

        Raises:
            RequestError: `unknown_job`, or `wrong_state` where the command makes no sense now.
            StorageError: `disk_full`, of a pause, after very many that the disk did not take.
        """
        found = self.find(owner, job)
        return {
            "pause": self._pause,
            "resume": self._resume,
            "stop": self._stop,
            "cancel": self._cancel,
        }[action](found)

    # ---- what the compute process does

    def next_run(
        self, kind: JobKind, ready: Sequence[int], able: int = 1
    ) -> tuple[int, RunJob] | None:
        """Move a waiting job of a kind that a compute process can take now to running.

        It is the oldest of the owner whose turn was the longest ago.

        Args:
            kind: of the job.
            ready: the compute processes that take jobs, the one to prefer first.
            able: how many could take jobs if they were started.

        Returns:
            The compute process, and what it must be told.
        """
        waiting = sorted(
            (job for job in self.waiting if job.kind == kind),
            key=lambda job: self._turns.get(job.owner, 0),
        )
        if self.ending or not waiting:
            return None
        kinds: dict[int, list[str]] = {place: [] for place in ready}
        for job in self.running:
            kinds.setdefault(self._places[job.job], []).append(job.kind)
        if all(kind in kinds[place] for place in ready):
            return None
        for job in waiting:
            place = self._place_for(job, kinds, ready, able)
            if place is None:
                continue
            try:
                config = self._validation.resolve(job.owner, kind, job.config, job.attempt)
            except TilewrightError as error:
                self._move(job, "failed", error=error.info)
                continue
            self._places[job.job] = place
            self._turns[job.owner] = max(self._turns.values(), default=0) + 1
            self._move(job, "running", error=None)
            return place, RunJob(job.job, kind, config, job.attempt)
        return None

    def _place_for(
        self, job: JobRecord, kinds: Mapping[int, list[str]], ready: Sequence[int], able: int
    ) -> int | None:
        """A material of a model in training is made by who trains it; others where nothing trains, if anywhere."""
        training = sum("train" in held for held in kinds.values())
        trainer = self._trainer(job)
        if trainer is not None:
            ready = [place for place in ready if place == trainer]
        elif job.kind == "train" or training < able:
            ready = [place for place in ready if "train" not in kinds[place]]
        free = [place for place in ready if job.kind not in kinds[place]]
        return min(free, key=lambda place: len(kinds[place]), default=None)

    def _trainer(self, job: JobRecord) -> int | None:
        """Where the model that a material is wanted of is in training."""
        if job.kind != "generate":
            return None
        held = (j for j in self.running if j.kind == "train" and j.name == job.name)
        return next((self._places[j.job] for j in held), None)

    def finish(self, finished: Finished) -> bool:
        """A job ended in the compute process.

        Returns:
            Whether the process had no memory for it and must end, so that what it holds is free again.
        """
        job = self._active.get(finished.job)
        if job is None or job.state not in RUNNING_STATES:
            return False
        error, place = finished.error, self._places[job.job]
        leaves = self.ending and job.kind == "train" and job.job not in self._stopping
        given_up = error is not None and error.code == "cancelled"
        if job.state == "cancelling" or (given_up and not leaves):
            self._move(job, "cancelled", error=None)
        elif leaves and (given_up or error is None):
            self._move(job, "interrupted", error=_left())
        elif error is not None and error.code == "out_of_memory":
            return self._starve(job, error, place)
        elif error is not None:
            # What was not saved for want of room can be resumed from what was saved before.
            stays = error.code == "disk_full" and (self.ending or job.job in self._stopping)
            self._move(job, "interrupted" if stays else "failed", error=error)
        else:
            self._move(job, "succeeded", error=None, result=finished.result)
        return False

    def _starve(self, job: JobRecord, error: ErrorInfo, place: int) -> bool:
        """There was no memory: a training waits to be resumed, anything else is tried once more in a new process."""
        alone = self.running_at(place) == [job]
        if job.kind == "train":
            self._move(job, "interrupted", error=error)
        elif job.attempt > 1 or not alone or self.ending:
            tried = " A new compute process had no room for it either." if job.attempt > 1 else ""
            self._move(job, "failed", error=replace(error, message=error.message + tried))
        else:
            again = "It is tried once more in a new compute process."
            told = replace(error, cure=f"{again} {error.cure}")
            self._move(job, "interrupted", error=told)
            self._requeue(replace(job, error=told, attempt=2))
        return alone

    def compute_died(self, reason: str, place: int = 0, others: bool = False) -> None:
        """A compute process is gone: cancel what was being cancelled, try the rest again.

        Args:
            reason: of its death.
            place: which one.
            others: whether there are others that can take what waits.
        """
        held = self.running_at(place) or ([] if others else self._heads())
        for job in held:
            self._after_death(job, _died(job, reason, self._stays(job)))

    def wait_for_room(self, job: str, error: ErrorInfo | None) -> None:
        """A training finds no room on the disk and waits, or goes on where the error is None."""
        found = self._active.get(job)
        if found is None or (error is None and found.error is None):
            return
        if error is None and found.state == "paused":
            self._move(found, "running", error=None)
        elif error is not None and found.state == "running":
            self._move(found, "paused", error=error)

    def interrupt_all(self) -> None:
        """The server ends: what waits is left for another day."""
        for job in list(self._active.values()):
            state: State = "cancelled" if job.state == "cancelling" else "interrupted"
            self._move(job, state, error=None if state == "cancelled" else _left())

    def replay(self, owners: frozenset[str]) -> None:
        """Take up what a dead server left; jobs of owners that are no more stay interrupted."""
        for job in self._journal.unfinished():
            self._active[job.job] = job
            if job.owner not in owners and job.state != "cancelling":
                self._move(job, "interrupted", error=_left())
            elif job.state != "queued":
                self._after_death(job, _left())

    # ---- one command each

    def _pause(self, job: JobRecord) -> Command | None:
        if job.state == "paused" and job.error is None:
            return None
        trains = job.state in ("running", "paused") and job.kind == "train"
        _require_state(job, trains, "paused while it trains")
        self._journal.check_memory()
        self._move(job, "paused", error=None)
        return Command(job.job, "pause")

    def _resume(self, job: JobRecord) -> Command | None:
        if job.state in ("running", "queued"):
            return None
        if job.state == "interrupted":
            self._check_room(job.owner)
            self._requeue(replace(job, attempt=2 if job.kind == "train" else 1))
            return None
        _require_state(job, job.state == "paused", "resumed after a pause or an interruption")
        self._journal.check_memory()
        self._move(job, "running", error=None)
        return Command(job.job, "resume")

    def _stop(self, job: JobRecord) -> Command | None:
        if job.final or job.state == "cancelling":
            return None
        if job.state == "queued" or job.kind != "train":
            return self._cancel(job)
        self._stopping.add(job.job)
        return Command(job.job, "stop")

    def _cancel(self, job: JobRecord) -> Command | None:
        if job.final or job.state == "cancelling":
            return None
        if job.state == "queued":
            self._move(job, "cancelled")
            return None
        self._move(job, "cancelling")
        return Command(job.job, "cancel")

    # ---- the small moves

    def _check_room(self, owner: str) -> None:
        waiting = self.waiting
        own = sum(job.owner == owner for job in waiting)
        if self.ending or own >= WAITING_PER_OWNER or len(waiting) >= WAITING_IN_ALL:
            raise WorkerError(
                "busy",
                f"At most {WAITING_PER_OWNER} jobs of a client may wait, {WAITING_IN_ALL} in all; "
                f"{own} and {len(waiting)} wait now.",
                "Wait for some to finish, then ask again.",
                retry_after=5.0,
            )

    def _supersede(self, newest: JobRecord) -> None:
        for job in self.waiting:
            if (
                newest.channel
                and job.job != newest.job
                and (job.owner, job.channel, job.kind) == (newest.owner, newest.channel, "generate")
            ):
                self._move(job, "cancelled")

    def _heads(self) -> list[JobRecord]:
        """The jobs the compute process was being started for."""
        heads: dict[str, JobRecord] = {}
        for job in self.waiting:
            heads.setdefault(job.kind, job)
        return list(heads.values())

    def _stays(self, job: JobRecord) -> bool:
        """Whether a job that breaks off is left where it is: nobody waits for it to go on by itself."""
        return self.ending or job.job in self._stopping or job.state == "paused"

    def _after_death(self, job: JobRecord, error: ErrorInfo) -> None:
        if job.state == "cancelling":
            self._move(job, "cancelled")
        elif self._stays(job):
            self._move(job, "interrupted", error=error)
        elif job.attempt >= DEATHS:
            self._move(job, "failed", error=error)
        else:
            self._move(job, "interrupted", error=error)
            self._requeue(replace(job, error=error, attempt=job.attempt + 1))

    def _requeue(self, job: JobRecord) -> None:
        """Wait again, before all others: it had its turn already."""
        self._active = {job.job: job, **self._active}
        self._turns.pop(job.owner, None)
        self._move(job, "queued")

    def _move(self, job: JobRecord, state: State, **changes: Any) -> None:
        """A new state: in the journal, which keeps and tells what the disk does not take now."""
        moved = replace(job, state=state, **changes)
        moved = replace(moved, error=moved.error and moved.error.clipped())
        if state not in RUNNING_STATES:
            self._places.pop(job.job, None)
        if moved.final:
            self._active.pop(job.job, None)
            self._stopping.discard(job.job)
        else:
            self._active[job.job] = moved
        self._journal.change(moved)
        self._changed(moved)


def _require_state(job: JobRecord, holds: bool, rule: str) -> None:
    require(
        holds,
        f"A job can only be {rule}",
        f"{job.name}, which is {job.state}",
        "Look at the state of the job first.",
        "wrong_state",
    )


def _unknown(job: str) -> RequestError:
    return RequestError(
        "unknown_job",
        f"A job must be known to the worker; {job} is not.",
        "Ask for the list of jobs.",
    )


def _died(job: JobRecord, reason: str, stays: bool) -> ErrorInfo:
    again = "It is started again" if job.attempt < DEATHS else f"It died {DEATHS} times with it"
    if stays:
        again = "Resume it, and it goes on from its last checkpoint"
    return ErrorInfo(
        "compute_died",
        f"The compute process must stay alive while {job.name} is with it; it ended: {reason}.",
        f"{again}; see the worker's compute.log for why.",
    )


def _left() -> ErrorInfo:
    return ErrorInfo(
        "worker_gone",
        "The worker must run until a job ends; it was ended before.",
        "Resume the job or the run.",
    )
