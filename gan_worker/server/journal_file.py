"""The journal's file: a SQLite database of this version's format, whatever was found in its place."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gan_worker.errors import StorageError
from gan_worker.files import is_odd
from gan_worker.locks import open_database

# The number of what is in the file, SQLite's `user_version`: 0 as versions 0.1 and 0.2 wrote it; 2 with `owners`.
FORMAT = 2
# Bytes of a journal that is looked through when it is opened, which takes a tenth of a second at most.
LOOKED_THROUGH = 64 * 1024 * 1024
WAL_LIMIT = 1024 * 1024

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT UNIQUE NOT NULL, owner TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    config TEXT NOT NULL, channel TEXT NOT NULL, event TEXT NOT NULL, final INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    owner TEXT NOT NULL, sequence INTEGER NOT NULL, event TEXT NOT NULL,
    PRIMARY KEY (owner, sequence)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owners (owner TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS jobs_of_owners ON jobs (owner, number);
CREATE INDEX IF NOT EXISTS jobs_unfinished ON jobs (number) WHERE final = 0;
"""

COLUMNS = "job, owner, kind, name, config, channel, event"


class Foreign(Exception):
    """A file that is no journal, or none that this version can read; says which."""


def open_journal(path: Path | str) -> sqlite3.Connection:
    """Open a journal, or make it; an older one is brought to this version's format.

    Raises:
        Foreign: it is no journal of this version or an older one.
        StorageError: `disk_full` or `file_unwritable`.
    """
    for place in (f"{path}{beside}" for beside in ("", "-wal", "-shm", "-journal")):
        if is_odd(Path(place)):
            raise Foreign(f"{Path(place).name} is no plain file")
    db = open_database(path)
    try:
        number = db.execute("PRAGMA user_version").fetchone()[0]
        if number not in (0, FORMAT):
            raise Foreign(f"its format must be {FORMAT} at most, and is {number}")
        _check_pages(db, path)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute(f"PRAGMA journal_size_limit={WAL_LIMIT}")
        # Format 2 adds a table and indexes; what an older version reads stays as it was.
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={FORMAT}; COMMIT;")
        db.execute(f"SELECT {COLUMNS}, number, final FROM jobs LIMIT 1").fetchone()
        db.execute("SELECT owner, sequence, event FROM events LIMIT 1").fetchone()
        db.execute("SELECT owner, last FROM owners LIMIT 1").fetchone()
    except sqlite3.DatabaseError as error:
        db.close()
        if _is_the_disk(error):
            raise cannot_write(error) from error
        raise Foreign(f"it does not ({error})") from error
    except Foreign:
        db.close()
        raise
    return db


def _check_pages(db: sqlite3.Connection, path: Path | str) -> None:
    file = Path(path)
    if file.is_file() and file.stat().st_size <= LOOKED_THROUGH:
        said = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if said != "ok":
            raise Foreign(f"it is damaged ({said})")


def _is_the_disk(error: sqlite3.DatabaseError) -> bool:
    """Whether the file may be good, and the disk or the folder's permissions are what is wrong."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return code in (
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY),
        *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY),
    )


def cannot_write(error: sqlite3.DatabaseError) -> StorageError:
    code = "disk_full" if "full" in str(error) else "file_unwritable"
    return StorageError(
        code,
        f"The worker must be able to write its journal; it cannot ({error}).",
        "Free space on the worker's disk, then try again.",
        retry_after=30.0,
    )
