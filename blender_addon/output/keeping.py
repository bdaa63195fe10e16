"""Materials kept as assets piece by piece: their previews are averaged out of all their pixels."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import bpy

from ..generation import results
from ..worker.background_task import BackgroundTask
from . import assets, previews


class AssetKeeping(BackgroundTask):
    """Some materials on their way to the Asset Browser, one after the other.

    Args:
        materials: that `assets.check` has nothing against.
        catalog: as for `assets.keep`.
        library: as for `assets.keep`.

    Attributes:
        file: the .blend that has the newest.
    """

    def __init__(self, materials: Sequence[bpy.types.Material], catalog: str, library: str) -> None:
        super().__init__()
        self.file: Path | None = None
        self._uids = [material.session_uid for material in materials]
        self._catalog, self._library = catalog, library

    @property
    def told(self) -> str:
        return f"Keeping material {self.progress.done + 1} of {self.progress.total}"

    def work(self) -> Generator[bool]:
        self.expect(len(self._uids))
        for uid in self._uids:
            find_maps = assets.steady_maps(uid)
            for name in find_maps():
                tuple(find_maps()[name].size)  # Blender decodes a picture when it is first asked
                yield False
            preview = yield from previews.preview_pieces(find_maps)
            self.file = assets.keep(assets.find(uid), preview, self._catalog, self._library)
            self.advance()
            yield False

    def let_go(self) -> None:
        if self.file is None:
            return
        if not self._library:
            results.add_undo_step("Keep as Asset")
        _refresh_browsers()


def start(materials: Sequence[bpy.types.Material], catalog: str, library: str = "") -> AssetKeeping:
    """Begin to keep materials as assets; where others are being kept, nothing else is begun.

    Raises:
        RequestError: as `assets.check`.
        StorageError: as `assets.check`.
    """
    for material in materials:
        assets.check(material, library)
    return AssetKeeping.running() or AssetKeeping(materials, catalog, library).start()


def _refresh_browsers() -> None:
    """Let Asset Browsers that are open show the new one."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.ui_type == "ASSETS":
                with bpy.context.temp_override(window=window, area=area):
                    if bpy.ops.asset.library_refresh.poll():  # type: ignore[call-arg]  # the stub has it without self
                        bpy.ops.asset.library_refresh()
