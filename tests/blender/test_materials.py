"""The node tree, asserted on Blender's own data."""

from __future__ import annotations

from dataclasses import replace

import bpy
import pytest

from blender_addon import images, materials
from blender_addon.materials import Wiring
from gan_worker.materials.maps import MAPS
from gan_worker.progress import Recipe
from gan_worker.style import Style, StyleMap


@pytest.fixture
def pictures(maps):
    """Images of the named maps."""

    def make(*names: str) -> dict[str, bpy.types.Image]:
        return {n: images.new_image(n, n, maps[n], "job") for n in names}

    return make


def source(material: bpy.types.Material, node: str, socket: str) -> tuple[str, str]:
    """Name of node and socket that feed this input."""
    link = material.node_tree.nodes[node].inputs[socket].links[0]
    return link.from_node.name, link.from_socket.name


def texture(name: str) -> str:
    return materials.texture_node_name(name)


def test_all_maps_are_wired(pictures):
    material = materials.new_material("m")
    materials.build(material, pictures(*MAPS), Wiring(displacement=0.1))
    nodes = material.node_tree.nodes
    assert source(material, materials.SHADER, "Base Color")[0] == materials.OCCLUSION
    assert source(material, materials.SHADER, "Roughness")[0] == texture("roughness")
    assert source(material, materials.SHADER, "Metallic")[0] == texture("metallic")
    assert source(material, materials.SHADER, "Normal")[0] == materials.NORMAL_MAP
    assert source(material, materials.NORMAL_MAP, "Color")[0] == texture("normal")
    assert source(material, materials.OUTPUT, "Displacement")[0] == materials.DISPLACEMENT
    assert source(material, materials.DISPLACEMENT, "Height")[0] == texture("height")
    assert nodes[materials.DISPLACEMENT].inputs["Scale"].default_value == pytest.approx(0.1)
    mix = nodes[materials.OCCLUSION]
    assert mix.blend_type == "MULTIPLY"
    assert {link.from_node.name for s in mix.inputs for link in s.links} == {
        texture("base_color"),
        texture("ambient_occlusion"),
    }
    assert nodes[materials.NORMAL_MAP].space == "TANGENT"
    assert materials.BUMP not in nodes


def test_all_textures_share_one_mapping(pictures):
    material = materials.new_material("m")
    materials.build(material, pictures(*MAPS), Wiring(scale=(3, 2)))
    nodes = material.node_tree.nodes
    for name in MAPS:
        assert source(material, texture(name), "Vector") == (materials.MAPPING, "Vector")
    assert source(material, materials.MAPPING, "Vector") == (materials.COORDINATES, "UV")
    assert tuple(nodes[materials.MAPPING].inputs["Scale"].default_value) == (3, 2, 1)
    assert sum(n.bl_idname == "ShaderNodeMapping" for n in nodes) == 1


def test_occlusion_is_an_option(pictures):
    material = materials.new_material("m")
    made = pictures("base_color", "ambient_occlusion")
    materials.build(material, made, Wiring(multiply_occlusion=False))
    assert source(material, materials.SHADER, "Base Color")[0] == texture("base_color")
    assert materials.OCCLUSION not in material.node_tree.nodes
    materials.build(material, made, Wiring(multiply_occlusion=True))
    assert source(material, materials.SHADER, "Base Color")[0] == materials.OCCLUSION


def test_photo_model_gets_a_labelled_bump(pictures):
    material = materials.new_material("m")
    materials.build(material, pictures("base_color"), Wiring())
    bump = material.node_tree.nodes[materials.BUMP]
    assert "Luminance" in bump.label
    assert source(material, materials.SHADER, "Normal")[0] == materials.BUMP
    assert source(material, materials.BUMP, "Height")[0] == materials.LUMINANCE
    assert source(material, materials.LUMINANCE, "Color")[0] == texture("base_color")


@pytest.mark.parametrize("extra", ["normal", "height"])
def test_bump_goes_when_relief_comes(pictures, extra):
    material = materials.new_material("m")
    materials.build(material, pictures("base_color"), Wiring())
    materials.build(material, pictures("base_color", extra), Wiring())
    assert materials.BUMP not in material.node_tree.nodes
    assert materials.LUMINANCE not in material.node_tree.nodes


def test_update_keeps_nodes_links_and_what_the_user_added(pictures):
    material = materials.new_material("m")
    materials.build(material, pictures("base_color", "roughness", "normal"), Wiring(scale=(2, 2)))
    nodes = material.node_tree.nodes
    own = nodes.new("ShaderNodeHueSaturation")
    own.name = "Mine"
    nodes[materials.MAPPING].inputs["Scale"].default_value = (5, 5, 1)
    nodes[texture("base_color")].location = (-900, 900)
    before, links = {n.name for n in nodes}, len(material.node_tree.links)
    newer = pictures("base_color", "roughness", "normal")
    materials.build(material, newer, Wiring(scale=(1, 1)))
    assert {n.name for n in nodes} == before
    assert len(material.node_tree.links) == links
    assert nodes[texture("base_color")].image == newer["base_color"]
    assert tuple(nodes[texture("base_color")].location) == (-900, 900)
    assert nodes[materials.MAPPING].inputs["Scale"].default_value[0] == 5


def test_update_with_fewer_maps_removes_their_nodes(pictures):
    material = materials.new_material("m")
    materials.build(material, pictures(*MAPS), Wiring())
    materials.build(material, pictures("base_color"), Wiring())
    assert set(materials.images_of(material)) == {"base_color"}
    assert materials.DISPLACEMENT not in material.node_tree.nodes
    assert materials.NORMAL_MAP not in material.node_tree.nodes


def test_replaced_images_are_removed_but_not_those_arriving(pictures):
    material = materials.new_material("m")
    materials.build(material, pictures("base_color"), Wiring())
    materials.build(material, pictures("base_color"), Wiring())
    arriving = pictures("roughness")["roughness"]
    arriving[images.JOB_KEY] = "other"
    foreign = bpy.data.images.new("foreign", 8, 8)
    materials.remove_unused_images({"other"})
    left = set(bpy.data.images) & set(materials.images_of(material).values()) | {arriving, foreign}
    assert {i for i in bpy.data.images if i.name != "Render Result"} == left


def test_recipe_survives_on_the_material():
    material = materials.new_material("m")
    recipe = Recipe("bricks", "b" * 64, 9, (0.1, -0.123456789), 512, 256, 0.7, (3, 5), "0.1.0")
    painted = replace(
        recipe,
        mix=((Style(seed=1), 0.5), (Style(material="oak"), 0.5)),
        style_map=StyleMap((Style(seed=3), Style(z=(0.1, 0.2))), 1, 2, (0.0, 0.625)),
        directions=(("pca 1", 2.5),),
    )
    for kept in (recipe, painted):
        materials.store_recipe(material, kept, {"base_color": 1.01})
        assert materials.read_recipe(material) == kept
    assert material.tilewright.model_hash == "b" * 64
    assert tuple(material.tilewright.origin) == (3, 5)


def test_material_is_found_by_uuid_under_any_name():
    material = materials.new_material("m")
    material.name = "renamed by the artist"
    assert materials.find_material(material.tilewright.uuid) == material
    assert materials.find_material("gone") is None
