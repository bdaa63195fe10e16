"""Runs that got other names: materials, favorites and choices go with them, and undo brings nothing old back."""

from __future__ import annotations

from dataclasses import replace

import bpy
import pytest

from blender_addon.generation import requests
from blender_addon.painting import painting
from blender_addon.shader import node_tree
from blender_addon.steering import favourites, live, sliders
from blender_addon.worker import pump, session
from gan_worker.client.events import RunRenamed
from gan_worker.config import GenerationConfig
from gan_worker.estimation import Estimation
from gan_worker.wire.messages import EstimatorEntry

from ..conftest import MODEL, answer_all

FULL = GenerationConfig("bricks", seed=5, width=64, height=64)


def rename(client, old: str, new: str) -> None:
    client.models = tuple(replace(m, name=new) if m.name == old else m for m in client.models)
    client.events.append(RunRenamed(old, new))
    client.request_models()
    pump.tick()


@pytest.fixture
def material(stand_in, plane) -> bpy.types.Material:
    """One of whose looks there is a favourite, which it can be painted with."""
    requests.generate_for_objects([plane], FULL)
    answer_all(stand_in)
    material = plane.active_material
    kept = favourites.add(bpy.context.scene, material)
    session.current.protocol = (1, 2)
    painting.add_look(material, kept)
    answer_all(stand_in)
    stand_in.submitted.clear()
    return material


def check_followed(material) -> None:
    assert live.obstacle(material) == ""
    assert sliders.is_shown(material)
    assert node_tree.recipe_of(material).model == sliders.wanted(material).model


def test_sliders_go_on_and_nothing_is_asked_anew(stand_in, material):
    origin = sliders.wanted(material).origin
    assert origin
    rename(stand_in, "bricks", "wall")
    check_followed(material)
    assert sliders.wanted(material).origin == origin, "the border stays where it was"
    answer_all(stand_in)
    assert not stand_in.submitted
    material.tilewright.latents.directions["pca 1"].amount = 1.5
    (asked,) = stand_in.submitted.values()
    assert (asked.model, asked.directions) == ("wall", (("pca 1", 1.5),))


def test_favourites_looks_and_names_of_sliders_go_with_it(stand_in, material):
    scene = bpy.context.scene
    scene.tilewright.direction_labels["bricks/pca 1"].label = "Moss"
    damaged = favourites.add(scene, material)
    damaged.config = "damaged: bricks"
    rename(stand_in, "bricks", "wall")
    (kept,) = favourites.of_model(scene, "wall")
    (look,) = material.tilewright.painted_looks
    assert look.config == kept.config
    assert damaged.config == "damaged: bricks"
    assert scene.tilewright.direction_labels["wall/pca 1"].label == "Moss"
    favourites.apply(material, kept)
    assert live.obstacle(material) == ""


def test_earlier_latents_are_of_the_model_by_its_new_name(stand_in, material):
    material.tilewright.latents.seed = 6
    answer_all(stand_in)
    rename(stand_in, "bricks", "wall")
    answer_all(stand_in)
    bpy.ops.tilewright.history_back()
    wanted = sliders.wanted(material)
    assert (wanted.model, wanted.seed) == ("wall", 5)
    assert not bpy.ops.tilewright.history_back.poll()


def test_undo_brings_no_old_name_back(stand_in, material, plane):
    bpy.ops.ed.undo_push(message="start")
    plane.location.x = 5
    bpy.ops.ed.undo_push(message="move")
    rename(stand_in, "bricks", "wall")
    rename(stand_in, "wall", "old wall")
    bpy.ops.ed.undo()
    check_followed(bpy.data.objects["Plane"].active_material)
    assert favourites.of_model(bpy.context.scene, "old wall")
    assert bpy.context.scene.tilewright.model == "old wall"
    assert not stand_in.submitted


def test_undo_leaves_the_names_of_another_run_that_is_called_so_now(stand_in, material):
    bpy.ops.ed.undo_push(message="start")
    rename(stand_in, "bricks", "wall")
    bpy.ops.ed.undo_push(message="renamed")
    stand_in.models += (replace(MODEL, name="bricks", hash="b" * 64),)
    stand_in.request_models()
    pump.tick()
    favourites.add(bpy.context.scene, bpy.data.materials[0]).config = favourites.as_text(FULL)
    bpy.ops.ed.undo_push(message="favourite")
    bpy.ops.ed.undo_push(message="something")
    bpy.ops.ed.undo()
    assert len(favourites.of_model(bpy.context.scene, "bricks")) == 1


def open_later(client, path: str, known: str, **news: object) -> None:
    """Save and close the file, and open it once the worker has other news, known before it is opened or after."""
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    vars(client).update(news)
    if known == "after":
        bpy.ops.wm.open_mainfile(filepath=path)
    client.request_models()
    pump.tick()
    if known == "before":
        bpy.ops.wm.open_mainfile(filepath=path)


@pytest.mark.parametrize("known", ["before", "after"])
def test_a_file_that_was_closed_finds_its_model_by_its_weights(stand_in, material, tmp_path, known):
    path = str(tmp_path / "closed.blend")
    open_later(stand_in, path, known, models=(replace(MODEL, name="wall"),))
    loaded = bpy.data.objects["Plane"].active_material
    check_followed(loaded)
    assert sliders.wanted(loaded).model == "wall"


@pytest.mark.parametrize("known", ["before", "after"])
def test_favourites_of_a_file_that_was_closed_go_with_its_material(
    stand_in, material, tmp_path, known
):
    material.tilewright.latents.seed = 6
    answer_all(stand_in)
    path = str(tmp_path / "closed.blend")
    open_later(stand_in, path, known, models=(replace(MODEL, name="wall"),))
    scene = bpy.context.scene
    (kept,) = favourites.of_model(scene, "wall")
    assert bpy.ops.tilewright.apply_favourite(uid=kept.uid) == {"FINISHED"}
    answer_all(stand_in)
    loaded = bpy.data.objects["Plane"].active_material
    check_followed(loaded)
    assert (sliders.wanted(loaded).model, sliders.wanted(loaded).seed) == ("wall", 5)
    assert scene.tilewright.model == "wall"


def test_favourites_go_with_an_estimator_that_is_found_by_its_weights(
    stand_in, material, tmp_path, maps
):
    stand_in.estimators = (EstimatorEntry("hers", "1" * 16),)
    stand_in.request_models()
    pump.tick()
    config = replace(FULL, estimation=Estimation(estimator="hers"))
    (job,) = requests.generate_for_objects([bpy.context.object], config)
    stand_in.finish(job.id, {"base_color": maps["base_color"]})
    pump.tick()
    pump.finish()
    favourites.add(bpy.context.scene, material)
    path = str(tmp_path / "closed.blend")
    open_later(stand_in, path, "before", estimators=(EstimatorEntry("ours", "1" * 16),))
    _, kept = favourites.of_model(bpy.context.scene, "bricks")
    assert favourites.config_of(kept).estimation.estimator == "ours"


def test_a_model_that_is_there_by_its_name_is_left(stand_in, material):
    stand_in.models = (replace(MODEL, hash="b" * 64), replace(MODEL, name="copy"))
    stand_in.request_models()
    pump.tick()
    assert sliders.wanted(material).model == "bricks"


def test_undo_of_a_slider_that_was_moved_before_is_followed(stand_in, material):
    for amount in (1.0, 2.0):
        bpy.data.materials[0].tilewright.latents.directions["pca 1"].amount = amount
        bpy.ops.ed.undo_push(message="slider")  # as Blender does when the mouse is let go
        answer_all(stand_in)
    rename(stand_in, "bricks", "wall")
    asked = len(stand_in.submitted)
    bpy.ops.ed.undo()
    answer_all(stand_in)
    fresh = list(stand_in.submitted.values())[asked:]
    assert {(c.model, c.directions) for c in fresh} == {("wall", (("pca 1", 1.0),))}
    check_followed(bpy.data.objects["Plane"].active_material)
