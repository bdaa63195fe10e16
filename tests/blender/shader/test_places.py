"""Objects are found where they are, and meshes as they are, also where Blender does not keep that up to date."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.shader import places


def put(name: str, x: float, folder: bpy.types.Collection | None = None) -> bpy.types.Object:
    obj = bpy.data.objects.new(name, bpy.data.meshes.new(name))
    obj.location = (x, 0, 0)
    (folder or bpy.context.scene.collection).objects.link(obj)
    return obj


def reopened(tmp_path: Path) -> None:
    """What was worked out before is in no file."""
    file = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)


def found(*names: str) -> dict[str, float]:
    scene = bpy.context.scene
    objects = [bpy.data.objects[name] for name in names]
    matrices = places.world_matrices(scene, scene.view_layers[0], objects)
    return {o.name: round(m.translation.x, 4) for o, m in zip(objects, matrices, strict=True)}


def hide(obj: bpy.types.Object, how: str) -> None:
    folder = bpy.data.collections.new(f"{how} of {obj.name}")
    scene = bpy.context.scene
    scene.collection.children.link(folder)
    scene.collection.objects.unlink(obj)
    folder.objects.link(obj)
    in_layer = scene.view_layers[0].layer_collection.children[folder.name]
    match how:
        case "object":
            obj.hide_viewport = True
        case "collection":
            folder.hide_viewport = True
        case "excluded":
            in_layer.exclude = True
        case "eye":
            obj.hide_set(True)
        case "eye of the collection":
            in_layer.hide_viewport = True


WAYS = ("object", "collection", "excluded", "eye", "eye of the collection")


@pytest.mark.parametrize(
    ("how", "parents"), [*((how, "") for how in WAYS), ("object", "object"), ("", "collection")]
)
def test_a_hidden_object_is_where_it_would_be_shown(how, parents, tmp_path):
    parent, obj = put("parent", 10), put("o", 5)
    obj.parent = parent
    for one, way in ((obj, how), (parent, parents)):
        if way:
            hide(one, way)
    reopened(tmp_path)
    assert found("o") == {"o": 15}
    bpy.data.objects["parent"].location.x = 20  # no view layer tells it of that
    assert found("o", "parent") == {"o": 25, "parent": 20}


def test_constraints_bones_and_animation_count_although_hidden(tmp_path):
    target, follows, moves, turned = put("target", 7), put("f", 0), put("m", 0), put("t", 0)
    follows.constraints.new("COPY_LOCATION").target = target
    for frame, x in ((1, 0.0), (21, 20.0)):
        moves.location.x = x
        moves.keyframe_insert("location", frame=frame)
    turner = bpy.data.objects.new("turner", None)
    bpy.context.scene.collection.objects.link(turner)
    turner.rotation_euler = (0, 0, math.pi)
    turned.parent, turned.location = turner, (4, 0, 0)
    for obj in (target, follows, moves, turned, turner):
        obj.hide_viewport = True
    bpy.context.scene.frame_set(21)
    reopened(tmp_path)
    assert found("f", "m", "t") == {"f": 7, "m": 20, "t": -4}


def test_looking_leaves_nothing_behind(tmp_path):
    hide(put("o", 5), "object")
    kinds = (bpy.data.scenes, bpy.data.objects, bpy.data.worlds, bpy.data.collections)
    before = [list(kind.keys()) for kind in kinds]
    assert found("o") == {"o": 5}
    assert [list(kind.keys()) for kind in kinds] == before
    assert not bpy.data.objects["o"].constraints


def test_many_hidden_objects_are_found_at_once():
    objects = [put(str(number), number) for number in range(2 * places.MOST_TARGETS + 1)]
    for obj in objects:
        obj.hide_viewport = True
    assert list(found(*(obj.name for obj in objects)).values()) == list(range(len(objects)))


def test_a_scene_that_is_not_open_is_looked_at_too():
    other = bpy.data.scenes.new("other")
    obj = put("o", 5, other.collection)
    (matrix,) = places.world_matrices(other, other.view_layers[0], [obj])
    assert matrix.translation.x == 5


def test_an_object_linked_and_hidden_is_found(tmp_path):
    hide(put("o", 5), "object")
    file = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(file, link=True) as (_, wanted):
        wanted.objects = ["o"]
    bpy.context.scene.collection.objects.link(wanted.objects[0])
    assert found("o") == {"o": 5}


def test_a_mesh_that_is_edited_is_read_as_it_is_now(plane):
    other = plane.copy()
    bpy.context.scene.collection.objects.link(other)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.subdivide()
    bpy.ops.transform.resize(value=(3, 3, 3))
    for obj in (plane, other):  # the copy is in Object Mode, and shares what is edited
        with places.readable_mesh(obj) as mesh:
            points = np.empty(len(mesh.vertices) * 3, np.float32)
            mesh.vertices.foreach_get("co", points)
            assert (len(points), points.max()) == (9 * 3, 3)
            assert len(mesh.uv_layers.active.uv) == len(mesh.loops) == 16
    assert plane.mode == "EDIT"
    assert len(bpy.data.meshes) == 1


def test_a_mesh_that_is_not_edited_is_not_copied(plane):
    with places.readable_mesh(plane) as mesh:
        assert mesh == plane.data
