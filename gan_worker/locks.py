"""Locks of folders, and databases for one process, on file systems with locks and without."""

from __future__ import annotations

import errno
import sqlite3
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from gan_worker.errors import StorageError
from gan_worker.files import is_odd, put_aside, storage_errors

if TYPE_CHECKING:
    from filelock import SoftFileLock

# What SQLite says of a file that is locked, or on a file system that has no locks.
_NOT_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR_LOCK, sqlite3.SQLITE_IOERR_RDLOCK}


class FolderLock:
    """Held by one process at a time; SQLite's own file lock, which dies with the process.

    Where the file system has no locks, as some mounts of NFS and of clusters, a file tells which process holds it.

    Args:
        folder: must exist; the lock is the file `.lock` in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: sqlite3.Connection | SoftFileLock | None = None

    def acquire(self, patience: float = 0.0) -> bool:
        """Take the lock, trying for so many seconds; False where another process holds it.

        Raises:
            StorageError: `file_unwritable` where nobody could hold it.
        """
        end = time.monotonic() + patience
        self._held = _lock_file(self._folder / ".lock")
        if self._held is None and not has_locks(self._folder):
            self._held = _lock_by_name(self._folder / ".lock-holder", patience)
        while self._held is None and time.monotonic() < end:
            time.sleep(0.1)
            self._held = _lock_file(self._folder / ".lock")
        return self._held is not None

    def release(self) -> None:
        """Give it back; harmless where it is not held."""
        if isinstance(self._held, sqlite3.Connection):
            self._held.close()
        elif self._held is not None:
            self._held.release()
        self._held = None


def has_locks(folder: Path) -> bool:
    """Whether the file system of a folder gives locks: on a new file, which nobody else can hold, it must.

    Raises:
        StorageError: `file_unwritable`.
    """
    tried = folder / f".lock-{uuid.uuid4().hex}"
    try:
        held = _lock_file(tried)
        if held is not None:
            held.close()
        return held is not None
    finally:
        tried.unlink(missing_ok=True)


def _lock_file(file: Path) -> sqlite3.Connection | None:
    """Lock a file by SQLite; None where it is locked, or the file system has no locks."""
    connection: sqlite3.Connection | None = None
    if is_odd(file):
        put_aside(file, "it is no plain file", "Nothing is lost by that.")
    try:
        connection = sqlite3.connect(file, timeout=0, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as error:
        if connection is not None:
            connection.close()
        if error.sqlite_errorcode in _NOT_LOCKED:
            return None
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:  # as a crash of the disk leaves it
            put_aside(file, "it is none", "Nothing is lost by that.")
            return _lock_file(file)
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            with storage_errors(file.parent):
                raise OSError(errno.ENOSPC, "there is no room") from error
        raise StorageError(
            "file_unwritable",
            f"{file} must be a file that can be locked; it cannot: {error}.",
            "Check the folder's permissions, and delete that file if it is there.",
        ) from error
    return connection


def _lock_by_name(file: Path, patience: float) -> SoftFileLock | None:
    """Lock by a file that names its holder; a process of this computer that is gone holds nothing."""
    from filelock import SoftFileLock, Timeout

    lock = SoftFileLock(file, timeout=patience, thread_local=False)
    with storage_errors(file):
        try:
            lock.acquire()
        except Timeout:
            return None
    return lock


def open_database(file: Path | str) -> sqlite3.Connection:
    """Open a SQLite database that this process has for itself, on any file system; `:memory:` works too.

    It needs no memory that is shared between processes, which a network file system cannot give to one that writes
    ahead; and where there are no locks it goes without: what keeps others away then is the `FolderLock` of its folder.

    Raises:
        StorageError: `file_unwritable`.
        sqlite3.DatabaseError: it is none.
    """
    place = Path(file).absolute()
    if str(file) == ":memory:":
        address, is_uri = str(file), False
    elif has_locks(place.parent):
        # As it is: SQLite refuses the address of a place on a share of Windows, which begins with the server's name.
        address, is_uri = str(place), False
    else:
        address, is_uri = f"{place.as_uri()}?vfs=unix-none", True
    try:
        database = sqlite3.connect(address, uri=is_uri, isolation_level=None)
    except sqlite3.OperationalError as error:
        raise StorageError(
            "file_unwritable",
            f"{place} must be a database that can be opened; it cannot: {error}.",
            "Check the folder's permissions, or choose a folder on a disk of this computer.",
        ) from error
    database.execute("PRAGMA locking_mode=EXCLUSIVE")
    return database
