"""The state folder of a home: one sub-folder, a slot, for each server that runs; what dead ones left is taken over."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gan_worker.errors import StorageError, WorkerError
from gan_worker.files import make_own, patiently, remove
from gan_worker.locks import FolderLock
from gan_worker.server.journal import Journal

if TYPE_CHECKING:
    from gan_worker.server.blobs import BlobStore

logger = logging.getLogger(__name__)

SLOTS = 16
JOURNAL, RESULTS = "journal.sqlite", "results"


def take_slot(folder: Path) -> tuple[Path, FolderLock]:
    """The first slot that no other server of this home holds.

    Args:
        folder: of the home's state; made where it is missing.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
        WorkerError: `busy` where all slots are held.
    """
    make_own(folder)
    for number in range(1, SLOTS + 1):
        slot = folder / str(number)
        make_own(slot)
        lock = FolderLock(slot)
        if lock.acquire():
            return slot, lock
    raise WorkerError(
        "busy",
        f"At most {SLOTS} workers may use the folder {folder}; as many do.",
        "End one of them, or choose another --home.",
    )


def take_over(slot: Path, journal: Journal, store: BlobStore) -> list[StorageError]:
    """Take over jobs and results of the slots whose servers are dead; what was accepted must not wait for their likes.

    A slot that cannot be taken over stays as it is, for the next start.

    Args:
        slot: of this server.
        journal: of this server.
        store: of this server.

    Returns:
        Sentences about what was damaged.
    """
    told: list[StorageError] = []
    for other, free in held_slots(slot.parent):
        if other == slot or not free or not (other / JOURNAL).exists():
            continue
        try:
            told += _take_over(other, journal, store)
        except (StorageError, OSError) as error:
            logger.error("jobs in %s are not taken over: %s", other, error)
    return told


def _take_over(other: Path, journal: Journal, store: BlobStore) -> list[StorageError]:
    left = Journal(other / JOURNAL)
    try:
        count = journal.adopt(left.all())
    finally:
        left.close()
    for results in (other / RESULTS).glob("*"):
        if not (store.folder / results.name).exists():
            patiently(results.rename, store.folder / results.name)
    # Only now: whoever is interrupted before takes over again, and finds the jobs known.
    for name in (JOURNAL, JOURNAL + "-wal", JOURNAL + "-shm", RESULTS):
        remove(other / name)
    logger.info("%d jobs of %s were taken over", count, other)
    return left.damaged


def held_slots(folder: Path) -> Iterator[tuple[Path, bool]]:
    """All slots of a home, each held while it is looked at; whether it could be, since no server has it."""
    for slot in sorted(folder.glob("[0-9]*")):
        if slot.is_dir():
            with _held(slot) as free:
                yield slot, free


@contextmanager
def _held(slot: Path) -> Iterator[bool]:
    lock = FolderLock(slot)
    try:
        yield lock.acquire()
    finally:
        lock.release()
