"""The mask that says where a material is to be repaired: painted over it with Blender's own brushes."""

from __future__ import annotations

from collections.abc import Callable, Generator

import bpy
import numpy as np

from ..shader import images, node_tree, projection
from ..shader.projection import MAPPING
from ..worker.reporting import require, still

# Nodes that show what is masked in red, while it is painted.
MASK, RED, MIX = "Tilewright Repair Mask", "Tilewright Repair Red", "Tilewright Repair Mix"
# How often the tile was repeated before it was laid once over the UV map.
REPEATS_KEY = "tilewright_repeats"


def is_painted(material: bpy.types.Material) -> bool:
    """Whether the mask is being painted, and shown over the material."""
    return bool(material.node_tree) and MIX in material.node_tree.nodes


def start(obj: bpy.types.Object | None) -> bpy.types.Image:
    """Get ready to paint the mask of an object's active material in Texture Paint mode.

    While it is painted the tile covers the UV map once, so that strokes lie where the brush is.

    Args:
        obj: a mesh that `check` has nothing against.

    Raises:
        RequestError: `invalid_config` or `wrong_state` where something is missing.
    """
    obj, material = check(obj)
    node_tree.check_pictures(material)
    projection.select_rendered_uv_map(obj)
    node_tree.ensure_unique(material)
    image = _image(material)
    if not is_painted(material):
        _show(material, image)
    paint = bpy.context.scene.tool_settings.image_paint
    paint.mode, paint.canvas = "IMAGE", image
    if obj.mode != "TEXTURE_PAINT":
        bpy.ops.object.mode_set(mode="TEXTURE_PAINT")
    _take_white(paint)
    return image


def check(obj: bpy.types.Object | None) -> tuple[bpy.types.Object, bpy.types.Material]:
    """See that a mask can be painted on an object.

    Returns:
        The object, and its material that the mask is of.

    Raises:
        RequestError: `invalid_config` or `wrong_state`, saying what is missing.
    """
    obj = projection.paintable(obj)
    material = node_tree.check_local(obj.active_material)
    node_tree.check_still(material)
    require(
        node_tree.images_of(material),
        "The material must show its maps to be painted over; it shows none.",
        "Press Regenerate first.",
    )
    nodes = material.node_tree.nodes
    require(
        MAPPING in nodes and node_tree.OUTPUT in nodes and nodes[node_tree.OUTPUT].inputs[0].links,
        "The mapping and the output that Tilewright made must be among the material's nodes; they are not.",
        "Undo their deletion, or generate another material.",
    )
    require(
        material.tilewright.projection == "UV" and obj.data.uv_layers,
        f"A mask is painted through the UV map; {obj.name} does not show the material by one.",
        "Unwrap it with U in Edit Mode, and choose UV as Projection in the Surface panel.",
    )
    return obj, material


def end(material: bpy.types.Material) -> None:
    """Paint no longer; the mask is kept, and the material looks as before."""
    if not is_painted(material):
        return
    nodes, links = material.node_tree.nodes, material.node_tree.links
    projection.repeat(material, tuple(nodes[MIX][REPEATS_KEY]))
    shown = nodes[MIX].inputs[1].links
    if shown:
        links.new(shown[0].from_socket, nodes[node_tree.OUTPUT].inputs["Surface"])
    for name in (MIX, RED, MASK):
        if name in nodes:
            nodes.remove(nodes[name])


def read_pieces(
    find_material: Callable[[], bpy.types.Material],
) -> Generator[bool, None, np.ndarray]:
    """What is masked, a few rows at a time.

    Args:
        find_material: gives the same one of ours at each call.

    Returns:
        (height, width, 1) uint8, 255 where the material is to be filled and 0 elsewhere, top row first.

    Raises:
        RequestError: `invalid_config` where nothing is masked, or everything.
    """
    width, height = size = _size(find_material())
    hidden = np.zeros((height, width, 1), bool)
    image = find_material().tilewright.repair_mask
    if image and min(image.size):
        _fit(image, size)
        rgba = yield from images.read_pieces(lambda: still(find_material().tilewright.repair_mask))
        for top in range(0, height, rows := max(1, images.PIXELS_PER_STEP // width)):
            band = rgba[top : top + rows]
            # No mean over three: it takes several times as long.
            hidden[top : top + rows] = band[..., 0:1] + band[..., 1:2] + band[..., 2:3] > 1.5
            yield False
    require(
        hidden.any() and not hidden.all(),
        "A part of the material must be masked, and a part left as it is; "
        f"{'all' if hidden.any() else 'nothing'} is masked.",
        "Press Paint Mask and paint white where it is to be repaired, black where it is not.",
    )
    return hidden.astype(np.uint8) * np.uint8(255)


def _image(material: bpy.types.Material) -> bpy.types.Image:
    kept = material.tilewright
    size = _size(material)
    if kept.repair_mask is None or not min(kept.repair_mask.size):  # none yet, or its file is gone
        name = images.whole_name(material.name, " Repair Mask")
        kept.repair_mask = bpy.data.images.new(name, *size, alpha=False, is_data=True)
    _fit(kept.repair_mask, size)
    return kept.repair_mask


def _size(material: bpy.types.Material) -> tuple[int, int]:
    """Width and height of its maps."""
    width, height = next(iter(node_tree.images_of(material).values())).size
    return width, height


def _fit(image: bpy.types.Image, size: tuple[int, int]) -> None:
    """The material may have got another size since."""
    if tuple(image.size) != tuple(size):
        image.scale(*size)


def _show(material: bpy.types.Material, image: bpy.types.Image) -> None:
    nodes, links = material.node_tree.nodes, material.node_tree.links
    surface = nodes[node_tree.OUTPUT].inputs["Surface"]
    texture = nodes.new("ShaderNodeTexImage")
    texture.name, texture.image = MASK, image
    red = nodes.new("ShaderNodeEmission")
    red.name = RED
    red.inputs["Color"].default_value = (1.0, 0.05, 0.05, 1.0)
    mix = nodes.new("ShaderNodeMixShader")
    mix.name = MIX
    mix[REPEATS_KEY] = projection.repeats(material)
    projection.repeat(material, (1.0, 1.0))
    links.new(nodes[MAPPING].outputs["Vector"], texture.inputs["Vector"])
    links.new(texture.outputs["Color"], mix.inputs[0])
    links.new(surface.links[0].from_socket, mix.inputs[1])
    links.new(red.outputs["Emission"], mix.inputs[2])
    links.new(mix.outputs["Shader"], surface)


def _take_white(paint: bpy.types.ImagePaint) -> None:
    # Until 5.0 all modes shared one.
    tools = bpy.context.scene.tool_settings
    shared = getattr(paint, "unified_paint_settings", None) or tools.unified_paint_settings
    shared.color, shared.secondary_color = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
    if paint.brush is not None and paint.brush.is_editable:
        paint.brush.color, paint.brush.secondary_color = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
