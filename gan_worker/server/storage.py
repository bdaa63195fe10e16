"""Storage of a home: how large its folder is, and tidying, which removes what nobody needs any more."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gan_worker.errors import StorageError
from gan_worker.files import DAMAGED, remove
from gan_worker.server.blobs import BlobStore
from gan_worker.server.journal import Journal
from gan_worker.server.state_folder import JOURNAL, RESULTS, held_slots
from gan_worker.wire.messages import StorageSizes

if TYPE_CHECKING:
    from gan_worker.server.run_catalogue import RunCatalogue

logger = logging.getLogger(__name__)

# Bytes of a log, and those of its end that stay once it is longer.
LOG_LIMIT, LOG_KEPT = 4 * 1024 * 1024, 256 * 1024
# Whether a process that is started with a log goes on at the end of what is left of it. On Windows it goes on where it
# was, and what was cut off comes back as zeros.
CHILDREN_APPEND = os.name != "nt"
_GONE = b"... what stood here before is gone: a log has an end\n"


def sizes(home: Path, runs: RunCatalogue, freed: int = 0) -> StorageSizes:
    """How large a home is.

    Args:
        home: its folder.
        runs: its runs, which were read: their sizes stand in an index.
        freed: bytes that a tidying has just given back.
    """
    of_runs = sum(entry.size for entry in runs.runs(()))
    free = shutil.disk_usage(home).free
    return StorageSizes(of_runs, size_of_state(home), free, freed)


def size_of_state(home: Path) -> int:
    """Bytes of all in a home that is no run: journal, results, logs and keys."""
    return sum(_size(entry) for entry in home.glob("*") if entry.name != "runs")


def _size(place: Path) -> int:
    try:
        if place.is_dir() and not place.is_symlink():
            return sum(_size(entry) for entry in place.iterdir())
        return place.lstat().st_size
    except OSError as error:
        logger.debug("%s went away while it was measured: %s", place, error)
        return 0


def tidy_slot(
    slot: Path,
    journal: Journal,
    store: BlobStore,
    owners: Collection[str],
    busy: Collection[str],
    written: Collection[Path] = (),
) -> None:
    """Remove results that were delivered and jobs of long ago, and give the disk back what is free in the journal.

    Args:
        slot: folder of one server's state.
        journal: of that server.
        store: of that server.
        owners: that may connect now.
        busy: jobs that still run.
        written: logs of children that are alive.
    """
    shorten_logs(slot.glob("*.log"), written)
    store.expire(busy, now=True)
    try:
        journal.prune(owners)
        store.sweep(journal.owners(), busy)
        journal.shrink()
    except StorageError as error:
        logger.warning("the journal is not tidied: %s", error)


def tidy_home(home: Path) -> None:
    """Remove what was put aside as damaged, old logs, and what interrupted deletions of runs left."""
    for place in _remains(home):
        try:
            remove(place)
        except OSError as error:
            logger.warning("%s is not removed: %s", place, error)


def _remains(home: Path) -> Iterator[Path]:
    yield from home.glob(f"*{DAMAGED}[0-9]")
    yield from home.glob(f"keys/*{DAMAGED}[0-9]")
    yield from home.glob(f"server/*{DAMAGED}[0-9]")
    yield from home.glob(f"server/*/*{DAMAGED}[0-9]")
    yield from home.glob("server/*/*.old.log")


def tidy_unused(home: Path) -> int:
    """Tidy a home from outside, as `gan-worker tidy` does; slots of servers that run are left to those.

    Returns:
        How many servers run.
    """
    running = 0
    for slot, free in held_slots(home / "server"):
        if not free:
            running += 1
        elif (slot / JOURNAL).exists():
            journal = Journal(slot / JOURNAL)
            try:
                tidy_slot(slot, journal, BlobStore(slot / RESULTS), (), ())
            finally:
                journal.close()
    tidy_home(home)
    return running


def shorten_logs(logs: Iterable[Path], written: Collection[Path]) -> None:
    """Keep the ends of logs, as far as they are there and nothing comes to harm by that.

    Args:
        logs: of children.
        written: those of children that are alive.

    Raises:
        OSError: one cannot be read and written.
    """
    for log in logs:
        if log.exists() and (CHILDREN_APPEND or log not in written):
            shorten_log(log)


def shorten_log(log: Path) -> None:
    """Keep the end of a log that has become long; whoever appends to it goes on.

    Raises:
        OSError: it cannot be read and written.
    """
    if log.stat().st_size <= LOG_LIMIT:
        return
    with log.open("r+b") as opened:
        opened.seek(-LOG_KEPT, os.SEEK_END)
        kept = opened.read()
        opened.seek(0)
        opened.truncate()
        opened.write(_GONE + kept[kept.find(b"\n") + 1 :])


def shorten_stderr() -> None:
    """The same of a file that this process writes its log to; nothing where that is a terminal or a pipe."""
    found = os.fstat(2)
    if not stat.S_ISREG(found.st_mode) or found.st_size <= LOG_LIMIT:
        return
    try:
        shorten_log(Path("/proc/self/fd/2"))
    except OSError:  # not on Linux, where nobody says which file it is
        os.ftruncate(2, 0)
    # What was opened to write, not to append, would go on far behind the end.
    os.lseek(2, 0, os.SEEK_END)
