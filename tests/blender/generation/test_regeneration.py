"""A material is made again from its recipe: the same, or at another size, in one undo step."""

from __future__ import annotations

from dataclasses import replace

import bpy
import pytest

from blender_addon.generation import regeneration, requests
from blender_addon.shader import images, node_tree, projection
from blender_addon.steering import sliders
from blender_addon.worker import pump, session
from blender_addon.worker.reporting import obstacle_of
from gan_worker.config import GenerationConfig, Recipe
from gan_worker.errors import ErrorInfo, RequestError

from ..conftest import put_into_group

CONFIG = GenerationConfig("bricks", seed=5, width=128, height=64, maps=("base_color",))


@pytest.fixture
def answer(stand_in, make):
    """Lets the worker finish a job, with maps of the size that was asked for."""

    def finish(job: str, seed: int = 0) -> None:
        config = stand_in.submitted[job]
        stand_in.finish(job, make(config.width, config.height, seed))
        pump.tick()
        pump.finish()

    return finish


@pytest.fixture
def material(answer, plane) -> bpy.types.Material:
    (job,) = requests.generate_for_objects([plane], CONFIG)
    answer(job.id)
    return plane.active_material


def repeats(material) -> tuple[float, float]:
    return tuple(material.node_tree.nodes[node_tree.MAPPING].inputs["Scale"].default_value)[:2]


def newest(stand_in) -> tuple[str, GenerationConfig]:
    return list(stand_in.submitted.items())[-1]


def test_size_is_switched_and_the_pattern_stays_as_large(stand_in, answer, material):
    projection.repeat(material, (6.0, 3.0))
    assert bpy.ops.tilewright.switch_size(side=512) == {"FINISHED"}
    job, config = newest(stand_in)
    assert config == replace(CONFIG, width=512, height=256)
    assert repeats(material) == (6.0, 3.0)
    answer(job, 1)
    assert repeats(material) == (1.5, 0.75)
    assert tuple(node_tree.images_of(material)["base_color"].size) == (512, 256)
    assert sliders.is_shown(material)
    assert all(i.packed_file for i in node_tree.images_of(material).values())


def test_present_size_needs_no_worker_and_takes_a_switch_back(stand_in, material):
    bpy.ops.tilewright.switch_size(side=128)
    assert len(stand_in.submitted) == 1
    bpy.ops.tilewright.switch_size(side=256)
    job, _ = newest(stand_in)
    bpy.ops.tilewright.switch_size(side=128)
    assert ("cancel", job) in stand_in.calls
    assert len(stand_in.submitted) == 2
    assert tuple(material.tilewright.preview_factor) == (1.0, 1.0)


def test_cancelling_leaves_what_is_shown(stand_in, material):
    projection.repeat(material, (6.0, 3.0))
    bpy.ops.tilewright.switch_size(side=512)
    job, _ = newest(stand_in)
    assert bpy.ops.tilewright.cancel_regeneration() == {"FINISHED"}
    assert ("cancel", job) in stand_in.calls
    assert (sliders.wanted(material).width, repeats(material)) == (128, (6.0, 3.0))
    assert sliders.is_shown(material)


def test_pixels_that_a_stop_of_the_worker_kept_back_are_asked_for_again(stand_in, material):
    bpy.ops.tilewright.switch_size(side=512)
    job, _ = newest(stand_in)
    stand_in.state(job, "succeeded")
    pump.tick()
    assert regeneration.job_of(material)
    bpy.ops.tilewright.stop_worker()
    assert regeneration.job_of(material) is None


def test_one_undo_step_takes_the_size_back(stand_in, answer, material, plane):
    projection.repeat(material, (6.0, 3.0))
    name = material.name
    before = images.read_pixels(node_tree.images_of(material)["base_color"])
    bpy.ops.ed.undo_push(message="start")
    bpy.ops.tilewright.switch_size("EXEC_DEFAULT", True, side=512)
    job, _ = newest(stand_in)
    answer(job, 1)
    bpy.ops.ed.undo()
    material = bpy.data.materials[name]
    image = node_tree.images_of(material)["base_color"]
    assert (images.read_pixels(image) == before).all()
    assert repeats(material) == (6.0, 3.0)
    assert sliders.is_shown(material)
    assert len(stand_in.submitted) == 2


def test_result_that_comes_after_its_undo_is_left_out(stand_in, answer, material):
    name = material.name
    bpy.ops.ed.undo_push(message="start")
    bpy.ops.tilewright.switch_size("EXEC_DEFAULT", True, side=512)
    job, _ = newest(stand_in)
    bpy.ops.ed.undo()
    answer(job, 1)
    material = bpy.data.materials[name]
    assert tuple(node_tree.images_of(material)["base_color"].size) == (128, 64)
    assert sliders.is_shown(material)


def test_regenerating_asks_for_exactly_what_the_recipe_says(stand_in, answer, material):
    recipe = Recipe(
        GenerationConfig("bricks", 9, 128, 64, truncation_psi=0.7654321, origin=(3, 5)),
        "a" * 64,
        "0.1",
    )
    node_tree.store_recipe(material, recipe, {})
    bpy.ops.tilewright.regenerate()
    job, config = newest(stand_in)
    assert (config.seed, config.truncation_psi, config.origin) == (9, 0.7654321, (3, 5))
    assert config.maps == ("base_color",)
    shown = set(node_tree.images_of(material).values())
    answer(job, 1)
    assert not shown & set(bpy.data.images)
    assert node_tree.read_recipe(material).config.seed == 9


def test_textures_come_anew_after_another_size_has_failed(stand_in, answer, material):
    projection.repeat(material, (6.0, 3.0))
    bpy.ops.tilewright.switch_size(side=512)
    job, _ = newest(stand_in)
    stand_in.state(job, "failed", ErrorInfo("out_of_memory", "No memory.", "Take less."))
    pump.tick()
    lost = set(node_tree.images_of(material).values())
    bpy.ops.tilewright.regenerate()
    answer(newest(stand_in)[0], 1)
    assert not lost & set(bpy.data.images)
    assert (sliders.wanted(material).width, repeats(material)) == (128, (6.0, 3.0))
    assert sliders.is_shown(material)


def test_model_is_found_by_its_hash_under_another_name(stand_in, material):
    entry = session.current.models[0]
    session.current.models = (replace(entry, name="old bricks"),)
    bpy.ops.tilewright.regenerate()
    assert newest(stand_in)[1].model == "old bricks"
    assert material.tilewright.latents.model == "old bricks"


def test_without_its_model_name_and_hash_are_told(stand_in, material):
    entry = session.current.models[0]
    session.current.models = (replace(entry, hash="b" * 64),)
    with pytest.raises(RequestError) as caught:
        regeneration.regenerate(material)
    assert caught.value.code == "unknown_model"
    assert "bricks (hash aaaaaaaaaaaa)" in str(caught.value)
    assert "is bbbbbbbbbbbb now" in str(caught.value)
    assert "Press Apply" in str(caught.value)
    session.current.models = ()
    assert not bpy.ops.tilewright.switch_size.poll()
    assert "bricks (hash aaaaaaaaaaaa); the worker has no such model" in obstacle_of(
        regeneration.check, material
    )
    assert len(stand_in.submitted) == 1


def test_buttons_say_why_they_are_disabled(stand_in, material):
    session.current.close()
    assert "No worker is connected" in obstacle_of(regeneration.check, material)
    assert not bpy.ops.tilewright.cancel_regeneration.poll()
    assert "Generate one first" in obstacle_of(regeneration.check, None)


BUTTONS = {
    "regenerate": {},
    "switch_size": {"side": 256},
    "generate_material": {},
    "apply_latents": {},
    "keep_asset": {},
    "export_material": {},
    "toggle_map": {"map": "base_color"},
}


@pytest.mark.parametrize("button", BUTTONS)
def test_of_nodes_in_a_group_is_said_how_they_come_out_and_nothing_changes(
    stand_in, material, button, tmp_path
):
    bpy.context.scene.tilewright.export_folder = str(tmp_path)
    put_into_group(material)
    nodes = set(material.node_tree.nodes.keys())
    with pytest.raises(RuntimeError, match=r"group.*Ctrl Alt G"):
        getattr(bpy.ops.tilewright, button)(**BUTTONS[button])
    material.tilewright.latents.seed = 9
    pump.tick()
    assert len(stand_in.submitted) == 1
    assert set(material.node_tree.nodes.keys()) == nodes
    assert material.users == 1


def test_what_comes_when_its_nodes_are_in_a_group_by_now_is_told(stand_in, answer, material):
    bpy.ops.tilewright.switch_size(side=256)
    job, _ = newest(stand_in)
    put_into_group(material)
    nodes, shown = set(material.node_tree.nodes.keys()), set(bpy.data.images)
    answer(job, 1)
    assert set(material.node_tree.nodes.keys()) == nodes
    assert shown <= set(bpy.data.images)
    assert "Ctrl Alt G" in session.current.last_error.cure


def test_selected_objects_switch_together(stand_in, answer, planes):
    for job in requests.generate_for_objects(planes, CONFIG, vary=True):
        answer(job.id)
    bpy.context.scene.tilewright.target = "SELECTED"
    bpy.ops.tilewright.switch_size(side=256)
    asked = list(stand_in.submitted.values())[3:]
    assert sorted((c.seed, c.width) for c in asked) == [(5, 256), (6, 256), (7, 256)]


def test_material_of_a_scene_recipe_has_no_latents_yet_and_switches(stand_in, material):
    for name in ("model", "width", "height", "rest"):
        material.tilewright.latents.property_unset(name)
    bpy.ops.tilewright.switch_size(side=256)
    assert (newest(stand_in)[1].seed, newest(stand_in)[1].width) == (5, 256)
