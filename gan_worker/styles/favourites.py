"""Favourites, looks that are kept by name: mixed with each other, and read from and written to JSON files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_worker.config import GenerationConfig
from gan_worker.dataclass_json import from_json, to_json
from gan_worker.errors import RequestError, StorageError, require
from gan_worker.files import patiently
from gan_worker.limits import SEEDS
from gan_worker.styles.mixing import blended

FORMAT = 1
# A thousand favourites with their pictures are smaller than this.
LARGEST_FILE = 64 * 2**20
LONGEST_NAME = 64

_FORMAT_KEY = "tilewright_favourites"


@dataclass(frozen=True)
class Favourite:
    """A look that is kept.

    Attributes:
        name: 64 letters at most; several may share one.
        config: how it is made.
        thumbnail: its picture as text; empty where there is none.
    """

    name: str
    config: GenerationConfig
    thumbnail: str = ""


def mixed(a: GenerationConfig, b: GenerationConfig, share: float) -> GenerationConfig:
    """A look between two others; where things lie stays as in the first.

    Styles are mixed in w, as their weighted mean.

    Args:
        a: the look at 0.
        b: the look at 1, of the same model.
        share: of b, 0..1.

    Raises:
        RequestError: `invalid_config` where the two cannot be mixed.
    """
    return blended(a, ((a, 1.0 - share), (b, share)))


def write_favourites(path: Path, favourites: Sequence[Favourite]) -> None:
    """Write a file that `read_favourites` reads; what was there before stays until the new one is whole.

    Raises:
        StorageError: `file_unwritable`.
    """
    kept = [
        {"name": f.name, "config": to_json(f.config), "thumbnail": f.thumbnail} for f in favourites
    ]
    draft = path.with_name(path.name + ".tmp")
    try:
        draft.write_text(json.dumps({_FORMAT_KEY: FORMAT, "favourites": kept}, indent=1), "utf-8")
        patiently(draft.replace, path)
    except OSError as error:
        raise StorageError(
            "file_unwritable",
            f"The file {path} must be writable; {error.strerror or error}.",
            "Choose another folder.",
        ) from error


def read_favourites(path: Path) -> tuple[Favourite, ...]:
    """Read a file of favourites, strictly.

    Raises:
        RequestError: `invalid_config` for a file that is none of ours.
    """
    try:
        return tuple(map(_favourite, _items(path)))
    except (OSError, RequestError, ValueError, RecursionError) as error:
        found = error.info.message.rstrip(".") if isinstance(error, RequestError) else error
        raise RequestError(
            "invalid_config",
            f"The file {path.name} must hold favorites of Tilewright; {found}.",
            "Choose a file that Export Favorites has written.",
        ) from error


def _items(path: Path) -> list[Any]:
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError("it is too large")
    data = json.loads(path.read_text("utf-8"), parse_constant=_refuse)
    if not isinstance(data, dict) or data.get(_FORMAT_KEY) != FORMAT:
        raise ValueError(f"it does not say {_FORMAT_KEY} {FORMAT}")
    items = data.get("favourites")
    if not isinstance(items, list):
        raise ValueError("it has no list of favorites")
    return items


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _favourite(item: object) -> Favourite:
    if not isinstance(item, dict):
        raise ValueError("a favorite must be an object")
    config = from_json(GenerationConfig, item.get("config"))
    config.check()
    require(config.seed in SEEDS, f"The seed of a favorite must be {SEEDS}", config.seed)
    name = str(item.get("name", ""))[:LONGEST_NAME]
    return Favourite(name, config, str(item.get("thumbnail", "")))
