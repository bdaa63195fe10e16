"""Several compute processes behind one server: real processes with a stand-in for TensorFlow."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from gan_worker.client.events import JobReport, MaterialReady
from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.progress import GenerationProgress, Stage
from gan_worker.server import scheduler
from gan_worker.server.scheduler import environments
from gan_worker.server.supervisor import Patience
from gan_worker.wire.messages import WorkerStatus

STAND_IN = Path(__file__).with_name("stand_in_compute.py")
LONG = 999  # a seed that the stand-in takes until it is cancelled


def material(seed=1, model="oak"):
    return GenerationConfig(model, seed, width=64, height=32)


def training(picture, run="oak"):
    return TrainingConfig(run, (str(picture),), "nano", None, 100.0)


@pytest.fixture
def served(serve):
    return serve(processes=2)


@pytest.fixture
def ear(served, picture):
    """A client whose worker knows the model `oak` that trains in the first process."""
    ear = served.connect()
    ear.training = ear.client.submit(training(picture))
    ear.event(JobReport, job=ear.training, report=Stage("learning"))
    return ear


def processes(served):
    lines = (served.home / "did.txt").read_text().splitlines()
    return [int(line.split()[1]) for line in lines if line.startswith("process")]


def started(ear, job):
    ear.report(job, GenerationProgress)
    return job


def test_materials_of_other_models_are_made_beside_a_training(served, ear, picture):
    other = ear.client.submit(training(picture, "pine"))
    ear.event(JobReport, job=other, report=Stage("learning"))
    assert len(processes(served)) == 2
    assert ear.states(ear.training)[-1] == "running"
    jobs = [ear.client.submit(material(5, model)) for model in ("oak", "pine")]
    for job in jobs:
        draw = np.random.default_rng(5)
        expected = draw.integers(0, 256, (32, 64, 3), np.uint8)
        found = ear.event(MaterialReady, job=job)
        assert np.array_equal(found.maps["base_color"], expected)
    status = ear.event(WorkerStatus, device="2 × STAND-IN")
    assert status.compute_state == "busy"


def test_the_death_of_one_process_leaves_the_other_at_work(served, ear, picture):
    other = ear.client.submit(training(picture, "pine"))
    ear.event(JobReport, job=other, report=Stage("learning"))
    os.kill(processes(served)[1], signal.SIGKILL)
    assert ear.state(other, "interrupted").error.code == "compute_died"
    ear.until(lambda heard: ear.states(other)[-2:] == ["queued", "running"])
    assert ear.states(ear.training) == ["queued", "running"]
    assert len(processes(served)) == 3


def test_two_long_materials_are_made_and_cancelled_apart(served, ear):
    ear.client.stop(ear.training)
    ear.state(ear.training, "succeeded")
    _allow(served, "oak")
    first, second = (started(ear, ear.client.submit(material(LONG))) for _ in range(2))
    ear.client.cancel(first)
    ear.state(first, "cancelled")
    assert ear.states(second)[-1] == "running"
    ear.client.cancel(second)
    ear.state(second, "cancelled")
    assert len(processes(served)) == 2


def _allow(served, name):
    """Let the server take materials of a run of which the stand-in saved no model."""
    served.server._jobs._validation.check = lambda owner, kind, config, training: (name, config)


def test_idle_processes_are_all_ended(serve):
    served = serve(processes=2, patience=Patience(idle=0.2))
    _allow(served, "oak")
    ear = served.connect()
    jobs = [ear.client.submit(material(seed)) for seed in range(8)]
    for job in jobs:
        ear.event(MaterialReady, job=job)

    def is_off(heard):  # it may have been told before the last material had come over
        return [e for e in heard if isinstance(e, WorkerStatus)][-1].compute_state == "off"

    ear.until(is_off)
    assert not any(map(_alive, processes(served)))


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_process_that_never_starts_leaves_the_work_to_the_other(serve, tmp_path, picture):
    """As where the second GPU is broken: the program ends at once in every process but the first."""
    program = tmp_path / "first_only.py"
    program.write_text(
        "import os, runpy, sys\n"
        f"try: os.open({str(tmp_path / 'taken')!r}, os.O_CREAT | os.O_EXCL)\n"
        "except FileExistsError: sys.exit(4)\n"
        f"runpy.run_path({str(STAND_IN)!r}, run_name='__main__')\n"
    )
    served = serve(processes=2, compute_command=(sys.executable, str(program)))
    _allow(served, "oak")
    ear = served.connect()
    train = ear.client.submit(training(picture))
    ear.event(JobReport, job=train, report=Stage("learning"))
    job = ear.client.submit(material(3, "pine"))
    ear.event(MaterialReady, job=job)
    assert ear.states(train)[-1] == "running"


def test_processes_share_gpus_or_threads(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-7")
    found = [each["CUDA_VISIBLE_DEVICES"] for each in environments(3)]
    assert found == ["4", "GPU-7", "4"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    monkeypatch.setattr(scheduler, "_processors", lambda: 7)
    assert {each["TF_NUM_INTRAOP_THREADS"] for each in environments(3)} == {"2"}
    assert environments(1) == [{}]


def test_gpus_are_asked_of_the_driver(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho GPU-a\necho GPU-b\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert [each["CUDA_VISIBLE_DEVICES"] for each in environments(2)] == ["GPU-a", "GPU-b"]
    program.write_text("#!/bin/sh\nexit 9\n")
    assert "CUDA_VISIBLE_DEVICES" not in environments(2)[0]
