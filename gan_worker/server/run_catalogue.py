"""Run catalogue, an index over the runs' folders: what each is and how large; renaming, deleting."""

from __future__ import annotations

import base64
import json
import logging
import math
import os
import shutil
import time
import uuid
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_worker.errors import TilewrightError, WorkerError, require
from gan_worker.files import read_json, storage_errors, write_json
from gan_worker.locks import FolderLock
from gan_worker.names import check_name, name_is_taken
from gan_worker.wire.messages import THUMBNAIL_SIDE, RunEntry, RunPicture

if TYPE_CHECKING:  # it needs NumPy, which a server that only greets does without
    from gan_worker.config import TrainingConfig
    from gan_worker.runs.run import ModelInfo, Run
    from gan_worker.server.allowed_folders import AllowedFolders

logger = logging.getLogger(__name__)

# The last tick of a training is found in so many bytes.
TAIL = 16 * 1024
DELETED = ".deleted-"
# In a run's folder: the public key of who trained it.
TRAINER = "trainer.json"
# Seconds after which a disk's clock tells one change from the next: FAT counts in twos.
SETTLED = 2.5
# What a run's entry is made of. Other files are written into these folders in one step, but for TensorBoard's, which
# grow with the progress.
_SOURCES = (
    *("", "checkpoints", "previews"),
    *("config.json", "evaluation.json", "model.json", "progress.jsonl"),
)
# Of each source: its number on the disk, when it changed in nanoseconds, bytes; zeros where it is not there.
_Stamp = tuple[tuple[int, int, int], ...]


class RunCatalogue:
    """The runs of one worker.

    Args:
        folder: where they are.
        folders: how clients name pictures.
    """

    def __init__(self, folder: Path, folders: AllowedFolders) -> None:
        self._folder = folder
        self._folders = folders
        self._index: dict[str, tuple[_Stamp, RunEntry]] = {}

    def entries(self, training: Collection[str]) -> list[RunEntry]:
        """All runs, the newest first.

        Args:
            training: names of runs that wait or train now.
        """
        from gan_worker.runs import run as runs

        found = [runs.Run(self._folder / name) for name in runs.list_runs(self._folder)]
        entries = [replace(self._entry(run), training=run.name in training) for run in found]
        for gone in self._index.keys() - {run.name for run in found}:
            del self._index[gone]
        return sorted(entries, key=lambda entry: entry.created, reverse=True)

    def _entry(self, run: Run) -> RunEntry:
        """What stands in the index of a run, or its files once they have changed."""
        stamp = _stamp(run.path)
        known = self._index.get(run.name)
        if known is not None and known[0] == stamp:
            return known[1]
        entry = _read_entry(run)
        # What is changed again within one tick of the disk's clock looks as before.
        if max(changed for _, changed, _ in stamp) < time.time_ns() - SETTLED * 1e9:
            self._index[run.name] = stamp, entry
        return entry

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
        from gan_worker.materials.pictures import quantise, read_picture, resize

        run = self._open(name)
        newest = max(run.path.glob("previews/*.png"), default=None)
        if newest is None:
            return RunPicture(name)
        try:
            picture = read_picture(newest)
        except TilewrightError as error:
            logger.warning("%s", error)
            return RunPicture(name)
        first = picture[:, : picture.shape[0]]  # samples lie side by side
        small = quantise(resize(first, min(1.0, THUMBNAIL_SIDE / max(first.shape[:2]))), 8)
        if small.shape[2] == 1:
            small = small.repeat(3, axis=2)
        text = base64.b64encode(zlib.compress(small.tobytes())).decode("ascii")
        return RunPicture(name, small.shape[0], small.shape[1], text)

    def rename(self, name: str, new: str, used: Collection[str]) -> None:
        """Give a run, and so its model, another name.

        Raises:
            RequestError: `unknown_run`, `run_exists`, `invalid_config`, or `wrong_state` while it is used.
            WorkerError: `busy` while another process trains it.
            StorageError: `file_unwritable`.
        """
        run = self._unused(name, used)
        target = self._folder / check_name(new, "run")
        # On some systems `oak` and `Oak` are one folder, which may be renamed all the same.
        if new in used or (target.exists() and not target.samefile(run.path)):
            raise name_is_taken(new)
        with storage_errors(run.path):
            if (run.path / "config.json").exists():
                run.save_config(replace(run.load_config(), run=new))
            run.path.rename(target)
        logger.info("run %s is now %s", name, new)

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
            run.path.rename(self._folder / f"{DELETED}{uuid.uuid4().hex}")
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
        trainer = _json(run.path / TRAINER).get("key")
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
            shutil.rmtree(folder)

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
    """What tells that an entry is out of date, in seven looks at the disk."""
    return tuple(_state(folder / source) for source in _SOURCES)


def _state(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read_entry(run: Run) -> RunEntry:
    info = _model_info(run)
    config = _json(run.path / "config.json")
    ticks = _newest_ticks(run.path / "progress.jsonl")
    last = next(ticks, {})
    copied = {"copied": info.copied} if info and info.copied is not None else {}
    return RunEntry(
        run.name,
        info.created if info else _changed(run.path),
        info.preset if info else str(config.get("preset", "")),
        info.kimg if info else float(last.get("kimg", 0.0)),
        float(last.get("seconds", 0.0)) / 60,
        _size(run.path),
        info is not None,
        False,
        _critic_auc(run.path, info),
        _figures(chain([last], ticks)) | copied,
    )


def _model_info(run: Run) -> ModelInfo | None:
    from gan_worker.runs.run import read_model_info

    if not (run.path / "model.json").exists():
        return None
    try:
        return read_model_info(run.path)
    except TilewrightError as error:
        logger.warning("%s", error)
        return None


def _critic_auc(folder: Path, info: ModelInfo | None) -> float | None:
    """What `gan-worker evaluate` found of these weights; None where it was never asked."""
    found = _json(folder / "evaluation.json")
    if info is None or found.get("model_hash") != info.hash:
        return None
    try:
        return float(found["rows"]["model"]["critic_auc"])
    except (KeyError, TypeError, ValueError):
        return None


def _json(file: Path) -> dict[str, Any]:
    """An object in a file; empty where there is none that can be read."""
    try:
        found = read_json(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _newest_ticks(file: Path) -> Iterator[dict[str, Any]]:
    """The last whole lines of a run's progress, the newest first; a line is read when it is asked for."""
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, opened.seek(0, os.SEEK_END) - TAIL))
            lines = opened.read().splitlines()
    except OSError:
        return
    for line in reversed(lines):
        try:
            tick = json.loads(line)
        except ValueError:
            continue  # torn by a crash, or by where the reading began
        if isinstance(tick, dict):
            yield tick


def _figures(ticks: Iterable[dict[str, Any]]) -> dict[str, float]:
    """The figures of the newest tick that has some."""
    for tick in ticks:
        figures = tick.get("figures")
        if isinstance(figures, dict) and figures:
            numbers = {str(k): v for k, v in figures.items() if isinstance(v, int | float)}
            return {name: float(v) for name, v in numbers.items() if math.isfinite(v)}
    return {}


def _size(folder: Path | str) -> int:
    """Bytes of all files below a folder; a training that writes them may go on meanwhile."""
    size = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    size += _size(entry.path)
                else:
                    size += entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        logger.debug("%s went away while it was measured", folder)
    return size


def _changed(folder: Path) -> str:
    return datetime.fromtimestamp(folder.stat().st_mtime, UTC).isoformat(timespec="seconds")
