"""Lines that are slow and far, computers that sleep and move, clocks that jump, and who repeats what was said."""

from __future__ import annotations

import logging
import re
import socket
import time
from pathlib import Path

import numpy as np
import pytest
from proxies import Proxy

from gan_worker.client import heartbeat
from gan_worker.client.client import Client
from gan_worker.client.events import (
    Connected,
    JobReport,
    LinkLost,
    MaterialReady,
    PreviewReady,
)
from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.progress import Stage, TrainingProgress
from gan_worker.wire import sockets
from gan_worker.wire.messages import JobList, ModelList


@pytest.fixture
def link(serve, make_ear):
    """Makes a server, and a client that reaches it through two proxies."""
    opened = []

    def make(**line):
        served = serve()
        where = served.server.announcement
        control, bulk = (Proxy(where[name], **line) for name in ("control", "bulk"))
        opened.extend((control, bulk))
        client = Client(control.address, bulk.address, where["server_key"], served.keys)
        opened.insert(0, client)
        return served, make_ear(client), control

    yield make
    for each in opened:
        each.close()


def training(picture, steps=100_000, run="oak"):
    return TrainingConfig(run, (str(picture),), "nano", None, steps / 1000)


def previews(ear):
    return [e.preview for e in ear.heard if isinstance(e, PreviewReady)]


@pytest.mark.slow
def test_on_a_slow_and_far_line_control_is_answered_and_the_newest_previews_come(link, picture):
    _, ear, _ = link(delay=0.25, rate=125_000)  # 500 ms there and back, 1 Mbit/s
    ear.event(Connected)
    job = ear.client.submit(training(picture))
    # Previews of 12 KB, twenty a second: twice of what the line takes.
    ear.event(JobReport, job=job, report=Stage("learning"))
    ear.until(lambda heard: len(previews(ear)) > 2)
    for _ in range(2):
        ear.heard.clear()
        asked = time.monotonic()
        ear.client.request_models()
        ear.event(ModelList)
        assert time.monotonic() - asked < 2
    ear.until(lambda heard: len(previews(ear)) > 3)
    steps = [preview.step for preview in previews(ear)]
    assert steps == sorted(set(steps)), "never an older one after a newer"
    assert max(np.diff(steps)) > 10, "old ones were left out"
    last = ear.until(lambda heard: isinstance(heard[-1], PreviewReady) and heard[-1].preview)
    told = [e.report for e in ear.heard if isinstance(e, JobReport)]
    newest = max(report.step for report in told if isinstance(report, TrainingProgress))
    assert newest - last.step < 600, "three seconds of training at most"


def test_a_computer_that_slept_and_has_a_new_address_is_back_and_missed_nothing(
    link, picture, monkeypatch
):
    monkeypatch.setattr(heartbeat, "SILENCE", 0.3)
    monkeypatch.setattr(heartbeat, "ANSWER_WAIT", 0.2)
    monkeypatch.setattr(sockets, "HEARTBEAT_MS", 200)
    monkeypatch.setattr(sockets, "SILENCE_MS", 600)
    _, ear, control = link()
    ear.event(Connected)
    job = ear.client.submit(training(picture, 100))
    ear.event(JobReport, job=job, report=Stage("learning"))
    control.forget_connections()
    ear.until(lambda heard: sum(isinstance(e, Connected) for e in heard) == 2)
    ear.state(job, "succeeded")
    assert ear.states(job) == ["queued", "running", "succeeded"]


def test_a_clock_that_jumps_changes_nothing(link, picture, monkeypatch):
    right, ahead = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: right() + ahead[0])
    monkeypatch.setattr(time, "time_ns", lambda: int((right() + ahead[0]) * 1e9))
    _, ear, _ = link()
    ear.event(Connected)
    job = ear.client.submit(training(picture))
    ear.event(JobReport, job=job, report=Stage("learning"))
    made = []
    for jump in (86_400, -10 * 365 * 86_400, 30 * 365 * 86_400, 0):
        ahead[0] = jump
        made.append(ear.client.submit(GenerationConfig("oak", len(made), 64, 32)))
        ear.event(MaterialReady, job=made[-1])
    ear.client.stop(job)
    ear.state(job, "succeeded")
    assert not [e for e in ear.heard if isinstance(e, LinkLost)]
    ear.client.request_jobs()
    assert [j.job for j in ear.event(JobList).jobs] == [*reversed(made), job]


def test_the_clock_on_the_wall_measures_nothing_but_the_age_of_files():
    root = Path(heartbeat.__file__).parents[2]
    wrong = [
        f"{file.relative_to(root)}: {line.strip()}"
        for package in ("gan_worker", "blender_addon")
        for file in sorted((root / package).rglob("*.py"))
        for line in file.read_text("utf-8").splitlines()
        if re.search(r"\btime\.time(_ns)?\(|\bfrom time import .*\btime\b", line)
        and not re.search(r"st_mtime|create_time\(\)|max\(changed", line)
    ]
    assert not wrong


def test_what_was_recorded_and_is_said_again_to_the_server_does_nothing(link, picture, caplog):
    caplog.set_level(logging.INFO)
    served, ear, control = link()
    ear.event(Connected)
    job = ear.client.submit(training(picture, 5))
    ear.state(job, "succeeded")
    recorded, connections = bytes(control.said), caplog.text.count(" connected")
    host, _, port = served.server.announcement["control"].removeprefix("tcp://").partition(":")
    with socket.create_connection((host, int(port))) as again:
        again.sendall(recorded)
        again.settimeout(10)
        heard = b""
        while data := again.recv(65536):  # until the server has had enough of it
            heard += data
    assert len(heard) < 1000, "a greeting and a handshake that fails, no answer"
    ear.client.request_jobs()
    assert [j.job for j in ear.event(JobList).jobs] == [job]
    assert caplog.text.count(" connected") == connections
    assert (served.home / "did.txt").read_text().count("train ") == 1


def test_what_is_said_again_within_a_connection_does_nothing_but_end_it(link, picture):
    served, ear, control = link()
    ear.event(Connected)
    job = ear.client.submit(training(picture, 5))
    ear.state(job, "succeeded")
    control.say_again(2000)
    ear.client.request_jobs()
    assert [j.job for j in ear.event(JobList).jobs] == [job]
    assert (served.home / "did.txt").read_text().count("train ") == 1
