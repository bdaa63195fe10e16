"""Explore variations of a material: pictures to choose from, back and forward."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, IntProperty

from ..worker import pump
from ..worker.reporting import needs
from . import live, sliders, variations


class _Exploring:
    """What buttons that change the active material's latents share."""

    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        reason = live.reason(sliders.active_material())
        return needs(cls, not reason, reason)


class TILEWRIGHT_OT_roll_variations(_Exploring, bpy.types.Operator):
    """Draw other variations around the picture in the middle"""

    bl_idname = "tilewright.roll_variations"
    bl_label = "More Like This"

    anywhere: BoolProperty(default=False, options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def description(cls, _context: bpy.types.Context, chosen: bpy.types.OperatorProperties) -> str:
        if chosen.anywhere:
            return "Draw looks of any kind, near to nothing"
        return "Draw other variations around the picture in the middle"

    def execute(self, context: bpy.types.Context) -> set[str]:
        chosen = context.scene.tilewright
        chosen.explore_anywhere = self.anywhere
        chosen.explore_roll += 1
        return {"FINISHED"}


class TILEWRIGHT_OT_choose_variation(_Exploring, bpy.types.Operator):
    """Give the material this look, and show variations of it"""

    bl_idname = "tilewright.choose_variation"
    bl_label = "Choose"

    place: IntProperty(min=0, max=variations.COUNT - 1, options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        return needs(cls, variations.configs(), "There are no pictures yet: turn Explore on")

    def execute(self, context: bpy.types.Context) -> set[str]:
        for material in sliders.steered():
            variations.choose(material, self.place)
        context.scene.tilewright.explore_anywhere = False
        pump.wake()
        return {"FINISHED"}


class _Stepping(_Exploring):
    step = -1

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        there = variations.can_step(sliders.active_material(), cls.step)
        return needs(cls, there, "There is nothing " + ("before" if cls.step < 0 else "after"))

    def execute(self, _context: bpy.types.Context) -> set[str]:
        variations.step_history(sliders.active_material(), self.step)
        pump.wake()
        return {"FINISHED"}


class TILEWRIGHT_OT_history_back(_Stepping, bpy.types.Operator):
    """Go back to the look before"""

    bl_idname = "tilewright.history_back"
    bl_label = "Back"


class TILEWRIGHT_OT_history_forward(_Stepping, bpy.types.Operator):
    """Go forward to the look after"""

    bl_idname = "tilewright.history_forward"
    bl_label = "Forward"
    step = 1


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_roll_variations,
        TILEWRIGHT_OT_choose_variation,
        TILEWRIGHT_OT_history_back,
        TILEWRIGHT_OT_history_forward,
    )
)
