"""Keeping runs tidy over the wire: what they are, renaming, deleting, and what is refused."""

from __future__ import annotations

import base64
import json
import os
import shutil
import time
import zlib
from dataclasses import replace

import numpy as np
import pytest

from gan_worker.client.client import _thumbnail
from gan_worker.client.events import Connected, JobReport, RunPreviewReady, RunRenamed
from gan_worker.config import Credits, TrainingConfig
from gan_worker.errors import WorkerError
from gan_worker.locks import FolderLock
from gan_worker.materials import pictures
from gan_worker.materials.pictures import write_picture
from gan_worker.progress import Stage, TrainingProgress
from gan_worker.runs.estimators import LETTERS, save_estimator, shipped
from gan_worker.runs.run import BUNDLED, ModelInfo, Run, list_models, list_runs
from gan_worker.server.allowed_folders import AllowedFolders
from gan_worker.server.run_catalogue import DELETED, LISTS_AT_ONCE, RunCatalogue
from gan_worker.wire import messages
from gan_worker.wire.messages import (
    AskRunPreview,
    AskRunSettings,
    DeleteRun,
    ModelList,
    RenameRun,
    RunConfig,
    RunEntry,
    RunList,
    WorkerFault,
)

INFO = ModelInfo("", "", 8, 16, ("height",), "nano", {}, {}, 1.0, "2030-01-02", 5, 2.5, copied=0.25)


@pytest.fixture
def served(serve):
    return serve()


@pytest.fixture
def ear(served):
    return served.connect()


def make_run(home, name="oak", **fields):
    run = Run.create(home / "runs", name)
    run.save_config(TrainingConfig(name, ("/photos/oak.png",), "nano", 3.0, seed=4, **fields))
    run.append_progress(TrainingProgress(4, 2.0, 80.0, 0.4, 60.0, 9.0, {}, figures={"swd/0": 7.5}))
    run.append_progress(TrainingProgress(5, 2.5, 90.0, 0.5, 60.0, 9.0, {}))
    return run


def packed(data):
    return base64.b64encode(zlib.compress(data)).decode()


def with_model(run):
    return run.save_model(INFO, {"a": np.zeros(1000)})


def listed(store, training):
    store.read()
    return store.runs(training)


def names(entries):
    return [entry.name for entry in entries]


def fault(ear, ask, *arguments):
    ear.heard.clear()
    ask(*arguments)
    return ear.event(WorkerFault).error.code


def test_runs_are_listed_with_what_a_person_wants_to_know(served, ear):
    run = make_run(served.home)
    info = with_model(run)
    rows = {"model": {"critic_auc": 0.75}}
    (run.path / "evaluation.json").write_text(json.dumps({"model_hash": info.hash, "rows": rows}))
    make_run(served.home, "unfinished")
    ear.client.request_runs()
    found = {entry.name: entry for entry in ear.event(RunList).runs}
    oak = found["oak"]
    size = sum(file.stat().st_size for file in run.path.rglob("*") if file.is_file())
    figures = {"swd/0": 7.5, "copied": 0.25}
    assert oak == RunEntry("oak", "2030-01-02", "nano", 2.5, 1.5, size, True, False, 0.75, figures)
    other = found["unfinished"]
    assert (other.has_model, other.kimg, other.preset) == (False, 2.5, "nano")
    assert other.critic_auc is None


def test_models_tell_what_share_of_them_is_copied(served, ear):
    with_model(make_run(served.home))
    ear.client.request_models()
    (model,) = [m for m in ear.event(ModelList).models if m.name == "oak"]
    assert model.copied == 0.25


def test_more_than_a_message_can_hold_come_one_after_the_other(served, ear):
    made = {f"oak {number}" for number in range(130)}
    for name in made:
        with_model(Run.create(served.home / "runs", name))
    ear.client.request_models()
    ear.client.request_runs()
    found, runs = ear.event(ModelList), ear.event(RunList)
    assert set(trained(found)) == set(names(runs.runs)) == made
    assert len(found.models) > len(made), "the program's own come last"
    assert found.complete
    assert runs.complete


@pytest.fixture
def long_ago(tmp_path, monkeypatch):
    """Ages all files of the runs, and returns the folders that are walked from then on."""

    def age():
        for path in [tmp_path / "runs", *(tmp_path / "runs").rglob("*")]:
            os.utime(path, (1e9, 1e9))
        walked = []
        scandir = os.scandir
        monkeypatch.setattr(os, "scandir", lambda path: walked.append(str(path)) or scandir(path))
        return walked

    return age


def test_what_rests_is_not_walked_again(tmp_path, long_ago):
    with_model(make_run(tmp_path))
    walked = long_ago()
    store = RunCatalogue(tmp_path / "runs", AllowedFolders({}, ()))
    (first,) = listed(store, ())
    assert walked
    walked.clear()
    assert listed(store, ("oak",)) == [replace(first, training=True)]
    assert listed(store, ()) == [first]
    # The folders of all runs and of the models that come with the program are listed, and none in them.
    assert set(walked) <= {str(tmp_path / "runs"), str(BUNDLED)}


def add_tick(run):
    run.append_progress(TrainingProgress(6, 3.0, 150.0, 0.6, 60.0, 9.0, {}, figures={"swd/0": 6}))


def save_checkpoint(run, label="000009"):
    run.save_checkpoint(label, {"a": np.zeros(10)}, {})


def save_preview(run):
    run.save_preview(9, np.zeros((8, 8, 3), np.uint8), Credits())


def evaluate(run):
    rows = {"model": {"critic_auc": 0.75}}
    model_hash = json.loads((run.path / "model.json").read_text())["hash"]
    (run.path / "evaluation.json").write_text(json.dumps({"model_hash": model_hash, "rows": rows}))


def learn_more(run):
    run.save_model(replace(INFO, kimg=9.0), {"a": np.ones(1001)})


def make_anew(run):
    shutil.rmtree(run.path)
    make_run(run.path.parents[1])


@pytest.mark.parametrize(
    "change", [add_tick, save_checkpoint, save_preview, evaluate, learn_more, make_anew]
)
def test_the_list_follows_every_change(tmp_path, long_ago, change):
    run = make_run(tmp_path)
    with_model(run)
    save_checkpoint(run, "000005")
    long_ago()
    store = RunCatalogue(tmp_path / "runs", AllowedFolders({}, ()))
    before = listed(store, ())
    change(run)
    fresh = listed(RunCatalogue(tmp_path / "runs", AllowedFolders({}, ())), ())
    assert listed(store, ()) == fresh != before


def test_changes_within_one_tick_of_the_clock_are_seen(tmp_path):
    run = make_run(tmp_path)
    store = RunCatalogue(tmp_path / "runs", AllowedFolders({}, ()))
    assert listed(store, ())[0].preset == "nano"
    file = run.path / "config.json"
    found = file.stat()
    file.write_text(file.read_text().replace("nano", "tiny"))
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert listed(store, ())[0].preset == "tiny"


def test_an_evaluation_of_other_weights_counts_for_nothing(tmp_path):
    run = make_run(tmp_path)
    with_model(run)
    old = {"model_hash": "0" * 64, "rows": {"model": {"critic_auc": 0.5}}}
    (run.path / "evaluation.json").write_text(json.dumps(old))
    store = RunCatalogue(tmp_path / "runs", AllowedFolders({}, ()))
    assert listed(store, ())[0].critic_auc is None


def test_damaged_files_leave_a_run_in_the_list_that_can_be_deleted(served, ear):
    run = make_run(served.home)
    for name in ("config.json", "model.json", "evaluation.json"):
        (run.path / name).write_text("{ torn")
    (run.path / "progress.jsonl").write_bytes(b'{"kimg": 1.0, "seconds": 60}\n{"kimg": 2')
    ear.client.request_runs()
    (entry,) = ear.event(RunList).runs
    assert (entry.minutes, entry.has_model) == (1.0, False)
    ear.client.ask(DeleteRun("oak"))
    ear.until(lambda heard: [e for e in heard if isinstance(e, RunList) and e.runs == ()])


def trained(models):
    """Names of the models but for those that come with the program."""
    return [model.name for model in models.models if not model.name.startswith("Starter ")]


def test_a_run_is_renamed_with_its_model_and_the_lists_follow(served, ear):
    with_model(make_run(served.home))
    ear.client.ask(RenameRun("oak", "old oak"))
    assert ear.event(RunRenamed) == RunRenamed("oak", "old oak")
    assert names(ear.event(RunList).runs) == ["old oak"]
    assert trained(ear.event(ModelList)) == ["old oak"]
    assert not (served.home / "runs" / "oak").exists()
    assert Run.open(served.home / "runs", "old oak").load_config().run == "old oak"


def test_a_run_is_deleted_for_good_and_its_name_is_free(served, ear):
    with_model(make_run(served.home))
    make_run(served.home, "pine")
    ear.client.ask(DeleteRun("oak"))
    assert names(ear.event(RunList).runs) == ["pine"]
    assert trained(ear.event(ModelList)) == []
    assert sorted(p.name for p in (served.home / "runs").iterdir()) == ["pine"]
    Run.create(served.home / "runs", "oak")


def test_a_question_asked_while_an_older_answer_is_on_its_way_is_answered_anew(served, ear):
    ear.client.request_models()
    ear.event(ModelList)  # all that was asked before is answered
    ear.client.request_runs()
    taken = ear.client.collect(0)
    # The answer is there, taken in already or not.
    assert taken or ear.client._control.poll(10_000)
    make_run(served.home)
    ear.client.request_runs()
    ear.until(lambda heard: [e for e in heard if isinstance(e, RunList) and e.runs])


def test_what_another_worker_removes_at_the_same_time_keeps_no_run_from_being_deleted(
    served, ear, vanishing
):
    make_run(served.home)
    (served.home / "runs" / f"{DELETED}another").mkdir()
    ear.client.ask(DeleteRun("oak"))
    assert names(ear.event(RunList).runs) == []
    assert not [event for event in ear.heard if isinstance(event, WorkerFault)]


@pytest.mark.parametrize("name", ["", "..", "../oak", "a/b", ".deleted-oak", "CON", "x" * 81])
def test_names_are_names_and_no_paths(served, ear, name):
    outside = served.home / "keep"
    outside.mkdir(parents=True)
    make_run(served.home)
    for ask in (
        lambda: ear.client.ask(DeleteRun(name)),
        lambda: ear.client.ask(RenameRun(name, "pine")),
        lambda: ear.client.ask(RenameRun("oak", name)),
        lambda: ear.client.ask(AskRunSettings(name)),
    ):
        assert fault(ear, ask) == "invalid_config"
    assert outside.exists()
    assert (served.home / "runs" / "oak").exists()


def test_what_is_not_there_or_taken_is_refused(served, ear):
    make_run(served.home)
    make_run(served.home, "pine")
    assert fault(ear, ear.client.ask, DeleteRun("ash")) == "unknown_run"
    assert fault(ear, ear.client.ask, RenameRun("ash", "elm")) == "unknown_run"
    assert fault(ear, ear.client.ask, AskRunSettings("ash")) == "unknown_run"
    assert fault(ear, ear.client.ask, RenameRun("oak", "pine")) == "run_exists"
    # The lists come after a refusal too: what was shown may have been out of date.
    assert sorted(names(ear.event(RunList).runs)) == ["oak", "pine"]


def test_a_run_in_use_is_neither_renamed_nor_deleted(served, ear, picture):
    training = TrainingConfig("oak", (str(picture),), "nano", None, 100.0)
    job = ear.client.submit(training)
    ear.event(JobReport, job=job, report=Stage("learning"))
    make_run(served.home, "pine")
    waiting = ear.client.submit(TrainingConfig("elm", (str(picture),), "nano", None, 0.01))
    ear.state(waiting, "queued")
    assert fault(ear, ear.client.ask, DeleteRun("oak")) == "wrong_state"
    assert fault(ear, ear.client.ask, RenameRun("oak", "ash")) == "wrong_state"
    assert fault(ear, ear.client.ask, RenameRun("pine", "elm")) == "run_exists"
    ear.client.request_runs()
    assert {e.name: e.training for e in ear.event(RunList).runs} == {"oak": True, "pine": False}
    ear.client.cancel(waiting)
    ear.client.stop(job)
    ear.state(job, "succeeded")
    ear.client.ask(RenameRun("oak", "ash"))
    ear.until(lambda heard: any(isinstance(e, RunList) and "ash" in names(e.runs) for e in heard))


def test_a_run_that_another_process_trains_is_left_alone(served, ear):
    lock = FolderLock(make_run(served.home).path)
    assert lock.acquire()
    try:
        assert fault(ear, ear.client.ask, DeleteRun("oak")) == "busy"
        assert fault(ear, ear.client.ask, RenameRun("oak", "pine")) == "busy"
    finally:
        lock.release()


def test_settings_come_as_they_were_chosen(served, ear):
    make_run(served.home, scale=0.5)
    ear.client.ask(AskRunSettings("oak"))
    found = ear.event(RunConfig).config
    assert found == TrainingConfig("oak", ("/photos/oak.png",), "nano", 3.0, None, 0.5, seed=4)


def test_another_computer_hears_of_pictures_below_its_roots_alone(serve, tmp_path):
    (tmp_path / "photos").mkdir()
    served = serve(local=frozenset(), roots={"photos": tmp_path / "photos"})
    ear = served.connect()
    run = Run.create(served.home / "runs", "oak")
    mine, secret = tmp_path / "photos" / "a" / "b.png", tmp_path / "secret.png"
    run.save_config(TrainingConfig("oak", (str(mine), str(secret))))
    ear.client.ask(AskRunSettings("oak"))
    assert ear.event(RunConfig).config.pictures == ("photos:a/b.png",)


def test_what_a_crash_left_of_a_deletion_is_removed(tmp_path):
    left = tmp_path / "runs" / f"{DELETED}x" / "checkpoints"
    left.mkdir(parents=True)
    store = RunCatalogue(tmp_path / "runs", AllowedFolders({}, ()))
    assert listed(store, ()) == []
    store.sweep()
    assert not left.parent.exists()


def test_a_worker_of_the_first_minor_says_so(served, ear, monkeypatch):
    """One that knows of no runs says no version in its welcome."""
    welcome = messages.Welcome.__init__.__defaults__[-1]
    assert welcome == (1, 0)
    assert ear.event(Connected).protocol >= (1, 1)


def test_a_run_shows_its_newest_preview_small(served, ear):
    run = make_run(served.home)
    ear.client.ask(AskRunPreview("oak"))
    assert ear.event(RunPreviewReady).pixels is None
    y, x = np.mgrid[0:192, 0:192]
    sample = np.stack([x, y, 0 * x + 90], -1).astype(np.uint8)
    for step, picture in ((9, 255 - sample), (10, sample)):
        run.save_preview(step, np.concatenate([picture, picture[::-1]], 1), Credits())
    ear.heard.clear()
    ear.client.ask(AskRunPreview("oak"))
    pixels = ear.event(RunPreviewReady).pixels
    assert pixels.shape == (96, 96, 3)
    np.testing.assert_allclose(pixels, sample[::2, ::2], atol=8)
    (run.path / "previews" / "00000011.png").write_bytes(b"torn")
    ear.heard.clear()
    ear.client.ask(AskRunPreview("oak"))
    assert ear.event(RunPreviewReady).pixels is None
    assert fault(ear, ear.client.ask, AskRunPreview("ash")) == "unknown_run"


@pytest.mark.parametrize(
    ("height", "width", "pixels"),
    [(2, 2, "no base64 ü"), (2, 2, "AAAA"), (96, 97, ""), (-1, 4, ""), (2, 2, packed(b"x" * 11))],
)
def test_a_picture_that_is_none_does_no_harm(height, width, pixels):
    assert _thumbnail(messages.RunPicture("oak", height, width, pixels)) is None


def test_a_picture_never_takes_more_memory_than_its_size_says():
    bomb = packed(b"\0" * 50_000_000)
    assert _thumbnail(messages.RunPicture("oak", 2, 2, bomb)).shape == (2, 2, 3)


def test_lists_wait_for_what_is_there_when_they_are_asked_for(tmp_path):
    store, told = RunCatalogue(tmp_path / "runs", AllowedFolders({}, ())), []

    def tell():
        told.append(names(store.runs(())))

    make_run(tmp_path)
    store.when_read("me", tell)
    store.tend(time.monotonic() - 1)  # there is no time now
    assert (told, store.busy) == ([], True)
    store.when_read("me", lambda: store.when_read("me", tell))
    make_run(tmp_path, "elm")
    store.tend(time.monotonic() + 30)
    assert [sorted(one) for one in told] == [["elm", "oak"], ["elm", "oak"]]
    assert not store.busy


def test_who_asks_for_more_lists_than_may_wait_is_refused_and_others_are_not(tmp_path):
    store, told = RunCatalogue(tmp_path / "runs", AllowedFolders({}, ())), []
    for _ in range(LISTS_AT_ONCE):
        store.when_read("greedy", lambda: told.append("greedy"))
    with pytest.raises(WorkerError) as caught:
        store.when_read("greedy", lambda: told.append("refused"))
    assert (caught.value.code, caught.value.info.retry_after) == ("busy", 1.0)
    store.when_read("modest", lambda: told.append("modest"))
    store.tend(time.monotonic() + 30)
    assert told[:2] == ["greedy", "modest"]
    assert told.count("greedy") == LISTS_AT_ONCE


@pytest.mark.parametrize("odd", ["pipe", "huge", "no picture"])
def test_a_preview_that_is_none_of_ours_has_no_pixels(tmp_path, odd):
    run = make_run(tmp_path)
    run.save_preview(1, np.zeros((8, 8, 3), np.uint8), Credits())
    last = run.path / "previews" / "99999999.png"
    if odd == "pipe":
        os.mkfifo(last)
    elif odd == "huge":
        write_picture(last, np.zeros((2049, 2049, 1), np.uint8))
    else:
        last.write_bytes(b"no picture")
    store = RunCatalogue(tmp_path / "runs", AllowedFolders({}, ()))
    assert store.picture("oak").pixels == ""


def test_a_picture_is_made_small_once_and_anew_where_it_has_changed(tmp_path, monkeypatch):
    run, read = make_run(tmp_path), []
    run.save_preview(1, np.zeros((8, 8, 3), np.uint8), Credits())
    store = RunCatalogue(tmp_path / "runs", AllowedFolders({}, ()))
    one_read = pictures.read_picture
    monkeypatch.setattr(pictures, "read_picture", lambda file: read.append(file) or one_read(file))
    first = [store.picture("oak") for _ in range(3)]
    assert (len(read), len(set(first))) == (1, 1)
    run.save_preview(2, np.full((8, 8, 3), 200, np.uint8), Credits())
    assert store.picture("oak") != first[0]
    assert len(read) == 2


def test_an_estimator_is_a_run_that_is_no_model(served, ear):
    folder = make_run(served.home, "hers").path
    weights = save_estimator(folder, {"a": np.zeros(3, np.float16)}, shipped(), 4)
    (served.home / "runs" / "odd").mkdir()
    (served.home / "runs" / "odd" / "estimator.json").write_text("{}")
    ear.client.request_models()
    found = ear.event(ModelList)
    assert [(e.name, e.hash) for e in found.estimators] == [
        ("", shipped().hash),
        ("hers", weights.hash),
    ]
    assert len(weights.hash) == LETTERS and "hers" not in [model.name for model in found.models]
    ear.client.request_runs()
    listed = {run.name: run for run in ear.event(RunList).runs}
    assert not listed["hers"].has_model and not listed["hers"].problem
    assert "format" in listed["odd"].problem
    ear.heard.clear()
    ear.client.ask(RenameRun("hers", "ours"))
    again = ear.event(ModelList)
    assert [estimator.name for estimator in again.estimators] == ["", "ours"]


def test_jobs_that_name_an_estimator_that_is_not_there_are_refused_at_once(served, ear):
    from gan_worker.config import GenerationConfig
    from gan_worker.estimation import Estimation

    names = [Estimation(estimator=name) for name in ("mud", "../keys")]
    configs = [GenerationConfig("Starter Cobblestone", estimation=e) for e in names]
    configs.append(TrainingConfig("wall", ("/photos/oak.png",), "photo", estimator="mud"))
    codes = []
    for config in configs:
        refused = ear.event(messages.JobRejected, job=ear.client.submit(config))
        codes.append(refused.error.code)
    assert codes == ["unknown_estimator", "invalid_config", "unknown_estimator"]


def test_models_stand_in_the_order_of_the_command_line(served, ear):
    for name, created in (("oak", "2030"), ("ash", "2031")):
        make_run(served.home, name).save_model(replace(INFO, created=created), {"a": np.zeros(3)})
    # Trained by one of hers that was named so before the program had one.
    hers = served.home / "runs" / "Starter Brass"
    shutil.copytree(served.home / "runs" / "oak", hers)
    ear.client.request_models()
    told = names(ear.event(ModelList).models)
    assert told[:3] == ["ash", "Starter Brass", "oak"]
    assert told[3:] == [name for name in list_runs(BUNDLED) if name != "Starter Brass"]
    assert told == names(list_models(served.home / "runs")[0])
