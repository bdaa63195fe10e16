"""Preparation of images: what their properties say is to be done to them, for the worker and for all who ask."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import bpy

from gan_worker.errors import PictureError, RequestError
from gan_worker.limits import MOST_PIXELS
from gan_worker.preparation import AS_IT_IS, Corner, Preparation

from . import orientation
from .properties import RECTANGLE

# A worker elsewhere calls its pictures `alias:name`; a letter alone is a drive.
_ELSEWHERE = re.compile(r"[^/\\:]{2,}:")


def photo_of(image: bpy.types.Image | None) -> bpy.types.Image | None:
    """The photo that an image shows: itself, or where it shows the outcome of a preparation, what that was made of."""
    return (image.tilewright.prepared_of or image) if image else None


def check(image: bpy.types.Image | None) -> bpy.types.Image:
    """Check that an image can be prepared.

    Returns:
        The photo: the image, or what it was made of.

    Raises:
        RequestError: `invalid_config` without an image, `not_allowed` for one of another file.
        PictureError: `picture_unreadable` where it is no single picture or too large, `picture_missing` without pixels.
    """
    photo = photo_of(image)
    if photo is None:
        message = "An image must be open in this editor; none is."
        raise RequestError("invalid_config", message, "Open a photo, or drop one here.")
    if photo.source not in ("FILE", "GENERATED"):
        kind = photo.source.lower()
        raise PictureError(
            "picture_unreadable",
            f"A photo must be a single picture; {photo.name} is of the kind {kind}.",
            "Save one picture of it as a file, and open that.",
        )
    if not photo.is_editable:
        raise RequestError(
            "not_allowed",
            f"What is to be done to a photo is kept with it; {photo.name} is linked from another file.",
            "Make it local with a right click in the Outliner, or open its picture here.",
        )
    _check_size(photo)
    return photo


def _check_size(photo: bpy.types.Image) -> None:
    width, height = photo.size
    if not (width and height):
        raise PictureError(
            "picture_missing",
            f"A photo must have pixels; {photo.name} has none: {photo.filepath or 'no file'}.",
            "Find its file with File > External Data > Find Missing Files, or open another.",
        )
    if width * height > MOST_PIXELS:
        raise PictureError(
            "picture_unreadable",
            f"A photo may have {MOST_PIXELS / 1e6:.0f} million pixels; {photo.name} has "
            f"{width * height / 1e6:.0f} million.",
            "Shrink it with Image > Resize, or use a part of it.",
        )


def corners_of(photo: bpy.types.Image) -> tuple[Corner, ...]:
    """The four corners on the picture as Blender shows it, as `Preparation.corners`; none where all of it is used."""
    kept = photo.tilewright
    if not kept.is_cut:
        return ()
    numbers = [round(n, 6) for n in kept.corners]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def set_corners(photo: bpy.types.Image, corners: tuple[Corner, ...]) -> None:
    """Use what lies between four corners; none uses all of the photo."""
    kept = photo.tilewright
    kept.is_cut = bool(corners)
    kept.corners = [n for corner in corners for n in corner] or RECTANGLE


def as_shown(photo: bpy.types.Image) -> Preparation:
    """What is to be done to the picture as Blender shows it."""
    kept = photo.tilewright
    return Preparation(corners_of(photo), round(kept.even_light, 4), round(kept.white_balance, 4))


def of(image: bpy.types.Image) -> Preparation:
    """What is to be done to the file of an image, by who undoes how the camera was held, as the worker does.

    For an image that shows the outcome of a preparation, that of its photo.
    """
    photo = photo_of(image)
    assert photo is not None
    shown = as_shown(photo)
    if not shown.corners:
        return shown
    turned = orientation.upright(shown.corners, orientation.read_orientation(_stored(photo)))
    return Preparation(turned, shown.even_light, shown.white_balance)


def _stored(photo: bpy.types.Image) -> bytes:
    """The file that the worker reads; nothing where it is written from the pixels that Blender has."""
    if photo.is_dirty or photo.source != "FILE":
        return b""
    if photo.packed_file:
        return bytes(photo.packed_file.data)
    try:
        return _path(photo).read_bytes()
    except OSError:
        return b""  # gone, and said by who reads its pixels


def _path(photo: bpy.types.Image) -> Path:
    return Path(bpy.path.abspath(photo.filepath, library=photo.library))


def place_key(place: str | Path) -> str:
    """What is the same for all names of one file: Blender names those beside a scene's folder with `..`."""
    return _normal(bpy.path.abspath(str(place)))


def _normal(path: str | Path) -> str:
    return os.path.normcase(os.path.normpath(path))


# ---- pictures to learn from


@dataclass(frozen=True)
class Shared:
    """What is done to all photos of one training, which prepares them alike.

    Attributes:
        photo: the first one that has something to be done to it; None where none has.
        others: names of those that were to be prepared otherwise.
    """

    photo: bpy.types.Image | None = None
    others: tuple[str, ...] = ()

    @property
    def preparation(self) -> Preparation:
        """What is done to their files; one of them is read for it."""
        return of(self.photo) if self.photo else AS_IT_IS


def in_words(prepared: Preparation) -> str:
    """What is done to a photo, such as `straightened, light evened by 50%`."""
    parts = [
        (bool(prepared.corners), "cut to four corners"),
        (prepared.even_light > 0, f"light evened by {prepared.even_light:.0%}"),
        (prepared.white_balance > 0, f"white balanced by {prepared.white_balance:.0%}"),
    ]
    return ", ".join(text for is_done, text in parts if is_done)


def shared(places: Iterable[str]) -> Shared:
    """What is to be done to pictures of a training.

    Args:
        places: files and folders; of a worker elsewhere as it calls them, where the name of the file tells.
    """
    places = list(places)
    prepared = [photo for photo in bpy.data.images if _is_prepared(photo)] if places else []
    at = _by_place(prepared, places)
    if not at:
        return Shared()
    rest = [place for place in places if place not in at]
    if rest:
        at |= _by_place(bpy.data.images, rest)
    found = [at[place] for place in places if place in at]
    leading = next(photo for photo in found if _is_prepared(photo))
    first = as_shown(leading)
    others = (photo.name for photo in found if as_shown(photo) != first)
    return Shared(leading, tuple(dict.fromkeys(others)))


def _is_prepared(photo: bpy.types.Image) -> bool:
    """Whether it is a photo that something is to be done to."""
    # Panels ask this of all images: what is cheap comes first.
    kept = photo.tilewright
    chosen = kept.is_cut or kept.even_light or kept.white_balance
    return bool(chosen) and kept.prepared_of is None and not as_shown(photo).is_empty


def _by_place(photos: Iterable[bpy.types.Image], places: list[str]) -> dict[str, bpy.types.Image]:
    """Those of the places that one of these photos is of, with it; the last one, where several show it."""
    wanted, names = set(places) - {""}, set(map(_last_part, places)) - {""}
    # A path is made of few: in a large scene, making that of all takes longer than a redraw may.
    near = [
        photo
        for photo in photos
        if (_last_part(photo.filepath) in names or photo.tilewright.written_to in wanted)
        and photo.tilewright.prepared_of is None
    ]
    in_files = [photo for photo in near if photo.filepath]
    by_path = {_normal(_path(photo)): photo for photo in in_files}
    by_name = {Path(photo.filepath).name: photo for photo in in_files}
    written = {kept: photo for photo in near if (kept := photo.tilewright.written_to)}

    def find(place: str) -> bpy.types.Image | None:
        if _ELSEWHERE.match(place):
            return by_name.get(place.rpartition("/")[2].rpartition(":")[2])
        return by_path.get(place_key(place)) or written.get(place)

    return {place: photo for place in places if (photo := find(place))}


def _last_part(place: str) -> str:
    """What files of one name share, whichever system and worker they are named by."""
    return place.replace("\\", "/").replace(":", "/").rpartition("/")[2].casefold()
