"""Exported materials come back through Blender's own importers: the same pixels, wired as they were meant."""

import bpy
import numpy as np
import pytest

pytest.importorskip("OpenImageIO", reason="exports are made in the worker's environment")

from blender_addon.training import material_pictures
from gan_worker.exports.sources import ExportedMaterial, ExportTarget, export_material
from gan_worker.materials.sets import find_materials, read_material


@pytest.fixture
def maps():
    """Maps of 16×8 in which no two channels and no two pixels are alike."""
    names = {"base_color": 3, "normal": 3, "roughness": 1, "metallic": 1, "ambient_occlusion": 1}
    numbers = enumerate(names.items())
    return {
        name: ((np.arange(128 * count).reshape(8, 16, count) * 5 + n * 41) % 255).astype(np.uint8)
        for n, (name, count) in numbers
    }


def exported(maps, target, folder):
    made = ExportedMaterial("oak", maps, {})
    return str([file for file, _ in export_material(made, target, folder)][-1])


def source_of(shader, name):
    """The picture that reaches an input of the shader, and by which channel."""
    link = shader.inputs[name].links[0]
    channel = link.from_socket.name
    while link.from_node.type != "TEX_IMAGE":
        link = link.from_node.inputs["Color"].links[0]
    return link.from_node.image, channel


def check(maps):
    (material,) = bpy.data.materials
    assert material.name == "oak"
    shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    inputs = ("Base Color", "Normal", "Roughness", "Metallic")
    found = {name: source_of(shader, name) for name in inputs}
    spaces = {name: image.colorspace_settings.name for name, (image, _) in found.items()}
    assert spaces == dict.fromkeys(inputs, "Non-Color") | {"Base Color": "sRGB"}
    assert [found[name][1] for name in inputs[2:]] == ["Green", "Blue"]
    for name, map_name, channel in (
        ("Base Color", "base_color", slice(0, 3)),
        ("Normal", "normal", slice(0, 3)),
        ("Roughness", "roughness", slice(1, 2)),
        ("Metallic", "metallic", slice(2, 3)),
    ):
        image = found[name][0]
        pixels = np.empty(8 * 16 * 4, np.float32)
        image.pixels.foreach_get(pixels)
        # Bottom row first.
        shown = np.round(pixels.reshape(8, 16, 4)[::-1, :, channel] * 255)
        assert np.array_equal(shown, maps[map_name]), name


def test_an_imported_gltf_can_be_learned_from_with_its_occlusion(maps, tmp_path):
    bpy.ops.import_scene.gltf(filepath=exported(maps, ExportTarget.gltf, tmp_path))
    places = material_pictures.as_places(bpy.data.materials["oak"], tmp_path / "pictures")
    (found,), skipped, _ = find_materials(places)
    read = read_material(found)
    assert not skipped and set(read) == set(maps)
    for name, pixels in maps.items():
        np.testing.assert_allclose(read[name], pixels / 255, atol=1e-6)


def check_square():
    """Twice as wide as high, and the left lower corner shows the picture's."""
    mesh = next(o for o in bpy.data.objects if o.type == "MESH")
    world = [mesh.matrix_world @ v.co for v in mesh.data.vertices]
    places = {
        tuple(round(c) for c in mesh.data.uv_layers[0].data[loop.index].uv): world[
            loop.vertex_index
        ]
        for loop in mesh.data.loops
    }
    assert places.keys() == {(0, 0), (1, 0), (0, 1), (1, 1)}
    low, high = places[0, 0], places[1, 1]
    assert high.x - low.x == pytest.approx(2)
    # Upright in Blender too, where z points up.
    assert high.z - low.z == pytest.approx(1)


def test_gltf_comes_back(maps, tmp_path):
    assert bpy.ops.import_scene.gltf(filepath=exported(maps, ExportTarget.gltf, tmp_path)) == {
        "FINISHED"
    }
    check(maps)
    check_square()


def test_usd_comes_back(maps, tmp_path):
    pytest.importorskip("pxr", reason="needs usd-core of the extra 'export'")
    assert bpy.ops.wm.usd_import(filepath=exported(maps, ExportTarget.usd, tmp_path)) == {
        "FINISHED"
    }
    check(maps)
    check_square()
