"""Steer the latents of materials that were generated."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..worker import pump
from ..worker.reporting import Action, counted, require, still, unless
from . import favourites, live, sliders, steering, variations


class _Steering(Action):
    """What buttons share that move the active material."""

    bl_options = {"UNDO"}

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return live.obstacle(sliders.active_material())


class TILEWRIGHT_OT_change_seed(_Steering, bpy.types.Operator):
    """Go to another seed: another variant, and another arrangement"""

    bl_idname = "tilewright.change_seed"
    bl_label = "Change Seed"

    step: IntProperty(default=1, options={"SKIP_SAVE", "HIDDEN"})
    draw_new: BoolProperty(default=False, options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def description(cls, _context: bpy.types.Context, chosen: bpy.types.OperatorProperties) -> str:
        if chosen.draw_new:
            return "Draw a new seed: a surprise"
        return "Go to the next seed" if chosen.step > 0 else "Go back to the seed before"

    def act(self, _context: bpy.types.Context) -> None:
        step = None if self.draw_new else self.step
        steering.change_seed(sliders.steered(), step)


class TILEWRIGHT_OT_reset_latents(_Steering, bpy.types.Operator):
    """Put all sliders back to where they change nothing, and things to where the seed puts them. The seed stays"""

    bl_idname = "tilewright.reset_latents"
    bl_label = "Reset"

    def act(self, _context: bpy.types.Context) -> None:
        steering.reset(sliders.steered())


class TILEWRIGHT_OT_apply_latents(_Steering, bpy.types.Operator):
    """Generate at full size what the sliders say"""

    bl_idname = "tilewright.apply_latents"
    bl_label = "Apply"

    wait: BoolProperty(
        name="Wait", description="Return only when the material is there", options={"SKIP_SAVE"}
    )
    timeout: FloatProperty(name="Timeout", default=600.0, min=0.1, options={"SKIP_SAVE"})

    def act(self, _context: bpy.types.Context) -> None:
        for material in sliders.steered():
            live.follow(material)
        pump.wake()
        if self.wait:
            steering.settle(self.timeout)


class TILEWRIGHT_OT_roll_variations(_Steering, bpy.types.Operator):
    """Draw other variations around the picture in the middle"""

    bl_idname = "tilewright.roll_variations"
    bl_label = "More Like This"

    anywhere: BoolProperty(default=False, options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def description(cls, _context: bpy.types.Context, chosen: bpy.types.OperatorProperties) -> str:
        if chosen.anywhere:
            return "Show looks of any kind, not near the present one"
        return "Draw other variations around the picture in the middle"

    def act(self, context: bpy.types.Context) -> None:
        chosen = context.scene.tilewright
        chosen.explore_anywhere = self.anywhere
        chosen.explore_roll += 1


class TILEWRIGHT_OT_choose_variation(_Steering, bpy.types.Operator):
    """Give the material this look, and show variations of it"""

    bl_idname = "tilewright.choose_variation"
    bl_label = "Choose"

    place: IntProperty(min=0, max=variations.COUNT - 1, options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        return super().obstacle(context) or unless(
            variations.configs(), "There are no pictures yet: turn Explore on"
        )

    def act(self, context: bpy.types.Context) -> None:
        for material in sliders.steered():
            variations.choose(material, self.place)
        context.scene.tilewright.explore_anywhere = False
        pump.wake()


class TILEWRIGHT_OT_choose_look(_Steering, bpy.types.Operator):
    """Start from the look of this training material"""

    bl_idname = "tilewright.choose_look"
    bl_label = "Choose"

    look: StringProperty(options={"SKIP_SAVE", "HIDDEN"})

    def act(self, _context: bpy.types.Context) -> None:
        if material := sliders.active_material():
            material.tilewright.latents.material = self.look
            live.follow(material)
            pump.wake()


class _Stepping(_Steering):
    step = -1

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        found = super().obstacle(context)
        if found:
            return found
        there = variations.can_step(sliders.active_material(), cls.step)
        return unless(there, "There is nothing " + ("before" if cls.step < 0 else "after"))

    def act(self, _context: bpy.types.Context) -> None:
        variations.step_history(still(sliders.active_material()), self.step)
        pump.wake()


class TILEWRIGHT_OT_history_back(_Stepping, bpy.types.Operator):
    """Go back to the look before"""

    bl_idname = "tilewright.history_back"
    bl_label = "Back"


class TILEWRIGHT_OT_history_forward(_Stepping, bpy.types.Operator):
    """Go forward to the look after"""

    bl_idname = "tilewright.history_forward"
    bl_label = "Forward"
    step = 1


class TILEWRIGHT_OT_add_favourite(Action, bpy.types.Operator):
    """Keep the present look of the material among the favorites of this file"""

    bl_idname = "tilewright.add_favourite"
    bl_label = "Add Favorite"
    bl_options = {"UNDO"}

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        material = sliders.active_material()
        return unless(sliders.has_latents(material), "The active object has no generated material")

    def act(self, context: bpy.types.Context) -> None:
        favourites.add(context.scene, still(sliders.active_material()))
        pump.wake()


class _OfOne(Action):
    """What buttons beside a favorite share."""

    bl_options = {"UNDO"}

    uid: StringProperty(options={"SKIP_SAVE", "HIDDEN"})


class TILEWRIGHT_OT_remove_favourite(_OfOne, bpy.types.Operator):
    """Take this look off the list. Materials that have it stay as they are"""

    bl_idname = "tilewright.remove_favourite"
    bl_label = "Remove Favorite"

    def act(self, context: bpy.types.Context) -> None:
        favourites.remove(context.scene, self.uid)


class TILEWRIGHT_OT_apply_favourite(_OfOne, bpy.types.Operator):
    """Give the material this look"""

    bl_idname = "tilewright.apply_favourite"
    bl_label = "Apply"

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return live.obstacle(sliders.active_material())

    def act(self, context: bpy.types.Context) -> set[str] | None:
        favourite = favourites.find(context.scene, self.uid)
        if favourite is None:
            return {"CANCELLED"}
        for material in sliders.steered():
            favourites.apply(material, favourite)
        pump.wake()
        return None


class TILEWRIGHT_OT_mix_favourite(_OfOne, bpy.types.Operator):
    """Make this look one end of the slider that mixes two"""

    bl_idname = "tilewright.mix_favourite"
    bl_label = "Mix"

    end: EnumProperty(
        items=[("mix_a", "A", ""), ("mix_b", "B", "")], options={"SKIP_SAVE", "HIDDEN"}
    )

    def act(self, context: bpy.types.Context) -> None:
        setattr(context.scene.tilewright, self.end, self.uid)


class _OfFile(Action):
    filename_ext = ".json"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        self.filepath = self.filepath or "favorites.json"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def path(self) -> Path:
        rule = "A file of favorites must be named; it is not."
        require(bpy.path.basename(self.filepath), rule, "Type its name, or choose one.")
        path = Path(bpy.path.abspath(self.filepath))
        return path if path.suffix else path.with_suffix(self.filename_ext)


class TILEWRIGHT_OT_export_favourites(_OfFile, bpy.types.Operator):
    """Write the favorites to a small file, for other scenes and other people"""

    bl_idname = "tilewright.export_favourites"
    bl_label = "Export Favorites"

    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        return unless(len(context.scene.tilewright.favourites), "There are no favorites yet")

    def act(self, context: bpy.types.Context) -> None:
        count = favourites.export(context.scene, self.path())
        self.tell("INFO", f"{counted(count, 'favorite')} written")


class TILEWRIGHT_OT_import_favourites(_OfFile, bpy.types.Operator):
    """Add the favorites of a file. They need the model that they were made with"""

    bl_idname = "tilewright.import_favourites"
    bl_label = "Import Favorites"
    bl_options = {"UNDO"}

    def act(self, context: bpy.types.Context) -> None:
        count = favourites.load(context.scene, self.path())
        pump.wake()
        self.tell("INFO", f"{counted(count, 'favorite')} added")


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_change_seed,
        TILEWRIGHT_OT_reset_latents,
        TILEWRIGHT_OT_apply_latents,
        TILEWRIGHT_OT_roll_variations,
        TILEWRIGHT_OT_choose_variation,
        TILEWRIGHT_OT_choose_look,
        TILEWRIGHT_OT_history_back,
        TILEWRIGHT_OT_history_forward,
        TILEWRIGHT_OT_add_favourite,
        TILEWRIGHT_OT_remove_favourite,
        TILEWRIGHT_OT_apply_favourite,
        TILEWRIGHT_OT_mix_favourite,
        TILEWRIGHT_OT_export_favourites,
        TILEWRIGHT_OT_import_favourites,
    )
)
