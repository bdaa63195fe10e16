"""A compute process without TensorFlow: its run names say how it behaves."""

from __future__ import annotations

import errno
import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import psutil

from gan_worker.compute.process import main
from gan_worker.config import GenerationConfig, Recipe, check_size
from gan_worker.errors import Cancelled
from gan_worker.progress import (
    GeneratedMaterial,
    GenerationProgress,
    LiveModel,
    Preview,
    Stage,
    TrainingProgress,
)
from gan_worker.wire.codec import new_id

STEP = 0.005
# Pieces of a generation that takes so long that it can only be cancelled.
LONG = 20_000


class StandIn:
    """Writes what it did to `home/did.txt`, one line each."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._note(f"process {os.getpid()}")

    def device_name(self) -> str:
        return "STAND-IN"

    def train(self, config, report, should_stop):
        self._note(f"train {config.run} {'again' if config.resume else 'new'}")
        run = self._home / "runs" / config.run
        run.mkdir(parents=True, exist_ok=True)
        saved = run / "step.txt"
        step = int(saved.read_text()) if saved.exists() else 0
        self._misbehave(config.run, step)
        if config.run.startswith("starved"):
            vms = psutil.Process().memory_info().vms
            resource.setrlimit(resource.RLIMIT_AS, (vms + 100 * 2**20,) * 2)
        report(Stage("learning"))
        report(LiveModel(config.run, self))
        steps = round((config.kimg or 0.1) * 1000)
        while step < steps and not should_stop():
            step += 1
            for _ in range(20 if config.run.startswith("flood") else 1):
                report(_progress(step, steps))
            if step % 10 == 1:
                report(Preview(step, np.full((64, 64, 3), step % 256, np.uint8)))
            if step % 20 == 0:
                saved.write_text(str(step))
            time.sleep(STEP)
        if config.run == "starved while reading" and step < steps:
            raise Cancelled
        if config.run.startswith("saves slowly"):
            time.sleep(0.5)
        saved.write_text(str(step))
        self._note(f"saved {config.run} {step}")

    def generate(self, config, live, report, should_stop):
        self._note(f"generate {config.model} {config.seed}")
        check_size(config.width, config.height, 8, 8)
        pieces = LONG if config.seed == 999 else 1
        if config.seed == 888 and self._is_first():
            raise MemoryError
        if config.seed == 777:
            time.sleep(2.2)
        for number in range(pieces):
            time.sleep(STEP)
            should_stop()
            report(GenerationProgress(number + 1, pieces))
        size = (config.height, config.width)
        draw = np.random.default_rng(config.seed)
        maps = {
            "base_color": draw.integers(0, 256, (*size, 3), np.uint8),
            "height": draw.integers(0, 65536, (*size, 1), np.uint16),
        }
        recipe = Recipe(
            GenerationConfig(config.model, config.seed, size[1], size[0], origin=(0, 0)),
            "0" * 64,
            "0",
        )
        return GeneratedMaterial(maps, recipe, dict.fromkeys(maps, 1.0), 0.001)

    def repair(self, config, report, should_stop):
        self._note(f"repair {config.picture} {config.mask}")
        pieces = LONG if config.seed == 999 else 2
        for number in range(pieces):
            time.sleep(STEP)
            should_stop()
            report(GenerationProgress(number + 1, pieces))
        maps = {"base_color": np.full((8, 16, 3), config.seed, np.uint8)}
        recipe = Recipe(
            GenerationConfig(config.model, config.seed, 16, 8, origin=(0, 0)), "0" * 64, "0"
        )
        return GeneratedMaterial(maps, recipe)

    def free_memory(self):
        self._note("freed memory")

    def _is_first(self) -> bool:
        """Whether this is the first process of this home."""
        return (self._home / "did.txt").read_text().count("process ") == 1

    def _misbehave(self, name: str, step: int) -> None:
        if name.startswith("always dies") or (name.startswith("dies once") and step == 0):
            (self._home / "runs" / name / "step.txt").write_text("1")
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("deaf"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            self._note("deaf now")
            time.sleep(60)
        if name.startswith("wedged"):
            time.sleep(60)
        if name.startswith("cannot read"):
            secret = str(self._home / "a b" / "plan.txt")
            raise PermissionError(errno.EACCES, "Permission denied", secret)
        if name.startswith("fails"):
            raise ZeroDivisionError(new_id())

    def _note(self, text: str) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        with (self._home / "did.txt").open("a") as file:
            file.write(text + "\n")


def _progress(step: int, steps: int) -> TrainingProgress:
    return TrainingProgress(step, step / 1000, step * STEP, step / steps, None, 1.0, {"loss": 1.0})


if __name__ == "__main__":
    raise SystemExit(main(StandIn))
