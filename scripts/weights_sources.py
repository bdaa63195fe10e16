"""Whose material sets weights have learned from, written beside them as a run's provenance is.

Tables beside the sets say it: `SOURCES.csv` in their folder, `MANIFEST.csv` or the tables of `SOURCES.md` above it,
with columns such as `set`, `licence`, `publisher`, `repo` and `commit`. `gan-worker provenance NAME` shows it, with the
name of the weights that come with the program.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from gan_worker.config import NetworkConfig
from gan_worker.files import read_json, replace_file
from gan_worker.materials.pictures import read_header
from gan_worker.materials.sets import find_materials
from gan_worker.runs.provenance import Provenance, TrainingPicture, TrainingSession
from gan_worker.runs.versions import program_versions

# Columns by which each field is given, the first that says something.
COLUMNS = {
    "name": ("set", "name"),
    "license": ("licence", "license"),
    "author": ("publisher", "author"),
    "source": ("source", "repo", "origin repo @ commit"),
}
# Other names of a license than its SPDX identifier.
SPDX = {"CC0 1.0": "CC0-1.0", "CC0": "CC0-1.0"}
# Beside the state of a training: what it learns from.
SOURCES = "sources.json"
# What the tables of others say of theirs, of the materials that the project draws.
DRAWN = {
    "license": "CC0-1.0",
    "author": "Tilewright contributors",
    "source": "scripts/starter_materials.py",
}


def with_channels(
    network: NetworkConfig, channels: Mapping[str, Sequence[int] | None]
) -> NetworkConfig:
    """A network of other sizes, as the settings beside weights tell them.

    Args:
        network: of the preset.
        channels: `generator` and `discriminator` → features a level; of what is missing those of the preset.
    """
    return replace(
        network,
        generator_channels=tuple(channels.get("generator") or network.generator_channels),
        discriminator_channels=tuple(
            channels.get("discriminator") or network.discriminator_channels
        ),
    )


def describe_sets(folders: Sequence[Path], learned: Collection[str]) -> list[TrainingPicture]:
    """What is known of each set: its license and source, and a hash of all its files.

    Args:
        folders: of material sets, each in a folder of its own, as the weights are made of.
        learned: names of the folders of sets that were learned from; others were held back.

    Raises:
        ValueError: no set of that name is in the folders, or one has no license.
    """
    found = []
    for folder in folders:
        rows = {_field(row, "name"): row for row in _rows(folder)}
        for place in sorted(p for p in folder.iterdir() if p.is_dir()):
            if place.name in learned:
                found.append(_described(place, rows.get(place.name, {})))
    missing = set(learned) - {picture.file for picture in found}
    unlicensed = [picture.file for picture in found if not picture.license]
    if missing or unlicensed:
        raise ValueError(
            f"Each set that was learned from must be in the folders, and a table must name its license; not there: "
            f"{sorted(missing)}, without a license: {unlicensed}."
        )
    return found


def describe_drawn(places: Sequence[Path]) -> list[TrainingPicture]:
    """What is known of materials that the project has drawn, each in a folder of its own, as `describe_sets`."""
    return [_described(place, DRAWN) for place in places]


def write_sources(
    weights: Path, sets: Sequence[TrainingPicture], settings: Mapping[str, object]
) -> Path:
    """Write beside weights whose sets they have learned from.

    Args:
        weights: the file, which is there.
        sets: of `describe_sets` and `describe_drawn`.
        settings: what else a reader should know of it, such as steps, and which categories were held back.

    Returns:
        The file, `<weights>.json`.
    """
    told = {"weights": hashlib.sha256(weights.read_bytes()).hexdigest(), **settings}
    found = Provenance().extended(sets, TrainingSession(0, told, program_versions()))
    file = weights.with_suffix(".json")
    replace_file(file, json.dumps(asdict(found), separators=(",", ":")).encode())
    return file


def keep_sources(
    state: Path, begun: bool, sets: Sequence[TrainingPicture], settings: Mapping[str, object]
) -> None:
    """Keep with a training what it learns from, so that it goes on with the same: the weights know all there ever was.

    Args:
        state: folder of what it has learned so far.
        begun: whether there is any.
        sets: of `describe_sets` and `describe_drawn`.
        settings: what else must stay the same, as JSON has it.

    Raises:
        ValueError: it has begun with others.
    """
    file = state / SOURCES
    told = {**settings, "sets": [[picture.file, picture.sha256] for picture in sets]}
    before = read_json(file) if file.exists() else {}
    if begun and before != told:
        odd = [name for name in told if before.get(name) != told[name]]
        raise ValueError(
            f"A training that was stopped must go on with what it began with; in {state} {', '.join(odd)} differ. "
            "Give the same sets and options as before, or another --state to begin anew."
        )
    state.mkdir(parents=True, exist_ok=True)
    replace_file(file, json.dumps(told).encode())


def learned_sets(weights: Path) -> set[str]:
    """Names of the sets that `write_sources` wrote beside weights."""
    return {picture["file"] for picture in read_json(weights.with_suffix(".json"))["pictures"]}


def small_steps(weights: Path, sets: Collection[str]) -> dict[str, int]:
    """Steps that networks of small pictures were trained for, of weights of the same sets.

    Args:
        weights: with a file of `write_sources` beside them.
        sets: names of those that more is to be learned from.

    Returns:
        `steps` and `rounds`.

    Raises:
        ValueError: they learned from other sets, whom nobody would name any more.
    """
    if odd := learned_sets(weights) ^ set(sets):
        raise ValueError(
            f"{weights.name} must have learned from the same sets as the detail stage is to; only one of both has "
            f"{', '.join(sorted(odd))}. Give the same folders and --held-back as for those weights."
        )
    (session, *_) = read_json(weights.with_suffix(".json"))["sessions"]
    return {name: session["settings"][name] for name in ("steps", "rounds")}


def _described(place: Path, row: Mapping[str, str]) -> TrainingPicture:
    files = sorted(p for p in place.iterdir() if p.is_file())
    whole = hashlib.sha256()
    for file in files:
        whole.update(file.read_bytes())
    (one, *_), _, _ = find_materials([place])
    width, height, _ = read_header(one.files["base_color"])
    license, commit = _field(row, "license"), row.get("commit", "")
    source = _field(row, "source") + (f" @ {commit}" if commit else "")
    return TrainingPicture(
        *(place.name, whole.hexdigest(), width, height, sum(f.stat().st_size for f in files)),
        author=_field(row, "author"),
        license=SPDX.get(license, license),
        source=source,
    )


def _field(row: Mapping[str, str], name: str) -> str:
    return next((row[column].strip() for column in COLUMNS[name] if row.get(column)), "")


def _rows(folder: Path) -> Iterator[dict[str, str]]:
    """All rows that tell of sets in a folder; of several for one set the last counts."""
    for file in (folder.parent / "MANIFEST.csv", folder / "SOURCES.csv"):
        if file.exists():
            with file.open(encoding="utf-8", newline="") as opened:
                rows = [row for row in csv.DictReader(opened) if row]
            yield from (row for row in rows if row.get("group", folder.name) == folder.name)
    file = folder.parent / "SOURCES.md"
    if file.exists():
        yield from _rows_of_text(file.read_text(encoding="utf-8"), folder.name)


def _rows_of_text(text: str, group: str) -> Iterator[dict[str, str]]:
    """Rows of the tables below headings that end in the name of a group."""
    within = False
    header: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            within, header = line.rstrip().endswith(group), []
        elif within and line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("| ").split("|")]
            if not header:
                header = cells
            elif set("".join(cells)) - set("-: "):
                yield dict(zip(header, cells, strict=False))
