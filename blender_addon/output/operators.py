"""Keep materials as assets."""

from __future__ import annotations

import bpy

from gan_worker.exports.targets import ExportTarget

from ..steering import sliders
from ..worker import pump
from ..worker.reporting import CancelTask, StartTask, obstacle_of, still, when
from . import assets, keeping, validation
from . import export as material_export


class TILEWRIGHT_OT_keep_asset(StartTask, bpy.types.Operator):
    """Keep the material for the Asset Browser, with preview, tags, catalog, and whose pictures it comes from"""

    bl_idname = "tilewright.keep_asset"
    bl_label = "Keep as Asset"

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        library = context.scene.tilewright.asset_library
        return obstacle_of(assets.check, sliders.active_material(), library) or when(
            keeping.AssetKeeping.running(), "Materials are being kept: wait for it, or cancel it"
        )

    def begin(self, context: bpy.types.Context) -> keeping.AssetKeeping:
        chosen, active = context.scene.tilewright, still(sliders.active_material())
        library = chosen.asset_library
        others = [m for m in sliders.steered() if not obstacle_of(assets.check, m, library)]
        pump.finish()  # what is not packed yet would be missing from a copy
        materials = list(dict.fromkeys([active, *others]))
        return keeping.start(materials, chosen.asset_catalog, library)

    def act(self, context: bpy.types.Context) -> None:
        self.wait = self.wait or bpy.app.background  # where no timer fires, nobody else would do it
        super().act(context)


class TILEWRIGHT_OT_cancel_keeping(CancelTask, bpy.types.Operator):
    """Stop keeping materials. Those that are kept already stay"""

    bl_idname = "tilewright.cancel_keeping"
    bl_label = "Cancel"
    nothing = "No material is being kept"

    @classmethod
    def task(cls, _context: bpy.types.Context) -> keeping.AssetKeeping | None:
        return keeping.AssetKeeping.running()


class TILEWRIGHT_OT_export_material(StartTask, bpy.types.Operator):
    """Write the textures of the material as that tool takes them, and a document that uses them where it has one"""

    bl_idname = "tilewright.export_material"
    bl_label = "Export"

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        chosen = context.scene.tilewright
        target, folder = ExportTarget(chosen.export_target), chosen.export_folder
        material, runs = sliders.active_material(), material_export.MaterialExport.running()
        return obstacle_of(material_export.check, material, target, folder) or when(
            runs, "A material is being exported: wait for it, or cancel it"
        )

    def begin(self, context: bpy.types.Context) -> material_export.MaterialExport:
        chosen = context.scene.tilewright
        pump.finish()  # what is not there yet would be missing
        return material_export.start(
            still(sliders.active_material()),
            ExportTarget(chosen.export_target),
            chosen.export_folder,
        )


class TILEWRIGHT_OT_cancel_export(CancelTask, bpy.types.Operator):
    """Stop exporting. Files that are whole already stay"""

    bl_idname = "tilewright.cancel_export"
    bl_label = "Cancel"
    nothing = "Nothing is being exported"

    @classmethod
    def task(cls, _context: bpy.types.Context) -> material_export.MaterialExport | None:
        return material_export.MaterialExport.running()


class TILEWRIGHT_OT_validate_material(StartTask, bpy.types.Operator):
    """Look whether the maps of the material are what real surfaces have and fit each other, whatever made them"""

    bl_idname = "tilewright.validate_material"
    bl_label = "Validate Material"

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return obstacle_of(validation.check, sliders.active_material())

    def begin(self, _context: bpy.types.Context) -> validation.Validation:
        pump.finish()  # maps that are not there yet would be missing
        return validation.start(still(sliders.active_material()))


class TILEWRIGHT_OT_cancel_validation(CancelTask, bpy.types.Operator):
    """Stop looking at the material"""

    bl_idname = "tilewright.cancel_validation"
    bl_label = "Cancel"
    nothing = "No material is being looked at"

    @classmethod
    def task(cls, _context: bpy.types.Context) -> validation.Validation | None:
        material = sliders.active_material()
        newest = validation.newest(material) if material else None
        return newest if newest and newest.state == "running" else None


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_keep_asset,
        TILEWRIGHT_OT_cancel_keeping,
        TILEWRIGHT_OT_export_material,
        TILEWRIGHT_OT_cancel_export,
        TILEWRIGHT_OT_validate_material,
        TILEWRIGHT_OT_cancel_validation,
    )
)
