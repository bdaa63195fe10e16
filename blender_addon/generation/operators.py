"""Generate materials and put them on objects."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty

from gan_worker.limits import SEEDS

from ..shader import node_tree
from ..steering import sliders
from ..steering.steering import settle
from ..worker import pump, session
from ..worker.reporting import Action, no_worker, obstacle_of, unless
from . import regeneration, requests


class TILEWRIGHT_OT_generate_material(Action, bpy.types.Operator):
    """Generate a material and put it on the active or the selected objects"""

    bl_idname = "tilewright.generate_material"
    bl_label = "Generate"
    bl_options = {"UNDO"}

    wait: BoolProperty(
        name="Wait", description="Return only when the material is there", options={"SKIP_SAVE"}
    )
    timeout: FloatProperty(name="Timeout", default=600.0, min=0.1, options={"SKIP_SAVE"})

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        return (
            no_worker()
            or unless(session.current.models, "The worker has told of no model yet")
            or unless(context.scene.tilewright.model, "Choose a model first")
        )

    def act(self, context: bpy.types.Context) -> None:
        chosen = context.scene.tilewright
        objects, left_out = requests.target_objects(context), requests.left_out(context)
        vary = chosen.vary_per_object and chosen.target == "SELECTED" and bool(objects)
        order = requests.result_order(context.scene)
        jobs = requests.generate_for_objects(
            objects, requests.generation_config(context.scene), order, vary
        )
        if self.wait:
            for job in jobs:
                pump.wait_for_job(job, self.timeout)
        self._warn(objects, left_out)

    def _warn(self, objects: list[bpy.types.Object], left_out: list[str]) -> None:
        for sentence in left_out:
            self.tell("WARNING", sentence)
        if not objects:
            self.tell("WARNING", "No object takes a material: it is kept in the .blend unused")
        for name in requests.objects_without_uv(objects):
            self.tell("WARNING", f"{name} has no UV map and will show one color only")


class TILEWRIGHT_OT_next_seed(Action, bpy.types.Operator):
    """Go to another seed and generate"""

    bl_idname = "tilewright.next_seed"
    bl_label = "Next Seed"
    bl_options = {"UNDO"}

    step: IntProperty(default=1, options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        return TILEWRIGHT_OT_generate_material.obstacle(context)

    def act(self, context: bpy.types.Context) -> set[str]:
        chosen = context.scene.tilewright
        chosen.seed = (chosen.seed + self.step) % SEEDS.most
        return bpy.ops.tilewright.generate_material()  # type: ignore[attr-defined]  # ours, which the stub has not


class TILEWRIGHT_OT_cancel_generation(Action, bpy.types.Operator):
    """Stop generating; materials that are not finished stay as they are"""

    bl_idname = "tilewright.cancel_generation"
    bl_label = "Cancel"

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return no_worker() or unless(
            session.current.running("generate"), "Nothing is being generated"
        )

    def act(self, _context: bpy.types.Context) -> None:
        requests.cancel_generation()


class _Making(Action):
    """What buttons that make materials again share."""

    bl_options = {"UNDO"}

    wait: BoolProperty(
        name="Wait", description="Return only when the material is there", options={"SKIP_SAVE"}
    )
    timeout: FloatProperty(name="Timeout", default=600.0, min=0.1, options={"SKIP_SAVE"})

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return obstacle_of(regeneration.check, sliders.active_material())

    def make(self, material: bpy.types.Material) -> None:
        """Make one of them."""
        raise NotImplementedError

    def act(self, _context: bpy.types.Context) -> None:
        for material in _steered():
            self.make(material)
        pump.wake()
        if self.wait:
            settle(self.timeout)


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
    """Make the same tile with this resolution. Beyond the finest detail of its model, the tile shows more area"""

    bl_idname = "tilewright.switch_size"
    bl_label = "Switch Resolution"

    side: IntProperty(
        name="Side", description="Of the longer side", subtype="PIXEL", default=1024, min=1
    )

    def make(self, material: bpy.types.Material) -> None:
        regeneration.switch_size(material, self.side)


class TILEWRIGHT_OT_switch_area(_Making, bpy.types.Operator):
    """Let the tile show so much of the material. A larger one repeats less, and all on it stays as large"""

    bl_idname = "tilewright.switch_area"
    bl_label = "Switch Tile Area"

    times: IntProperty(
        name="Times", description="As wide as the natural tile of the model", default=1, min=1
    )

    def make(self, material: bpy.types.Material) -> None:
        regeneration.switch_area(material, self.times)


class TILEWRIGHT_OT_estimate_maps(_Making, bpy.types.Operator):
    """Estimate the maps that this material has not from its base color; its look and its size stay"""

    bl_idname = "tilewright.estimate_maps"
    bl_label = "Estimate Missing Maps"

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return obstacle_of(regeneration.check_missing, sliders.active_material())

    def make(self, material: bpy.types.Material) -> None:
        if regeneration.missing_maps(material):
            regeneration.estimate_missing(material)


class TILEWRIGHT_OT_cancel_regeneration(Action, bpy.types.Operator):
    """Stop making this material; it stays as it is shown"""

    bl_idname = "tilewright.cancel_regeneration"
    bl_label = "Cancel"
    bl_options = {"UNDO"}

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        material = sliders.active_material()
        runs = node_tree.is_ours(material) and regeneration.job_of(material)
        return unless(runs, "Nothing is being made for this material")

    def act(self, _context: bpy.types.Context) -> None:
        for material in sliders.steered():
            if regeneration.job_of(material):
                regeneration.cancel(material)


def _steered() -> list[bpy.types.Material]:
    """The materials of the panel that can be made again: the active one, and those that go with it."""
    active = regeneration.check(sliders.active_material())
    others = [
        m for m in sliders.steered() if m != active and not obstacle_of(regeneration.check, m)
    ]
    return [active, *others]


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_generate_material,
        TILEWRIGHT_OT_next_seed,
        TILEWRIGHT_OT_cancel_generation,
        TILEWRIGHT_OT_regenerate,
        TILEWRIGHT_OT_switch_size,
        TILEWRIGHT_OT_switch_area,
        TILEWRIGHT_OT_estimate_maps,
        TILEWRIGHT_OT_cancel_regeneration,
    )
)
