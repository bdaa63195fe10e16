"""The real worker with the real GAN: what it makes, and what it survives."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gan_worker.client.events import JobReport, MaterialReady, PreviewReady
from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.progress import TrainingProgress
from gan_worker.runs.run import Run
from gan_worker.style import CellMap, Material, Seed
from gan_worker.wire.messages import JobRejected, JobState

PATIENCE = 150.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/stat").exists(), reason="looks at processes through /proc"
    ),
]


def training(photo, kimg, run="stripes"):
    return TrainingConfig(run, (str(photo),), "nano", None, kimg, 1.0, octaves=0)


def progress(ear, job):
    return [
        e.report
        for e in ear.heard
        if isinstance(e, JobReport) and e.job == job and isinstance(e.report, TrainingProgress)
    ]


def wait_for_checkpoint(worker, ear, run="stripes"):
    """Until there is something to resume from."""
    latest = worker.home / "runs" / run / "checkpoints" / "LATEST"
    ear.until(lambda heard: latest.exists(), PATIENCE)


def resident_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def test_kill_9_in_training_and_materials_while_it_learns(worker, photo):
    ear = worker.start()
    job = ear.client.submit(training(photo, kimg=4.0))
    ear.event(PreviewReady, PATIENCE, job=job)
    wait_for_checkpoint(worker, ear)
    killed = time.monotonic()
    os.kill(worker.compute_pid(), signal.SIGKILL)
    error = ear.state(job, "interrupted").error
    assert time.monotonic() - killed < 2
    assert error.code == "compute_died"
    before = progress(ear, job)[-1]
    ear.until(lambda heard: progress(ear, job)[-1].step > before.step, PATIENCE)

    live = ear.client.submit(GenerationConfig("stripes", width=128, height=64))
    material = ear.event(MaterialReady, PATIENCE, job=live)
    assert material.maps["base_color"].shape == (64, 128, 3)
    assert material.maps["base_color"].dtype == np.uint8
    ear.client.stop(job)
    ear.state(job, "succeeded", PATIENCE)
    assert ear.states(job) == [
        "queued",
        "running",
        "interrupted",
        "queued",
        "running",
        "succeeded",
    ]
    steps = [p.step for p in Run.open(worker.home / "runs", "stripes").read_progress()]
    restart = next((i for i, (a, b) in enumerate(itertools.pairwise(steps)) if b < a), 0)
    assert steps[restart + 1 :] == sorted(steps[restart + 1 :])
    assert steps[restart + 1] > 1, "it began again instead of going on from the checkpoint"

    saved = ear.client.submit(GenerationConfig("stripes", seed=3, width=64, height=64))
    first = ear.event(MaterialReady, PATIENCE, job=saved)
    assert len(first.recipe.model_hash) == 64
    again = ear.client.submit(GenerationConfig("stripes", seed=3, width=64, height=64))
    second = ear.event(MaterialReady, PATIENCE, job=again)
    assert np.array_equal(first.maps["base_color"], second.maps["base_color"])

    chosen = GenerationConfig(
        "stripes",
        width=64,
        height=64,
        style=CellMap((Seed(3), Seed(8)), 1, 2, (0.0, 1.0)),
        directions=(("pca 1", 1.5),),
    )
    painted = ear.event(MaterialReady, PATIENCE, job=ear.client.submit(chosen))
    assert painted.recipe.config.style == chosen.style
    assert painted.recipe.config.directions == chosen.directions
    moved = replace(chosen, style=((Material("ash"), 1.0),))
    assert ear.event(JobRejected, job=ear.client.submit(moved)).error.code == "invalid_config"

    big = ear.client.submit(GenerationConfig("stripes", width=1024, height=1024))
    ear.event(MaterialReady, PATIENCE, job=big)
    assert resident_mib(worker.launched.pid) < 80


PARENT = """
import sys, time
from pathlib import Path
from gan_worker.client.client import Client
from gan_worker.config import TrainingConfig
from gan_worker.client.events import PreviewReady
from gan_worker.client.launcher import Launcher
folder, photo = Path(sys.argv[1]), sys.argv[2]
launcher = Launcher([sys.executable, "-m", "gan_worker"], folder / "home", folder / "logs")
launcher.start()
while (found := launcher.poll()) is None:
    time.sleep(0.01)
client = Client(found.control, found.bulk, found.server_key, found.keys)
client.submit(TrainingConfig("stripes", (photo,), "nano", None, 1000.0, 1.0))
while not any(isinstance(e, PreviewReady) for e in client.collect()):
    time.sleep(0.01)
print(found.pid, flush=True)
while True:
    client.collect()
    time.sleep(0.01)
"""


def test_kill_9_of_blender_leaves_no_orphan(tmp_path, photo, children_of, is_alive):
    command = [sys.executable, "-c", PARENT, str(tmp_path), str(photo)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        server = int(parent.stdout.readline())
        compute = children_of(server)[0]
        assert is_alive(server)
        assert is_alive(compute)
        parent.kill()
    end = time.monotonic() + 35
    while is_alive(server) or is_alive(compute):
        assert time.monotonic() < end, "an orphan lives"
        time.sleep(0.05)
    run = Run.open(tmp_path / "home" / "runs", "stripes")
    assert run.load_checkpoint() is not None
    assert (run.path / "model.json").exists()


def test_kill_9_of_the_server_loses_no_job_and_runs_none_twice(worker, photo, is_alive):
    config, other = training(photo, kimg=0.6), training(photo, kimg=0.1, run="second")
    ear = worker.start()
    first, second = ear.client.submit(config), ear.client.submit(other)
    ear.state(second, "queued")
    ear.event(PreviewReady, PATIENCE, job=first)
    compute = worker.compute_pid()
    os.kill(worker.launched.pid, signal.SIGKILL)
    assert worker.launcher.wait(5)

    ear = worker.start()
    ear.client.submit(config, first)
    ear.client.submit(other, second)
    ear.client.cancel(second)
    ear.state(second, "cancelled")
    ear.state(first, "succeeded", PATIENCE)
    assert not is_alive(compute)
    assert ear.states(first).count("succeeded") == 1
    assert [e.attempt for e in ear.heard if isinstance(e, JobState) and e.job == first][-1] == 2
    ticks = Run.open(worker.home / "runs", "stripes").read_progress()
    steps = [tick.step for tick in ticks]
    assert steps == sorted(steps)
    assert ticks[-1].kimg == pytest.approx(0.6, abs=0.01)
    assert not (worker.home / "runs" / "second").exists()
