"""Run catalogue, an index over the runs' folders: what each is and how large; renaming, deleting."""

from __future__ import annotations

import base64
import logging
import shutil
import time
import uuid
import zlib
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gan_worker.errors import TilewrightError, WorkerError, require
from gan_worker.files import check_regular, patiently, read_json, storage_errors, write_json
from gan_worker.locks import FolderLock
from gan_worker.names import check_name, composed, name_is_taken
from gan_worker.runs.entries import read_entry
from gan_worker.server.turns import FairTurns
from gan_worker.wire.messages import THUMBNAIL_SIDE, EstimatorEntry, RunPicture, Unreadable

if TYPE_CHECKING:  # it needs NumPy, which a server that only greets does without
    from gan_worker.config import TrainingConfig
    from gan_worker.runs.entries import Listed
    from gan_worker.runs.run import Run
    from gan_worker.server.allowed_folders import AllowedFolders
    from gan_worker.wire.messages import ModelEntry, RunEntry

logger = logging.getLogger(__name__)

DELETED = ".deleted-"
# In a run's folder: the public key of who trained it.
TRAINER = "trainer.json"
# Seconds after which a disk's clock tells one change from the next: FAT counts in twos.
SETTLED = 2.5
# What a run's entry is made of. Other files are written into these folders in one step, but for TensorBoard's, which
# grow with the progress.
_SOURCES = (
    *("", "checkpoints", "previews"),
    *("config.json", "estimator.json", "evaluation.json", "model.json", "progress.jsonl"),
)
# Of each source: its number on the disk, when it changed in nanoseconds, bytes; zeros where it is not there.
_Stamp = tuple[tuple[int, int, int], ...]
# At most: lists of one client that wait, pixels of a preview that is made small, and small ones that are kept.
LISTS_AT_ONCE, MOST_SHOWN, PICTURES_KEPT = 64, 2048 * 1024, 200
Later = Callable[[], None]


class RunCatalogue:
    """The runs of one worker.

    Args:
        folder: where they are.
        folders: how clients name pictures.
    """

    def __init__(self, folder: Path, folders: AllowedFolders) -> None:
        self._folder = folder
        self._folders = folders
        self._index: dict[Path, tuple[_Stamp | None, Listed]] = {}
        # What waits for a reading that is still to begin, for the one that goes on, and for its turn after one.
        self._asked, self._begun, self._ready = (FairTurns[Later](LISTS_AT_ONCE) for _ in range(3))
        self._reading: Iterator[None] | None = None
        # Small pictures by run, each with the state of the file that it is made of.
        self._pictures: dict[str, tuple[tuple[str, tuple[int, int, int]], RunPicture]] = {}

    # ---- the index, which is read anew in small pieces

    @property
    def busy(self) -> bool:
        """Whether there is anything for `tend` to do."""
        return bool(self._asked or self._begun or self._ready)

    def when_read(self, owner: str, then: Later) -> None:
        """Have something called once all that is in the folder now is in the index.

        Args:
            owner: public key of the client that asks.
            then: what is called, from `tend`.

        Raises:
            WorkerError: `busy` where this owner asked too often.
        """
        if not self._asked.has_room(owner):
            raise WorkerError(
                "busy",
                f"A client may ask for at most {LISTS_AT_ONCE} lists at once; this one does already.",
                "Wait for the answers, then ask again.",
                retry_after=1.0,
            )
        self._asked.add(owner, then)

    def tend(self, until: float) -> None:
        """Read on, and call what waits for it, until this time of the monotonic clock."""
        while self.busy and time.monotonic() < until:
            if self._ready:
                self._ready.next()()
            elif self._reading is None:
                self._begun, self._asked = self._asked, self._begun
                self._reading = self._read_all()
            elif next(self._reading, self) is self:
                self._reading = None
                self._ready, self._begun = self._begun, self._ready

    def read(self) -> None:
        """Read all at once, as a command line may."""
        for _ in self._read_all():
            pass

    def _read_all(self) -> Iterator[None]:
        from gan_worker.runs import run as runs

        found = {}
        for folder in (runs.BUNDLED, self._folder):
            for name in runs.list_runs(folder):
                yield
                found[folder / name] = yield from self._entry(folder / name)
        self._index = found

    def _entry(self, folder: Path) -> Generator[None, None, tuple[_Stamp | None, Listed]]:
        """What stands in the index of a run, or its files once they have changed."""
        stamp = _stamp(folder)
        known = self._index.get(folder)
        if known is not None and known[0] == stamp:
            return known
        listed = yield from read_entry(folder)
        # What is changed again within one tick of the disk's clock looks as before.
        settled = max(changed for _, changed, _ in stamp) < time.time_ns() - SETTLED * 1e9
        return stamp if settled else None, listed

    def runs(self, training: Collection[str]) -> list[RunEntry]:
        """All runs of the index, the newest first; behind them what is none that can be read.

        Args:
            training: names of runs that wait or train now.
        """
        found = [listed.run for folder, (_, listed) in self._index.items() if self._is_own(folder)]
        entries = [replace(run, training=run.name in training) for run in found]
        return sorted(entries, key=lambda run: (not run.problem, run.created), reverse=True)

    def models(self, training: Collection[str]) -> tuple[list[ModelEntry], list[Unreadable]]:
        """All models of the index in the order of `runs.list_models`, and what of them cannot be told.

        One that was trained here stands for one of the program's with the same name.

        Args:
            training: names of runs that wait or train now.
        """
        from gan_worker.runs import run as runs

        found = {f.name: (f, listed) for f, (_, listed) in self._index.items() if listed.has_model}
        models = [(folder, entry) for folder, listed in found.values() if (entry := listed.model)]
        models.sort(key=lambda m: runs.rank(m[0], self._folder, m[1].created), reverse=True)
        entries = [replace(entry, live=entry.name in training) for _, entry in models]
        unreadable = [
            Unreadable(one.run.name, one.problem) for _, one in found.values() if one.problem
        ]
        return entries, unreadable

    def estimators(self) -> list[EstimatorEntry]:
        """What of the index maps can be estimated with: what comes with the program, and then the newest first."""
        from gan_worker.runs import run as runs

        own = [listed for _, listed in self._index.values() if listed.estimator]
        own.sort(key=lambda listed: listed.run.created, reverse=True)
        learned = [listed.estimator for listed in own if listed.estimator]
        return [EstimatorEntry("", runs.shipped().hash), *learned]

    def _is_own(self, folder: Path) -> bool:
        return folder.parent == self._folder

    # ---- one run

    def settings(self, name: str, key: str) -> TrainingConfig:
        """What a run was started with, its pictures named as the client with this key may name them.

        Raises:
            RequestError: `unknown_run`.
            StorageError: `checkpoint_corrupt` where they cannot be read.
        """
        config = self._open(name).load_config()
        pictures = self._folders.names(key, config.pictures)
        return replace(config, run=name, pictures=pictures, resume=False)

    def picture(self, name: str) -> RunPicture:
        """The newest preview of a run, small; without pixels where there is none that can be read.

        Raises:
            RequestError: `unknown_run`.
        """
        newest = max(self._open(name).path.glob("previews/*.png"), default=None)
        if newest is None:
            return RunPicture(name)
        stamp = newest.name, _state(newest)
        before, picture = self._pictures.pop(name, (None, RunPicture(name)))
        if before != stamp:
            picture = _small_picture(name, newest)
        # The one that was asked for last comes last.
        self._pictures[name] = stamp, picture
        if len(self._pictures) > PICTURES_KEPT:
            del self._pictures[next(iter(self._pictures))]
        return picture

    def rename(self, name: str, new: str, used: Collection[str]) -> str:
        """Give a run, and so its model, another name; returns it as it is kept.

        Raises:
            RequestError: `unknown_run`, `run_exists`, `invalid_config`, or `wrong_state` while it is used.
            WorkerError: `busy` while another process trains it.
            StorageError: `file_unwritable`.
        """
        run = self._unused(name, used)
        new = check_name(composed(new), "run")
        target = self._folder / new
        # On some systems `oak` and `Oak` are one folder, which may be renamed all the same.
        if new in used or (target.exists() and not target.samefile(run.path)):
            raise name_is_taken(new)
        with storage_errors(run.path):
            if (run.path / "config.json").exists():
                run.save_config(replace(run.load_config(), run=new))
            patiently(run.path.rename, target)
        logger.info("run %s is now %s", name, new)
        return new

    def delete(self, name: str, used: Collection[str]) -> None:
        """Delete a run with its model and checkpoints, for good.

        Raises:
            RequestError: `unknown_run`, or `wrong_state` while it is used.
            WorkerError: `busy` while another process trains it.
            StorageError: `file_unwritable`; what could not be deleted is no run any more.
        """
        run = self._unused(name, used)
        with storage_errors(run.path):
            # In one step it is no run any more; what follows may be interrupted.
            patiently(run.path.rename, self._folder / f"{DELETED}{uuid.uuid4().hex}")
            self.sweep()
        logger.info("run %s was deleted", name)

    def note_trainer(self, name: str, key: str) -> None:
        """Remember whose run this is: of the client with this key, unless it was another's before."""
        file = self._folder / name / TRAINER
        if not file.parent.is_dir() or file.exists():
            return
        try:
            write_json(file, {"format": 1, "key": key})
        except TilewrightError as error:
            logger.warning("%s", error)

    def check_change(self, name: str, key: str) -> None:
        """Check that the client with this key may go on with a run, rename or delete it.

        The user of this computer may change all; a guest those that it trained, and where nobody knows who did, those
        whose pictures it may name.

        Raises:
            RequestError: `unknown_run` or `not_allowed`.
        """
        run = self._open(name)
        if self._folders.is_local(key):
            return
        trainer = _trainer(run.path)
        pictures = run.load_config().pictures if trainer is None else ()
        nameable = len(self._folders.names(key, pictures)) >= len(pictures)
        require(
            nameable if trainer is None else trainer == key,
            "A run can be resumed, renamed or deleted by who trained it, or on the worker's computer",
            f"{name}, which is another's",
            "Ask who trained it, or train a run of your own.",
            "not_allowed",
        )

    def sweep(self) -> None:
        """Remove what an interrupted deletion left."""
        for folder in self._folder.glob(f"{DELETED}*"):
            with suppress(FileNotFoundError):  # another worker of this home removes it too
                patiently(shutil.rmtree, folder)

    def _open(self, name: str) -> Run:
        from gan_worker.runs import run as runs

        return runs.Run.open(self._folder, name)

    def _unused(self, name: str, used: Collection[str]) -> Run:
        run = self._open(name)
        require(
            name not in used,
            "A run must not be in use to be renamed or deleted",
            f"{name}, which waits, trains or generates",
            "Stop the job first, or wait until it has ended.",
            "wrong_state",
        )
        lock = FolderLock(run.path)
        if not lock.acquire():
            raise WorkerError(
                "busy",
                f"A run must not be in use to be renamed or deleted; another process trains {name}.",
                "Wait until it has ended.",
            )
        lock.release()  # Windows moves no folder in which a file is open
        return run


def _stamp(folder: Path) -> _Stamp:
    """What tells that an entry is out of date, in eight looks at the disk."""
    return tuple(_state(folder / source) for source in _SOURCES)


def _state(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size


def _trainer(folder: Path) -> object:
    """The public key of who trained a run; None where nobody knows."""
    try:
        found = read_json(folder / TRAINER)
    except (OSError, ValueError):
        return None
    return found.get("key") if isinstance(found, dict) else None


def _small_picture(name: str, file: Path) -> RunPicture:
    """A preview, small; without pixels where it cannot be read."""
    from gan_worker.materials.pictures import quantise, read_header, read_picture, resize

    try:
        check_regular(file)
        width, height, _ = read_header(file)
        if width * height > MOST_SHOWN:  # of ours none is; it would take seconds
            return RunPicture(name)
        picture = read_picture(file)
    except (TilewrightError, OSError) as error:
        logger.warning("%s", error)
        return RunPicture(name)
    first = picture[:, : picture.shape[0]]  # samples lie side by side
    small = quantise(resize(first, min(1.0, THUMBNAIL_SIDE / max(first.shape[:2]))), 8)
    if small.shape[2] != 3:
        small = small[..., :1].repeat(3, axis=2)
    text = base64.b64encode(zlib.compress(small.tobytes())).decode("ascii")
    return RunPicture(name, small.shape[0], small.shape[1], text)
