"""Objects take materials in one way, whoever owns their data, and say why others take none."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from blender_addon.shader import slots

SURFACES = {"MESH", "CURVE", "SURFACE", "FONT", "META", "CURVES", "POINTCLOUD"}


def put(name: str, data: bpy.types.ID) -> bpy.types.Object:
    obj = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def fresh(name: str = "ours") -> bpy.types.Material:
    return bpy.data.materials.new(name)


def shown(obj: bpy.types.Object) -> list[tuple[str, str]]:
    return [(s.link, s.material.name if s.material else "") for s in obj.material_slots]


@pytest.fixture
def library(tmp_path) -> Path:
    """A file with a collection: `Wall` has a slot, `Bare` has none, and `Own` one that belongs to the object."""
    kit = bpy.data.collections.new("Kit")
    bpy.context.scene.collection.children.link(kit)
    for name in ("Wall", "Bare", "Own"):
        obj = bpy.data.objects.new(name, bpy.data.meshes.new(name))
        kit.objects.link(obj)
        if name != "Bare":
            obj.data.materials.append(bpy.data.materials.new("Old"))
    kit.objects["Own"].material_slots[0].link = "OBJECT"
    path = tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True)
    return path


def linked(library: Path) -> bpy.types.Collection:
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.collections = ["Kit"]
    bpy.context.scene.collection.children.link(wanted.collections[0])
    return wanted.collections[0]


def overrides(library: Path) -> dict[str, bpy.types.Object]:
    made = linked(library).override_hierarchy_create(bpy.context.scene, bpy.context.view_layer)
    return {obj.name: obj for obj in made.objects}


def localised(library: Path) -> dict[str, bpy.types.Object]:
    """As Make Local > Selected Objects does: their data stays linked."""
    objects = list(linked(library).objects)
    for obj in objects:
        bpy.context.scene.collection.objects.link(obj)
    return {name: obj.make_local() for name, obj in [(obj.name, obj) for obj in objects]}


def test_what_is_no_surface_takes_none():
    kinds = {"MESH": bpy.data.meshes.new("m"), "VOLUME": bpy.data.volumes.new("v")}
    kinds |= {k: bpy.data.curves.new(k, k) for k in ("CURVE", "SURFACE", "FONT")}
    kinds |= {"META": bpy.data.metaballs.new("b"), "CURVES": bpy.data.hair_curves.new("h")}
    kinds |= {"POINTCLOUD": bpy.data.pointclouds.new("p"), "LATTICE": bpy.data.lattices.new("l")}
    kinds |= {"LIGHT": bpy.data.lights.new("l", "SUN"), "EMPTY": None}
    objects = [put(kind, data) for kind, data in kinds.items()]
    assert {o.type for o in objects if not slots.refusal(o, 0)} == SURFACES
    assert {slots.refusal(o) for o in objects if o.type not in SURFACES} == {"it has no surface"}


def test_a_drawing_keeps_its_own_material():
    newer = hasattr(bpy.ops.object, "grease_pencil_add") and bpy.app.version >= (4, 3, 0)
    (bpy.ops.object.grease_pencil_add if newer else bpy.ops.object.gpencil_add)(type="STROKE")
    assert slots.refusal(bpy.context.object, 0) == "it has no surface"


@pytest.mark.parametrize("count", [2, 5])
def test_copies_with_one_mesh_get_materials_of_their_own(count):
    mesh = bpy.data.meshes.new("shared")
    mesh.materials.append(fresh("old"))
    bystander, *copies = [put(str(n), mesh) for n in range(count + 1)]
    made = [fresh(f"made {n}") for n in range(count)]
    for obj, material in zip(copies, made, strict=True):
        slots.assign(obj, material)
    assert [o.active_material for o in copies] == made
    assert shown(bystander) == [("DATA", "old")]


def test_data_of_one_object_keeps_the_material_itself():
    mesh = bpy.data.meshes.new("alone")
    mesh.use_fake_user = True  # is no second object
    obj = put("o", mesh)
    slots.assign(obj, fresh())
    assert shown(obj) == [("DATA", "ours")]
    obj.material_slots[0].link = "OBJECT"
    slots.assign(obj, fresh("next"))
    assert shown(obj) == [("OBJECT", "next")]


def test_the_active_slot_is_filled_and_others_stay():
    obj = put("o", bpy.data.meshes.new("m"))
    for name in "abc":
        obj.data.materials.append(fresh(name))
    obj.active_material_index = 1
    slots.assign(obj, fresh())
    assert [name for _, name in shown(obj)] == ["a", "ours", "c"]


@pytest.mark.parametrize("taken", [overrides, localised])
def test_objects_whose_mesh_is_linked_keep_what_they_get_in_the_file(library, taken, tmp_path):
    for obj in taken(library).values():
        if not slots.refusal(obj, slots.active_number(obj)):
            slots.assign(obj, fresh())
    file = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    local = {o.name: o for o in bpy.data.objects if not o.library}
    assert shown(local["Wall"]) == [("OBJECT", "ours")]
    assert shown(local["Own"])[0][0] == "OBJECT"
    assert shown(local["Own"])[0][1].startswith("ours")
    assert not any(s.material for s in local["Bare"].material_slots)


@pytest.mark.parametrize("taken", [overrides, localised])
def test_slots_that_would_not_stay_are_refused(library, taken):
    bare = taken(library)["Bare"]
    assert slots.refusal(bare) == ""
    assert "no slot can be added" in slots.refusal(bare, 0)


def test_a_linked_object_is_refused(library):
    assert {slots.refusal(o) for o in linked(library).objects} == {"it is linked from another file"}


def test_whether_objects_alone_show_a_material():
    mesh, material = bpy.data.meshes.new("shared"), fresh()
    mesh.materials.append(material)
    first, second = put("a", mesh), put("b", mesh)
    assert slots.alone_show([first, second], material)
    assert not slots.alone_show([first], material)  # the other has it by their mesh
    other = put("c", bpy.data.meshes.new("other"))
    slots.assign(other, material)
    assert not slots.alone_show([first, second], material)
    assert slots.alone_show([first, second, other], material)
    material.use_fake_user = True
    assert slots.alone_show([first, second, other], material)
