"""Validate Material: what is wrong with its maps, whatever made them, and how Blender reads them."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.output import export, validation
from blender_addon.shader import images
from gan_worker.errors import RequestError
from gan_worker.exports.targets import ExportTarget


@pytest.fixture
def material(plane: bpy.types.Object) -> bpy.types.Material:
    """One that an artist has wired by hand, of sound maps."""
    made = bpy.data.materials.new("Wall")
    if bpy.app.version < (5, 0, 0):
        made.use_nodes = True
    plane.data.materials.append(made)
    y, x = np.mgrid[0:64, 0:64] * (2 * np.pi / 64)
    height = (np.sin(3 * x) + np.cos(2 * y)) / 4 + 0.5
    slopes = np.stack([-0.3 * np.cos(3 * x), -0.2 * np.sin(2 * y), np.ones_like(x)], axis=-1)
    normals = slopes / np.linalg.norm(slopes, axis=-1, keepdims=True) / 2 + 0.5
    put(made, "Base Color", np.stack([0.3 + 0.4 * height] * 3, axis=-1))
    put(made, "Roughness", np.stack([0.3 + 0.4 * height] * 3, axis=-1))
    put(made, "Normal", normals)
    return made


def put(material: bpy.types.Material, socket: str, colors: np.ndarray) -> bpy.types.Image:
    """Let an image with these colors feed an input of the shader."""
    nodes, links = material.node_tree.nodes, material.node_tree.links
    image = bpy.data.images.new(socket, colors.shape[1], colors.shape[0])
    image.colorspace_settings.is_data = socket != "Base Color"
    if socket == "Base Color":
        image.colorspace_settings.name = "sRGB"
    images.write_pixels(image, np.rint(np.clip(colors, 0, 1) * 255).astype(np.uint8))
    texture = nodes.new("ShaderNodeTexImage")
    texture.image = image
    end = nodes["Principled BSDF"].inputs[socket]
    if socket == "Normal":
        between = nodes.new("ShaderNodeNormalMap")
        links.new(texture.outputs["Color"], between.inputs["Color"])
        links.new(between.outputs["Normal"], end)
    else:
        links.new(texture.outputs["Color"], end)
    return image


def look(material: bpy.types.Material) -> dict[str, str]:
    """Map name → what was found, but for what is right."""
    task = validation.start(material)
    task.wait()
    task.raise_error()
    assert task.findings
    return {found.map: found.message for found in task.findings if not found.is_ok}


def test_nothing_is_wrong_with_sound_maps_of_any_origin(material):
    assert look(material) == {}
    assert {found.map for found in validation.newest(material).findings} == {
        "base_color",
        "roughness",
        "normal",
    }


def test_a_burnt_color_is_told_with_a_cure(material):
    images.write_pixels(bpy.data.images["Base Color"], np.full((64, 64, 3), 255, np.uint8))
    assert "base_color" in look(material)
    worst = validation.newest(material).findings[0]
    assert worst.map == "base_color" and worst.cure


@pytest.mark.parametrize("name", ["Roughness", "Normal"])
def test_data_that_blender_reads_as_colors_are_told(material, name):
    bpy.data.images[name].colorspace_settings.name = "sRGB"  # which empties a generated image
    look(material)
    told = [f for f in validation.newest(material).findings if f.map == name.lower()]
    assert any("sRGB" in f.message and "Non-Color" in f.cure for f in told)


def test_a_color_that_is_read_as_data_is_told(material):
    bpy.data.images["Base Color"].colorspace_settings.is_data = True
    assert "base_color" in look(material)


def test_a_picture_whose_file_is_gone_is_told_and_the_rest_looked_at(material, photo):
    image = bpy.data.images.load(str(photo))
    bpy.data.images["Roughness"].user_remap(image)
    photo.unlink()
    image.reload()
    found = look(material)
    assert "cannot be read" in found["roughness"]
    assert "Missing" in validation.newest(material).findings[0].cure
    assert "base_color" in {f.map for f in validation.newest(material).findings if f.is_ok}


def test_a_sequence_is_told_as_one_and_not_as_a_lost_file(material, photo):
    image = bpy.data.images.load(str(photo.rename(photo.with_name("waves_0001.png"))))
    image.source = "SEQUENCE"
    bpy.data.images["Roughness"].user_remap(image)
    assert "no single picture" in look(material)["roughness"]
    assert "base_color" in {f.map for f in validation.newest(material).findings if f.is_ok}


def test_inverted_use_is_looked_at_as_it_is_used(material):
    nodes, links = material.node_tree.nodes, material.node_tree.links
    rough = nodes["Principled BSDF"].inputs["Roughness"]
    gloss = bpy.data.images["Roughness"]
    images.write_pixels(gloss, np.full((64, 64, 3), 255, np.uint8))
    invert = nodes.new("ShaderNodeInvert")
    links.new(rough.links[0].from_socket, invert.inputs["Color"])
    links.new(invert.outputs["Color"], rough)
    assert "mirror" in look(material)["roughness"] or "0.00" in look(material)["roughness"]


def test_without_images_it_says_what_to_do(plane):
    plain = bpy.data.materials.new("Plain")
    if bpy.app.version < (5, 0, 0):
        plain.use_nodes = True
    with pytest.raises(RequestError, match="image"):
        validation.start(plain)


def test_the_button_says_why_it_cannot_be_pressed(plane):
    assert not bpy.ops.tilewright.validate_material.poll()


def test_the_button_does_what_the_function_does(material):
    assert bpy.ops.tilewright.validate_material(wait=True) == {"FINISHED"}
    assert validation.newest(material).state == "succeeded"


def test_a_material_that_is_removed_meanwhile_ends_it_in_words(material):
    task = validation.start(material)
    bpy.data.materials.remove(material)
    task.wait()
    assert task.state == "failed" and "changed or deleted" in task.error.info.message


def test_an_export_says_what_is_wrong_with_what_it_wrote(stand_in, plane, make, tmp_path: Path):
    from blender_addon.steering import sliders

    maps = make(32, 32)
    maps["base_color"][:] = 255
    bpy.ops.tilewright.generate_material()
    stand_in.finish(next(iter(stand_in.submitted)), maps)
    from blender_addon.worker import pump

    pump.tick()
    pump.finish()
    task = export.start(sliders.active_material(), ExportTarget("gltf"), str(tmp_path))
    task.wait()
    task.raise_error()
    assert "base_color" in {finding.map for finding in task.findings}
    assert not any(finding.is_ok for finding in task.findings)
