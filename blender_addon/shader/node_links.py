"""Links in node trees: where a socket's value comes from, through groups, and what it hangs on."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import cast

import bpy
import numpy as np

# Longer chains of reroutes and group borders are circles.
_LONGEST = 1000
# How many nodes before a texture's place are compared.
_DEEPEST = 12


@dataclass(frozen=True)
class Place:
    """A socket, and the group nodes that it lies in, outermost first."""

    socket: bpy.types.NodeSocket
    groups: tuple[bpy.types.Node, ...] = ()

    @property
    def node(self) -> bpy.types.Node:
        """The node that the socket is on."""
        return cast(bpy.types.Node, self.socket.node)

    def input(self, socket: bpy.types.NodeSocket) -> Place:
        """Another socket of the same node."""
        return Place(socket, self.groups)

    @property
    def key(self) -> tuple[int, ...]:
        """Equal for equal places: wrappers of sockets are made anew for each look."""
        return (self.socket.as_pointer(), *(group.as_pointer() for group in self.groups))


def source(place: Place) -> Place:
    """Where a socket's value comes from: through reroutes, borders of groups and what is muted.

    Returns:
        An output, of the node that makes the value, or an input that nothing feeds.
    """
    for _ in range(_LONGEST):
        if place.socket.is_output:
            entered = _through(place)
            if entered is None:
                return place
            place = entered
        links = (link for link in place.socket.links if link.is_valid and not link.is_muted)
        link = next(links, None)
        if link is None:
            return place
        place = place.input(link.from_socket)
    return place


def _through(place: Place) -> Place | None:
    """The input that an output only hands on; None where its node makes something."""
    node, groups = place.node, place.groups
    if node.mute:
        handed_on = (x.from_socket for x in node.internal_links if x.to_socket == place.socket)
        return next((place.input(socket) for socket in handed_on), None)
    if node.type == "REROUTE":
        return place.input(node.inputs[0])
    if node.type == "GROUP" and node.node_tree:
        end = group_output(node.node_tree)
        inside = _same(end.inputs, place.socket) if end else None
        return Place(inside, (*groups, node)) if inside else None
    if node.type == "GROUP_INPUT" and groups:
        outside = _same(groups[-1].inputs, place.socket)
        return Place(outside, groups[:-1]) if outside else None
    return None


def group_output(tree: bpy.types.NodeTree) -> bpy.types.Node | None:
    """The node that holds what a group gives."""
    return next((n for n in tree.nodes if n.type == "GROUP_OUTPUT" and n.is_active_output), None)


def _same(
    sockets: bpy.types.NodeInputs | bpy.types.NodeOutputs, socket: bpy.types.NodeSocket
) -> bpy.types.NodeSocket | None:
    return next((s for s in sockets if s.identifier == socket.identifier), None)


def is_fed_by(target: bpy.types.NodeSocket, output: bpy.types.NodeSocket) -> bool:
    """Whether links lead from an output to an input of the same tree, through whatever nodes, muted or not."""
    waiting, seen = list(target.links), set()
    while waiting:
        link = waiting.pop()
        if link.from_socket == output:
            return True
        if link.from_node.name not in seen:
            seen.add(link.from_node.name)
            waiting += [before for socket in link.from_node.inputs for before in socket.links]
    return False


def outputs_before(place: Place) -> Iterator[Place]:
    """The outputs that a socket's value hangs on, each once; not what only lays a texture on."""
    waiting, seen = [place], set()
    while waiting:
        end = source(waiting.pop(0))
        if not end.socket.is_output or end.key in seen or end.node.mute:
            continue
        seen.add(end.key)
        yield end
        if end.node.type != "TEX_IMAGE":
            waiting += [end.input(socket) for socket in end.node.inputs if socket.enabled]


def textures_before(place: Place) -> list[Place]:
    """The image textures that a socket's value hangs on, as their outputs, each once."""
    found = {
        end.input(end.node.inputs[0]).key: end
        for end in outputs_before(place)
        if end.node.type == "TEX_IMAGE" and end.node.image
    }
    return list(found.values())


def has_images(material: bpy.types.Material | None) -> bool:
    """Whether a material has image textures with images, in groups or not."""
    tree = material.node_tree if material else None
    return any(n.type == "TEX_IMAGE" and n.image for t in trees(tree) for n in t.nodes)


def trees(tree: bpy.types.NodeTree | None) -> Iterator[bpy.types.NodeTree]:
    """A tree and its groups, down to the innermost, each once."""
    waiting, seen = [tree], set()
    while waiting:
        here = waiting.pop()
        if here is None or here.name_full in seen:
            continue
        seen.add(here.name_full)
        yield here
        waiting += [node.node_tree for node in here.nodes if node.type == "GROUP"]


def layout(vector: Place, rendered: Container[str], depth: int = 0) -> tuple[object, ...]:
    """How a texture is laid on: equal for those that are laid on in the same way, be it by different nodes.

    Args:
        vector: the texture's input for its place.
        rendered: names of UV maps that are taken where none is named.
        depth: nodes that were passed.
    """
    end = source(vector)
    if not end.socket.is_output:
        given = getattr(end.socket, "default_value", ())
        return tuple(np.atleast_1d(given)) if depth else ("UV",)
    node = end.node
    if (node.type == "TEX_COORD" and end.socket.name == "UV") or node.type == "UVMAP":
        name = getattr(node, "uv_map", "")
        return ("UV", name) if name and name not in rendered else ("UV",)
    if depth > _DEEPEST:
        return end.key
    used = [layout(end.input(s), rendered, depth + 1) for s in node.inputs if s.enabled]
    if node.type == "MAPPING" and used[1:] == [(0.0,) * 3, (0.0,) * 3, (1.0,) * 3]:
        return used[0]  # it moves nothing
    chosen = (getattr(node, name, None) for name in ("operation", "vector_type", "node_tree"))
    return node.bl_idname, end.socket.identifier, *chosen, *used
