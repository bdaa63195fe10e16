"""The journal: what was written is there after a crash, numbered without gaps, and damage hides nothing else."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from gan_worker.errors import ErrorInfo, StorageError
from gan_worker.server.journal import (
    EVENTS_KEPT,
    JOBS_KEPT,
    STRANGERS_KEPT,
    JobRecord,
    Journal,
)

A, B = "a" * 32, "b" * 32


def job(job_id=A, owner="me", **fields):
    return JobRecord(job_id, owner, "train", "oak", {"run": "oak"}, **fields)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


@pytest.fixture
def opened():
    """Opens journals, a second one from what a crash would leave on the disk, and closes them in the end."""
    made = []

    def start(path):
        if made:
            left = path.parent / f"left {len(made)}"
            shutil.copytree(path.parent, left, ignore=shutil.ignore_patterns("left*"))
            path = left / path.name
        made.append(Journal(path))
        return made[-1]

    yield start
    for journal in made:
        journal.close()


def test_a_job_is_there_after_opening_again(path, opened):
    wanted = job(error=ErrorInfo("busy", "Was.", "Wait."), attempt=2)
    opened(path).add(wanted)
    assert opened(path).get(A) == wanted


def test_events_are_numbered_for_each_owner_without_gaps(path, opened):
    journal = opened(path)
    journal.add(job())
    journal.add(job(B, "you"))
    journal.change(job(state="running"))
    again = opened(path)
    again.change(job(state="succeeded"))
    assert [(n, e.state) for n, e in again.events("me", 0, 99)] == [
        (1, "queued"),
        (2, "running"),
        (3, "succeeded"),
    ]
    assert [n for n, _ in again.events("you", 0, 99)] == [1]
    assert again.last("me") == 3


def test_only_unfinished_jobs_are_taken_up(path, opened):
    journal = opened(path)
    journal.add(job())
    journal.add(job(B))
    journal.change(job(state="cancelled"))
    assert [j.job for j in opened(path).unfinished()] == [B]


def test_the_same_id_cannot_be_written_twice(path, opened):
    journal = opened(path)
    journal.add(job())
    with pytest.raises(sqlite3.IntegrityError):
        journal.add(job())
    assert journal.last("me") == 1


def test_a_full_disk_is_a_typed_error_and_leaves_nothing_half_written(path, opened):
    journal = opened(path)
    journal.add(job())
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError) as caught:
        journal.add(replace(job(B), config={"run": "x" * 100_000}))
    assert caught.value.code == "disk_full"
    journal._db.execute("PRAGMA max_page_count = 100000")
    assert journal.get(B) is None
    journal.change(job(state="running"))
    assert journal.last("me") == 2


def test_old_events_are_forgotten_and_the_first_kept_is_known(path, opened):
    journal = opened(path)
    journal.add(job())
    journal._db.execute("PRAGMA synchronous=OFF")
    for _ in range(EVENTS_KEPT + 5):
        journal.change(job(state="running"))
    journal.prune()
    assert journal.first("me") == 7
    assert journal.last("me") == EVENTS_KEPT + 6
    assert journal.get(A) is not None


# ---- a disk that takes nothing


def states(journal, owner="me"):
    return [event.state for _, event in journal.events(owner, 0, 99)]


def test_what_a_full_disk_did_not_take_is_told_from_memory_and_written_later(small_disk, opened):
    disk = small_disk(2)
    journal = opened(disk.folder / "journal.sqlite")
    journal.add(job())
    journal.add(job(B, "you"))
    disk.fill()
    moves = ["running", "paused", "running", "cancelling", "cancelled"] * 20
    for state in moves:
        journal.change(job(state=state, error=ErrorInfo("busy", "x" * 2000, "y")))
    assert journal.failure.code == "disk_full"
    assert [number for number, _ in journal.events("me", 0, 999)] == list(range(1, 102))
    assert [e.state for _, e in journal.events("me", 1, 999)] == moves
    assert (journal.get(A).state, journal.newest("me", 9)[0].state) == ("cancelled", "cancelled")
    assert [found.job for found in journal.unfinished()] == [B]
    assert journal.first("me") == 1
    with pytest.raises(StorageError) as caught:
        journal.add(job("c" * 32))
    assert caught.value.code == "disk_full"
    disk.free()
    journal.retry()
    assert journal.failure is None
    journal.add(job("c" * 32))
    journal.close()
    again = opened(disk.folder / "journal.sqlite")
    assert [e.state for _, e in again.events("me", 1, 100)] == moves
    assert again.get(A).state == "cancelled"
    assert again.get("c" * 32).state == "queued"


def test_a_journal_that_is_closed_writes_what_it_can(small_disk, opened):
    disk = small_disk(2)
    journal = opened(disk.folder / "journal.sqlite")
    journal.add(job())
    disk.fill()
    for _ in range(50):
        journal.change(job(state="running", error=ErrorInfo("busy", "x" * 2000, "y")))
    journal.change(job(state="succeeded"))
    disk.free()
    journal.close()
    assert opened(disk.folder / "journal.sqlite").get(A).state == "succeeded"


# ---- what is found in its place


def torn(path):
    path.write_bytes(path.read_bytes()[:5000])


def a_hole(path):
    data = bytearray(path.read_bytes())
    data[4096 : 4096 * 3] = os.urandom(4096 * 2)
    path.write_bytes(data)


def of_another_program(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE jobs (salary INTEGER)")


def of_a_newer_version(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=3")


DAMAGE = {
    "torn": torn,
    "a hole": a_hole,
    "no database": lambda path: path.write_bytes(os.urandom(9000)),
    "text": lambda path: path.write_bytes(b"hello"),
    "a folder": lambda path: (path.unlink(), path.mkdir(), (path / "x").touch()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a link to nowhere": lambda path: (path.unlink(), path.symlink_to("nowhere")),
    "a folder beside it": lambda path: path.with_name(path.name + "-wal").mkdir(),
    "of another program": of_another_program,
    "of a newer version": of_a_newer_version,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_is_no_journal_is_put_aside_and_named(path, damage, opened):
    journal = Journal(path)
    for number in range(40):
        journal.add(job(f"{number:032x}"))
    journal.close()
    damage(path)
    again = opened(path)
    assert "journal.sqlite.damaged-1" in again.damaged[0].info.message
    assert again.damaged[0].code == "file_damaged"
    assert os.path.lexists(path.with_name("journal.sqlite.damaged-1"))
    again.add(job())
    again.change(job(state="running"))
    assert again.all() == [job(state="running")]


def test_an_empty_file_is_a_new_journal(path, opened):
    path.touch()
    journal = opened(path)
    journal.add(job())
    assert journal.damaged == []


def test_the_newest_jobs_begin_with_those_that_go_on(path, opened):
    journal = opened(path)
    for number in range(5):
        journal.add(job(f"{number:032}"))
    for number in (0, 2, 4):
        journal.change(job(f"{number:032}", state="succeeded"))
    assert [int(found.job) for found in journal.newest("me", 4)] == [1, 3, 4, 2]


def spoil(path, text, *values):
    with closing(sqlite3.connect(path)) as db:
        db.execute(text, values)
        db.commit()


OF_A_NEWER_KIND = json.dumps({"job": A, "kind": "upscale", "name": "x", "state": "running"})
ROWS = [OF_A_NEWER_KIND, "{", "", "[]", "null", "[" * 50_000, '{"job": 1}']


@pytest.mark.parametrize("event", ROWS, ids=range(len(ROWS)))
def test_a_job_that_cannot_be_read_hides_no_other_and_its_id_is_free(path, opened, event):
    journal = Journal(path)
    journal.add(job())
    journal.add(job(B))
    journal.close()
    spoil(path, "UPDATE jobs SET event = ? WHERE job = ?", event, A)
    again = opened(path)
    assert [found.job for found in again.unfinished()] == [B]
    assert [found.job for found in again.newest("me", 9)] == [B]
    assert A in again.damaged[0].info.message
    assert again.get(A) is None
    again.add(job())
    assert again.get(A) == job()


@pytest.mark.parametrize("config", ["{", "[]", "7", ""])
def test_a_job_of_which_the_config_is_torn_is_forgotten_too(path, opened, config):
    journal = Journal(path)
    journal.add(job())
    journal.close()
    spoil(path, "UPDATE jobs SET config = ?", config)
    assert opened(path).unfinished() == []


@pytest.mark.parametrize("event", ROWS, ids=range(len(ROWS)))
def test_an_event_that_cannot_be_read_is_missed_and_those_after_it_are_told(path, opened, event):
    journal = Journal(path)
    journal.add(job())
    for state in ("running", "paused", "running"):
        journal.change(job(state=state))
    journal.close()
    spoil(path, "UPDATE events SET event = ? WHERE sequence = 2", event)
    again = opened(path)
    assert [number for number, _ in again.events("me", 1, 99)] == [3, 4]
    assert again.first("me") == 3, "so that a client hears that it missed some"


def test_a_journal_of_version_0_2_is_taken_over_as_it_is(path, opened):
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            """CREATE TABLE jobs (
                number INTEGER PRIMARY KEY AUTOINCREMENT,
                job TEXT UNIQUE NOT NULL, owner TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
                config TEXT NOT NULL, channel TEXT NOT NULL, event TEXT NOT NULL, final INTEGER NOT NULL);
            CREATE TABLE events (
                owner TEXT NOT NULL, sequence INTEGER NOT NULL, event TEXT NOT NULL,
                PRIMARY KEY (owner, sequence)) WITHOUT ROWID;"""
        )
        event = json.dumps({"job": A, "kind": "train", "name": "oak", "state": "queued"})
        config = json.dumps({"run": "oak"})
        row = (A, "me", "train", "oak", config, "", event, 0)
        db.execute("INSERT INTO jobs VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.execute("INSERT INTO events VALUES ('me', 7, ?)", (event,))
        db.commit()
    journal = opened(path)
    assert (journal.damaged, journal.unfinished()) == ([], [job()])
    assert (journal.last("me"), states(journal)) == (7, ["queued"])


# ---- what it keeps


def finished(number, owner):
    return job(f"{number:032x}", owner, state="succeeded")


def fill(journal, owner, count, start=0):
    """Jobs of an owner in one go."""
    assert journal.adopt([finished(start + number, owner) for number in range(count)]) == count


def test_owners_of_long_ago_are_forgotten_and_the_file_grows_no_more(path, opened):
    journal, sizes = opened(path), []
    for number in range(4 * STRANGERS_KEPT):
        fill(journal, f"owner {number}", 40, number * 100)
        journal.prune({"owner 0"})
        sizes.append(path.stat().st_size)
    kept = {found.owner for found in journal.all()}
    last = range(3 * STRANGERS_KEPT, 4 * STRANGERS_KEPT)
    assert kept == {"owner 0", *(f"owner {number}" for number in last)}
    assert journal.last("owner 1") == 0
    assert sizes[-1] <= sizes[2 * STRANGERS_KEPT] * 1.1


def test_one_owner_pushes_out_no_job_of_another(path, opened):
    journal = opened(path)
    journal.add(job(state="succeeded"))
    fill(journal, "busy", JOBS_KEPT + 30)
    journal.prune({"me", "busy"})
    assert journal.get(A) is not None
    assert len(journal.all()) == JOBS_KEPT + 1
    assert journal.get(finished(0, "busy").job) is None
    assert journal.get(finished(JOBS_KEPT + 29, "busy").job) is not None


def test_work_that_waits_is_never_forgotten(path, opened):
    journal = opened(path)
    journal.add(job())
    for number in range(2 * STRANGERS_KEPT):
        fill(journal, f"owner {number}", 1, 1 + number)
    journal.prune()
    assert journal.unfinished() == [job()]


def test_an_owner_that_comes_again_goes_on_with_its_numbers(path, opened):
    journal = Journal(path)
    fill(journal, "me", 5)
    journal.prune({"me"})
    journal.close()
    spoil(path, "DELETE FROM events")
    assert opened(path).last("me") == 5


def test_shrinking_gives_the_disk_back_what_is_free(path, opened):
    journal = opened(path)
    for number in range(3 * STRANGERS_KEPT):
        fill(journal, f"owner {number}", 100, number * 100)
    journal.shrink()
    before = path.stat().st_size
    journal.prune()
    journal.shrink()
    assert path.stat().st_size < before / 2
