"""A worker that a script starts, gives work and looks at from outside: what `kill_loop` and `soak` share."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from gan_worker.client.client import Client
from gan_worker.client.events import MaterialReady
from gan_worker.client.launcher import Launched, Launcher
from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.materials.pictures import write_picture
from gan_worker.wire.messages import JobList, JobState

STAND_IN = ROOT / "tests" / "worker" / "server" / "stand_in_server.py"
MODEL = "Starter Red Bricks"
PATIENCE = 120.0
POLL, ASK_EVERY = 0.005, 2.0

T = TypeVar("T")


class WorkerLoop:
    """One worker, started as Blender starts it, and the client that it serves now.

    Args:
        folder: for all that it writes.
        real: with TensorFlow; otherwise with the stand-in of the tests, which is as fast as the server.

    Attributes:
        states: of each job, the last one that was told.
        materials: job → the maps that came.
    """

    def __init__(self, folder: Path, real: bool) -> None:
        self.home, self.real = folder / "home", real
        self.photo = folder / "photo.png"
        noise = np.random.default_rng(0).uniform(0, 1, (96, 96, 3))
        write_picture(self.photo, noise.astype(np.float32))
        command = ("-m", "gan_worker") if real else (str(STAND_IN),)
        self.launcher = Launcher([sys.executable, *command], self.home, folder / "logs")
        self._clients: list[Client] = []
        self.states: dict[str, JobState] = {}
        self.materials: dict[str, dict[str, Any]] = {}

    def start(self) -> None:
        """Start the server, where none runs, and connect."""
        self.launcher.start()
        self.launched: Launched = self._wait(self.launcher.poll)
        self.connect()

    def connect(self) -> None:
        """A new client with the same key; the one before says and hears nothing any more, as if it had been killed."""
        where = self.launched
        self.client = Client(where.control, where.bulk, where.server_key, where.keys)
        self._clients.append(self.client)

    def reconnect(self) -> None:
        """A new client in the place of one that takes its leave."""
        self._clients.remove(self.client)
        self.client.close()
        self.connect()

    def collect(self) -> None:
        """Take in what has come."""
        for event in self.client.collect():
            if isinstance(event, JobState):
                self.states[event.job] = event
            elif isinstance(event, JobList):
                self.states |= {job.job: job for job in event.jobs}
            elif isinstance(event, MaterialReady):
                self.materials[event.job] = event.maps
        time.sleep(POLL)

    def until(self, found: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
        """Collect until this is so.

        Raises:
            TimeoutError: it never was.
        """
        end = time.monotonic() + seconds
        asked_at = time.monotonic()
        while not (result := found()):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds:.0f} s: {what}")
            if time.monotonic() > asked_at + ASK_EVERY:  # of what ended before this client came
                asked_at = time.monotonic()
                self.client.request_jobs()
            self.collect()
        return result

    def training(self, run: str, steps: int) -> TrainingConfig:
        """A training of so many steps; with the stand-in a step has one crop."""
        batch = 4 if self.real else 1
        kimg = steps * batch / 1000
        return TrainingConfig(run, (str(self.photo),), "nano", None, kimg, 1.0, octaves=0)

    def material(self, seed: int, side: int = 64) -> GenerationConfig:
        """A square picture of a model that comes with the program."""
        return GenerationConfig(MODEL, seed, side, side)

    @property
    def server(self) -> psutil.Process:
        return psutil.Process(self.launched.pid)

    @property
    def compute(self) -> psutil.Process | None:
        """The compute process, where there is one."""
        return next(iter(self.server.children()), None)

    def stop(self) -> None:
        """End it all in order."""
        for client in self._clients:
            client.close()
        self.launcher.stop()
        self.launcher.wait(60)

    def _wait(self, found: Callable[[], T | None]) -> T:
        end = time.monotonic() + PATIENCE
        while (result := found()) is None:
            if time.monotonic() > end:
                raise TimeoutError("the worker did not start")
            time.sleep(POLL)
        return result
