"""A .blend of version 0.1.0 opens with everything that was chosen and made, and its materials are made again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.animation import keyframes
from blender_addon.generation import requests as generation
from blender_addon.shader import images, node_tree
from blender_addon.steering import favourites
from blender_addon.steering import sliders as latents
from blender_addon.worker import preferences, pump, session
from gan_worker.config import GenerationConfig
from gan_worker.style import Material, Seed

OLD = Path(__file__).parents[1] / "fixtures" / "version_0_1"
MODEL = "oak and slate"
SIX = {"base_color", "roughness", "metallic", "normal", "height", "ambient_occlusion"}
STEERED = GenerationConfig(
    MODEL,
    7,
    32,
    48,
    truncation_psi=0.75,
    origin=(5, 29),
    directions=(("pca 1", 1.5), ("factor 1", -0.5)),
)
SOME_MAPS = GenerationConfig(
    MODEL,
    2,
    32,
    32,
    maps=("base_color", "normal", "ambient_occlusion"),
    origin=(2, 27),
    style=Material("slate"),
)


@pytest.fixture
def opened(tmp_path: Path) -> None:
    """A copy of the file, open."""
    path = shutil.copy(OLD / "materials.blend", tmp_path)
    bpy.ops.wm.open_mainfile(filepath=str(path))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the run that the materials were made by."""
    shutil.copytree(OLD / "runs", tmp_path / "home" / "runs")
    return tmp_path / "home"


def material_on(name: str) -> bpy.types.Material:
    return bpy.data.objects[name].active_material


def mean_colors(material: bpy.types.Material) -> dict[str, float]:
    found = node_tree.images_of(material)
    return {name: float(images.read_pixels(i)[..., :3].mean()) for name, i in found.items()}


@pytest.mark.parametrize(
    ("name", "colors"),
    [
        (
            "Steered",
            {
                "base_color": 0.2938,
                "roughness": 0.7017,
                "metallic": 0.3825,
                "normal": 0.6745,
                "height": 0.4779,
                "ambient_occlusion": 0.7994,
            },
        ),
        ("Chosen Maps", {"base_color": 0.265, "normal": 0.6586, "ambient_occlusion": 0.8093}),
        (
            "Painted",
            {
                "base_color": 0.2831,
                "roughness": 0.7089,
                "metallic": 0.3391,
                "normal": 0.6663,
                "height": 0.4626,
                "ambient_occlusion": 0.8058,
            },
        ),
    ],
)
def test_every_map_shows_the_pixels_it_showed(opened, name, colors):
    assert mean_colors(material_on(name)) == pytest.approx(colors, abs=2e-4)


def test_what_was_chosen_in_the_panels_is_chosen(opened):
    chosen = bpy.data.scenes["Scene"].tilewright
    assert set(chosen.maps) == SIX
    assert [Path(item.path).name for item in chosen.pictures] == ["pictures"]
    assert (chosen.run, chosen.preset, chosen.minutes, chosen.training_seed) == (
        "larch",
        "full",
        7.5,
        12,
    )
    assert (chosen.picture_scale, chosen.isotropic, chosen.source) == (0.5, True, "drawn")
    assert (chosen.author, chosen.license) == ("Tilewright", "CC0-1.0")
    assert (chosen.model, chosen.seed, chosen.width, chosen.height) == (MODEL, 21, 256, 128)
    assert (chosen.target, chosen.vary_per_object, tuple(chosen.scale)) == (
        "SELECTED",
        True,
        (2, 3),
    )
    assert (chosen.storage, chosen.export_target) == ("FILES", "unreal")
    assert (chosen.displacement, chosen.multiply_occlusion) == (0.125, False)
    assert (chosen.asset_catalog, chosen.scene_recipe) == ("Tilewright/Wood", "//recipe.toml")
    assert (chosen.motion.path, chosen.motion.frames) == ("KEYFRAMES", 24)
    assert chosen.direction_labels[f"{MODEL}/pca 1"].label == "Moss"


def test_flags_of_some_maps_mean_the_same_maps(opened):
    assert set(bpy.data.scenes["Some Maps"].tilewright.maps) == {"roughness", "height"}
    assert set(material_on("Chosen Maps").tilewright.unused_maps) == {"normal", "ambient_occlusion"}


def test_recipes_and_sliders_say_what_is_shown(opened):
    for name, config in (("Steered", STEERED), ("Chosen Maps", SOME_MAPS)):
        material = material_on(name)
        made = node_tree.read_recipe(material).config
        assert replace(made, maps=config.maps) == config
        assert latents.wanted(material) == config
        assert latents.is_shown(material)
    assert node_tree.read_recipe(material_on("Steered")).version == "0.1.0"


def test_favourites_are_there_and_mixed(opened):
    chosen = bpy.context.scene.tilewright
    mossy, bare = chosen.favourites
    assert (mossy.name, bare.name, chosen.mix) == ("mossy", "bare", 0.25)
    assert (chosen.mix_a, chosen.mix_b) == (mossy.uid, bare.uid)
    assert favourites.config_of(bare).directions == (("pca 1", -2.0), ("factor 1", -0.5))
    amount = dict(favourites.mixed_by(chosen).directions)["pca 1"]
    assert amount == pytest.approx(0.75 * 1.5 - 0.25 * 2)


def test_a_file_of_favourites_is_imported(opened):
    chosen = bpy.context.scene.tilewright
    pictures = [f.thumbnail for f in chosen.favourites]
    chosen.favourites.clear()
    bpy.ops.tilewright.import_favourites(filepath=str(OLD / "favourites.json"))
    assert [f.name for f in chosen.favourites] == ["mossy", "bare"]
    assert [f.thumbnail for f in chosen.favourites] == pictures


def test_painted_looks_lie_where_they_lay(opened):
    painted = material_on("Painted")
    assert [look.name for look in painted.tilewright.painted_looks] == ["mossy", "bare"]
    assert tuple(painted.tilewright.style_image.size) == (256, 256)
    red = images.read_pixels(painted.tilewright.style_image)[..., 0]
    assert (red[:, :128].min(), red[:, 128:].max()) == (1, 0)
    style_map = latents.wanted(painted).style
    assert style_map == node_tree.read_recipe(painted).config.style
    assert style_map.looks[0].mix == ((Seed(7), 1.0),)
    assert [dict(look.directions)["pca 1"] for look in style_map.looks] == [1.5, -2.0]


def test_keyframes_of_a_slider_move_it(opened):
    asked = list(keyframes.configs_of(material_on("Steered"), 1, 11))
    assert [dict(asked[n].directions)["pca 1"] for n in (0, -1)] == [1.5, 2.5]


def test_materials_are_made_again_by_their_model(opened, home, worker_python):
    chosen = preferences.get()
    chosen.worker_python, chosen.home_folder = worker_python, str(home)
    bpy.ops.tilewright.start_worker(wait=True)
    pump.wait(lambda: session.current.model(MODEL) is not None, 30)
    for name in ("Steered", "Chosen Maps", "Painted"):
        material = material_on(name)
        config = node_tree.read_recipe(material).config
        (job,) = generation.generate_for_objects([], config)
        pump.wait_for_job(job, 120)
        (again,) = (m for m in bpy.data.materials if m.tilewright.uuid == job.target)
        assert node_tree.read_recipe(again).config == config
        before, now = node_tree.images_of(material), node_tree.images_of(again)
        for kind in before:
            difference = np.abs(images.read_pixels(before[kind]) - images.read_pixels(now[kind]))
            assert difference.max() < 0.02, (name, kind)  # other processors round in other places
