"""The panel that lets a material move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..shader import node_tree
from ..steering import favourites, sliders
from ..ui import thumbnails
from ..ui.layouts import TabPanel, draw_task, paragraph, properties_column
from . import motion

if TYPE_CHECKING:
    from gan_worker.styles.motion import Evenness


class TILEWRIGHT_PT_motion(TabPanel, bpy.types.Panel):
    bl_label = "Motion"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, scene, width = self.layout, context.scene, context.region.width
        chosen, material = scene.tilewright.motion, sliders.active_material()
        layout.row().prop(chosen, "path", expand=True)
        if chosen.path == "FAVOURITES":
            _draw_favourites(layout, scene, material)
        column = properties_column(layout)
        if chosen.path == "CIRCLE":
            for name in ("first", "second", "radius"):
                column.prop(chosen, name)
        if chosen.path == "KEYFRAMES":
            column.prop(scene, "frame_start", text="Frame Start")
            column.prop(scene, "frame_end", text="End")
        else:
            column.prop(chosen, "frames")
            column.prop(chosen, "sway", slider=True)
        if sliders.has_latents(material):
            kept = material.tilewright.latents
            column.label(text=f"{kept.width} × {kept.height} pixels each")
        is_loop = chosen.path != "KEYFRAMES"
        hindrance = motion.obstacle(scene, material)
        if hindrance:
            paragraph(layout, hindrance, width, "INFO")
        layout.operator(
            "tilewright.bake_motion",
            text="Bake Loop" if is_loop else "Bake Animation",
            icon="RENDER_ANIMATION",
        )
        bake = motion.MotionBake.newest()
        draw_task(layout, bake, width, "tilewright.cancel_motion")
        if sliders.has_latents(material) and node_tree.shows_sequence(material):
            _draw_result(layout, bake, width)


def _draw_favourites(
    layout: bpy.types.UILayout, scene: bpy.types.Scene, material: bpy.types.Material | None
) -> None:
    model = material.tilewright.latents.model if material else ""
    column = layout.column(align=True)
    for favourite in favourites.of_model(scene, model):
        row = column.row()
        picture = thumbnails.icon(favourites.picture_name(favourite))
        row.template_icon(icon_value=picture, scale=1.6)
        row.prop(favourite, "in_loop", text=favourite.name)


def _draw_result(layout: bpy.types.UILayout, bake: motion.MotionBake | None, width: int) -> None:
    if bake and bake.state == "succeeded" and bake.evenness:
        paragraph(layout, _in_words(bake.progress.total, bake.evenness), width, "CHECKMARK")
    text = "Space over the 3D View plays it. Apply in Latents shows the still material again"
    paragraph(layout, text, width, "INFO")


def _in_words(frames: int, found: Evenness) -> str:
    text = f"{frames} frames. The largest step is {found.largest:.1f} times a usual one"
    return text if found.closing is None else f"{text}, that from last to first {found.closing:.1f}"


register, unregister = bpy.utils.register_classes_factory((TILEWRIGHT_PT_motion,))
