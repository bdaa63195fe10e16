"""Projection, size in meters, displacement and maps are changed on a material that is there."""

from __future__ import annotations

from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from blender_addon.generation import requests
from blender_addon.shader import images, node_tree, operators, projection, slots, surface
from blender_addon.shader.node_tree import (
    COORDINATES,
    DISPLACEMENT,
    MAPPING,
    NORMAL_MAP,
    OUTPUT,
    SHADER,
)
from blender_addon.worker import pump
from gan_worker.config import GenerationConfig
from gan_worker.errors import RequestError

from ..conftest import add_lightmap

ALL = ("base_color", "roughness", "metallic", "normal", "height", "ambient_occlusion")
TWO = ("base_color", "height")


@pytest.fixture
def material(plane, maps) -> bpy.types.Material:
    return made(plane, maps, *ALL)


def made(obj, maps, *names: str) -> bpy.types.Material:
    """A material with these maps on the object."""
    material = node_tree.new_material("oak")
    fresh = {name: images.new_image(name, name, maps[name], "job") for name in names}
    node_tree.build(material, fresh, node_tree.Wiring())
    slots.assign(obj, material)
    surface.measure_tile(material, obj)
    return material


def node(material, name):
    return material.node_tree.nodes[name]


def wiring(material) -> set[tuple[str, ...]]:
    return {
        (x.from_node.name, x.from_socket.name, x.to_node.name, x.to_socket.identifier)
        for x in material.node_tree.links
    }


def texture(material, name):
    return node(material, node_tree.texture_node_name(name))


def test_box_and_back_keep_tile_size_wiring_and_names(material, plane):
    plane.scale = (3.0, 3.0, 3.0)
    bpy.context.view_layer.update()
    surface.measure_tile(material, plane)
    material.tilewright.tile_size = 0.5
    before = wiring(material)
    names = {texture(material, n).image.name for n in ALL}
    surface.project(material, "BOX", plane)
    assert material.tilewright.tile_size == pytest.approx(0.5)
    assert tuple(node(material, MAPPING).inputs["Scale"].default_value) == pytest.approx([6.0] * 3)
    assert {texture(material, n).projection for n in ALL} == {"BOX"}
    assert texture(material, "height").projection_blend == pytest.approx(projection.BLEND)
    assert (COORDINATES, "Object", MAPPING, "Vector") in wiring(material)
    assert {texture(material, n).image.name for n in ALL} == names
    surface.project(material, "UV", plane)
    assert material.tilewright.tile_size == pytest.approx(0.5)
    assert wiring(material) == before
    assert {texture(material, n).projection for n in ALL} == {"FLAT"}


@pytest.mark.parametrize("is_measured", [True, False])
def test_a_box_on_an_uneven_object_keeps_its_tile_however_often_it_is_chosen(
    material, plane, is_measured
):
    plane.scale = (2.5, 0.1, 1.5)
    surface.project(material, "BOX", plane)
    material.tilewright.tile_size = 2.0
    assert material.tilewright.tile_size == pytest.approx(2.0)
    assert projection.repeats(material) == pytest.approx((1.25, 0.75))
    scale = node(material, MAPPING).inputs["Scale"].default_value
    for _ in range(2):
        surface.project(material, "BOX", plane if is_measured else None)
        assert tuple(scale) == pytest.approx((1.25, 0.05, 0.75))
    surface.project(material, "UV", plane)
    surface.project(material, "BOX", plane)
    assert tuple(scale) == pytest.approx((1.25, 0.05, 0.75))


def test_box_shows_relief_by_height_because_normals_need_uv(material, plane):
    assert material.displacement_method == "DISPLACEMENT"
    surface.project(material, "BOX", plane)
    assert NORMAL_MAP not in material.node_tree.nodes
    assert "it needs a UV map" in surface.why_no_normals(material)
    assert material.displacement_method == "BOTH"
    surface.raise_surface(material, "NONE")
    surface.project(material, "UV", plane)
    assert node(material, SHADER).inputs["Normal"].is_linked
    surface.project(material, "BOX", plane)
    assert surface.displacement(material) == "BUMP"


def test_box_without_height_falls_back_to_luminance(plane, maps):
    material = made(plane, maps, "base_color", "normal")
    surface.project(material, "BOX", plane)
    assert node_tree.BUMP in material.node_tree.nodes
    surface.project(material, "UV", plane)
    assert node_tree.BUMP not in material.node_tree.nodes
    assert node(material, SHADER).inputs["Normal"].links[0].from_node.name == NORMAL_MAP


def test_a_tile_is_measured_on_the_uv_map_that_is_rendered(material, plane):
    small = add_lightmap(plane.data)
    surface.measure_tile(material, plane)
    assert tuple(material.tilewright.unit_size) == pytest.approx((2.0, 2.0, 1.0))
    small.active_render = True
    plane.data.uv_layers.active_index = 0
    surface.measure_tile(material, plane)
    assert tuple(material.tilewright.unit_size) == pytest.approx((20.0, 20.0, 1.0))


def test_a_selected_uv_map_with_an_area_does_not_stand_in_for_the_rendered_one(material, plane):
    add_lightmap(plane.data)
    for corner in plane.data.uv_layers[0].uv:
        corner.vector = (0.5, 0.5)
    with pytest.raises(RequestError, match="a UV map with an area"):
        surface.measure_tile(material, plane)


def test_tile_has_the_proportion_of_its_pixels(material, plane):
    material.tilewright.latents.model = "oak"
    material.tilewright.latents.width, material.tilewright.latents.height = 128, 64
    surface.measure_tile(material, plane)  # a plane of 2 m by one UV square
    material.tilewright.tile_size = 1.0
    assert projection.repeats(material) == pytest.approx((2.0, 4.0))
    surface.project(material, "BOX", plane)
    assert tuple(node(material, MAPPING).inputs["Scale"].default_value) == pytest.approx((1, 1, 2))


def test_preview_repeats_a_box_along_all_axes(material, plane):
    surface.project(material, "BOX", plane)
    material.tilewright.tile_size = 0.5
    projection.refine(material, (4.0, 4.0))
    assert tuple(node(material, MAPPING).inputs["Scale"].default_value) == pytest.approx([8.0] * 3)
    assert material.tilewright.tile_size == pytest.approx(0.5)
    projection.refine(material, (1.0, 1.0))
    assert tuple(node(material, MAPPING).inputs["Scale"].default_value) == pytest.approx([2.0] * 3)


def test_surface_without_a_uv_map_is_said(material, plane):
    plane.data.uv_layers.remove(plane.data.uv_layers[0])
    with pytest.raises(RequestError) as caught:
        surface.measure_tile(material, plane)
    assert caught.value.code == "wrong_state"
    surface.project(material, "BOX", plane)
    assert projection.is_measured(material)


@pytest.mark.parametrize(
    ("names", "kind", "method", "normals"),
    [
        (ALL, "BUMP", "BUMP", False),
        (ALL, "REAL", "DISPLACEMENT", True),
        (("base_color", "height"), "BUMP", "BUMP", False),
        (("base_color", "height"), "REAL", "BOTH", False),
    ],
)
def test_height_is_shown_once(plane, maps, names, kind, method, normals):
    material = made(plane, maps, *names)
    surface.raise_surface(material, kind, 0.07)
    assert (surface.displacement(material), material.displacement_method) == (kind, method)
    assert node(material, OUTPUT).inputs["Displacement"].links[0].from_node.name == DISPLACEMENT
    assert node(material, DISPLACEMENT).inputs["Scale"].default_value == pytest.approx(0.07)
    assert node(material, SHADER).inputs["Normal"].is_linked == normals
    assert bool(surface.why_no_normals(material)) == (names == ALL and not normals)
    surface.raise_surface(material, "BUMP")
    assert node(material, DISPLACEMENT).inputs["Scale"].default_value == pytest.approx(0.07)


def test_no_displacement_stays_so_when_other_pictures_come(material, maps):
    surface.raise_surface(material, "NONE")
    assert not node(material, OUTPUT).inputs["Displacement"].is_linked
    fresh = {name: images.new_image(name, name, maps[name], "next") for name in ALL}
    node_tree.build(material, fresh, None)
    assert surface.displacement(material) == "NONE"
    assert node(material, SHADER).inputs["Normal"].is_linked


def test_height_is_needed_for_displacement(plane, maps):
    material = made(plane, maps, "base_color", "normal")
    with pytest.raises(RequestError) as caught:
        surface.raise_surface(material, "REAL")
    assert caught.value.code == "wrong_state"
    assert not bpy.ops.tilewright.set_displacement.poll()


def test_maps_are_left_out_and_come_back(material, maps):
    before = wiring(material)
    own = material.node_tree.nodes.new("ShaderNodeInvert")
    source = texture(material, "roughness").outputs["Color"]
    material.node_tree.links.new(source, own.inputs["Color"])
    for name in surface.OPTIONAL_MAPS:
        surface.use_map(material, name, False)
    shader = node(material, SHADER)
    assert not any(shader.inputs[n].is_linked for n in ("Base Color", "Roughness", "Metallic"))
    assert not shader.inputs["Normal"].is_linked
    assert own.inputs["Color"].is_linked
    fresh = {name: images.new_image(name, name, maps[name], "next") for name in ALL}
    node_tree.build(material, fresh, None)
    assert not shader.inputs["Roughness"].is_linked
    assert set(node_tree.images_of(material)) == set(ALL)
    material.node_tree.nodes.remove(own)
    for name in surface.OPTIONAL_MAPS:
        surface.use_map(material, name, True)
    assert wiring(material) == before


def test_without_occlusion_the_base_color_stays(material):
    surface.use_map(material, "ambient_occlusion", False)
    link = node(material, SHADER).inputs["Base Color"].links[0]
    assert link.from_node == texture(material, "base_color")


def test_buttons_are_the_plain_functions_in_one_undo_step(stand_in, maps, planes):
    for job in requests.generate_for_objects(planes, GenerationConfig("bricks", 5, 48, 32)):
        stand_in.finish(job.id, maps)
        pump.tick()
        pump.finish()
    name = planes[0].active_material.name
    assert bpy.data.materials[name].tilewright.tile_size == pytest.approx(2.0)
    bpy.ops.ed.undo_push(message="start")
    before = wiring(bpy.data.materials[name])
    for press in (
        lambda: bpy.ops.tilewright.set_projection("EXEC_DEFAULT", True, projection="BOX"),
        lambda: bpy.ops.tilewright.set_displacement("EXEC_DEFAULT", True, kind="BUMP"),
        lambda: bpy.ops.tilewright.toggle_map("EXEC_DEFAULT", True, map="roughness"),
    ):
        assert press() == {"FINISHED"}
        assert wiring(bpy.data.materials[name]) != before
        bpy.ops.ed.undo()
        assert wiring(bpy.data.materials[name]) == before
    bpy.ops.tilewright.toggle_map(map="roughness")
    assert bpy.data.materials[name].tilewright.unused_maps == {"roughness"}
    bpy.ops.tilewright.toggle_map(map="roughness")
    assert bpy.data.materials[name].tilewright.unused_maps == set()
    assert bpy.ops.tilewright.measure_tile() == {"FINISHED"}


def test_buttons_say_what_is_missing(plane):
    for name in ("set_projection", "measure_tile", "set_displacement", "toggle_map"):
        assert not getattr(bpy.ops.tilewright, name).poll()


@pytest.mark.parametrize("kind", ["UV", "BOX"])
def test_rendered_tile_is_as_large_as_it_says(plane, kind):
    """Half of the tile is white: on a surface of 2 m, tiles of 0.5 m show four white bars."""
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, :16] = 255
    material = made(plane, {"base_color": stripes}, "base_color")
    images.write_pixels(node_tree.images_of(material)["base_color"], stripes)
    plane.scale = (0.25, 0.25, 1.0)  # UV and object coordinates do not know of it
    plane.data.transform(((4, 0, 0, 0), (0, 4, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)))
    bpy.context.view_layer.update()
    surface.project(material, kind, plane)
    surface.measure_tile(material, plane)
    material.tilewright.tile_size = 0.5
    across = render_from_above().mean(axis=0 if kind == "UV" else 1)
    bright = across > (across.max() + across.min()) / 2
    edges = np.flatnonzero(np.diff(bright.astype(int)))
    assert len(edges) in (7, 8)
    assert np.all(np.abs(np.diff(edges) - 8) <= 1)  # 64 pixels show 2 m


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_rendered_relief_is_as_high_as_it_says_on_scaled_objects_too(scale):
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=20, y_subdivisions=20)
    grid = bpy.context.object
    grid.scale = (scale, scale, scale)
    white = np.full((16, 16, 1), 65535, np.uint16)
    material = made(grid, {"base_color": np.zeros((16, 16, 3), np.uint8)} | {"height": white}, *TWO)
    images.write_pixels(node_tree.images_of(material)["height"], white)
    surface.raise_surface(material, "REAL", 0.2)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    place, axes = nodes.new("ShaderNodeNewGeometry"), nodes.new("ShaderNodeSeparateXYZ")
    links.new(place.outputs["Position"], axes.inputs[0])
    links.new(axes.outputs["Z"], node(material, OUTPUT).inputs["Surface"])
    middle = render_from_above("OPEN_EXR")[32, 32]
    assert middle == pytest.approx(0.1, abs=1e-3)  # the other half of it would be below


def test_a_relief_of_before_keeps_its_space(material):
    node(material, DISPLACEMENT).space = "OBJECT"
    surface.raise_surface(material, "REAL", 0.5)
    assert node(material, DISPLACEMENT).space == "OBJECT"


def render_from_above(file_format: str = "PNG") -> np.ndarray:
    """The 2 m around the origin, lit evenly: (64, 64) values of red."""
    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("sky")
    camera = bpy.data.cameras.new("camera")
    camera.type, camera.ortho_scale = "ORTHO", 2.0
    scene.camera = bpy.data.objects.new("camera", camera)
    scene.camera.location = (0, 0, 3)
    scene.collection.objects.link(scene.camera)
    scene.render.engine, scene.cycles.samples = "CYCLES", 4
    scene.cycles.use_denoising = False
    scene.render.resolution_x = scene.render.resolution_y = 64
    scene.render.image_settings.file_format = file_format
    scene.render.filepath = bpy.app.tempdir + "tile" + scene.render.file_extension
    bpy.ops.render.render(write_still=True)
    shown = bpy.data.images.load(scene.render.filepath)
    return images.read_pixels(shown)[..., 0]


def test_of_several_those_that_cannot_be_changed_stay_and_are_named(planes, maps, capsys):
    flat = made(planes[0], maps, "base_color")
    raised = made(planes[1], maps, "base_color", "height")
    flat.tilewright.latents.model = raised.tilewright.latents.model = "oak"
    bpy.context.scene.tilewright.target = "SELECTED"
    bpy.context.view_layer.objects.active = planes[1]
    assert bpy.ops.tilewright.set_displacement(kind="REAL") == {"FINISHED"}
    assert (surface.displacement(raised), surface.displacement(flat)) == ("REAL", "NONE")
    assert f"{flat.name} stays as it is. To be displaced" in capsys.readouterr().out


def test_nothing_is_measured_where_the_active_object_cannot_be(planes, maps):
    first, second = (made(obj, maps, "base_color") for obj in planes[:2])
    first.tilewright.latents.model = second.tilewright.latents.model = "oak"
    bpy.context.scene.tilewright.target = "SELECTED"
    planes[1].data.uv_layers.remove(planes[1].data.uv_layers[0])
    planes[0].scale = (2, 2, 2)
    for active, size in ((planes[1], 2.0), (planes[0], 4.0)):
        bpy.context.view_layer.objects.active = active
        try:
            bpy.ops.tilewright.measure_tile()
        except RuntimeError as error:
            assert "must have a UV map with an area" in str(error)
        assert first.tilewright.unit_size[0] == pytest.approx(size)
    assert second.tilewright.unit_size[0] == pytest.approx(2.0)


@pytest.fixture
def together(planes, maps) -> list[bpy.types.Material]:
    """Materials of all the planes, which are changed together."""
    materials = [made(obj, maps, "base_color", "normal") for obj in planes]
    for material in materials:
        material.tilewright.latents.model = "oak"
    bpy.context.scene.tilewright.target = "SELECTED"
    return materials


def test_the_size_of_the_tile_is_changed_together(together, planes):
    planes[0].scale = (2, 2, 2)
    surface.measure_tile(together[0], planes[0])
    together[2].tilewright.tile_size = 0.5
    assert [m.tilewright.tile_size for m in together] == pytest.approx([0.5] * 3)
    assert projection.repeats(together[0]) == pytest.approx((8.0, 8.0))
    together[1].tilewright.tile_size = 0.25  # not the active object's: a script means this one
    bpy.context.scene.tilewright.target = "ACTIVE"
    together[2].tilewright.tile_size = 1.0
    assert [m.tilewright.tile_size for m in together] == pytest.approx([0.5, 0.25, 1.0])


PRESSED = [("set_projection", {"projection": "BOX"}), ("measure_tile", {})]


@pytest.mark.parametrize(("button", "choice"), PRESSED)
def test_all_objects_are_found_at_once_before_the_first_material_changes(
    together, planes, asked_places, button, choice
):
    for obj in planes:
        obj.scale = (3, 3, 3)
    assert getattr(bpy.ops.tilewright, button)(**choice) == {"FINISHED"}
    assert [set(objects) for objects in asked_places] == [set(planes)]
    size = {"set_projection": 3.0, "measure_tile": 6.0}[button]
    assert [m.tilewright.unit_size[0] for m in together] == pytest.approx([size] * 3)


@pytest.mark.parametrize(("button", "choice"), PRESSED)
def test_the_selection_is_looked_through_once_for_all_materials(
    together, monkeypatch, button, choice
):
    looked = []

    class Counted:
        """The scene's objects, and how many were looked at."""

        active = bpy.context.view_layer.objects.active

        def __iter__(self):
            for obj in bpy.context.view_layer.objects:
                looked.append(obj)
                yield obj

    layer = SimpleNamespace(objects=Counted())
    seen = SimpleNamespace(context=SimpleNamespace(view_layer=layer))
    monkeypatch.setattr(operators, "bpy", seen)
    assert getattr(bpy.ops.tilewright, button)(**choice) == {"FINISHED"}
    assert len(looked) == 3


def test_of_several_objects_with_a_material_the_active_one_is_measured(plane, maps):
    material = made(plane, maps, "base_color")
    large, larger = plane.copy(), plane.copy()
    for obj, scale in ((large, 2), (larger, 4)):
        obj.name, obj.scale = f"A {scale}", (scale, scale, scale)
        bpy.context.scene.collection.objects.link(obj)
        obj.select_set(True)
    assert bpy.ops.tilewright.measure_tile() == {"FINISHED"}
    assert material.tilewright.unit_size[0] == pytest.approx(2.0)
    bpy.context.view_layer.objects.active = larger
    assert bpy.ops.tilewright.measure_tile() == {"FINISHED"}
    assert material.tilewright.unit_size[0] == pytest.approx(8.0)
