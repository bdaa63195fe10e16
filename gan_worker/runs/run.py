"""The run folder: configuration, numbers, previews, checkpoints and the model, never half-written.

```
runs/<name>/
    config.json  data_report.json  progress.jsonl  progress.png  previews/<step>.png
    checkpoints/<kimg>/{weights.safetensors, state.json, manifest.json}   checkpoints/LATEST
    model.json   generator-<hash>.safetensors   provenance.json
```
One that learned to estimate has what `estimators` says in place of a model.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_worker.config import Credits, TrainingConfig
from gan_worker.dataclass_json import dump, from_json
from gan_worker.errors import RequestError, StorageError, TilewrightError, WorkerError
from gan_worker.files import (
    discard,
    make_private,
    parse_json,
    read_json,
    read_last_lines,
    read_regular,
    replace_file,
    shown_name,
    storage_errors,
    write_json,
)
from gan_worker.limits import OCTAVES, SIDES
from gan_worker.locks import FolderLock
from gan_worker.materials.maps import MAPS
from gan_worker.materials.metadata import model_metadata
from gan_worker.names import (
    check_name,
    makes_no_pictures,
    name_is_taken,
    unknown_model,
    unknown_run,
)
from gan_worker.progress import DataReport, TrainingProgress
from gan_worker.runs.checkpoints import (
    FORMAT,
    WITH_OCTAVES,
    WITH_TONES,
    Arrays,
    Checkpoints,
    Shapes,
    check_format,
    damaged,
    format_tensors,
    parse_tensors,
    read_shapes,
    unreadable,
)
from gan_worker.runs.checkpoints import OF_A_PHOTO as OF_A_PHOTO
from gan_worker.runs.estimators import ESTIMATOR as ESTIMATOR
from gan_worker.runs.estimators import Weights as Weights
from gan_worker.runs.estimators import find_weights as find_weights
from gan_worker.runs.estimators import is_estimator as is_estimator
from gan_worker.runs.estimators import open_estimator as open_estimator
from gan_worker.runs.estimators import read_estimator as read_estimator
from gan_worker.runs.estimators import shipped as shipped

logger = logging.getLogger(__name__)

# Models that come with the program, for the time before any training.
BUNDLED = Path(__file__).parents[1] / "bundled_models"
# Formats of model.json that this version reads.
FORMATS = (FORMAT, WITH_OCTAVES, OF_A_PHOTO, WITH_TONES)
# Letters of a model's credits, and of what is a word or a time.
MOST_CREDITED, MOST_LETTERS = 4_000, 60
# Previews of a run that are kept: the first, the newest, and what lies between.
PREVIEWS_KEPT = 200
# What tells that a run got anywhere; a folder without any of these is free to be started again.
_YIELDS = ("checkpoints", "model.json", ESTIMATOR, "progress.jsonl", "previews")


@dataclass(frozen=True)
class ModelInfo:
    """What stands in `model.json`: all a generator needs besides its weights.

    Attributes:
        name: of the model, which is that of its run.
        hash: sha256 of the weights file, hex; empty for a model that is still being trained.
        stride: pixels a cell of the latent grid, with all detail; sizes are multiples of it.
        z_dim: length of the latent z.
        maps: maps it makes.
        preset: the preset it was trained with.
        network: sizes and waves, as `gan.generation` reads them.
        statistics: how maps became standardised channels.
        scale: factor on the training pictures' size, of a picture with all detail.
        created: ISO 8601 time in UTC.
        step: updates it was trained for.
        kimg: thousands of crops it has seen.
        format: version of this file: 1, or 2 where there are octaves, 3 for a photo and 4 where each of several
            materials has a tone, which older versions do not draw.
        styles: names of training materials whose style w is stored, as `styles/<name>` with the weights.
        credits: whose pictures it has learned from, summed up from `provenance.json`.
        copied: share of its pieces that are copies of training pictures, 0..1; None where that was not measured.
        octaves: times the detail stage doubles the size of what the generator draws; of a photo, times that it can be
            halved.
        tile: width and height of a photo that is its own model, pixels; None where a generator draws any size.
        retired: whether it is there for what was made with it alone, and not offered any more.
        pixel_size: meters that a pixel with all detail spans on a surface; 0 where nobody said it.
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
    styles: tuple[str, ...] = ()
    credits: Credits = field(default_factory=Credits)
    copied: float | None = None
    octaves: int = 0
    tile: tuple[int, int] | None = None
    retired: bool = False
    pixel_size: float = 0.0

    @property
    def tileable(self) -> bool:
        """Whether its pictures close at their borders; those of `classic` lie side by side on a sheet."""
        config = self.network.get("config")
        sizes = config if isinstance(config, dict) else {}
        return bool(sizes.get("seamless", "side" not in sizes))

    @property
    def w_dim(self) -> int:
        """Length of the style w; 0 where there is none, or where the file does not say."""
        config = self.network.get("config")
        length = config.get("w_dim") if isinstance(config, dict) else 0
        return length if isinstance(length, int) else 0


@dataclass(frozen=True)
class _Versioned:
    format: Any = None


class Run:
    """One run's folder.

    Args:
        path: the folder, which exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._checkpoints = Checkpoints(path / "checkpoints")

    @classmethod
    def create(cls, runs_folder: Path, name: str) -> Run:
        """Make the folder of a new run; one that never got anywhere is taken over.

        Raises:
            RequestError: `run_exists` or `invalid_config`.
            StorageError: `disk_full` or `file_unwritable`.
        """
        if is_taken(runs_folder, name):
            raise name_is_taken(name)
        path = runs_folder / name
        make_private(runs_folder.parent)
        with storage_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        return cls(path)

    @classmethod
    def open(cls, runs_folder: Path, name: str) -> Run:
        """Open a run that is there.

        Raises:
            RequestError: `unknown_run` or `invalid_config`.
        """
        path = runs_folder / check_name(name, "run")
        if not path.is_dir():
            raise unknown_run(name, list_runs(runs_folder))
        return cls(path)

    def check_name(self) -> None:
        """Look whether the run can be opened by its name.

        Raises:
            RequestError: `invalid_config`.
        """
        check_name(self.name, "run")

    @contextmanager
    def writing(self, patience: float = 0.0) -> Iterator[None]:
        """Be the only process that trains it.

        Args:
            patience: seconds until that is given up.

        Raises:
            WorkerError: `busy`.
        """
        lock = FolderLock(self.path)
        if not lock.acquire(patience):
            raise WorkerError(
                "busy",
                f"Only one training may write a run; another process trains {self.name!r} now.",
                "Wait until it has ended, or choose another name.",
            )
        try:
            yield
        finally:
            lock.release()

    def weights_of(self, estimator: str) -> Weights:
        """Those of an estimator of the folder that the run is in; see `find_weights`."""
        return find_weights(self.path.parent, estimator)

    def save_config(self, config: TrainingConfig) -> None:
        """Keep what was chosen."""
        write_json(self.path / "config.json", asdict(config))

    def load_config(self) -> TrainingConfig:
        """The config the run was last started with.

        Raises:
            RequestError: `unknown_run` where none was saved.
            StorageError: `checkpoint_corrupt` where it cannot be read.
        """
        try:
            data = read_json(self.path / "config.json")
            config = from_json(TrainingConfig, data)
            if "pictures" not in data:
                raise ValueError("the field pictures is missing")
            return config
        except FileNotFoundError as error:
            raise RequestError(
                "unknown_run",
                f"A run to resume must have been started; {self.name!r} has no config.json.",
                "Start it with pictures.",
            ) from error
        except (OSError, ValueError) as error:
            raise unreadable(f"config.json of {self.name!r}", error) from error

    def save_data_report(self, report: DataReport) -> None:
        """Keep what was found in the pictures."""
        write_json(self.path / "data_report.json", asdict(report))

    def append_progress(self, progress: TrainingProgress) -> None:
        """Add one tick to `progress.jsonl`."""
        file = self.path / "progress.jsonl"
        line = json.dumps(asdict(progress)).encode() + b"\n"
        with storage_errors(file), file.open("ab+") as opened:
            if opened.tell():
                opened.seek(-1, os.SEEK_END)
                # A crash may have torn the last line; this one must not grow onto it.
                line = line if opened.read(1) == b"\n" else b"\n" + line
            opened.write(line)

    def read_progress(self) -> list[TrainingProgress]:
        """All ticks so far, of one curve.

        Lines that were torn by a crash are left out, and so are ticks that a resume from an earlier
        checkpoint made again.

        Raises:
            StorageError: `checkpoint_corrupt` where the file cannot be read.
        """
        ticks: list[TrainingProgress] = []
        for tick in filter(None, map(_tick, self._progress_lines(_all_lines))):
            while ticks and ticks[-1].step >= tick.step:
                ticks.pop()
            ticks.append(tick)
        return ticks

    def last_tick(self) -> TrainingProgress | None:
        """The newest one, whatever there was before it; None where there is none.

        Raises:
            StorageError: as `read_progress`.
        """
        newest_first = reversed(self._progress_lines(read_last_lines))
        return next(filter(None, map(_tick, newest_first)), None)

    def _progress_lines(self, read: Callable[[Path], list[bytes]]) -> list[bytes]:
        try:
            return read(self.path / "progress.jsonl")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unreadable(f"progress.jsonl of {self.name!r}", error) from error

    def save_preview(self, step: int, pixels: NDArray[np.uint8], credits: Credits) -> None:
        """Keep a preview picture, uint8 (height, width, 3), marked as generated by a model with these credits.

        Of those that are there some 200 are kept, spread over the run: it may go on for weeks.

        Raises:
            StorageError: `disk_full` or `file_unwritable`.
        """
        from gan_worker.materials.pictures import write_picture

        folder = self.path / "previews"
        with storage_errors(folder):
            folder.mkdir(exist_ok=True)
        texts = model_metadata(self.name, "", credits)
        write_picture(folder / f"{step:08d}.png", pixels, metadata=texts)
        found = {int(f.stem): f for f in folder.glob("*.png") if f.stem.isdecimal()}
        for surplus in set(found) - set(_spread(found, step)):
            discard(found[surplus])

    def check_goes_on(self) -> None:
        """Look whether there is anything that could be trained further.

        Raises:
            RequestError: `wrong_state` for a photo that is its own model, for an estimator, and for a model whose
                checkpoints are gone.
            StorageError: as `read_model_info`.
        """
        if is_estimator(self.path):
            raise RequestError(
                "wrong_state",
                f"A run to resume must have something to go on from; {self.name!r} is an estimator that has learned.",
                "Start a new one from all sets that it shall know: it takes minutes.",
            )
        if not has_model(self.path):
            return
        if read_model_info(self.path).tile:
            raise RequestError(
                "wrong_state",
                f"A run to resume must have something to learn; {self.name!r} is a photo that is its own model.",
                "Start a new run: with the preset photo it takes seconds, and others learn from it.",
            )
        if not self.checkpoints():
            raise RequestError(
                "wrong_state",
                f"A run with a model must have a checkpoint to be resumed from; {self.name!r} has none left.",
                "Bring its folder checkpoints back from a copy, or start a new run.",
            )

    def save_checkpoint(self, label: str, tensors: Arrays, state: dict[str, Any]) -> None:
        """Publish a checkpoint; see `Checkpoints.save`."""
        self._checkpoints.save(label, tensors, state)

    def load_checkpoint(self) -> tuple[Arrays, dict[str, Any], list[str]] | None:
        """Arrays, state and notices of the newest good checkpoint; see `Checkpoints.load`."""
        return self._checkpoints.load()

    def checkpoints(self) -> list[str]:
        """Labels of the published checkpoints, oldest first."""
        return self._checkpoints.labels()

    def save_model(self, info: ModelInfo, tensors: Arrays) -> ModelInfo:
        """Publish the model; whoever reads meanwhile gets the old or the new one, never a mixture.

        Args:
            info: its `hash` is ignored and measured.
            tensors: the generator's weights by name.

        Returns:
            The info with its hash.

        Raises:
            StorageError: `disk_full` or `file_unwritable`; the model that was there is untouched.
        """
        data = format_tensors(tensors)
        info = replace(info, hash=hashlib.sha256(data).hexdigest())
        weights = self.path / weights_name(info.hash)
        with storage_errors(self.path):
            replace_file(weights, data)
            replace_file(self.path / "model.json", json.dumps(asdict(info), indent=1).encode())
            # A reader that opened the last model.json may still be on its way to its weights.
            old = [f for f in self.path.glob("generator-*.safetensors") if f != weights]
            old.sort(key=lambda file: file.stat().st_mtime_ns)
            for file in (*old[:-1], *self.path.glob("generator-*.tmp")):
                discard(file)
        return info


def _spread(steps: Iterable[int], newest: int) -> list[int]:
    """As many of these steps as are kept: again and again the one between the nearest two is left out."""
    left = np.array(sorted(steps))
    while len(left) > max(2, PREVIEWS_KEPT):
        gaps = np.where(left[1:-1] == newest, np.inf, left[2:] - left[:-2])
        left = np.delete(left, 1 + int(np.argmin(gaps)))
    return [int(step) for step in left]


def _all_lines(file: Path) -> list[bytes]:
    return read_regular(file).splitlines()


def _tick(line: bytes) -> TrainingProgress | None:
    """What stands in a line; None where it was torn."""
    try:
        return from_json(TrainingProgress, parse_json(line))
    except ValueError:
        return None


def is_taken(runs_folder: Path, name: str) -> bool:
    """Whether there is a run of that name that got anywhere, or a model that comes with the program.

    Raises:
        RequestError: `invalid_config` for what cannot be a name.
    """
    path = runs_folder / check_name(name, "run")
    return name in list_runs(BUNDLED) or any((path / entry).exists() for entry in _YIELDS)


def weights_name(model_hash: str) -> str:
    """File name of a model's weights."""
    return f"generator-{model_hash[:16]}.safetensors"


def load_model_files(
    folder: Path, check: Callable[[ModelInfo, Shapes], None] | None = None
) -> tuple[ModelInfo, Arrays]:
    """Read and verify `model.json` and its weights.

    Args:
        folder: of the model.
        check: is given what the file of weights says of its arrays, before they are read, and raises where they are
            not those that `model.json` speaks of.

    Raises:
        StorageError: `checkpoint_corrupt` or `model_format`.
    """
    info = read_model_info(folder)
    try:
        return info, _load_weights(folder, info, check)
    except StorageError:
        # The training may have published a newer one between the two readings.
        newer = read_model_info(folder)
        if newer.hash == info.hash:
            raise
        return newer, _load_weights(folder, newer, check)


def _load_weights(
    folder: Path, info: ModelInfo, check: Callable[[ModelInfo, Shapes], None] | None
) -> Arrays:
    name = weights_name(info.hash)
    if check:
        check(info, read_shapes(folder / name))
    try:
        data = read_regular(folder / name)
    except OSError as error:
        raise damaged(f"{name} of model {info.name!r} cannot be read ({error})") from error
    if hashlib.sha256(data).hexdigest() != info.hash:
        raise damaged(f"{name} of model {info.name!r} has another")
    return parse_tensors(data, name)


def read_model_info(folder: Path) -> ModelInfo:
    """Read `model.json` alone.

    Raises:
        StorageError: `checkpoint_corrupt` or `model_format`.
    """
    try:
        data = read_json(folder / "model.json")
        check_format(from_json(_Versioned, data).format, "model", FORMATS)
        # Folders may be renamed; the name by which it is opened is that of its folder.
        info = from_json(ModelInfo, {**data, "name": folder.name})
        _check_fields(info)
    except (OSError, ValueError) as error:
        raise unreadable(f"model.json of {folder.name!r}", error) from error
    if not re.fullmatch("[0-9a-f]{64}", str(info.hash)):
        raise damaged(f"model.json of {folder.name!r} names none")
    return info


def _check_fields(info: ModelInfo) -> None:
    """Look whether each field is in its range.

    Raises:
        ValueError: naming the first that is not.
    """
    rules: dict[str, Callable[[Any], bool]] = {
        "stride": lambda v: v in SIDES,
        "octaves": lambda v: v in OCTAVES,
        "tile": lambda v: v is None or all(n in SIDES and n % (1 << info.octaves) == 0 for n in v),
        # The presets classic and photo have no style, and so a z of no numbers.
        **dict.fromkeys(("z_dim", "step"), lambda v: v >= 0),
        **dict.fromkeys(("preset", "created"), lambda v: len(v) <= MOST_LETTERS),
        **dict.fromkeys(("kimg", "scale"), lambda v: 0 <= v < math.inf),
        "copied": lambda v: v is None or 0 <= v <= 1,
        # They travel with every recipe, in messages that have an end.
        "credits": lambda v: len(str(v)) <= MOST_CREDITED,
        "maps": lambda v: 0 < len(v) == len(set(v)) and set(v) <= set(MAPS),
    }
    for name, is_right in rules.items():
        if not is_right(getattr(info, name)):
            raise ValueError(f"{name} must not be {str(getattr(info, name))[:60]!r}")
    # Half of a pair of UTF-16 can stand in JSON and in no text that is printed or sent.
    dump([info.preset, info.created, info.styles, asdict(info.credits)]).encode()


def list_runs(runs_folder: Path) -> list[str]:
    """Names of the runs, sorted; also of folders that nobody can open as one, such as those that are no text."""
    try:
        with os.scandir(runs_folder) as entries:
            return sorted(e.name for e in entries if not e.name.startswith(".") and _is_folder(e))
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            logger.warning("the runs cannot be listed: %s", error)
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to where nobody may look
        return False


def has_model(folder: Path) -> bool:
    """Whether a run's folder has a `model.json`, which need not be readable."""
    return os.path.lexists(folder / "model.json")


def list_models(runs_folder: Path) -> tuple[list[ModelInfo], dict[str, str]]:
    """The models there are, those that come with the program too.

    Returns:
        Those that can be read, hers first, the newest at the top, and then the program's by name; and why not, by
        name, of the others.
    """
    models: list[tuple[str, ModelInfo]] = []
    unreadable: dict[str, str] = {}
    for name in sorted({*list_runs(runs_folder), *list_runs(BUNDLED)}):
        folder = _model_folder(runs_folder, name)
        if folder:
            try:
                check_name(name, "model")
                info = read_model_info(folder)
                models.append((rank(folder, runs_folder, str(info.created)), info))
            except TilewrightError as error:
                unreadable[shown_name(name)] = error.info.message
    models.sort(key=lambda ranked: ranked[0], reverse=True)
    return [info for _, info in models], unreadable


def rank(folder: Path, runs_folder: Path, created: str) -> str:
    """What models are listed by, the highest first: of those of the program nobody asks when they were trained."""
    return created if folder.parent == runs_folder else ""


def open_model(runs_folder: Path, name: str) -> Path:
    """The folder of a model.

    Raises:
        RequestError: `unknown_model`, naming those there are and that are offered.
    """
    folder = _model_folder(runs_folder, check_name(name, "model"))
    if folder:
        return folder
    if is_estimator(runs_folder / name):
        raise makes_no_pictures(name)
    # Her own first: of many not all are named.
    known = dict.fromkeys((*list_runs(runs_folder), *list_runs(BUNDLED)))
    raise unknown_model(name, (n for n in known if _is_offered(_model_folder(runs_folder, n))))


def _is_offered(folder: Path | None) -> bool:
    """Whether there is a model, and not for what was made with it alone."""
    try:
        return folder is not None and not read_model_info(folder).retired
    except TilewrightError:
        return True  # it is there, and what is wrong is told to whoever asks for it


def _model_folder(runs_folder: Path, name: str) -> Path | None:
    """Where the model of that name is, or None; one that was trained here comes before one of the program's."""
    folders = (runs_folder / name, BUNDLED / name)
    return next((folder for folder in folders if has_model(folder)), None)


_NAME_HOME = (
    "Name one that you may write to: --home FOLDER, or the environment variable TILEWRIGHT_HOME."
)


def _chosen_home() -> Path:
    named = os.environ.get("TILEWRIGHT_HOME")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_data_dir

    return Path(user_data_dir("tilewright", appauthor=False))


def home_folder() -> Path:
    """Where runs and keys live, made for this user alone.

    It is `$TILEWRIGHT_HOME`, or the system's folder for a user's data.

    Raises:
        StorageError: `disk_full` or `file_unwritable`, also for a user who has no folder at all.
    """
    try:
        home = _chosen_home()
    except RuntimeError as error:  # no HOME, and the user stands in no list, as in many containers
        message = (
            "Runs and keys must have a folder; this user has no home folder, and none was named."
        )
        raise StorageError("file_unwritable", message, _NAME_HOME) from error
    return make_private(home, _NAME_HOME)
