"""Suggestion of corners: those of the regular pattern that a photo shows, where there is one."""

from __future__ import annotations

from collections.abc import Generator

import bpy

from gan_worker.photos.suggestion import suggest_pieces

from ..generation import results
from . import preparation, reading
from .preview import PhotoTask, in_turns


class Suggestion(PhotoTask):
    """Look for a regular pattern, and take its corners.

    Attributes:
        found: whether there is one.
    """

    stage = "looking for a pattern"

    def __init__(self, photo: bpy.types.Image) -> None:
        super().__init__(photo)
        self.found = False

    def work(self) -> Generator[bool]:
        view = yield from reading.read(self.photo())
        corners = yield from in_turns(suggest_pieces(view.picture))
        self.found = corners is not None
        if corners is not None:
            preparation.set_corners(self.photo(), corners)
            results.add_undo_step("Suggest Corners")


def suggest(photo: bpy.types.Image) -> Suggestion:
    """Look for the corners of a photo's pattern, whatever was painted on it since it was read."""
    reading.forget()
    about = str(photo.session_uid)
    return Suggestion.running(about) or Suggestion(photo).start(about)


def newest(photo: bpy.types.Image) -> Suggestion | None:
    """The last time that they were looked for."""
    return Suggestion.newest(str(photo.session_uid))
