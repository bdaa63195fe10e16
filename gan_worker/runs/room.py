"""Room on the disk: a training that finds none tells so, waits, and goes on when there is some."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from gan_worker.errors import StorageError
from gan_worker.progress import Report, Waiting

# Seconds between two tries, and between two questions whether to stop.
TRY_EVERY, ASK_EVERY = 2.0, 0.05

T = TypeVar("T")


class Room:
    """Writes for one training.

    Args:
        report: is told that it waits, at every try anew, and that it goes on.
        should_stop: is asked while it waits; it may raise `Cancelled`.
    """

    def __init__(self, report: Callable[[Report], None], should_stop: Callable[[], bool]) -> None:
        self._report, self._should_stop = report, should_stop

    def write(self, work: Callable[[], T]) -> T:
        """Write something, and again until the disk has room for it.

        Args:
            work: leaves what was there before as it was where it finds no room, so that it can be done again.

        Raises:
            StorageError: `disk_full` where it should stop, or any other, at once.
        """
        waited = False
        while True:
            try:
                done = work()
            except StorageError as error:
                if error.code != "disk_full":
                    raise
                waited = True
                self._wait(error)
            else:
                if waited:
                    self._report(Waiting(None))
                return done

    def _wait(self, error: StorageError) -> None:
        self._report(Waiting(error.info))
        end = time.monotonic() + TRY_EVERY
        while time.monotonic() < end:
            if self._should_stop():
                raise error
            time.sleep(ASK_EVERY)
