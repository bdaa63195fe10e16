"""Provenance: `provenance.json` with each training picture, whose it is, and how the model was trained."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gan_worker.config import Credits, TrainingConfig
from gan_worker.dataclass_json import from_json
from gan_worker.files import read_json, shown_name, write_json
from gan_worker.materials.pictures import read_header
from gan_worker.progress import Notice, Report, Stage
from gan_worker.runs.checkpoints import damaged, unreadable
from gan_worker.runs.licenses import Attribution, AttributionFinder
from gan_worker.runs.versions import program_versions

FILE = "provenance.json"
# Weights that come with the program, each with a file of its name that says what `provenance.json` says of a run.
PRETRAINED = Path(__file__).parents[1] / "pretrained"
FORMAT = 1
# More pictures than these are told about before they are read again.
MANY = 50
# Authors and licenses that a model's credits name at most.
CREDITED = 10


@dataclass(frozen=True)
class TrainingPicture:
    """One file that a model has learned from.

    Attributes:
        file: its name, without the folder.
        sha256: of the file, hex.
        width: pixels, as stored.
        height: pixels, as stored.
        bytes: size of the file.
        author: who made it; empty where not known, as the following.
        license: SPDX identifier, or what the picture says of its terms.
        source: where it comes from.
    """

    file: str
    sha256: str
    width: int
    height: int
    bytes: int
    author: str = ""
    license: str = ""
    source: str = ""


@dataclass(frozen=True)
class TrainingSession:
    """One start of a training, the first or one that resumed it.

    Attributes:
        step: at which it began.
        settings: what was chosen; `pretrained` is the sha256 of the weights that it started from,
            `estimator_hash` that of the estimator, where maps of photos were estimated, and `learned_from` of the one
            that an estimator has learned on from.
        versions: of `tilewright`, `python`, `tensorflow` and `keras`.
    """

    step: int
    settings: dict[str, Any]
    versions: dict[str, str]


@dataclass(frozen=True)
class Provenance:
    """What stands in `provenance.json`.

    Attributes:
        pictures: every file the run has ever learned from, sorted by name.
        sessions: in the order in which they were.
        hash: sha256 of the rest of it, as JSON with sorted keys and no spaces, hex.
        format: version of this file.
    """

    pictures: tuple[TrainingPicture, ...] = ()
    sessions: tuple[TrainingSession, ...] = ()
    hash: str = ""
    format: int = FORMAT

    def extended(self, pictures: Iterable[TrainingPicture], session: TrainingSession) -> Provenance:
        """With the pictures and settings of one more session.

        Args:
            pictures: of the session; what they say of files that were there before counts where it says anything.
            session: what was chosen.
        """
        known = {(p.sha256, p.file): p for p in self.pictures}
        for picture in pictures:
            key = picture.sha256, picture.file
            attribution = Attribution(picture.author, picture.license, picture.source)
            if key in known:
                old = known[key]
                attribution = attribution.over(Attribution(old.author, old.license, old.source))
            known[key] = replace(picture, **asdict(attribution))
        in_order = tuple(sorted(known.values(), key=lambda p: (p.file, p.sha256)))
        found = replace(self, pictures=in_order, sessions=(*self.sessions, session))
        return replace(found, hash=_measured_hash(asdict(found)))

    @property
    def credits(self) -> Credits:
        """The sum of it, which a model and all that it makes carry."""
        return Credits(
            self.hash,
            len(self.pictures),
            sum(not p.license for p in self.pictures),
            _commonest(p.author for p in self.pictures),
            _commonest(p.license for p in self.pictures),
        )


def _measured_hash(data: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in data.items() if key != "hash"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _commonest(texts: Iterable[str]) -> tuple[str, ...]:
    """Each once, those of most pictures first, and how many more there are."""
    counted = Counter(text for text in texts if text)
    ordered = sorted(counted, key=lambda text: (-counted[text], text))
    more = (f"{len(ordered) - CREDITED} more",) if len(ordered) > CREDITED else ()
    return (*ordered[:CREDITED], *more)


def describe_picture(file: Path) -> TrainingPicture:
    """What would be recorded of one picture.

    Raises:
        PictureError: `picture_missing` or `picture_unreadable`.
    """
    return _describe(file, AttributionFinder([file.parent]), Attribution())


def describe_training(
    config: TrainingConfig,
    files: Sequence[Path],
    step: int,
    settings: Mapping[str, Any],
    report: Callable[[Report], None],
) -> tuple[list[TrainingPicture], TrainingSession]:
    """Where the pictures of one session come from, and with what it was trained.

    Args:
        config: what was chosen.
        files: that were read.
        step: at which it begins.
        settings: what was found on top of what was chosen.
        report: as for `describe_pictures`.

    Raises:
        PictureError: as `describe_pictures`.
    """
    attribution = Attribution(config.author, config.license, config.source)
    described = describe_pictures(files, config.pictures, attribution, report, config.preset)
    told = ("pictures", "run", "resume", "author", "license", "source")
    chosen = {name: value for name, value in asdict(config).items() if name not in told}
    return described, TrainingSession(step, chosen | dict(settings), program_versions())


def describe_pictures(
    files: Sequence[Path],
    places: Sequence[str | Path],
    given: Attribution,
    report: Callable[[Report], None],
    preset: str = "",
) -> list[TrainingPicture]:
    """Hash the files and find out whose they are.

    Args:
        files: what is learned from.
        places: files and folders that were named.
        given: what the user says of all of them; empty where the files shall tell.
        report: is told when this takes a while, and once where licenses are not known.
        preset: what becomes of them, of which that is told.

    Raises:
        PictureError: `picture_missing` or `picture_unreadable` for a file that has gone meanwhile.
    """
    if len(files) > MANY:
        report(Stage(f"recording where {len(files)} pictures come from"))
    finder = AttributionFinder(places)
    described = [_describe(file, finder, given) for file in files]
    for problem in finder.problems:
        report(Notice(problem))
    unlicensed = sum(not p.license for p in described)
    if unlicensed:
        report(Notice(_no_license(unlicensed, len(described), preset)))
    return described


def _describe(file: Path, finder: AttributionFinder, given: Attribution) -> TrainingPicture:
    width, height, texts = read_header(file)
    with file.open("rb") as opened:
        measured = hashlib.file_digest(opened, "sha256").hexdigest()
    attribution = given.over(finder.find(file, texts))
    size = file.stat().st_size
    return TrainingPicture(
        shown_name(file.name), measured, width, height, size, **asdict(attribution)
    )


def _no_license(unlicensed: int, count: int, preset: str) -> str:
    which, its, it = "The picture names", "its", "it"
    if count > 1:
        names = "names" if unlicensed == 1 else "name"
        which, its, it = f"{unlicensed} of {count} pictures {names}", "their", "them"
    # License is what the field of the panel is called, and the option.
    made = "what this model makes"
    cure = f"Give {its} License when training, or put a REUSE.toml beside {it}."
    if preset == "photo":  # nothing is trained, and Photo to Material has no such field
        made = f"what is made from {it}"
        cure = f"Put a REUSE.toml beside {it}, or give {its} License (--license; in Blender, in Train)."
    return f"{which} no license, so {made} cannot name one. {cure}"


def read_provenance(folder: Path) -> Provenance | None:
    """Read what stands in a run's folder; None where nothing was kept.

    Raises:
        StorageError: `checkpoint_corrupt` where it is not what was written.
    """
    return _read(folder / FILE)


def read_pretrained(name: str) -> Provenance | None:
    """Read whose pictures weights that come with the program have learned from; None where there are none so called.

    Args:
        name: of their file, such as `estimator` or `tiny`.

    Raises:
        StorageError: as `read_provenance`.
    """
    files = {file.stem: file for file in PRETRAINED.glob("*.json")}
    return _read(files[name]) if name in files else None


def _read(file: Path) -> Provenance | None:
    try:
        data = read_json(file)
        found = from_json(Provenance, data)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise unreadable(f"{file.name} of {file.parent.name!r}", error) from error
    if found.hash != _measured_hash(data):
        raise damaged(f"{file.name} of {file.parent.name!r} has another")
    return found


def write_provenance(folder: Path, provenance: Provenance) -> None:
    """Keep it in a run's folder.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """
    write_json(folder / FILE, asdict(provenance))
