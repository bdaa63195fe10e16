"""Long work that belongs to the open file: it ends when another one is opened, and with the extension."""

from __future__ import annotations

from collections.abc import Callable

import bpy
from bpy.app.handlers import persistent


class FileBound:
    """Registers what forgets the work of one part.

    Args:
        forget: cancels what runs; called too where nothing does.
    """

    def __init__(self, forget: Callable[[], None]) -> None:
        @persistent
        def before_loading(*_args: object) -> None:
            forget()

        self._forget, self._before_loading = forget, before_loading

    def register(self) -> None:
        bpy.app.handlers.load_pre.append(self._before_loading)

    def unregister(self) -> None:
        if self._before_loading in bpy.app.handlers.load_pre:
            bpy.app.handlers.load_pre.remove(self._before_loading)
        self._forget()
