"""Estimators of maps: the one that comes with the program, and runs in which it has learned on from an artist's sets.

```
runs/<name>/
    config.json  data_report.json  progress.jsonl  previews/  provenance.json     as of any run
    estimator.json   estimator-<hash>.safetensors
```
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_worker.dataclass_json import from_json
from gan_worker.files import read_json, read_regular, replace_file, storage_errors, write_json
from gan_worker.names import check_name, unknown_estimator
from gan_worker.runs.checkpoints import (
    check_format,
    damaged,
    format_tensors,
    other_networks,
    read_shapes,
    unreadable,
)

if TYPE_CHECKING:
    from gan_worker.runs.checkpoints import Arrays

SHIPPED = Path(__file__).parents[1] / "pretrained" / "estimator.safetensors"
ESTIMATOR = "estimator.json"
# Version of that file; others are refused.
FORMAT = 1
# Letters of a hash that tell which estimator it was.
LETTERS = 16


@dataclass(frozen=True)
class Weights:
    """The weights of an estimator.

    Attributes:
        file: safetensors.
        hash: the first letters of its sha256.
    """

    file: Path
    hash: str


@dataclass(frozen=True)
class EstimatorInfo:
    """What stands in `estimator.json`.

    Attributes:
        hash: sha256 of the file of weights, hex.
        created: ISO 8601 time in UTC.
        learned_from: `Weights.hash` of what it started from.
        step: updates since then.
        format: version of this file.
    """

    hash: str
    created: str
    learned_from: str
    step: int
    format: int = FORMAT

    @property
    def letters(self) -> str:
        """`Weights.hash` of it."""
        return self.hash[:LETTERS]


@dataclass(frozen=True)
class _Versioned:
    format: Any = None


@cache
def shipped() -> Weights:
    """The estimator that comes with the program."""
    return Weights(SHIPPED, hashlib.sha256(SHIPPED.read_bytes()).hexdigest()[:LETTERS])


def is_estimator(folder: Path) -> bool:
    """Whether a run's folder has an `estimator.json`, which need not be readable."""
    return os.path.lexists(folder / ESTIMATOR)


def read_estimator(folder: Path) -> EstimatorInfo:
    """Read `estimator.json` alone.

    Raises:
        StorageError: `checkpoint_corrupt` or `model_format`.
    """
    try:
        data = read_json(folder / ESTIMATOR)
        number = from_json(_Versioned, data).format
        check_format(number, f"run's estimator ({folder.name!r})", (FORMAT,))
        info = from_json(EstimatorInfo, data)
        if len(info.hash) != 64 or not set(info.hash) <= set("0123456789abcdef"):
            raise ValueError("it names no weights")
    except (OSError, ValueError) as error:
        raise unreadable(f"{ESTIMATOR} of {folder.name!r}", error) from error
    return info


def open_estimator(runs_folder: Path, name: str) -> Path:
    """The folder of an estimator.

    Raises:
        RequestError: `unknown_estimator`, naming those there are.
    """
    folder = runs_folder / check_name(name, "run")
    if not is_estimator(folder):
        found = sorted(file.parent.name for file in runs_folder.glob(f"*/{ESTIMATOR}"))
        raise unknown_estimator(name, found)
    return folder


def find_weights(runs_folder: Path, name: str) -> Weights:
    """The weights of an estimator, seen to be what was written, and of the networks of this version.

    Args:
        runs_folder: where the runs are.
        name: of a run; empty for the estimator that comes with the program.

    Raises:
        RequestError: `unknown_estimator`.
        StorageError: `checkpoint_corrupt` or `model_format`.
    """
    if not name:
        return shipped()
    folder = open_estimator(runs_folder, name)
    info = read_estimator(folder)
    file = folder / weights_name(info.hash)
    try:
        changed = file.stat().st_mtime_ns
    except OSError as error:
        raise unreadable(f"{file.name} of {name!r}", error) from error
    _verify(file, info.hash, changed)
    return Weights(file, info.letters)


@cache
def _verify(file: Path, digest: str, _changed: int) -> None:
    """Look into a file once, as long as it stays as it is."""
    if hashlib.sha256(read_regular(file)).hexdigest() != digest:
        raise damaged(f"{file.name} of {file.parent.name!r} has another")
    if read_shapes(file) != read_shapes(SHIPPED):
        raise other_networks(f"the estimator {file.parent.name!r}")


def weights_name(digest: str) -> str:
    """File name of an estimator's weights."""
    return f"estimator-{digest[:LETTERS]}.safetensors"


def save_estimator(folder: Path, tensors: Arrays, learned_from: Weights, step: int) -> Weights:
    """Publish what a run has learned; it is an estimator when all of it is there.

    Args:
        folder: of the run.
        tensors: the weights by name.
        learned_from: what it started from.
        step: updates since then.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """
    data = format_tensors(tensors)
    digest = hashlib.sha256(data).hexdigest()
    file = folder / weights_name(digest)
    with storage_errors(file):
        replace_file(file, data)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder / ESTIMATOR, asdict(EstimatorInfo(digest, created, learned_from.hash, step)))
    return Weights(file, digest[:LETTERS])
