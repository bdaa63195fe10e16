"""Journal: what survives a crash of the server, jobs and their state events numbered per owner."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gan_worker.dataclass_json import from_json, to_json
from gan_worker.errors import ErrorInfo, StorageError
from gan_worker.files import put_aside
from gan_worker.server.journal_file import COLUMNS, Foreign, cannot_write, open_journal
from gan_worker.wire.messages import FINAL_STATES, JobKind, JobState, Result, State

logger = logging.getLogger(__name__)

# Of each owner.
EVENTS_KEPT = 2000
JOBS_KEPT = 2000
# Owners that may not connect now, such as Blenders of other days; of more, those that had work last are kept.
STRANGERS_KEPT = 8
_CHANGE = "UPDATE jobs SET event = ?, final = ? WHERE job = ?"
_OWNER = (
    "INSERT INTO owners VALUES (?, ?) ON CONFLICT (owner) DO UPDATE SET last = excluded.last "
    "WHERE last <> excluded.last"
)
_ADD = "INSERT INTO jobs VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)"


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
    """Jobs and events in SQLite, read as they are told: what a full disk did not take is kept in memory until it does.

    A row that cannot be read, of a newer version or of a torn page, is left out and hides no other.

    Args:
        path: the file; `:memory:` works too. One that is no journal, or that of a newer version, is put aside.

    Attributes:
        damaged: sentences about what was put aside.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """

    def __init__(self, path: Path | str) -> None:
        self.damaged: list[StorageError] = []
        # What the disk did not take: jobs with the numbers of their events, the oldest first.
        self._unwritten: list[tuple[JobRecord, int]] = []
        self._failed: StorageError | None = None
        try:
            self._db = open_journal(path)
        except Foreign as error:
            cure = "Jobs from before are forgotten; runs and models are all there."
            self.damaged.append(put_aside(Path(path), str(error), cure))
            self._db = open_journal(path)
        rows = self._db.execute(
            "SELECT owner, MAX(last) FROM (SELECT owner, MAX(sequence) AS last FROM events GROUP BY owner "
            "UNION ALL SELECT owner, last FROM owners) GROUP BY owner"
        )
        self._last: dict[str, int] = dict(rows.fetchall())

    def close(self) -> None:
        """Write what is left to write, and close the file."""
        self.retry()
        self._db.close()

    # ---- writing

    @property
    def failure(self) -> StorageError | None:
        """Why there are changes that are not on the disk; None where all are."""
        return self._failed

    def check_memory(self) -> None:
        """Look whether more changes can be kept in memory; those that must be are not asked.

        Raises:
            StorageError: `disk_full` or `file_unwritable`, where the disk took none for long.
        """
        if self._failed is not None and len(self._unwritten) >= EVENTS_KEPT:
            raise self._failed

    def add(self, job: JobRecord) -> None:
        """Write a new job and its first event; both are on the disk when it returns.

        Raises:
            StorageError: `disk_full` or `file_unwritable`; nothing of the job is kept.
        """
        self.retry()
        if self._failed is not None:
            raise self._failed
        event, number = _text(job), self.last(job.owner) + 1
        row = (job.job, job.owner, job.kind, job.name, json.dumps(job.config), job.channel)
        with _Transaction(self._db):
            self._db.execute(_ADD, (*row, event, int(job.final)))
            self._db.execute("INSERT INTO events VALUES (?, ?, ?)", (job.owner, number, event))
        self._last[job.owner] = number

    def change(self, job: JobRecord) -> None:
        """Note a job's new state and the event that tells it, on the disk unless that takes nothing now."""
        number = self._last[job.owner] = self.last(job.owner) + 1
        self._unwritten.append((job, number))
        if self._failed is None:
            self.retry()

    def retry(self) -> None:
        """Write what the disk did not take before; call from time to time."""
        if not self._unwritten:
            return
        try:
            with _Transaction(self._db):
                for job, number in self._unwritten:
                    event = _text(job)
                    self._db.execute(_CHANGE, (event, int(job.final), job.job))
                    self._db.execute(
                        "INSERT INTO events VALUES (?, ?, ?)", (job.owner, number, event)
                    )
        except StorageError as error:
            if self._failed is None:
                logger.error("job states are kept in memory, and told from there: %s", error)
            self._failed = error
        else:
            if self._failed is not None:
                logger.info("%d job states are in the journal now", len(self._unwritten))
            self._failed, self._unwritten = None, []

    def adopt(self, jobs: Iterable[JobRecord]) -> int:
        """Take over jobs of another journal, with one event for each that says where it is; all of them, or none.

        Returns:
            How many were not known here.

        Raises:
            StorageError: as `add`.
        """
        new = [job for job in jobs if self.owner(job.job) is None]
        last = dict(self._last)
        with _Transaction(self._db):
            for job in new:
                event = _text(job)
                last[job.owner] = last.get(job.owner, 0) + 1
                row = (job.job, job.owner, job.kind, job.name, json.dumps(job.config), job.channel)
                self._db.execute(_ADD, (*row, event, int(job.final)))
                self._db.execute(
                    "INSERT INTO events VALUES (?, ?, ?)", (job.owner, last[job.owner], event)
                )
        self._last = last
        return len(new)

    def prune(self, owners: Collection[str] = ()) -> None:
        """Forget the oldest finished jobs and events of each owner, and owners of long ago.

        Args:
            owners: that may connect now, and so are not forgotten.

        Raises:
            StorageError: `disk_full` or `file_unwritable`.
        """
        with _Transaction(self._db):
            forgotten = self._strangers(owners)[STRANGERS_KEPT:]
            for owner in forgotten:
                self._db.execute("DELETE FROM jobs WHERE owner = ? AND final = 1", (owner,))
                self._db.execute("DELETE FROM events WHERE owner = ?", (owner,))
                self._db.execute("DELETE FROM owners WHERE owner = ?", (owner,))
            for (owner,) in self._db.execute("SELECT DISTINCT owner FROM jobs").fetchall():
                self._db.execute(
                    "DELETE FROM jobs WHERE owner = ? AND final = 1 AND number <= (SELECT number FROM jobs "
                    "WHERE owner = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
                    (owner, owner, JOBS_KEPT),
                )
            kept = {o: last for o, last in self._last.items() if o not in forgotten}
            for owner, last in kept.items():
                oldest = (owner, last - EVENTS_KEPT)
                self._db.execute("DELETE FROM events WHERE owner = ? AND sequence <= ?", oldest)
                # Their numbers go on where they were, also when no event is left.
                self._db.execute(_OWNER, (owner, last))
        self._last = kept

    def shrink(self) -> None:
        """Give back to the disk what is free in the file.

        Raises:
            StorageError: `disk_full` or `file_unwritable`; the file is as it was.
        """
        try:
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.DatabaseError as error:
            raise cannot_write(error) from error

    # ---- reading

    def get(self, job: str) -> JobRecord | None:
        """The job of that id, whoever owns it."""
        return next(iter(self._jobs("WHERE job = ?", job)), None)

    def owner(self, job: str) -> str | None:
        """Who owns the job of that id; None where there is none."""
        found = self._db.execute("SELECT owner FROM jobs WHERE job = ?", (job,)).fetchone()
        return found[0] if found else None

    def unfinished(self) -> list[JobRecord]:
        """Jobs that are in no final state, oldest first."""
        return [job for job in self._jobs("WHERE final = 0 ORDER BY number") if not job.final]

    def all(self) -> list[JobRecord]:
        """All jobs, oldest first."""
        return self._jobs("ORDER BY number")

    def newest(self, owner: str, most: int) -> list[JobRecord]:
        """Jobs of an owner: first those that go on, as they came, and then the others, newest first."""
        order = "final, CASE final WHEN 0 THEN number ELSE -number END"
        return self._jobs(f"WHERE owner = ? ORDER BY {order} LIMIT ?", owner, most)

    def owners(self) -> dict[str, str]:
        """Ids of all jobs that are known, and whose they are."""
        return dict(self._db.execute("SELECT job, owner FROM jobs").fetchall())

    def last(self, owner: str) -> int:
        """Number of the owner's newest event; 0 where there is none."""
        return self._last.get(owner, 0)

    def first(self, owner: str) -> int:
        """Number of the oldest event that is still kept."""
        text = "SELECT MIN(sequence) FROM events WHERE owner = ?"
        found = self._db.execute(text, (owner,)).fetchone()[0]
        if found is not None:
            return int(found)
        return next((n for job, n in self._unwritten if job.owner == owner), self.last(owner) + 1)

    def events(self, owner: str, after: int, most: int) -> list[tuple[int, JobState]]:
        """The owner's events after that number, oldest first, without those that cannot be read."""
        text = (
            "SELECT sequence, event FROM events WHERE owner = ? AND sequence > ? "
            "ORDER BY sequence LIMIT ?"
        )
        rows = self._db.execute(text, (owner, after, most)).fetchall()
        read = [(number, _read_event(event)) for number, event in rows]
        found = [(number, event) for number, event in read if event is not None]
        if len(found) < len(rows):
            self._forget_events(owner, max(number for number, event in read if event is None))
        kept = [(n, job.event()) for job, n in self._unwritten if job.owner == owner and n > after]
        return [*found, *kept][:most]

    # ---- the small parts

    def _strangers(self, owners: Collection[str]) -> list[str]:
        """Owners that are not among these and have no work, the one that had some last first."""
        rows = self._db.execute(
            "SELECT owner FROM jobs GROUP BY owner HAVING MIN(final) = 1 ORDER BY MAX(number) DESC"
        )
        ended = [owner for (owner,) in rows]
        jobless = self._last.keys() - set(self.owners().values())
        return [owner for owner in (*ended, *sorted(jobless)) if owner not in owners]

    def _jobs(self, condition: str, *values: Any) -> list[JobRecord]:
        rows = self._db.execute(f"SELECT {COLUMNS} FROM jobs {condition}", values).fetchall()
        unwritten = {job.job: job for job, _ in self._unwritten}
        found = {row[0]: unwritten.get(row[0]) or _read_job(row) for row in rows}
        for job in [job for job, record in found.items() if record is None]:
            self._forget_job(job)
        return [job for job in found.values() if job is not None]

    def _forget_job(self, job: str) -> None:
        """Nobody could do anything with it, and its id must be free for another try."""
        logger.error("job %s in the journal cannot be read by this version; it is forgotten", job)
        self.damaged.append(_unreadable_job(job))
        self._delete("DELETE FROM jobs WHERE job = ?", job)

    def _forget_events(self, owner: str, number: int) -> None:
        """Clients hear that they missed some, and ask for the jobs."""
        logger.error("an event in the journal cannot be read by this version; it is forgotten")
        self._delete("DELETE FROM events WHERE owner = ? AND sequence <= ?", owner, number)

    def _delete(self, text: str, *values: Any) -> None:
        try:
            with _Transaction(self._db):
                self._db.execute(text, values)
        except StorageError as error:
            logger.warning("%s", error)


class _Transaction:
    """All or nothing.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.DatabaseError as error:
            raise cannot_write(error) from error
        return self._db

    def __exit__(self, kind: object, error: object, *rest: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        except sqlite3.DatabaseError as failed:
            raise cannot_write(failed) from failed
        finally:
            self._roll_back()
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.IntegrityError
        ):
            raise cannot_write(error) from error

    def _roll_back(self) -> None:
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            logger.warning("a transaction was not rolled back: %s", error)


def _read_job(row: tuple[str, ...]) -> JobRecord | None:
    """The job of a row; None where this version cannot read it."""
    event = _read_event(row[6])
    try:
        config = json.loads(row[4])
    except (ValueError, TypeError, RecursionError):
        return None
    if event is None or not isinstance(config, dict):
        return None
    job = JobRecord(row[0], row[1], event.kind, row[3], config, row[5])
    return replace(
        job, state=event.state, error=event.error, attempt=event.attempt, result=event.result
    )


def _read_event(text: str) -> JobState | None:
    """An event; None where this version cannot read it."""
    try:
        return from_json(JobState, json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return None


def _text(job: JobRecord) -> str:
    return json.dumps(to_json(job.event()))


def _unreadable_job(job: str) -> StorageError:
    return StorageError(
        "file_damaged",
        f"The journal's jobs must be such as this version writes; {job[:40]!r} is not, and was forgotten.",
        "Ask for it again.",
    )
