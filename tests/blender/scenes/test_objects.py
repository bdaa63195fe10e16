"""Scenes described by value, and materials put into slots."""

import bpy
import pytest

from blender_addon.scenes import objects
from blender_addon.shader import node_tree, slots
from blender_addon.steering import sliders
from gan_worker.config import GenerationConfig, Recipe
from gan_worker.estimation import Estimation
from gan_worker.scenes.description import SceneObject
from gan_worker.scenes.plan import Assignment
from gan_worker.scenes.store import Made

from ..conftest import write_png


def mesh(name, collection=None, data=None):
    obj = bpy.data.objects.new(name, data or bpy.data.meshes.new(name))
    (collection or bpy.context.scene.collection).objects.link(obj)
    return obj


def collection(name, parent=None):
    made = bpy.data.collections.new(name)
    (parent or bpy.context.scene.collection).children.link(made)
    return made


def described(*curves):
    return objects.describe(bpy.context.scene, curves)


def test_an_object_is_told_with_all_that_rules_ask_for():
    street = collection("Street")
    house = mesh("House", collection("Old", street))
    parent = mesh("Parent")
    parent.location = 1, 2, 3
    house.parent, house.location = parent, (0.5, 0, 0)
    house["storeys"], house["kind"], house["list"] = 3, "shop", [1, 2]
    house.data.materials.append(bpy.data.materials.new("Brick"))
    house.data.materials.append(None)
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("Empty", None))
    found = {o.name: o for o in described().objects}
    assert found["House"] == SceneObject(
        "House",
        "MESH",
        frozenset({"Street", "Old"}),
        ("Brick", ""),
        {"storeys": 3, "kind": "shop"},
        (1.5, 2.0, 3.0),
    )
    assert set(found) == {"House", "Parent"}
    assert described().collections == {"Street", "Old"}


def test_a_curve_is_a_line_of_places_in_the_world():
    bpy.ops.curve.primitive_bezier_curve_add(location=(10, 0, 0))
    name = bpy.context.object.name
    points = described(name, "Nowhere").curves[name]
    assert points[0] == (9, 0, 0)
    assert points[-1] == (11, 0, 0)
    assert len(points) >= 16
    assert set(described(name, "Nowhere").curves) == {name}


def test_what_is_linked_from_another_file_is_refused(tmp_path):
    mesh("House").data.materials.append(None)
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.objects = ["House"]
    linked = wanted.objects[0]
    bpy.context.scene.collection.objects.link(linked)
    assert "linked" in described().objects[0].refusal
    local = mesh("House", data=linked.data)
    assert local.name == "House"
    (only,) = described().objects
    assert (only.refusal, only.new_slots) == ("", False)


def test_of_a_linked_object_with_the_same_name_nothing_is_told(tmp_path):
    mesh("House", collection("Set"))
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.collections = ["Set"]
    bpy.context.scene.collection.children.link(wanted.collections[0])
    mesh("House", collection("Own"))
    (only,) = described().objects
    assert (only.refusal, only.collections) == ("", {"Own"})
    assert described().collections == {"Set", "Own"}


def test_what_is_hidden_is_where_it_would_be_shown(tmp_path):
    off = collection("Off")
    house, tower = mesh("House"), mesh("Tower", off)
    bpy.ops.curve.primitive_bezier_curve_add(location=(10, 0, 0))
    guide = bpy.context.object
    house.location, tower.location = (50, 0, 0), (0, 70, 0)
    house.hide_viewport = guide.hide_viewport = True
    bpy.context.view_layer.layer_collection.children["Off"].exclude = True
    path, name = str(tmp_path / "scene.blend"), guide.name
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    found = described(name)
    places = {o.name: o.location for o in found.objects}
    assert (places["House"], places["Tower"]) == ((50, 0, 0), (0, 70, 0))
    assert (found.curves[name][0], found.curves[name][-1]) == ((9, 0, 0), (11, 0, 0))


def test_a_linked_guide_is_followed(tmp_path):
    bpy.ops.curve.primitive_bezier_curve_add(location=(10, 0, 0))
    path, name = str(tmp_path / "library.blend"), bpy.context.object.name
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.objects = [name]
    bpy.context.scene.collection.objects.link(wanted.objects[0])
    assert described(name).curves[name][0] == (9, 0, 0)


@pytest.mark.parametrize("count", [0, 1])
def test_objects_that_share_their_data_get_materials_of_their_own(count):
    first = mesh("a")
    for _ in range(count):
        first.data.materials.append(None)
    second = mesh("b", data=first.data)
    made = [bpy.data.materials.new(name) for name in "ab"]
    for obj, material in zip((first, second), made, strict=True):
        slots.assign(obj, material, 0)
    assert [o.material_slots[0].material for o in (first, second)] == made
    assert len(first.material_slots) == 1


def test_a_new_slot_comes_after_those_that_are_there():
    obj = mesh("a")
    old, new = (bpy.data.materials.new(name) for name in ("old", "new"))
    obj.data.materials.append(old)
    slots.assign(obj, new, 2)
    assert [s.material for s in obj.material_slots] == [old, None, new]


def test_what_a_batch_made_keeps_the_end_of_its_name_and_its_relief(tmp_path, make):
    model, key = "weathered_oak_planks_of_the_old_barn_" * 2, "b" * 64
    maps = {
        name: pixels for name, pixels in make(16, 16).items() if name in ("base_color", "normal")
    }
    words = {"base_color": "basecolor", "normal": "normal"}
    files = {
        name: write_png(tmp_path / f"{model}_{key[:16]}_16x16_{words[name]}.png", pixels)
        for name, pixels in maps.items()
    }
    relief = Estimation("stone", depth=1.5)
    config = GenerationConfig(model, 1, 16, 16, origin=(0, 0), estimation=relief)
    recipe = Recipe(config, "a" * 64, "0.1", estimated={"normal": 14.0})
    obj = mesh("Wall")
    assignment = Assignment("Wall", 0, "", key, (1, 1), "all")
    assert objects.Applier(True).apply(assignment, Made(key, recipe, {}, files))
    material = obj.active_material
    assert material.name.endswith(" bbbbbbbb")
    names = {name: image.name for name, image in node_tree.images_of(material).items()}
    stems = {names[name].removesuffix(f"_{words[name]}.png") for name in words}
    assert len(stems) == 1
    assert stems.pop().endswith(f"_{key[:16]}_16x16")
    # Its sliders stand where the recipe of the scene has put them.
    assert sliders.wanted(material).estimation == relief
    assert sliders.is_shown(material)
    assert node_tree.read_recipe(material).estimated == {"normal": 14.0}
