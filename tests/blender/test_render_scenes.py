"""The scenes of the pictures: whole, measured in meters, and showing the material that they are given."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

pytest.importorskip("PIL", reason="the pictures are made in the worker's environment")
import render_scenes
import scene_meshes
from PIL import Image
from starter_materials import normals

SCENES = list(render_scenes.SCENES)


def areas(surface):
    """Of each face, in space and on the UV map, square meters."""
    corners = surface.vertices[surface.faces]
    flat = surface.uv.reshape(-1, 4, 2)
    space = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]) / 2
    across, up = flat[:, 2] - flat[:, 0], flat[:, 3] - flat[:, 1]
    return np.linalg.norm(space, axis=1), (across[:, 0] * up[:, 1] - across[:, 1] * up[:, 0]) / 2


class TestMeshes:
    def test_half_a_ball_is_unrolled_with_its_areas_and_unmirrored(self):
        space, flat = areas(scene_meshes.lathe(scene_meshes.arc(0.5, 0, 90), 64))
        assert flat == pytest.approx(space, rel=0.01)

    def test_a_disk_stays_what_it_is(self):
        disk = scene_meshes.lathe(np.array([(0.0, 1.0), (0.3, 1.0), (0.6, 1.0)]), 16)
        assert disk.uv == pytest.approx(disk.vertices[disk.faces].reshape(-1, 3)[:, :2])

    def test_walls_and_floors_have_one_unit_a_meter(self):
        wall = scene_meshes.extruded(np.array([(-1.0, 2.0), (0, 0), (3, 0)]), np.array([0.0, 2.5]))
        for surface in (wall, scene_meshes.rectangle(3, 2, 0.5)):
            space, flat = areas(surface)
            assert flat == pytest.approx(space)

    def test_a_box_looks_outwards(self):
        box = scene_meshes.box((1, 2, 3))
        corners = box.vertices[box.faces]
        outwards = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert ((outwards * corners.mean(1)).sum(1) > 0).all()
        assert np.ptp(box.vertices, axis=0) == pytest.approx((1, 2, 3))

    def test_corners_are_rounded_and_ends_stay(self):
        line = scene_meshes.softened(np.array([(0.0, 0.0), (1, 0), (1, 1)]), 0.1, 0.01)
        assert line[[0, -1]] == pytest.approx(np.array([(0, 0), (1, 1)]), abs=1e-6)
        steps = np.diff(line, axis=0)
        turns = np.arctan2(steps[:, 1], steps[:, 0])
        assert turns[-1] == pytest.approx(np.pi / 2)
        assert np.diff(turns).max() < 0.3
        assert 0.01 < np.linalg.norm(line - (1, 0), axis=1).min() < 0.1


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_is_whole(name):
    scene, wearer = render_scenes.build(name)
    assert bpy.context.scene == scene
    assert scene.camera.name in scene.objects
    assert any(n.type == "TEX_ENVIRONMENT" and n.image for n in scene.world.node_tree.nodes)
    assert wearer.name in scene.objects
    bare = [o for o in scene.objects if o.type == "MESH" and not o.data.materials]
    assert bare == [wearer]


@pytest.mark.parametrize("name", SCENES)
def test_what_the_camera_sees_of_the_material_is_as_large_as_it_is(name):
    mesh = render_scenes.build(name)[1].data
    points, corners = np.empty(len(mesh.vertices) * 3), np.empty(len(mesh.loops), np.int32)
    flat = np.empty(len(mesh.loops) * 2, np.float32)
    mesh.vertices.foreach_get("co", points)
    mesh.loops.foreach_get("vertex_index", corners)
    mesh.uv_layers.active.uv.foreach_get("vector", flat)
    faces = scene_meshes.Surface(points.reshape(-1, 3), corners.reshape(-1, 4), flat.reshape(-1, 2))
    space, uv = areas(faces)
    assert uv.sum() == pytest.approx(space.sum(), rel=0.02)
    whole = space > 1e-7
    assert np.abs(uv[whole] / space[whole] - 1).max() < 0.2


def test_pictures_show_the_material(tmp_path):
    scene, wearer = render_scenes.build("close")
    wearer.modifiers.clear()
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    pictures = []
    for color in ((200, 40, 40), (40, 40, 200)):
        maps = {"base_color": np.full((8, 8, 3), color, np.uint8)}
        render_scenes.wear(wearer, render_scenes.make_material(str(color), maps, 1.0))
        render_scenes.render(scene, tmp_path / "picture.png", (64, 36))
        pictures.append(np.asarray(Image.open(tmp_path / "picture.png").convert("RGB"), float))
    red, blue = (picture.mean((0, 1)) for picture in pictures)
    assert pictures[0].shape == (36, 64, 3)
    assert red[0] > red[2] + 20
    assert blue[2] > blue[0] + 20


def test_a_folder_of_maps_is_laid_on_in_its_size_and_with_its_relief(tmp_path):
    from starter_materials import write_material

    from blender_addon.shader import node_tree

    maps = render_scenes.read_maps(write_material(tmp_path, "Cobblestone", 128, 3))
    assert set(maps) == {"base_color", "normal", "height", "roughness", "ambient_occlusion"}
    material = render_scenes.make_material("stones", maps, 0.5)
    nodes = material.node_tree.nodes
    assert tuple(nodes[node_tree.MAPPING].inputs["Scale"].default_value) == (2, 2, 1)
    depth = nodes[node_tree.DISPLACEMENT].inputs["Scale"].default_value
    assert depth == pytest.approx(render_scenes.DEEPEST * 0.5)  # 16 of 128 pixels would be more
    assert material.displacement_method == "DISPLACEMENT"


def test_from_near_each_pixel_is_seen_and_the_material_stays_as_it_was():
    from blender_addon.shader import node_tree

    maps = {"base_color": np.zeros((400, 800, 3), np.uint8)}
    material = render_scenes.make_material("wide", maps, 2.0)
    near = render_scenes.seen_from_near(material)
    scales = [one.node_tree.nodes[node_tree.MAPPING].inputs["Scale"] for one in (material, near)]
    assert tuple(scales[0].default_value) == (0.5, 1, 1)
    assert tuple(scales[1].default_value) == (2, 4, 1)
    assert near.tilewright.uuid != material.tilewright.uuid


@pytest.mark.parametrize("pixels", [1.0, 3.0])
def test_relief_is_as_deep_as_the_normals_say(pixels):
    y, x = np.mgrid[:128, :128] * (2 * np.pi / 128)
    height = 0.5 + 0.3 * np.sin(3 * x) * np.cos(2 * y)
    found = render_scenes.relief(height[..., None], normals(height * pixels))
    assert found * 128 == pytest.approx(pixels, rel=0.02)


def test_a_flat_height_has_no_relief():
    flat = np.full((16, 16, 1), 0.5)
    assert render_scenes.relief(flat, normals(flat[..., 0])) == 0


def test_only_the_scenes_that_are_named_stay():
    first, _ = render_scenes.build("close")
    render_scenes.build("corner")
    render_scenes.keep_only([first])
    assert list(bpy.data.scenes) == [first]
    assert all(obj.name in first.objects for obj in bpy.data.objects)
