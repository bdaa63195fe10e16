"""Steer the latents of materials that were generated."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from gan_worker.errors import TilewrightError
from gan_worker.limits import SEEDS

from ..worker import pump
from ..worker.reporting import failed, needs
from . import favourites, live, sliders, variations
from .changes import quietly


def steer(
    material: bpy.types.Material,
    seed: int | None = None,
    truncation_psi: float | None = None,
    directions: Mapping[str, float] | None = None,
) -> None:
    """Change several latents of one material, and let it follow.

    Setting `material.tilewright.latents.seed` and so on does the same for one of them.

    Args:
        material: one that was generated.
        seed: 0 or more.
        truncation_psi: 0 to 2.
        directions: name such as `pca 1` → steps; those not named stay.
    """
    kept = material.tilewright.latents
    with quietly():
        if seed is not None:
            kept.seed = seed
        if truncation_psi is not None:
            kept.truncation_psi = truncation_psi
        sliders.add_sliders(material, directions or ())
        for name, amount in (directions or {}).items():
            kept.directions[name].amount = amount
    live.follow(material)
    pump.wake()


def change_seed(materials: Iterable[bpy.types.Material], step: int | None) -> None:
    """Count each material's seed on by a step, or draw a new one where there is none."""
    for material in materials:
        seed = material.tilewright.latents.seed
        fresh = random.randrange(SEEDS.most) if step is None else (seed + step) % SEEDS.most
        steer(material, seed=fresh)


def reset(materials: Iterable[bpy.types.Material]) -> None:
    """Put the sliders back to where they change nothing, and things to where the seed puts them; seeds stay."""
    for material in materials:
        sliders.put_back_layout(material)
        names = material.tilewright.latents.directions.keys()
        steer(material, truncation_psi=1.0, directions=dict.fromkeys(names, 0.0))


def settle(timeout: float = 600.0) -> None:
    """Wait until all materials show at full size what their latents ask for, for scripts.

    Raises:
        TilewrightError: what broke the connection, or `worker_silent` after the timeout.
    """
    live.let_rest()
    pump.wait(live.is_settled, timeout)
    pump.finish()


class _Steering:
    """What buttons of the Latents panel share."""

    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        reason = live.reason(sliders.active_material())
        return needs(cls, not reason, reason)


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

    def execute(self, _context: bpy.types.Context) -> set[str]:
        step = None if self.draw_new else self.step
        change_seed(sliders.steered(), step)
        return {"FINISHED"}


class TILEWRIGHT_OT_reset_latents(_Steering, bpy.types.Operator):
    """Put all sliders back to where they change nothing, and things to where the seed puts them. The seed stays"""

    bl_idname = "tilewright.reset_latents"
    bl_label = "Reset"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        reset(sliders.steered())
        return {"FINISHED"}


class TILEWRIGHT_OT_apply_latents(_Steering, bpy.types.Operator):
    """Generate at full size what the sliders say"""

    bl_idname = "tilewright.apply_latents"
    bl_label = "Apply"

    wait: BoolProperty(
        name="Wait", description="Return only when the material is there", options={"SKIP_SAVE"}
    )
    timeout: FloatProperty(name="Timeout", default=600.0, min=0.1, options={"SKIP_SAVE"})

    def execute(self, _context: bpy.types.Context) -> set[str]:
        try:
            for material in sliders.steered():
                live.follow(material)
            pump.wake()
            if self.wait:
                settle(self.timeout)
        except TilewrightError as error:
            return failed(self, error)
        return {"FINISHED"}


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


class TILEWRIGHT_OT_add_favourite(bpy.types.Operator):
    """Keep the present look of the material among the favorites of this file"""

    bl_idname = "tilewright.add_favourite"
    bl_label = "Add Favorite"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        material = sliders.active_material()
        return needs(
            cls, sliders.has_latents(material), "The active object has no generated material"
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        favourites.add(context.scene, sliders.active_material())
        pump.wake()
        return {"FINISHED"}


class _OfOne:
    """What buttons beside a favorite share."""

    bl_options = {"UNDO"}

    uid: StringProperty(options={"SKIP_SAVE", "HIDDEN"})


class TILEWRIGHT_OT_remove_favourite(_OfOne, bpy.types.Operator):
    """Take this look off the list. Materials that have it stay as they are"""

    bl_idname = "tilewright.remove_favourite"
    bl_label = "Remove Favorite"

    def execute(self, context: bpy.types.Context) -> set[str]:
        favourites.remove(context.scene, self.uid)
        return {"FINISHED"}


class TILEWRIGHT_OT_apply_favourite(_OfOne, bpy.types.Operator):
    """Give the material this look"""

    bl_idname = "tilewright.apply_favourite"
    bl_label = "Apply"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        reason = live.reason(sliders.active_material())
        return needs(cls, not reason, reason)

    def execute(self, context: bpy.types.Context) -> set[str]:
        favourite = favourites.find(context.scene, self.uid)
        if favourite is None:
            return {"CANCELLED"}
        for material in sliders.steered():
            favourites.apply(material, favourite)
        pump.wake()
        return {"FINISHED"}


class TILEWRIGHT_OT_mix_favourite(_OfOne, bpy.types.Operator):
    """Make this look one end of the slider that mixes two"""

    bl_idname = "tilewright.mix_favourite"
    bl_label = "Mix"

    end: EnumProperty(
        items=[("mix_a", "A", ""), ("mix_b", "B", "")], options={"SKIP_SAVE", "HIDDEN"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        setattr(context.scene.tilewright, self.end, self.uid)
        return {"FINISHED"}


class _OfFile:
    filename_ext = ".json"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        self.filepath = self.filepath or "favourites.json"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def path(self) -> Path:
        path = Path(bpy.path.abspath(self.filepath))
        return path if path.suffix else path.with_suffix(self.filename_ext)


class TILEWRIGHT_OT_export_favourites(_OfFile, bpy.types.Operator):
    """Write the favorites to a small file, for other scenes and other people"""

    bl_idname = "tilewright.export_favourites"
    bl_label = "Export Favorites"

    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs(cls, len(context.scene.tilewright.favourites), "There are no favorites yet")

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            count = favourites.export(context.scene, self.path())
        except TilewrightError as error:
            return failed(self, error)
        self.report({"INFO"}, f"{count} favorites written")
        return {"FINISHED"}


class TILEWRIGHT_OT_import_favourites(_OfFile, bpy.types.Operator):
    """Add the favorites of a file. They need the model that they were made with"""

    bl_idname = "tilewright.import_favourites"
    bl_label = "Import Favorites"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            count = favourites.load(context.scene, self.path())
        except TilewrightError as error:
            return failed(self, error)
        pump.wake()
        self.report({"INFO"}, f"{count} favorites added")
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_change_seed,
        TILEWRIGHT_OT_reset_latents,
        TILEWRIGHT_OT_apply_latents,
        TILEWRIGHT_OT_roll_variations,
        TILEWRIGHT_OT_choose_variation,
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
