"""What a client that was let in may do on a worker of somebody else, from wherever it comes."""

from __future__ import annotations

import time

import pytest
from raw_peers import hello, raw

from gan_worker.client.events import Connected
from gan_worker.config import TrainingConfig
from gan_worker.runs.run import Run
from gan_worker.server.main import main
from gan_worker.server.run_catalogue import TRAINER
from gan_worker.wire.codec import Message
from gan_worker.wire.keys import new_key_pair, open_client_pair, open_key_folder
from gan_worker.wire.messages import (
    AskRunSettings,
    DeleteRun,
    Done,
    JobList,
    JobRejected,
    Ping,
    Pong,
    RenameRun,
    RunConfig,
    RunList,
    Shutdown,
    UnknownSession,
    WorkerFault,
)
from gan_worker.wire.pairing import Pairing

OWNER, GUEST, OTHER = (new_key_pair() for _ in range(3))


@pytest.fixture
def shared(serve, tmp_path):
    """A worker of somebody with one folder of pictures and two guests, all on one computer."""
    (tmp_path / "photos" / "oak").mkdir(parents=True)
    (tmp_path / "photos" / "oak" / "a.png").write_bytes(b"not read")
    (tmp_path / "mine.png").write_bytes(b"not read")
    return serve(
        OWNER,
        (GUEST, OTHER),
        local=frozenset({OWNER.public}),
        roots={"photos": tmp_path / "photos"},
    )


def training(name, *pictures, resume=False):
    return TrainingConfig(name, pictures, "nano", None, 0.002, resume=resume)


def trained(ear, *pictures, name="oak"):
    job = ear.client.submit(training(name, *pictures))
    ear.state(job, "succeeded")


def refused(ear, config):
    return ear.event(JobRejected, job=ear.client.submit(config)).error


def answer(ear, request, kind=Done):
    """What follows a request: its answer, or the error's code."""
    ear.heard.clear()
    ear.client.ask(request)
    found = ear.until(lambda heard: [e for e in heard if isinstance(e, (kind, WorkerFault))])[0]
    return found.error.code if isinstance(found, WorkerFault) else found


def test_local_is_who_started_the_worker_not_who_is_near(shared, tmp_path):
    guest, owner = shared.connect(GUEST), shared.connect(OWNER)
    for name in (str(tmp_path / "mine.png"), "/no/such/file", "photos:../mine.png", "/etc"):
        assert refused(guest, training("a", name)).code == "not_allowed"
    assert answer(guest, Shutdown()) == "not_allowed"
    trained(owner, str(tmp_path / "mine.png"), name="mine")
    trained(guest, "photos:oak", name="theirs")


def test_who_was_paired_over_the_loopback_is_a_guest(serve, tmp_path):
    served = serve(OWNER, admit=lambda key, name: None)
    port, code = served.server.pairing
    pairing = Pairing(f"127.0.0.1:{port}", code, tmp_path / "client", "friend")
    while pairing.poll() is None:
        time.sleep(0.005)
    pairing.close()
    guest = served.connect(open_client_pair(tmp_path / "client"))
    guest.event(Connected)
    assert refused(guest, training("a", str(tmp_path))).code == "not_allowed"
    assert answer(guest, Shutdown()) == "not_allowed"


def test_a_guest_changes_its_own_runs_alone(shared):
    guest, other = shared.connect(GUEST), shared.connect(OTHER)
    trained(guest, "photos:oak")
    error = refused(other, training("oak", resume=True))
    assert error.code == "not_allowed"
    assert answer(other, RenameRun("oak", "mine")) == "not_allowed"
    assert answer(other, DeleteRun("oak")) == "not_allowed"
    assert answer(guest, RenameRun("oak", "ash"), RunList)
    assert (shared.home / "runs" / "ash" / TRAINER).exists()
    assert answer(guest, DeleteRun("ash"), RunList)
    assert not (shared.home / "runs" / "ash").exists()


def test_a_guest_learns_from_nobodys_pictures_by_going_on_with_a_run(shared, tmp_path):
    guest, owner = shared.connect(GUEST), shared.connect(OWNER)
    for name, picture in (("private", "mine.png"), ("public", "photos/oak")):
        run = Run.create(shared.home / "runs", name)
        run.save_config(training(name, str(tmp_path / picture)))
    assert refused(guest, training("private", resume=True)).code == "not_allowed"
    for ear, name in ((guest, "public"), (owner, "private")):
        job = ear.client.submit(training(name, resume=True))
        ear.state(job, "succeeded")
    assert answer(guest, AskRunSettings("private"), RunConfig).config.pictures == ()


def test_the_owner_changes_all_runs(shared):
    guest, owner = shared.connect(GUEST), shared.connect(OWNER)
    trained(guest, "photos:oak")
    assert answer(owner, DeleteRun("oak"), RunList)


def test_errors_of_a_job_tell_a_guest_no_place_then_and_later(shared):
    told = {}
    for who, keys in (("guest", GUEST), ("owner", OWNER)):
        ear = shared.connect(keys)
        job = ear.client.submit(training(f"cannot read {who}", "photos:oak"))
        told[who] = ear.state(job, "failed").error.message
        ear.client.request_jobs()
        assert ear.event(JobList).jobs[0].error.message == told[who]
    assert f"'{shared.home}/a b/plan.txt'" in told["owner"]
    assert "'…/a b/plan.txt'" in told["guest"]


def test_the_own_key_is_local_whatever_the_worker_listens_on(tmp_path, monkeypatch):
    made = []

    class Served:
        def __init__(self, config):
            made.append(config)
            raise KeyboardInterrupt

    monkeypatch.setattr("gan_worker.server.main.Server", Served)
    for listen in ("127.0.0.1", "0.0.0.0"):
        with pytest.raises(KeyboardInterrupt):
            main(["--home", str(tmp_path), "--listen", listen, "--pair"])
    own = open_key_folder(tmp_path / "keys")[1].public
    assert [config.local for config in made] == [frozenset({own})] * 2


def test_the_session_of_another_is_worth_nothing(shared):
    with raw(shared, OWNER) as owner, raw(shared, GUEST) as thief:
        session = owner.ask(hello()).session
        stolen = Message(Ping(), session=session)
        assert isinstance(thief.ask(stolen).body, UnknownSession), "before it says hello"
        own = thief.ask(hello()).session
        assert own != session
        assert isinstance(thief.ask(stolen).body, UnknownSession), "and after it"
        assert owner.ask(stolen).body == Pong(), "and whose it is does not notice"
