"""The panels that steer a material, in the sidebar of the 3D View, the Image Editor and the Shader Editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..ui import thumbnails
from ..ui.layouts import ShaderEditor, TabPanel, paragraph, properties_column, ui_scale
from ..worker import session
from ..worker.reporting import draw_job_error, still
from . import favourites, live, sliders, variations

if TYPE_CHECKING:
    from gan_worker.wire.messages import ModelEntry

    from .properties import SteeringChoices, TILEWRIGHT_PG_favourite


class _Latents:
    bl_label = "Latents"

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        layout, chosen = self.layout, context.scene.tilewright
        material = sliders.active_material()
        reason = live.obstacle(material)
        row = layout.row(align=True)
        row.prop(chosen, "live", toggle=True, icon="PLAY" if not chosen.live else "REC")
        row.operator("tilewright.apply_latents")
        row.operator("tilewright.reset_latents")
        if reason:
            paragraph(layout, reason, context.region.width, "INFO")
        if not sliders.has_latents(material):
            layout.operator("tilewright.generate_material", icon="SHADERFX")
            return
        column = layout.column()
        column.enabled = not reason
        if sliders.is_photo(material):
            text = "A photo has no latents: Material › Estimated Maps moves its maps"
            paragraph(column, text, context.region.width, "INFO")
        else:
            _draw_seed(column, material)
            _draw_sliders(column, context.scene, material)
        _draw_showing(column, context.scene.tilewright)
        _draw_state(layout, material)
        draw_job_error(layout, context.region.width, live.PREVIEW, live.AT_REST)


def _draw_seed(layout: bpy.types.UILayout, material: bpy.types.Material) -> None:
    kept = material.tilewright.latents
    row = layout.row(align=True)
    row.operator("tilewright.change_seed", text="", icon="TRIA_LEFT").step = -1
    row.prop(kept, "seed")
    row.operator("tilewright.change_seed", text="", icon="TRIA_RIGHT").step = 1
    row.operator("tilewright.change_seed", text="", icon="FILE_REFRESH").draw_new = True
    model = session.current.model(kept.model)
    if model and model.styles:
        properties_column(layout).prop(kept, "material")


def _draw_sliders(
    layout: bpy.types.UILayout, scene: bpy.types.Scene, material: bpy.types.Material
) -> None:
    kept, labels = material.tilewright.latents, scene.tilewright.direction_labels
    column = layout.column(align=True)
    for direction in kept.directions:
        row = column.split(factor=0.4, align=True)
        label = labels.get(sliders.label_key(kept.model, direction.name))
        if label:
            row.prop(label, "label", text="", emboss=False)
        else:
            row.label(text=direction.name)
        row.prop(direction, "amount", text="", slider=True)
    if not kept.directions:
        layout.label(text="This model has only seeds", icon="INFO")
    properties_column(layout).prop(kept, "truncation_psi", slider=True)


def _draw_showing(layout: bpy.types.UILayout, chosen: SteeringChoices) -> None:
    column = properties_column(layout)
    column.prop(chosen, "scale")
    column.prop(chosen, "preview_size")
    column.row().prop(chosen, "target", expand=True)


def _draw_state(layout: bpy.types.UILayout, material: bpy.types.Material) -> None:
    shown = material.tilewright
    if not shown.recipe:
        return
    size = f"{shown.width} × {shown.height}"
    if live.is_settling(material):
        layout.label(text=f"Preview, {size}", icon="SORTTIME")
    else:
        layout.label(text=size, icon="CHECKMARK")


class _Looks:
    """The materials that a model knows by name, with a picture of each."""

    bl_label = "Looks"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return super().poll(context) and bool((model := _active_model()) and model.styles)

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        material, model = sliders.active_material(), _active_model()
        reason = live.obstacle(material)
        if reason or material is None or model is None:
            paragraph(self.layout, reason, context.region.width, "INFO")
            return
        variations.show_looks(model)
        grid = self.layout.grid_flow(
            row_major=True, columns=3, even_columns=True, even_rows=True, align=True
        )
        for style in model.styles:
            cell = grid.column(align=True)
            picture = thumbnails.icon(variations.look_name(model, style))
            cell.template_icon(icon_value=picture, scale=_picture_scale(context.region.width))
            depress = style == material.tilewright.latents.material
            cell.operator("tilewright.choose_look", text=style, depress=depress).look = style


def _active_model() -> ModelEntry | None:
    """What made the active material, as the worker tells of it."""
    material = sliders.active_material()
    return session.current.model(material.tilewright.latents.model) if material else None


def _picture_scale(width: int) -> float:
    """How large a picture is of which three fill a sidebar, in units of layouts: 20 pixels."""
    return max(2.0, (width / ui_scale() - 50) / 3 / 20)


class _Explore:
    bl_label = "Explore"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        self.layout.prop(context.scene.tilewright, "explore", text="")

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        layout, chosen = self.layout, context.scene.tilewright
        width, material = context.region.width, sliders.active_material()
        reason = live.obstacle(material)
        if not reason and sliders.is_photo(still(material)):
            reason = "A photo has no variations: train on it to have some"
        layout.active = chosen.explore
        if reason:
            paragraph(layout, reason, width, "INFO")
        elif not chosen.explore:
            paragraph(layout, "Tick Explore to see variations of the material", width, "INFO")
        if variations.configs():
            _draw_grid(layout, width)
        row = layout.row(align=True)
        row.operator("tilewright.history_back", text="", icon="LOOP_BACK")
        row.operator("tilewright.history_forward", text="", icon="LOOP_FORWARDS")
        row.operator("tilewright.roll_variations")
        row.operator("tilewright.roll_variations", text="Random Grid").anywhere = True
        properties_column(layout).prop(chosen, "explore_strength", slider=True)


def _draw_grid(layout: bpy.types.UILayout, width: int) -> None:
    units = _picture_scale(width)
    column = layout.column(align=True)
    for first in range(0, variations.COUNT, 3):
        row = column.row(align=True)
        for place in range(first, first + 3):
            cell = row.column(align=True)
            picture = thumbnails.icon(variations.picture_name(place))
            cell.template_icon(icon_value=picture, scale=units)
            if place == variations.CENTRE:
                cell.label(text="Now")
            else:
                cell.operator("tilewright.choose_variation").place = place


class _Favourites:
    bl_label = "Favorites"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        layout, chosen = self.layout, context.scene.tilewright
        layout.operator("tilewright.add_favourite", icon="SOLO_ON")
        column = layout.column()
        for favourite in chosen.favourites:
            _draw_favourite(column.box().row(), favourite, chosen)
        _draw_mix(layout, context.scene)
        row = layout.row(align=True)
        row.operator("tilewright.import_favourites", text="Import", icon="IMPORT")
        row.operator("tilewright.export_favourites", text="Export", icon="EXPORT")


def _draw_favourite(
    row: bpy.types.UILayout, favourite: TILEWRIGHT_PG_favourite, chosen: SteeringChoices
) -> None:
    row.template_icon(icon_value=thumbnails.icon(favourites.picture_name(favourite)), scale=2.6)
    column = row.column(align=True)
    column.prop(favourite, "name", text="")
    buttons = column.row(align=True)
    buttons.operator("tilewright.apply_favourite").uid = favourite.uid
    for text, end in (("A", "mix_a"), ("B", "mix_b")):
        is_end = getattr(chosen, end) == favourite.uid
        button = buttons.operator("tilewright.mix_favourite", text=text, depress=is_end)
        button.uid, button.end = favourite.uid, end
    buttons.operator("tilewright.remove_favourite", text="", icon="X").uid = favourite.uid


def _draw_mix(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    chosen = scene.tilewright
    a, b = (favourites.find(scene, uid) for uid in (chosen.mix_a, chosen.mix_b))
    if a and b:
        layout.prop(chosen, "mix", text=f"{a.name} to {b.name}", slider=True)
    elif chosen.favourites:
        layout.label(text="Press A and B to mix two", icon="INFO")


class _ImageEditor(TabPanel):
    bl_space_type = "IMAGE_EDITOR"


class TILEWRIGHT_PT_latents(_Latents, TabPanel, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_looks(_Looks, TabPanel, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_explore(_Explore, TabPanel, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_favourites(_Favourites, TabPanel, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_latents_image(_Latents, _ImageEditor, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_looks_image(_Looks, _ImageEditor, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_explore_image(_Explore, _ImageEditor, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_favourites_image(_Favourites, _ImageEditor, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_latents_shader(_Latents, ShaderEditor, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_looks_shader(_Looks, ShaderEditor, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_explore_shader(_Explore, ShaderEditor, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_favourites_shader(_Favourites, ShaderEditor, bpy.types.Panel):
    pass


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_PT_latents,
        TILEWRIGHT_PT_looks,
        TILEWRIGHT_PT_explore,
        TILEWRIGHT_PT_favourites,
        TILEWRIGHT_PT_latents_image,
        TILEWRIGHT_PT_looks_image,
        TILEWRIGHT_PT_explore_image,
        TILEWRIGHT_PT_favourites_image,
        TILEWRIGHT_PT_latents_shader,
        TILEWRIGHT_PT_looks_shader,
        TILEWRIGHT_PT_explore_shader,
        TILEWRIGHT_PT_favourites_shader,
    )
)
