"""Looking at a photo: what is wrong with it."""

from __future__ import annotations

from collections.abc import Generator

import bpy

from . import reading
from .preview import PhotoTask


class Look(PhotoTask):
    """Read a photo, so that what is wrong with it can be told."""

    stage = "looking at the photo"

    def work(self) -> Generator[bool]:
        yield from reading.read(self.photo())


def look(photo: bpy.types.Image) -> Look:
    """Read a photo once more, whatever was painted on it since."""
    reading.forget()
    return Look(photo).start(str(photo.session_uid))


def newest(photo: bpy.types.Image) -> Look | None:
    """The last time that it was looked at."""
    return Look.newest(str(photo.session_uid))


def running(photo: bpy.types.Image) -> Look | None:
    """The same, while it is."""
    return Look.running(str(photo.session_uid))
