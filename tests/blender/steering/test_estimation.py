"""Estimated maps: asked for where a model has not all, moved live by sliders of the material, marked, undone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bpy
import pytest

from blender_addon.generation import regeneration, requests
from blender_addon.shader import node_tree
from blender_addon.steering import favourites, live, sliders, variations
from blender_addon.worker import pump, session
from gan_worker.config import GenerationConfig
from gan_worker.estimation import SURFACES, Estimation

PLAIN = GenerationConfig("photo", seed=5, width=64, height=32)
ESTIMATED = replace(PLAIN, estimation=Estimation())
ALL = ("roughness", "normal", "height", "ambient_occlusion")


class Artist:
    """Generates, moves sliders, and lets the worker answer with the maps that were asked for."""

    def __init__(self, client: Any, make: Any) -> None:
        self.client, self.make = client, make

    def has_model(self, *maps: str, **changed: Any) -> None:
        """Let the worker have one model, which makes these maps."""
        entry = replace(session.current.models[0], name="photo", maps=maps, **changed)
        self.client.models = (entry,)
        self.client.request_models()
        session.current.protocol = (1, 5)
        pump.tick()
        bpy.context.scene.tilewright.model = "photo"

    def answer(self) -> None:
        for _ in range(20):
            live.let_rest()
            pump.tick()
            pump.finish()
            for job, config in list(self.client.submitted.items()):
                if not session.current.jobs[job].done:
                    estimated = config.estimation.maps(("base_color",)) if config.estimation else ()
                    found = self.make(config.width, config.height)
                    wanted = ("base_color", *estimated)
                    self.client.finish(job, {name: found[name] for name in wanted})

    def generate(self, objects: list, config: GenerationConfig) -> bpy.types.Material:
        requests.generate_for_objects(objects, config)
        self.answer()
        self.client.submitted.clear()
        return objects[0].active_material

    @property
    def newest(self) -> GenerationConfig:
        return list(self.client.submitted.values())[-1]


@pytest.fixture
def artist(stand_in, make) -> Artist:
    made = Artist(stand_in, make)
    made.has_model("base_color")
    return made


@pytest.fixture
def material(artist, plane) -> bpy.types.Material:
    return artist.generate([plane], ESTIMATED)


def relief(material: bpy.types.Material) -> bpy.types.PropertyGroup:
    return material.tilewright.latents.estimation


def asked(artist: Artist) -> Estimation | None:
    return requests.generation_config(bpy.context.scene).estimation


def test_generate_estimates_what_the_model_has_not(artist):
    assert asked(artist) == Estimation()
    artist.has_model("base_color", "roughness")
    assert asked(artist) == Estimation(light=0.0), "colors of a material have no light on them"
    artist.has_model("base_color", *ALL)
    assert asked(artist) is None
    artist.has_model("roughness")
    assert asked(artist) is None, "there is no color to estimate from"
    artist.has_model("base_color")
    session.current.protocol = (1, 4)
    assert asked(artist) is None, "an older worker does not know of it"
    session.current.protocol = (1, 5)
    bpy.context.scene.tilewright.estimate_maps = False
    assert asked(artist) is None


def test_the_material_takes_the_estimates_and_shows_their_maps(material):
    assert set(node_tree.images_of(material)) == {"base_color", *ALL}
    assert relief(material).used
    assert sliders.wanted(material).estimation == Estimation()
    assert sliders.is_shown(material)


def test_a_slider_is_followed_small_and_then_at_full_size(artist, material):
    relief(material).depth = 1.7
    assert artist.newest.estimation == Estimation(depth=1.7)
    artist.answer()
    assert (artist.newest.width, artist.newest.height) == (64, 32)
    assert node_tree.read_recipe(material).config.estimation == Estimation(depth=1.7)
    assert sliders.is_shown(material)
    assert not live.is_moving()


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_moves_all_sliders_at_once_but_those_of_the_picture(artist, material, name):
    relief(material).invert, relief(material).light = True, 0.25
    relief(material).depth = 3.0
    artist.answer()
    artist.client.submitted.clear()
    relief(material).surface = name
    wanted = replace(SURFACES[name], invert=True, light=0.25)
    assert [c.estimation for c in artist.client.submitted.values()] == [wanted]
    artist.answer()
    assert node_tree.read_recipe(material).config.estimation == wanted
    assert ("metallic" in node_tree.images_of(material)) == (name == "metal")


def test_what_was_chosen_outlives_its_file(material, tmp_path):
    wanted = Estimation("wet", depth=0.123456, invert=True, metallic=0.1)
    sliders.store(material, replace(ESTIMATED, estimation=wanted))
    before = sliders.wanted(material).estimation
    assert before == replace(wanted, depth=0.1235)
    path, name = str(tmp_path / "kept.blend"), material.name
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert sliders.wanted(bpy.data.materials[name]).estimation == before


def test_undo_takes_a_move_back_in_one_step(artist, material):
    name = material.name
    bpy.ops.ed.undo_push(message="start")
    relief(material).invert = True
    bpy.ops.ed.undo_push(message="invert")  # as Blender does when a checkbox is clicked
    artist.answer()
    bpy.ops.ed.undo()
    artist.answer()
    material = bpy.data.materials[name]
    assert not relief(material).invert
    assert node_tree.read_recipe(material).config.estimation == Estimation()
    assert sliders.is_shown(material)
    bpy.ops.ed.redo()
    artist.answer()
    assert node_tree.read_recipe(bpy.data.materials[name]).config.estimation.invert


def test_estimates_move_together_on_selected_objects_that_have_some(artist, planes):
    first, second = (artist.generate([obj], ESTIMATED) for obj in planes[1:])
    plain = artist.generate([planes[0]], PLAIN)
    bpy.context.scene.tilewright.target = "SELECTED"
    relief(second).coarse = 0.5
    assert relief(first).coarse == 0.5
    artist.answer()
    assert {c.estimation for c in artist.client.submitted.values()} == {Estimation(coarse=0.5)}
    assert sliders.is_shown(plain) and sliders.wanted(plain).estimation is None


def test_regenerating_and_another_seed_keep_them(artist, material):
    relief(material).fine = 0.5
    artist.answer()
    for press in (bpy.ops.tilewright.regenerate, bpy.ops.tilewright.change_seed):
        press()
        assert artist.newest.estimation == Estimation(fine=0.5)
        artist.answer()
        assert sliders.is_shown(material)


def test_a_favorite_brings_its_relief_and_an_older_one_leaves_it(artist, material):
    chosen = bpy.context.scene.tilewright
    relief(material).depth = 2.0
    bpy.ops.tilewright.add_favourite()
    plain = chosen.favourites.add()
    plain.uid, plain.config = "plain", favourites.as_text(replace(PLAIN, seed=9))
    relief(material).depth = 1.0
    bpy.ops.tilewright.apply_favourite(uid="plain")
    assert sliders.wanted(material).seed == 9
    assert sliders.wanted(material).estimation == Estimation()
    bpy.ops.tilewright.apply_favourite(uid=chosen.favourites[0].uid)
    assert sliders.wanted(material).estimation == Estimation(depth=2.0)
    chosen.mix_a, chosen.mix_b = chosen.favourites[0].uid, "plain"
    chosen.mix = 0.25
    assert sliders.wanted(material).estimation == Estimation(depth=2.0)


def test_variations_and_the_way_back_keep_them(artist, material):
    relief(material).depth = 2.0
    bpy.context.scene.tilewright.explore = True
    artist.answer()
    assert {c.estimation for c in variations.configs()} == {Estimation(depth=2.0)}
    relief(material).depth = 0.5
    artist.answer()
    bpy.ops.tilewright.history_back()
    assert sliders.wanted(material).estimation == Estimation(depth=2.0)


def test_a_material_made_before_gets_its_maps_by_one_button_and_undo_takes_them(artist, plane):
    material = artist.generate([plane], PLAIN)
    name, before = material.name, node_tree.read_recipe(material)
    bpy.ops.ed.undo_push(message="start")
    assert bpy.ops.tilewright.estimate_maps() == {"FINISHED"}
    assert artist.newest == replace(ESTIMATED, origin=(16, 32)), "the border stays where it was"
    bpy.ops.ed.undo_push(message="Estimate Missing Maps")
    artist.answer()
    assert set(node_tree.images_of(material)) == {"base_color", *ALL}
    assert not bpy.ops.tilewright.estimate_maps.poll()
    bpy.ops.ed.undo()
    material = bpy.data.materials[name]
    assert set(node_tree.images_of(material)) == {"base_color"}
    assert node_tree.read_recipe(material) == before
    assert sliders.is_shown(material) and not relief(material).used


def test_maps_that_come_after_their_undo_are_left_out(artist, plane):
    material = artist.generate([plane], PLAIN)
    name = material.name
    bpy.ops.ed.undo_push(message="start")
    bpy.ops.tilewright.estimate_maps()
    bpy.ops.ed.undo_push(message="Estimate Missing Maps")
    bpy.ops.ed.undo()
    artist.answer()
    assert set(node_tree.images_of(bpy.data.materials[name])) == {"base_color"}


def test_maps_are_offered_only_where_some_are_missing(artist, plane):
    artist.has_model("base_color", *ALL)
    material = artist.generate([plane], PLAIN)
    assert regeneration.missing_maps(material) == ()
    artist.has_model("base_color", "roughness", "normal")
    assert regeneration.missing_maps(material) == ("height", "ambient_occlusion")
    bpy.ops.tilewright.estimate_maps()
    assert artist.newest.estimation == Estimation(light=0.0)
    session.current.close()
    assert not bpy.ops.tilewright.estimate_maps.poll()


def test_a_failed_estimate_is_made_up_for_by_regenerating(artist, plane):
    material = artist.generate([plane], PLAIN)
    bpy.ops.tilewright.estimate_maps()
    artist.client.state(list(artist.client.submitted)[-1], "failed")
    pump.tick()
    bpy.ops.tilewright.regenerate()
    artist.answer()
    assert set(node_tree.images_of(material)) == {"base_color", *ALL}


def test_saved_numbers_of_surfaces_are_for_life(material):
    items = relief(material).bl_rna.properties["surface"].enum_items
    assert {i.identifier: i.value for i in items} == {
        "general": 0,
        "stone": 1,
        "wood": 2,
        "fabric": 3,
        "metal": 4,
        "wet": 5,
    }
    assert all(i.description for i in items)


def test_sliders_are_no_keyframes(material):
    for name in ("surface", "depth", "invert", "light"):
        assert not relief(material).bl_rna.properties[name].is_animatable
