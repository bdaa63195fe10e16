"""The node tree, asserted on Blender's own data."""

from __future__ import annotations

from dataclasses import replace

import bpy
import pytest

from blender_addon.shader import images, node_tree, surface
from blender_addon.shader.node_tree import Wiring
from gan_worker.config import GenerationConfig, Recipe
from gan_worker.errors import StorageError
from gan_worker.materials.maps import MAPS
from gan_worker.style import CellMap, Latent, Material, Seed


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
    return node_tree.texture_node_name(name)


def test_all_maps_are_wired(pictures):
    material = node_tree.new_material("m")
    node_tree.build(material, pictures(*MAPS), Wiring(displacement=0.1))
    nodes = material.node_tree.nodes
    assert source(material, node_tree.SHADER, "Base Color")[0] == node_tree.OCCLUSION
    assert source(material, node_tree.SHADER, "Roughness")[0] == texture("roughness")
    assert source(material, node_tree.SHADER, "Metallic")[0] == texture("metallic")
    assert source(material, node_tree.SHADER, "Normal")[0] == node_tree.NORMAL_MAP
    assert source(material, node_tree.NORMAL_MAP, "Color")[0] == texture("normal")
    assert source(material, node_tree.OUTPUT, "Displacement")[0] == node_tree.DISPLACEMENT
    assert source(material, node_tree.DISPLACEMENT, "Height")[0] == texture("height")
    assert nodes[node_tree.DISPLACEMENT].inputs["Scale"].default_value == pytest.approx(0.1)
    mix = nodes[node_tree.OCCLUSION]
    assert mix.blend_type == "MULTIPLY"
    assert {link.from_node.name for s in mix.inputs for link in s.links} == {
        texture("base_color"),
        texture("ambient_occlusion"),
    }
    assert nodes[node_tree.NORMAL_MAP].space == "TANGENT"
    assert node_tree.BUMP not in nodes


@pytest.mark.parametrize("name", MAPS)
def test_every_map_that_is_described_reaches_the_output(pictures, name):
    material = node_tree.new_material("m")
    node_tree.build(material, pictures("base_color", name), Wiring())
    reached, found = {node_tree.OUTPUT}, set()
    while reached != found:
        found = set(reached)
        reached |= {
            link.from_node.name for link in material.node_tree.links if link.to_node.name in found
        }
    assert texture(name) in reached, f"{name} needs a way into the shader in node_tree"


def test_what_is_cut_out_is_so_in_eevee_too_with_its_shadow(pictures):
    material = node_tree.new_material("m")
    material.surface_render_method, material.use_transparent_shadow = "BLENDED", False
    node_tree.build(material, pictures("base_color"), Wiring())
    assert material.surface_render_method == "BLENDED"
    node_tree.build(material, pictures("base_color", "opacity"), Wiring())
    assert source(material, node_tree.SHADER, "Alpha")[0] == texture("opacity")
    assert material.surface_render_method == "DITHERED"
    assert material.use_transparent_shadow
    material.surface_render_method = "BLENDED"
    node_tree.build(material, pictures("base_color", "opacity"), None)
    assert material.surface_render_method == "BLENDED", "what the artist chose stays"


def test_what_glows_has_a_strength_that_is_the_artists(pictures):
    material = node_tree.new_material("m")
    shader = material.node_tree.nodes["Principled BSDF"]
    node_tree.build(material, pictures("base_color", "emission"), Wiring())
    assert source(material, node_tree.SHADER, "Emission Color")[0] == texture("emission")
    (strength,) = node_tree.strengths(material).values()
    assert strength == shader.inputs["Emission Strength"]
    assert strength.default_value == 1
    strength.default_value = 5
    node_tree.build(material, pictures("base_color", "emission"), None)
    assert strength.default_value == 5
    surface.use_map(material, "emission", False)
    assert not shader.inputs["Emission Color"].is_linked
    assert tuple(shader.inputs["Emission Color"].default_value[:3]) == (0, 0, 0)
    assert not node_tree.strengths(material)
    surface.use_map(material, "emission", True)
    assert strength.default_value == 5


def test_what_glows_no_more_is_dark_and_what_was_cut_out_is_whole(pictures):
    material = node_tree.new_material("m")
    node_tree.build(material, pictures("base_color", "emission", "opacity"), Wiring())
    node_tree.build(material, pictures("base_color"), None)
    inputs = material.node_tree.nodes[node_tree.SHADER].inputs
    assert tuple(inputs["Emission Color"].default_value[:3]) == (0, 0, 0)
    assert inputs["Alpha"].default_value == 1
    assert not (inputs["Emission Color"].is_linked or inputs["Alpha"].is_linked)


def test_all_textures_share_one_mapping(pictures):
    material = node_tree.new_material("m")
    node_tree.build(material, pictures(*MAPS), Wiring(scale=(3, 2)))
    nodes = material.node_tree.nodes
    for name in MAPS:
        assert source(material, texture(name), "Vector") == (node_tree.MAPPING, "Vector")
    assert source(material, node_tree.MAPPING, "Vector") == (node_tree.COORDINATES, "UV")
    assert tuple(nodes[node_tree.MAPPING].inputs["Scale"].default_value) == (3, 2, 1)
    assert sum(n.bl_idname == "ShaderNodeMapping" for n in nodes) == 1


def test_occlusion_is_an_option(pictures):
    material = node_tree.new_material("m")
    made = pictures("base_color", "ambient_occlusion")
    node_tree.build(material, made, Wiring(multiply_occlusion=False))
    assert source(material, node_tree.SHADER, "Base Color")[0] == texture("base_color")
    assert node_tree.OCCLUSION not in material.node_tree.nodes
    node_tree.build(material, made, Wiring(multiply_occlusion=True))
    assert source(material, node_tree.SHADER, "Base Color")[0] == node_tree.OCCLUSION


def test_photo_model_gets_a_labelled_bump(pictures):
    material = node_tree.new_material("m")
    node_tree.build(material, pictures("base_color"), Wiring())
    bump = material.node_tree.nodes[node_tree.BUMP]
    assert "Luminance" in bump.label
    assert source(material, node_tree.SHADER, "Normal")[0] == node_tree.BUMP
    assert source(material, node_tree.BUMP, "Height")[0] == node_tree.LUMINANCE
    assert source(material, node_tree.LUMINANCE, "Color")[0] == texture("base_color")


@pytest.mark.parametrize("extra", ["normal", "height"])
def test_bump_goes_when_relief_comes(pictures, extra):
    material = node_tree.new_material("m")
    node_tree.build(material, pictures("base_color"), Wiring())
    node_tree.build(material, pictures("base_color", extra), Wiring())
    assert node_tree.BUMP not in material.node_tree.nodes
    assert node_tree.LUMINANCE not in material.node_tree.nodes


def test_update_keeps_nodes_links_and_what_the_user_added(pictures):
    material = node_tree.new_material("m")
    node_tree.build(material, pictures("base_color", "roughness", "normal"), Wiring(scale=(2, 2)))
    nodes = material.node_tree.nodes
    own = nodes.new("ShaderNodeHueSaturation")
    own.name = "Mine"
    nodes[node_tree.MAPPING].inputs["Scale"].default_value = (5, 5, 1)
    nodes[texture("base_color")].location = (-900, 900)
    before, links = {n.name for n in nodes}, len(material.node_tree.links)
    newer = pictures("base_color", "roughness", "normal")
    node_tree.build(material, newer, Wiring(scale=(1, 1)))
    assert {n.name for n in nodes} == before
    assert len(material.node_tree.links) == links
    assert nodes[texture("base_color")].image == newer["base_color"]
    assert tuple(nodes[texture("base_color")].location) == (-900, 900)
    assert nodes[node_tree.MAPPING].inputs["Scale"].default_value[0] == 5


def put_between(material: bpy.types.Material, node: str, socket: str) -> bpy.types.Node:
    """Let the artist put a node before an input; what fed that feeds it now."""
    tree = material.node_tree
    target = next(s for s in tree.nodes[node].inputs if socket in (s.name, s.identifier))
    before = target.links[0].from_socket
    mine = tree.nodes.new("ShaderNodeGamma")
    tree.links.new(before, mine.inputs["Color"])
    tree.links.new(mine.outputs["Color"], target)
    return mine


@pytest.mark.parametrize(
    ("names", "node", "socket"),
    [
        (MAPS, node_tree.SHADER, "Roughness"),
        (MAPS, node_tree.SHADER, "Base Color"),
        (MAPS, node_tree.OCCLUSION, "A_Color"),
        (MAPS, node_tree.OCCLUSION, "B_Color"),
        (MAPS, node_tree.SHADER, "Normal"),
        (MAPS, node_tree.NORMAL_MAP, "Color"),
        (MAPS, node_tree.DISPLACEMENT, "Height"),
        (MAPS, node_tree.OUTPUT, "Displacement"),
        (["base_color"], node_tree.LUMINANCE, "Color"),
        (["base_color"], node_tree.BUMP, "Height"),
    ],
)
def test_update_keeps_what_the_artist_put_between(pictures, names, node, socket):
    material = node_tree.new_material("m")
    node_tree.build(material, pictures(*names), Wiring())
    put_between(material, node, socket)
    mine = put_between(material, node, socket)
    mine.mute = True  # to compare
    links = {(x.from_socket, x.to_socket) for x in material.node_tree.links}
    node_tree.build(material, pictures(*names), None)
    assert {(x.from_socket, x.to_socket) for x in material.node_tree.links} == links


def test_update_links_a_map_that_leads_nowhere(pictures):
    material = node_tree.new_material("m")
    node_tree.build(material, pictures("roughness"), Wiring())
    mine = put_between(material, node_tree.SHADER, "Roughness")
    material.node_tree.links.remove(mine.inputs["Color"].links[0])
    node_tree.build(material, pictures("roughness"), None)
    assert source(material, node_tree.SHADER, "Roughness")[0] == texture("roughness")


def chain(material: bpy.types.Material) -> list[str]:
    """Names of the nodes from the shader's color back to the map."""
    names, node = [], material.node_tree.nodes[node_tree.SHADER]
    while node.bl_idname != "ShaderNodeTexImage":
        socket = next(s for s in node.inputs if s.identifier in ("Base Color", "A_Color", "Color"))
        node = socket.links[0].from_node
        names.append(node.name)
    return names


@pytest.mark.parametrize("occluded", [True, False])
def test_occlusion_comes_and_goes_around_what_the_artist_made_of_the_color(pictures, occluded):
    material = node_tree.new_material("m")
    made = pictures("base_color", "ambient_occlusion")
    node_tree.build(material, made, Wiring(multiply_occlusion=occluded))
    mine = [put_between(material, node_tree.SHADER, "Base Color").name]
    if occluded:
        mine.append(put_between(material, node_tree.OCCLUSION, "A_Color").name)
    for multiplied in (not occluded, occluded):
        node_tree.build(material, made, Wiring(multiply_occlusion=multiplied))
        assert [name for name in chain(material) if name in mine] == mine
        assert (node_tree.OCCLUSION in chain(material)) == multiplied
        assert chain(material)[-1] == texture("base_color")
    surface.use_map(material, "ambient_occlusion", False)
    assert chain(material) == [*mine, texture("base_color")]


def test_a_color_that_is_left_out_is_not_shown_where_occlusion_was(pictures):
    material = node_tree.new_material("m")
    node_tree.build(material, pictures("base_color", "ambient_occlusion"), Wiring())
    surface.use_map(material, "base_color", False)
    assert not material.node_tree.nodes[node_tree.SHADER].inputs["Base Color"].is_linked


def test_update_with_fewer_maps_removes_their_nodes(pictures):
    material = node_tree.new_material("m")
    node_tree.build(material, pictures(*MAPS), Wiring())
    node_tree.build(material, pictures("base_color"), Wiring())
    assert set(node_tree.images_of(material)) == {"base_color"}
    assert node_tree.DISPLACEMENT not in material.node_tree.nodes
    assert node_tree.NORMAL_MAP not in material.node_tree.nodes


def test_replaced_images_are_removed_but_not_those_arriving(pictures):
    material = node_tree.new_material("m")
    node_tree.build(material, pictures("base_color"), Wiring())
    node_tree.build(material, pictures("base_color"), Wiring())
    arriving = pictures("roughness")["roughness"]
    arriving[images.JOB_KEY] = "other"
    foreign = bpy.data.images.new("foreign", 8, 8)
    node_tree.remove_unused_images({"other"})
    left = set(bpy.data.images) & set(node_tree.images_of(material).values()) | {arriving, foreign}
    assert {i for i in bpy.data.images if i.name != "Render Result"} == left


def test_recipe_survives_on_the_material():
    material = node_tree.new_material("m")
    config = GenerationConfig(
        "bricks", 9, 512, 256, (), 0.7, Latent((0.1, -0.123456789)), origin=(3, 5)
    )
    recipe = Recipe(config, "b" * 64, "0.1.0")
    mixed, painted = (
        replace(config, style=style, directions=(("pca 1", 2.5),))
        for style in (
            ((Seed(1), 0.5), (Material("oak"), 0.5)),
            CellMap((Seed(3), Latent((0.1, 0.2))), 1, 2, (0.0, 0.625)),
        )
    )
    for kept in (recipe, replace(recipe, config=mixed), replace(recipe, config=painted)):
        node_tree.store_recipe(material, kept, {"base_color": 1.01})
        assert node_tree.read_recipe(material) == kept
    assert material.tilewright.model_hash == "b" * 64
    assert (material.tilewright.seed, material.tilewright.width) == (9, 512)


def test_a_recipe_is_that_of_its_material_whatever_had_the_name_before():
    first, second = node_tree.new_material("m"), node_tree.new_material("other")
    for seed, material in enumerate((first, second)):
        node_tree.store_recipe(material, Recipe(GenerationConfig("oak", seed), "a" * 64, "0.2"), {})
    assert [node_tree.read_recipe(m).config.seed for m in (first, second)] == [0, 1]
    first.name = "elsewhere"
    second.name = "m"
    assert [node_tree.read_recipe(m).config.seed for m in (first, second)] == [0, 1]
    second.tilewright.recipe = "damaged"
    for name in ("m", "renamed"):
        second.name = name
        with pytest.raises(StorageError, match=f"The recipe of the material '{name}'"):
            node_tree.read_recipe(second)
    second.tilewright.recipe = ""
    assert node_tree.read_recipe(second) is None


def test_material_is_found_by_uuid_under_any_name():
    material = node_tree.new_material("m")
    material.name = "renamed by the artist"
    assert node_tree.find_material(material.tilewright.uuid) == material
    assert node_tree.find_material("gone") is None


def test_a_copy_is_told_from_its_original_and_stands_in_for_it_once_that_is_gone():
    material = node_tree.new_material("m")
    uuid = material.tilewright.uuid
    assert node_tree.find_material(uuid) == material
    copy, other = material.copy(), material.copy()
    assert node_tree.find_material(uuid) == material
    node_tree.ensure_unique(copy)
    assert node_tree.find_material(copy.tilewright.uuid) == copy != material
    assert node_tree.find_material(uuid) == material
    bpy.data.materials.remove(material)
    assert node_tree.find_material(uuid) == other
    other.name, copy.name = copy.name, "m"
    assert node_tree.find_material(uuid) == other
    assert node_tree.find_material(copy.tilewright.uuid) == copy
    bpy.data.materials.remove(other)
    assert node_tree.find_material(uuid) is None


def test_of_several_with_the_uuid_that_a_script_gave_the_first_counts():
    last, first = (bpy.data.materials.new(name) for name in ("m2", "m1"))
    assert node_tree.find_material("given") is None
    for material in (last, first):
        material.tilewright.uuid = "given"
        assert node_tree.find_material("given") == material
    first.tilewright.uuid = "another"
    assert node_tree.find_material("given") == last
    assert node_tree.find_material("another") == first


def test_a_linked_material_is_the_files_own_once_it_is_made_local(tmp_path):
    material = node_tree.new_material("m")
    uuid, material.use_fake_user = material.tilewright.uuid, True
    file = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file, copy=True)
    with bpy.data.libraries.load(file, link=True) as (_, here):
        here.materials = ["m"]
    assert node_tree.find_material(uuid) == material
    assert node_tree.find_material(uuid, "library.blend") == here.materials[0] != material
    bpy.data.materials.remove(material)
    assert node_tree.find_material(uuid) is None
    (linked,) = bpy.data.materials
    linked.make_local()
    assert node_tree.find_material(uuid) == bpy.data.materials["m"]
    assert node_tree.find_material(uuid, "library.blend") is None


def test_what_an_undo_brought_back_is_found():
    there, gone = node_tree.new_material("there"), node_tree.new_material("gone")
    uuid = gone.tilewright.uuid
    bpy.ops.ed.undo_push(message="both")
    bpy.data.materials.remove(gone)
    bpy.data.materials.new("in its place")
    bpy.ops.ed.undo_push(message="one")
    assert node_tree.find_material(there.tilewright.uuid) == there
    assert node_tree.find_material(uuid) is None
    bpy.ops.ed.undo()
    assert node_tree.find_material(uuid) == bpy.data.materials["gone"]
    bpy.ops.ed.redo()
    assert node_tree.find_material(uuid) is None


def test_looking_for_many_materials_does_not_look_through_all_for_each(watch):
    made = [node_tree.new_material(str(number)) for number in range(20)]
    copies = [material.copy() for material in made]
    looked = watch(node_tree, "materials")
    for material in (*made, *copies):
        node_tree.ensure_unique(material)
    assert len(looked) == 40
    assert len({material.tilewright.uuid for material in bpy.data.materials}) == 40
    made += copies
    for number in range(20):
        assert node_tree.find_material(f"gone {number}") is None
        made.append(node_tree.new_material(f"new {number}"))
    for material in made:
        assert node_tree.find_material(material.tilewright.uuid) == material
    assert len(looked) == 40
