"""Estimators that have learned from somebody's sets: learned, chosen and named in the panels, and refused as models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bpy
import pytest

from blender_addon.generation import regeneration, requests
from blender_addon.shader import node_tree
from blender_addon.steering import live, sliders
from blender_addon.worker import pump, session
from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.errors import RequestError, TilewrightError
from gan_worker.estimation import Estimation
from gan_worker.wire.messages import EstimatorEntry

OWN, HERS = EstimatorEntry("", "0" * 16), EstimatorEntry("hers", "1" * 16)


@pytest.fixture
def worker(stand_in) -> Any:
    """One with a model of colors alone, and an estimator that has learned."""
    session.current.protocol = (1, 5)
    stand_in.models = (replace(stand_in.models[0], maps=("base_color",)),)
    know(stand_in, OWN, HERS)
    return stand_in


def know(worker: Any, *estimators: EstimatorEntry) -> None:
    worker.estimators = estimators
    worker.request_models()
    pump.tick()


def newest(worker: Any, kind: type) -> Any:
    return next(c for c in reversed(worker.submitted.values()) if isinstance(c, kind))


@pytest.fixture
def material(worker, plane, make) -> bpy.types.Material:
    """What was estimated with hers."""
    bpy.context.scene.tilewright.estimator = "hers"
    config = requests.generation_config(bpy.context.scene)
    requests.generate_for_objects([plane], replace(config, width=64, height=32))
    answer(worker, make)
    return plane.active_material


def answer(worker: Any, make: Any) -> None:
    job = next(reversed(worker.submitted))
    config = worker.submitted[job]
    names = ("base_color", *config.estimation.maps(("base_color",)))
    found = make(config.width, config.height)
    worker.finish(job, {name: found[name] for name in names})
    pump.tick()
    pump.finish()


def test_the_button_learns_from_a_folder_and_what_has_learned_is_chosen(worker, tmp_path):
    (tmp_path / "my sets").mkdir()
    scene = bpy.context.scene.tilewright
    scene.author, scene.license = "Anna", "CC0-1.0"  # of the pictures of Train
    done = bpy.ops.tilewright.learn_estimator(directory=str(tmp_path / "my sets"), minutes=2.0)
    assert done == {"FINISHED"}
    asked = newest(worker, TrainingConfig)
    assert (asked.preset, asked.minutes) == ("estimator", 2.0)
    assert (asked.author, asked.license) == ("", "")
    assert asked.pictures == (str(tmp_path / "my sets"),) and asked.run == "my sets"
    assert session.current.training.config == asked, "the panel shows and steers it as any training"
    assert scene.estimator == "", "not before it has learned"
    worker.state(next(reversed(worker.submitted)), "succeeded")
    know(worker, OWN, EstimatorEntry("my sets", "2" * 16))
    assert (scene.estimator, scene.model) == ("my sets", "bricks")


def test_a_worker_that_is_too_old_to_learn_is_said(worker, tmp_path):
    session.current.protocol = (1, 4)
    with pytest.raises(RuntimeError, match="too old"):
        bpy.ops.tilewright.learn_estimator(directory=str(tmp_path))


def test_a_photo_is_estimated_with_what_is_chosen(worker, plane, photo):
    bpy.context.scene.tilewright.estimator = "hers"
    bpy.ops.tilewright.photo_to_material(filepath=str(photo))
    asked = newest(worker, TrainingConfig)
    assert (asked.preset, asked.estimator) == ("photo", "hers")


def test_generated_color_is_estimated_with_what_is_chosen(worker, material):
    assert newest(worker, GenerationConfig).estimation == Estimation(estimator="hers")
    assert node_tree.recipe_of(material).estimator == HERS.hash
    assert material.tilewright.latents.estimation.estimator == "hers"
    assert sliders.is_shown(material)


def test_another_estimator_is_followed_and_a_surface_keeps_it(worker, material, make):
    kept = material.tilewright.latents.estimation
    kept.surface = "wet"
    assert kept.estimator == "hers"
    answer(worker, make)
    kept.estimator = ""
    live.let_rest()
    pump.tick()
    asked = newest(worker, GenerationConfig)
    assert asked.estimation.estimator == "" and asked.estimation.surface == "wet"


def test_one_that_was_renamed_is_found_by_its_weights(worker, material):
    know(worker, OWN, replace(HERS, name="ours"))
    regeneration.regenerate(material)
    assert newest(worker, GenerationConfig).estimation.estimator == "ours"
    assert material.tilewright.latents.estimation.estimator == "ours"


def test_one_that_is_gone_can_be_taken_out(worker, material):
    know(worker, OWN)
    assert sliders.offers_estimators("hers") and not sliders.offers_estimators("")
    regeneration.regenerate(material)
    # The worker refuses it, with the cure.
    assert newest(worker, GenerationConfig).estimation.estimator == "hers"


def test_an_estimator_is_no_model(worker, plane):
    assert "hers" not in session.current.model_names()
    config = GenerationConfig("hers", width=64, height=64)
    with pytest.raises(RequestError, match="makes maps"):
        requests.generate_for_objects([plane], config)


def test_a_training_is_told_to_learn_to_estimate_as_well(worker, tmp_path):
    from blender_addon.training import training

    scene = bpy.context.scene
    training.set_pictures(scene, [tmp_path])
    scene.tilewright.preset, scene.tilewright.detail = "estimator", "HALF"
    asked = training.training_config(scene)
    asked.check()
    assert (asked.preset, asked.scale) == ("estimator", None)


def test_an_older_worker_offers_no_choice(stand_in):
    session.current.protocol = (1, 5)
    assert session.current.estimator_names() == []
    assert not sliders.offers_estimators("")
    with pytest.raises(TilewrightError):
        requests.check_request(GenerationConfig("hers"))


def test_one_that_has_learned_already_is_chosen_at_once(worker):
    from blender_addon.training import training

    scene = bpy.context.scene
    training.choose_when_ready(scene, "hers")
    assert (scene.tilewright.estimator, scene.tilewright.awaited_model) == ("hers", "")
