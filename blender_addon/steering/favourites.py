"""Favourites of a scene: kept with a picture in the .blend, mixed by a slider, brought to and from files."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from gan_worker.config import GenerationConfig
from gan_worker.dataclass_json import to_json
from gan_worker.errors import RequestError, TilewrightError
from gan_worker.files import read_stored
from gan_worker.styles.favourites import Favourite, mixed, read_favourites, write_favourites

from .. import state
from ..ui import thumbnails, windows
from ..worker import pump, session
from . import live, sliders

if TYPE_CHECKING:
    from gan_worker.client.events import MaterialReady

    from .properties import SteeringChoices, TILEWRIGHT_PG_favourite

SIDE = 96

PREFIX, _PURPOSE = "favourite ", "favourite"


@dataclass
class FavouritePictures(state.FilePart):
    """Pictures of the favourites of the open file.

    Attributes:
        drawn: uids of favourites whose picture is put up.
        asked: uid → job of its picture, newest last.
        unreadable: uids of favourites that were told to be damaged.
    """

    drawn: set[str] = field(default_factory=set)
    asked: dict[str, str] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)

    def opened(self) -> None:
        thumbnails.clear()

    def undone(self) -> None:
        """Ask once more for pictures that came after the step that is now the present."""
        self.drawn.clear()
        self.asked.clear()


def _here() -> FavouritePictures:
    return state.of_file.get(FavouritePictures)


def add(
    scene: bpy.types.Scene, material: bpy.types.Material, name: str = ""
) -> TILEWRIGHT_PG_favourite:
    """Keep the material's present latents; the picture comes when the worker has made it."""
    config = sliders.wanted(material)
    name = name or f"{config.model} {len(scene.tilewright.favourites) + 1}"
    return _append(scene, name, config, "")


def find(scene: bpy.types.Scene, uid: str) -> TILEWRIGHT_PG_favourite | None:
    """The favourite with this uid."""
    return next((f for f in scene.tilewright.favourites if f.uid == uid), None)


def of_model(scene: bpy.types.Scene, model: str) -> list[TILEWRIGHT_PG_favourite]:
    """The favourites of a model; another one's looks mean nothing to it, and what cannot be read to nobody."""
    found = ((f, _readable(f)) for f in scene.tilewright.favourites)
    return [favourite for favourite, config in found if config and config.model == model]


def remove(scene: bpy.types.Scene, uid: str) -> None:
    """Keep it no longer; materials that were made from it stay as they are."""
    for index, favourite in enumerate(scene.tilewright.favourites):
        if favourite.uid == uid:
            scene.tilewright.favourites.remove(index)
            return


def config_of(favourite: TILEWRIGHT_PG_favourite) -> GenerationConfig:
    """What is kept."""
    return _read(favourite.config, favourite.name)


@lru_cache(1024)  # panels and ticks ask for all of them, many times a second
def _read(text: str, name: str) -> GenerationConfig:
    where, cure = f"The favorite {name!r}", "Remove it, and keep it again."
    return read_stored(GenerationConfig, text, where, cure)


def _readable(favourite: TILEWRIGHT_PG_favourite) -> GenerationConfig | None:
    """What is kept; of one that is damaged nothing, which is told once."""
    try:
        return config_of(favourite)
    except TilewrightError as error:
        if favourite.uid not in _here().unreadable:
            _here().unreadable.add(favourite.uid)
            session.current.fail(error)
        return None


def as_text(config: GenerationConfig) -> str:
    """How a favourite keeps it."""
    return json.dumps(to_json(config))


def picture_name(favourite: TILEWRIGHT_PG_favourite) -> str:
    """Under which name its picture is among the thumbnails."""
    return PREFIX + favourite.uid


def apply(material: bpy.types.Material, favourite: TILEWRIGHT_PG_favourite) -> None:
    """Give the material these latents, at its own size and with its own maps.

    Raises:
        RequestError: as `sliders.exchange`.
    """
    live.take(material, fitting(material, config_of(favourite)))


def fitting(material: bpy.types.Material, config: GenerationConfig) -> GenerationConfig:
    """A look for this material: what was kept before maps were estimated leaves these as they are."""
    own = sliders.wanted(material).estimation
    return config if config.estimation else replace(config, estimation=own)


def mixed_by(chosen: SteeringChoices) -> GenerationConfig:
    """What the slider between favourites A and B asks for.

    Args:
        chosen: what was chosen in the panels of a scene.

    Raises:
        RequestError: `invalid_config` where one is missing, or the two cannot be mixed.
    """
    kept = {favourite.uid: favourite for favourite in chosen.favourites}
    a, b = kept.get(chosen.mix_a), kept.get(chosen.mix_b)
    if a is None or b is None:
        raise RequestError(
            "invalid_config",
            "Two favorites must be chosen to be mixed; one is missing.",
            "Press A beside one favorite and B beside another.",
        )
    return mixed(config_of(a), config_of(b), round(chosen.mix, 4))


# ---- pictures


def _tick() -> None:
    windows.in_each(lambda: _look(bpy.context.scene))


def _look(scene: bpy.types.Scene) -> None:
    """Put up one picture that is kept, and ask for one that is missing."""
    missing = []
    for favourite in scene.tilewright.favourites:
        if favourite.uid not in _here().drawn:
            pixels = thumbnails.from_text(favourite.thumbnail)
            if pixels is not None:
                _here().drawn.add(favourite.uid)
                thumbnails.show(picture_name(favourite), pixels)
                break
            if favourite.uid not in _here().asked:
                missing.append(favourite)
    if missing and session.current.connected and not _is_busy():
        _ask_for_first(missing)


def _is_busy() -> bool:
    return live.is_moving() or any(map(live.is_under_way, _here().asked.values()))


def _ask_for_first(missing: list[TILEWRIGHT_PG_favourite]) -> None:
    """Ask for the picture of the first that the worker can make."""
    for favourite in missing:
        config = _readable(favourite)
        if config and session.current.model(config.model):
            asked = sliders.picture_config(config, SIDE)
            job = session.current.generate(asked, picture_name(favourite), _PURPOSE)
            _here().asked[favourite.uid] = job.id
            return


def _show(event: MaterialReady, job: session.Job) -> Iterator[None]:
    """Keep a picture that has come; the next tick puts it up."""
    pixels = thumbnails.as_picture(next(iter(event.maps.values())), SIDE)
    for scene in bpy.data.scenes:
        favourite = find(scene, job.target.removeprefix(PREFIX))
        if favourite:
            favourite.thumbnail = thumbnails.to_text(pixels)
    yield


# ---- files


def export(scene: bpy.types.Scene, path: Path) -> int:
    """Write the scene's favourites to a JSON file.

    Returns:
        How many there are.

    Raises:
        StorageError: `file_unwritable`.
    """
    kept = [Favourite(f.name, config_of(f), f.thumbnail) for f in scene.tilewright.favourites]
    write_favourites(path, kept)
    return len(kept)


def load(scene: bpy.types.Scene, path: Path) -> int:
    """Add the favourites of a JSON file; those that are there already are left out.

    Returns:
        How many were added.

    Raises:
        RequestError: `invalid_config` for a file that is none of ours; nothing was added.
    """
    known = {(f.name, f.config) for f in scene.tilewright.favourites}
    fresh = [
        kept for kept in read_favourites(path) if (kept.name, as_text(kept.config)) not in known
    ]
    for kept in fresh:
        whole = thumbnails.from_text(kept.thumbnail) is not None
        _append(scene, kept.name, kept.config, kept.thumbnail if whole else "")
    return len(fresh)


def _append(
    scene: bpy.types.Scene, name: str, config: GenerationConfig, thumbnail: str
) -> TILEWRIGHT_PG_favourite:
    favourite = scene.tilewright.favourites.add()
    favourite.name, favourite.uid = name, uuid.uuid4().hex
    favourite.config = as_text(config)
    favourite.thumbnail = thumbnail
    return favourite


register, unregister = pump.joining(
    pump.Subject(tick=_tick, results={_PURPOSE: pump.Results(_show, small=True)})
)
