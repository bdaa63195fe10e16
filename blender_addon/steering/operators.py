"""Steer the latents of materials that were generated."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty

from gan_worker.errors import TilewrightError

from ..properties import quietly
from ..worker import pump
from ..worker.reporting import failed, needs
from . import live, sliders
from .sliders import LARGEST_SEED


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
        fresh = random.randrange(LARGEST_SEED) if step is None else (seed + step) % LARGEST_SEED
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


register, unregister = bpy.utils.register_classes_factory(
    (TILEWRIGHT_OT_change_seed, TILEWRIGHT_OT_reset_latents, TILEWRIGHT_OT_apply_latents)
)
