"""Reading of a photo that shall be its own model: its maps at a size that can be kept, prepared, tileable if wanted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gan_worker.errors import PictureError, RequestError
from gan_worker.limits import SIDES
from gan_worker.materials.masks import looks_seamless
from gan_worker.materials.pixels import with_unit_normals
from gan_worker.materials.reduction import read_layout, read_part, read_reduced
from gan_worker.materials.sets import PHOTO, find_materials, read_material
from gan_worker.photos.preparing import prepare_and_inspect, prepared_size, straighten_part
from gan_worker.photos.tiling import SMALLEST, make_tile, shrunk
from gan_worker.progress import DataReport, MaterialEntry, Stage

if TYPE_CHECKING:
    from pathlib import Path

    from gan_worker.config import TrainingConfig
    from gan_worker.materials.sets import MaterialSet
    from gan_worker.preparation import Preparation

# Pixels that are kept of a photo: cameras have as many. What is made of them takes some 60 bytes each for a while.
KEPT = 2**25
# Halvings that live views can ask for, and the pixels that are left along a side at least.
MOST_OCTAVES, LEAST_SIDE = 4, 64

Maps = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Fitted:
    """Maps that can be kept.

    Attributes:
        maps: map name → (height, width, channels), float32 in 0..1.
        closed: whether their borders meet.
        octaves: how often both sides can be halved.
        was_closed: whether they meet because they were made to; nobody has seen that border yet.
    """

    maps: Maps
    closed: bool
    octaves: int
    was_closed: bool = False


@dataclass(frozen=True, eq=False)
class Photo:
    """All that was read.

    Attributes:
        fitted: its maps.
        scale: factor on the size of its files.
        width: before its borders were made to meet, pixels.
        files: that were read.
        report: for a person.
    """

    fitted: Fitted
    scale: float
    width: int
    files: tuple[Path, ...]
    report: DataReport


def read_photo(
    config: TrainingConfig, report: Callable[[Stage], None], should_stop: Callable[[], bool]
) -> Photo:
    """Read, prepare and close it as the config says.

    Args:
        config: of the preset photo.
        report: is told what is done.
        should_stop: is called between two things that take a while, and raises to end it.

    Raises:
        PictureError: the picture cannot be used.
        RequestError: `invalid_config` for several materials, or one without a base color.
    """
    report(Stage("reading the photo"))
    sets, skipped, notes = find_materials(config.pictures, alike=False)
    material = _only(sets)
    shrink, maps, preparation = _read(material, config.prepare)
    notes += [] if shrink == 1 else [f"It is kept at 1/{shrink} of its size: it is very large."]
    should_stop()
    if len(maps) > 1:
        if not config.prepare.is_empty:
            notes.append("What shall be done to photos is not done to it: it has maps of its own.")
    else:
        report(Stage("preparing the photo"))
        maps["base_color"], problems = prepare_and_inspect(maps["base_color"], preparation)
        notes += [f"{problem.message} {problem.cure}" for problem in problems]
        should_stop()
    _check_size(maps["base_color"])
    whole = maps["base_color"].shape[1]
    fitted = _fitted(maps, config.tileable, report, notes)
    height, width = fitted.maps["base_color"].shape[:2]
    entry = MaterialEntry(material.name, width, height, tuple(maps))
    told = DataReport(
        (entry,), tuple(skipped), tuple(maps), 1 / shrink, tuple(notes), learned=False
    )
    return Photo(fitted, 1 / shrink, whole, tuple(sorted(set(material.files.values()))), told)


def _check_size(picture: np.ndarray) -> None:
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST:
        raise PictureError(
            "picture_too_small",
            f"A photo must have {SMALLEST}×{SMALLEST} pixels at least; {width}×{height} are left of this one.",
            "Use a larger picture, or a larger part of it.",
        )


def _only(sets: list[MaterialSet]) -> MaterialSet:
    cure = "Choose one photo, or the folder with the maps of one material."
    if len(sets) > 1:
        names = ", ".join(s.name for s in sets[:3])
        raise RequestError(
            "invalid_config",
            f"The preset photo takes one material; received {len(sets)}, such as {names}.",
            cure,
        )
    if "base_color" not in sets[0].maps:
        raise RequestError(
            "invalid_config",
            f"The preset photo must have a base color; {sets[0].name} has {', '.join(sets[0].maps)}.",
            cure,
        )
    return sets[0]


def _read(material: MaterialSet, preparation: Preparation) -> tuple[int, Maps, Preparation]:
    """How often its sides were divided so that it can be kept, its maps, and what is still to be done to a photo.

    Of a large one corners are cut out of all its pixels, and what is left may be no larger than what can be kept.
    """
    size = read_layout(next(iter(material.files.values()))).size
    shrink = _shrink(size)
    if material.maps == PHOTO and preparation.corners:
        left = _shrink(prepared_size(*size, preparation))
        if max(shrink, left) > 1:
            read = partial(read_part, material)
            color = straighten_part(read, size, preparation.corners, left)
            return left, {"base_color": color}, replace(preparation, corners=())
    if shrink > 1:
        maps = read_reduced(material, material.maps, shrink, 1, with_unit_normals).overview
    else:
        maps = {name: with_unit_normals(name, p) for name, p in read_material(material).items()}
    return shrink, maps, preparation


def _shrink(size: tuple[int, int]) -> int:
    """What the sides of a picture of this size are divided by, so that it can be kept, and drawn as one tile."""
    width, height = size
    shrink = 1
    while (width // shrink) * (height // shrink) > KEPT or max(size) // shrink > SIDES.most:
        shrink *= 2
    return shrink


def _fitted(
    maps: Maps, tileable: bool, report: Callable[[Stage], None], notes: list[str]
) -> Fitted:
    """The photo at a size that can be halved, with borders that meet where it has such or shall get them."""
    height, width = maps["base_color"].shape[:2]
    if _meets(maps):
        notes.append("Its borders meet already, so it is taken as it is.")
        return Fitted(maps, True, _octaves(width, height))
    octaves = _halvings(width, height)
    if not tileable:
        return Fitted(_cropped(maps, 1 << octaves), False, octaves)
    report(Stage("making it tileable"))
    tile = make_tile(maps, 1 << octaves)
    maps = {name: with_unit_normals(name, picture) for name, picture in tile.items()}
    tall, wide = maps["base_color"].shape[:2]
    notes.append(
        f"Its borders were made to meet: {wide}×{tall} pixels of {width}×{height} are left."
    )
    return Fitted(maps, True, octaves, was_closed=True)


def _meets(maps: Maps) -> bool:
    """Whether the borders meet, at half the size: at the full one, blocks of JPEG end at the borders of tiles too."""
    small = {name: shrunk(picture, 2) for name, picture in maps.items()}
    return looks_seamless(small, np.zeros(small["base_color"].shape[:2], bool))


def _halvings(width: int, height: int) -> int:
    """How often a picture can be halved that may be cropped for it."""
    return max(0, min(MOST_OCTAVES, int(math.log2(max(1, min(width, height) / LEAST_SIDE)))))


def _octaves(width: int, height: int) -> int:
    """How often a picture can be halved as it is."""
    octaves = 0
    while octaves < _halvings(width, height) and not any(n >> octaves & 1 for n in (width, height)):
        octaves += 1
    return octaves


def _cropped(maps: Mapping[str, np.ndarray], whole: int) -> Maps:
    """The middle of pictures, at sides that are multiples of a number."""
    height, width = maps["base_color"].shape[:2]
    rows, columns = (
        slice(n % whole // 2, n % whole // 2 + n // whole * whole) for n in (height, width)
    )
    return {name: picture[rows, columns] for name, picture in maps.items()}
