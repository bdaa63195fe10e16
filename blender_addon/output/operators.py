"""Keep materials as assets."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from gan_worker.errors import TilewrightError
from gan_worker.exports.targets import ExportTarget

from ..steering import sliders
from ..worker import pump
from ..worker.reporting import failed, needs
from . import assets
from . import export as material_export


class TILEWRIGHT_OT_keep_asset(bpy.types.Operator):
    """Keep the material for the Asset Browser, with preview, tags, catalog, and whose pictures it comes from"""

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


class TILEWRIGHT_OT_export_material(bpy.types.Operator):
    """Write the textures of the material as that tool takes them, and a document that uses them where it has one"""

    bl_idname = "tilewright.export_material"
    bl_label = "Export"

    wait: BoolProperty(
        name="Wait", description="Return only when the files are there", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        chosen = context.scene.tilewright
        problem = material_export.obstacle(
            sliders.active_material(), ExportTarget(chosen.export_target), chosen.export_folder
        )
        return needs(cls, not problem, problem and f"{problem.info.message} {problem.info.cure}")

    def execute(self, context: bpy.types.Context) -> set[str]:
        chosen = context.scene.tilewright
        try:
            pump.finish()  # what is not there yet would be missing
            export = material_export.start(
                sliders.active_material(), ExportTarget(chosen.export_target), chosen.export_folder
            )
            if self.wait:
                export.wait()
                export.raise_error()
        except TilewrightError as error:
            return failed(self, error)
        return {"FINISHED"}


class TILEWRIGHT_OT_cancel_export(bpy.types.Operator):
    """Stop exporting. Files that are whole already stay"""

    bl_idname = "tilewright.cancel_export"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return needs(cls, material_export.MaterialExport.running(), "Nothing is being exported")

    def execute(self, _context: bpy.types.Context) -> set[str]:
        material_export.MaterialExport.running().cancel()
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_keep_asset,
        TILEWRIGHT_OT_export_material,
        TILEWRIGHT_OT_cancel_export,
    )
)
