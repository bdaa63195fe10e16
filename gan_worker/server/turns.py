"""Fair turns: of what waits, one of each owner after the other."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FairTurns(Generic[T]):
    """Queues of several owners, of which none holds up another's for longer than one item takes.

    Args:
        most: items of one owner, beyond which the queues are full.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        # The owner whose turn is next comes first.
        self._waiting: dict[str, deque[T]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def full(self) -> bool:
        """Whether one owner's queue is as long as it may become."""
        return any(len(queue) >= self._most for queue in self._waiting.values())

    def has_room(self, owner: str) -> bool:
        """Whether one more of this owner may wait."""
        return len(self._waiting.get(owner, ())) < self._most

    def add(self, owner: str, item: T) -> None:
        """Let an item wait behind the others of its owner."""
        self._waiting.setdefault(owner, deque()).append(item)

    def next(self) -> T:
        """Take the item whose turn it is, where there is any."""
        owner, queue = next(iter(self._waiting.items()))
        item = queue.popleft()
        del self._waiting[owner]
        if queue:
            self._waiting[owner] = queue
        return item
