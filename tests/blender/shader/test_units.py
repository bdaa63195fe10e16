"""A scene says how long Blender's unit is; what is known in meters comes as large as it is there too."""

from __future__ import annotations

from dataclasses import replace

import bpy
import pytest

from blender_addon.generation import requests
from blender_addon.shader import node_tree, surface, units
from blender_addon.training import runs, training
from blender_addon.worker import pump
from gan_worker.config import GenerationConfig
from gan_worker.wire.messages import ModelList

from ..conftest import MODEL


@pytest.fixture(params=[("METRIC", 0.01), ("IMPERIAL", 10.0), ("NONE", 0.01)])
def meters(request) -> float:
    """Meters that a unit is long, in scenes that say it in different ways."""
    chosen = bpy.context.scene.unit_settings
    chosen.system, chosen.scale_length = request.param
    # Without a system of units Blender shows its own, whatever the scale.
    return 1.0 if chosen.system == "NONE" else chosen.scale_length


def test_a_unit_is_as_long_as_blender_shows_it(meters):
    assert units.meters_per_unit(bpy.context.scene) == pytest.approx(meters)


def test_a_material_is_as_large_as_in_the_world(stand_in, plane, maps, meters):
    stand_in.events.append(ModelList((replace(MODEL, pixel_size=0.01),)))
    pump.tick()
    config = GenerationConfig("bricks", 5, 48, 32)
    (job,) = requests.generate_for_objects([plane], config)
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    material = plane.active_material
    assert material.tilewright.tile_size * meters == pytest.approx(0.48)
    height = material.node_tree.nodes[node_tree.DISPLACEMENT].inputs["Scale"]
    assert height.default_value * meters == pytest.approx(node_tree.Wiring.displacement)
    surface.raise_surface(material, "REAL", 0.3)
    surface.raise_surface(material, "BUMP")
    assert height.default_value * meters == pytest.approx(0.3)


def test_the_width_of_pictures_is_told_in_meters(meters):
    scene = bpy.context.scene
    training.set_pictures(scene, ["/a.png"])
    scene.tilewright.picture_width = 2.4 / meters
    config = training.training_config(scene)
    assert config.picture_width == pytest.approx(2.4)
    scene.tilewright.picture_width = 0.0
    runs.take_settings(scene, config)
    assert scene.tilewright.picture_width * meters == pytest.approx(2.4)


def test_the_relief_that_was_typed_is_taken_as_it_was_shown(meters):
    scene = bpy.context.scene
    scene.tilewright.displacement = 0.5
    wiring = requests.result_order(scene).wiring
    assert wiring.displacement == pytest.approx(0.5 * meters)
