"""Store of a scene's maps as files: one set for each work item, whole or not there."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from gan_worker.config import Recipe
from gan_worker.dataclass_json import from_json, to_json
from gan_worker.files import patiently, remove_old_drafts, storage_errors
from gan_worker.materials.maps import MAPS
from gan_worker.materials.metadata import material_metadata
from gan_worker.materials.png import text_chunks, write_png_pieces

if TYPE_CHECKING:
    from gan_worker.client.events import MaterialReady
    from gan_worker.progress import GeneratedMaterial
    from gan_worker.scenes.plan import WorkItem

logger = logging.getLogger(__name__)

LOG = "batch.jsonl"
# Letters of the key in a file's name: enough that no two items of one folder share them.
KEY_LETTERS = 16


@dataclass(frozen=True)
class Made:
    """A work item whose maps are on the disk.

    Attributes:
        key: of the item.
        recipe: what to ask for to get the same again.
        seam_ratios: map → wrap step over interior step.
        files: map → PNG file.
    """

    key: str
    recipe: Recipe
    seam_ratios: dict[str, float]
    files: dict[str, Path]


class SceneStore:
    """A folder of maps, each item's complete when its record `<stem>.json` is there.

    The record is written last and holds the sha256 of every map, so whatever a crash or a power cut left
    behind is found and made again. Several processes may fill one folder: they write the same bytes.

    Args:
        folder: made where it is missing.

    Raises:
        StorageError: `file_unwritable` or `disk_full`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            remove_old_drafts(folder, ".*.tmp")

    def find(self, item: WorkItem) -> Made | None:
        """The item, if all of its maps are there and whole."""
        try:
            record = json.loads(self._record(item).read_bytes())
            if record["key"] != item.key:
                return None
            for entry in record["files"].values():
                data = (self.folder / Path(entry["name"]).name).read_bytes()
                if hashlib.sha256(data).hexdigest() != entry["sha256"]:
                    return None
            files = {n: self.folder / Path(e["name"]).name for n, e in record["files"].items()}
            recipe = from_json(Recipe, record["recipe"])
            return Made(item.key, recipe, dict(record["seam_ratios"]), files)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            logger.warning("%s is made again: %s", self._record(item).name, error)
            return None

    def write(self, item: WorkItem, ready: MaterialReady | GeneratedMaterial) -> Iterator[None]:
        """Write the maps and then the record.

        Yields:
            Nothing, after each piece of work.

        Raises:
            StorageError: `disk_full` or `file_unwritable`; nothing is half-written under its name.
        """
        entries = {}
        texts = text_chunks(material_metadata(ready.recipe))
        for name, pixels in ready.maps.items():
            file = self.folder / _file_name(item, name)
            with _draft_of(file) as draft:
                hashed = _Hashed(draft)
                yield from write_png_pieces(hashed, pixels, texts)
            entries[name] = {"name": file.name, "sha256": hashed.digest.hexdigest()}
        record = {
            "key": item.key,
            "recipe": to_json(ready.recipe),
            "seam_ratios": ready.seam_ratios,
            "files": entries,
        }
        text = json.dumps(record, indent=1, ensure_ascii=False)
        with _draft_of(self._record(item)) as draft:
            draft.write(text.encode("utf-8"))

    def adopt(self, item: WorkItem, files: Mapping[str, bytes]) -> None:
        """Keep an item that a store elsewhere wrote.

        Args:
            item: what it is.
            files: file name → content, record included.

        Raises:
            StorageError: `disk_full` or `file_unwritable`; nothing is half-written under its name.
        """
        record = self._record(item)
        for name in sorted(files, key=lambda name: name == record.name):  # the record last
            with _draft_of(self.folder / Path(name).name) as draft:
                draft.write(files[name])

    def written(self, item: WorkItem, ready: MaterialReady) -> Made:
        """The item as `find` gives it, where `write` has just ended."""
        files = {name: self.folder / _file_name(item, name) for name in ready.maps}
        return Made(item.key, ready.recipe, ready.seam_ratios, files)

    def log(self, **entry: Any) -> None:
        """Append a line about an item to the folder's log.

        Raises:
            StorageError: `disk_full` or `file_unwritable`.
        """
        line = json.dumps(entry, ensure_ascii=False) + "\n"
        with storage_errors(self.folder / LOG), (self.folder / LOG).open("ab") as file:
            file.write(line.encode("utf-8", "backslashreplace"))

    def _record(self, item: WorkItem) -> Path:
        return self.folder / f"{_stem(item)}.json"


class _Hashed:
    """A file that is written, and the hash of what has been."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def writelines(self, lines: list[bytes]) -> None:
        for line in lines:
            self.digest.update(line)
            self._file.write(line)


@contextmanager
def _draft_of(file: Path) -> Iterator[IO[bytes]]:
    """Give a file new content in one step, without waiting for the disk: the record would tell the damage."""
    path = file.with_name(f".{file.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")
    with storage_errors(file):
        try:
            with path.open("wb") as draft:
                yield draft
            patiently(path.replace, file)
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def _stem(item: WorkItem) -> str:
    config = item.config
    return f"{config.model}_{item.key[:KEY_LETTERS]}_{config.size}"


def _file_name(item: WorkItem, map_name: str) -> str:
    return f"{_stem(item)}_{MAPS[map_name].file_word}.png"
