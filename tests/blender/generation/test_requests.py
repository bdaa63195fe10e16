"""Generate on all that a scene has: objects that are edited, share their data, or take no material."""

from __future__ import annotations

from dataclasses import replace

import bpy
import pytest

from blender_addon.generation import requests, results
from blender_addon.shader import node_tree, projection, slots
from blender_addon.worker import pump
from gan_worker.config import GenerationConfig
from gan_worker.errors import RequestError, WorkerError
from gan_worker.style import Material
from gan_worker.wire.messages import ModelList

from ..conftest import MODEL

CONFIG = GenerationConfig("bricks", 5, 48, 32)


def arrive(worker, maps) -> None:
    for job in worker.submitted:
        worker.finish(job, maps)
    pump.tick()
    pump.finish()


def seeds(objects) -> list[int]:
    return [obj.active_material.tilewright.latents.seed for obj in objects]


@pytest.fixture
def selected(stand_in):
    """The panel applies to what is selected, each with a seed of its own."""
    chosen = bpy.context.scene.tilewright
    chosen.target, chosen.vary_per_object, chosen.seed = "SELECTED", True, 5
    chosen.width, chosen.height = 48, 32


def test_what_shows_one_color_only_is_told_and_nothing_that_is_laid_as_a_box(
    stand_in, plane, maps, capsys
):
    plane.data.uv_layers.remove(plane.data.uv_layers[0])
    bpy.ops.tilewright.generate_material()
    assert "Plane has no UV map" in capsys.readouterr().out
    arrive(stand_in, maps)
    bpy.ops.tilewright.set_projection(projection="BOX")
    bpy.ops.tilewright.next_seed()
    assert "UV map" not in capsys.readouterr().out
    bpy.ops.object.metaball_add()
    bpy.ops.tilewright.generate_material()
    assert "Mball has no UV map" in capsys.readouterr().out


def test_a_linked_object_is_named_beside_an_own_one_of_the_same_name(
    stand_in, selected, plane, tmp_path, capsys
):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "kit.blend"))
    path = bpy.data.filepath
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.objects = ["Plane"]
    own = bpy.data.objects["Plane", None]
    bpy.context.collection.objects.unlink(own)
    for obj in (wanted.objects[0], own):
        bpy.context.collection.objects.link(obj)
        obj.select_set(True)
    assert bpy.ops.tilewright.generate_material() == {"FINISHED"}
    assert "Plane gets no material: it is linked" in capsys.readouterr().out


@pytest.mark.parametrize("unwrapped", [True, False])
def test_objects_that_are_edited_together_each_get_one(stand_in, selected, planes, maps, unwrapped):
    if not unwrapped:
        planes[1].data.uv_layers.remove(planes[1].data.uv_layers[0])
    bpy.ops.object.mode_set(mode="EDIT")
    assert {obj.mode for obj in planes} == {"EDIT"}
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.transform.resize(value=(2, 2, 2))  # twice as far apart, too
    assert bpy.ops.tilewright.generate_material() == {"FINISHED"}
    arrive(stand_in, maps)
    assert seeds(planes) == [5, 6, 7]
    sizes = [tuple(obj.active_material.tilewright.unit_size) for obj in planes]
    assert [size[0] for size in sizes] == pytest.approx([4.0, 4.0 if unwrapped else 0.0, 4.0])
    assert {obj.mode for obj in planes} == {"EDIT"}


def test_the_panel_generates_the_look_of_a_material_that_the_model_knows(stand_in, plane, maps):
    chosen = bpy.context.scene.tilewright
    chosen.model, chosen.look = MODEL.name, MODEL.styles[0]
    assert requests.generation_config(bpy.context.scene).style == Material("old wall")
    assert bpy.ops.tilewright.generate_material() == {"FINISHED"}
    arrive(stand_in, maps)
    assert plane.active_material.tilewright.latents.material == "old wall"
    chosen.look = "roof"
    assert requests.generation_config(bpy.context.scene).style is None, "another model's"


def test_surface_buttons_work_on_what_is_edited(stand_in, plane, maps):
    requests.generate_for_objects([plane], CONFIG)
    arrive(stand_in, maps)
    material = plane.active_material
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.transform.resize(value=(3, 3, 3))
    for kind in ("BOX", "UV"):
        assert bpy.ops.tilewright.set_projection(projection=kind) == {"FINISHED"}
        assert material.tilewright.projection == kind
        image = node_tree.texture_node_name("base_color")
        assert material.node_tree.nodes[image].projection == {"UV": "FLAT", "BOX": "BOX"}[kind]
    assert bpy.ops.tilewright.measure_tile() == {"FINISHED"}
    assert material.tilewright.unit_size[0] == pytest.approx(6.0)


def of_pixels(stand_in, octaves=0, **sizes):
    """Let the worker tell how large pixels of its models are, meters."""
    model = replace(MODEL, octaves=octaves)
    told = (replace(model, name=name, pixel_size=size) for name, size in sizes.items())
    stand_in.events.append(ModelList(tuple(told)))
    pump.tick()


def test_a_material_comes_in_its_own_size_and_keeps_another_that_was_chosen(stand_in, plane, maps):
    of_pixels(stand_in, bricks=0.01, felt=0.001, slate=0.0)
    requests.generate_for_objects([plane], CONFIG)
    arrive(stand_in, maps)
    kept = plane.active_material.tilewright
    assert kept.tile_size == pytest.approx(0.48)
    assert projection.repeats(plane.active_material) == pytest.approx((2 / 0.48, 2 / 0.32))
    kept.tile_size = 1.0
    requests.generate_for_objects([plane], replace(CONFIG, seed=6))
    arrive(stand_in, maps)
    assert kept.tile_size == pytest.approx(1.0)
    requests.generate_for_objects([plane], replace(CONFIG, model="felt"))
    arrive(stand_in, maps)
    assert kept.tile_size == pytest.approx(0.048)
    requests.generate_for_objects([plane], replace(CONFIG, model="slate"))  # nobody knows
    arrive(stand_in, maps)
    assert kept.tile_size == pytest.approx(0.048)


def generate(worker, make, obj, config, order=None) -> None:
    """Generate, and let maps of that size come."""
    (job,) = requests.generate_for_objects([obj], config, order)
    worker.finish(job.id, make(config.width, config.height, config.seed))
    pump.tick()
    pump.finish()


@pytest.mark.parametrize("size", [0.01, 0.0])
def test_everything_on_a_larger_area_stays_as_large(stand_in, plane, make, size):
    of_pixels(stand_in, octaves=1, bricks=size)
    generate(stand_in, make, plane, CONFIG)
    material = plane.active_material
    material.tilewright.tile_size = 0.6  # of the artist, by now
    for made, width in (
        (replace(CONFIG, width=96, height=64), 1.2),
        (replace(CONFIG, mip=1), 1.2),  # the same area at half the detail
        (replace(CONFIG, width=80, height=16), 1.0),
        (CONFIG, 0.6),
    ):
        generate(stand_in, make, plane, made)
        assert material.tilewright.tile_size == pytest.approx(width, rel=1e-4)
        across, down = projection.repeats(material)
        assert down / across == pytest.approx(made.width / made.height, rel=1e-4)


def test_a_larger_area_on_what_was_never_measured_stays_as_large(stand_in, plane, make):
    plane.data.uv_layers.remove(plane.data.uv_layers[0])
    generate(stand_in, make, plane, CONFIG)
    projection.repeat(plane.active_material, (4.0, 3.0))
    generate(stand_in, make, plane, replace(CONFIG, width=96))
    assert projection.repeats(plane.active_material) == pytest.approx((2.0, 3.0))


def test_undo_of_a_larger_area_takes_its_size_back(stand_in, plane, make):
    generate(stand_in, make, plane, CONFIG)
    name = plane.active_material.name
    before = projection.repeats(plane.active_material)
    bpy.ops.ed.undo_push(message="before")
    generate(stand_in, make, plane, replace(CONFIG, width=96, height=64))
    assert projection.repeats(bpy.data.materials[name]) != pytest.approx(before)
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    assert projection.repeats(bpy.data.materials[name]) == pytest.approx(before)
    bpy.ops.ed.redo()
    material = bpy.data.materials[name]
    assert projection.repeats(material) == pytest.approx((before[0] / 2, before[1] / 2))
    assert tuple(node_tree.images_of(material)["base_color"].size) == (96, 64)


def test_a_tile_of_unknown_size_has_the_proportion_of_its_pixels(stand_in, plane, make):
    generate(stand_in, make, plane, replace(CONFIG, width=64, height=32))
    material = plane.active_material
    assert projection.repeats(material) == pytest.approx((1.0, 2.0))
    material.tilewright.tile_size = material.tilewright.tile_size
    assert projection.repeats(material) == pytest.approx((1.0, 2.0))
    projection.repeat(material, (1.0, 1.0))  # by now the artist wants it so
    generate(stand_in, make, plane, replace(CONFIG, width=64, height=32, seed=6))
    assert projection.repeats(material) == pytest.approx((1.0, 1.0))


def test_the_tile_of_another_model_is_in_proportion_where_that_before_it_was(stand_in, plane, make):
    of_pixels(stand_in, bricks=0.01, slate=0.0)
    wide = replace(CONFIG, model="slate", width=64, height=16)
    generate(stand_in, make, plane, CONFIG)
    material = plane.active_material
    generate(stand_in, make, plane, wide)
    assert projection.repeats(material) == pytest.approx((2 / 0.48, 8 / 0.48))
    generate(stand_in, make, plane, CONFIG)
    projection.repeat(material, (3.0, 1.0))  # by now the artist wants it so
    generate(stand_in, make, plane, wide)
    assert projection.repeats(material) == pytest.approx((3.0, 1.0))


def test_repeats_that_were_chosen_and_what_was_never_measured_stay(stand_in, planes, make):
    order = results.Order(node_tree.Wiring((3.0, 1.0)))
    wide = replace(CONFIG, width=64, height=32)
    generate(stand_in, make, planes[0], wide, order)
    planes[1].data.uv_layers.remove(planes[1].data.uv_layers[0])
    generate(stand_in, make, planes[1], wide)
    repeats = [projection.repeats(obj.active_material) for obj in planes[:2]]
    assert repeats == [(3.0, 1.0), (1.0, 1.0)]


def test_half_the_detail_is_as_large(stand_in, plane, maps):
    of_pixels(stand_in, octaves=1, bricks=0.01)
    requests.generate_for_objects([plane], replace(CONFIG, mip=1))
    arrive(stand_in, maps)
    assert plane.active_material.tilewright.tile_size == pytest.approx(0.96)


@pytest.mark.parametrize("how", ["hide", "exclude"])
def test_what_is_measured_is_as_large_as_it_would_be_shown(stand_in, plane, how, tmp_path):
    plane.scale = (4, 4, 4)
    bpy.ops.object.mode_set(mode="OBJECT")
    if how == "hide":
        plane.hide_viewport = True
    else:
        bpy.data.collections.new("off").objects.link(plane)
        bpy.context.scene.collection.children.link(bpy.data.collections["off"])
        bpy.context.scene.collection.objects.unlink(plane)
        bpy.context.view_layer.layer_collection.children["off"].exclude = True
    file = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    obj = bpy.data.objects["Plane"]
    (sizes,) = projection.unit_sizes([obj])
    assert sizes["UV"] == pytest.approx((8.0, 8.0, 1.0))
    assert sizes["BOX"] == pytest.approx((4.0, 4.0, 4.0))


def test_all_objects_that_get_one_each_are_found_at_once(stand_in, planes, asked_places):
    for number, obj in enumerate(planes, 1):
        obj.scale = (number, number, number)
        obj.hide_viewport = True
    requests.generate_for_objects(planes, CONFIG, vary=True)
    assert asked_places == [planes]
    sizes = [obj.active_material.tilewright.unit_size[0] for obj in planes]
    assert sizes == pytest.approx([2.0, 4.0, 6.0])


@pytest.mark.parametrize("vary", [False, True])
def test_of_no_objects_none_is_measured(stand_in, vary):
    jobs = requests.generate_for_objects([], CONFIG, vary=vary)
    assert len(jobs) == (0 if vary else 1)


def test_copies_that_share_a_mesh_keep_their_seeds(stand_in, selected, plane, maps):
    copies = [plane, *(plane.copy() for _ in range(3))]
    for copy in copies[1:]:
        bpy.context.collection.objects.link(copy)
    for copy in copies:
        copy.select_set(copy != copies[3])
    assert bpy.ops.tilewright.generate_material() == {"FINISHED"}
    arrive(stand_in, maps)
    assert sorted(seeds(copies[:3])) == [5, 6, 7]
    assert copies[3].active_material is None
    made = {obj.active_material.name for obj in copies[:3]}
    assert bpy.ops.tilewright.next_seed() == {"FINISHED"}
    arrive(stand_in, maps)
    assert sorted(seeds(copies[:3])) == [6, 7, 8]
    assert {obj.active_material.name for obj in copies[:3]} == made  # theirs alone: updated


def test_a_material_that_a_copy_shows_too_is_left_to_it(stand_in, plane, maps):
    requests.generate_for_objects([plane], CONFIG)
    arrive(stand_in, maps)
    other, before = plane.copy(), plane.active_material
    bpy.context.collection.objects.link(other)
    requests.generate_for_objects([plane], CONFIG)
    assert (other.active_material, plane.active_material == before) == (before, False)


def test_what_takes_none_is_named_with_its_reason(stand_in, selected, plane, capsys):
    volume = bpy.data.objects.new("Smoke", bpy.data.volumes.new("Smoke"))
    own = bpy.data.materials.new("Principled Volume")
    volume.data.materials.append(own)
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "SUN"))
    for obj in (volume, lamp):
        bpy.context.collection.objects.link(obj)
        obj.select_set(True)
    assert bpy.ops.tilewright.generate_material() == {"FINISHED"}
    assert volume.active_material == own
    assert len(stand_in.submitted) == 1
    told = capsys.readouterr().out
    assert "Smoke gets no material: it has no surface" in told
    assert "Lamp gets" not in told


@pytest.mark.parametrize("wrong", ["object", "connection"])
def test_nothing_changes_where_one_thing_cannot_be(stand_in, planes, wrong):
    from blender_addon.worker import session

    objects, expected = planes, WorkerError
    if wrong == "object":
        volume = bpy.data.objects.new("Smoke", bpy.data.volumes.new("Smoke"))
        objects, expected = [*planes, volume], RequestError
    else:
        session.current.state = "stopped"
    with pytest.raises(expected):
        requests.generate_for_objects(objects, CONFIG, vary=True)
    assert not stand_in.submitted
    assert not bpy.data.materials
    assert not any(obj.material_slots for obj in planes)


def test_an_objects_own_slot_is_filled_beside_one_of_its_data(stand_in, plane, maps):
    other = plane.copy()
    bpy.context.collection.objects.link(other)
    slots.assign(other, bpy.data.materials.new("own"))
    requests.generate_for_objects([plane, other], CONFIG)
    assert plane.active_material == other.active_material
    assert plane.data.materials[0] is None


@pytest.mark.parametrize("press", ["paint_looks", "paint_repair_mask"])
def test_a_mesh_of_another_file_is_not_painted(stand_in, maps, tmp_path, press):
    bpy.ops.mesh.primitive_plane_add()
    bpy.context.object.data.materials.append(None)
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.objects = ["Plane"]
    obj = wanted.objects[0]
    bpy.context.scene.collection.objects.link(obj)
    obj.make_local()
    bpy.context.view_layer.objects.active = obj
    requests.generate_for_objects([obj], CONFIG)
    arrive(stand_in, maps)
    assert node_tree.images_of(obj.active_material)
    with pytest.raises(RuntimeError, match="mesh must belong to this file"):
        getattr(bpy.ops.tilewright, press)()
    assert obj.mode == "OBJECT"
