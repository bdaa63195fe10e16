"""Latents that the artist keeps: with a picture in the .blend, mixed with each other, in small files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from gan_worker.config import GenerationConfig, check_name
from gan_worker.errors import RequestError, StorageError
from gan_worker.events import MaterialReady
from gan_worker.strict_json import BadMessage, from_json, to_json
from gan_worker.style_choices import STYLES_LIMIT, Mix, Style, check_style

from . import latents, live, session, thumbnails
from .properties import new_uuid

SIDE = 96
FORMAT = 1
# A thousand favourites with their pictures are smaller than this.
LARGEST_FILE = 64 * 2**20
LONGEST_NAME = 64

PREFIX = "favourite "
_FORMAT_KEY = "tilewright_favourites"
_drawn: set[str] = set()
# Favourite → job of its picture, newest last.
_asked: dict[str, str] = {}


def add(
    scene: bpy.types.Scene, material: bpy.types.Material, name: str = ""
) -> bpy.types.PropertyGroup:
    """Keep the material's present latents; the picture comes when the worker has made it."""
    config = latents.wanted(material)
    name = name or f"{config.model} {len(scene.tilewright.favourites) + 1}"
    return _append(scene, name, config, "")


def find(scene: bpy.types.Scene, uid: str) -> bpy.types.PropertyGroup | None:
    """The favourite with this uid."""
    return next((f for f in scene.tilewright.favourites if f.uid == uid), None)


def remove(scene: bpy.types.Scene, uid: str) -> None:
    """Keep it no longer; materials that were made from it stay as they are."""
    for index, favourite in enumerate(scene.tilewright.favourites):
        if favourite.uid == uid:
            scene.tilewright.favourites.remove(index)
            return


def config_of(favourite: bpy.types.PropertyGroup) -> GenerationConfig:
    """What is kept."""
    return from_json(GenerationConfig, json.loads(favourite.config))


def as_text(config: GenerationConfig) -> str:
    """How a favourite keeps it."""
    return json.dumps(to_json(config))


def picture_name(favourite: bpy.types.PropertyGroup) -> str:
    """Under which name its picture is among the thumbnails."""
    return PREFIX + favourite.uid


def apply(material: bpy.types.Material, favourite: bpy.types.PropertyGroup) -> None:
    """Give the material these latents, at its own size and with its own maps."""
    live.take(material, config_of(favourite))


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
    if a.model != b.model:
        raise RequestError(
            "invalid_config",
            f"Favourites must be of one model to be mixed; these are of {a.model} and {b.model}.",
            "Choose two of the same model.",
        )
    if a.style_map or b.style_map:
        raise RequestError(
            "invalid_config",
            "Favourites must have one style everywhere to be mixed; one of these is painted.",
            "Choose two that are not painted.",
        )
    weights: dict[Style, float] = {}
    for config, part in ((a, 1.0 - share), (b, share)):
        for style, weight in parts(config):
            weights[style] = weights.get(style, 0.0) + weight * part
    mix = tuple((style, weight) for style, weight in weights.items() if weight > 0)
    if len(mix) > STYLES_LIMIT:
        raise RequestError(
            "invalid_config",
            f"A mix may have {STYLES_LIMIT} styles at most; this would have {len(mix)}.",
            "Mix favourites that are mixtures of fewer.",
        )
    amounts = {name: (1.0 - share) * amount for name, amount in a.directions}
    for name, amount in b.directions:
        amounts[name] = amounts.get(name, 0.0) + share * amount
    return replace(
        a,
        z=(),
        material="",
        mix=mix,
        truncation_psi=(1.0 - share) * a.truncation_psi + share * b.truncation_psi,
        directions=tuple(amounts.items()),
        origin=None,
    )


def parts(config: GenerationConfig) -> Mix:
    """The styles of a config without style map, with weights that add up to 1."""
    if config.mix:
        total = sum(weight for _, weight in config.mix)
        return tuple((style, weight / total) for style, weight in config.mix)
    if config.z:
        return ((Style(z=config.z), 1.0),)
    if config.material:
        return ((Style(material=config.material), 1.0),)
    return ((Style(seed=config.seed), 1.0),)


def mixed_by(chosen: bpy.types.PropertyGroup) -> GenerationConfig:
    """What the slider between favourites A and B asks for.

    Args:
        chosen: what was chosen in the panels of a scene.

    Raises:
        RequestError: `invalid_config` where one is missing, or the two cannot be mixed.
    """
    both = [find(chosen.id_data, uid) for uid in (chosen.mix_a, chosen.mix_b)]
    if None in both:
        raise RequestError(
            "invalid_config",
            "Two favourites must be chosen to be mixed; one is missing.",
            "Press A beside one favourite and B beside another.",
        )
    a, b = map(config_of, both)
    return mixed(a, b, round(chosen.mix, 4))


# ---- pictures


def owns(target: str) -> bool:
    """Whether a thumbnail with this target is that of a favourite."""
    return target.startswith(PREFIX)


def tick() -> None:
    """Put up one picture that is kept, or ask for one that is missing."""
    scene = bpy.context.scene
    for favourite in scene.tilewright.favourites:
        if favourite.uid not in _drawn:
            pixels = thumbnails.from_text(favourite.thumbnail)
            if pixels is not None:
                _drawn.add(favourite.uid)
                thumbnails.show(picture_name(favourite), pixels)
                return
            _ask(favourite)


def _ask(favourite: bpy.types.PropertyGroup) -> None:
    config = config_of(favourite)
    ready = session.current.connected and session.current.model(config.model) is not None
    busy = live.is_moving() or any(map(live.is_under_way, _asked.values()))
    if ready and not busy and favourite.uid not in _asked:
        asked = latents.picture_config(config, SIDE)
        job = session.current.generate(asked, picture_name(favourite), "thumbnail")
        _asked[favourite.uid] = job.id


def show(event: MaterialReady, target: str) -> Iterator[None]:
    """Keep a picture that has come; the next tick puts it up."""
    pixels = thumbnails.as_picture(next(iter(event.maps.values())))
    for scene in bpy.data.scenes:
        favourite = find(scene, target.removeprefix(PREFIX))
        if favourite:
            favourite.thumbnail = thumbnails.to_text(pixels)
    yield


@persistent
def _after_undo(*_args: object) -> None:
    """Ask once more for pictures that came after the step that is now the present."""
    _drawn.clear()
    _asked.clear()


@persistent
def _after_loading(*_args: object) -> None:
    thumbnails.clear()
    _after_undo()


# ---- files


def export(scene: bpy.types.Scene, path: Path) -> int:
    """Write the scene's favourites to a JSON file.

    Returns:
        How many there are.

    Raises:
        StorageError: `file_unwritable`.
    """
    kept = [
        {"name": f.name, "config": json.loads(f.config), "thumbnail": f.thumbnail}
        for f in scene.tilewright.favourites
    ]
    draft = path.with_name(path.name + ".tmp")
    try:
        draft.write_text(json.dumps({_FORMAT_KEY: FORMAT, "favourites": kept}, indent=1), "utf-8")
        draft.replace(path)
    except OSError as error:
        raise StorageError(
            "file_unwritable",
            f"The file {path} must be writable; {error.strerror or error}.",
            "Choose another folder.",
        ) from error
    return len(kept)


def load(scene: bpy.types.Scene, path: Path) -> int:
    """Add the favourites of a JSON file; those that are there already are left out.

    Returns:
        How many were added.

    Raises:
        RequestError: `invalid_config` for a file that is none of ours; nothing was added.
    """
    entries = [_entry(item, path) for item in _items(path)]
    known = {(f.name, f.config) for f in scene.tilewright.favourites}
    fresh = [e for e in entries if (e[0], as_text(e[1])) not in known]
    for name, config, thumbnail in fresh:
        _append(scene, name, config, thumbnail)
    return len(fresh)


def _items(path: Path) -> list:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError("it is too large")
        data = json.loads(path.read_text("utf-8"), parse_constant=_refuse)
        if not isinstance(data, dict) or data.get(_FORMAT_KEY) != FORMAT:
            raise ValueError(f"it does not say {_FORMAT_KEY} {FORMAT}")
        items = data.get("favourites")
        if not isinstance(items, list):
            raise ValueError("it has no list of favourites")
    except (OSError, ValueError, RecursionError) as error:
        raise _bad_file(path, error) from error
    return items


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _entry(item: object, path: Path) -> tuple[str, GenerationConfig, str]:
    try:
        if not isinstance(item, dict):
            raise ValueError("a favourite must be an object")
        config = from_json(GenerationConfig, item.get("config"))
        check_name(config.model, "model")
        check_style(config.z, config.material, config.mix, config.style_map, config.directions)
        if not (0 <= config.seed <= latents.LARGEST_SEED and math.isfinite(config.truncation_psi)):
            raise ValueError("its seed or variety is out of range")
        thumbnail = str(item.get("thumbnail", ""))
        picture = thumbnail if thumbnails.from_text(thumbnail) is not None else ""
        return str(item.get("name", ""))[:LONGEST_NAME], config, picture
    except (BadMessage, RequestError, ValueError) as error:
        raise _bad_file(path, error) from error


def _bad_file(path: Path, error: Exception) -> RequestError:
    return RequestError(
        "invalid_config",
        f"The file {path.name} must hold favourites of Tilewright; {error}.",
        "Choose a file that Export Favourites has written.",
    )


def _append(
    scene: bpy.types.Scene, name: str, config: GenerationConfig, thumbnail: str
) -> bpy.types.PropertyGroup:
    favourite = scene.tilewright.favourites.add()
    favourite.name, favourite.uid = name, new_uuid()
    favourite.config = as_text(config)
    favourite.thumbnail = thumbnail
    return favourite


_HANDLERS = (("undo_post", _after_undo), ("redo_post", _after_undo), ("load_post", _after_loading))


def register() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    _after_undo()
