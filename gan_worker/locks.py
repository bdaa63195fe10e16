"""A lock on a folder that the operating system releases with its process, on every system alike."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path


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
