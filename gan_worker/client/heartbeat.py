"""Heartbeat: when to ask whether the other side is there, and when to call the link lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

SILENCE = 2.0
ANSWER_WAIT = 1.5
FIRST_MISSES = 3
MISSES = 5
LONGEST_WAIT = 32.0


class Heartbeat:
    """Counts unanswered questions, not seconds: a Blender busy for minutes has lost no link.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard_at = clock()
        self._ask_at = self._heard_at
        self._asked = 0
        self._ever = False
        self.lost = False

    @property
    def silence(self) -> float:
        """Seconds since anything was heard."""
        return self._clock() - self._heard_at

    def heard(self) -> None:
        """Something came from the other side."""
        self._heard_at = self._clock()
        self._ask_at = self._heard_at + SILENCE
        self._asked = 0
        self._ever = True
        self.lost = False

    def tick(self) -> Literal["ask", "lost"] | None:
        """Call after everything that came was taken in: says what to do now."""
        now = self._clock()
        if now < self._ask_at:
            return None
        if self._asked >= (MISSES if self._ever else FIRST_MISSES) and not self.lost:
            self.lost = True
            self._asked = 0
            return "lost"
        self._asked += 1
        wait = min(LONGEST_WAIT, 2.0 ** (self._asked - 1)) if self.lost else ANSWER_WAIT
        self._ask_at = now + wait
        return "ask"
