"""Run entries: what a run's folder says of itself, held to what a message can carry, and what of it cannot be read."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_worker.errors import TilewrightError, UnexpectedError
from gan_worker.files import parse_json, read_json, read_last_lines, shown_name
from gan_worker.names import check_name
from gan_worker.style import slider_directions
from gan_worker.wire.codec import HEAD_LIMIT, Message, bad_message, decode, encode
from gan_worker.wire.messages import EstimatorEntry, ModelEntry, ModelList, RunEntry, RunList

if TYPE_CHECKING:  # it needs NumPy, which a server that only greets does without
    from gan_worker.runs.run import ModelInfo

logger = logging.getLogger(__name__)

# Bytes of one entry in a message, letters of the names of materials in it, letters of a reason and of a word.
ENTRY_LIMIT, STYLES_LIMIT, REASON, WORD = HEAD_LIMIT // 8, 3000, 300, 60
FIGURES = 64
# Files that are measured before others get their turn.
MEASURED_AT_ONCE = 200


@dataclass(frozen=True)
class Listed:
    """What is told of one folder.

    Attributes:
        run: it, as a run.
        model: it, as a model; None where it has none that can be read.
        has_model: whether it has one, which need not be readable.
        problem: why its model cannot be listed, or not all of it; empty where it can.
        estimator: it, as an estimator; None where it is none that can be read.
    """

    run: RunEntry
    model: ModelEntry | None = None
    has_model: bool = False
    problem: str = ""
    estimator: EstimatorEntry | None = None


def read_entry(folder: Path) -> Generator[None, None, Listed]:
    """Read a run's folder; whatever is in it, there is an entry.

    Yields:
        Nothing, now and then, so that others get their turn.
    """
    size = 0
    try:
        size = yield from _measured(folder)
        return _read(folder, size)
    except TilewrightError as error:
        return _unlisted(folder, size, error)
    except Exception as error:
        # One odd folder must not hide the others.
        logger.exception("the folder %r cannot be listed", folder.name)
        return _unlisted(folder, size, UnexpectedError(error))


def _unlisted(folder: Path, size: int, error: TilewrightError) -> Listed:
    reason = shown_name(error.info.message)[:REASON]
    bare = RunEntry(shown_name(folder.name)[:WORD], "", "", 0.0, 0.0, size, False, False)
    there = os.path.lexists(folder / "model.json")
    return Listed(replace(bare, problem=reason), None, there, reason)


def _read(folder: Path, size: int) -> Listed:
    reading = _Reading(folder)
    name, info, estimator = reading.name(), reading.model_info(), reading.estimator()
    run = _held(RunList, reading.run_entry(name, size, info))
    if info is None or reading.misnamed:
        bare = replace(run, has_model=False)
        return Listed(bare, None, reading.has_model, run.problem, estimator)
    styles = _styles_told(info.styles)
    count = len(info.styles)
    cut = f"Of its {count} materials {len(styles)} are listed." if len(styles) < count else ""
    return Listed(run, _held(ModelList, _model_entry(info, styles)), True, cut)


def _held(kind: type[Any], entry: Any) -> Any:
    """An entry as a client will get it.

    Raises:
        BadMessage: no message can carry it, or it would take the place of all others.
    """
    frames = encode(Message(kind((entry,))))
    if len(frames[1]) > ENTRY_LIMIT:
        raise bad_message(f"its entry takes {len(frames[1])} bytes, more than {ENTRY_LIMIT}")
    decode(frames)
    return entry


class _Reading:
    """One folder while it is read.

    Args:
        folder: of the run.

    Attributes:
        misnamed: whether nobody can open it by its name.
        has_model: whether it has a `model.json`, which need not be readable.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._problems: list[str] = []
        self.misnamed = False
        self.has_model = os.path.lexists(folder / "model.json")

    def name(self) -> str:
        try:
            return check_name(self._folder.name, "run")
        except TilewrightError as error:
            self.misnamed = True
            self._problems.append(error.info.message)
            return shown_name(self._folder.name)[:WORD]

    def model_info(self) -> ModelInfo | None:
        from gan_worker.runs.run import read_model_info

        if not self.has_model:
            return None
        try:
            return read_model_info(self._folder)
        except TilewrightError as error:
            self._problems.append(error.info.message)
            return None

    def estimator(self) -> EstimatorEntry | None:
        from gan_worker.runs.run import is_estimator, read_estimator

        if self.misnamed or not is_estimator(self._folder):
            return None
        try:
            return EstimatorEntry(self._folder.name, read_estimator(self._folder).letters)
        except TilewrightError as error:
            self._problems.append(error.info.message)
            return None

    def run_entry(self, name: str, size: int, info: ModelInfo | None) -> RunEntry:
        config = self._json("config.json")
        ticks = self._newest_ticks()
        last = next(ticks, {})
        copied = {"copied": info.copied} if info and info.copied is not None else {}
        return RunEntry(
            name,
            info.created if info else self._changed(),
            info.preset if info else self._word(config, "preset"),
            info.kimg if info else self._number(last, "kimg"),
            self._number(last, "seconds") / 60,
            size,
            info is not None,
            False,
            self._critic_auc(info),
            _figures(chain([last], ticks)) | copied,
            shown_name(" ".join(self._problems))[:REASON],
        )

    def _json(self, file: str) -> dict[str, Any]:
        """An object in a file; empty where there is none that can be read."""
        try:
            found = read_json(self._folder / file)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            self._problems.append(f"{file} cannot be read ({error}).")
            return {}
        return found if isinstance(found, dict) else {}

    def _newest_ticks(self) -> Iterator[dict[str, Any]]:
        """The last whole lines of a run's progress, the newest first; a line is read when it is asked for."""
        file = self._folder / "progress.jsonl"
        try:
            lines = read_last_lines(file)
        except FileNotFoundError:
            return
        except OSError as error:
            self._problems.append(f"progress.jsonl cannot be read ({error}).")
            return
        for line in reversed(lines):
            try:
                tick = parse_json(line)
            except ValueError:
                continue  # torn by a crash, or by where the reading began
            if isinstance(tick, dict):
                yield tick

    def _number(self, found: dict[str, Any], field: str) -> float:
        number = _finite(found.get(field, 0.0))
        if number is None:
            self._problems.append(f"progress.jsonl: {field} must be a finite number.")
        return number or 0.0

    def _word(self, found: dict[str, Any], field: str) -> str:
        word = found.get(field, "")
        good = isinstance(word, str) and len(word) <= WORD and shown_name(word) == word
        if not good:
            self._problems.append(f"config.json: {field} must be a word.")
        return word if good else ""

    def _critic_auc(self, info: ModelInfo | None) -> float | None:
        """What `gan-worker evaluate` found of these weights; None where it was never asked."""
        found = self._json("evaluation.json")
        if info is None or found.get("model_hash") != info.hash:
            return None
        try:
            return _finite(found["rows"]["model"]["critic_auc"])
        except (KeyError, TypeError):
            return None

    def _changed(self) -> str:
        try:
            changed = self._folder.stat().st_mtime
            return datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds")
        except (OSError, OverflowError, ValueError):  # a time that no calendar has
            return ""


def _model_entry(info: ModelInfo, styles: tuple[str, ...]) -> ModelEntry:
    return ModelEntry(
        **{
            name: getattr(info, name)
            for name in (
                *("name", "hash", "stride", "z_dim", "maps", "preset", "created"),
                *(
                    "step",
                    "kimg",
                    "copied",
                    "octaves",
                    "scale",
                    "tile",
                    "tileable",
                    "retired",
                    "pixel_size",
                ),
            )
        },
        styles=styles,
        directions=slider_directions(info.w_dim),
    )


def _styles_told(styles: tuple[str, ...]) -> tuple[str, ...]:
    """As many names of materials as leave room for the entries of other models."""
    size, told = 0, 0
    for style in styles:
        size += len(json.dumps(style))
        told += size <= STYLES_LIMIT
    return styles[:told]


def _finite(value: object) -> float | None:
    """A number that a message can carry, or None."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _figures(ticks: Iterable[dict[str, Any]]) -> dict[str, float]:
    """The figures of the newest tick that has some."""
    for tick in ticks:
        figures = tick.get("figures")
        if isinstance(figures, dict) and figures:
            numbers = {name: _finite(value) for name, value in list(figures.items())[:FIGURES]}
            return {n: v for n, v in numbers.items() if v is not None and len(n) <= WORD}
    return {}


def _measured(folder: Path | str) -> Generator[None, None, int]:
    """Bytes of all files below a folder; a training that writes them may go on meanwhile."""
    size = 0
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number % MEASURED_AT_ONCE == MEASURED_AT_ONCE - 1:
                    yield
                if entry.is_dir(follow_symlinks=False):
                    size += yield from _measured(entry.path)
                else:
                    size += entry.stat(follow_symlinks=False).st_size
    except OSError:
        logger.debug("%r went away while it was measured", folder)
    return size
