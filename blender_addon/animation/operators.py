"""Bake the motion of a material into image sequences."""

from __future__ import annotations

import bpy

from ..steering import sliders
from ..worker.reporting import CancelTask, StartTask, still, when
from . import motion


class TILEWRIGHT_OT_bake_motion(StartTask, bpy.types.Operator):
    """Make a picture for every frame, kept in a folder of their own, and show them on the material one by one"""

    bl_idname = "tilewright.bake_motion"
    bl_label = "Bake Loop"

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        running = motion.MotionBake.running()
        return when(running, "A bake is running: cancel it first") or motion.obstacle(
            context.scene, sliders.active_material()
        )

    def begin(self, context: bpy.types.Context) -> motion.MotionBake:
        return motion.start(context.scene, still(sliders.active_material()))


class TILEWRIGHT_OT_cancel_motion(CancelTask, bpy.types.Operator):
    """Stop baking. The material stays as it was, and no picture is kept"""

    bl_idname = "tilewright.cancel_motion"
    bl_label = "Cancel"
    nothing = "Nothing is being baked"

    @classmethod
    def task(cls, _context: bpy.types.Context) -> motion.MotionBake | None:
        return motion.MotionBake.running()


register, unregister = bpy.utils.register_classes_factory(
    (TILEWRIGHT_OT_bake_motion, TILEWRIGHT_OT_cancel_motion)
)
