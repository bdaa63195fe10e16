"""Atomic files, old or new after any crash; and the system's errors as ours."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from gan_worker.dataclass_json import InvalidJson, check_depth, from_json, to_json
from gan_worker.errors import PictureError, StorageError
from gan_worker.printable import printable

logger = logging.getLogger(__name__)

# Of one damaged file; a fourth takes the place of the third.
DAMAGED_KEPT = 3
DAMAGED = ".damaged-"
# Seconds; a draft that is older belongs to nobody any more.
DRAFTS_KEPT = 24 * 3600.0
# Bytes; a run that learned from 100,000 pictures writes half as many into one file.
JSON_LIMIT = 64 * 1024 * 1024
# What OpenImageIO's wheel reads, or `heif`, and artists have.
PICTURE_EXTENSIONS = frozenset(
    (
        *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr", ".tga", ".bmp", ".webp"),
        *(".psd", ".hdr", ".ppm", ".pgm", ".pnm", ".dpx", ".sgi"),
        *(".jpe", ".jfif", ".jfi", ".jif", ".heic", ".heif", ".hif", ".avif"),
    )
)
# The last tick of a training is found in so many bytes.
TAIL = 16 * 1024
# What Windows says of a name that another program holds: no access, shared with nobody, locked, or with something in
# it that is about to go. Other systems give no such numbers.
_HELD = {5, 32, 33, 145}
# Seconds that such a name is waited for, and between two tries.
HELD_PATIENCE, HELD_POLL = 2.0, 0.05
# Windows does not know all of them.
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}

T = TypeVar("T")


def shown_name(name: str) -> str:
    """A file's name as it can be printed and sent, in one line, whatever bytes it is made of."""
    return printable(name.encode("utf-8", "replace").decode())


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
    with replacing(file) as draft:
        draft.write(data)


@contextmanager
def replacing(file: Path) -> Iterator[IO[bytes]]:
    """The same for content that comes in pieces: what is written here stands under the name once all of it has."""
    partial = file.with_name(file.name + ".tmp")
    try:
        with partial.open("wb") as draft:
            yield draft
            draft.flush()
            os.fsync(draft.fileno())
        patiently(partial.replace, file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def patiently(work: Callable[..., T], *given: Any) -> T:
    """Give something a name or take it away, and again for two seconds where Windows refuses that.

    There a scanner for viruses, or whoever else reads a file, holds its name for a moment.

    Raises:
        OSError: as the system says, in the end.
    """
    end = time.monotonic() + HELD_PATIENCE
    while True:
        try:
            return work(*given)
        except OSError as error:
            if getattr(error, "winerror", None) not in _HELD or time.monotonic() >= end:
                raise
        time.sleep(HELD_POLL)


def sync_folder(folder: Path) -> None:
    """Wait until a folder's names are on the disk; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_CHECK_FOLDER = "Check the folder's permissions."


def make_private(folder: Path, cure: str = _CHECK_FOLDER) -> Path:
    """Make a folder that its owner alone can enter, and what is missing above it; one that is there stays as it is.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """
    with storage_errors(folder, cure):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def make_own(folder: Path) -> list[StorageError]:
    """Make a private folder of the program's own; a file that stands in its place is put aside.

    Returns:
        What was put aside, to be told.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """
    told = []
    if os.path.lexists(folder) and not folder.is_dir():
        told.append(put_aside(folder, "it is no folder", "What was in it is gone."))
    make_private(folder)
    return told


def put_aside(place: Path, why: str, cure: str) -> StorageError:
    """Give something damaged a name of its own beside its place, which is free then.

    Args:
        place: a file or a folder; what SQLite keeps beside a database goes with it.
        why: what is wrong with it.
        cure: what is lost by that, and what to do.

    Returns:
        A sentence about it, `file_damaged`, for whoever is to be told; it is in the log already.

    Raises:
        StorageError: `file_unwritable` where it cannot be moved.
    """
    free = [place.with_name(f"{place.name}{DAMAGED}{n + 1}") for n in range(DAMAGED_KEPT)]
    target = next((name for name in free if not os.path.lexists(name)), free[-1])
    with storage_errors(place):
        patiently(remove, target)
        patiently(place.rename, target)
        for beside in ("-wal", "-shm", "-journal"):
            patiently(remove, place.with_name(place.name + beside))
    error = StorageError(
        "file_damaged",
        f"{place.name} must hold what Tilewright wrote; {why}. It was put aside as {target.name}.",
        cure,
    )
    logger.error("%s: %s", target, error)
    return error


def is_odd(place: Path) -> bool:
    """Whether something stands there that is no plain file: a folder, a pipe, a link to nowhere."""
    return os.path.lexists(place) and not place.is_file()


def remove(place: Path) -> None:
    """Delete a file or a folder with all that is in it; harmless where there is none."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def discard(place: Path) -> None:
    """Delete what nobody needs any more; what somebody looks at stays on Windows, and goes with a later one."""
    try:
        remove(place)
    except OSError as error:
        logger.debug("%s stays: %s", place, error)


def age_of(place: Path) -> float:
    """Seconds since a file or a folder was changed; 0 where it is gone, as what others tidy too may be at any time."""
    try:
        return time.time() - place.stat().st_mtime
    except OSError:
        return 0.0


def remove_old_drafts(folder: Path, pattern: str) -> None:
    """Delete what crashes left behind; others may finish their drafts in the same folder meanwhile."""
    for draft in folder.glob(pattern):
        if age_of(draft) > DRAFTS_KEPT:
            discard(draft)


def write_private(file: Path, data: bytes) -> None:
    """Give a file that its owner alone can read new content in one step, whoever else does so at the same time.

    Raises:
        OSError: as the system says; the file is as it was.
    """
    with _private_draft(file, data) as draft:
        patiently(draft.replace, file)


def write_private_once(file: Path, data: bytes) -> None:
    """Write a private file unless there is one; of several processes that do so at once one is first.

    Raises:
        OSError: as the system says.
    """
    with _private_draft(file, data) as draft:
        try:
            if os.name == "nt":
                patiently(
                    draft.rename, file
                )  # fails where the name is taken; elsewhere a link is what does
            else:
                file.hardlink_to(draft)
        except FileExistsError:
            logger.debug("another process wrote %s first", file)
        except OSError:  # a file system without links
            if not file.exists():
                patiently(draft.replace, file)


@contextmanager
def _private_draft(file: Path, data: bytes) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(".tmp", f"{file.name}.", file.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


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
    """Read a file of JSON.

    Raises:
        OSError: as the system says, or as `read_regular`.
        ValueError: it is no JSON, or more, or nested deeper, than any that is ours.
    """
    return parse_json(read_regular(file, JSON_LIMIT))


def parse_json(text: str | bytes) -> Any:
    """Read JSON that was kept.

    Raises:
        ValueError: it is no JSON, or nested deeper than any that is ours.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise InvalidJson("it is nested too deep") from None
    check_depth(found)
    return found


def stored(value: Any) -> str:
    """A dataclass as JSON, which `read_stored` reads again."""
    return json.dumps(to_json(value))


def read_stored(kind: type[T], text: str | bytes, where: str, cure: str) -> T:
    """Read the dataclass that a file keeps.

    Args:
        kind: of dataclass.
        text: JSON.
        where: what keeps it, by name, as the beginning of a sentence.
        cure: what the person does next where it is damaged.

    Raises:
        StorageError: `file_damaged`.
    """
    try:
        return from_json(kind, parse_json(text))
    except ValueError as error:
        raise StorageError(
            "file_damaged", f"{where} must hold what Tilewright wrote; {error}.", cure
        ) from error


def check_regular(file: Path) -> int:
    """Look whether a file is one that ends, not a pipe, a device or a folder.

    Returns:
        How many bytes it holds.

    Raises:
        OSError: it is none, or as the system says.
    """
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no plain file", str(file))
    return status.st_size


def read_regular(file: Path, most: int | None = None) -> bytes:
    """Read all of a file.

    Args:
        file: where it is.
        most: bytes; None for any number.

    Raises:
        OSError: it is no plain file or holds more, or as the system says.
    """
    size = check_regular(file)
    if most is not None and size > most:
        raise OSError(errno.EFBIG, f"it holds {size} bytes, more than {most}", str(file))
    return file.read_bytes()


def read_last_lines(file: Path) -> list[bytes]:
    """The last lines of a file that grows, oldest first; the first of them may be torn.

    Raises:
        OSError: it is no plain file, or as the system says.
    """
    check_regular(file)
    with file.open("rb") as opened:
        opened.seek(max(0, opened.seek(0, os.SEEK_END) - TAIL))
        return opened.read().splitlines()


def is_full(error: OSError) -> bool:
    """Whether the system says that the disk, or a person's share of it, has no room left."""
    return error.errno in _FULL


def check_folder(folder: Path, made: bool = True) -> None:
    """Check that files can be written into a folder, before anything is done that would be in vain.

    Args:
        folder: where they will be.
        made: whether it is made then, with what is missing above it; if not, it must be there.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """
    with storage_errors(folder, "Check the folder and its permissions, or name another."):
        there = folder.absolute()
        while made and not there.exists():
            there = there.parent
        with tempfile.TemporaryFile(dir=there):
            pass


@contextmanager
def storage_errors(place: Path, cure: str = _CHECK_FOLDER) -> Iterator[None]:
    """Turn the system's errors while writing into ours, with what to do where it is not that the disk is full."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise StorageError(
                "disk_full",
                f"There must be room on the disk of {place}; there is none.",
                "Free some space and resume; what was saved before is untouched.",
            ) from error
        raise StorageError(
            "file_unwritable",
            f"{place} must be writable; the system says: {error.strerror or error}.",
            cure,
        ) from error
