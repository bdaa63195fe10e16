"""The images of a material as pictures to learn from: found by what they feed, written without loss."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.shader import images, node_tree
from blender_addon.training import material_pictures
from blender_addon.worker import preferences
from gan_worker.errors import TilewrightError
from gan_worker.materials.sets import find_materials, read_material

from ..conftest import add_plane, write_png


@pytest.fixture
def material() -> bpy.types.Material:
    made = node_tree.new_material("Old Wall")
    add_plane().data.materials.append(made)
    return made


def picture(size: tuple[int, int] = (12, 8), seed: int = 0, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), np.uint8)


def image(name: str, pixels: np.ndarray, space: str = "Non-Color") -> bpy.types.Image:
    """One that was painted in Blender and is in no file."""
    made = bpy.data.images.new(name, pixels.shape[1], pixels.shape[0])
    made.colorspace_settings.name = space
    images.write_pixels(made, pixels)
    return made


def node(material, kind: str, **inputs):
    made = material.node_tree.nodes.new(f"ShaderNode{kind}")
    for name, source in inputs.items():
        material.node_tree.links.new(source, made.inputs[name])
    return made


def texture(material, shown: bpy.types.Image) -> bpy.types.NodeSocket:
    made = node(material, "TexImage")
    made.image = shown
    return made.outputs["Color"]


def feed(material, source: bpy.types.NodeSocket, name: str) -> None:
    nodes = material.node_tree.nodes
    target = nodes["Material Output" if name == "Displacement" else "Principled BSDF"]
    material.node_tree.links.new(source, target.inputs[name])


def learned(places: list[Path]) -> dict[str, np.ndarray]:
    """What the worker reads there: the maps of the only material."""
    (found,), skipped, _ = find_materials(places)
    assert not skipped
    return read_material(found)


def same(read: np.ndarray, pixels: np.ndarray) -> None:
    np.testing.assert_allclose(read, pixels / 255, atol=1e-6)


def test_images_are_found_by_what_they_feed_whatever_they_are_called(material, tmp_path):
    given = {n: picture(seed=i) for i, n in enumerate(("one", "two", "three", "four", "five"))}
    of = {n: texture(material, image(n, p)) for n, p in given.items()}
    feed(material, of["one"], "Base Color")
    feed(material, node(material, "RGBToBW", Color=of["two"]).outputs[0], "Roughness")
    feed(material, of["three"], "Metallic")
    feed(material, node(material, "NormalMap", Color=of["four"]).outputs[0], "Normal")
    relief = node(material, "Displacement", Height=of["five"])
    feed(material, relief.outputs[0], "Displacement")
    read = learned(material_pictures.as_places(material, tmp_path))
    assert list(read) == ["base_color", "roughness", "metallic", "normal", "height"]
    same(read["base_color"], given["one"])
    same(read["normal"], given["four"])
    same(read["roughness"], given["two"].mean(-1, keepdims=True))


def test_a_bump_upon_a_normal_map_gives_both(material, tmp_path):
    of = {n: texture(material, image(n, picture(seed=len(n)))) for n in ("a", "bb", "ccc")}
    feed(material, of["a"], "Base Color")
    normal = node(material, "NormalMap", Color=of["bb"])
    bump = node(material, "Bump", Height=of["ccc"], Normal=normal.outputs[0])
    reroute = material.node_tree.nodes.new("NodeReroute")
    material.node_tree.links.new(bump.outputs[0], reroute.inputs[0])
    feed(material, reroute.outputs[0], "Normal")
    found = material_pictures.find_images(material)
    assert {kind: f.image.name for kind, f in found.items()} == {
        **{"base_color": "a", "height": "ccc", "normal": "bb"}
    }


def test_channels_of_one_image_glossiness_and_occlusion(material, tmp_path):
    color, packed = picture(seed=1), picture(seed=2)
    parts = node(material, "SeparateColor", Color=texture(material, image("orm", packed)))
    mix = node(material, "Mix")
    mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
    links = material.node_tree.links
    links.new(texture(material, image("c", color)), mix.inputs[6])
    links.new(parts.outputs["Red"], mix.inputs[7])
    feed(material, mix.outputs[2], "Base Color")
    feed(material, node(material, "Invert", Color=parts.outputs["Green"]).outputs[0], "Roughness")
    feed(material, parts.outputs["Blue"], "Metallic")
    read = learned(material_pictures.as_places(material, tmp_path))
    same(read["base_color"], color)
    same(read["ambient_occlusion"], packed[..., [0]])
    same(read["roughness"], 255 - packed[..., [1]].astype(float))
    same(read["metallic"], packed[..., [2]])


def test_leaves_that_are_cut_out_by_the_alpha_of_their_color(material, tmp_path):
    pixels, glow = picture(channels=4), picture(seed=9)
    shown = image("leaves", pixels[..., :3])
    images.set_pixels(shown, pixels[::-1].astype(np.float32) / 255)
    feed(material, texture(material, shown), "Base Color")
    feed(material, material.node_tree.nodes["Image Texture"].outputs["Alpha"], "Alpha")
    feed(material, texture(material, image("glow", glow)), "Emission Color")
    read = learned(material_pictures.as_places(material, tmp_path))
    assert list(read) == ["base_color", "opacity", "emission"]
    same(read["opacity"], pixels[..., [3]])
    same(read["emission"], glow)


def test_what_lies_in_an_images_alpha_is_found_too(material, tmp_path):
    """Unity keeps smoothness there."""
    pixels = picture(channels=4)
    shown = image("c", pixels[..., :3])
    images.set_pixels(shown, pixels[::-1].astype(np.float32) / 255)
    feed(material, texture(material, shown), "Base Color")
    alpha = material.node_tree.nodes["Image Texture"].outputs["Alpha"]
    feed(material, node(material, "Invert", Color=alpha).outputs[0], "Roughness")
    read = learned(material_pictures.as_places(material, tmp_path))
    same(read["base_color"], pixels[..., :3])
    same(read["roughness"], 255 - pixels[..., [3]].astype(float))


def test_files_that_are_named_as_what_they_are_stay_where_they_are(material, tmp_path):
    files = {
        n: write_png(tmp_path / f"wall_{n}.png", picture(seed=i))
        for i, n in enumerate(("color", "roughness"))
    }
    for name, target in (("color", "Base Color"), ("roughness", "Roughness")):
        feed(material, texture(material, bpy.data.images.load(str(files[name]))), target)
    assert material_pictures.as_places(material, tmp_path / "kept") == list(files.values())
    assert not (tmp_path / "kept").exists()


def test_a_file_whose_name_says_something_else_is_written_under_a_name_that_tells(
    material, tmp_path
):
    pixels = picture()
    color = write_png(tmp_path / "wall_01.png", picture(seed=3))
    rough = write_png(tmp_path / "wall_02.png", pixels)
    feed(material, texture(material, bpy.data.images.load(str(color))), "Base Color")
    feed(material, texture(material, bpy.data.images.load(str(rough))), "Roughness")
    (folder,) = material_pictures.as_places(material, tmp_path / "kept")
    assert sorted(file.name for file in folder.iterdir()) == [
        "Old_Wall_basecolor.png",
        "Old_Wall_roughness.png",
    ]
    assert (folder / "Old_Wall_roughness.png").read_bytes() == rough.read_bytes()
    same(learned([folder])["roughness"], pixels.mean(-1, keepdims=True))
    before = sorted((tmp_path / "kept").iterdir())
    assert material_pictures.as_places(material, tmp_path / "kept") == [folder]
    assert sorted((tmp_path / "kept").iterdir()) == before


def test_our_own_material_with_packed_maps_comes_back_bit_by_bit(stand_in, plane, maps, tmp_path):
    from blender_addon.worker import pump

    bpy.ops.tilewright.generate_material()
    stand_in.finish(next(iter(stand_in.submitted)), maps)
    pump.tick()
    pump.finish()
    read = learned(material_pictures.as_places(plane.active_material, tmp_path))
    assert set(read) == set(maps)
    for name, pixels in maps.items():
        np.testing.assert_allclose(read[name], pixels / np.iinfo(pixels.dtype).max, atol=1e-6)


def test_floats_are_not_rounded(material, tmp_path):
    made = bpy.data.images.new("relief", 6, 4, float_buffer=True, is_data=True)
    values = np.random.default_rng(1).random((4, 6, 4)).astype(np.float32)
    made.pixels.foreach_set(values.reshape(-1))
    feed(material, texture(material, image("c", picture((6, 4)))), "Base Color")
    feed(
        material,
        node(material, "Displacement", Height=texture(material, made)).outputs[0],
        "Displacement",
    )
    before = [i.name for i in bpy.data.images]
    read = learned(material_pictures.as_places(material, tmp_path))
    np.testing.assert_allclose(read["height"][..., 0], values[::-1, :, :3].mean(-1), atol=1e-6)
    assert [i.name for i in bpy.data.images] == before
    assert made.source == "GENERATED"


def test_the_button_adds_them_once_and_says_why_where_it_cannot(material):
    assert not bpy.ops.tilewright.add_material_pictures.poll()
    feed(material, texture(material, image("c", picture())), "Base Color")
    for _ in range(2):
        bpy.ops.tilewright.add_material_pictures()
    (item,) = bpy.context.scene.tilewright.pictures
    assert Path(item.path).parent == preferences.picture_folder()
    chosen = preferences.get()
    chosen.location, chosen.remote_address = "REMOTE", "gpu.example.org"
    with pytest.raises(RuntimeError, match=r"gpu\.example\.org"):
        bpy.ops.tilewright.add_material_pictures()


def code(material, folder: Path) -> str:
    with pytest.raises(TilewrightError) as caught:
        material_pictures.as_places(material, folder)
    assert not folder.exists() or not any(folder.iterdir())
    return caught.value.code


def test_what_cannot_be_learned_from_is_a_typed_error(material, tmp_path):
    folder = tmp_path / "kept"
    lonely = texture(material, image("c", picture()))
    assert code(material, folder) == "dataset_empty"
    gone = bpy.data.images.load(str(write_png(tmp_path / "gone.png", picture())))
    (tmp_path / "gone.png").unlink()
    feed(material, texture(material, gone), "Base Color")
    gone.reload()
    assert code(material, folder) == "picture_missing"
    gone.source = "TILED"
    assert code(material, folder) == "picture_unreadable"
    feed(material, lonely, "Base Color")
    folder.write_text("in the way")
    with pytest.raises(TilewrightError) as caught:
        material_pictures.as_places(material, folder)
    assert caught.value.code == "file_unwritable"
