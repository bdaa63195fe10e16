"""Generate materials and put them on objects."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy_extras.view3d_utils import region_2d_to_origin_3d, region_2d_to_vector_3d

from ..shader import node_tree
from ..steering import sliders
from ..steering.steering import settle
from ..worker import pump, session
from ..worker.reporting import (
    Action,
    CancelTask,
    StartTask,
    no_worker,
    obstacle_of,
    require,
    unless,
)
from . import photo, regeneration, requests


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
        jobs, remarks = requests.generate_chosen(context)
        if self.wait:
            for job in jobs:
                pump.wait_for_job(job, self.timeout)
        for sentence in remarks:
            self.tell("WARNING", sentence)


class TILEWRIGHT_OT_next_seed(Action, bpy.types.Operator):
    """Go to another seed and generate"""

    bl_idname = "tilewright.next_seed"
    bl_label = "Next Seed"
    bl_options = {"UNDO"}

    step: IntProperty(default=1, options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        return TILEWRIGHT_OT_generate_material.obstacle(context)

    def act(self, context: bpy.types.Context) -> None:
        chosen = context.scene.tilewright
        seed = sliders.later_seed(chosen.seed, self.step)
        _, remarks = requests.generate_chosen(context, seed)
        chosen.seed = seed  # only now: one that is refused stays where it is
        for sentence in remarks:
            self.tell("WARNING", sentence)


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
    def description(cls, _context: bpy.types.Context, _chosen: bpy.types.OperatorProperties) -> str:
        material = sliders.active_material()
        undoes = material and material.tilewright.repaired
        return f"{cls.__doc__}{'. What was repaired is lost' if undoes else ''}"

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
    """Estimate the maps that this material lacks from its base color; its look and its size stay"""

    bl_idname = "tilewright.estimate_maps"
    bl_label = "Estimate Missing Maps"

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return obstacle_of(regeneration.check_missing, sliders.active_material())

    def make(self, material: bpy.types.Material) -> None:
        if regeneration.missing_maps(material):
            regeneration.estimate_missing(material)


class TILEWRIGHT_OT_photo_to_material(StartTask, bpy.types.Operator):
    """Make a material of one photo, in seconds and without training: all maps that are missing are estimated"""

    bl_idname = "tilewright.photo_to_material"
    bl_label = "Photo to Material"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    source: EnumProperty(
        name="Source",
        items=[
            ("FILE", "File", "A picture file"),
            ("IMAGE", "Image", "The image that the Image Editor shows"),
            (
                "MATERIAL",
                "Material",
                "The images of the active material; what they lack is estimated",
            ),
        ],
        options={"SKIP_SAVE"},
    )
    filter_glob: StringProperty(default=photo.PICTURES, options={"SKIP_SAVE", "HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return no_worker() or obstacle_of(photo.check)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.source == "FILE" and not self.filepath:
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        self.below = _object_below(context, event) if self.filepath else None
        return self.execute(context)

    def begin(self, context: bpy.types.Context) -> photo.PhotoMaterial:
        objects, left_out = self._targets(context)
        task = self._start(context, objects)
        for sentence in requests.warnings(objects, left_out):
            self.tell("WARNING", sentence)
        return task

    def act(self, context: bpy.types.Context) -> None:
        super().act(context)
        if self.wait:
            pump.finish()

    def _targets(self, context: bpy.types.Context) -> tuple[list[bpy.types.Object], list[str]]:
        """What gets the material, and why others that were chosen do not.

        Raises:
            RequestError: `invalid_config` where it was dropped onto what takes none.
        """
        below = getattr(self, "below", None)  # where it was dropped
        if below is None:
            return requests.target_objects(context), requests.left_out(context)
        reason = requests.refusal(below)
        rule = (
            f"What a photo is dropped onto must take a material; {below.name} does not: {reason}."
        )
        require(not reason, rule, "Drop it onto another object.")
        return [below], []

    def _start(
        self, context: bpy.types.Context, objects: list[bpy.types.Object]
    ) -> photo.PhotoMaterial:
        if self.source == "FILE":
            return photo.start(context.scene, [bpy.path.abspath(self.filepath)], objects)
        if self.source == "MATERIAL":
            rule = "The active object must have a material; it has none."
            material = require(sliders.active_material(), rule, "Choose one, or a file.")
            return photo.start_from_material(context.scene, material, objects)
        rule, cure = "An image must be shown in an Image Editor; none is.", "Open one there."
        image = require(getattr(context.space_data, "image", None), rule, cure)
        return photo.start_from_image(context.scene, image, objects)


def _object_below(context: bpy.types.Context, event: bpy.types.Event) -> bpy.types.Object | None:
    """The object under the mouse in a 3D View."""
    region, view = context.region, context.region_data
    if not (region and view and region.type == "WINDOW"):
        return None
    at = event.mouse_region_x, event.mouse_region_y
    start = region_2d_to_origin_3d(region, view, at)
    direction = region_2d_to_vector_3d(region, view, at)
    graph = context.evaluated_depsgraph_get()
    *_, found, _ = context.scene.ray_cast(graph, start, direction)
    return found.original if found else None


class TILEWRIGHT_OT_cancel_photo_to_material(CancelTask, bpy.types.Operator):
    """Stop making a material of the photo; nothing has changed yet"""

    bl_idname = "tilewright.cancel_photo_to_material"
    bl_label = "Cancel"
    nothing = "No photo becomes a material"

    @classmethod
    def task(cls, _context: bpy.types.Context) -> photo.PhotoMaterial | None:
        return photo.PhotoMaterial.running()


class TILEWRIGHT_FH_photo(bpy.types.FileHandler):
    """Takes photos that are dropped onto a 3D View; a menu offers it beside what Blender itself makes of pictures."""

    bl_idname = "TILEWRIGHT_FH_photo"
    bl_label = "Photo to Material"
    bl_import_operator = "tilewright.photo_to_material"
    bl_file_extensions = photo.PICTURES.replace("*", "")

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


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
        TILEWRIGHT_OT_photo_to_material,
        TILEWRIGHT_OT_cancel_photo_to_material,
        TILEWRIGHT_FH_photo,
        TILEWRIGHT_OT_cancel_regeneration,
    )
)
