"""Room on the disk: a training waits for it, can be stopped while it waits, and goes on."""

import pytest

from gan_worker.errors import Cancelled, StorageError
from gan_worker.progress import Waiting
from gan_worker.runs import room as rooms
from gan_worker.runs.run import Run

FULL = StorageError("disk_full", "There must be room.", "Free some.")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(rooms, "TRY_EVERY", 0.02)
    monkeypatch.setattr(rooms, "ASK_EVERY", 0.001)


class Disk:
    """Refuses so many writes."""

    def __init__(self, refused, error=FULL):
        self.left, self.error, self.tries = refused, error, 0

    def write(self):
        self.tries += 1
        if self.tries <= self.left:
            raise self.error
        return "written"


def test_where_there_is_room_nothing_is_told():
    told = []
    assert rooms.Room(told.append, lambda: False).write(Disk(0).write) == "written"
    assert told == []


def test_it_is_told_that_it_waits_and_that_it_goes_on():
    told = []
    assert rooms.Room(told.append, lambda: False).write(Disk(2).write) == "written"
    assert told == [Waiting(FULL.info), Waiting(FULL.info), Waiting(None)]


def test_who_stops_it_while_it_waits_hears_why_nothing_was_saved():
    with pytest.raises(StorageError) as caught:
        rooms.Room(lambda news: None, lambda: True).write(Disk(9).write)
    assert caught.value is FULL


def test_it_can_be_cancelled_while_it_waits():
    def cancelled():
        raise Cancelled

    with pytest.raises(Cancelled):
        rooms.Room(lambda news: None, cancelled).write(Disk(9).write)


def test_what_waiting_does_not_mend_is_an_error_at_once():
    wrong = StorageError("file_unwritable", "It must be writable.", "Make it so.")
    disk = Disk(1, wrong)
    with pytest.raises(StorageError) as caught:
        rooms.Room(lambda news: None, lambda: False).write(disk.write)
    assert (caught.value, disk.tries) == (wrong, 1)


def test_a_checkpoint_that_found_no_room_left_the_last_one_as_it_was(small_disk):
    import numpy as np

    disk = small_disk(2)
    run = Run.create(disk.folder / "runs", "oak")
    run.save_checkpoint("1", {"a": np.zeros(9000)}, {"step": 1})
    disk.fill()
    seen = []

    def look():
        seen.append(((run.path / "checkpoints" / "LATEST").read_text(), run.checkpoints()))
        if len(seen) == 3:
            disk.free()
        return False

    room = rooms.Room(lambda news: None, look)
    room.write(lambda: run.save_checkpoint("2", {"a": np.ones(9000)}, {"step": 2}))
    assert seen[:3] == [("1", ["1"])] * 3
    assert run.load_checkpoint()[1] == {"step": 2}
