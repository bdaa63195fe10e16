"""How the tile lies on a surface: by UV map or as a box, and how large it is there, in Blender's units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import bpy
import numpy as np

from gan_worker.errors import RequestError

from . import places

if TYPE_CHECKING:
    from mathutils import Matrix

COORDINATES = "Tilewright Coordinates"
# The node whose scale repeats the whole material.
MAPPING = "Tilewright Mapping"
# How far the sides of a box run into each other, 0..1.
BLEND = 0.2

# Axis of the mapping → axis of the tile. The sides of a box show the tile upright, its top one way or the other.
_AXES = {"UV": {0: 0, 1: 1}, "BOX": {0: 0, 1: 0, 2: 1}}
_OUTPUTS = {"UV": "UV", "BOX": "Object"}
_IMAGE_PROJECTIONS = {"UV": "FLAT", "BOX": "BOX"}
KINDS = tuple(_AXES)
# Projection → units that its coordinates span on an object along each axis, 0 where that is not known.
Sizes = dict[str, tuple[float, float, float]]
UNKNOWN: Sizes = dict.fromkeys(KINDS, (0.0, 0.0, 0.0))


def shape_texture(node: bpy.types.Node, projection: str) -> None:
    """Let an Image Texture node show its picture so.

    Args:
        node: of a texture.
        projection: `UV` or `BOX`.
    """
    node.projection = _IMAGE_PROJECTIONS[projection]
    node.projection_blend = BLEND


def output_name(projection: str) -> str:
    """The output of the Texture Coordinate node that the mapping takes."""
    return _OUTPUTS[projection]


def repeats(material: bpy.types.Material) -> tuple[float, float] | None:
    """How often the full size is repeated over a unit of its coordinates; None without our mapping."""
    scale, finer = _scale(material), material.tilewright.preview_factor
    if scale is None:
        return None
    # Of the two axes that a box lays across, the first counts: sizes are told along it.
    across = {tile: axis for axis, tile in reversed(_axes(material).items())}
    return scale[across[0]] / finer[0], scale[across[1]] / finer[1]


def repeat(material: bpy.types.Material, times: tuple[float, float]) -> None:
    """Repeat the tile so often over a unit of its coordinates, without generating again."""
    scale, finer = _scale(material), material.tilewright.preview_factor
    if scale is None:
        return
    for axis, tile in _axes(material).items():
        scale[axis] = times[tile] * finer[tile]


def refine(material: bpy.types.Material, factor: tuple[float, float]) -> None:
    """Repeat so many times more often than the full size: smaller maps are shown."""
    kept, scale = material.tilewright, _scale(material)
    before = tuple(kept.preview_factor)
    if scale is not None and before != factor:
        for axis, tile in _axes(material).items():
            # Rounded, or to and fro would leave a trace.
            scale[axis] = round(scale[axis] * factor[tile] / before[tile], 5)
    kept.preview_factor = factor


def _axes(material: bpy.types.Material) -> dict[int, int]:
    return _AXES[material.tilewright.projection]


def _scale(material: bpy.types.Material) -> bpy.types.bpy_prop_array | None:
    mapping = material.node_tree.nodes.get(MAPPING) if material.node_tree else None
    return mapping.inputs["Scale"].default_value if mapping else None


# ---- sizes


def is_measured(material: bpy.types.Material) -> bool:
    """Whether it is known how many units its coordinates span."""
    return material.tilewright.unit_size[0] > 0


def tile_size(material: bpy.types.Material) -> float:
    """Width of one tile on the surface, units; 0 where that is not known."""
    times = repeats(material)
    return material.tilewright.unit_size[0] / times[0] if times and times[0] else 0.0


def set_tile_size(material: bpy.types.Material, width: float) -> None:
    """Make the tile so wide on the surface, and as high as its pixels then are.

    Args:
        material: one that was measured.
        width: units.
    """
    kept, scale = material.tilewright, _scale(material)
    if scale is None:
        return
    size = width, width * _aspect(material)
    for axis, tile in _axes(material).items():
        scale[axis] = kept.unit_size[axis] / size[tile] * kept.preview_factor[tile]


def is_in_proportion(material: bpy.types.Material) -> bool:
    """Whether it is known that the maps that are shown are as high as their pixels are, beside their width."""
    kept, scale = material.tilewright, _scale(material)
    if scale is None or not is_measured(material) or not kept.width:
        return False
    down = max(axis for axis, tile in _axes(material).items() if tile == 1)
    across, high = (kept.unit_size[axis] / (scale[axis] or math.inf) for axis in (0, down))
    return across > 0 and math.isclose(high, across * kept.height / kept.width, rel_tol=1e-3)


def _aspect(material: bpy.types.Material) -> float:
    """Height over width of the tile."""
    kept = material.tilewright.latents
    return kept.height / kept.width if kept.model else 1.0


def rendered_uv_map(mesh: bpy.types.Mesh) -> bpy.types.MeshUVLoopLayer | None:
    """The UV map that materials are laid on by: the one with the camera, whichever is selected for editing."""
    layers = mesh.uv_layers
    return next((layer for layer in layers if layer.active_render), layers.active)


def paintable(obj: bpy.types.Object | None) -> bpy.types.Object:
    """The object, if Blender's brushes can paint its mesh.

    Raises:
        RequestError: `invalid_config` where there is no mesh, or it belongs to another file.
    """
    if obj is None or obj.type != "MESH":
        raise RequestError(
            "invalid_config",
            "A mesh must be active to be painted; there is none.",
            "Select a mesh object.",
        )
    if not obj.data.is_editable:
        raise RequestError(
            "invalid_config",
            f"A mesh must belong to this file to be painted; that of {obj.name} is linked from another.",
            "Make it local: right-click it in the Outliner and choose ID Data, Make Local.",
        )
    return obj


def select_rendered_uv_map(obj: bpy.types.Object) -> None:
    """Let brushes paint a mesh through the UV map that is rendered: they take the one that is selected."""
    mesh = cast(bpy.types.Mesh, obj.data)
    rendered = rendered_uv_map(mesh)
    if rendered != mesh.uv_layers.active:
        mesh.uv_layers.active = rendered


def unit_sizes(objects: Sequence[bpy.types.Object]) -> list[Sizes]:
    """Sizes of each object; nothing changes.

    All at once, and before materials change: Blender looks through the whole scene to tell where objects are.
    """
    context = bpy.context
    matrices = places.world_matrices(context.scene, context.view_layer, objects)
    return [
        {kind: _measure(obj, kind, place) or UNKNOWN[kind] for kind in KINDS}
        for obj, place in zip(objects, matrices, strict=True)
    ]


def _measure(
    obj: bpy.types.Object, projection: str, place: Matrix
) -> tuple[float, float, float] | None:
    """Blender's units that one of the coordinates spans on this object, along each axis.

    With a UV map, the rendered one, this is the mean over its surface: the root of area over area on the map.

    Args:
        obj: any object that shows a material.
        projection: `UV` or `BOX`.
        place: where it is in the world.

    Returns:
        None where a UV map is asked for and there is none, or it has no area.
    """
    if projection == "BOX":
        return tuple(abs(factor) for factor in place.to_scale())
    if not isinstance(obj.data, bpy.types.Mesh) or not obj.data.uv_layers:
        return None
    with places.readable_mesh(obj) as mesh:
        surface, flat = _areas(mesh, place)
    if surface == 0 or flat == 0:
        return None
    side = float(np.sqrt(surface / flat))
    return side, side, 1.0


def _areas(mesh: bpy.types.Mesh, place: Matrix) -> tuple[float, float]:
    """Area of a mesh at a place in the world, and on its rendered UV map."""
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    points = _read(mesh.vertices, "co", len(mesh.vertices) * 3).reshape(-1, 3)
    on_map = _read(rendered_uv_map(mesh).uv, "vector", len(mesh.loops) * 2).reshape(-1, 2)
    points = points @ np.array(place.to_3x3(), np.float32).T
    corners = _read(mesh.loop_triangles, "vertices", count * 3, np.int32).reshape(-1, 3)
    loops = _read(mesh.loop_triangles, "loops", count * 3, np.int32).reshape(-1, 3)
    a, b, c = (points[corners[:, n]] for n in range(3))
    u, v = (on_map[loops[:, n]] - on_map[loops[:, 0]] for n in (1, 2))
    surface = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    return float(surface), float(np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]).sum())


def _read(
    collection: bpy.types.bpy_prop_collection, name: str, count: int, kind: type = np.float32
) -> np.ndarray:
    values: np.ndarray = np.empty(count, kind)
    collection.foreach_get(name, values)
    return values
