"""Keep materials as assets."""

from __future__ import annotations

import bpy

from gan_worker.errors import TilewrightError

from ..steering import sliders
from ..worker import pump
from ..worker.reporting import failed, needs
from . import assets


class TILEWRIGHT_OT_keep_asset(bpy.types.Operator):
    """Keep the material for the Asset Browser, with preview, tags, catalogue, and whose pictures it comes from"""

    bl_idname = "tilewright.keep_asset"
    bl_label = "Keep as Asset"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        library = context.scene.tilewright.asset_library
        problem = assets.obstacle(sliders.active_material(), library)
        return needs(cls, not problem, problem and f"{problem.info.message} {problem.info.cure}")

    def execute(self, context: bpy.types.Context) -> set[str]:
        chosen, active = context.scene.tilewright, sliders.active_material()
        others = [m for m in sliders.steered() if not assets.obstacle(m, chosen.asset_library)]
        try:
            pump.finish()  # what is not packed yet would be missing from a copy
            for material in dict.fromkeys([active, *others]):
                file = assets.keep(material, chosen.asset_catalog, chosen.asset_library)
        except TilewrightError as error:
            return failed(self, error)
        self.report({"INFO"}, f"Kept in {chosen.asset_library or 'this file'}: {file.name}")
        _refresh_browsers(context)
        return {"FINISHED"}


def _refresh_browsers(context: bpy.types.Context) -> None:
    """Let Asset Browsers that are open show the new one."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.ui_type == "ASSETS":
                with context.temp_override(window=window, area=area):
                    if bpy.ops.asset.library_refresh.poll():
                        bpy.ops.asset.library_refresh()


register, unregister = bpy.utils.register_classes_factory((TILEWRIGHT_OT_keep_asset,))
