"""Paint where a material is to be repaired, and have it repaired."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty

from ..steering import sliders
from ..worker import pump, session
from ..worker.reporting import Action, CancelTask, obstacle_of, still, unless
from . import mask, repair


class TILEWRIGHT_OT_paint_repair_mask(Action, bpy.types.Operator):
    """Paint on the object what is to be repaired; it is shown red. Hold Ctrl to take it back"""

    bl_idname = "tilewright.paint_repair_mask"
    bl_label = "Paint Mask"
    bl_options = {"UNDO"}

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        return obstacle_of(mask.check, context.object)

    def act(self, context: bpy.types.Context) -> None:
        mask.start(context.object)
        space = context.space_data
        if space and space.type == "VIEW_3D" and space.shading.type in ("WIREFRAME", "SOLID"):
            space.shading.type = "MATERIAL"  # where the material is seen with the mask over it


class TILEWRIGHT_OT_end_repair_mask(Action, bpy.types.Operator):
    """Stop painting. The mask is kept, and the material looks as before"""

    bl_idname = "tilewright.end_repair_mask"
    bl_label = "Done"
    bl_options = {"UNDO"}

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        material = sliders.active_material()
        painted = material is not None and mask.is_painted(material)
        return unless(painted, "No mask is being painted on this material")

    def act(self, context: bpy.types.Context) -> None:
        _end_painting(context)


class TILEWRIGHT_OT_repair(Action, bpy.types.Operator):
    """Fill what is masked so that it fits, in all maps. All else stays exactly as it is"""

    bl_idname = "tilewright.repair"
    bl_label = "Repair"
    bl_options = {"UNDO"}

    wait: BoolProperty(
        name="Wait", description="Return only when it is repaired", options={"SKIP_SAVE"}
    )
    timeout: FloatProperty(name="Timeout", default=600.0, min=0.1, options={"SKIP_SAVE"})

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        material = sliders.active_material()
        return obstacle_of(repair.check, material) or unless(
            material.tilewright.repair_mask, "Nothing is masked: press Paint Mask"
        )

    def act(self, context: bpy.types.Context) -> set[str] | None:
        material = still(sliders.active_material())
        _end_painting(context)
        repair.repair(material)
        if self.wait:
            session.current.dismiss()
            pump.wait(lambda: repair.of(material) is None, self.timeout)
        if self.wait and session.current.last_error:
            self.tell("ERROR", session.current.last_error.message)
            return {"CANCELLED"}
        return None


class TILEWRIGHT_OT_cancel_repair(CancelTask, bpy.types.Operator):
    """Give the repair up; the material stays as it is, and so does the mask"""

    bl_idname = "tilewright.cancel_repair"
    bl_label = "Cancel"
    nothing = "This material is not being repaired"

    @classmethod
    def task(cls, _context: bpy.types.Context) -> repair.Repair | None:
        material = sliders.active_material()
        return repair.of(material) if material else None


def _end_painting(context: bpy.types.Context) -> None:
    mask.end(still(sliders.active_material()))
    if context.object.mode == "TEXTURE_PAINT":
        bpy.ops.object.mode_set(mode="OBJECT")


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_paint_repair_mask,
        TILEWRIGHT_OT_end_repair_mask,
        TILEWRIGHT_OT_repair,
        TILEWRIGHT_OT_cancel_repair,
    )
)
