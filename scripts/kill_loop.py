"""Kills server, compute process and client at random moments of their work, and looks at what is lost."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from worker_loops import PATIENCE, WorkerLoop

from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.wire.codec import new_id

# What is done to whom; a wedged process is one that was stopped.
VICTIMS = ("server", "compute", "client", "wedged compute")
MATERIALS, STEPS = 3, (20, 120)
# A training that is not interrupted by anybody, to compare those with that are.
REFERENCE = "reference"
ORPHANS_WITHIN = 45.0


class Fault(Exception):
    """Something was lost, done twice, left over or came out otherwise."""


def check(holds: object, what: str) -> None:
    if not holds:
        raise Fault(what)


class KillLoop:
    """Rounds of work in each of which somebody dies.

    Args:
        worker: not started.
        rng: says who and when.
    """

    def __init__(self, worker: WorkerLoop, rng: random.Random) -> None:
        self._worker, self._rng = worker, rng
        self._seen: list[psutil.Process] = []
        self._pictures: dict[int, bytes] = {}
        self.kills = 0

    def play(self, number: int) -> str:
        """One round; says who died.

        Raises:
            Fault: what the worker did wrong.
            TimeoutError: what it did not do at all.
        """
        worker, rng = self._worker, self._rng
        steps = rng.randint(*STEPS) if not worker.real else STEPS[0]
        run = f"run {number}"
        seeds = [rng.randint(1, 20) for _ in range(MATERIALS)]
        work: dict[str, TrainingConfig | GenerationConfig] = {new_id(): worker.training(run, steps)}
        work |= {new_id(): worker.material(seed) for seed in seeds}
        train, *materials = work
        for job, config in work.items():
            worker.client.submit(config, job)
        self._work_for(rng.uniform(0.0, 1.5))
        victim = VICTIMS[number % len(VICTIMS)]
        self._kill(victim, train)
        for job, config in work.items():  # as a client does that heard no answer
            worker.client.submit(config, job)
        for job in work:
            self._await(job)
        self._check_training(run, steps, train)
        for job, seed in zip(materials, seeds, strict=True):
            self._check_material(job, seed)
        self._check_orphans()
        return victim

    def _work_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._worker.collect()
        self._note_processes()

    def _note_processes(self) -> None:
        found = self._worker.server.children(recursive=True)
        self._seen += [process for process in found if process not in self._seen]

    def _kill(self, victim: str, train: str) -> None:
        worker = self._worker
        self.kills += 1
        if victim == "client":
            worker.connect()
        elif victim == "server":
            worker.server.kill()
            worker.launcher.wait(PATIENCE)
            worker.start()
        elif (compute := worker.compute) is not None:
            os.kill(compute.pid, signal.SIGKILL if victim == "compute" else signal.SIGSTOP)
            if victim != "compute":
                worker.client.stop(train)

    def _await(self, job: str) -> None:
        """Until a job has succeeded; what is left lying is taken up again."""
        worker = self._worker

        def done() -> bool:
            state = worker.states.get(job)
            if state is None or state.state != "interrupted":
                return state is not None and state.state in ("succeeded", "failed", "cancelled")
            worker.client.resume(job)
            return False

        worker.until(done, f"job {job}, last heard {worker.states.get(job)}")
        state = worker.states[job]
        if state.state == "cancelled":  # stopped before it ran: as it should be
            return
        check(state.state == "succeeded", f"a job ended as {state}")

    def _check_training(self, run: str, steps: int, job: str) -> None:
        worker = self._worker
        if worker.states[job].state == "cancelled":
            return
        folder = worker.home / "runs" / run
        if worker.real:
            check((folder / "model.json").exists(), f"{run} has no model")
            self._compare_with_reference(folder)
            return
        # A training that was stopped while it could hear that ends early, and saved.
        saved = int((folder / "step.txt").read_text())
        check(saved <= steps, f"{run} was trained for {saved} steps of {steps}")
        told = (worker.home / "did.txt").read_text()
        begun = told.count(f"train {run} ")
        check(begun <= worker.states[job].attempt, f"{run} was begun {begun} times")

    def _compare_with_reference(self, folder: Path) -> None:
        from gan_worker.runs.run import Run

        found, expected = (
            Run(path).load_checkpoint() for path in (folder, folder.with_name(REFERENCE))
        )
        assert found is not None
        assert expected is not None
        if found[1]["step"] == expected[1]["step"]:
            same = all(np.array_equal(found[0][name], a) for name, a in expected[0].items())
            check(same, f"{folder.name} learned something else than without a death")

    def train_reference(self) -> None:
        """Train without a death."""
        job = self._worker.client.submit(self._worker.training(REFERENCE, STEPS[0]))
        self._await(job)

    def _check_material(self, job: str, seed: int) -> None:
        worker = self._worker
        if job not in worker.materials:
            worker.client.request_result(job)
        worker.until(lambda: job in worker.materials, f"the pixels of job {job}")
        maps = worker.materials.pop(job)
        pixels = b"".join(maps[name].tobytes() for name in sorted(maps))
        check(pixels == self._pictures.setdefault(seed, pixels), f"seed {seed} came out otherwise")

    def _check_orphans(self) -> None:
        """Of all processes that were seen, only those of the server of now may live."""
        own = {self._worker.launched.pid}
        own |= {process.pid for process in self._worker.server.children(recursive=True)}
        left = [process for process in self._seen if process.pid not in own]
        _, alive = psutil.wait_procs(left, ORPHANS_WITHIN)
        check(not alive, f"orphans live: {alive}")
        self._seen = []


def main() -> int:
    """Play rounds until one fails; 0 where none did."""
    parser = argparse.ArgumentParser(prog="scripts/kill_loop", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="another one kills at other moments")
    parser.add_argument("--tensorflow", action="store_true", help="with the real compute process")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tilewright-kill-") as folder:
        worker = WorkerLoop(Path(folder), options.tensorflow)
        loop = KillLoop(worker, random.Random(options.seed))
        worker.start()
        try:
            if options.tensorflow:
                loop.train_reference()
            for number in range(options.rounds):
                began = time.monotonic()
                victim = loop.play(number)
                sys.stdout.write(f"round {number}: {victim} ({time.monotonic() - began:.1f} s)\n")
                sys.stdout.flush()
        except (Fault, TimeoutError) as error:
            sys.stdout.write(f"seed {options.seed}: {error}\n")
            sys.stdout.write(worker.launcher.log_path.read_text()[-3000:])
            return 1
        finally:
            worker.stop()
    sys.stdout.write(f"{options.rounds} rounds with {loop.kills} deaths: nothing lost\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
