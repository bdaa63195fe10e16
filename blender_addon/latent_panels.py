"""The panels that steer a material, in the sidebar of the 3D View, the Image Editor and the Shader Editor."""

from __future__ import annotations

import bpy

from . import latents, live, session
from .panels import _Panel as Panel
from .panels import _paragraph as paragraph
from .panels import _split as split


class _Latents:
    bl_label = "Latents"

    def draw(self, context: bpy.types.Context) -> None:
        layout, chosen = self.layout, context.scene.tilewright
        material = latents.active_material()
        reason = live.reason(material)
        row = layout.row(align=True)
        row.prop(chosen, "live", toggle=True, icon="PLAY" if not chosen.live else "REC")
        row.operator("tilewright.apply_latents")
        row.operator("tilewright.reset_latents")
        if reason:
            paragraph(layout, reason, context.region.width, "INFO")
        if not latents.has_latents(material):
            layout.operator("tilewright.generate_material", icon="SHADERFX")
            return
        column = layout.column()
        column.enabled = not reason
        _draw_seed(column, material)
        _draw_sliders(column, context.scene, material)
        _draw_state(layout, material)


def _draw_seed(layout: bpy.types.UILayout, material: bpy.types.Material) -> None:
    kept = material.tilewright.latents
    row = layout.row(align=True)
    row.operator("tilewright.change_seed", text="", icon="TRIA_LEFT").step = -1
    row.prop(kept, "seed")
    row.operator("tilewright.change_seed", text="", icon="TRIA_RIGHT").step = 1
    row.operator("tilewright.change_seed", text="", icon="FILE_REFRESH").draw_new = True
    model = session.current.model(kept.model)
    if model and model.styles:
        split(layout).prop(kept, "material")


def _draw_sliders(
    layout: bpy.types.UILayout, scene: bpy.types.Scene, material: bpy.types.Material
) -> None:
    kept, labels = material.tilewright.latents, scene.tilewright.direction_labels
    column = layout.column(align=True)
    for direction in kept.directions:
        row = column.split(factor=0.4, align=True)
        label = labels.get(latents.label_key(kept.model, direction.name))
        if label:
            row.prop(label, "label", text="", emboss=False)
        else:
            row.label(text=direction.name)
        row.prop(direction, "amount", text="", slider=True)
    if not kept.directions:
        layout.label(text="This model has only seeds", icon="INFO")
    column = split(layout)
    column.prop(kept, "truncation_psi", slider=True)
    column.prop(scene.tilewright, "scale")
    column.prop(scene.tilewright, "preview_size")
    column.row().prop(scene.tilewright, "target", expand=True)


def _draw_state(layout: bpy.types.UILayout, material: bpy.types.Material) -> None:
    shown = material.tilewright
    if not shown.recipe:
        return
    size = f"{shown.width} × {shown.height}"
    if live.is_settling(material):
        layout.label(text=f"Preview, {size}", icon="SORTTIME")
    else:
        layout.label(text=size, icon="CHECKMARK")


class TILEWRIGHT_PT_latents(_Latents, Panel, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_latents_image(_Latents, Panel, bpy.types.Panel):
    bl_space_type = "IMAGE_EDITOR"


class TILEWRIGHT_PT_latents_shader(_Latents, Panel, bpy.types.Panel):
    bl_space_type = "NODE_EDITOR"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.space_data.tree_type == "ShaderNodeTree"


register, unregister = bpy.utils.register_classes_factory(
    (TILEWRIGHT_PT_latents, TILEWRIGHT_PT_latents_image, TILEWRIGHT_PT_latents_shader)
)
