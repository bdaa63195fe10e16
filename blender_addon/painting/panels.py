"""The panel to paint looks with, in the sidebar of the 3D View and the Image Editor."""

from __future__ import annotations

import bpy

from ..steering import favourites, sliders
from ..ui import thumbnails
from ..ui.layouts import TabPanel, paragraph
from ..worker.reporting import obstacle_of, still
from . import painting


class TILEWRIGHT_MT_add_look(bpy.types.Menu):
    bl_label = "Add a Look"
    bl_description = "Choose a favorite to paint with. Four can be painted with at once"

    def draw(self, context: bpy.types.Context) -> None:
        material = still(sliders.active_material())
        offered = painting.looks_to_add(context.scene, material)
        for favourite in offered:
            self.layout.operator("tilewright.add_look", text=favourite.name).uid = favourite.uid
        if not offered:
            model = material.tilewright.latents.model
            text = f"Keep more looks of {model} with Add Favorite first"
            self.layout.label(text=text, icon="INFO")


class _Paint:
    bl_label = "Paint Looks"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        layout, material = self.layout, sliders.active_material()
        reason, width = painting.obstacle(material), context.region.width
        if reason:
            paragraph(layout, reason, width, "INFO")
        if not sliders.has_latents(material):
            return
        _draw_looks(layout, material)
        layout.menu("TILEWRIGHT_MT_add_look", icon="ADD")
        if context.object and context.object.mode in ("TEXTURE_PAINT", "VERTEX_PAINT"):
            layout.operator("object.mode_set", text="Done", icon="CHECKMARK").mode = "OBJECT"
            paragraph(
                layout, "Click a look, then paint. Soft brushes mix looks", width, "BRUSH_DATA"
            )
        else:
            missing = "" if reason else obstacle_of(painting.check, context.object)
            if missing:
                paragraph(layout, missing, width, "INFO")
            row = layout.row(align=True)
            row.operator("tilewright.paint_looks", icon="BRUSH_DATA")
            row.operator(
                "tilewright.paint_looks", text="Paint Vertices", icon="GROUP_VCOL"
            ).on_vertices = True
        if material.tilewright.style_image is None:
            return
        if material.tilewright.latents.material:
            paragraph(layout, "Look Of overrules what is painted: clear it", width, "ERROR")
        elif painting.is_painted(material) and painting.lies_elsewhere(material):
            text = "Strokes show elsewhere: the tile does not lie once over the UV map. Paint lays it so"
            paragraph(layout, text, width, "ERROR")


def _draw_looks(layout: bpy.types.UILayout, material: bpy.types.Material) -> None:
    picked, column = painting.picked(), layout.column(align=True)
    for look in material.tilewright.painted_looks:
        row = column.row(align=True)
        picture = thumbnails.icon(favourites.PREFIX + look.uid)
        row.template_icon(icon_value=picture, scale=1.6)
        swatch = painting.swatches.icon(str(look.place))
        row.operator(
            "tilewright.pick_look",
            text=look.name,
            icon_value=swatch,
            depress=look.place == picked,
        ).place = look.place
        row.operator("tilewright.remove_look", text="", icon="X").place = look.place


class TILEWRIGHT_PT_painting(_Paint, TabPanel, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_painting_image(_Paint, TabPanel, bpy.types.Panel):
    bl_space_type = "IMAGE_EDITOR"


register, unregister = bpy.utils.register_classes_factory(
    (TILEWRIGHT_MT_add_look, TILEWRIGHT_PT_painting, TILEWRIGHT_PT_painting_image)
)
