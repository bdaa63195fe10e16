"""The panel of the active material, in the sidebars of 3D View and Shader Editor, and among its properties."""

from __future__ import annotations

import json
from typing import TypeGuard

import bpy

from gan_worker.materials.maps import MAPS

from ..generation import regeneration
from ..output.export import MaterialExport
from ..output.keeping import AssetKeeping
from ..steering import live, sliders
from ..ui.layouts import (
    ShaderEditor,
    TabPanel,
    draw_findings,
    draw_task,
    pair,
    paragraph,
    properties_column,
)
from ..worker.reporting import counted, draw_job_error, obstacle_of, still
from . import node_tree, projection, surface


class _Material:
    bl_label = "Material"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        layout, material = self.layout, sliders.active_material()
        problem = obstacle_of(regeneration.check, material)
        if problem:
            paragraph(layout, problem, context.region.width, "INFO")
        if not _has_recipe(material) or not node_tree.is_ours(material):
            return
        _draw_sizes(layout, material)
        job = regeneration.job_of(material)
        row = layout.row(align=True)
        if job:
            factor = job.pieces.done / max(1, job.pieces.total) if job.pieces else 0.0
            row.progress(factor=factor, text="Generating")
            row.operator("tilewright.cancel_regeneration", text="", icon="X")
        else:
            row.operator("tilewright.regenerate", icon="FILE_REFRESH")
        draw_job_error(layout, context.region.width, live.AT_REST)


class _OfRecipe:
    """Only for a material that was generated."""

    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return super().poll(context) and _has_recipe(sliders.active_material())


class _Surface(_OfRecipe):
    bl_label = "Surface"
    bl_options = set()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return super().poll(context) and node_tree.is_ours(sliders.active_material())

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        layout, material = self.layout, still(sliders.active_material())
        row = _named_row(layout, "Projection")
        for kind, text in _PROJECTIONS.items():
            pressed = kind == material.tilewright.projection
            row.operator("tilewright.set_projection", text=text, depress=pressed).projection = kind
        _draw_tile(layout, material)
        row, relief = _named_row(layout, "Displacement"), surface.displacement(material)
        for kind, text in _DISPLACEMENTS.items():
            row.operator(
                "tilewright.set_displacement", text=text, depress=kind == relief
            ).kind = kind
        node = material.node_tree.nodes.get(node_tree.DISPLACEMENT)
        if node:
            properties_column(layout).prop(node.inputs["Scale"], "default_value", text="Height")
        for name, strength in node_tree.strengths(material).items():
            properties_column(layout).prop(strength, "default_value", text=MAPS[name].label)
        layout.label(text="Maps in Use")
        grid = layout.grid_flow(columns=2, even_columns=True, align=True)
        for name in surface.OPTIONAL_MAPS:
            if name in node_tree.images_of(material):
                used = name not in material.tilewright.unused_maps
                text = MAPS[name].label
                grid.operator("tilewright.toggle_map", text=text, depress=used).map = name
        reason = surface.why_no_normals(material)
        if reason:
            paragraph(layout, reason, context.region.width, "INFO")


class _Estimates(_OfRecipe):
    bl_label = "Estimated Maps"
    bl_options = set()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        material = sliders.active_material()
        if not super().poll(context) or not node_tree.is_ours(material):
            return False
        return material.tilewright.latents.estimation.used or bool(
            regeneration.missing_maps(material)
        )

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        layout, material = self.layout, still(sliders.active_material())
        kept, width = material.tilewright.latents.estimation, context.region.width
        if not kept.used:
            missing = ", ".join(MAPS[n].label.lower() for n in regeneration.missing_maps(material))
            paragraph(layout, f"It has no {missing}, which can be estimated", width, "INFO")
            layout.operator("tilewright.estimate_maps", icon="SHADERFX")
            return
        reason = live.obstacle(material)
        if reason:
            paragraph(layout, reason, width, "INFO")
        column = properties_column(layout)
        column.enabled = not reason
        if sliders.offers_estimators(kept.estimator):
            own = "As It Was Made" if sliders.is_photo(material) else "The Worker's Own"
            column.prop(kept, "estimator", placeholder=own)
        column.prop(kept, "surface")
        for part in _ESTIMATES:
            part_column = column.column(align=True)
            for name in part:
                part_column.prop(kept, name, slider=name != "invert")
        for name, sure in sliders.certainties(material).items():
            paragraph(layout, f"{MAPS[name].label}: {sure}", width, "QUESTION")


class _Keeping(_OfRecipe):
    bl_label = "Keep"
    bl_options = set()

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        chosen, column = context.scene.tilewright, properties_column(self.layout)
        column.prop(chosen, "asset_library", placeholder="This File", icon="ASSET_MANAGER")
        column.prop(chosen, "asset_catalog")
        column.operator("tilewright.keep_asset", icon="ASSET_MANAGER")
        kept, width = AssetKeeping.newest(), context.region.width
        draw_task(self.layout, kept, width, "tilewright.cancel_keeping")
        if kept and kept.state == "succeeded" and kept.file:
            paragraph(self.layout, f"Kept in {kept.file}", width, "CHECKMARK")


class _Export(_OfRecipe):
    bl_label = "Export"

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        layout, chosen = self.layout, context.scene.tilewright
        column = properties_column(layout)
        column.prop(chosen, "export_target")
        column.prop(chosen, "export_folder")
        export = MaterialExport.newest()
        # It stays while it runs: Blender would highlight what comes in the place of a button that was pressed.
        layout.operator("tilewright.export_material", icon="EXPORT")
        draw_task(layout, export, context.region.width, "tilewright.cancel_export")
        if export and export.state == "succeeded":
            text = f"{counted(len(export.files), 'file')} in {export.folder}"
            paragraph(layout, text, context.region.width, "CHECKMARK")
            draw_findings(layout, export.findings, context.region.width)


class _Recipe(_OfRecipe):
    bl_label = "Recipe"

    def draw(self: bpy.types.Panel, context: bpy.types.Context) -> None:
        kept = still(sliders.active_material()).tilewright
        if kept.unassigned:
            text = "What it was made for was gone when it came: put it on what you like"
            paragraph(self.layout, text, context.region.width, "INFO")
        column = self.layout.column(align=True)
        pair(column, "Model", kept.model)
        pair(column, "Hash", kept.model_hash[: regeneration.HASH_LETTERS])
        pair(column, "Seed", str(kept.seed))
        pair(column, "Size", f"{kept.width} × {kept.height}")
        pair(column, "Variety", f"{kept.truncation_psi:.2f}")
        ratios = json.loads(kept.seam_ratios or "{}")
        if ratios:
            pair(column, "Seams", f"{max(ratios.values()):.2f}, seamless at 1")


def _has_recipe(material: bpy.types.Material | None) -> TypeGuard[bpy.types.Material]:
    """Whether it was generated, also where it is linked."""
    return material is not None and bool(material.tilewright.recipe)


# Sliders of estimated maps, those of one map together.
_ESTIMATES = (
    ("depth", "coarse", "fine", "invert"),
    ("roughness", "roughness_range"),
    ("occlusion", "metallic", "light"),
)
_PROJECTIONS = {"UV": "UV", "BOX": "Box"}
_DISPLACEMENTS = {"NONE": "None", "BUMP": "Bump", "REAL": "Real"}


def _named_row(layout: bpy.types.UILayout, name: str) -> bpy.types.UILayout:
    halves = layout.split(factor=0.4)
    label = halves.row()
    label.alignment = "RIGHT"  # as the names of properties are
    label.label(text=name)
    return halves.row(align=True)


def _draw_tile(layout: bpy.types.UILayout, material: bpy.types.Material) -> None:
    row = _named_row(layout, "Tile Size")
    if projection.is_measured(material):
        row.prop(material.tilewright, "tile_size", text="")
        row.operator("tilewright.measure_tile", text="", icon="DRIVER_DISTANCE")
    else:
        row.operator("tilewright.measure_tile", icon="DRIVER_DISTANCE")


def _draw_sizes(layout: bpy.types.UILayout, material: bpy.types.Material) -> None:
    """Resolution and area of the tile, and how fine it is on the surface."""
    wanted = material.tilewright.latents
    present = max(wanted.width, wanted.height) if wanted.model else 0
    row = layout.row(align=True)
    for side, text in regeneration.sides(material).items():
        row.operator("tilewright.switch_size", text=text, depress=side == present).side = side
    areas = regeneration.areas(material)
    row = _named_row(layout, "Tile Area") if areas else layout
    for times, side in areas.items():
        pressed = side == present << wanted.mip
        row.operator("tilewright.switch_area", text=f"×{times}", depress=pressed).times = times
    width = node_tree.width_in_meters(material)
    if width and present:
        pair(layout, "Pixels per Meter", f"{wanted.width / width:.0f}")


class _Sidebar(TabPanel):
    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return True


class _Properties:
    """What puts a panel into the Material tab of the Properties editor."""

    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "material"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        material = sliders.active_material()
        return _has_recipe(material) and context.material == material  # none that is pinned


class TILEWRIGHT_PT_material(_Material, _Sidebar, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_surface(_Surface, _Sidebar, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material"


class TILEWRIGHT_PT_estimates(_Estimates, _Sidebar, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material"


class TILEWRIGHT_PT_keeping(_Keeping, _Sidebar, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material"


class TILEWRIGHT_PT_export(_Export, _Sidebar, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material"


class TILEWRIGHT_PT_recipe(_Recipe, _Sidebar, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material"


class TILEWRIGHT_PT_material_shader(_Material, ShaderEditor, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_surface_shader(_Surface, ShaderEditor, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material_shader"


class TILEWRIGHT_PT_estimates_shader(_Estimates, ShaderEditor, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material_shader"


class TILEWRIGHT_PT_keeping_shader(_Keeping, ShaderEditor, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material_shader"


class TILEWRIGHT_PT_export_shader(_Export, ShaderEditor, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material_shader"


class TILEWRIGHT_PT_recipe_shader(_Recipe, ShaderEditor, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material_shader"


class TILEWRIGHT_PT_material_properties(_Material, _Properties, bpy.types.Panel):
    bl_label = "Tilewright"


class TILEWRIGHT_PT_surface_properties(_Surface, _Properties, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material_properties"


class TILEWRIGHT_PT_estimates_properties(_Estimates, _Properties, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material_properties"


class TILEWRIGHT_PT_keeping_properties(_Keeping, _Properties, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material_properties"


class TILEWRIGHT_PT_export_properties(_Export, _Properties, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material_properties"


class TILEWRIGHT_PT_recipe_properties(_Recipe, _Properties, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material_properties"


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_PT_material,
        TILEWRIGHT_PT_surface,
        TILEWRIGHT_PT_estimates,
        TILEWRIGHT_PT_keeping,
        TILEWRIGHT_PT_export,
        TILEWRIGHT_PT_recipe,
        TILEWRIGHT_PT_material_shader,
        TILEWRIGHT_PT_surface_shader,
        TILEWRIGHT_PT_estimates_shader,
        TILEWRIGHT_PT_keeping_shader,
        TILEWRIGHT_PT_export_shader,
        TILEWRIGHT_PT_recipe_shader,
        TILEWRIGHT_PT_material_properties,
        TILEWRIGHT_PT_surface_properties,
        TILEWRIGHT_PT_estimates_properties,
        TILEWRIGHT_PT_keeping_properties,
        TILEWRIGHT_PT_export_properties,
        TILEWRIGHT_PT_recipe_properties,
    )
)
