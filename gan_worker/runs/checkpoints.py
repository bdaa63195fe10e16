"""Checkpoints of one run: published in one step, verified when read, the last few kept."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_worker.errors import StorageError
from gan_worker.files import (
    check_regular,
    parse_json,
    patiently,
    read_json,
    read_regular,
    remove,
    replace_file,
    storage_errors,
    sync_folder,
    write_synced,
)

logger = logging.getLogger(__name__)

# Version of a checkpoint's manifest and of model.json; others are refused.
# What has octaves of detail has a number of its own, so that versions that draw none refuse it, and so has a photo.
FORMAT, WITH_OCTAVES, OF_A_PHOTO, WITH_TONES = 1, 2, 3, 4
KEPT = 3

WEIGHTS, STATE, MANIFEST = "weights.safetensors", "state.json", "manifest.json"
_PARTIAL, _REPLACED, _QUARANTINE = ".tmp", ".old", "quarantine"

Arrays = dict[str, NDArray[Any]]
Shapes = Mapping[str, tuple[int, ...]]


class Checkpoints:
    """The folder of a run's checkpoints, one sub-folder each.

    ```
    <label>/{weights.safetensors, state.json, manifest.json}   what was saved, and its hashes
    <label>.tmp/    being written          <label>.old/    being replaced
    quarantine/     what was damaged       LATEST          the label that was saved last
    ```

    Args:
        folder: need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, label: str, tensors: Arrays, state: dict[str, Any]) -> None:
        """Publish a checkpoint in one step; until then the previous one is the newest.

        Args:
            label: folder name; of two the longer is newer, of equal length the later in the
                alphabet.
            tensors: arrays by name.
            state: JSON.

        Raises:
            StorageError: `disk_full` or `file_unwritable`; what was there before is untouched.
        """
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = self.folder / (label + _PARTIAL)
            try:
                self._write(partial, tensors, state)
                self._publish(partial, label)
            except OSError:
                shutil.rmtree(partial, ignore_errors=True)
                raise
        self._forget_old(label)

    def _write(self, partial: Path, tensors: Arrays, state: dict[str, Any]) -> None:
        patiently(remove, partial)
        partial.mkdir()
        files = {WEIGHTS: format_tensors(tensors), STATE: json.dumps(state).encode()}
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        files[MANIFEST] = json.dumps(
            {
                "format": format_of(state.get("octaves", 0), "toned" in state.get("network", ())),
                "sha256": hashes,
            }
        ).encode()
        for name, data in files.items():
            write_synced(partial / name, data)
        sync_folder(partial)

    def _publish(self, partial: Path, label: str) -> None:
        final = self.folder / label
        if final.exists():
            # A folder cannot be replaced in one step; meanwhile the old one counts under this name.
            replaced = self.folder / (label + _REPLACED)
            patiently(remove, replaced)
            patiently(final.rename, replaced)
        patiently(partial.rename, final)
        sync_folder(self.folder)
        replace_file(self.folder / "LATEST", label.encode())

    def _forget_old(self, newest: str) -> None:
        """Delete what is not needed any more, once the newest is seen to be good."""
        read_checkpoint(self.folder / newest)
        others = [label for label in self.labels() if label != newest]
        kept = [label for label in others if not label.endswith(_REPLACED)][-(KEPT - 1) :]
        partial = [entry.name for entry in self.folder.glob("*" + _PARTIAL) if entry.is_dir()]
        for label in {*others, *partial}.difference(kept):
            shutil.rmtree(self.folder / label, ignore_errors=True)

    def labels(self) -> list[str]:
        """Labels of the published checkpoints, oldest first.

        Raises:
            StorageError: `checkpoint_corrupt` where they cannot be listed.
        """
        try:
            names = [entry.name for entry in self.folder.iterdir() if entry.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise unreadable(f"checkpoints of {self.folder.parent.name!r}", error) from error
        return sorted((n for n in names if not n.endswith(_PARTIAL) and n != _QUARANTINE), key=_age)

    def load(self) -> tuple[Arrays, dict[str, Any], list[str]] | None:
        """The newest checkpoint that is what was written; None where there is none.

        A checkpoint that is not is put into `quarantine`.

        Returns:
            Arrays, state, and a sentence for each checkpoint that was put aside.

        Raises:
            StorageError: `checkpoint_corrupt` when there are checkpoints and none is good;
                `model_format` when the newest was written by another version of Tilewright.
        """
        notices: list[str] = []
        for label in reversed(self.labels()):
            try:
                return *read_checkpoint(self.folder / label), notices
            except StorageError as error:
                if error.code != "checkpoint_corrupt":
                    raise
                self._put_aside(label)
                notices.append(
                    f"Checkpoint {label} was damaged and put aside. {error.info.message}"
                )
        # Also where they were put aside before: starting anew would pass for a resume.
        if notices or any(self.folder.glob(f"{_QUARANTINE}/*")):
            raise StorageError(
                "checkpoint_corrupt",
                "A run must have one good checkpoint to resume from; in "
                f"{self.folder.parent.name!r} all are damaged.",
                "Check the disk, and start a new run.",
            )
        return None

    def _put_aside(self, label: str) -> None:
        target = self.folder / _QUARANTINE / label
        try:
            target.parent.mkdir(exist_ok=True)
            patiently(remove, target)
            patiently((self.folder / label).rename, target)
        except OSError as error:
            logger.warning("checkpoint %s cannot be put aside: %s", label, error)


def _age(label: str) -> tuple[int, str, bool]:
    stem = label.removesuffix(_REPLACED)
    return len(stem), stem, stem == label


def read_checkpoint(folder: Path) -> tuple[Arrays, dict[str, Any]]:
    """Read one checkpoint and compare it with its hashes.

    Raises:
        StorageError: `checkpoint_corrupt` or `model_format`.
    """
    try:
        manifest = read_json(folder / MANIFEST)
        # Before anything is looked for: another version may call its files otherwise.
        check_format(manifest["format"], f"checkpoint {folder.name}")
        hashes = {name: manifest["sha256"][name] for name in (WEIGHTS, STATE)}
        files = {name: read_regular(folder / name) for name in hashes}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise unreadable(f"{MANIFEST} of checkpoint {folder.name}", error) from error
    for name, data in files.items():
        if hashlib.sha256(data).hexdigest() != hashes[name]:
            raise damaged(f"{folder.name}/{name} has another")
    try:
        state = parse_json(files[STATE])
    except ValueError as error:
        raise unreadable(f"{STATE} of checkpoint {folder.name}", error) from error
    return parse_tensors(files[WEIGHTS], f"{folder.name}/{WEIGHTS}"), state


def format_tensors(tensors: Arrays) -> bytes:
    """Format arrays as safetensors."""
    from safetensors.numpy import save

    # It reads the memory as it lies; views with other strides would be stored as nonsense.
    data: bytes = save({name: np.asarray(array, order="C") for name, array in tensors.items()})
    return data


def parse_tensors(data: bytes, name: str) -> Arrays:
    """Parse safetensors, a format that can hold numbers only and no code.

    Raises:
        StorageError: `checkpoint_corrupt`, also where a number is not finite.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays: dict[str, np.ndarray[Any, Any]] = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise damaged(f"{name} holds no tensors ({error})") from error
    _check_finite(arrays, name)
    return arrays


def _check_finite(arrays: Arrays, name: str) -> None:
    for tensor, array in arrays.items():
        if np.issubdtype(array.dtype, np.inexact) and not np.isfinite(array).all():
            raise not_finite(f"{tensor} of {name} holds one that is not")


def not_finite(what: str) -> StorageError:
    """The error of weights that can make nothing but black or white pictures."""
    return StorageError(
        "checkpoint_corrupt",
        f"Weights, and all that is made of them, must be finite numbers; {what}.",
        "Train it again, or bring it back from a copy.",
    )


def read_shapes(file: Path) -> Shapes:
    """Names and shapes of the arrays that a file of safetensors holds; none of them is read.

    Raises:
        StorageError: `checkpoint_corrupt`.
    """
    from safetensors import SafetensorError, safe_open

    try:
        check_regular(file)
        with safe_open(file, "numpy") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise damaged(f"{file.name} holds no tensors ({error})") from error


def damaged(what: str) -> StorageError:
    """The error of a file that is not what was written."""
    return StorageError(
        "checkpoint_corrupt",
        f"A file must have the hash it was written with: {what}.",
        "Train it again, or bring it back from a copy.",
    )


def unreadable(file: str, error: Exception) -> StorageError:
    """The error of a file that cannot be read as what it was written as."""
    return StorageError(
        "checkpoint_corrupt",
        f"{file} must hold what Tilewright wrote; {error}.",
        "Train it again, or bring it back from a copy.",
    )


def other_networks(what: str) -> StorageError:
    """The error of weights that are of networks which this version has not."""
    return StorageError(
        "model_format",
        f"Weights must be of the networks of this version of Tilewright; those of {what} are of other networks.",
        "Train it again, with this version.",
    )


def format_of(octaves: int, toned: bool) -> int:
    """The format of what has so many octaves of detail, and a tone for each of several materials or not."""
    if toned:
        return WITH_TONES
    return WITH_OCTAVES if octaves else FORMAT


def check_format(
    number: object, what: str, known: tuple[int, ...] = (FORMAT, WITH_OCTAVES, WITH_TONES)
) -> None:
    """Refuse what another version of Tilewright wrote.

    Args:
        number: of its format.
        what: it is.
        known: formats that this version can read.

    Raises:
        StorageError: `model_format`.
    """
    if number not in known:
        *others, last = map(str, known)
        listed = f"{', '.join(others)} or {last}" if others else last
        raise StorageError(
            "model_format",
            f"The format of a {what} must be {listed} for this version of Tilewright; it is {number!r}.",
            "Update Tilewright on this computer.",
        )
