"""Arrays become Blender images and come back unchanged."""

from __future__ import annotations

import os

import bpy
import numpy as np
import pytest

from blender_addon.shader import images
from gan_worker.errors import StorageError
from gan_worker.materials.maps import MAPS


@pytest.fixture
def made(maps):
    """Each map as an image whose pixels were handed over, not yet packed."""

    def make(name: str) -> bpy.types.Image:
        image = images.new_image(f"m_1_48x32_{MAPS[name].file_word}", name, maps[name], "job")
        images.write_pixels(image, maps[name])
        return image

    return make


NAMES = list(MAPS)


def expected(pixels: np.ndarray) -> np.ndarray:
    return np.broadcast_to(pixels / np.iinfo(pixels.dtype).max, (*pixels.shape[:2], 3))


@pytest.mark.parametrize("name", NAMES)
def test_pixels_are_top_row_first_in_the_right_color_space(made, maps, name):
    image = made(name)
    assert tuple(image.size) == (48, 32)
    assert image.colorspace_settings.name == (
        "sRGB" if name in ("base_color", "emission") else "Non-Color"
    )
    np.testing.assert_allclose(images.read_pixels(image)[..., :3], expected(maps[name]), atol=1e-6)
    assert images.read_pixels(image)[..., 3].min() == 1


@pytest.mark.parametrize("name", NAMES)
def test_packed_image_keeps_every_bit_through_saving(made, maps, name, tmp_path):
    image = made(name)
    images.pack_png(image, images.encode_png(maps[name]))
    image.use_fake_user = True
    assert not image.is_dirty
    path = tmp_path / "packed.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    bpy.data.images.remove(image)
    with bpy.data.libraries.load(str(path)) as (there, here):
        here.images = list(there.images)
    back = next(i for i in here.images if i.get(images.MAP_KEY) == name)
    assert back.packed_file is not None
    assert back.colorspace_settings.name == (
        "sRGB" if name in ("base_color", "emission") else "Non-Color"
    )
    np.testing.assert_allclose(images.read_pixels(back)[..., :3], expected(maps[name]), atol=1e-6)


def test_height_keeps_its_sixteen_bits(made, maps):
    image = made("height")
    images.pack_png(image, images.encode_png(maps["height"]))
    values = np.round(images.read_pixels(image)[..., 0] * 65535).astype(np.uint16)
    np.testing.assert_array_equal(values, maps["height"][..., 0])


def test_saved_file_lies_beside_the_blend_and_is_not_overwritten(made, maps, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    png = images.encode_png(maps["roughness"])
    first = images.save_png(made("roughness"), png, "//textures")
    image = made("roughness")
    second = images.save_png(image, png, "//textures")
    assert first == tmp_path / "textures" / "m_1_48x32_roughness.png"
    assert second == tmp_path / "textures" / "m_1_48x32-2_roughness.png"
    assert image.filepath_raw.startswith("//")
    assert sorted(p.suffix for p in first.parent.iterdir()) == [".png", ".png"]
    np.testing.assert_allclose(
        images.read_pixels(image)[..., :3], expected(maps["roughness"]), atol=1e-6
    )


def test_unwritable_folder_is_a_typed_error(made, maps, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(StorageError) as caught:
        images.save_png(made("normal"), images.encode_png(maps["normal"]), str(blocked / "x"))
    assert caught.value.code == "file_unwritable"


def test_a_file_on_another_drive_is_named_in_whole(made, maps, tmp_path, monkeypatch):
    def refuse(*_args: object) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    outside = tmp_path / "elsewhere"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    # What Python says where drives differ, as they do on Windows alone.
    monkeypatch.setattr(os.path, "relpath", refuse)
    image, png = made("roughness"), images.encode_png(maps["roughness"])
    images.pack_until_saving(image, png, str(outside))
    image.use_fake_user = True
    images.write_waiting_files()
    assert image.filepath_raw == str(outside / "m_1_48x32_roughness.png")
    assert not image.packed_file
    assert not images.is_lost(image)


def test_pieces_are_small_and_add_up(make):
    pixels = make(512, 1024)["base_color"]
    whole, parts = np.empty((1024, 512, 4), np.float32), []
    assert sum(1 for _ in images.rgba_pieces(pixels, whole)) >= 8
    assert sum(1 for _ in images.png_pieces(pixels, parts)) >= 8
    np.testing.assert_allclose(whole[::-1, :, :3], pixels / 255, atol=1e-6)


def test_names_end_with_what_node_wrangler_knows():
    assert images.image_name("bricks", 7, 1024, 512, "base_color") == "bricks_7_1024x512_basecolor"
    assert images.image_name("bricks", 7, 1024, 512, "ambient_occlusion").endswith("_ao")


@pytest.mark.parametrize("model", ["old_wall_" * 9, "é" * 80, "石" * 80])
def test_a_long_name_keeps_its_end_in_blender(model, maps):
    name = images.image_name(model[:80], 4294967295, 16384, 16384, "ambient_occlusion")
    first, second = (
        images.new_image(name, "ambient_occlusion", maps["ambient_occlusion"]) for _ in range(2)
    )
    assert first.name == name
    assert second.name == f"{name}.001"
    assert name.endswith("_4294967295_16384x16384_ao")
    assert name.startswith(model[:5])
    assert images.whole_name("wall", "_end") == "wall_end"
    names = [images.image_name(model[:80], 7, 512, 512, name) for name in MAPS]
    assert len({name.rpartition("_")[0] for name in names}) == 1  # files of one set begin alike


def test_an_image_is_found_by_its_job_and_map_whatever_becomes_of_it(made):
    assert images.find_image("job", "height") is None
    height = made("height")
    assert images.find_image("job", "height") == height
    assert images.find_image("job", "normal") is None
    assert images.find_image("other", "height") is None
    normal = made("normal")
    height.name, normal.name = "mine", height.name
    assert images.find_image("job", "height") == height
    assert images.find_image("job", "normal") == normal
    copy = height.copy()
    assert images.find_image("job", "height") == height
    bpy.data.images.remove(height)
    assert images.find_image("job", "height") == copy
    bpy.data.images.remove(copy)
    assert images.find_image("job", "height") is None


def test_an_image_of_a_library_is_not_found_though_it_has_the_name(made, tmp_path):
    made("height").use_fake_user = True
    file = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file, copy=True)
    own = images.find_image("job", "height")
    with bpy.data.libraries.load(file, link=True) as (there, here):
        here.images = list(there.images)
    assert images.find_image("job", "height") == own
    bpy.data.images.remove(own)
    assert [image.name for image in bpy.data.images if image.library]
    assert images.find_image("job", "height") is None


def test_what_an_undo_brought_back_is_found(made):
    assert images.find_image("job", "height") is None
    image = bpy.data.images.new("brought back", 4, 4)
    image[images.JOB_KEY], image[images.MAP_KEY] = "job", "height"
    for told in bpy.app.handlers.undo_post:
        told(None)
    assert images.find_image("job", "height") == image


def test_looking_for_images_of_many_jobs_does_not_look_through_all_for_each(make, watch):
    pixels = make(4, 4)["height"]
    for number in range(20):
        images.new_image(f"{number}", "height", pixels, f"job {number}")
    looked = watch(images, "images")
    for _ in range(5):
        for number in range(20):
            assert images.find_image(f"job {number}", "height").name == f"{number}"
    assert len(looked) == len(bpy.data.images)
