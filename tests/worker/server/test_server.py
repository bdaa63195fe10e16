"""The server over real sockets, with a real child process in TensorFlow's place."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zmq
from odd_configs import TWO_CHOICES
from raw_peers import hello, raw

from gan_worker.client.client import Client
from gan_worker.client.events import (
    Connected,
    JobReport,
    LinkLost,
    MapReady,
    MaterialReady,
    PreviewReady,
    ResultLost,
)
from gan_worker.config import GenerationConfig, RepairConfig, TrainingConfig
from gan_worker.dataclass_json import to_json
from gan_worker.errors import WorkerError
from gan_worker.estimation import Estimation
from gan_worker.progress import GenerationProgress, Stage, TrainingProgress
from gan_worker.runs.run import ModelInfo, Run
from gan_worker.server.journal import Journal
from gan_worker.server.supervisor import Patience
from gan_worker.style import CellMap, Latent, Material
from gan_worker.wire import codec, messages
from gan_worker.wire.codec import EVENT_CREDIT, FLAGS, MAGIC, VERSION, Message, encode, new_id
from gan_worker.wire.keys import new_key_pair
from gan_worker.wire.messages import (
    JobAccepted,
    JobList,
    JobRejected,
    JobState,
    ModelList,
    Release,
    Submit,
    WorkerFault,
    WorkerStatus,
)

STARTER = "Starter Red Bricks"


def training(picture, run="oak", steps=100_000):
    return TrainingConfig(run, (str(picture),), "nano", None, steps / 1000)


def material(**fields):
    return GenerationConfig("oak", **{"width": 64, "height": 32, **fields})


@pytest.fixture
def served(serve):
    return serve()


@pytest.fixture
def ear(served):
    return served.connect()


def did(served):
    return (served.home / "did.txt").read_text().splitlines()


def started(served, ear, config):
    job = ear.client.submit(config)
    ear.event(JobReport, job=job, report=Stage("learning"))
    return job


def process_of(served):
    """Process ids of all compute processes so far."""
    return [int(line.split()[1]) for line in did(served) if line.startswith("process")]


# ---- the way through


def test_a_client_is_greeted_before_any_compute_process_runs(ear):
    found = ear.event(Connected)
    assert found.protocol == VERSION
    assert found.compute_state == "off"


def test_who_comes_to_work_finds_the_compute_process_warm(served, picture):
    ear = served.connect(warm=True)
    ear.event(WorkerStatus, compute_state="idle")
    assert did(served) == [f"process {process_of(served)[0]}"], "and nothing was done yet"
    ear.state(ear.client.submit(training(picture, steps=10)), "succeeded")
    served.connect(warm=True).event(Connected)
    assert len(process_of(served)) == 1


def test_a_compute_process_that_starts_has_nothing_to_save_and_is_ended_at_once(serve):
    sleeper = (sys.executable, "-c", "import time; time.sleep(120)")
    served = serve(compute_command=sleeper, patience=Patience(leave_terminate=100, leave_kill=110))
    served.connect(warm=True).event(WorkerStatus, compute_state="starting")
    served.end()


def test_a_training_reports_and_succeeds(served, ear, picture):
    job = ear.client.submit(training(picture, steps=60))
    ear.state(job, "succeeded")
    assert ear.states(job) == ["queued", "running", "succeeded"]
    accepted = ear.heard.index(JobAccepted(job))
    assert accepted < ear.heard.index(ear.state(job, "running"))
    kinds = {type(e.report) for e in ear.heard if isinstance(e, JobReport)}
    assert kinds == {Stage, TrainingProgress}
    preview = ear.event(PreviewReady, job=job).preview
    assert preview.pixels.shape == (64, 64, 3)
    assert np.all(preview.pixels == preview.step % 256)
    assert ear.event(WorkerStatus, compute_state="busy").device == "STAND-IN"


def test_a_material_comes_with_all_its_maps_between_two_steps(served, ear, picture):
    train = started(served, ear, training(picture))
    job = ear.client.submit(material(seed=5))
    found = ear.event(MaterialReady, job=job)
    assert ear.states(train)[-1] == "running"
    draw = np.random.default_rng(5)
    assert np.array_equal(found.maps["base_color"], draw.integers(0, 256, (32, 64, 3), np.uint8))
    assert found.maps["height"].dtype == np.uint16
    assert np.array_equal(found.maps["height"], draw.integers(0, 65536, (32, 64, 1), np.uint16))
    assert found.recipe.config.seed == 5
    assert {e.name for e in ear.heard if isinstance(e, MapReady)} == {"base_color", "height"}


def test_a_result_larger_than_the_window_arrives_whole(served, ear, picture):
    started(served, ear, training(picture))
    job = ear.client.submit(material(width=2048, height=2048))
    assert ear.event(MaterialReady, job=job).maps["base_color"].shape == (2048, 2048, 3)


def test_a_result_can_be_fetched_again_by_a_client_that_was_away(served, ear, picture):
    started(served, ear, training(picture))
    job = ear.client.submit(material(seed=5))
    first = ear.event(MaterialReady, job=job)
    late = served.connect()
    late.client.request_jobs()
    assert job in {j.job for j in late.event(JobList).jobs}
    late.client.request_result(job)
    again = late.event(MaterialReady, job=job)
    assert np.array_equal(again.maps["height"], first.maps["height"])


def test_a_result_that_cannot_come_is_told_with_its_job(served, ear, picture):
    train = started(served, ear, training(picture))
    made = ear.client.submit(material(seed=5))
    ear.event(MaterialReady, job=made)
    for folder in (served.home / "server").glob("*/results"):
        shutil.rmtree(folder / made)
    for job, code in ((made, "unknown_job"), (train, "invalid_message"), ("f" * 32, "unknown_job")):
        ear.client.request_result(job)
        assert ear.event(ResultLost, job=job).error.code == code


def test_a_result_that_no_event_can_carry_is_asked_for(served, ear, monkeypatch):
    _allow_all(served)
    subscriptions = served.server._subscriptions
    send = subscriptions._send

    def send_little(route, message):
        if isinstance(message.body, JobState) and message.body.result:
            raise codec.bad_message("a head must be smaller")
        return send(route, message)

    monkeypatch.setattr(subscriptions, "_send", send_little)
    ear.event(MaterialReady, job=ear.client.submit(material()))


def test_pause_resume_and_stop(served, ear, picture):
    job = started(served, ear, training(picture))
    ear.client.pause(job)
    ear.state(job, "paused")
    generated = ear.client.submit(material())
    ear.event(MaterialReady, job=generated)
    ear.client.resume(job)
    ear.until(lambda heard: ear.states(job)[-1] == "running")
    ear.client.stop(job)
    ear.state(job, "succeeded")
    assert ear.states(job) == ["queued", "running", "paused", "running", "succeeded"]
    assert did(served)[-1].startswith("saved oak")


def test_cancel_keeps_nothing(served, ear, picture):
    job = started(served, ear, training(picture))
    ear.client.cancel(job)
    ear.state(job, "cancelled")
    assert not any(line.startswith("saved") for line in did(served))
    assert len(process_of(served)) == 1


def test_a_long_generation_is_cancelled_between_two_pieces(served, ear, picture):
    train = started(served, ear, training(picture))
    job = ear.client.submit(material(seed=999))
    ear.report(job, GenerationProgress)
    ear.client.cancel(job)
    ear.state(job, "cancelled", 1.5)
    assert ear.states(train)[-1] == "running"


def test_a_repair_between_two_steps_lets_materials_pass_and_is_cancelled(served, ear, picture):
    train = started(served, ear, training(picture))
    long = ear.client.submit(RepairConfig(STARTER, str(picture), str(picture), seed=999))
    ear.report(long, GenerationProgress)
    assert did(served)[-1] == f"repair {picture} {picture}"
    made = ear.client.submit(material())
    ear.event(MaterialReady, job=made)
    waiting = ear.client.submit(RepairConfig(STARTER, str(picture), str(picture), seed=7))
    assert ear.states(long)[-1] == "running"
    ear.client.cancel(long)
    ear.state(long, "cancelled", 1.5)
    repaired = ear.event(MaterialReady, job=waiting)
    assert (repaired.maps["base_color"] == 7).all()
    ear.state(waiting, "succeeded")
    assert ear.states(train)[-1] == "running"


def test_submitted_twice_it_runs_once(served, ear, picture):
    job = codec.new_id()
    other = served.connect()
    config = training(picture, steps=10)
    ear.client.submit(config, job)
    other.client.submit(config, job)
    ear.state(job, "succeeded")
    other.event(JobAccepted)
    assert did(served).count("train oak new") == 1


def test_a_fault_in_a_job_fails_it_and_nothing_else(served, ear, picture):
    job = ear.client.submit(training(picture, "fails"))
    assert ear.state(job, "failed").error.code == "unexpected"
    good = ear.client.submit(training(picture, "good", 10))
    ear.state(good, "succeeded")
    assert len(process_of(served)) == 1


@pytest.mark.parametrize(
    ("config", "code"),
    [
        (TrainingConfig("oak", ("/none/such.png",)), "picture_missing"),
        (TrainingConfig("oak", ("none.png",)), "not_allowed"),
        (TrainingConfig("../oak", ("/",)), "invalid_config"),
        (TrainingConfig("oak", ("/",), preset="giant"), "invalid_config"),
        (TrainingConfig("oak", ()), "invalid_config"),
        (TrainingConfig("oak", ("/",), minutes=-1), "invalid_config"),
        (TrainingConfig("oak", ("/",), resume=True), "unknown_run"),
        (RepairConfig("oak", "/", "/"), "unknown_model"),
        (RepairConfig("../oak", "/", "/"), "invalid_config"),
        (RepairConfig(STARTER, "/", "/none/such.png"), "picture_missing"),
        (RepairConfig(STARTER, "none.png", "/"), "not_allowed"),
        (RepairConfig(STARTER, "/", "/", steps=0), "invalid_config"),
        (RepairConfig(STARTER, "/", "/", scale=99.0), "invalid_config"),
        (RepairConfig(STARTER, "/", "/", estimation=Estimation(depth=-1.0)), "invalid_config"),
        (
            RepairConfig(STARTER, "/", "/", estimation=Estimation(estimator="my")),
            "unknown_estimator",
        ),
        (GenerationConfig("oak"), "unknown_model"),
        (GenerationConfig("../oak"), "invalid_config"),
        (GenerationConfig("oak", width=100_000), "invalid_size"),
        (GenerationConfig("oak", width=0), "invalid_size"),
        (GenerationConfig(STARTER, maps=("smell",)), "invalid_config"),
        (GenerationConfig("oak", truncation_psi=9), "invalid_config"),
        (GenerationConfig("oak", style=Latent((0.0,) * 2100)), "invalid_config"),
        (GenerationConfig("oak", directions=(("size", 1.0),)), "invalid_config"),
        (GenerationConfig("oak", style=CellMap((), 1, 1, (0.0,))), "invalid_config"),
    ],
)
def test_what_cannot_work_is_rejected_before_tensorflow_starts(served, ear, config, code):
    job = ear.client.submit(config)
    error = ear.event(JobRejected, job=job).error
    assert error.code == code
    assert error.cure
    assert not (served.home / "did.txt").exists()


def test_names_of_training_materials_are_known_before_tensorflow_starts(served, ear):
    info = ModelInfo("wood", "", 8, 16, ("height",), "nano", {}, {}, 1.0, "2030", 1, 0.1)
    run = Run.create(served.home / "runs", "wood")
    run.save_model(replace(info, styles=("oak", "pine")), {"a": np.zeros(2)})
    ear.client.request_models()
    assert ear.event(ModelList).models[0].styles == ("oak", "pine")
    job = ear.client.submit(GenerationConfig("wood", style=Material("ash")))
    error = ear.event(JobRejected, job=job).error
    assert error.code == "invalid_config"
    assert "oak, pine" in error.message
    ear.state(ear.client.submit(GenerationConfig("wood", style=Material("pine"))), "succeeded")


def test_directions_worth_a_slider_are_told_with_the_model(served, ear):
    sizes = {"config": {"w_dim": 4}}
    info = ModelInfo("wood", "", 8, 16, ("height",), "nano", sizes, {}, 1.0, "2031", 1, 0.1)
    Run.create(served.home / "runs", "wood").save_model(info, {"a": np.zeros(2)})
    plain = replace(info, name="digits", network={"config": {"side": 28}}, created="2030")
    Run.create(served.home / "runs", "digits").save_model(plain, {"a": np.zeros(2)})
    ear.client.request_models()
    wood, digits, *_ = ear.event(ModelList).models
    assert wood.directions == ("pca 1", "pca 2", "pca 3", "pca 4", "factor 1", "factor 2")
    assert digits.directions == ()


def test_a_latent_that_is_not_finite_is_refused_on_the_own_side(ear):
    with pytest.raises(codec.BadMessage):
        ear.client.submit(material(style=Latent((float("inf"),))))
    ear.event(Connected)


def test_the_idle_compute_process_is_ended_and_started_again(serve, picture):
    served = serve(patience=Patience(idle=0.2))
    ear = served.connect()
    first = ear.client.submit(training(picture, "a", 10))
    ear.state(first, "succeeded")
    ear.until(
        lambda heard: isinstance(heard[-1], WorkerStatus) and heard[-1].compute_state == "off"
    )
    second = ear.client.submit(training(picture, "b", 10))
    ear.state(second, "succeeded")
    assert len(process_of(served)) == 2


def test_an_idle_compute_process_is_ended_at_once_when_asked(served, ear, picture):
    busy = started(served, ear, training(picture, "a"))
    ear.client.ask(Release())
    assert ear.event(WorkerFault).error.code == "wrong_state"
    assert ear.states(busy)[-1] == "running"
    ear.client.stop(busy)
    ear.state(busy, "succeeded")
    ear.heard.clear()
    ear.client.ask(Release())
    ear.event(WorkerStatus, compute_state="off")
    assert not _alive(process_of(served)[0])
    again = ear.client.submit(training(picture, "b", 10))
    ear.state(again, "succeeded")
    assert len(process_of(served)) == 2


def test_models_of_runs_in_training_count(served, ear, picture):
    ear.client.request_models()
    assert all(model.name.startswith("Starter ") for model in ear.event(ModelList).models)
    started(served, ear, training(picture))
    job = ear.client.submit(material(width=63))
    assert ear.state(job, "failed").error.code == "invalid_size"


# ---- deaths


@pytest.mark.skipif(sys.platform == "win32", reason="there nothing dies by a signal")
@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGSEGV], ids=lambda death: death.name)
def test_a_death_of_the_compute_process_is_told_and_the_run_goes_on(served, ear, picture, death):
    job = started(served, ear, training(picture, steps=300))
    ear.until(lambda heard: [e for e in heard if _step(e) > 40])
    killed = time.monotonic()
    os.kill(process_of(served)[0], death)
    error = ear.state(job, "interrupted").error
    assert time.monotonic() - killed < 2
    assert error.code == "compute_died"
    assert f"signal {death.value}" in error.message
    ear.state(job, "succeeded")
    assert ear.states(job) == [
        "queued",
        "running",
        "interrupted",
        "queued",
        "running",
        "succeeded",
    ]
    assert "train oak again" in did(served)


def _step(event):
    return getattr(getattr(event, "report", None), "step", 0)


def test_three_deaths_fail_the_job_and_the_queue_goes_on(served, ear, picture):
    bad = ear.client.submit(training(picture, "always dies"))
    good = ear.client.submit(training(picture, "good", 10))
    error = ear.state(bad, "failed").error
    assert error.code == "compute_died"
    ear.state(good, "succeeded")
    assert len(process_of(served)) == 4


def test_a_compute_process_that_cannot_start_fails_the_job(serve, picture):
    served = serve(compute_command=("/none/such/python",))
    ear = served.connect()
    job = ear.client.submit(training(picture))
    assert ear.state(job, "failed").error.code == "compute_died"


def test_cancel_ends_a_process_that_hears_neither_words_nor_sigterm(serve, picture):
    served = serve(patience=Patience(terminate=0.2, kill=0.6))
    ear = served.connect()
    job = ear.client.submit(training(picture, "deaf"))
    ear.until(lambda heard: (served.home / "did.txt").exists() and "deaf now" in did(served))
    ear.client.cancel(job)
    ear.state(job, "cancelled", 5)
    good = ear.client.submit(training(picture, "good", 10))
    ear.state(good, "succeeded")
    assert not _alive(process_of(served)[0])


def test_a_generation_without_memory_is_tried_once_more_in_a_new_process(served, ear, picture):
    ear.state(ear.client.submit(training(picture, steps=10)), "succeeded")
    (served.home / "runs" / "oak" / "model.json").write_text("")
    served.server._jobs._validation.check = lambda owner, kind, config, training: ("oak", config)
    job = ear.client.submit(material(seed=888))
    ear.event(MaterialReady, job=job)
    expected = ["queued", "running", "interrupted", "queued", "running", "succeeded"]
    assert ear.states(job) == expected
    told = ear.state(job, "interrupted").error
    assert told.code == "out_of_memory"
    assert "once more in a new compute process" in told.cure
    first, second = process_of(served)
    assert not _alive(first)
    assert _alive(second)


def test_a_generation_without_memory_takes_no_training_with_it(served, ear, picture):
    train = started(served, ear, training(picture))
    job = ear.client.submit(material(seed=888))
    assert ear.state(job, "failed").error.code == "out_of_memory"
    assert ear.states(train)[-1] == "running"
    assert len(process_of(served)) == 1


@pytest.mark.parametrize("run", ["starved", "starved while reading"])
def test_a_training_gives_way_before_the_memory_is_used_up(served, ear, picture, run):
    job = ear.client.submit(training(picture, run))
    error = ear.state(job, "interrupted").error
    assert error.code == "out_of_memory"
    assert "resume" in error.cure.lower()
    *_, freed, last = [line for line in did(served) if not line.startswith("process")]
    if run == "starved":
        assert (freed, last) == ("freed memory", f"saved starved {last.split()[-1]}")
    else:
        assert last == "freed memory", "and nothing was there to be saved"
    ear.event(WorkerStatus, compute_state="off")  # and what the process held is free


@pytest.mark.parametrize("action", ["stop", "pause"])
def test_stop_and_pause_end_a_process_that_hears_nothing(serve, picture, action):
    quick = Patience(terminate=0.1, kill=0.3, leave_terminate=0.2, leave_kill=0.4)
    served = serve(patience=quick)
    ear = served.connect()
    job = ear.client.submit(training(picture, "deaf"))
    ear.until(lambda heard: (served.home / "did.txt").exists() and "deaf now" in did(served))
    getattr(ear.client, action)(job)
    error = ear.state(job, "interrupted", 5).error
    assert error.code == "compute_died"
    assert {"stop": "was stopped", "pause": "was paused"}[action] in error.message
    assert "Resume" in error.cure
    good = ear.client.submit(training(picture, "good", 10))
    ear.state(good, "succeeded")
    assert not _alive(process_of(served)[0])
    assert ear.states(job)[-1] == "interrupted", "and is not begun again by itself"


def test_a_training_that_saves_for_long_when_it_is_stopped_is_let_do_so(serve, picture):
    served = serve(patience=Patience(terminate=0.05, kill=0.1))
    ear = served.connect()
    job = started(served, ear, training(picture, "saves slowly"))
    ear.client.stop(job)
    ear.state(job, "succeeded")
    assert did(served)[-1].startswith("saved saves slowly")


def test_a_paused_training_may_be_silent_for_as_long_as_the_work_beside_it(serve, picture):
    served = serve(patience=Patience(1.0, 2.0, 1.0, 2.0))
    ear = served.connect()
    job = started(served, ear, training(picture))
    ear.client.pause(job)
    ear.state(job, "paused")
    made = ear.client.submit(material(seed=777))  # longer than all these limits
    ear.event(MaterialReady, job=made)
    ear.client.resume(job)
    ear.client.stop(job)
    ear.state(job, "succeeded")
    assert len(process_of(served)) == 1


def test_a_wedged_process_is_found_out(serve, picture):
    served = serve(patience=Patience(stall=0.3))
    ear = served.connect()
    job = ear.client.submit(training(picture, "wedged"))
    error = ear.state(job, "interrupted").error
    assert "no sign of work" in error.message
    ear.client.cancel(job)


def test_the_end_of_the_server_saves_the_training(serve, picture):
    served = serve(patience=Patience())
    ear = served.connect()
    job = started(served, ear, training(picture))
    ear.client.shutdown_worker()
    ear.state(job, "interrupted")
    served.thread.join(10)
    assert not served.thread.is_alive()
    assert did(served)[-1].startswith("saved oak")
    assert not _alive(process_of(served)[0])


def test_another_server_takes_up_jobs_of_the_same_owner(serve, picture):
    keys = new_key_pair()
    served = serve(keys)
    ear = served.connect()
    running = started(served, ear, training(picture, steps=200))
    waiting = ear.client.submit(training(picture, "pine", 10))
    ear.state(waiting, "queued")
    served.end()
    again = serve(keys).connect()
    again.client.request_jobs()
    states = {j.job: j.state for j in again.event(JobList).jobs}
    assert states == {running: "interrupted", waiting: "interrupted"}
    again.client.resume(running)
    again.state(running, "succeeded")
    assert again.event(JobState, job=running, state="running").attempt == 2


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# ---- owners, links and slow clients


def test_two_clients_with_different_keys_see_only_their_own_jobs(serve, picture):
    other_keys = new_key_pair()
    served = serve(clients=(other_keys,))
    mine, other = served.connect(), served.connect(other_keys)
    other.event(Connected)
    job = started(served, mine, training(picture))
    generated = mine.client.submit(material())
    mine.event(MaterialReady, job=generated)
    other.client.cancel(job)
    assert other.event(WorkerFault).error.code == "unknown_job"
    other.client.request_result(job)
    assert other.event(ResultLost, job=job).error.code == "unknown_job"
    other.client.request_jobs()
    assert other.event(JobList).jobs == ()
    wanted = messages.Fetch(generated, "height", 0, 64)
    with raw(served, other_keys, bulk=True) as peer:
        assert peer.ask(Message(wanted)).body.error.code == "unknown_job"
    with raw(served, served.keys, bulk=True) as peer:
        assert len(peer.ask(Message(wanted)).payload) == 64
    assert mine.states(job)[-1] == "running"
    assert not [e for e in other.heard if isinstance(e, JobState | JobReport)]


def test_two_clients_with_one_key_hear_the_same(served, ear, picture):
    other = served.connect()
    other.event(Connected)
    job = ear.client.submit(training(picture, steps=20))
    states = [e_.states(job) for e_ in (ear, other) if e_.state(job, "succeeded")]
    assert states == [["queued", "running", "succeeded"]] * 2


def test_newest_reports_are_told_again_to_who_asks(served, ear, picture):
    job = started(served, ear, training(picture))
    late = served.connect()
    late.report(job, Stage)
    late.event(PreviewReady, job=job)
    late.heard.clear()
    late.client.request_reports()
    assert late.report(job, Stage) == Stage("learning")
    late.event(PreviewReady, job=job)
    ear.client.stop(job)
    late.state(job, "succeeded")
    assert late.states(job) == ["succeeded"]


def test_a_client_that_was_away_gets_every_state_and_only_the_newest_rest(served, ear, picture):
    job = started(served, ear, training(picture, "flood", 400))
    asleep = served.connect()
    asleep.event(Connected)
    asleep.until(lambda heard: [e for e in heard if _step(e)])
    asleep.heard.clear()
    ear.state(job, "succeeded", 60)
    assert max(len(s.latest) for s in served.server._subscriptions._by_route.values()) < 20
    asleep.state(job, "succeeded")
    reports = [e for e in asleep.heard if isinstance(e, JobReport)]
    assert len(reports) <= 2 * EVENT_CREDIT
    assert asleep.states(job) == ["succeeded"]


def test_the_link_is_called_lost_and_comes_back(serve, monkeypatch):
    from gan_worker.client import heartbeat

    monkeypatch.setattr(heartbeat, "SILENCE", 0.2)
    monkeypatch.setattr(heartbeat, "ANSWER_WAIT", 0.1)
    ours, theirs = new_key_pair(), new_key_pair()
    served = serve(ours, server_keys=theirs)
    ear = served.connect()
    ear.event(Connected)
    where = served.server.announcement
    served.end()
    assert ear.event(LinkLost).error.code == "worker_silent"
    ear.heard.clear()
    ports = {f"{n}_port": int(where[n].rpartition(":")[2]) for n in ("control", "bulk")}
    serve(ours, server_keys=theirs, **ports)
    ear.event(Connected)


def test_a_server_that_forgot_its_client_is_greeted_again(served, ear):
    ear.event(Connected)
    served.server._subscriptions._by_route.clear()
    ear.heard.clear()
    ear.client.request_models()
    ear.event(Connected)
    ear.event(ModelList)


def test_a_request_is_sent_at_once_and_its_answer_can_be_waited_for(served, ear):
    ear.event(Connected)
    ear.until(lambda _: not ear.client._pending)
    assert not ear.client.wait(0.0)
    ear.client.request_models()
    assert ear.client.wait(60.0)
    assert any(isinstance(event, ModelList) for event in ear.client.collect())


def test_requests_without_a_worker_do_not_pile_up():
    client = Client("tcp://127.0.0.1:9", "tcp://127.0.0.1:9", new_key_pair().public, new_key_pair())
    try:
        for _ in range(1000):
            client.request_models()
            client.submit(material())
        events = client.collect()
        assert len(client._pending) <= 64
        assert any(isinstance(e, JobRejected) for e in events)
    finally:
        client.close()


# ---- bad peers


def test_a_key_that_is_not_allowed_gets_no_answer(served):
    with raw(served, new_key_pair()) as peer:
        assert peer.ask(hello()) is None
    with raw(served, served.keys, server_key=new_key_pair().public) as peer:
        assert peer.ask(hello()) is None
    with raw(served, served.keys) as peer:
        assert peer.ask(hello()).body.session


def test_a_peer_without_any_key_gets_no_answer(served):
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(served.server.announcement["control"])
        socket.send_multipart(encode(hello()))
        assert not socket.poll(500)


MALFORMED = [
    [b""],
    [b""] * 5000,
    [b"TW\0\0"],
    [b"GET / HTTP/1.1", b"Host: localhost"],
    [MAGIC + FLAGS, b"\xff\xfe"],
    [MAGIC + FLAGS, b"[" * 60_000],
    [MAGIC + FLAGS, b'{"id":' + b"9" * 60_000 + b"}"],
    [MAGIC + FLAGS, b'{"id": NaN}'],
    [MAGIC + FLAGS, b'{"id": "a", "id": "b"}'],
    [MAGIC + FLAGS, b" " * 200_000],
    [MAGIC + FLAGS, b"null"],
    [MAGIC + FLAGS, b"{}", b"surplus"],
    [MAGIC + FLAGS, b"{}", b"", b""],
]


@pytest.mark.parametrize("bulk", [False, True])
def test_what_is_no_message_is_dropped_and_the_next_is_answered(served, bulk):
    with raw(served, served.keys, bulk) as peer:
        for frames in MALFORMED:
            peer.socket.send_multipart(frames)
        wanted = Message(messages.Fetch("0" * 32, "height", 0, 1)) if bulk else hello()
        assert peer.ask(wanted).re == wanted.id
    assert served.server._dropped == len(MALFORMED)


def head(**changes):
    fields = {"v": [1, 0], "type": "ping", "id": "a1", "session": "", "body": {}, **changes}
    return [MAGIC + FLAGS, json.dumps(fields).encode()]


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "dance"},
        {"type": "welcome", "body": {}},
        {"type": "pong"},
        {"type": "finished", "body": {"job": "0" * 32}},
        {"type": "leave"},
        {"type": "command", "body": {"job": 7, "action": "stop"}},
        {"type": "command", "body": {"job": "../" * 10, "action": "stop"}},
        {"type": "command", "body": {"job": "0" * 32, "action": "explode"}},
        {"type": "subscribe", "body": {"after": "x"}},
        {"type": "seen", "body": {}},
        {"type": "fetch", "body": {"job": "0" * 32, "name": "x", "offset": 0, "length": 1}},
        {"type": "submit", "body": {"job": "0" * 32, "kind": "dance", "config": {}}},
        {"type": "submit", "body": {"job": "0" * 32, "kind": "train", "config": []}},
    ],
    ids=str,
)
def test_unknown_and_wrong_requests_are_answered_with_an_error(served, changes):
    with raw(served, served.keys) as peer:
        session = peer.ask(hello()).body.session
        peer.socket.send_multipart(head(**changes, session=session))
        answer = peer.answer()
        assert answer.re == "a1"
        assert answer.body.error.code in ("invalid_message", "unknown_job")
        assert peer.ask(Message(messages.Ping(), session=session)).body == messages.Pong()


BODIES = json.loads((Path(__file__).parents[1] / "wire" / "bodies.json").read_text("utf-8"))
ON_CONTROL = {name for name, body in messages.BODIES.items() if issubclass(body, messages.Request)}


def sent(name):
    """A good message of that type, with bytes where it is a chunk."""
    return [*head(type=name, body=BODIES[name]), *([b"abc"] if name == "chunk" else [])]


@pytest.mark.parametrize(
    ("bulk", "wrong"), [(False, set(BODIES) - ON_CONTROL), (True, set(BODIES) - {"fetch"})]
)
def test_what_does_not_belong_on_a_socket_is_answered_with_an_error(served, bulk, wrong):
    with raw(served, served.keys, bulk) as peer:
        for name in sorted(wrong):
            peer.socket.send_multipart(sent(name))
            answer = peer.answer()
            assert answer.re == "a1", name
            assert answer.body.error.code == "invalid_message", name
            assert name in answer.body.error.message
        good = Message(messages.Fetch("0" * 32, "height", 0, 1)) if bulk else hello()
        assert peer.ask(good).re == good.id


def test_every_request_is_answered_or_none_is_promised(served):
    unanswered = {"goodbye", "seen"}
    for name in sorted(ON_CONTROL - unanswered - {"hello", "shutdown"}):
        with raw(served, served.keys) as peer:
            session = peer.ask(hello()).body.session
            peer.socket.send_multipart(head(type=name, body=BODIES[name], session=session))
            answer = peer.answer()
            assert answer.re == "a1", name
            assert getattr(answer.body, "error", None) is None or answer.body.error.code in (
                *("unknown_job", "unknown_run", "unknown_model"),
            ), name


@pytest.mark.parametrize(
    "config",
    [{}, {"run": 1}, {"run": "a", "pictures": "x"}, {"run": "a", "minutes": "5"}, {"kimg": {}}],
    ids=str,
)
def test_a_config_with_wrong_fields_is_rejected(served, config):
    with raw(served, served.keys) as peer:
        session = peer.ask(hello()).body.session
        request = messages.Submit(codec.new_id(), "train", config)
        answer = peer.ask(Message(request, session=session))
        assert answer.body.error.code == "invalid_message"


@pytest.mark.parametrize("fields", TWO_CHOICES, ids=str)
def test_a_config_that_says_two_at_once_is_rejected(served, fields):
    with raw(served, served.keys) as peer:
        session = peer.ask(hello()).body.session
        request = messages.Submit(codec.new_id(), "generate", {"model": STARTER, **fields})
        answer = peer.ask(Message(request, session=session))
        assert answer.body.error.code == "invalid_message"
    assert not (served.home / "did.txt").exists()


def test_a_seen_that_lies_gives_no_more_credit_than_there_is(served, ear):
    with raw(served, served.keys) as peer:
        session = peer.ask(hello()).body.session
        for count in (10**9, -(10**9)):
            peer.socket.send_multipart(encode(Message(messages.Seen(count), session=session)))
        peer.ask(Message(messages.Ping(), session=session))
    subscribers = served.server._subscriptions._by_route.values()
    assert all(0 <= s.credit <= EVENT_CREDIT for s in subscribers)


def test_another_major_is_refused_with_both_versions(served):
    with raw(served, served.keys) as peer:
        peer.socket.send_multipart(head(v=[9, 4], type="hello"))
        answer = peer.answer()
    assert answer.body.error.code == "protocol_version"
    assert ".".join(map(str, VERSION)) in answer.body.error.message
    assert "9.4" in answer.body.error.message


def test_a_client_of_another_major_says_so_once(served, monkeypatch):
    from gan_worker.client import client as client_module

    def encode_as_next_major(message):
        frames = encode(message)
        return [frames[0], bytes(frames[1]).replace(b'"v":[1,', b'"v":[2,')]

    monkeypatch.setattr(client_module.codec, "encode", encode_as_next_major)
    ear = served.connect()
    assert ear.event(WorkerFault).error.code == "protocol_version"


def test_a_blob_outside_the_job_cannot_be_named(served, ear, picture):
    started(served, ear, training(picture))
    job = ear.client.submit(material())
    ear.event(MaterialReady, job=job)
    with raw(served, served.keys, bulk=True) as peer:
        for wanted in (
            messages.Fetch(job, "../../etc/passwd", 0, 10),
            messages.Fetch(job, "a/b", 0, 10),
            messages.Fetch(job, "", 0, 10),
            messages.Fetch(job, "height", -5, 10),
            messages.Fetch(job, "height", 2**40, 10),
            messages.Fetch(job, "height", 0, -1),
            messages.Fetch("../" + job[3:], "height", 0, 10),
        ):
            assert isinstance(peer.ask(Message(wanted)).body, messages.Error), wanted


def test_a_port_that_is_taken_is_named(serve, served):
    port = int(served.server.announcement["control"].rpartition(":")[2])
    with pytest.raises(WorkerError) as caught:
        serve(control_port=port)
    assert caught.value.code == "port_in_use"
    assert str(port) in caught.value.info.message


def test_a_job_goes_on_when_its_client_is_gone(serve, picture):
    served = serve()
    gone = served.connect()
    job = started(served, gone, training(picture, steps=100))
    gone.client.close()
    served.ears.remove(gone)
    back = served.connect()

    def ended(heard):
        back.client.request_jobs()
        return [
            j for e in heard if isinstance(e, JobList) for j in e.jobs if j.state == "succeeded"
        ]

    assert back.until(ended)[0].job == job


def test_a_newer_request_of_a_channel_replaces_the_waiting_one(served, ear, picture):
    started(served, ear, training(picture))
    long = ear.client.submit(material(seed=999))
    ear.state(long, "running")
    older = ear.client.submit(material(seed=1), channel="slider")
    newer = ear.client.submit(material(seed=2), channel="slider")
    ear.state(older, "cancelled")
    ear.client.cancel(long)
    assert ear.event(MaterialReady, job=newer).recipe.config.seed == 2


def test_a_fault_of_the_server_itself_ends_nothing(served, ear, picture, monkeypatch):
    def broken(*args):
        raise OSError("the disk is gone")

    job = started(served, ear, training(picture, steps=60))
    monkeypatch.setattr(served.server._store, "keep_newest_previews", broken)
    monkeypatch.setattr(served.server._jobs._validation, "check", broken)
    rejected = ear.client.submit(material())
    assert ear.event(JobRejected, job=rejected).error.code == "unexpected"
    ear.state(job, "succeeded")


# ---- the disk


def test_the_end_of_a_job_on_a_full_disk_is_told_and_outlives_the_server(small_disk, serve):
    disk = small_disk(8)
    keys = new_key_pair()
    served = serve(keys, home=disk.folder / "home")
    ear = served.connect()
    ear.event(Connected)
    _allow_all(served)
    waits = ear.client.submit(material(seed=999))
    ear.state(waits, "running")
    queued = ear.client.submit(material(seed=1))
    ear.event(JobAccepted, job=queued)
    disk.fill()
    ear.client.cancel(queued)
    ear.state(queued, "cancelled")
    for _ in range(200):  # whatever room there was within the journal's file is used up
        ear.client.pause(waits)
    ear.client.cancel(waits)
    ear.state(waits, "cancelled")
    refused = ear.client.submit(material(seed=2))
    assert ear.event(JobRejected, job=refused).error.code == "disk_full"
    disk.free()
    again = ear.client.submit(material(seed=3))
    ear.event(JobAccepted, job=again)
    ear.state(again, "succeeded")
    served.end()
    with closing(Journal(served.home / "server" / "1" / "journal.sqlite")) as journal:
        ends = {job.job: job.state for job in journal.all()}
    assert ends == {waits: "cancelled", queued: "cancelled", again: "succeeded"}


def _allow_all(served):
    """Let the server take materials of a run of which the stand-in saved no model."""
    served.server._jobs._validation.check = lambda owner, kind, config, training: ("oak", config)


def test_what_was_put_aside_at_the_start_is_told_to_who_connects(serve, tmp_path):
    state = tmp_path / "home" / "server" / "1"
    state.mkdir(parents=True)
    (state / "journal.sqlite").write_bytes(b"no database at all")
    served = serve()
    told = served.connect().event(WorkerFault).error
    assert told.code == "file_damaged"
    assert "journal.sqlite.damaged-1" in told.message
    assert str(tmp_path) not in told.message, "other computers have no business with its folders"


def test_fields_that_nobody_knows_are_not_kept(served, ear, picture):
    job = ear.client.submit(training(picture, steps=10))
    ear.state(job, "succeeded")
    sent = Submit(new_id(), "train", {**to_json(training(picture, "pine", 10)), "x": "y" * 9999})
    ear.client.ask(sent)
    ear.state(sent.job, "succeeded")
    served.end()
    with closing(Journal(served.home / "server" / "1" / "journal.sqlite")) as journal:
        known, unknown = (journal.get(found).config for found in (job, sent.job))
    assert known.keys() == unknown.keys()


def test_the_name_of_a_channel_has_an_end(ear):
    sent = Submit(new_id(), "generate", to_json(GenerationConfig(STARTER)), "x" * 5000)
    ear.client.ask(sent)
    assert ear.event(JobRejected, job=sent.job).error.code == "invalid_config"


def flood(served, keys, bodies):
    """Sends these, as a peer that reads no answer yet."""
    peer = raw(served, keys)
    peer.socket.setsockopt(zmq.SNDTIMEO, 20_000)
    session = peer.ask(hello()).session
    for body in bodies:
        peer.socket.send_multipart(encode(Message(body, session=session)))
    return peer


def many_runs(home, count):
    for number in range(count):
        folder = home / "runs" / f"run {number:04d}"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text('{"preset": "nano"}')


@pytest.mark.parametrize("body", [messages.AskRuns(), messages.AskModels()])
def test_many_lists_of_one_client_hold_up_no_other(serve, body):
    greedy, modest = new_key_pair(), new_key_pair()
    served = serve(clients=(greedy, modest))
    many_runs(served.home, 300)
    with flood(served, greedy, [body] * 60) as peer:
        asked = time.monotonic()
        ear = served.connect(modest)
        ear.event(Connected)
        ear.client.request_models()
        ear.event(ModelList)
        took = time.monotonic() - asked
        kind = messages.RunList if isinstance(body, messages.AskRuns) else ModelList
        answers = [peer.answer(30.0) for _ in range(60)]
    assert all(isinstance(answer.body, kind) for answer in answers)
    assert took < 5  # on a computer that does much else; one after the other they took 20


def test_requests_are_carried_out_in_their_order(served):
    """As many as a peer may ask that listens to none of the answers meanwhile."""
    with flood(served, served.keys, []) as peer:
        session = peer.ask(hello()).session
        for _ in range(5):
            asked = [Message(messages.Ping(), session=session) for _ in range(30)]
            for message in asked:
                peer.socket.send_multipart(encode(message))
            assert [peer.answer().re for _ in asked] == [message.id for message in asked]


def test_an_answer_that_no_message_can_carry_is_an_error(served):
    """Who gets no answer asks for ever."""
    run = Run.create(served.home / "runs", "oak")
    run.save_config(TrainingConfig("oak", ("a" * 200,) * 1000))
    (served.home / "runs" / "ash").mkdir()
    odd = json.dumps({"run": "ash", "pictures": ["a\ud800.png"]})
    (served.home / "runs" / "ash" / "config.json").write_text(odd)
    with raw(served, served.keys) as peer:
        session = peer.ask(hello()).session
        for name in ("oak", "ash"):
            answer = peer.ask(Message(messages.AskRunSettings(name), session=session))
            assert isinstance(answer.body, messages.Error)
        answer = peer.ask(Message(messages.AskRunSettings("x" * 60_000), session=session))
        assert len(answer.body.error.message) < 2000


def test_state_that_somebody_tidied_away_is_made_again(served, ear, picture):
    """Results, logs and runs of a worker that runs are gone; the next job does not care."""
    first = ear.client.submit(training(picture, steps=3))
    ear.state(first, "succeeded")
    for folder in (served.home / "server").glob("*/results"):
        shutil.rmtree(folder)
    shutil.rmtree(served.home / "runs")
    second = ear.client.submit(training(picture, "ash", steps=3))
    ear.state(second, "succeeded")
    ear.client.request_runs()
    assert ear.event(messages.RunList)
