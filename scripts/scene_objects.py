"""Objects of the scenes that show a material: each function makes them and gives the one that is to wear it.

They are made in the scene that Blender shows; what stands beside is plain.
"""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector
from scene_meshes import (
    Surface,
    arc,
    box,
    extruded,
    joined,
    lathe,
    rectangle,
    softened,
)

Place = tuple[float, float, float]

# ---- ball

RADIUS = 0.5
# Height of the ball's middle over the floor, and where its flat face looks.
MIDDLE, AXIS = 0.64, Vector((0.36, -0.80, 0.46))
BEVEL, STEP = 0.012, 0.006


def ball() -> bpy.types.Object:
    """A ball with a flat face, in a groove, in two shells on a stand; a gray core, neck and backdrop."""
    shells = joined([lathe(_front_shell(), 400), lathe(_back_shell(), 200).turned(_half_turn())])
    turn = np.array(AXIS.to_track_quat("Z", "Y").to_matrix())
    foot = lathe(softened(np.array([(0, 0.07), (0.44, 0.07), (0.44, 0.0)]), BEVEL, STEP), 300)
    ball = _object("Shader Ball", joined([shells.turned(turn).moved(0, 0, MIDDLE), foot]))
    _refine(ball, 1)
    core = lathe(arc(RADIUS - 0.15, 0, 180), 64).turned(turn).moved(0, 0, MIDDLE)
    # Its rim stands over the foot, or a displaced surface breaks through it.
    neck = np.array(
        [(0.0, 0.2), (0.14, 0.2), (0.16, 0.115), (0.24, 0.09), (0.255, 0.087), (0.255, 0.05)]
    )
    dark = _object("Core", joined([core, lathe(neck, 96)]))
    dark.data.materials.append(_plain("Rubber", 0.03, 0.5))
    _backdrop(0.22)
    return ball


def _front_shell() -> np.ndarray:
    """Profile from the middle of the flat face to the split behind the ball's widest place."""
    face = RADIUS * np.cos(np.radians(29))
    groove = [(0.0, face), (0.195, face), (0.195, face - 0.045), (0.235, face - 0.045)]
    outside = arc(RADIUS, 30, 106)
    return softened(np.array([*groove, *outside, outside[-1] * 0.88]), BEVEL, STEP)


def _back_shell() -> np.ndarray:
    outside = arc(RADIUS, 0, 180 - 109.5)
    return softened(np.array([*outside, outside[-1] * 0.88]), BEVEL, STEP)


def _half_turn() -> np.ndarray:
    return np.diag([1.0, -1.0, -1.0])


def _backdrop(gray: float) -> None:
    """A floor that bends up into a wall."""
    path = softened(np.array([(-8.0, 0.0), (3.0, 0.0), (3.0, 6.0)]), 1.2, 0.1)
    bent = extruded(path, np.array([-9.0, 9.0]))
    # Its heights run to the right, its path backwards and up.
    turn = np.array([[0, 0, -1], [1, 0, 0], [0, 1, 0]], float)
    _object("Backdrop", bent.turned(turn)).data.materials.append(_plain("Paper", gray, 0.7))


# ---- corner


def corner() -> bpy.types.Object:
    """The outer corner of a wall, one side in the sun, with a plain pavement before it."""
    path = softened(np.array([(-3.6, 4.4), (0.0, 0.0), (4.6, 1.7)]), 0.03, 0.01)
    wall = _object("Wall Corner", extruded(path, np.linspace(0.0, 3.6, 91)))
    _refine(wall, 2)
    _object("Pavement", rectangle(40, 40, 40)).data.materials.append(_plain("Concrete", 0.25, 0.8))
    return wall


# ---- floor

ROOM = 2.4  # meters from the middle of the floor to its walls
WINDOW = (
    0.6,
    2.3,
    -0.5,
    1.5,
)  # its lower and upper edge, and where it begins and ends along the wall


def floor() -> bpy.types.Object:
    """The floor of a plain room, with the sun on it through a window."""
    floor = _object("Floor", rectangle(2 * ROOM, 4 * ROOM, 0.04))
    _refine(floor, 2)
    plaster = _plain("Plaster", 0.7, 0.8)
    for name, place, size in _room():
        _object(name, box(size).moved(*place)).data.materials.append(plaster)
    return floor


def _room() -> list[tuple[str, Place, Place]]:
    """Middle and size of a wall behind, its skirting board, and of a wall at the left with a window of two by two."""
    low, high, near, far = WINDOW
    middle, thick, left = (near + far) / 2, 0.16, -ROOM - 0.08
    tall = 3.0
    return [
        ("Wall", (0, ROOM + 0.08, tall / 2), (2 * ROOM, thick, tall)),
        ("Skirting Board", (0, ROOM - 0.01, 0.05), (2 * ROOM, 0.02, 0.1)),
        ("Below", (left, middle, low / 2), (thick, far - near, low)),
        ("Above", (left, middle, (high + tall) / 2), (thick, far - near, tall - high)),
        ("Before", (left, (near - ROOM) / 2, tall / 2), (thick, near + ROOM, tall)),
        ("Behind", (left, (far + ROOM) / 2, tall / 2), (thick, ROOM - far, tall)),
        ("Bar", (left, middle, (low + high) / 2), (0.04, 0.05, high - low)),
        ("Crossbar", (left, middle, (low + high) / 2), (0.04, far - near, 0.05)),
    ]


# ---- close


def near() -> bpy.types.Object:
    """A ball of a meter across from near."""
    ball = lathe(arc(RADIUS, 0, 179.9), 400)
    turn = np.array(Vector((0.0, -0.9, 0.25)).to_track_quat("Z", "Y").to_matrix())
    close = _object("Ball", ball.turned(turn).moved(0, 0, RADIUS))
    _refine(close, 2)
    _backdrop(0.12)
    return close


# ---- all


def _object(name: str, surface: Surface) -> bpy.types.Object:
    """An object with that surface, smooth, in the scene that is shown."""
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(surface.vertices))
    mesh.loops.add(surface.faces.size)
    mesh.polygons.add(len(surface.faces))
    mesh.vertices.foreach_set("co", surface.vertices.ravel())
    mesh.loops.foreach_set("vertex_index", surface.faces.ravel())
    mesh.polygons.foreach_set("loop_start", np.arange(0, surface.faces.size, 4))
    mesh.update(calc_edges=True)
    mesh.uv_layers.new(name="UVMap").uv.foreach_set("vector", surface.uv.ravel())
    mesh.validate()
    mesh.shade_smooth()
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def _refine(obj: bpy.types.Object, levels: int) -> None:
    """Give the surface points enough for a real displacement, in renders alone."""
    modifier = obj.modifiers.new("Points for the Relief", "SUBSURF")
    modifier.subdivision_type = "SIMPLE"
    modifier.levels, modifier.render_levels = 0, levels


def _plain(name: str, gray: float, roughness: float) -> bpy.types.Material:
    """A material of one gray."""
    material = bpy.data.materials.new(name)
    shader = nodes_of(material)["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (gray, gray, gray, 1)
    shader.inputs["Roughness"].default_value = roughness
    return material


def nodes_of(owner: bpy.types.Material | bpy.types.World) -> bpy.types.Nodes:
    if bpy.app.version < (5, 0, 0):  # from 5.0 on all have nodes, and asking warns
        owner.use_nodes = True
    return owner.node_tree.nodes
