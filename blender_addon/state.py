"""State: what subjects know beside what a file saves, in one object for each owner, which goes with its owner.

A subject describes its part as a class and asks the owner for it; it is made when it is first asked for:

    @dataclass
    class Moving(state.FilePart):
        targets: dict[str, float] = field(default_factory=dict)

    state.of_file.get(Moving).targets

There are two owners. What `of_file` holds is dropped when another file is opened; what `of_blender` holds, when the
add-on is unregistered. Parts of the file are told of that, of what is appended, and of undo and redo: nobody else
listens to these.
"""

from __future__ import annotations

from typing import TypeVar, cast

import bpy
from bpy.app.handlers import persistent


class Part:
    """What one subject knows. Every kind of part can be made without arguments."""

    def closing(self) -> None:
        """Its owner is about to go: end what runs."""


class FilePart(Part):
    """What one subject knows of the open file."""

    def opened(self) -> None:
        """The file was just opened."""

    def appended(self) -> None:
        """Something of another file was appended or linked; Blender tells so from 4.5 on."""

    def undone(self) -> None:
        """Undo or redo brought another state of the file back: forget what was read from it."""


Kind = TypeVar("Kind", bound=Part)


class Owner:
    """Holds one part of each kind."""

    def __init__(self) -> None:
        self._parts: dict[type[Part], Part] = {}

    def get(self, kind: type[Kind]) -> Kind:
        """The part of that kind."""
        if kind not in self._parts:
            self._parts[kind] = kind()
        return cast(Kind, self._parts[kind])

    def close(self) -> None:
        """End what runs."""
        for part in list(self._parts.values()):
            part.closing()

    def drop(self) -> None:
        """End what runs, and forget everything."""
        self.close()
        self._parts.clear()


of_file, of_blender = Owner(), Owner()


@persistent
def _before_loading(*_args: object) -> None:
    of_file.close()


@persistent
def _after_loading(*_args: object) -> None:
    of_file.drop()
    for kind in FilePart.__subclasses__():
        of_file.get(kind).opened()


@persistent
def _after_undo(*_args: object) -> None:
    for kind in FilePart.__subclasses__():
        of_file.get(kind).undone()


@persistent
def _after_appending(*_args: object) -> None:
    for kind in FilePart.__subclasses__():
        of_file.get(kind).appended()


_HANDLERS = {
    "load_pre": _before_loading,
    "load_post": _after_loading,
    "undo_post": _after_undo,
    "redo_post": _after_undo,
}
if hasattr(bpy.app.handlers, "blend_import_post"):
    _HANDLERS["blend_import_post"] = _after_appending


def register() -> None:
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    of_file.drop()
    of_blender.drop()
