"""A studio's color management, whose spaces are called otherwise: Blender reads it once, when it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.shader import images, node_tree
from gan_worker.materials.maps import MAPS, Kind

from .. import conftest as kit

STUDIO = Path(__file__).with_name("studio.ocio")
ROOT = Path(__file__).parents[3]


def spaces(material: bpy.types.Material) -> dict[str, str]:
    shown = node_tree.images_of(material)
    return {name: image.colorspace_settings.name for name, image in shown.items()}


def expected(colors: str, values: str) -> dict[str, str]:
    return {name: colors if m.kind is Kind.color else values for name, m in MAPS.items()}


def generate(folder: str = "") -> bpy.types.Material:
    """Press Generate, with a worker that answers at once; give a folder to keep textures as files."""
    from blender_addon.worker import pump, session

    client = kit.StandInClient()
    session.current.connect(client)
    session.current.state = "connected"
    pump.tick()
    chosen = bpy.context.scene.tilewright
    chosen.model = kit.MODEL.name
    if folder:
        chosen.storage, chosen.texture_folder = "FILES", folder
    obj = kit.add_plane()
    bpy.ops.tilewright.generate_material()
    client.finish(next(iter(client.submitted)), kit.make_maps(64, 32))
    pump.tick()
    pump.finish()
    assert session.current.last_error is None
    return obj.active_material


def in_studio(saved: Path) -> None:
    """What is tried in a Blender of its own, given a file with a material that was saved in another studio."""
    import addon_utils

    addon_utils.enable(kit.ADDON, default_set=True)
    wanted = expected("studio_texture", "studio_values")
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    opened = bpy.data.materials["theirs"]
    assert spaces(opened) == wanted, spaces(opened)
    rough = node_tree.images_of(opened)["roughness"]
    np.testing.assert_allclose(
        images.read_pixels(rough)[..., 0],
        kit.make_maps(64, 32)["roughness"][..., 0] / 255,
        atol=1e-6,
    )
    bpy.ops.wm.save_mainfile()
    assert spaces(generate()) == wanted
    if hasattr(bpy.app.handlers, "blend_import_post"):
        bpy.data.materials.remove(bpy.data.materials["theirs"])
        again = saved.with_name("again.blend")
        bpy.ops.wm.append(directory=f"{again}/Material/", filename="theirs")
        assert spaces(bpy.data.materials["theirs"]) == wanted
    files = generate(str(saved.parent / "textures"))
    bpy.ops.wm.save_mainfile()  # now they are written
    assert spaces(files) == wanted
    pixels = kit.make_maps(8, 8)["normal"]
    preview = images.live_image("x", "normal", pixels)
    images.write_pixels(preview, pixels)
    preview.use_fake_user = True
    bpy.ops.wm.save_mainfile()  # packs it
    assert preview.packed_file and preview.colorspace_settings.is_data
    tinted_color_is_baked(saved.parent / "pictures")
    assert [i for i in bpy.data.images if i.name == "tilewright"] == []
    sys.stdout.write("all of it")


def tinted_color_is_baked(folder: Path) -> None:
    from blender_addon.training import material_pictures

    material = node_tree.new_material("tinted")
    nodes, links = material.node_tree.nodes, material.node_tree.links
    texture, tint = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeVectorMath")
    pixels = np.full((8, 8, 3), 200, np.uint8)
    texture.image = bpy.data.images.new("wall", 8, 8)
    images.write_pixels(texture.image, pixels)
    tint.operation, tint.inputs[1].default_value = "MULTIPLY", (0.5, 0.5, 0.5)
    links.new(texture.outputs[0], tint.inputs[0])
    links.new(tint.outputs[0], nodes["Principled BSDF"].inputs["Base Color"])
    (made,) = material_pictures.as_places(material, folder)
    baked = bpy.data.images.load(str(next(made.iterdir())))
    linear = ((200 / 255 + 0.055) / 1.055) ** 2.4 / 2
    shown = 1.055 * linear ** (1 / 2.4) - 0.055
    np.testing.assert_allclose(images.read_pixels(baked)[..., :3], shown, atol=0.006)


def test_everything_works_where_color_spaces_have_other_names(stand_in, plane, maps, tmp_path):
    material = node_tree.new_material("theirs")
    pixels = kit.make_maps(64, 32)
    made = {name: images.new_image(name, name, pixels[name], "job") for name in MAPS}
    for name, image in made.items():
        images.pack_png(image, images.encode_png(pixels[name]))
    node_tree.build(material, made, node_tree.Wiring())
    material.use_fake_user = True
    assert spaces(material) == expected("sRGB", "Non-Color")
    saved = tmp_path / "saved.blend"
    for name in ("saved.blend", "again.blend"):
        bpy.ops.wm.save_as_mainfile(filepath=str(saved.with_name(name)), copy=True)
    program = (
        "from pathlib import Path; from tests.blender.shader import test_color_spaces as tried;"
        f"tried.in_studio(Path({str(saved)!r})); import os, sys; sys.stdout.flush(); os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "OCIO": str(STUDIO)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "all of it" in done.stdout


@pytest.mark.parametrize("name", ["base_color", "height"])
def test_what_an_artist_chose_stays_when_a_map_is_packed(maps, name):
    image = images.new_image("m", name, maps[name])
    image.colorspace_settings.name = "Linear Rec.709"
    images.pack_png(image, images.encode_png(maps[name]))
    assert image.colorspace_settings.name == "Linear Rec.709"
