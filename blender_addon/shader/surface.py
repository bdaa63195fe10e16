"""How a material lies on a surface and raises it, changed without generating again."""

from __future__ import annotations

from dataclasses import replace

import bpy

from gan_worker.errors import RequestError
from gan_worker.materials.maps import MAPS, Connection

from . import node_tree, projection
from .projection import unit_sizes as unit_sizes

# Maps that can be left out of the shading; displacement has a choice of its own.
OPTIONAL_MAPS = tuple(
    name for name, kind in MAPS.items() if kind.connection is not Connection.displacement
)


def project(
    material: bpy.types.Material,
    kind: str,
    obj: bpy.types.Object | None = None,
    sizes: projection.Sizes | None = None,
) -> None:
    """Lay the tile on by UV map, or from six sides as a box, as large as it was.

    Normal maps need a UV map to know where left is: with a box relief comes from the height.

    Args:
        material: one of ours.
        kind: `UV` or `BOX`.
        obj: shows the material, to measure how large the tile is.
        sizes: of the object, where it was measured together with others.
    """
    kept, times = material.tilewright, projection.repeats(material)
    sizes = sizes or (unit_sizes([obj])[0] if obj else projection.UNKNOWN)
    if not projection.is_measured(material):
        kept.unit_size = sizes[kept.projection]
    width = projection.tile_size(material)
    had_normals = node_tree.NORMAL_MAP in material.node_tree.nodes
    is_other = kind != kept.projection
    kept.projection, kept.unit_size = kind, sizes[kind]
    _rewire(material, kind)
    if width and projection.is_measured(material):
        projection.set_tile_size(material, width)
    elif times and is_other:  # or else it lies as it shall, maybe otherwise along each axis
        projection.repeat(material, times)
    relief = displacement(material)
    if relief == "NONE" and had_normals and kind == "BOX":
        relief = "BUMP"
    raise_surface(material, relief if "height" in node_tree.images_of(material) else "NONE")


def _rewire(material: bpy.types.Material, kind: str) -> None:
    tree = material.node_tree
    for name in node_tree.images_of(material):
        projection.shape_texture(tree.nodes[node_tree.texture_node_name(name)], kind)
    coordinates = tree.nodes.get(projection.COORDINATES)
    mapping = tree.nodes.get(projection.MAPPING)
    if coordinates and mapping:
        output = coordinates.outputs[projection.output_name(kind)]
        tree.links.new(output, mapping.inputs["Vector"])


def measure_tile(
    material: bpy.types.Material, obj: bpy.types.Object, sizes: projection.Sizes | None = None
) -> None:
    """Find out how many units the material's coordinates span on an object.

    Args:
        material: one of ours.
        obj: shows the material.
        sizes: of the object, where it was measured together with others.

    Raises:
        RequestError: `wrong_state` for an object that has no UV map with an area.
    """
    kept = material.tilewright
    found = (sizes or unit_sizes([obj])[0])[kept.projection]
    if not any(found) and kept.projection == "UV":
        raise RequestError(
            "wrong_state",
            f"To measure the tile, the object must have a UV map with an area; {obj.name} has none.",
            "Unwrap it, or choose Box.",
        )
    kept.unit_size = found


def displacement(material: bpy.types.Material) -> str:
    """How the height is shown: `NONE`, `BUMP` (shading alone) or `REAL` (the surface moves)."""
    if node_tree.DISPLACEMENT not in material.node_tree.nodes:
        return "NONE"
    return "BUMP" if material.displacement_method == "BUMP" else "REAL"


def raise_surface(material: bpy.types.Material, kind: str, strength: float | None = None) -> None:
    """Choose how the height is shown.

    Args:
        material: one of ours.
        kind: `NONE`, `BUMP`: shading alone, in place of the normal map; `REAL`: the surface moves where it has
            points enough, and the normal map or the height shades what is finer.
        strength: height of the relief, meters; None keeps it.

    Raises:
        RequestError: `wrong_state` where the material has no height.
    """
    images = node_tree.images_of(material)
    if kind != "NONE" and "height" not in images:
        raise RequestError(
            "wrong_state",
            "To be displaced, the material must have a height map; it has none.",
            "Choose a model that learned heights.",
        )
    present = node_tree.present_wiring(material)
    wanted = present.displacement if strength is None else strength
    chosen = 0.0 if kind == "NONE" else wanted or node_tree.Wiring.displacement
    if kind != "NONE":
        has_normals = node_tree.normals_fit(material, images)
        material.displacement_method = (
            "BUMP" if kind == "BUMP" else "DISPLACEMENT" if has_normals else "BOTH"
        )
    node_tree.build(material, images, replace(present, displacement=chosen))


def why_no_normals(material: bpy.types.Material) -> str:
    """Why the normal map does not take part, where it might; empty otherwise."""
    wanted = set(node_tree.images_of(material)) - material.tilewright.unused_maps
    if "normal" not in wanted or node_tree.NORMAL_MAP in material.node_tree.nodes:
        return ""
    if material.tilewright.projection == "BOX":
        return "Normal rests: it needs a UV map. Relief comes from the height"
    return "Normal rests: the height shades the relief"


def use_map(material: bpy.types.Material, name: str, used: bool) -> None:
    """Let a map take part in the shading, or leave it out; its picture stays in the tree.

    Args:
        material: one of ours.
        name: one of `OPTIONAL_MAPS`.
        used: whether it takes part.
    """
    kept = material.tilewright
    kept.unused_maps = kept.unused_maps - {name} if used else kept.unused_maps | {name}
    node_tree.build(material, node_tree.images_of(material), None)
