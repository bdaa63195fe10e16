"""The panels that generate: the model, the size, the maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..shader import node_tree
from ..steering import sliders
from ..ui.layouts import TabPanel, draw_copies, draw_task, paragraph, properties_column
from ..worker import session
from ..worker.reporting import counted, draw_job_error
from . import estimates, photo, requests, results

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems

    from gan_worker.wire.messages import ModelEntry

    from ..steering.properties import SteeringChoices
    from .properties import GenerationChoices

UNREADABLE_SHOWN = 2


class TILEWRIGHT_PT_photo_to_material(TabPanel, bpy.types.Panel):
    bl_label = "Photo to Material"

    def draw(self, context: bpy.types.Context) -> None:
        _draw_photo(
            self.layout,
            context,
            ("Choose Photo", "FILE_IMAGE", "FILE"),
            ("Images of Material", "MATERIAL", "MATERIAL"),
        )


class TILEWRIGHT_PT_photo_to_material_image(TabPanel, bpy.types.Panel):
    bl_label = "Photo to Material"
    bl_space_type = "IMAGE_EDITOR"

    def draw(self, context: bpy.types.Context) -> None:
        _draw_photo(self.layout, context, ("Make Material", "MATERIAL", "IMAGE"))


def _draw_photo(
    layout: bpy.types.UILayout, context: bpy.types.Context, *buttons: tuple[str, IconItems, str]
) -> None:
    """What a photo is taken from: what is on each button, its icon and the source; and how far one is."""
    # They stay while one runs: Blender would highlight what comes in the place of a button that was pressed.
    for text, icon, source in buttons:
        button = layout.operator("tilewright.photo_to_material", text=text, icon=icon)
        button.source = source
    column = properties_column(layout)
    column.prop(context.scene.tilewright, "tileable")
    _draw_estimator(column, context.scene.tilewright)
    layout.operator("tilewright.learn_estimator", icon="FILE_FOLDER")
    task, width = photo.PhotoMaterial.newest(), context.region.width
    draw_task(layout, task, width, "tilewright.cancel_photo_to_material")
    for number, sentence in enumerate(task.outcome if task else ()):
        paragraph(layout, sentence, width, "INFO" if number else "CHECKMARK")


def _draw_estimator(column: bpy.types.UILayout, chosen: SteeringChoices) -> None:
    """What maps are estimated with, where there is a choice; one that is gone can still be taken out."""
    if sliders.offers_estimators(chosen.estimator):
        column.prop(chosen, "estimator", placeholder="The Worker's Own")


class TILEWRIGHT_PT_generation(TabPanel, bpy.types.Panel):
    bl_label = "Generate"

    def draw(self, context: bpy.types.Context) -> None:
        layout, chosen = self.layout, context.scene.tilewright
        row = layout.row(align=True)
        row.prop(chosen, "model", icon="MATERIAL")
        row.operator("tilewright.refresh_models", text="", icon="FILE_REFRESH")
        model = session.current.model(chosen.model)
        if model:
            draw_copies(layout, model.copied, context.region.width)
        _draw_unreadable(layout, context.region.width)
        _draw_choices(layout, chosen, model, context.region.width)
        column = properties_column(layout)
        if model and estimates.missing_maps(model):
            column.prop(chosen, "estimate_maps")
            if chosen.estimate_maps:
                _draw_estimator(column, chosen)
        column.row().prop(chosen, "target", expand=True)
        has_seeds = not (model and model.tile)
        if chosen.target == "SELECTED" and has_seeds:
            column.prop(chosen, "vary_per_object")
        row = layout.row(align=True)
        row.operator("tilewright.generate_material", icon="SHADERFX")
        if has_seeds:
            row.operator("tilewright.next_seed", text="", icon="FORWARD")
        _draw_generating(layout, context.region.width)
        _draw_shading(layout, context)


class TILEWRIGHT_PT_maps(TabPanel, bpy.types.Panel):
    bl_label = "Maps"
    bl_parent_id = "TILEWRIGHT_PT_generation"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, chosen = self.layout, context.scene.tilewright
        model = session.current.model(chosen.model)
        only = chosen.maps if model is None else requests.chosen_maps(chosen, model)
        layout.label(text="Only These" if only else "All the Model Has")
        grid = layout.grid_flow(columns=2, even_columns=True, align=True)
        for name in requests.offered_maps(chosen, model) if model else ():
            grid.prop_enum(chosen, "maps", name)
        column = properties_column(layout)
        for name in ("scale", "multiply_occlusion", "displacement", "storage"):
            column.prop(chosen, name)
        if chosen.storage == "FILES":
            column.prop(chosen, "texture_folder")


def _draw_choices(
    layout: bpy.types.UILayout, chosen: GenerationChoices, model: ModelEntry | None, width: int
) -> None:
    """Seed, size and how far seeds go; of a photo there is one tile and no other."""
    has_seeds = not (model and model.tile)
    column = properties_column(layout)
    if model and model.styles:
        column.prop(chosen, "look", placeholder="Between, by the Seed")
    if has_seeds:
        column.prop(chosen, "seed")
    size = column.column(align=True)
    size.prop(chosen, "width")
    size.prop(chosen, "height")
    if model and model.octaves and has_seeds:
        column.row().prop(chosen, "tile_area", expand=True)
    if model and (model.octaves or model.tile):
        paragraph(layout, requests.detail_in_words(chosen, model), width, "INFO")
    if has_seeds:
        properties_column(layout).prop(chosen, "truncation_psi")


def _draw_unreadable(layout: bpy.types.UILayout, width: int) -> None:
    """Models that are not to choose from, or not with all there is of them."""
    found = session.current.unreadable
    for one in found[:UNREADABLE_SHOWN]:
        paragraph(layout, f"{one.name}: {one.reason}", width, "ERROR")
    if len(found) > UNREADABLE_SHOWN:
        more = counted(len(found) - UNREADABLE_SHOWN, "more model")
        layout.label(text=f"{more} cannot be read: see Runs")


def _draw_generating(layout: bpy.types.UILayout, width: int) -> None:
    draw_job_error(layout, width, results.MATERIAL)
    running = session.current.running("generate")
    jobs = [job for job in running if job.purpose == results.MATERIAL]
    if not jobs:
        return
    row = layout.row(align=True)
    pieces = jobs[0].pieces
    factor = pieces.done / max(1, pieces.total) if pieces else 0.0
    row.progress(factor=factor, text=f"Generating {len(jobs)}")
    row.operator("tilewright.cancel_generation", text="", icon="X")


def _draw_shading(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Say why a material that is there is not seen."""
    shading, material = getattr(context.space_data, "shading", None), sliders.active_material()
    if shading is None or not node_tree.is_ours(material):
        return
    if shading.type == "WIREFRAME" or (shading.type, shading.color_type) == ("SOLID", "MATERIAL"):
        text = "The 3D View shows solid colors; switch to Material Preview to see the material"
        paragraph(layout, text, context.region.width, "INFO")
        layout.prop_enum(shading, "type", "MATERIAL")


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_PT_photo_to_material,
        TILEWRIGHT_PT_photo_to_material_image,
        TILEWRIGHT_PT_generation,
        TILEWRIGHT_PT_maps,
    )
)
