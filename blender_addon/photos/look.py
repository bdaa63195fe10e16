"""Looking at a photo: what is wrong with the part of it that is used, which no preparation mends."""

from __future__ import annotations

from collections.abc import Generator

import bpy

from gan_worker.photos.problems import PhotoProblem, find_problems
from gan_worker.photos.straightening import straighten_pieces

from . import preparation, reading
from .preview import PhotoTask, in_turns


class Look(PhotoTask):
    """Say what is wrong with a photo.

    Attributes:
        problems: what was found.
        corners: of the part that was looked at.
    """

    stage = "looking at the photo"

    def __init__(self, photo: bpy.types.Image) -> None:
        super().__init__(photo)
        self.problems: tuple[PhotoProblem, ...] = ()
        self.corners = preparation.corners_of(photo)

    def work(self) -> Generator[bool]:
        view = yield from reading.read(self.photo())
        # Blur is one of the photo's own pixels, which are straightened no more than they must be.
        blurred = [p for p in find_problems(view.middle) if p.kind == "blurred"]
        yield False
        part = view.thinned
        if self.corners:
            part = yield from in_turns(straighten_pieces(part, self.corners))
        others = [p for p in find_problems(part) if p.kind != "blurred"]
        self.problems = (*blurred, *others)


def look(photo: bpy.types.Image) -> Look:
    """Read a photo once more, whatever was painted on it since, and look what is wrong with it; one at a time."""
    reading.forget()
    about = str(photo.session_uid)
    return Look.running(about) or Look(photo).start(about)


def newest(photo: bpy.types.Image) -> Look | None:
    """The last time that this part of it was looked at."""
    found = Look.newest(str(photo.session_uid))
    return found if found and found.corners == preparation.corners_of(photo) else None
