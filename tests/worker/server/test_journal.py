"""The journal: what was written is there after a crash, numbered without gaps."""

import shutil
import sqlite3
from dataclasses import replace

import pytest

from gan_worker.errors import ErrorInfo, StorageError
from gan_worker.server.journal import EVENTS_KEPT, JobRecord, Journal

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
