"""Nine pictures around a material: what they show, what a click does, and the way back."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_addon.generation import requests
from blender_addon.shader import images, node_tree
from blender_addon.steering import live
from blender_addon.steering import sliders as latents
from blender_addon.steering import variations as grid
from blender_addon.ui import thumbnails
from blender_addon.worker import pump, session
from gan_worker.config import GenerationConfig
from gan_worker.style import Material, Seed
from gan_worker.wire.messages import ModelEntry

from ..conftest import as_in_another_window

FULL = GenerationConfig("bricks", seed=5, width=64, height=32)
WALLS = ModelEntry(
    "bricks",
    "a" * 64,
    16,
    64,
    ("base_color",),
    styles=("old wall", "new wall"),
    directions=("pca 1", "pca 2", "factor 1"),
)
ONE_WALL = replace(WALLS, styles=())


def pump_all() -> None:
    pump.tick()
    pump.finish()


class Worker:
    """Answers everything that is asked, each request with a value of its own."""

    def __init__(self, client, make) -> None:
        self.client, self.make = client, make
        self.answered: dict[str, GenerationConfig] = {}

    def answer(self) -> list[GenerationConfig]:
        """Answer until nothing more is asked; says what was asked."""
        before = len(self.answered)
        for _ in range(40):
            live.let_rest()
            pump_all()
            for job in [j for j in self.client.submitted if j not in self.answered]:
                config = self.answered[job] = self.client.submitted[job]
                maps = self.make(config.width, config.height, seed=len(self.answered))
                self.client.finish(job, {n: maps[n] for n in config.maps or ("base_color",)})
        return list(self.answered.values())[before:]


@pytest.fixture
def worker(stand_in, make, plane) -> Worker:
    made = Worker(stand_in, make)
    requests.generate_for_objects([plane], FULL)
    made.answer()
    return made


@pytest.fixture
def material(worker, plane) -> bpy.types.Material:
    return plane.active_material


def sliders(material) -> dict[str, float]:
    return dict(latents.wanted(material).directions)


@pytest.mark.parametrize(("model", "weight"), [(WALLS, 1), (ONE_WALL, 3)])
def test_neighbours_lie_around_the_centre_as_far_as_the_strength_says(model, weight):
    centre = GenerationConfig("bricks", 5, directions=(("pca 1", 1.0),))
    means = []
    for strength in (0.1, 0.4):
        found = [
            dict(config.directions)
            for roll in range(60)
            for place, config in enumerate(grid.neighbours(centre, model, strength, roll))
            if place != grid.CENTRE
        ]
        moves = np.array([[m["pca 1"] - 1, m["pca 2"], m["factor 1"]] for m in found])
        means.append((moves.mean(), moves.std()))
    for (mean, spread), strength in zip(means, (0.1, 0.4), strict=True):
        assert abs(mean) < 0.15 * weight * strength
        assert abs(spread - weight * strength) < 0.1 * weight * strength


def test_each_neighbour_has_a_layout_of_its_own_as_far_away_as_the_strength_says():
    def layouts(strength: float) -> list[tuple[float, float]]:
        found = grid.neighbours(GenerationConfig("bricks", 5), WALLS, strength, 2)
        return [config.sway for config in found]

    near, far = layouts(0.4), layouts(0.8)
    assert near.pop(grid.CENTRE) == far.pop(grid.CENTRE) == (0.0, 0.0)
    assert [away for away, _ in near] == pytest.approx([0.2] * 8)
    assert [away for away, _ in far] == pytest.approx([0.4] * 8)
    assert [turn for _, turn in near] == [turn for _, turn in far]
    turns = sorted(turn for _, turn in far)
    assert np.diff([*turns, turns[0] + 1]).min() > 0.1
    assert max(away for away, _ in layouts(2.0)) <= 1


def test_neighbours_keep_the_centre_its_seed_and_repeat_themselves():
    centre = GenerationConfig("bricks", 5)
    nine = grid.neighbours(centre, WALLS, 0.5, 3)
    assert len(nine) == 9
    assert nine[4] == centre
    assert {config.seed for config in nine} == {5}
    assert len({config.directions for config in nine}) == 9
    assert nine == grid.neighbours(centre, WALLS, 0.5, 3)
    assert nine != grid.neighbours(centre, WALLS, 0.5, 4)


def test_model_without_directions_varies_its_seed():
    nine = grid.neighbours(GenerationConfig("digits", 5), replace(WALLS, directions=()), 0.5, 0)
    assert len({config.seed for config in nine}) == 9


def test_strangers_start_anew():
    mix = ((Seed(1), 1.0),)
    centre = GenerationConfig("bricks", 5, style=mix, directions=(("pca 1", 1),), sway=(0.4, 0.5))
    nine = grid.strangers(centre, 1)
    assert nine.pop(4) == centre
    assert {(config.style, config.directions) for config in nine} == {(None, ())}
    assert {config.sway for config in nine} == {(0.0, 0.0)}
    assert len({config.seed for config in nine}) == 8


def test_nothing_is_drawn_before_explore_is_ticked(worker, material):
    assert worker.answer() == []
    bpy.context.scene.tilewright.explore = True
    asked = worker.answer()
    assert len(asked) == 9
    assert {(c.width, c.height, c.maps) for c in asked} == {(128, 128, ("base_color",))}
    assert asked[0].directions == ()  # the middle comes first
    assert not grid.is_drawing()
    assert all(thumbnails.is_there(grid.picture_name(place)) for place in range(9))
    assert worker.answer() == []


def test_pictures_that_are_due_wait_while_explore_is_not_ticked(worker, material):
    bpy.context.scene.tilewright.explore = True
    pump_all()
    bpy.context.scene.tilewright.explore = False
    assert len(worker.answer()) == 1  # which was under way
    assert not grid.is_drawing()
    assert pump.tick() > pump.LIVE_INTERVAL
    bpy.context.scene.tilewright.explore = True
    assert grid.is_drawing()
    assert len(worker.answer()) == 8


def test_pictures_that_are_due_wait_while_nothing_is_steered(worker, material):
    (model,) = session.current.models
    bpy.context.scene.tilewright.explore = True
    grid.show_looks(model)
    pump_all()
    plane, bpy.context.view_layer.objects.active = bpy.context.view_layer.objects.active, None
    worker.answer()
    assert not grid.is_drawing()
    bpy.context.view_layer.objects.active = plane
    session.current.models = ()
    assert not grid.is_drawing()
    session.current.models = (model,)
    assert grid.is_drawing()
    assert len(worker.answer()) == 8 + len(model.styles)


def test_the_scene_of_a_second_window_is_explored(worker, material):
    bpy.context.scene.tilewright.explore = True
    with as_in_another_window():
        assert len(worker.answer()) == 9
        assert not grid.is_drawing()
    assert all(thumbnails.is_there(grid.picture_name(place)) for place in range(9))


def test_of_two_windows_that_explore_the_first_has_the_grid(worker, plane):
    second = bpy.context.scene.tilewright
    with as_in_another_window():
        other = bpy.data.objects.new("Other", plane.data.copy())
        other.data.materials.clear()
        bpy.context.scene.collection.objects.link(other)
        bpy.context.view_layer.objects.active = other
        requests.generate_for_objects([other], replace(FULL, seed=6))
        worker.answer()
        second.explore = bpy.context.scene.tilewright.explore = True
        assert [c.seed for c in worker.answer()] == [6] * 9
        assert grid.configs()[grid.CENTRE].seed == 6
        assert worker.answer() == []


def test_latents_of_a_second_window_can_be_gone_back_to(worker, material):
    with as_in_another_window():
        material.tilewright.latents.seed = 9
        worker.answer()
    assert grid.can_step(material, -1)


def test_pictures_are_asked_for_one_at_a_time_and_give_way_to_a_slider(worker, material):
    bpy.context.scene.tilewright.explore = True
    pump_all()
    pump_all()
    assert len(worker.client.submitted) - len(worker.answered) == 1
    material.tilewright.latents.directions["pca 1"].amount = 1.0
    pump_all()
    fresh = list(worker.client.submitted.values())[len(worker.answered) :]
    assert [(c.width, c.directions) for c in fresh] == [(128, ()), (64, (("pca 1", 1.0),))]
    asked = worker.answer()
    pictures = [c for c in asked if c.width == 128]
    assert len(pictures) == 10  # the one that was under way, then nine around the new centre
    assert pictures[1].directions == (("pca 1", 1.0),)


def test_picture_shows_what_was_generated(worker, material):
    bpy.context.scene.tilewright.explore = True
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[0] = 255
    pump_all()
    (job,) = set(worker.client.submitted) - set(worker.answered)
    worker.client.finish(job, {"base_color": pixels})
    pump_all()
    shown = thumbnails.pictures.collection[grid.picture_name(4)]
    rgba = np.array(shown.image_pixels_float).reshape(128, 128, 4)
    assert rgba[-1, :, :3].min() == 1
    assert rgba[:-1, :, :3].max() == 0


def test_click_makes_a_picture_the_centre(worker, material):
    bpy.context.scene.tilewright.explore = True
    worker.answer()
    chosen = grid.configs()[7]
    assert bpy.ops.tilewright.choose_variation(place=7) == {"FINISHED"}
    assert sliders(material) == pytest.approx(dict(chosen.directions))
    asked = worker.answer()
    assert (asked[-10].width, asked[-10].height) == (64, 32)
    recipe = node_tree.read_recipe(material)
    assert (recipe.config.directions, recipe.config.sway) == (chosen.directions, chosen.sway)
    assert grid.configs()[4].directions == chosen.directions
    assert grid.configs()[7] != chosen


def test_chosen_layout_is_kept_by_history_favourites_and_undo_until_it_is_reset(worker, plane):
    name, scene = plane.active_material.name, bpy.context.scene.tilewright

    def layout() -> tuple[float, float]:
        worker.answer()
        material = bpy.data.materials[name]
        assert node_tree.read_recipe(material).config.sway == latents.wanted(material).sway
        return latents.wanted(material).sway

    scene.explore = True
    worker.answer()
    bpy.ops.ed.undo_push(message="start")
    bpy.ops.tilewright.choose_variation(place=0)
    first = layout()
    assert first[0] == pytest.approx(0.4)
    bpy.ops.tilewright.add_favourite()
    bpy.ops.ed.undo_push(message="click")
    bpy.ops.tilewright.choose_variation(place=8)
    second = layout()
    assert second not in (first, (0.0, 0.0))
    bpy.ops.ed.undo_push(message="another click")
    bpy.ops.ed.undo()
    assert layout() == first
    bpy.ops.ed.redo()
    assert layout() == second
    bpy.ops.tilewright.history_back()
    assert layout() == first
    bpy.ops.tilewright.reset_latents()
    assert layout() == (0.0, 0.0)
    assert sliders(bpy.data.materials[name]) == {}
    scene = bpy.context.scene.tilewright  # undo has replaced the one before
    bpy.ops.tilewright.apply_favourite(uid=scene.favourites[0].uid)
    assert layout() == first


def test_click_moves_all_selected_objects_and_each_keeps_its_seed(stand_in, make, planes):
    scene = bpy.context.scene.tilewright
    scene.target, scene.explore = "SELECTED", True
    worker = Worker(stand_in, make)
    requests.generate_for_objects(planes, FULL, vary=True)
    worker.answer()
    chosen = dict(grid.configs()[0].directions)
    bpy.ops.tilewright.choose_variation(place=0)
    worker.answer()
    found = [latents.wanted(o.active_material) for o in planes]
    assert [config.seed for config in found] == [5, 6, 7]
    assert [dict(config.directions) for config in found] == [pytest.approx(chosen)] * 3


def test_more_like_this_and_random_grid_and_strength_draw_anew(worker, material):
    scene = bpy.context.scene.tilewright
    scene.explore = True
    worker.answer()
    before = grid.configs()
    bpy.ops.tilewright.roll_variations()
    assert len(worker.answer()) == 9
    rolled = grid.configs()
    assert rolled[4] == before[4]
    assert rolled[0] != before[0]
    scene.explore_strength = 1.6
    worker.answer()
    for wide, near in zip(grid.configs(), rolled, strict=True):
        for name, amount in near.directions:
            assert dict(wide.directions)[name] == pytest.approx(2 * amount, abs=0.01)
    bpy.ops.tilewright.roll_variations(anywhere=True)
    worker.answer()
    assert len({config.seed for config in grid.configs()}) == 9
    assert sliders(material) == {}


def test_back_and_forward_through_what_was_looked_at(worker, material):
    assert not bpy.ops.tilewright.history_back.poll()
    for amount in (1.0, 2.0):
        material.tilewright.latents.directions["pca 1"].amount = amount
        worker.answer()
    bpy.ops.tilewright.history_back()
    worker.answer()
    assert sliders(material) == {"pca 1": 1.0}
    assert node_tree.read_recipe(material).config.directions == (("pca 1", 1.0),)
    bpy.ops.tilewright.history_back()
    worker.answer()
    assert sliders(material) == {}
    assert not bpy.ops.tilewright.history_back.poll()
    bpy.ops.tilewright.history_forward()
    worker.answer()
    assert sliders(material) == {"pca 1": 1.0}
    material.tilewright.latents.seed = 9
    worker.answer()
    assert not bpy.ops.tilewright.history_forward.poll()
    bpy.ops.tilewright.history_back()
    assert material.tilewright.latents.seed == 5


@pytest.mark.parametrize("what", ["size", "maps"])
def test_back_leads_to_other_latents_whatever_size_and_maps_they_had(worker, plane, what):
    material = plane.active_material
    material.tilewright.latents.seed = 7
    worker.answer()
    if what == "size":
        bpy.ops.tilewright.switch_size(side=128)
    else:
        requests.generate_for_objects([plane], replace(FULL, seed=7, maps=("base_color",)))
    worker.answer()
    bpy.ops.tilewright.history_back()
    worker.answer()
    assert material.tilewright.latents.seed == 5
    assert not bpy.ops.tilewright.history_back.poll()
    bpy.ops.tilewright.history_forward()
    worker.answer()
    assert material.tilewright.latents.seed == 7
    assert not bpy.ops.tilewright.history_forward.poll()


def test_positions_on_the_way_are_not_remembered(worker, material):
    for amount in (0.1, 0.2, 0.3):
        material.tilewright.latents.directions["pca 1"].amount = amount
        pump.tick()
    worker.answer()
    bpy.ops.tilewright.history_back()
    assert sliders(material) == {}


def test_undo_of_a_click_moves_the_grid_back(worker, plane):
    name = plane.active_material.name
    bpy.context.scene.tilewright.explore = True
    worker.answer()
    bpy.ops.ed.undo_push(message="start")
    bpy.ops.tilewright.choose_variation(place=0)
    bpy.ops.ed.undo_push(message="click")
    worker.answer()
    bpy.ops.ed.undo()
    worker.answer()
    assert sliders(bpy.data.materials[name]) == {}
    assert latents.is_shown(bpy.data.materials[name])
    assert grid.configs()[4].directions == ()


def test_other_file_forgets_pictures_and_history(worker, material):
    bpy.context.scene.tilewright.explore = True
    worker.answer()
    bpy.ops.wm.read_homefile(use_empty=True)
    assert grid.configs() == []
    assert not grid.is_drawing()
    assert not grid.can_step(None, -1)


def test_failed_pictures_are_not_asked_for_again_and_again(worker, material):
    from gan_worker.errors import ErrorInfo

    bpy.context.scene.tilewright.explore = True
    for _ in range(30):
        pump_all()
        for job in set(worker.client.submitted) - set(worker.answered):
            worker.answered[job] = FULL
            worker.client.state(job, "failed", ErrorInfo("out_of_memory", "Full.", "Wait."))
    assert len(worker.client.submitted) == 10
    assert session.current.last_error.code == "out_of_memory"


def test_the_looks_of_a_model_are_drawn_once_each_when_a_panel_shows_them(worker, material):
    (model,) = session.current.models
    assert model.styles == ("old wall", "new wall")
    material.tilewright.latents.directions["pca 1"].amount = 1.0
    worker.answer()
    grid.show_looks(model)
    asked = worker.answer()
    assert [c.style for c in asked] == [Material("old wall"), Material("new wall")]
    assert {(c.width, c.height, c.directions) for c in asked} == {(128, 128, ())}
    assert all(thumbnails.is_there(grid.look_name(model, style)) for style in model.styles)
    grid.show_looks(model)
    assert worker.answer() == []
    assert not grid.is_drawing()
    # Another model of the same name has looks of its own; those of one that no panel shows are not drawn.
    later = replace(model, hash="b" * 64)
    session.current.models = (later,)
    assert worker.answer() == []
    grid.show_looks(later)
    assert len(worker.answer()) == 2


def test_the_looks_that_a_second_window_shows_are_drawn(worker, material):
    (model,) = session.current.models
    grid.show_looks(model)
    with as_in_another_window():
        assert grid.is_drawing()
        assert [c.style for c in worker.answer()] == [Material("old wall"), Material("new wall")]
        assert not grid.is_drawing()


def test_a_click_on_a_look_gives_the_material_that_look(worker, material):
    assert bpy.ops.tilewright.choose_look(look="new wall") == {"FINISHED"}
    assert material.tilewright.latents.material == "new wall"
    worker.answer()
    assert node_tree.read_recipe(material).config.style == Material("new wall")


def test_grey_and_deep_maps_become_pictures():
    grey = np.full((4, 6, 1), 0xFF00, np.uint16)
    assert thumbnails.as_picture(grey, 6).tolist() == np.full((4, 6, 3), 255).tolist()


def test_pictures_survive_as_text_and_broken_text_is_none():
    pixels = np.random.default_rng(0).integers(0, 256, (96, 80, 3), np.uint8)
    text = thumbnails.to_text(pixels)
    np.testing.assert_array_equal(thumbnails.from_text(text), pixels)
    for broken in ("", "!", text[:40], text[:-8], thumbnails.to_text(np.zeros((300, 2, 3), "u1"))):
        assert thumbnails.from_text(broken) is None


def test_no_image_datablock_is_made_for_a_picture(worker, material):
    before = set(bpy.data.images.keys())
    bpy.context.scene.tilewright.explore = True
    worker.answer()
    assert set(bpy.data.images.keys()) == before
    assert not any(images.is_live(i) for i in bpy.data.images)
