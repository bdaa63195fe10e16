"""Downloads of results and previews: fetched in chunks, checked, put together and told as events."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gan_worker.client import events
from gan_worker.errors import ErrorInfo
from gan_worker.limits import SIDES
from gan_worker.progress import Preview
from gan_worker.wire import messages
from gan_worker.wire.codec import CHUNK_LIMIT, FETCH_WINDOW, Message
from gan_worker.wire.messages import Blob, Chunk, Fetch

if TYPE_CHECKING:
    from gan_worker.client.events import Event

PREVIEW_PREFIX = "preview_"
PATIENCE = 3.0
TRIES = 2


@dataclass
class _Material:
    """A result of which maps are still on their way."""

    result: messages.Result
    maps: dict[str, NDArray[Any]] = field(default_factory=dict)


class Downloads:
    """All pixels that one client fetches.

    Args:
        tell: is given the events that come of it.
    """

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self._transfers = Transfers()
        self._fetches: dict[str, tuple[str, str]] = {}
        self._materials: dict[str, _Material] = {}
        # Job → the preview that is on its way, and the newest one that waits until it has come.
        self._previews: dict[str, messages.PreviewEvent] = {}
        self._newer_previews: dict[str, messages.PreviewEvent] = {}

    @property
    def going_on(self) -> bool:
        """Whether pixels are on their way."""
        return bool(self._transfers)

    def add_result(self, job: str, result: messages.Result | None) -> None:
        """Begin to fetch a result; `MapReady` for each map and `MaterialReady` follow, or `ResultLost`."""
        blobs = result.maps.values() if result else ()
        if result is None or not blobs or not all(_plausible(blob) for blob in blobs):
            self._tell(events.ResultLost(job, _no_maps()))
            return
        self._materials[job] = _Material(result)
        for blob in result.maps.values():
            self._transfers.add(job, blob)

    def add_preview(self, body: messages.PreviewEvent) -> None:
        """Begin to fetch a preview of a training in place of an older one; `PreviewReady` follows.

        One that is on its way already is not given up, and the newest waits for it: on a slow line none would ever
        come.
        """
        if not _plausible(body.blob) or not body.blob.name.startswith(PREVIEW_PREFIX):
            return
        older = self._previews.get(body.job)
        if older is not None and self._transfers.began(body.job, older.blob):
            self._newer_previews[body.job] = body
            return
        self._transfers.drop(lambda t: t.job == body.job and t.blob.name.startswith(PREVIEW_PREFIX))
        self._previews[body.job] = body
        self._transfers.add(body.job, body.blob)

    def forget_preview(self, job: str) -> None:
        """A training has ended: no more previews come."""
        self._newer_previews.pop(job, None)
        self._previews.pop(job, None)

    def forget_lost(self) -> None:
        """Nothing is there now: fetch again, with the next requests, what should have come long ago."""
        self._transfers.forget_lost(time.monotonic())

    def request(self, send: Callable[[Message], bool]) -> None:
        """Ask for as many pieces as may be on their way.

        Args:
            send: sends a message on the bulk socket; False where no more can be sent now.
        """
        for fetch in self._transfers.requests(time.monotonic()):
            message = Message(fetch)
            if send(message):
                self._fetches[message.id] = (fetch.job, fetch.name)

    def take(self, message: Message) -> None:
        """Take in a piece, or why it does not come."""
        wanted = self._fetches.pop(message.re or "", None)
        if isinstance(message.body, messages.Error) and wanted is not None:
            self._lose_blob(*wanted, message.body.error)
        elif isinstance(message.body, messages.Chunk) and message.payload is not None:
            self._take_chunk(message.body, message.payload)
        if not self._transfers:
            self._fetches.clear()

    def _take_chunk(self, chunk: messages.Chunk, data: bytes | memoryview) -> None:
        got = self._transfers.take(chunk, data)
        if isinstance(got, ErrorInfo):
            self._lose_blob(chunk.job, chunk.name, got)
        elif got is not None:
            self._finish_transfer(got)

    def _finish_transfer(self, transfer: Transfer) -> None:
        blob = transfer.blob
        dtype = np.uint8 if blob.dtype == "uint8" else np.dtype("<u2")
        pixels = np.frombuffer(transfer.data, dtype).reshape(blob.shape)
        preview = self._previews.get(transfer.job)
        if preview is not None and preview.blob == blob:
            self._tell(events.PreviewReady(transfer.job, Preview(preview.step, pixels)))
            self._begin_newer_preview(transfer.job)
        elif transfer.job in self._materials:
            self._finish_map(transfer.job, blob, pixels)

    def _begin_newer_preview(self, job: str) -> None:
        self._previews.pop(job, None)
        newer = self._newer_previews.pop(job, None)
        if newer is not None:
            self.add_preview(newer)

    def _finish_map(self, job: str, blob: messages.Blob, pixels: NDArray[Any]) -> None:
        material = self._materials[job]
        result = material.result
        name = next((n for n, b in result.maps.items() if b == blob), None)
        if name is None:
            return
        material.maps[name] = pixels
        self._tell(events.MapReady(job, name, pixels))
        if len(material.maps) == len(result.maps):
            del self._materials[job]
            maps = {n: material.maps[n] for n in result.maps}
            self._tell(
                events.MaterialReady(
                    job, result.recipe, maps, result.seam_ratios, result.forward_seconds
                )
            )

    def _lose_blob(self, job: str, name: str, error: ErrorInfo) -> None:
        if name.startswith(PREVIEW_PREFIX):
            self._transfers.drop(lambda t: t.job == job and t.blob.name == name)
            self._begin_newer_preview(job)
        elif self._materials.pop(job, None) is not None:
            self._transfers.drop(lambda t: t.job == job)
            self._tell(events.ResultLost(job, error))


def _no_maps() -> ErrorInfo:
    return ErrorInfo(
        "invalid_message",
        "The worker must say which maps a result has, of possible sizes; it did not.",
        "Generate it again; if it stays, update Tilewright on both sides.",
    )


def _plausible(blob: messages.Blob) -> bool:
    """Whether a blob's size fits its shape: nobody makes this side reserve memory at will."""
    if len(blob.shape) != 3 or not all(n in SIDES for n in blob.shape):
        return False
    height, width, channels = blob.shape
    size = height * width * channels * (1 if blob.dtype == "uint8" else 2)
    return channels <= 4 and size == blob.size


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

    def began(self, job: str, blob: Blob) -> bool:
        """Whether some of a blob was asked for, and not all of it has come."""
        transfer = self._waiting.get((job, blob.name))
        return transfer is not None and bool(transfer.asked or transfer.come)

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
