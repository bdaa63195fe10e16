"""Journal: what survives a crash of the server, jobs and their state events numbered per owner."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gan_worker.dataclass_json import from_json, to_json
from gan_worker.errors import ErrorInfo, StorageError
from gan_worker.locks import open_database
from gan_worker.wire.messages import FINAL_STATES, JobKind, JobState, Result, State

EVENTS_KEPT = 2000
JOBS_KEPT = 2000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT UNIQUE NOT NULL, owner TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    config TEXT NOT NULL, channel TEXT NOT NULL, event TEXT NOT NULL, final INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    owner TEXT NOT NULL, sequence INTEGER NOT NULL, event TEXT NOT NULL,
    PRIMARY KEY (owner, sequence)) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class JobRecord:
    """One job as the server knows it.

    Attributes:
        job: id made by the client.
        owner: the client's public key.
        kind: `train`, `generate` or `repair`.
        name: the run or the model.
        config: as the client sent it.
        channel: of latest-wins generate jobs, else empty.
        state: where it is.
        error: why it failed or was interrupted.
        attempt: 1, and one more for each death of the compute process with it.
        result: of a generate job that succeeded.
    """

    job: str
    owner: str
    kind: JobKind
    name: str
    config: dict[str, Any]
    channel: str = ""
    state: State = "queued"
    error: ErrorInfo | None = None
    attempt: int = 1
    result: Result | None = None

    @property
    def final(self) -> bool:
        return self.state in FINAL_STATES

    def event(self) -> JobState:
        """The job's state as it goes over the wire."""
        return JobState(
            self.job, self.kind, self.name, self.state, self.error, self.attempt, self.result
        )


class Journal:
    """Jobs and events in SQLite; whatever a method was asked to write is on disk when it returns.

    Args:
        path: the file; `:memory:` works too.

    Raises:
        StorageError: `disk_full` or `file_unwritable`, from every method that writes; `file_damaged`, at once or
            from every method that reads.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._db = open_database(path)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            rows = self._db.execute("SELECT owner, MAX(sequence) FROM events GROUP BY owner")
            self._last: dict[str, int] = dict(rows.fetchall())
        except sqlite3.DatabaseError as error:
            self._db.close()
            busy = isinstance(error, sqlite3.OperationalError)
            raise (_cannot_write(error) if busy else self._damaged(error)) from error

    def close(self) -> None:
        self._db.close()

    def add(self, job: JobRecord) -> None:
        """Write a new job and its first event."""
        row = (job.job, job.owner, job.kind, job.name, json.dumps(job.config), job.channel)
        event = _text(job)
        text = "INSERT INTO jobs VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)"
        self._write(job, event, text, (*row, event, int(job.final)))

    def change(self, job: JobRecord) -> None:
        """Write a job's new state and the event that tells it."""
        event = _text(job)
        text = "UPDATE jobs SET event = ?, final = ? WHERE job = ?"
        self._write(job, event, text, (event, int(job.final), job.job))

    def get(self, job: str) -> JobRecord | None:
        """The job of that id, whoever owns it."""
        return next(iter(self._jobs("WHERE job = ?", job)), None)

    def owner(self, job: str) -> str | None:
        """Who owns the job of that id; None where there is none."""
        found = self._db.execute("SELECT owner FROM jobs WHERE job = ?", (job,)).fetchone()
        return found[0] if found else None

    def unfinished(self) -> list[JobRecord]:
        """Jobs that are in no final state, oldest first."""
        return self._jobs("WHERE final = 0 ORDER BY number")

    def newest(self, owner: str, most: int) -> list[JobRecord]:
        """The newest jobs of an owner, newest first."""
        return self._jobs("WHERE owner = ? ORDER BY number DESC LIMIT ?", owner, most)

    def ids(self) -> set[str]:
        """Ids of all jobs that are known."""
        return {row[0] for row in self._db.execute("SELECT job FROM jobs")}

    def last(self, owner: str) -> int:
        """Number of the owner's newest event; 0 where there is none."""
        return self._last.get(owner, 0)

    def first(self, owner: str) -> int:
        """Number of the oldest event that is still kept."""
        text = "SELECT MIN(sequence) FROM events WHERE owner = ?"
        found = self._db.execute(text, (owner,)).fetchone()[0]
        return int(found) if found is not None else self.last(owner) + 1

    def events(self, owner: str, after: int, most: int) -> list[tuple[int, JobState]]:
        """The owner's events after that number, oldest first."""
        text = (
            "SELECT sequence, event FROM events WHERE owner = ? AND sequence > ? "
            "ORDER BY sequence LIMIT ?"
        )
        rows = self._db.execute(text, (owner, after, most)).fetchall()
        return [(number, self._read_event(event)) for number, event in rows]

    def prune(self) -> None:
        """Forget the oldest finished jobs and events."""
        self._db.execute(
            "DELETE FROM jobs WHERE final = 1 AND number <= (SELECT MAX(number) FROM jobs) - ?",
            (JOBS_KEPT,),
        )
        for owner, last in self._last.items():
            self._db.execute(
                "DELETE FROM events WHERE owner = ? AND sequence <= ?", (owner, last - EVENTS_KEPT)
            )

    def _jobs(self, condition: str, *values: Any) -> list[JobRecord]:
        text = f"SELECT job, owner, kind, name, config, channel, event FROM jobs {condition}"
        return [self._read_job(row) for row in self._db.execute(text, values)]

    def _read_job(self, row: tuple[str, ...]) -> JobRecord:
        event = self._read_event(row[6])
        try:
            config = json.loads(row[4])
        except ValueError as error:
            raise self._damaged(error) from error
        job = JobRecord(row[0], row[1], event.kind, row[3], config, row[5])
        return replace(
            job, state=event.state, error=event.error, attempt=event.attempt, result=event.result
        )

    def _read_event(self, text: str) -> JobState:
        try:
            return from_json(JobState, json.loads(text))
        except ValueError as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> StorageError:
        return StorageError(
            "file_damaged",
            f"The journal {self._path} must hold the jobs that Tilewright wrote; {error}.",
            "Move it away and start the worker again: it forgets its jobs, and keeps runs and models.",
        )

    def _write(self, job: JobRecord, event: str, text: str, values: tuple[Any, ...]) -> None:
        number = self.last(job.owner) + 1
        try:
            with _Transaction(self._db):
                self._db.execute(text, values)
                row = (job.owner, number, event)
                self._db.execute("INSERT INTO events VALUES (?, ?, ?)", row)
        except sqlite3.OperationalError as error:
            raise _cannot_write(error) from error
        self._last[job.owner] = number


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *rest: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def _text(job: JobRecord) -> str:
    return json.dumps(to_json(job.event()))


def _cannot_write(error: sqlite3.DatabaseError) -> StorageError:
    code = "disk_full" if "full" in str(error) else "file_unwritable"
    return StorageError(
        code,
        f"The worker must be able to write its journal; it cannot ({error}).",
        "Free space on the worker's disk, then try again.",
        retry_after=30.0,
    )
