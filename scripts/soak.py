"""Keeps a worker busy for long, and looks at what grows: memory, descriptors and threads of the server, and files."""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker_loops import PATIENCE, WorkerLoop

# Samples of this share of the time, from the start, say nothing yet: caches and pools are filled.
WARM_UP = 0.25
SAMPLE_EVERY = 1.0
# Seconds between two rounds: some ten jobs a second are more than people ask for, and what is kept of them is little.
PAUSE = 0.5
# A new client takes the place of the one before after so many rounds of work.
ROUNDS_A_CLIENT = 20
# MiB that the memory of the server may differ by from sample to sample, and by which it may grow in an hour.
NOISE, MIB_AN_HOUR = 2.0, 1.0
# Files: results that were delivered are kept for so many seconds, and jobs that are remembered have a record each.
KEPT, BYTES_A_RESULT = 960.0, 256 * 2**10
REMEMBERED, BYTES_A_RECORD = 2000, 8 * 2**10
LEAST_BYTES = 32 * 2**20
FINAL = ("succeeded", "failed", "cancelled", "interrupted")


@dataclass(frozen=True)
class Sample:
    """The server and its folder at one moment.

    Attributes:
        seconds: since the start.
        memory: resident, of the server, MiB.
        descriptors: open, of the server.
        threads: of the server.
        files: below the home folder.
        size: of these, bytes.
        jobs: done so far.
    """

    seconds: float
    memory: float
    descriptors: int
    threads: int
    files: int
    size: int
    jobs: int


class Soak:
    """Work of every kind, round after round.

    Args:
        worker: started.
        rng: says what comes.
    """

    def __init__(self, worker: WorkerLoop, rng: random.Random) -> None:
        self._worker, self._rng = worker, rng
        self.samples: list[Sample] = []
        self.jobs = self._rounds = 0
        self._began = time.monotonic()

    def run(self, seconds: float) -> None:
        """Work for so long.

        Raises:
            TimeoutError: a job did not end.
        """
        while time.monotonic() - self._began < seconds:
            self._round()

    def _round(self) -> None:
        worker, rng = self._worker, self._rng
        self._rounds += 1
        if self._rounds % ROUNDS_A_CLIENT == 0:
            worker.reconnect()
        train = worker.client.submit(worker.training(f"run {self._rounds % 4}", rng.randint(5, 60)))
        made = [
            worker.client.submit(worker.material(rng.randint(1, 700), rng.choice((64, 128))))
            for _ in range(6)
        ]
        worker.client.cancel(rng.choice(made))
        for ask in (worker.client.request_models, worker.client.request_runs):
            ask()
        self._wait_for([train, *made])
        self.jobs += 1 + len(made)
        end = time.monotonic() + PAUSE
        while time.monotonic() < end:
            worker.collect()
        worker.states.clear()
        worker.materials.clear()

    def _wait_for(self, jobs: Sequence[str]) -> None:
        """Until all of them have ended, and the pixels of all that were made are here."""
        worker = self._worker

        def done() -> bool:
            self._look()
            states = [worker.states.get(job) for job in jobs]
            return all(
                state is not None
                and state.state in FINAL
                and (state.state != "succeeded" or state.result is None or job in worker.materials)
                for job, state in zip(jobs, states, strict=True)
            )

        worker.until(done, "the jobs of a round")

    def _look(self) -> None:
        now = time.monotonic() - self._began
        if self.samples and now - self.samples[-1].seconds < SAMPLE_EVERY:
            return
        server = self._worker.server
        with server.oneshot():
            memory, threads = server.memory_info().rss / 2**20, server.num_threads()
        walked = os.walk(self._worker.home)  # which passes over folders that are removed meanwhile
        sizes = [_size(Path(folder, name)) for folder, _, names in walked for name in names]
        self.samples.append(
            Sample(now, memory, _descriptors(server), threads, len(sizes), sum(sizes), self.jobs)
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it was removed meanwhile
        return 0


def _descriptors(process: object) -> int:
    count: Callable[[], int] = getattr(process, "num_fds", None) or process.num_handles  # type: ignore[attr-defined]
    return count()


def judge(samples: Sequence[Sample]) -> list[str]:
    """What grew that must not; nothing where all is well.

    Args:
        samples: of the whole time.
    """
    warm = [s for s in samples if s.seconds >= WARM_UP * samples[-1].seconds]
    third = max(1, len(warm) // 3)
    first, last = warm[:third], warm[-third:]

    def grown(of: Callable[[Sample], float]) -> float:
        return statistics.median(map(of, last)) - statistics.median(map(of, first))

    hours = (last[0].seconds - first[0].seconds) / 3600
    memory, descriptors, threads = (
        grown(lambda s: s.memory),
        grown(lambda s: s.descriptors),
        grown(lambda s: s.threads),
    )
    jobs = last[-1].jobs
    kept = jobs - next(s.jobs for s in samples if s.seconds >= samples[-1].seconds - KEPT)
    size = last[-1].size
    most = LEAST_BYTES + BYTES_A_RESULT * kept + BYTES_A_RECORD * min(jobs, REMEMBERED)
    sys.stdout.write(
        f"{jobs} jobs in {samples[-1].seconds / 60:.1f} min; memory {last[-1].memory:.1f} MiB ({memory:+.2f}), "
        f"descriptors {last[-1].descriptors} ({descriptors:+.0f}), threads {last[-1].threads} ({threads:+.0f}), "
        f"{last[-1].files} files of {size / 2**20:.1f} MiB\n"
    )
    limits = {
        "memory, MiB": (memory, NOISE + MIB_AN_HOUR * hours),
        "descriptors": (descriptors, 0.0),
        "threads": (threads, 0.0),
        "bytes of files": (size, most),
    }
    return [f"{what}: {n:.2f}, at most {m:.2f}" for what, (n, m) in limits.items() if n > m]


def main() -> int:
    """Work for some minutes; 0 where nothing grew."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tensorflow", action="store_true", help="with the real compute process")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tilewright-soak-") as folder:
        worker = WorkerLoop(Path(folder), options.tensorflow)
        worker.start()
        soak = Soak(worker, random.Random(options.seed))
        try:
            soak.run(max(60 * options.minutes, PATIENCE if options.tensorflow else 0.0))
        except TimeoutError as error:
            sys.stdout.write(f"{error}\n{worker.launcher.log_path.read_text()[-3000:]}\n")
            return 1
        finally:
            worker.stop()
        faults = judge(soak.samples)
    sys.stdout.write("".join(f"GREW {fault}\n" for fault in faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
