"""Atomic files, old or new after any crash; file locks, and the system's errors as ours."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gan_worker.errors import PictureError, StorageError

# Windows does not know all of them.
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def shown_name(name: str) -> str:
    """A file's name as it can be printed and sent, whatever bytes it is made of."""
    return name.encode("utf-8", "replace").decode()


def check_places(places: Iterable[str | Path]) -> None:
    """Check that files and folders to learn from are there.

    Raises:
        PictureError: `picture_missing`.
    """
    for place in places:
        if not os.path.exists(place):  # noqa: PTH110 — False, not an error, for odd names
            raise PictureError(
                "picture_missing",
                f"Pictures must be files or folders that are there; {shown_name(str(place))} is not.",
                "Check the name and where it lies.",
            )


def write_synced(file: Path, data: bytes) -> None:
    """Write and wait until the disk has it."""
    with file.open("wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def replace_file(file: Path, data: bytes) -> None:
    """Give a file new content in one step."""
    partial = file.with_name(file.name + ".tmp")
    try:
        write_synced(partial, data)
        partial.replace(file)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Wait until a folder's names are on the disk; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(file: Path, data: Any) -> None:
    """Write JSON in one step.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """
    with storage_errors(file):
        replace_file(file, as_json(data).encode())


def as_json(data: Any) -> str:
    """JSON for people to read."""
    # File names may hold bytes that are no text; they stay readable as JSON's own escapes.
    text = json.dumps(data, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return text.decode()


def read_json(file: Path) -> Any:
    """Read JSON; the system's errors and `ValueError` pass."""
    return json.loads(file.read_bytes())


@contextmanager
def storage_errors(place: Path) -> Iterator[None]:
    """Turn the system's errors while writing into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageError(
                "disk_full",
                f"There must be room on the disk of {place}; there is none.",
                "Free some space and resume; what was saved before is untouched.",
            ) from error
        raise StorageError(
            "file_unwritable",
            f"{place} must be writable; the system says: {error.strerror or error}.",
            "Check the folder's permissions.",
        ) from error


class FolderLock:
    """Held by one process at a time; SQLite's own file lock, which dies with the process.

    Args:
        folder: must exist; the lock is the file `.lock` in it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".lock"
        self._held: sqlite3.Connection | None = None

    def acquire(self, patience: float = 0.0) -> bool:
        """Take the lock, trying for so many seconds; False where another process holds it."""
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        end = time.monotonic() + patience
        while True:
            try:
                connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                if time.monotonic() >= end:
                    connection.close()
                    return False
                time.sleep(0.1)
            else:
                self._held = connection
                return True

    def release(self) -> None:
        """Give it back; harmless where it is not held."""
        if self._held is not None:
            self._held.close()
            self._held = None
