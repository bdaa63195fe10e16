"""Change how materials lie on surfaces and raise them, without generating again."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
from bpy.props import EnumProperty

from ..steering import sliders
from ..worker.reporting import Action, obstacle_of, still, unless
from . import node_tree, surface


def _objects_with(
    materials: Iterable[bpy.types.Material],
) -> dict[bpy.types.Material, bpy.types.Object]:
    """For each material the active object if it shows it, or the first selected one that does."""
    objects, wanted = bpy.context.view_layer.objects, set(materials)
    chosen = sorted((o for o in objects if o.select_get()), key=lambda o: o.name)
    candidates = [o for o in (objects.active, *chosen) if o and o.active_material in wanted]
    return {o.active_material: o for o in candidates[::-1]}


class _OfSurface(Action):
    """What buttons about the surface share."""

    bl_options = {"UNDO"}

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        material, missing = sliders.active_material(), "The active object has no generated material"
        if not node_tree.is_ours(material):
            return missing
        return obstacle_of(node_tree.check_nodes, material) or unless(
            node_tree.images_of(material), missing
        )

    def change(self, material: bpy.types.Material) -> None:
        """Change one of them.

        Raises:
            RequestError: why it cannot be; nothing of it has changed then.
        """
        raise NotImplementedError

    def act(self, _context: bpy.types.Context) -> None:
        active = still(sliders.active_material())
        together = sliders.steered()
        self.change(active)
        for other in together:
            problem = "" if other == active else obstacle_of(self.change, other)
            if problem:
                self.report({"WARNING"}, f"{other.name} stays as it is. {problem}")


class _Measuring(_OfSurface):
    """What buttons share that measure objects: all of them before the first material changes."""

    def act(self, context: bpy.types.Context) -> None:
        self.shown = _objects_with([still(sliders.active_material()), *sliders.steered()])
        sizes = surface.unit_sizes(list(self.shown.values()))
        self.sizes = dict(zip(self.shown, sizes, strict=True))
        super().act(context)


class TILEWRIGHT_OT_set_projection(_Measuring, bpy.types.Operator):
    """Choose how the tile is laid on the surface"""

    bl_idname = "tilewright.set_projection"
    bl_label = "Set Projection"

    projection: EnumProperty(items=[("UV", "UV", ""), ("BOX", "Box", "")], options={"SKIP_SAVE"})

    @classmethod
    def description(cls, _context: bpy.types.Context, chosen: bpy.types.OperatorProperties) -> str:
        if chosen.projection == "UV":
            return "Lay the tile on by the UV map of the object"
        return (
            "Lay the tile on from six sides; the object needs no UV map. Relief comes from the height then, because "
            "normal maps need one"
        )

    def change(self, material: bpy.types.Material) -> None:
        obj, sizes = self.shown.get(material), self.sizes.get(material)
        surface.project(material, self.projection, obj, sizes)


class TILEWRIGHT_OT_measure_tile(_Measuring, bpy.types.Operator):
    """Measure on the active object how large the tile is; again after the object was scaled or unwrapped"""

    bl_idname = "tilewright.measure_tile"
    bl_label = "Measure Tile"

    def change(self, material: bpy.types.Material) -> None:
        if material in self.shown:
            surface.measure_tile(material, self.shown[material], self.sizes[material])


class TILEWRIGHT_OT_set_displacement(_OfSurface, bpy.types.Operator):
    """Choose how the height is shown"""

    bl_idname = "tilewright.set_displacement"
    bl_label = "Set Displacement"

    kind: EnumProperty(
        items=[("NONE", "None", ""), ("BUMP", "Bump", ""), ("REAL", "Real", "")],
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, _context: bpy.types.Context, chosen: bpy.types.OperatorProperties) -> str:
        return {
            "NONE": "Leave the height out; a normal map still shades the relief",
            "BUMP": "Shade the relief by its height, in place of the normal map. The surface stays flat",
            "REAL": "Move the surface. It needs many points: add a Subdivision Surface modifier",
        }[chosen.kind]

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        return super().obstacle(context) or unless(
            "height" in node_tree.images_of(still(sliders.active_material())),
            "The material has no height map: its model did not learn one",
        )

    def change(self, material: bpy.types.Material) -> None:
        surface.raise_surface(material, self.kind)


class TILEWRIGHT_OT_toggle_map(_OfSurface, bpy.types.Operator):
    """Let this map take part in the shading, or leave it out"""

    bl_idname = "tilewright.toggle_map"
    bl_label = "Toggle Map"

    map: EnumProperty(
        items=[(name, name, "") for name in surface.OPTIONAL_MAPS], options={"SKIP_SAVE"}
    )

    def act(self, context: bpy.types.Context) -> None:
        self.used = self.map in sliders.active_material().tilewright.unused_maps
        super().act(context)

    def change(self, material: bpy.types.Material) -> None:
        surface.use_map(material, self.map, self.used)


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_set_projection,
        TILEWRIGHT_OT_measure_tile,
        TILEWRIGHT_OT_set_displacement,
        TILEWRIGHT_OT_toggle_map,
    )
)
