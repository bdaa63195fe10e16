"""Storage of a home: logs that have an end, and a folder that says its size and is tidied."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest

from gan_worker.cli import app
from gan_worker.client.events import MaterialReady
from gan_worker.config import GenerationConfig
from gan_worker.server import storage
from gan_worker.server.blobs import BlobStore
from gan_worker.server.journal import STRANGERS_KEPT, JobRecord, Journal
from gan_worker.server.state_folder import JOURNAL, RESULTS, take_slot
from gan_worker.wire.keys import new_key_pair
from gan_worker.wire.messages import AskStorage, StorageSizes, Tidy, WorkerFault


@pytest.fixture
def short(monkeypatch):
    """Logs end after a few lines."""
    monkeypatch.setattr(storage, "LOG_LIMIT", 2000)
    monkeypatch.setattr(storage, "LOG_KEPT", 500)


def test_a_log_keeps_its_end_and_who_appends_goes_on(tmp_path, short):
    log = tmp_path / "compute.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(300):
            writer.write(f"line {number}\n".encode())
        storage.shorten_log(log)
        writer.write(b"and on\n")
    lines = log.read_text().splitlines()
    assert lines[-2:] == ["line 299", "and on"]
    assert "is gone" in lines[0]
    assert lines[1].startswith("line ")
    assert log.stat().st_size < 700


def test_a_short_log_stays(tmp_path, short):
    log = tmp_path / "compute.log"
    log.write_text("line\n" * 9)
    storage.shorten_log(log)
    assert log.read_text() == "line\n" * 9


@pytest.mark.parametrize("appends", [True, False], ids=["elsewhere", "on Windows"])
def test_a_log_that_a_child_writes_is_shortened_where_that_goes_on_at_its_end(
    tmp_path, short, monkeypatch, appends
):
    monkeypatch.setattr(storage, "CHILDREN_APPEND", appends)
    written, free = tmp_path / "compute.log", tmp_path / "compute-2.log"
    for log in (written, free):
        log.write_text("line\n" * 900)
    storage.shorten_logs((written, free, tmp_path / "none.log"), {written})
    assert (written.stat().st_size < 700) == appends
    assert free.stat().st_size < 700


CHATTER = """
import os, sys
from gan_worker.server import storage
storage.LOG_LIMIT, storage.LOG_KEPT = 2000, 500
for number in range(300):
    os.write(2, f"line {number}\\n".encode())
storage.shorten_stderr()
os.write(2, b"and on\\n")
"""


@pytest.mark.parametrize("mode", ["ab", "wb"])
def test_a_server_shortens_the_file_that_its_log_goes_to(tmp_path, mode):
    log = tmp_path / "worker.log"
    with log.open(mode) as opened:
        subprocess.run([sys.executable, "-c", CHATTER], stderr=opened, check=True)
    data = log.read_bytes()
    assert data.endswith(b"and on\n")
    assert len(data) < 700
    assert b"\0" not in data, "and it has no hole"


def test_a_pipe_has_no_end_to_be_shortened_to():
    run = subprocess.run([sys.executable, "-c", CHATTER], capture_output=True, check=True)
    assert len(run.stderr.splitlines()) == 301


class Home:
    """A home in which much was left."""

    def __init__(self, path):
        self.path = path
        self.slot, lock = take_slot(path / "server")
        with closing(Journal(self.slot / JOURNAL)) as journal:
            for owner in range(3 * STRANGERS_KEPT):
                journal.adopt(
                    JobRecord(
                        f"{owner * 100 + n:032x}", f"{owner}", "generate", "oak", {}, state="failed"
                    )
                    for n in range(60)
                )
        store = BlobStore(self.slot / RESULTS)
        store.write(f"{1:032x}", "height", np.zeros((500, 500, 1), np.uint8))
        (path / "keys").mkdir()
        self.remains = [
            self.slot / "journal.sqlite.damaged-1",
            self.slot / "compute.old.log",
            path / "keys" / "server.key.damaged-2",
            path / "runs" / ".deleted-abc" / "file",
        ]
        for place in self.remains:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(bytes(5000))
        self.run = path / "runs" / "oak" / "model.json"
        self.run.parent.mkdir()
        self.run.write_bytes(bytes(3000))
        lock.release()


def test_the_command_tidies_a_home_that_no_server_uses(tmp_path, capsys):
    home = Home(tmp_path)
    os.truncate(home.run, 3 * 2**29)  # takes no room
    before = storage.size_of_state(tmp_path)
    assert app.main(["tidy", "--home", str(tmp_path)]) == 0
    assert storage.size_of_state(tmp_path) < before / 2
    assert not any(place.exists() for place in home.remains)
    assert home.run.exists()
    told = " ".join(capsys.readouterr().out.split())
    assert "MiB were freed. The runs have 1.5 GiB" in told
    with closing(Journal(home.slot / JOURNAL)) as journal:
        assert {job.owner for job in journal.all()} == {
            str(owner) for owner in range(2 * STRANGERS_KEPT, 3 * STRANGERS_KEPT)
        }


def test_the_command_leaves_a_server_that_runs_alone(serve, capsys):
    served = serve()
    journal = served.home / "server" / "1" / JOURNAL
    before = journal.stat().st_mtime_ns
    assert app.main(["tidy", "--home", str(served.home)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "A worker runs" in told and "end it and run this again" in told
    assert journal.stat().st_mtime_ns == before


def test_a_client_is_told_how_large_the_folder_is_and_can_tidy_it(serve):
    served = serve()
    ear = served.connect()
    served.server._jobs._validation.check = lambda owner, kind, config, training: ("oak", config)
    job = ear.client.submit(GenerationConfig("oak", width=256, height=256))
    ear.event(MaterialReady, job=job)
    (served.home / "server" / "1" / "journal.sqlite.damaged-1").write_bytes(bytes(50_000))
    ear.client.ask(AskStorage())
    first = ear.event(StorageSizes)
    assert (first.state > 250_000, first.freed) == (True, 0)
    assert first.free > 0
    ear.client.ask(Tidy())
    told = ear.until(lambda heard: [e for e in heard if isinstance(e, StorageSizes)][1:])
    assert told[0].freed > 250_000
    assert not (served.home / "server" / "1" / RESULTS / job).exists()


@pytest.mark.parametrize("appends", [True, False], ids=["elsewhere", "on Windows"])
def test_tidying_leaves_the_log_of_a_compute_process_that_is_alive(
    serve, short, monkeypatch, appends
):
    monkeypatch.setattr(storage, "CHILDREN_APPEND", appends)
    served = serve()
    ear = served.connect()
    served.server._jobs._validation.check = lambda owner, kind, config, training: ("oak", config)
    job = ear.client.submit(GenerationConfig("oak", width=256, height=256))
    ear.event(MaterialReady, job=job)
    logs = [served.home / "server" / "1" / name for name in ("compute.log", "compute-2.log")]
    for log in logs:
        log.write_text("line\n" * 900)
    ear.client.ask(Tidy())
    ear.event(StorageSizes)
    assert [log.stat().st_size > 4000 for log in logs] == [not appends, False]


def test_who_was_let_in_tidies_nothing(serve):
    guest = new_key_pair()
    served = serve(clients=(guest,), local=frozenset())
    ear = served.connect(guest)
    ear.client.ask(Tidy())
    error = ear.event(WorkerFault).error
    assert error.code == "not_allowed" and "end it and use gan-worker tidy there" in error.cure


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links")
def test_a_link_in_the_home_is_not_followed(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "large").write_bytes(bytes(100_000))
    (tmp_path / "home" / "link").symlink_to(tmp_path / "large")
    (tmp_path / "home" / "up").symlink_to(tmp_path)
    assert storage.size_of_state(tmp_path / "home") < 10_000
