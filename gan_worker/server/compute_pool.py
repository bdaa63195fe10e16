"""The compute processes of one server: which takes part, on which GPU or with how many threads, and when."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

from gan_worker.server.supervisor import ComputeProcess
from gan_worker.wire.messages import ComputeState

logger = logging.getLogger(__name__)

MOST = 64
# Of one process that never came up, while others work; then it is left alone.
FAILED_STARTS = 3
# What the whole is, where its processes differ: the first of these that one of them is.
_ORDER: tuple[ComputeState, ...] = ("busy", "starting", "idle", "stopping", "off")
LISTING = ("nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader")
LISTED_WITHIN = 10.0


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
