"""Keep latents as favourites, apply and mix them, write them to a file and read them."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from gan_worker.errors import TilewrightError

from ..worker import pump
from ..worker.reporting import failed, needs
from . import favourites, live, sliders


class TILEWRIGHT_OT_add_favourite(bpy.types.Operator):
    """Keep the present look of the material among the favourites of this file"""

    bl_idname = "tilewright.add_favourite"
    bl_label = "Add Favourite"
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
    """What buttons beside a favourite share."""

    bl_options = {"UNDO"}

    uid: StringProperty(options={"SKIP_SAVE", "HIDDEN"})


class TILEWRIGHT_OT_remove_favourite(_OfOne, bpy.types.Operator):
    """Take this look off the list. Materials that have it stay as they are"""

    bl_idname = "tilewright.remove_favourite"
    bl_label = "Remove Favourite"

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
    """Write the favourites to a small file, for other scenes and other people"""

    bl_idname = "tilewright.export_favourites"
    bl_label = "Export Favourites"

    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs(cls, len(context.scene.tilewright.favourites), "There are no favourites yet")

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            count = favourites.export(context.scene, self.path())
        except TilewrightError as error:
            return failed(self, error)
        self.report({"INFO"}, f"{count} favourites written")
        return {"FINISHED"}


class TILEWRIGHT_OT_import_favourites(_OfFile, bpy.types.Operator):
    """Add the favourites of a file. They need the model that they were made with"""

    bl_idname = "tilewright.import_favourites"
    bl_label = "Import Favourites"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            count = favourites.load(context.scene, self.path())
        except TilewrightError as error:
            return failed(self, error)
        pump.wake()
        self.report({"INFO"}, f"{count} favourites added")
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_add_favourite,
        TILEWRIGHT_OT_remove_favourite,
        TILEWRIGHT_OT_apply_favourite,
        TILEWRIGHT_OT_mix_favourite,
        TILEWRIGHT_OT_export_favourites,
        TILEWRIGHT_OT_import_favourites,
    )
)
