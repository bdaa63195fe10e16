"""What .blend files say of maps, presets and targets keeps its meaning, whatever is added to these lists."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from blender_addon.shader import node_tree
from blender_addon.training import properties
from gan_worker.config import PRESETS
from gan_worker.exports.targets import TOOLS
from gan_worker.materials.maps import MAPS

# Saved by version 0.1 in Blender 5.0.
SAVED = Path(__file__).parent / "saved" / "choices_0.1.blend"


@pytest.mark.skipif(bpy.app.version < (5, 0, 0), reason="the file was saved by Blender 5.0")
def test_a_file_of_an_earlier_version_says_the_same():
    with bpy.data.libraries.load(str(SAVED)) as (there, here):
        here.scenes, here.materials = there.scenes, there.materials
    chosen, material = here.scenes[0].tilewright, here.materials[0]
    assert chosen.maps == {"normal", "height"}
    assert (chosen.preset, chosen.export_target) == ("full", "unreal")
    assert material.tilewright.unused_maps == {"roughness", "ambient_occlusion"}
    assert node_tree.find_material(material.tilewright.uuid) == material


def test_numbers_in_files_are_those_of_the_first_version():
    """Whoever changes one of these changes what every saved file says; what is new is added here, for life."""
    assert {name: kind.flag for name, kind in MAPS.items()} == {
        "base_color": 1,
        "roughness": 2,
        "metallic": 4,
        "normal": 8,
        "height": 16,
        "ambient_occlusion": 32,
        "opacity": 64,
        "emission": 128,
    }
    numbers = {name: number for name, _, _, number in properties.preset_items(PRESETS)}
    assert numbers == {"nano": 0, "tiny": 1, "full": 2, "classic": 3, "photo": 4, "estimator": 5}
    assert {name: tool.number for name, tool in TOOLS.items()} == {
        "gltf": 0,
        "materialx": 1,
        "usd": 2,
        "unreal": 3,
        "unity": 4,
        "godot": 5,
    }


@pytest.mark.parametrize("owner", [lambda: bpy.types.Scene, lambda: bpy.types.Material])
def test_blender_keeps_these_flags(owner):
    group = owner().bl_rna.properties["tilewright"].fixed_type
    flags = next(p for p in group.properties if p.identifier in ("maps", "unused_maps"))
    assert {i.identifier: i.value for i in flags.enum_items} == {
        name: kind.flag for name, kind in MAPS.items()
    }


def test_a_preset_without_a_text_is_there_under_its_name_and_moves_no_other():
    items = properties.preset_items(["nano", "huge", "tiny", "full", "classic"])
    assert items[1][:3] == ("huge", "huge", "")
    numbers = {name: number for name, *_, number in items}
    assert len(set(numbers.values())) == len(items)
    assert (numbers["tiny"], numbers["classic"]) == (1, 3)


def test_every_preset_has_a_text():
    assert set(properties.PRESET_TEXTS) >= set(PRESETS)
