"""Bake the motion of a material into image sequences."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from gan_worker.errors import TilewrightError

from ..steering import sliders
from ..worker.reporting import failed, needs
from . import motion


class TILEWRIGHT_OT_bake_motion(bpy.types.Operator):
    """Make a picture for every frame, kept in a folder of their own, and show them on the material one by one"""

    bl_idname = "tilewright.bake_motion"
    bl_label = "Bake Loop"

    wait: BoolProperty(
        name="Wait",
        description="Return only when all pictures are there",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        hindrance = motion.reason(context.scene, sliders.active_material())
        return needs(
            cls, not motion.MotionBake.running(), "A bake is running: cancel it first"
        ) and needs(cls, not hindrance, hindrance)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            bake = motion.start(context.scene, sliders.active_material())
            if self.wait:
                bake.wait()
                bake.raise_error()
        except TilewrightError as error:
            return failed(self, error)
        return {"FINISHED"}


class TILEWRIGHT_OT_cancel_motion(bpy.types.Operator):
    """Stop baking. The material stays as it was, and no picture is kept"""

    bl_idname = "tilewright.cancel_motion"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return needs(cls, motion.MotionBake.running(), "Nothing is being baked")

    def execute(self, _context: bpy.types.Context) -> set[str]:
        motion.MotionBake.running().cancel()
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory(
    (TILEWRIGHT_OT_bake_motion, TILEWRIGHT_OT_cancel_motion)
)
