"""The state panels show, and what happens when the other side misbehaves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

from blender_addon.worker import pump, session
from blender_addon.worker.jobs import MOST_SENT
from blender_addon.worker.session import Session
from gan_worker.client.events import (
    Connected,
    JobReport,
    LinkLost,
    MapReady,
    MaterialReady,
    ResultLost,
)
from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.errors import ErrorInfo, TilewrightError, WorkerError
from gan_worker.progress import DataReport, Notice, SkippedFile, Stage, TrainingProgress
from gan_worker.wire.messages import (
    AskStorage,
    JobAccepted,
    JobList,
    JobRejected,
    JobState,
    ModelList,
    StorageSizes,
    Tidy,
    WorkerFault,
    WorkerStatus,
)

PROGRESS = TrainingProgress(10, 0.1, 3.0, 0.5, 3.0, 40.0, {"generator": 1.5})


@pytest.fixture
def now(stand_in) -> Session:
    return session.current


@pytest.fixture
def alone() -> Iterator[Session]:
    """A session of its own, whose worker is really started."""
    made = Session()
    yield made
    made.close()
    assert made.wait_until_left(20)


def test_no_request_without_a_connection():
    with pytest.raises(WorkerError) as caught:
        Session().generate(GenerationConfig("bricks"))
    assert caught.value.code == "worker_gone"


def test_connection_asks_for_models(now, stand_in):
    stand_in.events.append(Connected("0.1.0", (1, 0), "CPU", "off"))
    now.tick()
    assert (now.state, now.device) == ("connected", "CPU")
    assert ("request_models", "") in stand_in.calls


def test_scripts_wait_for_the_models_too_since_sliders_need_them(now, stand_in, monkeypatch):
    from blender_addon.worker import connection

    now.close()
    now.connect(stand_in)
    stand_in.events = [Connected("0.1.0", (1, 0), "CPU", "off")]
    monkeypatch.setattr(stand_in, "request_models", lambda: None, raising=False)
    told = ModelList(stand_in.models)
    monkeypatch.setattr("time.sleep", lambda _seconds: stand_in.events.append(told))
    connection.wait_until_connected(20)
    assert now.connected and now.model_names() == ["bricks"]


def test_training_reports_show_in_the_job(now, stand_in):
    job = now.train(TrainingConfig("bricks", ("a.png",)))
    report = DataReport((), (SkippedFile("b.txt", "no picture"),), ("base_color",), 1.0)
    stand_in.events += [
        JobAccepted(job.id),
        JobReport(job.id, Stage("reading pictures")),
        JobReport(job.id, report),
        JobReport(job.id, Notice("a checkpoint was put aside")),
    ]
    now.tick()
    assert (job.state, job.stage, job.data_report) == ("queued", "reading pictures", report)
    assert job.notices == ["a checkpoint was put aside"]
    stand_in.state(job.id, "running")
    stand_in.events.append(JobReport(job.id, PROGRESS))
    now.tick()
    assert (job.state, job.progress) == ("running", PROGRESS)
    assert now.busy
    stand_in.state(job.id, "succeeded")
    now.tick()
    assert job.done
    assert not now.busy


def test_interrupted_training_shows_why_and_goes_on(now, stand_in):
    job = now.train(TrainingConfig("bricks", ("a.png",)))
    died = ErrorInfo("compute_died", "It died.", "It is started again.")
    stand_in.state(job.id, "interrupted", died)
    now.tick()
    assert now.last_error == died
    stand_in.state(job.id, "running")
    now.tick()
    assert job.state == "running"
    assert not job.done


def test_lost_link_is_shown_and_forgotten(now, stand_in):
    silent = ErrorInfo("worker_silent", "Nothing heard.", "Wait.")
    stand_in.events.append(LinkLost(10.0, silent))
    now.tick()
    assert (now.state, now.last_error) == ("lost", silent)
    stand_in.events.append(Connected("0.1.0", (1, 0), "CPU", "idle"))
    now.tick()
    assert (now.state, now.last_error) == ("connected", None)


def test_job_list_after_a_reconnect_brings_states_up_to_date(now, stand_in):
    job = now.train(TrainingConfig("bricks", ("a.png",)))
    listed = JobState(job.id, "train", "bricks", "succeeded")
    foreign = JobState("f" * 32, "generate", "other", "running")
    stand_in.events.append(JobList((listed, foreign)))
    now.tick()
    assert job.done
    assert set(now.jobs) == {job.id}


def listed(client, *states: str, kind: str = "train") -> list[str]:
    """Let the worker tell of jobs that nobody here has asked for, newest first; their ids."""
    found = [JobState(f"{n:032}", kind, f"oak {n}", state) for n, state in enumerate(states)]
    client.events.append(JobList(tuple(found)))
    session.current.tick()
    return [job.job for job in found]


def test_a_training_that_an_earlier_blender_began_is_shown_and_steered(now, stand_in):
    (job,) = listed(stand_in, "running")
    assert ("request_reports", "") in stand_in.calls, "what was told before anybody listened"
    stand_in.events.append(JobReport(job, PROGRESS))
    now.tick()
    assert (now.training.name, now.training.progress) == ("oak 0", PROGRESS)
    assert now.busy
    assert not bpy.ops.tilewright.start_training.poll()
    assert bpy.ops.tilewright.pause_training() == {"FINISHED"}
    assert bpy.ops.tilewright.stop_training() == {"FINISHED"}
    assert bpy.ops.tilewright.cancel_training() == {"FINISHED"}
    assert stand_in.calls[-3:] == [(name, job) for name in ("pause", "stop", "cancel")]
    stand_in.events.append(JobState(job, "train", "oak 0", "succeeded"))
    now.tick()
    assert bpy.ops.tilewright.start_training.poll()


def test_a_paused_training_of_an_earlier_blender_goes_on(now, stand_in):
    (job,) = listed(stand_in, "paused")
    assert bpy.ops.tilewright.resume_training() == {"FINISHED"}
    assert stand_in.calls[-1] == ("resume", job)


def test_of_several_trainings_the_one_that_runs_is_steered_and_then_the_next(now, stand_in):
    later, earlier = listed(stand_in, "queued", "running")
    assert now.training.id == earlier
    stand_in.events.append(JobState(earlier, "train", "oak 1", "succeeded"))
    stand_in.events.append(JobState(later, "train", "oak 0", "running"))
    now.tick()
    assert now.training.id == later


def test_a_training_of_this_session_is_steered_before_others(now, stand_in):
    own = now.train(TrainingConfig("bricks", ("a.png",)))
    listed(stand_in, "running")
    assert now.training is own
    assert len(now.running("train")) == 2


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled", "interrupted"])
def test_what_has_ended_is_nobodys_any_more(now, stand_in, state):
    listed(stand_in, state)
    listed(stand_in, "running", kind="generate")
    assert (now.jobs, now.training) == ({}, None)


@pytest.mark.newest_blender
def test_a_training_goes_on_without_blender_and_is_stopped_from_the_next(serve, picture):
    served = serve()
    ear = served.connect()
    job = ear.client.submit(TrainingConfig("oak", (str(picture),), minutes=None, kimg=100.0))
    ear.report(job, TrainingProgress)
    for _ in range(50):  # more than a list holds
        ear.client.submit(GenerationConfig("oak", width=64, height=32))
    ear.client.pause(job)
    ear.state(job, "paused")  # so that nothing new is told of it
    now = session.current
    now.connect(served.connect().client)
    pump.wait(lambda: now.training and now.training.progress, 60)
    assert (now.training.id, now.training.state, now.training.stage) == (job, "paused", "training")
    assert bpy.ops.tilewright.stop_training() == {"FINISHED"}
    pump.wait_for_job(now.training, 60)
    assert now.training.state == "succeeded"


def test_worker_that_pushes_back_gets_the_job_later(now, stand_in):
    job = now.generate(GenerationConfig("bricks"), "target")
    busy = ErrorInfo("busy", "Too many jobs.", "Wait.", retry_after=0.0)
    stand_in.events.append(JobRejected(job.id, busy))
    stand_in.submitted.clear()
    now.tick()
    assert job.id in stand_in.submitted
    assert now.last_error is None


def test_pixels_that_do_not_come_fail_their_job(now, stand_in):
    job, old = (now.generate(GenerationConfig("bricks", seed=n), "target") for n in (2, 1))
    gone = ErrorInfo("unknown_job", "It is gone.", "Ask again.")
    for one in (job, old):
        stand_in.state(one.id, "succeeded")
    now.tick()
    assert now.busy and not job.done
    stand_in.events += [ResultLost(job.id, gone), ResultLost("f" * 32, gone)]
    now.tick()
    assert (job.state, job.error, job.done, now.last_error) == ("failed", gone, True, None)


def test_pixels_on_their_way_when_the_worker_is_stopped_are_not_waited_for(now, stand_in):
    job = now.generate(GenerationConfig("bricks"), "target")
    stand_in.state(job.id, "succeeded")
    now.tick()
    now.close()
    assert not now.busy and not now.expects(job.id)


def test_what_was_made_while_nobody_listened_is_fetched_once(now, stand_in, maps):
    jobs = [now.generate(GenerationConfig("bricks", seed=n), f"t{n}") for n in range(3)]
    stand_in.state(jobs[0].id, "succeeded")
    stand_in.state(jobs[1].id, "running")
    now.tick()
    now.close()
    now.connect(stand_in)
    made = (JobState(job.id, "generate", "bricks", "succeeded") for job in jobs[:2])
    stand_in.events.append(JobList(tuple(made)))
    now.tick()
    assert [call[1] for call in stand_in.calls if call[0] == "request_result"] == [
        job.id for job in jobs[:2]
    ]
    for times in (1, 0):
        stand_in.finish(jobs[0].id, maps)
        found = [event for event in now.tick() if isinstance(event, MapReady | MaterialReady)]
        assert len(found) == times * (len(maps) + 1)
    assert [job.done for job in jobs] == [True, False, False]


def test_a_patient_tick_takes_the_pixels_that_come_while_it_waits(now, stand_in, maps, monkeypatch):
    job = now.generate(GenerationConfig("bricks"), "target")
    pieces = [lambda: stand_in.state(job.id, "running"), lambda: stand_in.finish(job.id, maps)]

    def wait(seconds: float) -> bool:
        assert 0 < seconds <= 60
        pieces.pop(0)()
        return True

    monkeypatch.setattr(stand_in, "wait", wait, raising=False)
    assert now.tick() == []
    events = now.tick(patience=60.0)
    assert isinstance(events[-1], MaterialReady)
    assert job.done and not pieces


def test_a_patient_tick_gives_up_where_nothing_comes(now, stand_in, monkeypatch):
    monkeypatch.setattr(stand_in, "wait", lambda seconds: False, raising=False)
    job = now.generate(GenerationConfig("bricks"), "target")
    assert now.tick(patience=60.0) == []
    assert not job.done


def test_thousand_requests_are_sent_a_few_at_a_time(now, stand_in):
    jobs = [now.generate(GenerationConfig("bricks", seed=n), f"t{n}") for n in range(1000)]
    assert len(stand_in.submitted) == MOST_SENT
    for job in jobs[:10]:
        stand_in.state(job.id, "failed", ErrorInfo("out_of_memory", "", ""))
    now.tick()
    assert len(stand_in.submitted) == MOST_SENT + 10


def test_waiting_request_is_replaced_before_it_is_sent(now, stand_in):
    for number in range(MOST_SENT):
        now.generate(GenerationConfig("bricks"), f"t{number}")
    old = now.generate(GenerationConfig("bricks", seed=1), "same")
    new = now.generate(GenerationConfig("bricks", seed=2), "same")
    assert old.state == "cancelled"
    assert not now.wanted(old.id)
    assert now.expects(new.id)


def test_memory_of_finished_jobs_is_bounded(now, stand_in, maps):
    for number in range(300):
        job = now.generate(GenerationConfig("bricks"), f"t{number}")
        stand_in.finish(job.id, maps)
        now.tick()
    assert len(now.jobs) <= 2 * session.KEPT_JOBS + 1
    assert all(not job.result.maps for job in now.jobs.values() if job.result)


def test_wait_gives_up_with_a_typed_error(now):
    with pytest.raises(WorkerError) as caught:
        now.wait(lambda: False, 0.02)
    assert caught.value.code == "worker_silent"


def test_wait_for_job_raises_why_it_failed(now, stand_in):
    job = now.generate(GenerationConfig("bricks"))
    stand_in.state(job.id, "failed", ErrorInfo("unknown_model", "Not there.", "Train it."))
    with pytest.raises(TilewrightError) as caught:
        now.wait_for_job(job, 1.0)
    assert caught.value.code == "unknown_model"


def test_late_events_of_unknown_jobs_are_harmless(now, stand_in):
    stand_in.events += [
        JobState("e" * 32, "train", "x", "running"),
        JobAccepted("d" * 32),
        WorkerFault(ErrorInfo("unknown_job", "No such job.", "")),
        WorkerStatus("idle", "GPU", 900.0),
        ModelList(()),
    ]
    now.tick()
    assert (now.device, now.models, now.last_error.code) == ("GPU", (), "unknown_job")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["/no/such/python"], "worker_command"),
        ([sys.executable, "-c", "import sys; sys.exit('broken')"], "worker_start"),
        ([sys.executable, "-c", "print('I am no worker', flush=True)"], "worker_command"),
    ],
)
def test_wrong_worker_command_is_a_typed_error(alone, tmp_path: Path, command, code):
    now = alone
    now.start_worker(command, tmp_path, tmp_path / "logs")
    with pytest.raises(WorkerError) as caught:
        now.wait(lambda: now.connected, 20.0)
    assert caught.value.code == code
    assert now.last_error.code == code
    assert now.state == "stopped"


def test_worker_of_another_version_is_refused(alone, tmp_path: Path):
    said = '{"control":"c","bulk":"b","server_key":"k","version":"9","pid":1,"protocol":[99,0]}'
    code = f"import sys; print({said!r}, flush=True); sys.stdin.read()"
    now = alone
    now.start_worker([sys.executable, "-c", code], tmp_path, tmp_path / "logs")
    with pytest.raises(TilewrightError) as caught:
        now.wait(lambda: now.connected, 20.0)
    assert caught.value.code == "protocol_version"
    assert "99" in now.last_error.message


def test_older_pyzmq_of_another_extension_is_named(monkeypatch):
    monkeypatch.setattr(session.metadata, "version", lambda _name: "26.4.0")
    with pytest.raises(WorkerError, match=r"26\.4\.0"):
        session.check_pyzmq()


def test_a_training_that_found_room_again_shows_its_error_no_more(now, stand_in):
    job = now.train(TrainingConfig("bricks", ("a.png",)))
    full = ErrorInfo("disk_full", "There must be room.", "Free some.")
    for state, error in (("running", None), ("paused", full)):
        stand_in.events.append(JobState(job.id, "train", "bricks", state, error))
        now.tick()
    assert (job.state, job.error, now.last_error) == ("paused", full, full)
    stand_in.events.append(JobState(job.id, "train", "bricks", "running"))
    now.tick()
    assert (job.state, job.error, now.last_error) == ("running", None, None)


def test_the_folder_says_how_large_it_is_and_is_tidied_by_a_button(now, stand_in):
    stand_in.events.append(Connected("0.3.0", (1, 4), "CPU", "off"))
    now.tick()
    assert ("ask", AskStorage()) in stand_in.calls
    stand_in.events.append(StorageSizes(5 * 2**30, 2**30, 9 * 2**30))
    now.tick()
    assert now.storage.runs + now.storage.state == 6 * 2**30
    bpy.ops.tilewright.tidy_worker()
    assert stand_in.calls[-1] == ("ask", Tidy())


def test_an_older_worker_is_not_asked_for_what_it_does_not_know(now, stand_in):
    stand_in.events.append(Connected("0.2.0", (1, 3), "CPU", "off"))
    now.tick()
    assert ("ask", AskStorage()) not in stand_in.calls
    assert not bpy.ops.tilewright.tidy_worker.poll()
