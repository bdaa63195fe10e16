"""Blob store: results and previews as raw bytes until a client has pulled them."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gan_worker.errors import RequestError, StorageError
from gan_worker.wire.codec import CHUNK_LIMIT, check_blob, check_job
from gan_worker.wire.messages import Blob

if TYPE_CHECKING:  # the server only reads bytes and does without NumPy
    from numpy.typing import NDArray

QUOTA = 2 * 1024**3
PREVIEWS_KEPT = 2


class BlobStore:
    """A folder with one folder for each job, and in it one file for each blob.

    Args:
        folder: made where it is missing.
        quota: bytes above which the oldest jobs' blobs are removed.
    """

    def __init__(self, folder: Path, quota: int = QUOTA) -> None:
        self.folder = folder
        self._quota = quota
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

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
            path.parent.mkdir(mode=0o700, exist_ok=True)
            temporary.write_bytes(raw)
            temporary.replace(path)
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
        try:
            with path.open("rb") as file:
                file.seek(max(0, offset))
                data = file.read(max(0, min(length, CHUNK_LIMIT)))
        except OSError:
            data = b""
        if len(data) != length or offset < 0:
            raise RequestError(
                "unknown_job",
                f"The piece asked for must be kept; {name} of job {job} has none there.",
                "Generate it again with the same recipe.",
            )
        return data

    def keep_newest_previews(self, job: str) -> None:
        """Remove all but the newest previews; one that is being pulled is among those kept."""
        found = sorted(
            (self.folder / check_job(job)).glob("preview_*[0-9]"),
            key=lambda path: int(path.name.rpartition("_")[2]),
        )
        for path in found[:-PREVIEWS_KEPT]:
            path.unlink(missing_ok=True)

    def sweep(self, known: Iterable[str], busy: Iterable[str] = ()) -> None:
        """Remove what belongs to no known job, then the oldest jobs' blobs above the quota."""
        known, busy = set(known), set(busy)
        folders = sorted(self.folder.iterdir(), key=lambda path: path.stat().st_mtime)
        sizes = {p: sum(f.stat().st_size for f in p.iterdir()) for p in folders if p.is_dir()}
        total = sum(sizes.values())
        for path, size in sizes.items():
            if path.name not in known or (total > self._quota and path.name not in busy):
                shutil.rmtree(path, ignore_errors=True)
                total -= size

    def _path(self, job: str, name: str) -> Path:
        return self.folder / check_job(job) / check_blob(name)


def _cannot_write(path: Path, error: OSError) -> StorageError:
    code = "disk_full" if error.errno == errno.ENOSPC else "file_unwritable"
    return StorageError(
        code,
        f"The worker must be able to write its results to {path.parent} ({error.strerror}).",
        "Free space on the worker's disk, then ask again.",
    )
