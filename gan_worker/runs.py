"""The run folder: configuration, numbers, previews, checkpoints and the model, never half-written.

```
runs/<name>/
    config.json  data_report.json  progress.jsonl  previews/<step>.png
    checkpoints/<kimg>/{weights.safetensors, state.json, manifest.json}   checkpoints/LATEST
    model.json   generator-<hash>.safetensors
```
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gan_worker.config import TrainingConfig, check_name
from gan_worker.errors import RequestError, StorageError
from gan_worker.progress import DataReport, TrainingProgress

logger = logging.getLogger(__name__)

# Version of model.json and of a checkpoint's manifest; newer ones are refused.
FORMAT = 1
KEPT_CHECKPOINTS = 3


@dataclass(frozen=True)
class ModelInfo:
    """What stands in `model.json`: all a generator needs besides its weights.

    Attributes:
        name: of the model, which is that of its run.
        hash: sha256 of the weights file, hex; empty for a model that is still being trained.
        stride: pixels a cell of the latent grid; sizes are multiples of it.
        z_dim: length of the latent z.
        maps: maps it makes.
        preset: the preset it was trained with.
        network: sizes and waves, as `gan.generation` reads them.
        statistics: how maps became standardised channels.
        scale: factor on the training pictures' size.
        created: ISO 8601 time in UTC.
        step: updates it was trained for.
        kimg: thousands of crops it has seen.
        format: version of this file.
    """

    name: str
    hash: str
    stride: int
    z_dim: int
    maps: tuple[str, ...]
    preset: str
    network: dict[str, Any]
    statistics: dict[str, Any]
    scale: float
    created: str
    step: int
    kimg: float
    format: int = FORMAT


Arrays = dict[str, np.ndarray]


class Run:
    """One run's folder.

    Args:
        path: the folder, which exists.
    """

    def __init__(self, path: Path):
        self.path = path
        self.name = path.name

    @classmethod
    def create(cls, runs_folder: Path, name: str) -> Run:
        """Make the folder of a new run.

        Raises:
            RequestError: `run_exists` or `invalid_config`.
        """
        path = runs_folder / check_name(name, "run")
        runs_folder.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir()
        except FileExistsError as error:
            raise RequestError(
                "run_exists",
                f"A new run needs a name that is free; {name!r} is taken.",
                "Choose another name, or resume that run.",
            ) from error
        return cls(path)

    @classmethod
    def open(cls, runs_folder: Path, name: str) -> Run:
        """Open a run that is there.

        Raises:
            RequestError: `unknown_run` or `invalid_config`.
        """
        path = runs_folder / check_name(name, "run")
        if not path.is_dir():
            known = ", ".join(list_runs(runs_folder)) or "none"
            raise RequestError(
                "unknown_run",
                f"The run must be one that was started here; {name!r} is not. Known: {known}.",
                "Check the name, or start a new run.",
            )
        return cls(path)

    def save_config(self, config: TrainingConfig) -> None:
        write_json(self.path / "config.json", asdict(config))

    def load_config(self) -> TrainingConfig:
        """The config the run was last started with."""
        data = read_json(self.path / "config.json")
        return TrainingConfig(**{**data, "pictures": tuple(data["pictures"])})

    def save_data_report(self, report: DataReport) -> None:
        write_json(self.path / "data_report.json", asdict(report))

    def append_progress(self, progress: TrainingProgress) -> None:
        with (self.path / "progress.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(progress)) + "\n")

    def read_progress(self) -> list[TrainingProgress]:
        """All ticks so far; a last line that was torn by a crash is left out."""
        file = self.path / "progress.jsonl"
        ticks: list[TrainingProgress] = []
        for line in file.read_text("utf-8").splitlines() if file.exists() else []:
            try:
                ticks.append(TrainingProgress(**json.loads(line)))
            except json.JSONDecodeError:
                continue
        return ticks

    def save_preview(self, step: int, pixels: np.ndarray) -> None:
        """Keep a preview picture, uint8 (height, width, 3)."""
        from gan_worker.pictures import write_picture

        folder = self.path / "previews"
        folder.mkdir(exist_ok=True)
        write_picture(folder / f"{step:08d}.png", pixels.astype(np.float32) / 255)

    def save_checkpoint(self, label: str, tensors: Arrays, state: dict[str, Any]) -> None:
        """Publish a checkpoint in one step; until then the previous one is the newest.

        Args:
            label: folder name; labels sort in the order they were made.
            tensors: arrays by name.
            state: JSON.

        Raises:
            StorageError: `disk_full` or `file_unwritable`; what was there before is untouched.
        """
        from safetensors.numpy import save

        folder = self.path / "checkpoints"
        with storage_errors(folder):
            folder.mkdir(exist_ok=True)
            partial = folder / f"{label}.tmp"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            files = {
                "weights.safetensors": save(tensors),
                "state.json": json.dumps(state).encode(),
            }
            for name, data in files.items():
                write_synced(partial / name, data)
            hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
            manifest = {"format": FORMAT, "sha256": hashes}
            write_synced(partial / "manifest.json", json.dumps(manifest).encode())
            sync_folder(partial)
            final = folder / label
            if final.exists():
                shutil.rmtree(final)
            partial.rename(final)
            sync_folder(folder)
            replace_file(folder / "LATEST", label.encode())
            self._forget_old(folder, label)

    def _forget_old(self, folder: Path, newest: str) -> None:
        labels = [label for label in self.checkpoints() if label != newest]
        for label in labels[: -(KEPT_CHECKPOINTS - 1)]:
            shutil.rmtree(folder / label, ignore_errors=True)

    def checkpoints(self) -> list[str]:
        """Labels of the published checkpoints, oldest first."""
        folder = self.path / "checkpoints"
        if not folder.is_dir():
            return []
        return sorted(
            entry.name
            for entry in folder.iterdir()
            if entry.is_dir() and not entry.name.endswith(".tmp") and entry.name != "quarantine"
        )

    def load_checkpoint(self) -> tuple[Arrays, dict[str, Any], list[str]] | None:
        """The newest checkpoint that is what was written; None where the run has none.

        A checkpoint that is not is put into `checkpoints/quarantine`.

        Returns:
            Arrays, state, and a sentence for each checkpoint that was put aside.

        Raises:
            StorageError: `checkpoint_corrupt` when there are checkpoints and none is good; `model_format` when
                the newest was written by a newer Tilewright.
        """
        notices: list[str] = []
        for label in reversed(self.checkpoints()):
            try:
                tensors, state = _read_checkpoint(self.path / "checkpoints" / label)
            except StorageError as error:
                if error.code != "checkpoint_corrupt":
                    raise
                self._quarantine(label)
                notices.append(
                    f"Checkpoint {label} was damaged and put aside: {error.info.message}"
                )
                continue
            return tensors, state, notices
        if notices:
            raise StorageError(
                "checkpoint_corrupt",
                f"A run must have one good checkpoint to resume from; in {self.name!r} all are damaged.",
                "Check the disk, and start a new run.",
            )
        return None

    def _quarantine(self, label: str) -> None:
        folder = self.path / "checkpoints" / "quarantine"
        folder.mkdir(exist_ok=True)
        target = folder / label
        shutil.rmtree(target, ignore_errors=True)
        (self.path / "checkpoints" / label).rename(target)

    def save_model(self, info: ModelInfo, tensors: Arrays) -> ModelInfo:
        """Publish the model; whoever reads meanwhile gets the old or the new one, never a mixture.

        Args:
            info: its `hash` is ignored and measured.
            tensors: the generator's weights by name.

        Returns:
            The info with its hash.
        """
        from safetensors.numpy import save

        data = save(tensors)
        info = replace(info, hash=hashlib.sha256(data).hexdigest())
        with storage_errors(self.path):
            weights = self.path / weights_name(info.hash)
            if not weights.exists():
                replace_file(weights, data)
            replace_file(self.path / "model.json", json.dumps(asdict(info), indent=1).encode())
            # A reader that opened the last model.json may still be on its way to its weights.
            old = sorted(
                (f for f in self.path.glob("generator-*.safetensors") if f != weights),
                key=lambda f: f.stat().st_mtime,
            )
            for file in old[:-1]:
                file.unlink()
        return info


def weights_name(model_hash: str) -> str:
    """File name of a model's weights."""
    return f"generator-{model_hash[:16]}.safetensors"


def _read_checkpoint(folder: Path) -> tuple[Arrays, dict[str, Any]]:
    from safetensors.numpy import load

    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        format_number, hashes = manifest["format"], manifest["sha256"]
        files = {name: (folder / name).read_bytes() for name in hashes}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(f"{folder.name}/manifest.json cannot be read ({error})") from error
    check_format(format_number, f"checkpoint {folder.name}")
    for name in ("weights.safetensors", "state.json"):
        if name not in files or hashlib.sha256(files[name]).hexdigest() != hashes[name]:
            raise _damaged(f"{name} is not what was written")
    return load(files["weights.safetensors"]), json.loads(files["state.json"])


def _damaged(what: str) -> StorageError:
    return StorageError(
        "checkpoint_corrupt",
        f"A file must have the hash it was written with: {what}.",
        "Train it again, or bring it back from a copy.",
    )


def check_format(number: object, what: str) -> None:
    """Refuse what a newer Tilewright wrote.

    Raises:
        StorageError: `model_format`.
    """
    if number != FORMAT:
        raise StorageError(
            "model_format",
            f"The format of a {what} must be {FORMAT} for this version of Tilewright; it is {number}.",
            "Update Tilewright on this computer.",
        )


def load_model_files(folder: Path) -> tuple[ModelInfo, Arrays]:
    """Read and verify `model.json` and its weights.

    Raises:
        StorageError: `checkpoint_corrupt` or `model_format`.
    """
    from safetensors.numpy import load

    info = read_model_info(folder)
    file = folder / weights_name(info.hash)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise _damaged(f"{file.name} cannot be read ({error})") from error
    if hashlib.sha256(data).hexdigest() != info.hash:
        raise _damaged(f"{file.name} of model {info.name!r} was changed")
    return info, load(data)


def read_model_info(folder: Path) -> ModelInfo:
    """Read `model.json` alone.

    Raises:
        StorageError: `checkpoint_corrupt` or `model_format`.
    """
    try:
        data = read_json(folder / "model.json")
        check_format(data.get("format"), "model")
        return ModelInfo(**{**data, "maps": tuple(data["maps"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(f"model.json of {folder.name!r} cannot be read ({error})") from error


def list_runs(runs_folder: Path) -> list[str]:
    """Names of the runs, sorted."""
    if not runs_folder.is_dir():
        return []
    return sorted(entry.name for entry in runs_folder.iterdir() if entry.is_dir())


def list_models(runs_folder: Path) -> list[ModelInfo]:
    """The models that can be read, newest first."""
    models = []
    for name in list_runs(runs_folder):
        if (runs_folder / name / "model.json").exists():
            try:
                models.append(read_model_info(runs_folder / name))
            except StorageError as error:
                logger.warning("%s", error)
    return sorted(models, key=lambda info: info.created, reverse=True)


def open_model(runs_folder: Path, name: str) -> Path:
    """The folder of a model.

    Raises:
        RequestError: `unknown_model`, naming those there are.
    """
    folder = runs_folder / check_name(name, "model")
    if (folder / "model.json").is_file():
        return folder
    known = ", ".join(info.name for info in list_models(runs_folder)) or "none yet"
    raise RequestError(
        "unknown_model",
        f"The model must be one this worker has; {name!r} is not. It has: {known}.",
        "Choose one of these, or train one.",
    )


def home_folder() -> Path:
    """Where runs and keys live: `$TILEWRIGHT_HOME`, or the user's data folder; made for this user alone."""
    named = os.environ.get("TILEWRIGHT_HOME")
    if named:
        home = Path(named)
    else:
        from platformdirs import user_data_dir

        home = Path(user_data_dir("tilewright", appauthor=False))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


def read_json(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))


def write_json(file: Path, data: Any) -> None:
    """Write JSON in one step."""
    with storage_errors(file):
        replace_file(file, json.dumps(data, indent=1, ensure_ascii=False).encode())


def write_synced(file: Path, data: bytes) -> None:
    """Write and wait until the disk has it."""
    with file.open("wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def replace_file(file: Path, data: bytes) -> None:
    """Give a file new content in one step."""
    partial = file.with_name(file.name + ".tmp")
    write_synced(partial, data)
    partial.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Wait until a folder's names are on the disk; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def storage_errors(place: Path) -> Iterator[None]:
    """Turn the system's errors while writing into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                "disk_full",
                f"There must be room on the disk of {place}; there is none.",
                "Free some space and resume; what was saved before is untouched.",
            ) from error
        raise StorageError(
            "file_unwritable",
            f"{place} must be writable; the system says: {error.strerror or error}.",
            "Check the folder's permissions.",
        ) from error
