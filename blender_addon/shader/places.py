"""Objects as they are now, wherever Blender keeps that: in the world while nothing shows them, and while edited."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import bpy
from mathutils import Matrix

# Constraints of one object: Blender takes the longer for each, the more there are; and so it does with objects.
MOST_TARGETS = 32


def world_matrices(
    scene: bpy.types.Scene, layer: bpy.types.ViewLayer, objects: Sequence[bpy.types.Object]
) -> list[Matrix]:
    """Where objects are in the world.

    Blender works that out for what a view layer shows alone. What is disabled in viewports or excluded from it has the
    place that was worked out last, and after the file was opened none.

    Args:
        scene: whose frame it is.
        layer: of the scene; what it shows costs nothing.
        objects: of any scene, local or linked.
    """
    layer.update()
    shown = [obj.evaluated_get(layer.depsgraph) for obj in objects]
    hidden = [obj for obj, found in zip(objects, shown, strict=True) if not found.is_evaluated]
    others = iter(_evaluated(scene, hidden)) if hidden else iter(())
    return [found.matrix_world.copy() if found.is_evaluated else next(others) for found in shown]


def _evaluated(scene: bpy.types.Scene, objects: Sequence[bpy.types.Object]) -> list[Matrix]:
    """Places of objects that no view layer shows: something must depend on them, in a scene that is there for that."""
    probe = bpy.data.scenes.new("Tilewright Places")
    starts = range(0, len(objects), MOST_TARGETS)
    followers = [bpy.data.objects.new("Tilewright Places", None) for _ in starts]
    try:
        # Not by frame_set: it would call the handlers of others.
        probe.frame_current, probe.frame_subframe = scene.frame_current, scene.frame_subframe
        for start, follower in zip(starts, followers, strict=True):
            for obj in objects[start : start + MOST_TARGETS]:
                follower.constraints.new("COPY_TRANSFORMS").target = obj
            probe.collection.objects.link(follower)
        layer = probe.view_layers[0]
        layer.update()
        return [obj.evaluated_get(layer.depsgraph).matrix_world.copy() for obj in objects]
    finally:
        bpy.data.batch_remove([probe, *followers])


@contextmanager
def readable_mesh(obj: bpy.types.Object) -> Iterator[bpy.types.Mesh]:
    """The mesh of an object with its arrays.

    While a mesh is edited, its arrays are those of before or empty: what is edited is elsewhere.

    Args:
        obj: a mesh object, in any mode; so may be others with its mesh.

    Yields:
        The object's own mesh, or a copy of what is edited, which goes at the end.
    """
    if not obj.data.is_editmode:
        yield obj.data
        return
    obj.update_from_editmode()
    try:
        yield obj.to_mesh()
    finally:
        obj.to_mesh_clear()
