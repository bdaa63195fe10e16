"""Paint with favourites: choose the looks, take up a brush, pick a look's color."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from ..steering import favourites, sliders
from ..worker import pump
from ..worker.reporting import Action, obstacle_of, still, unless
from . import painting


class TILEWRIGHT_OT_add_look(Action, bpy.types.Operator):
    """Make this favorite one of the looks to paint the material with"""

    bl_idname = "tilewright.add_look"
    bl_label = "Add Look"
    bl_options = {"UNDO"}

    uid: StringProperty(options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        has = sliders.has_latents(sliders.active_material())
        return unless(has, "The active object has no generated material")

    def act(self, context: bpy.types.Context) -> set[str] | None:
        favourite = favourites.find(context.scene, self.uid)
        if favourite is None:
            return {"CANCELLED"}
        painting.add_look(still(sliders.active_material()), favourite)
        pump.wake()
        return None


class _OfLook(Action):
    """What buttons beside a look share."""

    place: IntProperty(options={"SKIP_SAVE", "HIDDEN"}, min=0, max=len(painting.COLORS) - 1)

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        material = sliders.active_material()
        looks = material.tilewright.painted_looks if material else ()
        return unless(len(looks), "The active material has no looks to paint with")


class TILEWRIGHT_OT_remove_look(_OfLook, bpy.types.Operator):
    """Paint with this look no longer. Where it was painted, the first of the others takes its place"""

    bl_idname = "tilewright.remove_look"
    bl_label = "Remove Look"
    bl_options = {"UNDO"}

    def act(self, _context: bpy.types.Context) -> None:
        painting.remove_look(still(sliders.active_material()), self.place)
        pump.wake()


class TILEWRIGHT_OT_pick_look(_OfLook, bpy.types.Operator):
    """Paint with this look from now on: the brush takes its color. Soft strokes mix looks"""

    bl_idname = "tilewright.pick_look"
    bl_label = "Pick Look"

    def act(self, _context: bpy.types.Context) -> None:
        painting.pick(self.place)


class TILEWRIGHT_OT_paint_looks(Action, bpy.types.Operator):
    """Paint on the object which look lies where. The material follows the brush"""

    bl_idname = "tilewright.paint_looks"
    bl_label = "Paint"
    bl_options = {"UNDO"}

    on_vertices: BoolProperty(default=False, options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def description(cls, _context: bpy.types.Context, chosen: bpy.types.OperatorProperties) -> str:
        if chosen.on_vertices:
            return "Paint on the color attribute of the mesh. It takes the place of what is on the image"
        return "Paint on the object which look lies where. The material follows the brush"

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        return obstacle_of(painting.check, context.object)

    def act(self, context: bpy.types.Context) -> None:
        painting.start(context.object, self.on_vertices)
        space = context.space_data
        if space and space.type == "VIEW_3D" and space.shading.type in ("WIREFRAME", "SOLID"):
            space.shading.type = "MATERIAL"  # where the looks are seen, not the colors
        pump.wake()


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_add_look,
        TILEWRIGHT_OT_remove_look,
        TILEWRIGHT_OT_pick_look,
        TILEWRIGHT_OT_paint_looks,
    )
)
