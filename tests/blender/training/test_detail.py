"""Detail says how much of the pictures' own detail is learned."""

from __future__ import annotations

import bpy
import pytest

from blender_addon.training import training


@pytest.mark.parametrize(
    ("detail", "picture_scale", "scale"),
    [("FULL", 0.0, None), ("HALF", 0.0, 0.5), ("QUARTER", 0.0, 0.25), ("HALF", 0.75, 0.75)],
)
def test_detail_is_a_size_of_the_pictures(detail, picture_scale, scale):
    chosen = bpy.context.scene.tilewright
    chosen.detail, chosen.picture_scale = detail, picture_scale
    config = training.training_config(bpy.context.scene)
    assert (config.scale, config.octaves) == (scale, None)


def test_the_classic_brings_all_pictures_to_one_size():
    chosen = bpy.context.scene.tilewright
    chosen.detail, chosen.preset, chosen.run = "HALF", "classic", "digits"
    training.set_pictures(bpy.context.scene, ["a.png"])
    training.training_config(bpy.context.scene).check()


def test_numbers_in_files_are_for_life():
    found = bpy.context.scene.tilewright.bl_rna.properties
    numbers = {item.identifier: item.value for item in found["detail"].enum_items}
    assert numbers == {"FULL": 0, "HALF": 1, "QUARTER": 2}
    assert set(numbers) == set(training.DETAILS)
    assert {item.identifier: item.value for item in found["tile_area"].enum_items} == {
        "1": 1,
        "2": 2,
        "4": 4,
    }
