"""Paint with favourites: choose the looks, take up a brush, pick a look's color."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from gan_worker.errors import TilewrightError

from ..steering import favourites, sliders
from ..worker import pump
from ..worker.reporting import failed, needs
from . import painting


class TILEWRIGHT_OT_add_look(bpy.types.Operator):
    """Make this favorite one of the looks to paint the material with"""

    bl_idname = "tilewright.add_look"
    bl_label = "Add Look"
    bl_options = {"UNDO"}

    uid: StringProperty(options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        has = sliders.has_latents(sliders.active_material())
        return needs(cls, has, "The active object has no generated material")

    def execute(self, context: bpy.types.Context) -> set[str]:
        favourite = favourites.find(context.scene, self.uid)
        if favourite is None:
            return {"CANCELLED"}
        try:
            painting.add_look(sliders.active_material(), favourite)
        except TilewrightError as error:
            return failed(self, error)
        pump.wake()
        return {"FINISHED"}


class _OfLook:
    """What buttons beside a look share."""

    place: IntProperty(options={"SKIP_SAVE", "HIDDEN"}, min=0, max=len(painting.COLORS) - 1)

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        material = sliders.active_material()
        looks = material.tilewright.painted_looks if material else ()
        return needs(cls, len(looks), "The active material has no looks to paint with")


class TILEWRIGHT_OT_remove_look(_OfLook, bpy.types.Operator):
    """Paint with this look no longer. Where it was painted, the first of the others takes its place"""

    bl_idname = "tilewright.remove_look"
    bl_label = "Remove Look"
    bl_options = {"UNDO"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        painting.remove_look(sliders.active_material(), self.place)
        pump.wake()
        return {"FINISHED"}


class TILEWRIGHT_OT_pick_look(_OfLook, bpy.types.Operator):
    """Paint with this look from now on: the brush takes its color. Soft strokes mix looks"""

    bl_idname = "tilewright.pick_look"
    bl_label = "Pick Look"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        painting.pick(self.place)
        return {"FINISHED"}


class TILEWRIGHT_OT_paint_looks(bpy.types.Operator):
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
    def poll(cls, context: bpy.types.Context) -> bool:
        try:
            painting.check(context.object)
        except TilewrightError as error:
            return needs(cls, False, f"{error.info.message} {error.info.cure}")
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            painting.start(context.object, self.on_vertices)
        except TilewrightError as error:
            return failed(self, error)
        space = context.space_data
        if space and space.type == "VIEW_3D" and space.shading.type in ("WIREFRAME", "SOLID"):
            space.shading.type = "MATERIAL"  # where the looks are seen, not the colors
        pump.wake()
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_add_look,
        TILEWRIGHT_OT_remove_look,
        TILEWRIGHT_OT_pick_look,
        TILEWRIGHT_OT_paint_looks,
    )
)
