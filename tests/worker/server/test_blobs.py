"""The result store: bytes in, the same bytes out, and never anything outside it."""

import errno
import hashlib
from pathlib import Path

import numpy as np
import pytest

from gan_worker.errors import RequestError, StorageError
from gan_worker.server import blobs
from gan_worker.server.blobs import PREVIEWS_KEPT, BlobStore
from gan_worker.wire.codec import BadMessage

JOB = "0" * 32


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "results")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_what_is_written_is_read_again(store, dtype):
    pixels = np.arange(24, dtype=dtype).reshape(2, 4, 3)[:, ::-1]
    blob = store.write(JOB, "height", pixels)
    data = store.read(JOB, "height", 0, blob.size)
    assert hashlib.sha256(data).hexdigest() == blob.sha256
    again = np.frombuffer(data, blob.dtype).reshape(blob.shape)
    assert np.array_equal(again, pixels)


@pytest.mark.parametrize(("offset", "length"), [(0, 7), (-1, 3), (5, 3), (100, 1)])
def test_a_piece_that_is_not_there_is_refused(store, offset, length):
    store.write(JOB, "height", np.zeros((1, 6, 1), np.uint8))
    with pytest.raises(RequestError):
        store.read(JOB, "height", offset, length)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "", "height.tmp"])
def test_a_name_is_never_a_path(store, name):
    with pytest.raises(BadMessage):
        store.read(JOB, name, 0, 1)
    with pytest.raises(BadMessage):
        store.read("../" + "0" * 29, "height", 0, 1)


def test_a_full_disk_is_a_typed_error_and_leaves_nothing(store, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError) as caught:
        store.write(JOB, "height", np.zeros((1, 1, 1), np.uint8))
    assert caught.value.code == "disk_full"
    assert list((store.folder / JOB).iterdir()) == []


def test_only_the_newest_previews_stay(store):
    steps = [1, 2, *range(11, 110 - PREVIEWS_KEPT), *range(200, 200 + PREVIEWS_KEPT)]
    for step in steps:
        store.write(JOB, f"preview_{step}", np.zeros((1, 1, 3), np.uint8))
    store.keep_newest_previews(JOB)
    names = {path.name for path in (store.folder / JOB).iterdir()}
    assert names == {f"preview_{step}" for step in steps[-PREVIEWS_KEPT:]}


def test_a_sweep_removes_strangers_and_the_oldest_above_the_quota(tmp_path):
    store = BlobStore(tmp_path, quota=25)
    jobs = [f"{n:032x}" for n in range(4)]
    for job in jobs:
        store.write(job, "height", np.zeros((1, 10, 1), np.uint8))
    store.sweep(dict.fromkeys(jobs[1:], "me"), busy=jobs[1:2])
    left = {path.name for path in tmp_path.iterdir()}
    assert jobs[0] not in left
    assert jobs[1] in left
    assert len(left) == 2


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when it is told to."""
    now = [1000.0]
    monkeypatch.setattr(blobs.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def disk(monkeypatch):
    """A disk with room, or without."""
    usage = type("Usage", (), {"free": 10 * blobs.AMPLE})
    monkeypatch.setattr(blobs.shutil, "disk_usage", lambda place: usage)
    return usage


def fetch(store, name="height", length=10):
    store.read(JOB, name, 0, length)


def there(store, job=JOB):
    return (store.folder / job).exists()


@pytest.mark.parametrize(
    ("free", "kept"), [(10 * blobs.AMPLE, blobs.KEPT_DELIVERED), (0, blobs.KEPT_SHORTLY)]
)
def test_a_result_goes_some_time_after_all_of_it_was_read(store, clock, disk, free, kept):
    disk.free = free
    store.write(JOB, "height", np.zeros((1, 10, 1), np.uint8))
    fetch(store)
    clock[0] += kept - 1
    store.expire()
    assert there(store)
    clock[0] += 2
    store.expire()
    assert not there(store)


def test_what_was_not_read_to_its_end_stays(store, clock, disk):
    for name in ("height", "normal", "roughness"):
        store.write(JOB, name, np.zeros((1, 10, 1), np.uint8))
    fetch(store)
    fetch(store, "normal", length=9)
    clock[0] += 2 * blobs.KEPT_DELIVERED
    store.expire()
    assert there(store)


def test_a_job_that_runs_keeps_what_was_read(store, clock, disk):
    store.write(JOB, "preview_1", np.zeros((1, 10, 1), np.uint8))
    fetch(store, "preview_1")
    clock[0] += 2 * blobs.KEPT_DELIVERED
    store.expire({JOB})
    assert there(store)


def test_previews_of_a_training_go_with_its_end(store, disk):
    store.write(JOB, "preview_7", np.zeros((1, 10, 3), np.uint8))
    store.sweep({JOB: "me"}, busy={JOB})
    assert there(store)
    store.sweep({JOB: "me"})
    assert not there(store)


def write_all(store, jobs):
    for job in jobs:
        store.write(job, "height", np.zeros((1, 10, 1), np.uint8))


def test_who_holds_most_makes_room_first(tmp_path, disk):
    store = BlobStore(tmp_path, quota=45)
    mine, yours = f"{1:032x}", [f"{n:032x}" for n in range(2, 6)]
    write_all(store, [mine, *yours])
    store.sweep({mine: "me", **dict.fromkeys(yours, "you")})
    assert there(store, mine)
    assert [there(store, job) for job in yours] == [False, True, True, True]


def test_on_a_small_disk_half_of_it_is_enough(tmp_path, disk):
    disk.free = 0
    store = BlobStore(tmp_path)
    jobs = [f"{n:032x}" for n in range(4)]
    write_all(store, jobs)
    store.sweep(dict.fromkeys(jobs, "me"))
    assert [there(store, job) for job in jobs] == [False, False, True, True]


def test_what_is_no_folder_of_a_job_is_removed(store, disk):
    (store.folder / "stray").write_text("x")
    (store.folder / "empty").mkdir()
    store.sweep({})
    assert list(store.folder.iterdir()) == []
