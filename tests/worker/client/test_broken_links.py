"""A network that freezes and breaks between client and server, played by a proxy."""

from __future__ import annotations

import numpy as np
import pytest
from proxies import Proxy

from gan_worker.client import heartbeat
from gan_worker.client.client import Client
from gan_worker.client.events import Connected, JobReport, LinkLost, MaterialReady
from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.progress import Stage
from gan_worker.wire.messages import JobState, ModelList, Release, WorkerStatus


@pytest.fixture
def linked(serve, make_ear, monkeypatch):
    """A server, and a client that came to work and reaches it through two proxies."""
    monkeypatch.setattr(heartbeat, "SILENCE", 0.3)
    monkeypatch.setattr(heartbeat, "ANSWER_WAIT", 0.2)
    served = serve()
    where = served.server.announcement
    control, bulk = Proxy(where["control"]), Proxy(where["bulk"])
    ear = make_ear(
        Client(control.address, bulk.address, where["server_key"], served.keys, warm=True)
    )
    ear.event(Connected)
    yield ear, control, bulk
    ear.client.close()
    control.close()
    bulk.close()


def started(ear, picture, steps):
    config = TrainingConfig("oak", (str(picture),), "nano", None, steps / 1000)
    job = ear.client.submit(config)
    ear.event(JobReport, job=job, report=Stage("learning"))
    return job


def test_a_frozen_link_is_told_the_worker_goes_on_and_nothing_is_missed(linked, serve, picture):
    ear, control, _ = linked
    job = started(ear, picture, 100)
    control.frozen.set()
    ear.event(LinkLost)
    ear.heard = [e for e in ear.heard if isinstance(e, JobState)]
    control.frozen.clear()
    ear.event(Connected)
    ear.state(job, "succeeded")
    assert ear.states(job) == ["queued", "running", "succeeded"]


def test_a_broken_transfer_goes_on_and_the_pixels_are_right(linked, picture):
    ear, _, bulk = linked
    started(ear, picture, 100_000)
    bulk.break_after = 5_000_000
    job = ear.client.submit(GenerationConfig("oak", 5, 2048, 1024))
    found = ear.event(MaterialReady, 30, job=job)
    assert bulk.breaks == 1
    wanted = np.random.default_rng(5).integers(0, 256, (1024, 2048, 3), np.uint8)
    assert np.array_equal(found.maps["base_color"], wanted)


def test_a_client_that_comes_back_takes_no_memory_that_was_freed(linked):
    ear, control, _ = linked
    ear.event(WorkerStatus, compute_state="idle")
    ear.client.ask(Release())
    ear.event(WorkerStatus, compute_state="off")
    control.frozen.set()
    ear.event(LinkLost)
    ear.heard.clear()
    control.frozen.clear()
    assert ear.event(Connected).compute_state == "off"
    for _ in range(2):  # a start would be told with the answer to the second at the latest
        ear.client.request_models()
        ear.event(ModelList)
        ear.heard = [e for e in ear.heard if not isinstance(e, ModelList)]
    assert not [e for e in ear.heard if isinstance(e, WorkerStatus) and e.compute_state != "off"]
