"""Blob store: results and previews as raw bytes until a client has pulled them."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gan_worker.errors import RequestError, StorageError
from gan_worker.files import is_full, make_own, patiently, remove
from gan_worker.wire.codec import CHUNK_LIMIT, check_blob, check_job
from gan_worker.wire.messages import Blob

if TYPE_CHECKING:  # the server only reads bytes and does without NumPy
    from numpy.typing import NDArray

QUOTA = 2 * 1024**3
# Enough that one is still there when a slow and far client has asked for it and pulled it; a MiB each at most.
PREVIEWS_KEPT = 16
# Seconds for which a result is kept after all of it was read, for a line that is slow or breaks; less where the disk
# has little room.
KEPT_DELIVERED, KEPT_SHORTLY = 900.0, 40.0
# Bytes that are free on a disk that has room.
AMPLE = 4 * 1024**3


@dataclass
class _Delivery:
    """What was read of a job's blobs."""

    whole: set[str] = field(default_factory=set)
    at: float = 0.0


class BlobStore:
    """A folder with one folder for each job, and in it one file for each blob.

    Args:
        folder: made where it is missing; a file in its place is put aside.
        quota: bytes above which the oldest jobs' blobs are removed.

    Attributes:
        damaged: sentences about what was put aside.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """

    def __init__(self, folder: Path, quota: int = QUOTA) -> None:
        self.folder = folder
        self._quota = quota
        self._delivered: dict[str, _Delivery] = {}
        self.damaged = make_own(folder)

    def write(self, job: str, name: str, pixels: NDArray[Any]) -> Blob:
        """Write one array as raw bytes, never half-written under its name.

        Args:
            job: id of the job.
            name: of the blob.
            pixels: uint8 or uint16, shape (height, width, channels), top row first.

        Raises:
            StorageError: `disk_full` or `file_unwritable`.
        """
        kind: Literal["uint8", "uint16"] = "uint8" if pixels.dtype.itemsize == 1 else "uint16"
        data = pixels.astype("|u1" if kind == "uint8" else "<u2", order="C", copy=False)
        raw = data.data.cast("B") if data.flags.c_contiguous else data.tobytes()
        path = self._path(job, name)
        temporary = path.with_name(name + ".tmp")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_bytes(raw)
            patiently(temporary.replace, path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise _cannot_write(path, error) from error
        return Blob(name, len(raw), hashlib.sha256(raw).hexdigest(), pixels.shape, kind)

    def read(self, job: str, name: str, offset: int, length: int) -> bytes:
        """Read a piece of a blob.

        Raises:
            BadMessage: `invalid_message` for a name or a range that cannot be.
            RequestError: `unknown_job` where the blob is not there (any more).
        """
        path = self._path(job, name)
        whole = False
        try:
            with path.open("rb") as file:
                file.seek(max(0, offset))
                data = file.read(max(0, min(length, CHUNK_LIMIT)))
                whole = bool(data) and not file.peek(1)
        except OSError:
            data = b""
        if len(data) != length or offset < 0:
            raise RequestError(
                "unknown_job",
                f"The piece asked for must be kept; {name} of job {job} has none there.",
                "Generate it again with the same recipe.",
            )
        delivery = self._delivered.setdefault(job, _Delivery())
        delivery.at = time.monotonic()
        if whole:
            delivery.whole.add(name)
        return data

    def keep_newest_previews(self, job: str) -> None:
        """Remove all but the newest previews; one that is being pulled is among those kept for a while."""
        found = sorted(
            (self.folder / check_job(job)).glob("preview_*[0-9]"),
            key=lambda path: int(path.name.rpartition("_")[2]),
        )
        for path in found[:-PREVIEWS_KEPT]:
            path.unlink(missing_ok=True)

    def expire(self, busy: Collection[str] = (), now: bool = False) -> None:
        """Remove the results that were read to their ends some time ago; call often.

        Args:
            busy: jobs that still run; theirs are kept.
            now: also those that were read a moment ago.
        """
        room = shutil.disk_usage(self.folder).free > AMPLE
        patience = 0.0 if now else KEPT_DELIVERED if room else KEPT_SHORTLY
        limit = time.monotonic() - patience
        for job, delivery in list(self._delivered.items()):
            if job in busy or delivery.at > limit:
                continue
            del self._delivered[job]
            names = {path.name for path in _entries(self.folder / job)}
            if names <= delivery.whole:
                remove(self.folder / job)

    def sweep(self, owners: Mapping[str, str], busy: Collection[str] = ()) -> None:
        """Remove what belongs to no known job; then, above the quota, the oldest of the owner that has most.

        On a small disk the quota is half of what there is beside other files.

        Args:
            owners: of the jobs that are known.
            busy: jobs that still run; theirs are kept.
        """
        folders = sorted(_entries(self.folder), key=lambda path: path.stat().st_mtime)
        sizes = {p: sum(f.stat().st_size for f in _entries(p)) for p in folders if p.is_dir()}
        for path in folders:
            # Nobody asks for the previews of a training that has ended.
            done = path.name not in busy and all(map(_is_preview, _entries(path)))
            if path.name not in owners or done:
                remove(path)
                sizes.pop(path, None)
        room = shutil.disk_usage(self.folder).free + sum(sizes.values())
        while sum(sizes.values()) > min(self._quota, room // 2):
            held: dict[str, int] = {}
            for path, size in sizes.items():
                held[owners[path.name]] = held.get(owners[path.name], 0) + size
            most = max(held, key=lambda owner: held[owner])
            own = [p for p in sizes if owners[p.name] == most and p.name not in busy]
            if not own:
                return
            remove(own[0])
            del sizes[own[0]]

    def _path(self, job: str, name: str) -> Path:
        return self.folder / check_job(job) / check_blob(name)


def _cannot_write(path: Path, error: OSError) -> StorageError:
    code = "disk_full" if is_full(error) else "file_unwritable"
    return StorageError(
        code,
        f"The worker must be able to write its results to {path.parent} ({error.strerror}).",
        "Free space on the worker's disk, then ask again.",
        retry_after=KEPT_SHORTLY,
    )


def _is_preview(path: Path) -> bool:
    return path.name.startswith("preview_")


def _entries(folder: Path) -> list[Path]:
    """What is in a folder; nothing where it has gone meanwhile."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []
