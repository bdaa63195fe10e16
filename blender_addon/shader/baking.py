"""Baking: the pixels of an input of a material, whatever nodes lie before it, by Cycles on a square of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import bpy
import numpy as np

from gan_worker.errors import PictureError
from gan_worker.materials.maps import Kind

from . import images
from .node_links import Place, group_output

_NAME = "tilewright"
_SOCKETS = {
    Kind.color: "NodeSocketColor",
    Kind.direction: "NodeSocketColor",
    Kind.value: "NodeSocketFloat",
}


def bake(
    material: bpy.types.Material,
    place: Place,
    size: tuple[int, int],
    kind: Kind,
    is_normal: bool = False,
) -> np.ndarray:
    """What comes out of a place in a material's node tree, over one tile of its images.

    Args:
        material: stays as it is; a copy is baked.
        place: an output, inside of groups or not.
        size: width and height, pixels.
        kind: what the numbers mean: colors come as a screen shows them, others as they are.
        is_normal: whether it gives normals of the surface, which come as OpenGL's colors of a normal map.

    Returns:
        float32, shape (height, width, 3), top row first.

    Raises:
        PictureError: `picture_unreadable` where Cycles cannot bake.
    """
    with _rubbish() as made:
        copy = material.copy()
        made.append(copy)
        _own_groups(copy.node_tree, made)
        for tree in (copy.node_tree, *(g for g in made if isinstance(g, bpy.types.NodeTree))):
            _lay_flat(tree, size)
        target = bpy.data.images.new(_NAME, *size, float_buffer=kind is not Kind.color)
        made.append(target)
        target.colorspace_settings.is_data = kind is not Kind.color
        _show(copy.node_tree, _led_out(copy.node_tree, place, kind, is_normal), kind, is_normal)
        _aim(copy.node_tree, target)
        _bake(copy, "NORMAL" if is_normal else "EMIT", made)
        return images.read_pixels(target)[..., :3]


@contextmanager
def _rubbish() -> Iterator[list[bpy.types.ID]]:
    """A list of what is removed at the end."""
    made: list[bpy.types.ID] = []
    try:
        yield made
    finally:
        bpy.data.batch_remove(made)


def _own_groups(tree: bpy.types.NodeTree, made: list[bpy.types.ID]) -> None:
    """Let every group node have a copy of its group, down to the innermost."""
    for node in tree.nodes:
        if node.type == "GROUP" and node.node_tree:
            node.node_tree = node.node_tree.copy()
            made.append(node.node_tree)
            _own_groups(node.node_tree, made)


def _lay_flat(tree: bpy.types.NodeTree, size: tuple[int, int]) -> None:
    """Let every texture cover the square once, pixel upon pixel where it is as large."""
    for node in tree.nodes:
        if node.type == "TEX_IMAGE":
            for link in list(node.inputs["Vector"].links):
                tree.links.remove(link)
            node.projection = "FLAT"
            if node.image and tuple(node.image.size) == tuple(size):
                node.interpolation = "Closest"


def _led_out(
    tree: bpy.types.NodeTree, place: Place, kind: Kind, is_normal: bool
) -> bpy.types.NodeSocket:
    """The output in the copied tree, led out of the groups that it lies in."""
    trees, nodes = [tree], []
    for group in place.groups:
        nodes.append(trees[-1].nodes[group.name])
        trees.append(nodes[-1].node_tree)
    which = [s.identifier for s in place.node.outputs].index(place.socket.identifier)
    output = trees[-1].nodes[place.node.name].outputs[which]
    wanted = "NodeSocketVector" if is_normal else _SOCKETS[kind]
    for inner, node in zip(reversed(trees[1:]), reversed(nodes), strict=True):
        item = inner.interface.new_socket(_NAME, in_out="OUTPUT", socket_type=wanted)
        end = group_output(inner)
        assert end is not None  # it was entered through it
        inner.links.new(output, _named(end.inputs, item.identifier))
        output = _named(node.outputs, item.identifier)
    return output


def _named(
    sockets: bpy.types.NodeInputs | bpy.types.NodeOutputs, identifier: str
) -> bpy.types.NodeSocket:
    return next(s for s in sockets if s.identifier == identifier)


def _show(
    tree: bpy.types.NodeTree, output: bpy.types.NodeSocket, kind: Kind, is_normal: bool
) -> None:
    """Let the material show nothing else."""
    if kind is Kind.value:  # inputs for numbers make gray of colors
        number = tree.nodes.new("ShaderNodeMath")
        number.operation, number.inputs[1].default_value = "ADD", 0.0
        tree.links.new(output, number.inputs[0])
        output = number.outputs[0]
    shader = tree.nodes.new("ShaderNodeBsdfDiffuse" if is_normal else "ShaderNodeEmission")
    tree.links.new(output, shader.inputs["Normal" if is_normal else "Color"])
    for node in tree.nodes:
        if node.type == "OUTPUT_MATERIAL":
            node.is_active_output = False
    end = tree.nodes.new("ShaderNodeOutputMaterial")
    end.is_active_output = True
    tree.links.new(shader.outputs[0], end.inputs["Surface"])


def _aim(tree: bpy.types.NodeTree, target: bpy.types.Image) -> None:
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = target
    for other in tree.nodes:
        other.select = other == node
    tree.nodes.active = node


def _bake(
    material: bpy.types.Material, kind: Literal["NORMAL", "EMIT"], made: list[bpy.types.ID]
) -> None:
    scene, obj = _stage(material, made)
    if not hasattr(scene, "cycles"):
        raise _cannot_bake("it is turned off")
    context = {
        "scene": scene,
        "view_layer": scene.view_layers[0],
        "object": obj,
        "active_object": obj,
        "selected_objects": [obj],
        "selected_editable_objects": [obj],
    }
    try:
        scene.render.engine = "CYCLES"
        scene.cycles.samples, scene.cycles.device = 1, "CPU"
        with bpy.context.temp_override(**context):  # type: ignore[arg-type]
            bpy.ops.object.bake(
                type=kind, normal_space="TANGENT", margin=0, use_clear=True, target="IMAGE_TEXTURES"
            )
    except RuntimeError as error:
        raise _cannot_bake(" ".join(str(error).split())) from error


def _cannot_bake(why: str) -> PictureError:
    return PictureError(
        "picture_unreadable",
        f"What nodes make of an image must be baked by Cycles; {why}.",
        "Turn Cycles Render Engine on in Preferences > Add-ons, or connect the images directly.",
    )


def _stage(
    material: bpy.types.Material, made: list[bpy.types.ID]
) -> tuple[bpy.types.Scene, bpy.types.Object]:
    """A scene with a square whose UV map is its own place."""
    mesh = bpy.data.meshes.new(_NAME)
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], [], [(0, 1, 2, 3)])
    mesh.uv_layers.new().uv.foreach_set("vector", [0, 0, 1, 0, 1, 1, 0, 1])
    mesh.materials.append(material)
    obj, scene = bpy.data.objects.new(_NAME, mesh), bpy.data.scenes.new(_NAME)
    made += [scene, obj, mesh]
    scene.collection.objects.link(obj)
    scene.view_layers[0].update()
    return scene, obj
