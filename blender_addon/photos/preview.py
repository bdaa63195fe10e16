"""Before and after: the outcome of a preparation, at preview size, in an image that follows what is chosen."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import bpy
import numpy as np

from gan_worker.errors import RequestError
from gan_worker.photos.preparing import prepare_pieces

from .. import state
from ..shader import images
from ..worker.background_task import BackgroundTask
from . import changes, preparation, reading

if TYPE_CHECKING:
    from gan_worker.photos.pieces import Pieces

Result = TypeVar("Result")

_ENDING = " prepared"


class Known:
    """An image that is found again after undo, which makes objects of Python invalid, and by whatever name."""

    def __init__(self, image: bpy.types.Image) -> None:
        self._uid, self._name = image.session_uid, image.name

    def find(self) -> bpy.types.Image | None:
        """The image, if it is still there."""
        # With None, none of a library that has this name too.
        image = bpy.data.images.get((self._name, None))
        if image is None or image.session_uid != self._uid:
            image = next((i for i in bpy.data.images if i.session_uid == self._uid), None)
            self._name = image.name if image else self._name
        return image


class PhotoTask(BackgroundTask):
    """Work on one photo, which is looked up between its steps."""

    def __init__(self, photo: bpy.types.Image) -> None:
        super().__init__()
        self._photo = Known(photo)

    @property
    def told(self) -> str:
        return self.stage.capitalize()

    def photo(self) -> bpy.types.Image:
        """The photo, as long as there is one to work on.

        Raises:
            TilewrightError: as `preparation.check`; `wrong_state` where it is gone.
        """
        found = self._photo.find()
        if found is None:
            message = "A photo must stay in the file while it is prepared; it is gone."
            raise RequestError("wrong_state", message, "Open it again.")
        return preparation.check(found)


class Preview(PhotoTask):
    """The outcome on its way into the image that shows it, until that is what is chosen."""

    stage = "preparing the photo"

    def work(self) -> Generator[bool]:
        view = yield from reading.read(self.photo())
        done = None
        while (wanted := preparation.as_shown(self.photo())) != done:
            result = yield from in_turns(prepare_pieces(view.picture, wanted))
            done = wanted
            _fill(_image_of(self.photo()), result)
            yield False
        image = _image_of(self.photo())
        # Else it would be lost with the file, or Blender would ask about it when it is closed.
        with images.keeping_color_space(image):
            image.pack()


def in_turns(pieces: Pieces[Result]) -> Generator[bool, None, Result]:
    """What comes of pieces of work, for a task that gives the window its turn after each."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            result: Result = end.value
            return result
        yield False


def start(photo: bpy.types.Image) -> Preview:
    """Bring the outcome up to date; what runs already follows by itself."""
    about = str(photo.session_uid)
    return Preview.running(about) or Preview(photo).start(about)


def newest(photo: bpy.types.Image) -> Preview | None:
    """The last time that it was brought up to date."""
    return Preview.newest(str(photo.session_uid))


def show_after(space: bpy.types.SpaceImageEditor) -> Preview:
    """Show in an editor what comes of the photo in it; the photo is read once more.

    Raises:
        TilewrightError: as `preparation.check`.
    """
    photo = preparation.check(space.image)
    reading.forget()
    space.image = _image_of(photo)
    state.of_file.get(_Shown).note()
    return start(photo)


def show_before(space: bpy.types.SpaceImageEditor) -> None:
    """Show the photo itself in an editor."""
    if space.image is not None:
        space.image = preparation.photo_of(space.image)
        state.of_file.get(_Shown).note()


def is_after(image: bpy.types.Image | None) -> bool:
    """Whether it is the outcome of a preparation."""
    return image is not None and image.tilewright.prepared_of is not None


def _image_of(photo: bpy.types.Image) -> bpy.types.Image:
    """The image that shows the outcome, made where there is none: as the photo is, in its colors."""
    names = state.of_file.get(_Shown).outcomes
    found = bpy.data.images.get((names.get(photo.session_uid, ""), None))
    if found is None or found.tilewright.prepared_of != photo:
        found = next((i for i in bpy.data.images if i.tilewright.prepared_of == photo), None)
    if found is None:
        found = bpy.data.images.new(images.whole_name(photo.name, _ENDING), 1, 1)
        images.set_color_space(found, "base_color")
        found.tilewright.prepared_of = photo
    names[photo.session_uid] = found.name
    return found


def _fill(image: bpy.types.Image, result: np.ndarray) -> None:
    height, width = result.shape[:2]
    if tuple(image.size) != (width, height):
        image.scale(width, height)
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = result[::-1]
    images.set_pixels(image, rgba)
    for area in editors():
        if area.spaces.active.image == image:
            area.tag_redraw()


def editors() -> Iterator[bpy.types.Area]:
    """All Image Editors that are open."""
    for window in bpy.context.window_manager.windows:
        yield from (area for area in window.screen.areas if area.type == "IMAGE_EDITOR")


# ---- what is chosen changes, by hand or by undo


@dataclass
class _Shown(state.FilePart):
    """Which photo an editor shows the outcome of: undo may take that image out of the file.

    Attributes:
        photos: pointer of an editor's area → the photo.
        outcomes: session uid of a photo → name of the image with its outcome: looking through all takes long.
    """

    photos: dict[int, Known] = field(default_factory=dict)
    outcomes: dict[int, str] = field(default_factory=dict)

    def note(self) -> None:
        self.photos = {
            area.as_pointer(): Known(area.spaces.active.image.tilewright.prepared_of)
            for area in editors()
            if is_after(area.spaces.active.image)
        }

    def undone(self) -> None:
        for area in editors():
            space, photo = area.spaces.active, self.photos.get(area.as_pointer())
            if space.image is None and photo:
                space.image = photo.find()
            elif is_after(space.image):
                start(space.image.tilewright.prepared_of)


def _changed(photo: bpy.types.Image) -> None:
    shown = [area.spaces.active.image for area in editors()]
    if any(is_after(image) and image.tilewright.prepared_of == photo for image in shown):
        start(photo)


def register() -> None:
    changes.listeners.append(_changed)


def unregister() -> None:
    changes.listeners.remove(_changed)
