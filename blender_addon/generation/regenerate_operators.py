"""Make materials again from their recipes, as they are or at another size."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty

from gan_worker.errors import TilewrightError

from ..shader import node_tree
from ..steering import sliders
from ..steering.operators import settle
from ..worker import pump
from ..worker.reporting import failed, needs
from . import regeneration


def steered() -> list[bpy.types.Material]:
    """The materials of the panel that can be made again: the active one, and those that go with it."""
    active = sliders.active_material()
    others = [m for m in sliders.steered() if m != active and not regeneration.obstacle(m)]
    return [active, *others]


class _Making:
    """What buttons that make materials again share."""

    bl_options = {"UNDO"}

    wait: BoolProperty(
        name="Wait", description="Return only when the material is there", options={"SKIP_SAVE"}
    )
    timeout: FloatProperty(name="Timeout", default=600.0, min=0.1, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        problem = regeneration.obstacle(sliders.active_material())
        return needs(cls, not problem, problem and f"{problem.info.message} {problem.info.cure}")

    def execute(self, _context: bpy.types.Context) -> set[str]:
        try:
            for material in steered():
                self.make(material)
            pump.wake()
            if self.wait:
                settle(self.timeout)
        except TilewrightError as error:
            return failed(self, error)
        return {"FINISHED"}


class TILEWRIGHT_OT_regenerate(_Making, bpy.types.Operator):
    """Make the textures anew from the recipe of the material, the same as they were"""

    bl_idname = "tilewright.regenerate"
    bl_label = "Regenerate"

    @classmethod
    def description(cls, _context: bpy.types.Context, _chosen: bpy.types.OperatorProperties) -> str:
        material = sliders.active_material()
        undoes = material and material.tilewright.repaired
        return f"{cls.__doc__}{'. What was repaired in them is lost' if undoes else ''}"

    def make(self, material: bpy.types.Material) -> None:
        regeneration.regenerate(material)


class TILEWRIGHT_OT_switch_size(_Making, bpy.types.Operator):
    """Make the same material at this size. A larger tile repeats less, and all on it stays as large"""

    bl_idname = "tilewright.switch_size"
    bl_label = "Switch Size"

    side: IntProperty(
        name="Side", description="Of the longer side", subtype="PIXEL", default=1024, min=1
    )

    def make(self, material: bpy.types.Material) -> None:
        regeneration.switch_size(material, self.side)


class TILEWRIGHT_OT_cancel_regeneration(bpy.types.Operator):
    """Stop making this material; it stays as it is shown"""

    bl_idname = "tilewright.cancel_regeneration"
    bl_label = "Cancel"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        material = sliders.active_material()
        runs = node_tree.is_ours(material) and regeneration.job_of(material)
        return needs(cls, runs, "Nothing is being made for this material")

    def execute(self, _context: bpy.types.Context) -> set[str]:
        try:
            for material in sliders.steered():
                if regeneration.job_of(material):
                    regeneration.cancel(material)
        except TilewrightError as error:
            return failed(self, error)
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_regenerate,
        TILEWRIGHT_OT_switch_size,
        TILEWRIGHT_OT_cancel_regeneration,
    )
)
