"""Scheduler: which compute process gets what; jobs, commands, and the end."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gan_worker.errors import require
from gan_worker.wire import messages

if TYPE_CHECKING:
    from gan_worker.server.queue import JobQueue
    from gan_worker.server.supervisor import ComputeProcess
    from gan_worker.wire.messages import ComputeState

# In the order in which they are handed out.
KINDS: tuple[messages.JobKind, ...] = ("train", "generate", "repair")
logger = logging.getLogger(__name__)
MOST = 64
# Of one process that never came up, while others work; then it is left alone.
FAILED_STARTS = 3
# What the whole is, where its processes differ: the first of these that one of them is.
_ORDER: tuple[ComputeState, ...] = ("busy", "starting", "idle", "stopping", "off")
LISTING = ("nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader")
LISTED_WITHIN = 10.0


class Scheduler:
    """Stands between the jobs and the compute processes.

    Args:
        jobs: all of the server.
        pool: its compute processes.
    """

    def __init__(self, jobs: JobQueue, pool: ComputePool) -> None:
        self._jobs, self._pool = jobs, pool

    def tend(self) -> None:
        """Look after the processes and hand out what waits; call often."""
        for place, process in enumerate(self._pool):
            self._watch(place, process)
        self._dispatch()

    def command(self, owner: str, job: str, action: messages.Action) -> None:
        """Carry out a client's command, and tell it to the process that has the job.

        Raises:
            RequestError: as `JobQueue.command`.
        """
        told = self._jobs.command(owner, job, action)
        place = self._jobs.place_of(job)
        if told is not None and place is not None:
            self._pool[place].tell(told)
            self.note_wishes()

    def finish(self, place: int, finished: messages.Finished) -> None:
        """A job ended in this process; where it had no memory for it, the process ends too, and its memory returns."""
        if self._jobs.finish(finished):
            self._pool[place].leave(messages.Leave())

    def note_wishes(self) -> None:
        """Give every process time for what is wanted of its jobs, and none any longer that has done it."""
        for place, process in enumerate(self._pool):
            process.ask(self._jobs.wish_at(place))

    def warm_up(self) -> None:
        """Start a process before there is a job, where none is there."""
        if not (self._pool.alive or self._jobs.ending):
            self._pool.start(1)

    def release(self) -> None:
        """Let the processes end, so that their memory returns.

        Raises:
            RequestError: `wrong_state` while there are jobs.
        """
        require(
            not (self._jobs.running or self._jobs.waiting),
            "The worker must be idle to give its memory back",
            "one with a job that runs or waits",
            "Wait until it has ended, or stop it.",
            "wrong_state",
        )
        self._pool.leave(messages.Leave())

    def _watch(self, place: int, process: ComputeProcess) -> None:
        before = process.state
        reason = process.watch()
        if reason is not None:
            self._pool.died(place, before)
        if reason is not None and (self._jobs.running_at(place) or before != "stopping"):
            self._jobs.compute_died(reason, place, self._pool.alive)
        if process.idle_too_long():
            process.leave(messages.Leave())

    def _dispatch(self) -> None:
        pool = self._pool
        for kind in KINDS:
            while (found := self._jobs.next_run(kind, pool.ready, pool.able)) is not None:
                place, run = found
                if not pool[place].send(run):
                    pool[place].press("it took no messages")
        for place in pool.ready:
            pool[place].set_busy(bool(self._jobs.running_at(place)))
        if not pool.all_alive and self._jobs.unplaced and not self._jobs.ending:
            error = pool.start(self._jobs.unplaced)
            if error is not None:
                self._jobs.compute_died(str(error), others=pool.alive)


class ComputePool:
    """All compute processes, known by their number from 0; they start when there is work for them.

    Args:
        processes: one or more, none of them started.
    """

    def __init__(self, processes: Sequence[ComputeProcess]) -> None:
        self._processes = list(processes)
        self._failed_starts = [0] * len(processes)

    def __getitem__(self, place: int) -> ComputeProcess:
        return self._processes[place]

    def __iter__(self) -> Iterator[ComputeProcess]:
        return iter(self._processes)

    @property
    def alive(self) -> bool:
        """Whether there is any process."""
        return any(process.alive for process in self)

    @property
    def all_alive(self) -> bool:
        """Whether there is none left to be started."""
        return all(process.alive for process in self)

    @property
    def ready(self) -> list[int]:
        """Numbers of the processes that take jobs."""
        return [place for place, process in enumerate(self) if process.ready]

    @property
    def able(self) -> int:
        """How many processes take jobs, or would if they were started."""
        failing = sum(count >= FAILED_STARTS for count in self._failed_starts)
        return max(1, len(self._processes) - failing)

    @property
    def state(self) -> ComputeState:
        """What the processes are, taken together."""
        states = {process.state for process in self}
        return next(state for state in _ORDER if state in states)

    @property
    def device(self) -> str:
        """What they compute on, such as `CPU` or `2 × GPU NVIDIA L4`."""
        devices = [process.device for process in self if process.device]
        counts = {device: devices.count(device) for device in devices}
        return ", ".join(d if n == 1 else f"{n} × {d}" for d, n in counts.items())

    @property
    def memory_mb(self) -> float:
        """Resident memory of all, MiB."""
        return sum(process.memory_mb for process in self)

    def start(self, jobs: int) -> OSError | None:
        """Start so many processes that jobs which found none have one each, as far as there are any.

        Args:
            jobs: how many could begin at once.

        Returns:
            Why none can be started, where the command cannot be run.
        """
        wanted = jobs - sum(process.state == "starting" for process in self)
        for place in self._startable()[: max(0, wanted)]:
            try:
                self[place].start()
            except OSError as error:
                logger.exception("a compute process cannot be started")
                self._failed_starts[place] += 1
                return error
        return None

    def _startable(self) -> list[int]:
        found = [place for place, process in enumerate(self) if not process.alive]
        good = [place for place in found if self._failed_starts[place] < FAILED_STARTS]
        # Where all fail it is tried again for every job, which then fails with the reason.
        return good or (found[:1] if not self.alive else [])

    def came_up(self, place: int, route: bytes, device: str) -> None:
        """One of them is there and knows its device."""
        self._failed_starts[place] = 0
        self[place].came_up(route, device)

    def died(self, place: int, state: ComputeState) -> None:
        """One of them has ended.

        Args:
            place: its number.
            state: what it was before.
        """
        if state == "starting":
            self._failed_starts[place] += 1

    def leave(self, message: Any) -> None:
        """Ask all of them to save and end."""
        for process in self:
            process.leave(message)

    def kill(self) -> None:
        """End all of them now."""
        for process in self:
            process.kill()


def environments(count: int) -> list[dict[str, str]]:
    """What each of several processes finds in its environment: a GPU of its own, or its share of the threads.

    Bytes do not depend on the number of threads.

    Args:
        count: of processes; one alone has all there is.
    """
    if count == 1:
        return [{}]
    gpus = _gpus()
    if gpus:
        return [{"CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} for place in range(count)]
    threads = str(max(1, _processors() // count))
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    return [dict.fromkeys(names, threads) for _ in range(count)]


def _gpus() -> list[str]:
    """GPUs that TensorFlow may see, as CUDA names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in map(str.strip, chosen.split(",")) if name not in ("", "-1")]
    if shutil.which(LISTING[0]) is None:
        return []
    try:
        told = subprocess.run(
            LISTING, check=True, capture_output=True, text=True, timeout=LISTED_WITHIN
        )
    except (OSError, subprocess.SubprocessError) as error:
        logger.warning("the GPUs cannot be listed: %s", error)
        return []
    return [line.strip() for line in told.stdout.splitlines() if line.strip()]


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
