"""The panel of the active material, in the sidebar of the 3D View and of the Shader Editor."""

from __future__ import annotations

import bpy

from . import latents, materials, regeneration
from .latent_panels import ShaderEditor
from .layouts import TabPanel, pair, paragraph


class _Material:
    bl_label = "Material"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, material = self.layout, latents.active_material()
        problem = regeneration.obstacle(material)
        if problem:
            paragraph(layout, problem.info.message, context.region.width, "INFO")
            paragraph(layout, problem.info.cure, context.region.width, "BLANK1")
        if not _has_recipe(material):
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


class _OfRecipe:
    """Only for a material that was generated."""

    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return super().poll(context) and _has_recipe(latents.active_material())


class _Recipe(_OfRecipe):
    bl_label = "Recipe"

    def draw(self, _context: bpy.types.Context) -> None:
        kept = latents.active_material().tilewright
        column = self.layout.column(align=True)
        pair(column, "Model", kept.model)
        pair(column, "Hash", kept.model_hash[: regeneration.HASH_LETTERS])
        pair(column, "Seed", str(kept.seed))
        pair(column, "Size", f"{kept.width} × {kept.height}")
        pair(column, "Variety", f"{kept.truncation_psi:.2f}")


def _has_recipe(material: bpy.types.Material | None) -> bool:
    return materials.is_ours(material) and bool(material.tilewright.recipe)


def _draw_sizes(layout: bpy.types.UILayout, material: bpy.types.Material) -> None:
    wanted = material.tilewright.latents
    present = max(wanted.width, wanted.height) if wanted.model else 0
    row = layout.row(align=True)
    for side, text in regeneration.SIDES.items():
        button = row.operator("tilewright.switch_size", text=text, depress=side == present)
        button.side = side


class _Sidebar(TabPanel):
    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return True


class TILEWRIGHT_PT_material(_Material, _Sidebar, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_recipe(_Recipe, _Sidebar, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material"


class TILEWRIGHT_PT_material_shader(_Material, ShaderEditor, bpy.types.Panel):
    pass


class TILEWRIGHT_PT_recipe_shader(_Recipe, ShaderEditor, bpy.types.Panel):
    bl_parent_id = "TILEWRIGHT_PT_material_shader"


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_PT_material,
        TILEWRIGHT_PT_recipe,
        TILEWRIGHT_PT_material_shader,
        TILEWRIGHT_PT_recipe_shader,
    )
)
