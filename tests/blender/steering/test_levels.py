"""A tile is the same tile at every level of detail: area, border and layout stay, pixels are halved."""

from __future__ import annotations

from dataclasses import replace

import bpy
import pytest

from blender_addon.generation import requests
from blender_addon.shader import node_tree
from blender_addon.steering import favourites, levels, live, sliders, variations
from blender_addon.ui import thumbnails
from blender_addon.worker import pump, session
from gan_worker.config import GenerationConfig

# 8 pixels of the generator's own a cell, so that a tile is 1024 pixels wide.
OCTAVES, STRIDE, SIDE = 2, 32, 1024


@pytest.fixture
def fine(stand_in):
    """A connected session whose model has octaves of detail."""
    (model,) = session.current.models
    session.current.models = (replace(model, octaves=OCTAVES, stride=STRIDE),)
    return session.current.models[0]


@pytest.fixture
def answer(stand_in, make):
    """Lets the worker finish a job with maps of the size that was asked for."""

    def finish(job: str) -> None:
        config = stand_in.submitted[job]
        stand_in.finish(job, make(config.width, config.height))
        pump.tick()
        pump.finish()

    return finish


@pytest.fixture
def material(fine, answer, plane) -> bpy.types.Material:
    """Half the detail of a tile of 1024 × 512 pixels, with its border at (16, 32)."""
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 512, 256, mip=1))
    answer(job.id)
    return plane.active_material


def newest(stand_in) -> tuple[str, GenerationConfig]:
    return list(stand_in.submitted.items())[-1]


def repeats(material) -> tuple[float, ...]:
    """How often across and up, beside a tile on each unit that is twice as wide as high, as its pixels are."""
    across, up, _ = material.node_tree.nodes[node_tree.MAPPING].inputs["Scale"].default_value
    return across, up / 2


@pytest.mark.parametrize(
    ("resolution", "area", "mip"),
    [(256, 1, 2), (512, 1, 1), (1024, 1, 0), (4096, 1, 0), (512, 4, 2), (128, 1, 2), (1500, 2, 0)],
)
def test_resolution_and_area_choose_the_level(fine, resolution, area, mip):
    chosen = bpy.context.scene.tilewright
    chosen.width, chosen.height, chosen.tile_area = resolution, resolution // 2, str(area)
    config = requests.generation_config(bpy.context.scene)
    config.check_for(fine)
    assert config.mip == mip
    assert abs(config.width - resolution) < STRIDE


def test_a_model_of_one_level_takes_the_pixels_as_they_are(stand_in):
    chosen = bpy.context.scene.tilewright
    chosen.width, chosen.height, chosen.tile_area = 272, 144, "4"
    config = requests.generation_config(bpy.context.scene)
    assert (config.width, config.height, config.mip) == (272, 144, 0)


def test_the_panel_says_what_the_resolution_shows(fine):
    words = [levels.in_words(side, fine, 1) for side in (128, 512, 2048)]
    assert words == [
        "Coarsest of this area is 256; fewer pixels show less area",
        "Finest of this area is 1K",
        "Finest of this area is 1K; more pixels show more area",
    ]


def test_every_resolution_of_an_area_is_the_same_tile(stand_in, answer, material):
    area, places = (1024, 512), {256: (8, 16), 1024: (32, 64), 512: (16, 32)}
    for side, origin in places.items():
        bpy.ops.tilewright.switch_size(side=side)
        job, config = newest(stand_in)
        assert (config.width, config.origin, config.seed) == (side, origin, 5)
        assert levels.area(config) == area
        answer(job)
        assert repeats(material) == (1.0, 1.0)
        assert sliders.is_shown(material)


def test_beyond_the_finest_the_tile_shows_more_and_all_on_it_stays_as_large(
    stand_in, answer, material
):
    bpy.ops.tilewright.switch_size(side=2048)
    job, config = newest(stand_in)
    assert (config.width, config.mip, config.origin) == (2048, 0, None)
    assert repeats(material) == (1.0, 1.0)
    answer(job)
    assert repeats(material) == (0.5, 0.5)
    bpy.ops.tilewright.switch_size(side=512)
    job, config = newest(stand_in)
    assert (levels.area(config), config.mip) == ((1024, 512), 1), (
        "and below it, it is the tile that it was"
    )
    answer(job)
    assert repeats(material) == (1.0, 1.0)


def test_an_area_is_chosen_at_the_resolution_there_is_or_the_nearest(stand_in, answer, material):
    for times, size in ((2, (512, 256, 2)), (4, (1024, 512, 2)), (1, (1024, 512, 0))):
        bpy.ops.tilewright.switch_area(times=times)
        job, config = newest(stand_in)
        assert (config.width, config.height, config.mip) == size
        answer(job)
        assert repeats(material) == (1 / times, 1 / times)
    asked = len(stand_in.submitted)
    bpy.ops.tilewright.switch_area(times=1)
    assert len(stand_in.submitted) == asked


def test_cancelling_takes_resolution_and_area_back(stand_in, material):
    bpy.ops.tilewright.switch_size(side=2048)
    bpy.ops.tilewright.cancel_regeneration()
    kept = material.tilewright.latents
    assert (kept.width, kept.height, kept.mip) == (512, 256, 1)
    assert sliders.is_shown(material)
    assert repeats(material) == (1.0, 1.0)


def test_a_slider_shows_the_very_tile_without_its_detail(stand_in, answer, material):
    material.tilewright.latents.directions["pca 1"].amount = 1.5
    job, preview = newest(stand_in)
    assert (preview.width, preview.height, preview.mip, preview.origin) == (256, 128, 2, (8, 16))
    answer(job)
    assert repeats(material) == (1.0, 1.0)
    live.let_rest()
    pump.tick()
    _, full = newest(stand_in)
    assert (full.width, full.mip, full.origin) == (512, 1, (16, 32))


def test_the_border_of_a_new_seed_is_that_of_its_preview(stand_in, answer, material):
    material.tilewright.latents.seed = 6
    job, preview = newest(stand_in)
    assert (preview.seed, preview.mip, preview.origin) == (6, 2, None)
    answer(job)  # the worker puts it at (16, 32)
    live.let_rest()
    pump.tick()
    # In the middle of the preview's pixel.
    assert newest(stand_in)[1].origin == (33, 65)
    bpy.ops.tilewright.switch_size(side=256)
    assert newest(stand_in)[1].origin == (16, 32)


def test_a_tile_too_large_for_a_preview_shows_a_part(stand_in, answer, material):
    bpy.ops.tilewright.switch_area(times=4)
    answer(newest(stand_in)[0])
    material.tilewright.latents.directions["pca 1"].amount = 1.5
    job, preview = newest(stand_in)
    assert (preview.width, preview.height, preview.mip, preview.origin) == (256, 128, 2, (0, 0))
    answer(job)
    assert repeats(material) == (
        1.0,
        1.0,
    )  # as often as the part is smaller than the tile of (¼, ¼)


def test_pictures_of_looks_show_the_tile(stand_in, material):
    favourite = favourites.add(bpy.context.scene, material)
    bpy.context.scene.tilewright.explore = True
    pump.tick()
    asked = [c for c in stand_in.submitted.values() if c.maps == ("base_color",)]
    assert len(asked) == 2
    for config in asked:
        assert (config.width, config.height, config.mip, config.origin) == (256, 128, 2, (8, 16))
    assert favourites.config_of(favourite).mip == 1
    assert levels.area(variations.configs()[0]) == (1024, 512)


def test_pictures_are_kept_small(make):
    pixels = make(256, 128)["base_color"]
    small = thumbnails.as_picture(pixels, 128)
    assert small.shape == (64, 128, 3)
    assert small[0, 0, 0] == pytest.approx(pixels[:2, :2, 0].mean(), abs=1)
    assert thumbnails.as_picture(pixels, 256).shape == (128, 256, 3)


def test_a_favourite_of_another_level_leaves_the_material_its_own(stand_in, material):
    favourite = favourites.add(bpy.context.scene, material)
    favourite.config = favourites.as_text(replace(favourites.config_of(favourite), mip=0, seed=9))
    favourites.apply(material, favourite)
    wanted = sliders.wanted(material)
    assert (wanted.seed, wanted.width, wanted.mip) == (9, 512, 1)


def test_materials_of_files_without_levels_have_all_detail(material):
    material.tilewright.latents.property_unset("mip")
    assert sliders.wanted(material).mip == 0
