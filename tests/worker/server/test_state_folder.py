"""The state folder: a slot for each server, and nothing that a dead one accepted is lost."""

import os
from pathlib import Path

import numpy as np
import pytest

from gan_worker.errors import StorageError
from gan_worker.server.blobs import BlobStore
from gan_worker.server.journal import JobRecord, Journal
from gan_worker.server.state_folder import JOURNAL, RESULTS, take_over, take_slot


class Slot:
    """What a server has of its home while it runs."""

    def __init__(self, folder):
        self.path, self.lock = take_slot(folder)
        self.journal = Journal(self.path / JOURNAL)
        self.store = BlobStore(self.path / RESULTS)

    def add(self, number, owner="me", **fields):
        job = JobRecord(f"{number:032x}", owner, "generate", "oak", {"model": "oak"}, **fields)
        self.journal.add(job)
        self.store.write(job.job, "height", np.full((1, 1, 1), number, np.uint8))
        return job

    def take_over(self):
        return take_over(self.path, self.journal, self.store)

    def die(self):
        self.journal.close()
        self.lock.release()


@pytest.fixture
def start(tmp_path):
    started = []

    def make():
        started.append(Slot(tmp_path / "server"))
        return started[-1]

    yield make
    for slot in started:
        slot.die()


def test_what_dead_servers_accepted_is_taken_over_with_its_results(start):
    first, second, third = start(), start(), start()
    jobs = [first.add(1), second.add(2), third.add(3, "you", state="succeeded")]
    for slot in (first, second, third):
        slot.die()
    new = start()
    assert new.take_over() == []
    assert new.journal.all() == jobs
    assert [e.job for _, e in new.journal.events("me", 0, 9)] == [jobs[0].job, jobs[1].job]
    assert [e.state for _, e in new.journal.events("you", 0, 9)] == ["succeeded"]
    assert [new.store.read(job.job, "height", 0, 1)[0] for job in jobs] == [1, 2, 3]
    new.die()
    again = start()
    again.take_over()
    assert again.journal.all() == jobs, "once, and no more"


def test_a_server_that_lives_keeps_its_own(start):
    first, second = start(), start()
    job = second.add(2)
    first.take_over()
    assert first.journal.all() == []
    assert second.journal.all() == [job]


def test_who_died_while_taking_over_is_followed_by_one_who_finishes_it(start, monkeypatch):
    first, second = start(), start()
    jobs = [first.add(1), second.add(2)]
    first.die()
    second.die()
    new = start()

    def killed(place):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("gan_worker.server.state_folder.remove", killed)
        new.take_over()
    new.journal.change(jobs[1].__class__(**{**vars(jobs[1]), "state": "cancelled"}))
    new.die()
    again = start()
    again.take_over()
    assert [found.state for found in again.journal.all()] == ["queued", "cancelled"]


def test_a_damaged_slot_is_named_and_stands_in_nobodys_way(start):
    first, second, third = start(), start(), start()
    job = third.add(3)
    for slot in (first, second, third):
        slot.die()
    (second.path / JOURNAL).write_bytes(b"no database at all")
    new = start()
    (told,) = new.take_over()
    assert told.code == "file_damaged"
    assert new.journal.all() == [job]


@pytest.mark.parametrize(
    "make", [Path.mkdir, os.mkfifo, lambda place: place.symlink_to("nowhere")], ids=range(3)
)
def test_a_lock_that_is_no_file_is_put_aside(tmp_path, start, make):
    (tmp_path / "server" / "1").mkdir(parents=True)
    make(tmp_path / "server" / "1" / ".lock")
    assert start().path.name == "1"


@pytest.mark.parametrize("place", ["", "1", "1/results"])
def test_a_file_where_a_folder_should_be_is_put_aside(tmp_path, start, place):
    wrong = tmp_path / "server" / place
    wrong.parent.mkdir(parents=True, exist_ok=True)
    wrong.write_text("a file")
    slot = start()
    assert slot.add(1) == slot.journal.all()[0]
    assert wrong.with_name(wrong.name + ".damaged-1").read_text() == "a file"


def test_a_full_disk_at_the_start_is_told_as_what_it_is_and_goes_when_there_is_room(small_disk):
    disk = small_disk(2)
    slot = Slot(disk.folder / "server")
    job = slot.add(1)
    slot.die()
    disk.fill()
    with pytest.raises(StorageError) as caught:
        Slot(disk.folder / "server")
    assert caught.value.code == "disk_full"
    disk.free()
    again = Slot(disk.folder / "server")
    assert again.journal.all() == [job]
    again.die()
