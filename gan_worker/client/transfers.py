"""Which pieces of which blobs were asked for, came, and are missing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from gan_worker.errors import ErrorInfo
from gan_worker.wire.codec import CHUNK_LIMIT, FETCH_WINDOW
from gan_worker.wire.messages import Blob, Chunk, Fetch

PATIENCE = 3.0
TRIES = 2


@dataclass(eq=False)
class Transfer:
    """One blob on its way.

    Attributes:
        job: the job it belongs to.
        blob: its name, size and hash.
        data: its bytes, as far as they came.
    """

    job: str
    blob: Blob
    data: bytearray = field(init=False, repr=False)
    asked: dict[int, float] = field(default_factory=dict)
    come: set[int] = field(default_factory=set)
    tries: int = 1
    _hashed: int = 0

    def __post_init__(self) -> None:
        self.data = bytearray(self.blob.size)
        self._hash, self._hashed = hashlib.sha256(), 0

    @property
    def done(self) -> bool:
        return self._hashed == self.blob.size

    @property
    def good(self) -> bool:
        return self.done and self._hash.hexdigest() == self.blob.sha256

    def missing(self) -> list[int]:
        """Offsets of chunks that are neither here nor asked for."""
        offsets = range(0, self.blob.size, CHUNK_LIMIT)
        return [o for o in offsets if o not in self.come and o not in self.asked]

    def length(self, offset: int) -> int:
        return min(CHUNK_LIMIT, self.blob.size - offset)

    def take(self, offset: int, data: bytes | memoryview) -> None:
        """Put a chunk in its place, in whatever order; one that was not asked for is left out."""
        if offset not in self.asked or len(data) != self.length(offset):
            return
        del self.asked[offset]
        self.come.add(offset)
        self.data[offset : offset + len(data)] = data
        while self._hashed in self.come:
            end = self._hashed + self.length(self._hashed)
            self._hash.update(memoryview(self.data)[self._hashed : end])
            self._hashed = end

    def again(self) -> None:
        """Start over, after a hash that did not match."""
        self.tries += 1
        self.asked.clear()
        self.come.clear()
        self._hash, self._hashed = hashlib.sha256(), 0


class Transfers:
    """All blobs a client is fetching, oldest first, with one window over all of them."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], Transfer] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, job: str, blob: Blob) -> None:
        """Begin to fetch a blob; again where its content is another."""
        known = self._waiting.get((job, blob.name))
        if known is None or known.blob != blob:
            self._waiting[job, blob.name] = Transfer(job, blob)

    def drop(self, unwanted: Callable[[Transfer], bool]) -> None:
        """Forget transfers; their late chunks do no harm."""
        self._waiting = {k: t for k, t in self._waiting.items() if not unwanted(t)}

    def requests(self, now: float) -> list[Fetch]:
        """What to ask for now, so that the window is full; each counts as asked."""
        room = FETCH_WINDOW - sum(len(t.asked) for t in self._waiting.values())
        result: list[Fetch] = []
        for transfer in self._waiting.values():
            for offset in transfer.missing()[: max(0, room - len(result))]:
                transfer.asked[offset] = now
                length = transfer.length(offset)
                result.append(Fetch(transfer.job, transfer.blob.name, offset, length))
        return result

    def forget_lost(self, now: float, patience: float = PATIENCE) -> None:
        """Ask again, with the next requests, for what has not come for so long."""
        for transfer in self._waiting.values():
            for offset in [o for o, t in transfer.asked.items() if now - t > patience]:
                del transfer.asked[offset]

    def take(self, chunk: Chunk, data: bytes | memoryview) -> Transfer | ErrorInfo | None:
        """Take a chunk in.

        Returns:
            The transfer where that made it complete and its hash is right; an error where the hash
            was wrong twice; else None.
        """
        transfer = self._waiting.get((chunk.job, chunk.name))
        if transfer is None:
            return None
        transfer.take(chunk.offset, data)
        if not transfer.done:
            return None
        if not transfer.good and transfer.tries < TRIES:
            transfer.again()
            return None
        del self._waiting[chunk.job, chunk.name]
        return transfer if transfer.good else _wrong_hash(transfer)


def _wrong_hash(transfer: Transfer) -> ErrorInfo:
    return ErrorInfo(
        "invalid_message",
        f"What arrives must have the hash the worker named; {transfer.blob.name} had not.",
        "Ask for it again; if it stays, restart the worker.",
    )
