"""Fill the scene with materials by a recipe file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from gan_worker.scenes.parser import read_recipe

from ..worker.reporting import Action, CancelTask, StartTask, no_worker, unless, when
from . import batch as scene_batch

if TYPE_CHECKING:
    from gan_worker.scenes.recipe import SceneRecipe

PLAN_TEXT = "Scene Recipe Plan"


def chosen_recipe(scene: bpy.types.Scene) -> SceneRecipe:
    """The recipe in the file that was chosen in the panel.

    Raises:
        RequestError: `invalid_recipe`.
    """
    return read_recipe(Path(bpy.path.abspath(scene.tilewright.scene_recipe)))


def run_scene_recipe(scene: bpy.types.Scene) -> scene_batch.SceneBatch:
    """Begin to fill the scene by the chosen recipe; it goes on with every tick.

    Raises:
        RequestError: `invalid_recipe`, or `wrong_state` while another one runs.
        StorageError: `file_unwritable` for textures beside a .blend that was never saved.
    """
    recipe = chosen_recipe(scene)
    blend = Path(bpy.data.filepath) if bpy.data.filepath else None
    return scene_batch.start(recipe, scene, scene_batch.maps_folder(recipe, blend))


def show_scene_plan(scene: bpy.types.Scene) -> bpy.types.Text:
    """Write what the chosen recipe would do into a text of this .blend.

    Raises:
        RequestError: what is wrong with the recipe.
    """
    plan = scene_batch.make_plan(chosen_recipe(scene), scene)
    text = bpy.data.texts.get(PLAN_TEXT) or bpy.data.texts.new(PLAN_TEXT)
    text.clear()
    rows = plan.table()
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    text.write("\n".join([plan.summary, *plan.notes, "", *lines, ""]))
    return text


class TILEWRIGHT_OT_run_scene_recipe(StartTask, bpy.types.Operator):
    """Give the objects of this scene materials, as the recipe says. Run again, it makes only what is missing"""

    bl_idname = "tilewright.run_scene_recipe"
    bl_label = "Run Scene Recipe"

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        return (
            _no_recipe(context)
            or no_worker()
            or when(scene_batch.SceneBatch.running(), "A recipe is running: cancel it first")
        )

    def begin(self, context: bpy.types.Context) -> scene_batch.SceneBatch:
        return run_scene_recipe(context.scene)

    def act(self, context: bpy.types.Context) -> None:
        super().act(context)
        batch = scene_batch.SceneBatch.newest()
        for warning in batch.warnings if batch and self.wait else ():
            self.tell("WARNING", warning)


class TILEWRIGHT_OT_show_scene_plan(Action, bpy.types.Operator):
    """Write a table of what the recipe would do into a text for the Text Editor. Nothing else changes"""

    bl_idname = "tilewright.show_scene_plan"
    bl_label = "Show Plan"
    bl_options = {"UNDO"}

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        return _no_recipe(context) or no_worker()

    def act(self, context: bpy.types.Context) -> None:
        text = show_scene_plan(context.scene)
        self.tell("INFO", f"{text.lines[0].body}: see {text.name} in the Text Editor")


class TILEWRIGHT_OT_cancel_scene_recipe(CancelTask, bpy.types.Operator):
    """Stop the recipe. What was made stays on the disk and is used by the next run"""

    bl_idname = "tilewright.cancel_scene_recipe"
    bl_label = "Cancel"
    nothing = "No recipe is running"

    @classmethod
    def task(cls, _context: bpy.types.Context) -> scene_batch.SceneBatch | None:
        return scene_batch.SceneBatch.running()


def _no_recipe(context: bpy.types.Context) -> str:
    return unless(context.scene.tilewright.scene_recipe, "Choose a recipe file first")


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_run_scene_recipe,
        TILEWRIGHT_OT_show_scene_plan,
        TILEWRIGHT_OT_cancel_scene_recipe,
    )
)
