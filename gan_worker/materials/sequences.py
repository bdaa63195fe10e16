"""Image sequences on the disk: a numbered file for each frame and map, all of them there or none."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from gan_worker.files import patiently, remove_old_drafts, storage_errors
from gan_worker.materials.maps import FILE_KIND_KEY, MAPS
from gan_worker.materials.metadata import material_metadata
from gan_worker.materials.png import text_chunks, write_png_pieces

if TYPE_CHECKING:
    from gan_worker.config import Recipe


class SequenceWriter:
    """Writes the frames of a material into a folder that gets its name when the last one is there.

    Args:
        folder: where the sequences will be; its parent is made where it is missing.
        stem: what the files' names begin with.

    Raises:
        StorageError: `file_unwritable` or `disk_full`.
    """

    def __init__(self, folder: Path, stem: str) -> None:
        self.folder = folder
        self._stem = stem
        self._draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
        self._first: dict[str, str] = {}
        with storage_errors(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            remove_old_drafts(folder.parent, f".{folder.name}.*.tmp")
            self._draft.mkdir()

    def write(
        self, number: int, maps: Mapping[str, NDArray[Any]], recipe: Recipe
    ) -> Iterator[None]:
        """Write one frame.

        Args:
            number: 1 and up.
            maps: map name → uint8 or uint16, (height, width, channels), top row first.
            recipe: how to make them again, for the files' metadata.

        Yields:
            Nothing, after each piece of work.

        Raises:
            StorageError: `file_unwritable` or `disk_full`.
        """
        metadata = material_metadata(recipe)
        for name, pixels in maps.items():
            texts = text_chunks({**metadata, FILE_KIND_KEY: name})
            file = self._draft / f"{self._stem}_{MAPS[name].file_word}_{number:04}.png"
            self._first.setdefault(name, file.name)
            with storage_errors(file), file.open("wb") as opened:
                yield from write_png_pieces(opened, pixels, texts)
            yield

    def publish(self) -> dict[str, Path]:
        """Give the folder its name, with a number behind it where it is taken.

        Returns:
            Map name → file of the first frame that was written.

        Raises:
            StorageError: `file_unwritable`.
        """
        place, number = self.folder, 2
        while place.exists():
            place, number = self.folder.with_name(f"{self.folder.name}-{number}"), number + 1
        with storage_errors(place):
            patiently(self._draft.rename, place)
        self.folder = place
        return {name: place / file for name, file in self._first.items()}

    def discard(self) -> None:
        """Remove what was not published."""
        shutil.rmtree(self._draft, ignore_errors=True)
