"""Keep materials as assets."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from gan_worker.exports.targets import ExportTarget

from ..steering import sliders
from ..worker import pump
from ..worker.reporting import Action, CancelTask, obstacle_of, still, when
from . import assets, keeping, validation
from . import export as material_export


class TILEWRIGHT_OT_keep_asset(Action, bpy.types.Operator):
    """Keep the material for the Asset Browser, with preview, tags, catalog, and whose pictures it comes from"""

    bl_idname = "tilewright.keep_asset"
    bl_label = "Keep as Asset"

    wait: BoolProperty(
        name="Wait", description="Return only when it is kept", options={"SKIP_SAVE"}
    )

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        library = context.scene.tilewright.asset_library
        return obstacle_of(assets.check, sliders.active_material(), library) or when(
            keeping.AssetKeeping.running(), "Materials are being kept: wait for it, or cancel it"
        )

    def act(self, context: bpy.types.Context) -> None:
        chosen, active = context.scene.tilewright, still(sliders.active_material())
        library = chosen.asset_library
        others = [m for m in sliders.steered() if not obstacle_of(assets.check, m, library)]
        pump.finish()  # what is not packed yet would be missing from a copy
        materials = list(dict.fromkeys([active, *others]))
        task = keeping.start(materials, chosen.asset_catalog, library)
        if self.wait or bpy.app.background:  # where no timer fires, nobody else would do it
            task.wait()
            task.raise_error()


class TILEWRIGHT_OT_cancel_keeping(CancelTask, bpy.types.Operator):
    """Stop keeping materials. Those that are kept already stay"""

    bl_idname = "tilewright.cancel_keeping"
    bl_label = "Cancel"
    nothing = "No material is being kept"

    @classmethod
    def task(cls, _context: bpy.types.Context) -> keeping.AssetKeeping | None:
        return keeping.AssetKeeping.running()


class TILEWRIGHT_OT_export_material(Action, bpy.types.Operator):
    """Write the textures of the material as that tool takes them, and a document that uses them where it has one"""

    bl_idname = "tilewright.export_material"
    bl_label = "Export"

    wait: BoolProperty(
        name="Wait", description="Return only when the files are there", options={"SKIP_SAVE"}
    )

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        chosen = context.scene.tilewright
        target, folder = ExportTarget(chosen.export_target), chosen.export_folder
        material, runs = sliders.active_material(), material_export.MaterialExport.running()
        return obstacle_of(material_export.check, material, target, folder) or when(
            runs, "A material is being exported: wait for it, or cancel it"
        )

    def act(self, context: bpy.types.Context) -> None:
        chosen = context.scene.tilewright
        pump.finish()  # what is not there yet would be missing
        export = material_export.start(
            still(sliders.active_material()),
            ExportTarget(chosen.export_target),
            chosen.export_folder,
        )
        if self.wait:
            export.wait()
            export.raise_error()


class TILEWRIGHT_OT_cancel_export(CancelTask, bpy.types.Operator):
    """Stop exporting. Files that are whole already stay"""

    bl_idname = "tilewright.cancel_export"
    bl_label = "Cancel"
    nothing = "Nothing is being exported"

    @classmethod
    def task(cls, _context: bpy.types.Context) -> material_export.MaterialExport | None:
        return material_export.MaterialExport.running()


class TILEWRIGHT_OT_validate_material(Action, bpy.types.Operator):
    """Look whether the maps of the material are what real surfaces have and fit each other, whatever made them"""

    bl_idname = "tilewright.validate_material"
    bl_label = "Validate Material"

    wait: BoolProperty(
        name="Wait", description="Return only when all was looked at", options={"SKIP_SAVE"}
    )

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return obstacle_of(validation.check, sliders.active_material())

    def act(self, _context: bpy.types.Context) -> None:
        pump.finish()  # maps that are not there yet would be missing
        task = validation.start(still(sliders.active_material()))
        if self.wait:
            task.wait()
            task.raise_error()


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
