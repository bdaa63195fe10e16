"""What lies between an image and an input: told where it is certain, baked or left out with the reason where not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.shader import images, inputs, node_tree
from blender_addon.training import material_pictures
from gan_worker.errors import PictureError, TilewrightError
from gan_worker.materials.sets import find_materials, read_material

from ..conftest import add_plane


class Bench:
    """A material that is built by hand."""

    def __init__(self) -> None:
        self.material = node_tree.new_material("Wall")
        add_plane().data.materials.append(self.material)
        self.tree = self.material.node_tree
        self.pixels: dict[str, np.ndarray] = {}

    def node(self, kind: str, *given: bpy.types.NodeSocket, tree=None, **chosen):
        made = (tree or self.tree).nodes.new(f"ShaderNode{kind}")
        for name, value in chosen.items():
            setattr(made, name, value)
        for source, target in zip(given, made.inputs, strict=False):
            if source is not None:
                self.link(source, target)
        return made

    def link(self, source, target) -> bpy.types.NodeLink:
        return target.id_data.links.new(source, target)

    def image(self, name: str, tree=None, is_data: bool = True) -> bpy.types.NodeSocket:
        if name not in self.pixels:
            random = np.random.default_rng(len(name) * 7 + ord(name[0]))
            self.pixels[name] = random.integers(0, 256, (8, 12, 3), np.uint8)
            made = bpy.data.images.new(name, 12, 8)
            if is_data:
                made.colorspace_settings.is_data = True
            images.write_pixels(made, self.pixels[name])
        return self.node("TexImage", tree=tree, image=bpy.data.images[name]).outputs[0]

    def feed(self, source: bpy.types.NodeSocket, name: str) -> bpy.types.NodeLink:
        owner = "Material Output" if name in ("Displacement", "Surface") else "Principled BSDF"
        return self.link(source, self.tree.nodes[owner].inputs[name])

    def group(self, *names: str, tree=None) -> bpy.types.Node:
        """A group with these inputs and outputs, not yet connected."""
        made = bpy.data.node_groups.new("Adjust", "ShaderNodeTree")
        for name in names:
            for side in ("INPUT", "OUTPUT"):
                made.interface.new_socket(name, in_out=side, socket_type="NodeSocketColor")
        made.nodes.new("NodeGroupInput")
        made.nodes.new("NodeGroupOutput")
        return self.node("Group", tree=tree, node_tree=made)

    def found(self) -> dict[str, tuple[str, int | None, bool]]:
        told = inputs.find_images(self.material).items()
        return {kind: (f.image.name, f.channel, f.inverted) for kind, f in told}

    def left_out(self) -> str:
        return "; ".join(inputs.survey(self.material).left_out)

    def learned(self, folder: Path) -> dict[str, np.ndarray]:
        before = [len(x) for x in _datablocks()]
        (found,), skipped, _ = find_materials(material_pictures.as_places(self.material, folder))
        assert not skipped
        assert [len(x) for x in _datablocks()] == before, "what was made for baking must go"
        return read_material(found)

    def value(self, name: str) -> np.ndarray:
        return self.pixels[name] / 255


def _datablocks():
    data = bpy.data
    return data.materials, data.images, data.node_groups, data.scenes, data.objects, data.meshes


@pytest.fixture
def bench() -> Bench:
    return Bench()


def borders(group: bpy.types.Node) -> tuple[bpy.types.Node, bpy.types.Node]:
    tree = group.node_tree
    return tree.nodes["Group Input"], tree.nodes["Group Output"]


def same(read: np.ndarray, wanted: np.ndarray, atol: float = 1e-5) -> None:
    np.testing.assert_allclose(read, wanted, atol=atol)


# ---- groups and what is muted


def test_every_output_of_a_group_hangs_on_its_own_inputs(bench, tmp_path):
    outer, names = bench.group("n", "c", "r"), ("n", "c", "r")
    inner = bench.group("n", "c", "r", tree=outer.node_tree)
    for group in (outer, inner):
        begin, end = borders(group)
        for name in names:
            if group is outer:
                bench.link(begin.outputs[name], inner.inputs[name])
                bench.link(inner.outputs[name], end.inputs[name])
            else:
                bench.link(begin.outputs[name], end.inputs[name])
    for name in names:
        bench.link(bench.image(name), outer.inputs[name])
    bench.feed(outer.outputs["c"], "Base Color")
    bench.feed(outer.outputs["r"], "Roughness")
    assert bench.found() == {"base_color": ("c", None, False), "roughness": ("r", None, False)}


def test_images_and_a_shader_inside_groups_are_found(bench, tmp_path):
    tree = bpy.data.node_groups.new("Asset", "ShaderNodeTree")
    tree.interface.new_socket("Shader", in_out="OUTPUT", socket_type="NodeSocketShader")
    end, shader = tree.nodes.new("NodeGroupOutput"), bench.node("BsdfPrincipled", tree=tree)
    bench.link(shader.outputs[0], end.inputs[0])
    bench.link(bench.image("c", tree), shader.inputs["Base Color"])
    power = bench.node("Math", bench.image("r", tree), tree=tree, operation="POWER")
    power.inputs[1].default_value = 2.0
    bench.link(power.outputs[0], shader.inputs["Roughness"])
    flip = bench.node("NormalMap", tree=tree)
    bench.link(bench.image("n", tree), flip.inputs["Color"])
    bench.link(flip.outputs[0], shader.inputs["Normal"])
    group = bench.node("Group", node_tree=tree)
    bench.feed(group.outputs[0], "Surface")
    assert set(bench.found()) == {"base_color", "roughness", "normal"}
    assert bpy.ops.tilewright.add_material_pictures.poll()
    read = bench.learned(tmp_path)
    weights = np.array([0.2126, 0.7152, 0.0722])
    same(read["roughness"][..., 0], (bench.value("r") @ weights) ** 2, 1e-3)
    same(read["base_color"], bench.value("c"))


def test_muted_links_and_nodes_do_not_count(bench):
    bench.feed(bench.image("old_color"), "Base Color").is_muted = True
    inverted = bench.node("Invert", None, bench.image("r"))
    bench.feed(inverted.outputs[0], "Roughness")
    assert bench.found() == {"roughness": ("r", None, True)}
    inverted.mute = True
    bpy.context.view_layer.update()
    assert bench.found() == {"roughness": ("r", None, False)}


def test_a_circle_of_links_ends(bench):
    a, b = bench.node("Math"), bench.node("Math")
    bench.link(a.outputs[0], b.inputs[0])
    bench.feed(b.outputs[0], "Roughness")
    bench.link(b.outputs[0], a.inputs[0])
    bench.feed(bench.image("c"), "Base Color")
    assert bench.found() == {"base_color": ("c", None, False)}


def test_a_very_long_chain_of_nodes_is_baked_and_ends(bench):
    last = bench.image("r")
    for _ in range(400):
        last = bench.node("Math", last, operation="MULTIPLY").outputs[0]
        last.node.inputs[1].default_value = 1.0
    bench.feed(last, "Roughness")
    assert bench.found() == {"roughness": ("r", None, False)}


# ---- normals


def turned_by(kind: str) -> Callable[[Bench], bpy.types.NodeSocket]:
    """Ways to turn the green of normals around."""

    def curves(bench):
        node = bench.node("RGBCurve", None, bench.image("n"))
        points = node.mapping.curves[1].points
        points[0].location, points[1].location = (0, 1), (1, 0)
        node.mapping.update()
        return node.outputs[0]

    def vector(bench):
        node = bench.node("VectorMath", bench.image("n"), operation="MULTIPLY_ADD")
        node.inputs[1].default_value, node.inputs[2].default_value = (1, -1, 1), (0, 1, 0)
        return node.outputs[0]

    def parts(bench):
        split = bench.node("SeparateColor", bench.image("n"))
        minus = bench.node("Math", None, split.outputs[1], operation="SUBTRACT")
        minus.inputs[0].default_value = 1.0
        joined = bench.node("CombineColor", split.outputs[0], minus.outputs[0], split.outputs[2])
        return joined.outputs[0]

    def ranges(bench):
        split = bench.node("SeparateXYZ", bench.image("n"))
        span = bench.node("MapRange", split.outputs[1])
        span.inputs[3].default_value, span.inputs[4].default_value = 1.0, 0.0
        return bench.node(
            "CombineXYZ", split.outputs[0], span.outputs[0], split.outputs[2]
        ).outputs[0]

    def group(bench):
        node = bench.group("Color")
        begin, end = borders(node)
        split = bench.node("SeparateColor", begin.outputs[0], tree=node.node_tree)
        flip = bench.node("Invert", None, split.outputs[1], tree=node.node_tree)
        joined = bench.node(
            *("CombineColor", split.outputs[0], flip.outputs[0], split.outputs[2]),
            tree=node.node_tree,
        )
        bench.link(joined.outputs[0], end.inputs[0])
        bench.link(bench.image("n"), node.inputs[0])
        return node.outputs[0]

    return locals()[kind]


@pytest.mark.parametrize("kind", ["curves", "vector", "parts", "ranges", "group"])
def test_turned_green_is_told_however_it_was_done(bench, kind):
    normal = bench.node("NormalMap")
    bench.link(turned_by(kind)(bench), normal.inputs["Color"])
    bench.feed(normal.outputs[0], "Normal")
    assert bench.found() == {"normal_directx": ("n", None, False)}
    if hasattr(normal, "convention"):
        normal.convention = "DIRECTX"  # turned twice
        assert bench.found() == {"normal": ("n", None, False)}


def test_the_normal_map_nodes_own_convention_counts(bench):
    normal = bench.node("NormalMap")
    if not hasattr(normal, "convention"):
        pytest.skip("from Blender 5.1 on")
    bench.link(bench.image("n"), normal.inputs["Color"])
    bench.feed(normal.outputs[0], "Normal")
    assert "normal" in bench.found()
    normal.convention = "DIRECTX"
    assert "normal_directx" in bench.found()


def test_normals_of_two_channels_are_baked_with_the_third(bench, tmp_path):
    """Blue is made of the other two, as games do."""
    split = bench.node("SeparateColor", bench.image("n"))
    half = bench.node("CombineColor", split.outputs[0], split.outputs[1])
    half.inputs[2].default_value = 1.0
    normal = bench.node("NormalMap")
    bench.link(half.outputs[0], normal.inputs["Color"])
    bench.feed(normal.outputs[0], "Normal")
    bench.feed(bench.image("c"), "Base Color")
    assert bench.found()["normal"] == ("n", None, False)
    read = bench.learned(tmp_path)["normal"]
    same(read[..., :2], bench.value("n")[..., :2])
    same(read[..., 2], 1.0)


def test_normals_that_are_mixed_after_their_maps_are_baked_from_the_surface(bench, tmp_path):
    flat = np.full((8, 12, 3), (160, 100, 220), np.uint8)
    normal = bench.node("NormalMap")
    bench.link(bench.image("n"), normal.inputs["Color"])
    images.write_pixels(bpy.data.images["n"], flat)
    through = bench.node("VectorMath", normal.outputs[0], operation="NORMALIZE")
    bench.feed(through.outputs[0], "Normal")
    bench.feed(bench.image("c"), "Base Color")
    wanted = flat[0, 0] / 255 * 2 - 1
    read = bench.learned(tmp_path)["normal"]
    same(read, np.broadcast_to(wanted / np.linalg.norm(wanted) / 2 + 0.5, read.shape), 0.01)


def test_normals_of_one_object_are_left_out_with_the_reason(bench):
    normal = bench.node("NormalMap", space="OBJECT")
    bench.link(bench.image("n"), normal.inputs["Color"])
    bench.feed(normal.outputs[0], "Normal")
    bench.feed(bench.image("c"), "Base Color")
    assert set(bench.found()) == {"base_color"}
    assert "Normal: it is in object space" in bench.left_out()


# ---- numbers


def ramp(bench: Bench, source, low: float, high: float) -> bpy.types.NodeSocket:
    node = bench.node("ValToRGB", source)
    for element, value in zip(node.color_ramp.elements, (low, high), strict=True):
        element.color = (value, value, value, 1.0)
    return node.outputs[0]


def test_a_color_ramp_is_passed_turned_or_baked(bench, tmp_path):
    split = bench.node("SeparateColor", bench.image("orm"))
    bench.feed(ramp(bench, split.outputs[0], 0.0, 1.0), "Metallic")
    bench.feed(ramp(bench, split.outputs[1], 1.0, 0.0), "Roughness")
    bench.feed(ramp(bench, split.outputs[2], 0.2, 0.6), "Alpha")
    bench.feed(bench.image("c"), "Base Color")
    assert bench.found() == {
        "base_color": ("c", None, False),
        "roughness": ("orm", 1, True),
        "metallic": ("orm", 0, False),
        "opacity": ("orm", None, False),
    }
    read, given = bench.learned(tmp_path), bench.value("orm")
    same(read["metallic"], given[..., [0]])
    same(read["roughness"], 1 - given[..., [1]])
    same(read["opacity"], 0.2 + 0.4 * given[..., [2]], 2e-3)  # Cycles looks ramps up in a table


def test_glossiness_is_told_whichever_node_turns_it(bench):
    for node, settings in (
        ("MapRange", {3: 1.0, 4: 0.0}),
        ("Math", {1: -1.0, 2: 1.0}),
    ):
        made = bench.node(node, bench.image("gloss"))
        if node == "Math":
            made.operation = "MULTIPLY_ADD"
        for number, value in settings.items():
            made.inputs[number].default_value = value
        bench.feed(made.outputs[0], "Roughness")
        assert bench.found() == {"roughness": ("gloss", None, True)}


def test_a_mix_of_two_images_by_a_third_is_baked(bench, tmp_path):
    mix = bench.node("MixRGB", *(bench.image(n, is_data=False) for n in ("mask", "a", "b")))
    bench.feed(mix.outputs[0], "Base Color")
    bench.feed(bench.image("r"), "Roughness")
    read = bench.learned(tmp_path)["base_color"]

    def linear(x):
        return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)

    a, b, mask = (linear(bench.value(n)) for n in ("a", "b", "mask"))
    share = (mask @ np.array([0.2126, 0.7152, 0.0722]))[..., None]
    same(linear(read), a * (1 - share) + b * share, 6e-3)


def test_relief_that_points_inwards_is_turned(bench):
    bump = bench.node("Bump")
    bump.invert = True
    bench.link(bench.image("h"), bump.inputs["Height"])
    bench.feed(bump.outputs[0], "Normal")
    assert bench.found() == {"height": ("h", None, True)}
    bump.inputs["Distance"].default_value = -1.0
    assert bench.found() == {"height": ("h", None, False)}


# ---- occlusion


def test_occlusion_of_an_imported_gltf_is_found(bench):
    group = bench.group("Occlusion")
    group.node_tree.name = "glTF Material Output"
    split = bench.node("SeparateColor", bench.image("orm"))
    bench.link(split.outputs[0], group.inputs["Occlusion"])
    bench.feed(split.outputs[1], "Roughness")
    bench.feed(bench.image("c"), "Base Color")
    assert bench.found()["ambient_occlusion"] == ("orm", 0, False)


def multiplied(bench: Bench, first: str, second: str) -> bpy.types.Node:
    mix = bench.node("MixRGB", None, bench.image(first), bench.image(second), blend_type="MULTIPLY")
    mix.inputs[0].default_value = 1.0
    bench.feed(mix.outputs[0], "Base Color")
    return mix


def test_occlusion_that_feeds_nothing_is_told_by_its_name_inside_a_group_too(bench):
    group = bench.group("c")
    begin, end = borders(group)
    bench.link(begin.outputs[0], end.inputs[0])
    bench.link(bench.image("c"), group.inputs[0])
    bench.feed(group.outputs[0], "Base Color")
    bench.image("wall_ao", group.node_tree)
    assert set(bench.found()) == {"base_color", "ambient_occlusion"}


def test_multiplied_occlusion_is_told_by_its_name_on_either_side(bench):
    multiplied(bench, "wall_ao", "wall_color")
    wanted = {
        "base_color": ("wall_color", None, False),
        "ambient_occlusion": ("wall_ao", None, False),
    }
    assert bench.found() == wanted
    multiplied(bench, "wall_color", "wall_ao")
    assert bench.found() == wanted


def test_what_is_multiplied_and_may_be_dirt_is_part_of_the_color(bench, tmp_path):
    multiplied(bench, "wall", "grunge")
    assert set(bench.found()) == {"base_color"}
    read = bench.learned(tmp_path)["base_color"]
    assert abs(read - bench.value("wall")).max() > 0.1


# ---- what is left out


def test_what_no_image_makes_is_named(bench):
    bench.feed(bench.image("c"), "Base Color")
    bench.feed(bench.node("TexNoise").outputs[0], "Roughness")
    bump = bench.node("Bump")
    bench.link(bench.tree.nodes["Image Texture"].outputs[0], bump.inputs["Height"])
    bench.feed(bump.outputs[0], "Normal")
    assert set(bench.found()) == {"base_color"}
    assert "Roughness: Noise Texture makes it without an image" in bench.left_out()
    assert "Height: c is the Base Color already" in bench.left_out()


def test_images_that_are_laid_on_differently_are_not_baked_into_one(bench):
    near, far = (bench.node("Mapping") for _ in range(2))
    far.inputs["Scale"].default_value = (8, 8, 8)
    mix = bench.node("MixRGB", None, bench.image("near"), bench.image("far"))
    for mapping, link in zip((near, far), (mix.inputs[1], mix.inputs[2]), strict=True):
        bench.link(mapping.outputs[0], link.links[0].from_node.inputs["Vector"])
    bench.feed(mix.outputs[0], "Base Color")
    assert bench.found() == {}
    assert "laid on in different ways" in bench.left_out()
    far.inputs["Scale"].default_value = (1, 1, 1)
    assert "base_color" in bench.found()


def test_a_map_that_is_laid_on_otherwise_is_left_out(bench):
    bench.feed(bench.image("c"), "Base Color")
    bench.feed(bench.image("r"), "Roughness")
    bench.feed(bench.image("m"), "Metallic")
    own = bench.tree.nodes["Image Texture.001"].inputs["Vector"]
    mapping = bench.node("Mapping", bench.node("TexCoord").outputs["UV"])
    bench.link(mapping.outputs[0], own)
    assert set(bench.found()) == {"base_color", "roughness", "metallic"}
    mapping.inputs["Scale"].default_value = (4, 4, 4)
    assert set(bench.found()) == {"base_color", "metallic"}
    assert "Roughness: it is laid on otherwise" in bench.left_out()
    bench.link(bench.node("UVMap", uv_map="Lightmap").outputs[0], own)
    assert set(bench.found()) == {"base_color", "metallic"}
    bench.link(bench.node("UVMap", uv_map="UVMap").outputs[0], own)  # the one that is rendered
    assert set(bench.found()) == {"base_color", "roughness", "metallic"}


def test_mappings_that_say_the_same_are_the_same(bench):
    for name, target in (("c", "Base Color"), ("r", "Roughness")):
        mapping = bench.node("Mapping", bench.node("TexCoord").outputs["UV"])
        mapping.inputs["Scale"].default_value = (3, 3, 3)
        picture = bench.image(name)
        bench.link(mapping.outputs[0], picture.node.inputs["Vector"])
        bench.feed(picture, target)
    assert set(bench.found()) == {"base_color", "roughness"}


def test_what_hangs_on_the_object_too_is_left_out(bench, tmp_path):
    colors = bench.node("VertexColor").outputs[0]
    mix = bench.node("MixRGB", None, bench.image("c"), colors, blend_type="MULTIPLY")
    bench.feed(mix.outputs[0], "Base Color")
    assert bench.found() == {}
    assert "it hangs on the object too, by Color Attribute" in bench.left_out()
    with pytest.raises(TilewrightError, match=r"in Wall none does .*by Color Attribute"):
        material_pictures.as_places(bench.material, tmp_path)


def test_a_material_of_a_library_is_baked_too(bench, tmp_path):
    group = bench.group("r")
    begin, end = borders(group)
    bench.link(bench.image("r"), group.inputs[0])
    half = bench.node("Math", begin.outputs[0], tree=group.node_tree, operation="MULTIPLY")
    half.inputs[1].default_value = 0.5
    bench.link(half.outputs[0], end.inputs[0])
    bench.feed(group.outputs[0], "Roughness")
    bench.feed(bench.image("c"), "Base Color")
    file = str(tmp_path / "library.blend")
    for image in bpy.data.images:
        if image.name in bench.pixels:
            image.pack()
    bpy.data.libraries.write(file, {bench.material})
    bpy.data.materials.remove(bench.material)
    with bpy.data.libraries.load(file, link=True) as (_, here):
        here.materials = ["Wall"]
    (bench.material,) = here.materials
    read = bench.learned(tmp_path / "kept")
    same(read["roughness"], bench.value("r") @ np.array([[0.2126], [0.7152], [0.0722]]) / 2, 1e-3)


@pytest.mark.parametrize("clear_first", [True, False])
def test_leaves_that_are_cut_out_by_a_transparent_shader(bench, clear_first):
    picture = bench.image("leaf")
    bench.feed(picture, "Base Color")
    shaders = [
        bench.node("BsdfTransparent").outputs[0],
        bench.tree.nodes["Principled BSDF"].outputs[0],
    ]
    ordered = shaders if clear_first else shaders[::-1]
    mix = bench.node("MixShader", picture.node.outputs["Alpha"], *ordered)
    bench.feed(mix.outputs[0], "Surface")
    assert bench.found() == {
        "base_color": ("leaf", None, False),
        "opacity": ("leaf", 3, not clear_first),
    }
    assert bench.left_out() == ""


def test_a_second_shader_is_named(bench):
    mix = bench.node("MixShader", None, bench.tree.nodes["Principled BSDF"].outputs[0])
    bench.link(bench.node("BsdfPrincipled", label="Moss").outputs[0], mix.inputs[2])
    bench.feed(mix.outputs[0], "Surface")
    bench.feed(bench.image("c"), "Base Color")
    assert set(bench.found()) == {"base_color"}
    assert "mixed with" in bench.left_out()


def test_the_button_says_what_it_left_out(bench, capfd):
    bench.feed(bench.image("c"), "Base Color")
    bench.feed(bench.node("TexNoise").outputs[0], "Roughness")
    bpy.ops.tilewright.add_material_pictures()
    assert "Left out: Roughness" in capfd.readouterr().out


def test_a_bake_that_fails_is_told_and_leaves_nothing(bench, tmp_path, monkeypatch):
    bench.feed(ramp(bench, bench.image("r"), 0.2, 0.6), "Roughness")
    bench.feed(bench.image("c"), "Base Color")
    before = [len(x) for x in _datablocks()]
    monkeypatch.setattr(images, "read_pixels", lambda _: (_ for _ in ()).throw(_gone()))
    with pytest.raises(TilewrightError):
        material_pictures.as_places(bench.material, tmp_path)
    assert [len(x) for x in _datablocks()] == before


def _gone() -> PictureError:
    return PictureError("picture_unreadable", "gone.", "")


def test_without_cycles_it_is_told_how_to_bake(bench, tmp_path):
    import addon_utils

    bench.feed(ramp(bench, bench.image("r"), 0.2, 0.6), "Roughness")
    bench.feed(bench.image("c"), "Base Color")
    addon_utils.disable("cycles")
    try:
        with pytest.raises(
            TilewrightError, match=r"baked by Cycles; it is turned off.*Turn Cycles"
        ):
            material_pictures.as_places(bench.material, tmp_path)
    finally:
        addon_utils.enable("cycles")
    assert "roughness" in bench.learned(tmp_path)


def test_a_bake_works_in_edit_mode_and_keeps_the_scene_and_the_mode(bench, tmp_path):
    obj, scene = bpy.context.object, bpy.context.scene
    bpy.ops.object.mode_set(mode="EDIT")
    bench.feed(ramp(bench, bench.image("r"), 0.2, 0.6), "Roughness")
    bench.feed(bench.image("c"), "Base Color")
    engine = scene.render.engine
    assert "roughness" in bench.learned(tmp_path)
    assert (obj.mode, bpy.context.scene, scene.render.engine) == ("EDIT", scene, engine)
