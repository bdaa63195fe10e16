"""Materials follow their latents: the last request wins, nothing queues up, undo brings textures back."""

from __future__ import annotations

import time
from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_addon import state
from blender_addon.generation import requests as generation
from blender_addon.generation import results
from blender_addon.shader import images, node_tree
from blender_addon.steering import live, sliders, steering
from blender_addon.worker import pump, session
from gan_worker.client.events import Connected, ResultLost
from gan_worker.config import GenerationConfig
from gan_worker.errors import ErrorInfo, WorkerError
from gan_worker.style import Latent, Material
from gan_worker.wire.messages import JobAccepted, ModelList, WorkerStatus

from ..conftest import as_in_another_window

FULL = GenerationConfig("bricks", seed=5, width=512, height=256)


def pump_all() -> None:
    pump.tick()
    pump.finish()


@pytest.fixture
def rest(monkeypatch):
    """Let whatever moves come to rest now."""

    def let_rest() -> None:
        live.let_rest()
        pump_all()

    return let_rest


class Hand:
    """Moves sliders and lets the stand-in worker answer."""

    def __init__(self, worker, make, objects) -> None:
        self.worker, self.make = worker, make
        for job in generation.generate_for_objects(objects, FULL, vary=len(objects) > 1):
            self.answer(job.id)
        self.worker.submitted.clear()

    def answer(self, job: str, value: int | None = None) -> None:
        """Finish a job with maps of the size that was asked for, of one value or random."""
        config = self.worker.submitted[job]
        maps = {k: v for k, v in self.make(config.width, config.height).items() if k != "normal"}
        if value is not None:
            maps = {name: np.full_like(pixels, value) for name, pixels in maps.items()}
        self.worker.finish(job, maps)
        pump_all()

    def move(self, material, amount: float, name: str = "pca 1") -> None:
        material.tilewright.latents.directions[name].amount = amount

    @property
    def jobs(self) -> list[str]:
        return list(self.worker.submitted)

    @property
    def newest(self) -> GenerationConfig:
        return list(self.worker.submitted.values())[-1]


@pytest.fixture
def hand(stand_in, make, plane) -> Hand:
    return Hand(stand_in, make, [plane])


@pytest.fixture
def material(hand, plane) -> bpy.types.Material:
    return plane.active_material


def shown_value(material) -> int:
    pixels = images.read_pixels(node_tree.images_of(material)["base_color"])
    return round(float(pixels[..., 0].mean()) * 255)


def test_moving_shows_a_preview_and_resting_the_full_size(hand, material, rest):
    nodes = {node.name for node in material.node_tree.nodes}
    hand.move(material, 1.5)
    (preview,) = hand.jobs
    assert (hand.newest.width, hand.newest.height) == (256, 128)
    assert hand.newest.directions == (("pca 1", 1.5),)
    hand.answer(preview, 40)
    assert node_tree.is_preview(material)
    assert shown_value(material) == 40
    assert node_tree.read_recipe(material).config.width == 256
    rest()
    _, full = hand.jobs
    assert (hand.newest.width, hand.newest.height, hand.newest.seed) == (512, 256, 5)
    hand.answer(full, 90)
    assert shown_value(material) == 90
    assert sliders.is_shown(material)
    assert not live.is_moving()
    assert {node.name for node in material.node_tree.nodes} == nodes
    assert all(i.packed_file for i in node_tree.images_of(material).values())
    assert not any(images.is_live(i) for i in bpy.data.images)


def test_an_undo_step_finds_only_packed_images_in_use(hand, material, rest):
    """A slider that rests in the artist's hand may be let go, which is an undo step, while the full size comes in."""
    hand.move(material, 1.5)
    hand.answer(hand.jobs[0])
    rest()
    full = hand.jobs[-1]
    hand.worker.finish(full, {n: m for n, m in hand.make(512, 256).items() if n != "normal"})
    ready = hand.worker.events[-1]
    for _ in results.apply(ready, material.tilewright.uuid, results.Order(), is_rest=True):
        used = node_tree.images_of(material).values()
        assert all(images.is_live(image) or image.packed_file for image in used)
    assert sliders.is_shown(material)


def test_nothing_is_sent_at_full_size_before_the_slider_rests(hand, material):
    hand.move(material, 1.0)
    hand.answer(hand.jobs[0])
    pump_all()
    assert len(hand.jobs) == 1
    live.let_rest()
    pump_all()
    assert len(hand.jobs) == 2


def test_thousand_moves_leave_no_backlog(hand, material, rest):
    images_before = len(bpy.data.images)
    for number in range(1000):
        hand.move(material, number / 500)
        if number % 100 == 99:
            hand.answer(hand.jobs[-1])
    assert len(hand.jobs) <= 11
    hand.answer(hand.jobs[-1], 70)
    assert hand.newest.directions == (("pca 1", 1.998),)
    rest()
    hand.answer(hand.jobs[-1])
    assert len(hand.jobs) <= 12
    assert not live.is_moving()
    assert pump.pending() == 0
    assert not session.current._backlog
    assert len(bpy.data.images) == images_before
    recent = state.of_file.get(live.Following).recent
    kept = sum(pixels.nbytes for maps in recent.values() for pixels in maps.values())
    assert 0 < kept <= live.MOST_KEPT


def test_previews_kept_for_undo_are_bounded(hand, material, monkeypatch):
    for number in range(6):
        hand.move(material, number + 1.0)
        hand.answer(hand.jobs[-1])
        recent = state.of_file.get(live.Following).recent
        if number == 0:
            one = sum(pixels.nbytes for pixels in recent[material.tilewright.recipe].values())
            monkeypatch.setattr(live, "MOST_KEPT", int(2.5 * one))
    assert len(recent) == 2
    assert material.tilewright.recipe in recent


def test_preview_is_written_into_the_same_images(hand, material):
    hand.move(material, 1.0)
    hand.answer(hand.jobs[0], 10)
    before = set(bpy.data.images.keys())
    hand.move(material, 2.0)
    hand.answer(hand.jobs[1], 20)
    assert set(bpy.data.images.keys()) == before
    assert shown_value(material) == 20


def test_last_request_wins_over_a_full_size_that_arrives_late(hand, material, rest):
    hand.move(material, 1.0)
    hand.answer(hand.jobs[0], 10)
    rest()
    late = hand.jobs[1]
    hand.move(material, 2.0)
    assert ("cancel", late) in hand.worker.calls
    hand.answer(hand.jobs[2], 30)
    hand.answer(late, 99)
    assert shown_value(material) == 30
    assert node_tree.read_recipe(material).config.directions == (("pca 1", 2.0),)


def test_generating_anew_wins_over_a_preview_under_way(hand, material, plane):
    hand.move(material, 1.0)
    late = hand.jobs[0]
    (job,) = generation.generate_for_objects([plane], GenerationConfig("bricks", 9, 64, 64))
    hand.answer(late, 10)
    hand.answer(job.id, 50)
    assert shown_value(material) == 50
    assert material.tilewright.latents.seed == 9
    assert material.tilewright.latents.directions["pca 1"].amount == 0
    assert not live.is_moving()


def test_generating_anew_while_a_preview_is_unpacked_wins(hand, material, plane):
    hand.move(material, 1.0)
    before = shown_value(material)
    hand.worker.finish(hand.jobs[0], {"base_color": np.full((128, 256, 3), 80, np.uint8)})
    for event in session.current.tick():
        pump._take(event)
    generation.generate_for_objects([plane], GenerationConfig("bricks", 9, 64, 64))
    pump.finish()
    assert shown_value(material) == before


def test_recipe_is_never_ahead_of_the_picture(hand, material):
    hand.move(material, 1.0)
    hand.answer(hand.jobs[0], 10)
    hand.move(material, 2.0)
    job = hand.jobs[1]
    hand.worker.finish(job, {"base_color": np.full((128, 256, 3), 80, np.uint8)})
    for event in session.current.tick():
        pump._take(event)
    while pump.pending():
        recipe = node_tree.read_recipe(material)
        assert (recipe.config.directions[0][1], shown_value(material)) in ((1.0, 10), (2.0, 80))
        pump._step()
    assert shown_value(material) == 80


def test_one_undo_step_a_drag_and_undo_brings_the_texture_back(hand, plane, rest):
    name = plane.active_material.name
    bpy.ops.ed.undo_push(message="start")
    for amount, value in ((1.0, 10), (2.0, 20)):
        for part in (0.5, 1.0):
            hand.move(bpy.data.materials[name], amount * part)
        bpy.ops.ed.undo_push(message="slider")  # as Blender does when the mouse is let go
        hand.answer(hand.jobs[-1], value - 5)
        hand.answer(hand.jobs[-1], value - 5)
        rest()
        hand.answer(hand.jobs[-1], value)
    assert shown_value(bpy.data.materials[name]) == 20
    bpy.ops.ed.undo()
    material = bpy.data.materials[name]
    assert material.tilewright.latents.directions["pca 1"].amount == 1.0
    assert hand.newest.directions == (("pca 1", 1.0),)
    hand.answer(hand.jobs[-1], 9)
    rest()
    hand.answer(hand.jobs[-1], 10)
    assert shown_value(material) == 10
    assert sliders.is_shown(material)
    bpy.ops.ed.redo()
    assert hand.newest.directions == (("pca 1", 2.0),)
    hand.answer(hand.jobs[-1], 19)
    rest()
    hand.answer(hand.jobs[-1], 20)
    assert shown_value(bpy.data.materials[name]) == 20
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    assert bpy.data.materials[name].tilewright.latents.directions["pca 1"].amount == 0


def test_an_undo_parses_no_recipe_that_is_as_it_was(stand_in, make, planes, monkeypatch):
    Hand(stand_in, make, planes)
    parsed = []
    parse = node_tree.read_stored

    def count(*asked):
        parsed.append(asked)
        return parse(*asked)

    monkeypatch.setattr(node_tree, "read_stored", count)
    recipes = [node_tree.read_recipe(obj.active_material) for obj in planes]
    bpy.ops.ed.undo_push(message="before")
    changed = replace(recipes[1], config=replace(recipes[1].config, seed=77))
    node_tree.store_recipe(planes[1].active_material, changed, {})
    assert node_tree.read_recipe(planes[1].active_material) == changed
    bpy.ops.ed.undo_push(message="after")
    parsed.clear()
    bpy.ops.ed.undo()
    assert len(parsed) == 1
    back = [bpy.data.objects[obj.name].active_material for obj in bpy.context.selected_objects]
    assert sorted(node_tree.read_recipe(m).config.seed for m in back) == [5, 6, 7]
    assert len(parsed) == 1


@pytest.mark.parametrize("rested", [False, True])
def test_undo_shows_the_preview_of_its_recipe_without_a_worker(hand, plane, rest, rested):
    name = plane.active_material.name
    for amount, value in ((1.0, 10), (2.0, 20)):
        hand.move(bpy.data.materials[name], amount)
        hand.answer(hand.jobs[-1], value)
        bpy.ops.ed.undo_push(message="slider")
    if rested:  # then the images of the previews are gone
        rest()
        hand.answer(hand.jobs[-1], 25)
    session.current.close()
    bpy.ops.ed.undo()
    material = bpy.data.materials[name]
    assert node_tree.read_recipe(material).config.directions == (("pca 1", 1.0),)
    assert shown_value(material) == 10
    bpy.ops.ed.redo()
    assert shown_value(bpy.data.materials[name]) == 20


def test_what_comes_when_a_slider_rests_adds_no_undo_step(hand, material, plane, rest, monkeypatch):
    pushed: list[str] = []
    monkeypatch.setattr(results, "push_undo", pushed.append)
    hand.move(material, 1.0)
    hand.answer(hand.jobs[0])
    rest()
    hand.answer(hand.jobs[1])
    assert pushed == []
    (job,) = generation.generate_for_objects([plane], GenerationConfig("bricks", 9, 64, 64))
    hand.answer(job.id)
    assert pushed == ["Tilewright Material"]


def test_undo_of_a_generated_material_does_not_ask_for_it_again(hand, plane):
    bpy.ops.ed.undo_push(message="start")
    seed = plane.active_material.tilewright.latents.seed
    (job,) = generation.generate_for_objects([plane], GenerationConfig("bricks", 9, 64, 64))
    bpy.ops.ed.undo_push(message="Generate")
    hand.answer(job.id)
    bpy.ops.ed.undo_push(message="Tilewright Material")
    assert plane.active_material.tilewright.latents.seed == 9
    bpy.ops.ed.undo()
    undone = bpy.data.objects["Plane"].active_material
    assert undone.tilewright.latents.seed == undone.tilewright.seed == seed
    assert hand.jobs == [job.id]
    assert not live.is_moving()


def test_undo_of_something_else_asks_for_nothing(hand, plane):
    bpy.ops.ed.undo_push(message="start")
    plane.location.x = 5
    bpy.ops.ed.undo_push(message="move")
    bpy.ops.ed.undo()
    assert hand.jobs == []


def test_undo_applies_no_sliders_that_wait_for_apply(hand, plane):
    bpy.context.scene.tilewright.live = False
    plane.active_material.tilewright.latents.seed = 6
    bpy.ops.ed.undo_push(message="seed")
    plane.location.x = 5
    bpy.ops.ed.undo_push(message="move")
    bpy.ops.ed.undo()
    assert bpy.data.objects["Plane"].active_material.tilewright.latents.seed == 6
    pump_all()
    assert hand.jobs == []


def test_undo_finishes_a_preview_that_was_applied(hand, plane):
    bpy.context.scene.tilewright.live = False
    plane.active_material.tilewright.latents.seed = 6
    bpy.ops.tilewright.apply_latents()
    hand.answer(hand.jobs[-1])
    bpy.ops.ed.undo_push(message="Apply")
    plane.active_material.tilewright.latents.seed = 7
    bpy.ops.ed.undo_push(message="seed")
    asked = len(hand.jobs)
    bpy.ops.ed.undo()
    assert node_tree.is_preview(bpy.data.objects["Plane"].active_material)
    assert len(hand.jobs) == asked + 1
    assert hand.newest.seed == 6


def test_selected_objects_move_together_and_keep_their_seeds(stand_in, make, planes, rest):
    bpy.context.scene.tilewright.target = "SELECTED"
    bpy.context.scene.tilewright.vary_per_object = True
    hand = Hand(stand_in, make, planes)
    active = planes[2].active_material
    hand.move(active, 1.0)
    assert [c.seed for c in stand_in.submitted.values()] == [5, 6, 7]
    assert {c.directions for c in stand_in.submitted.values()} == {(("pca 1", 1.0),)}
    active.tilewright.latents.seed = 17
    for job in hand.jobs:
        hand.answer(job)
    assert [o.active_material.tilewright.latents.seed for o in planes] == [15, 16, 17]
    assert [c.seed for c in stand_in.submitted.values()][3:] == [15, 16, 17]


def test_active_object_alone_moves_where_the_panel_says_so(stand_in, make, planes):
    hand = Hand(stand_in, make, planes)
    hand.move(planes[2].active_material, 1.0)
    hand.move(planes[0].active_material, 2.0)
    assert [c.directions[0][1] for c in stand_in.submitted.values()] == [1.0, 2.0]


def test_material_of_another_model_takes_over_the_variety_alone(stand_in, make, planes):
    bpy.context.scene.tilewright.target = "SELECTED"
    hand = Hand(stand_in, make, planes)
    sliders.store(planes[0].active_material, GenerationConfig("oak", 3, 64, 64))
    active = planes[2].active_material.tilewright.latents
    hand.move(planes[2].active_material, 1.0)
    active.seed, active.truncation_psi = 30, 0.5
    other = planes[0].active_material.tilewright.latents
    assert (other.seed, other.truncation_psi, len(other.directions)) == (3, 0.5, 0)


def test_material_deleted_while_a_preview_or_full_size_is_under_way(hand, plane, rest):
    hand.move(plane.active_material, 1.0)
    hand.answer(hand.jobs[0])
    hand.move(plane.active_material, 2.0)
    bpy.data.materials.remove(plane.active_material)
    hand.answer(hand.jobs[1])
    rest()
    assert not live.is_moving()
    assert len(bpy.data.materials) == 0
    assert session.current.last_error is None


def test_material_deleted_before_the_full_size_comes(hand, plane, rest):
    hand.move(plane.active_material, 1.0)
    hand.answer(hand.jobs[0])
    rest()
    bpy.data.materials.remove(plane.active_material)
    hand.answer(hand.jobs[1])
    assert len(bpy.data.materials) == 0
    assert not [i for i in bpy.data.images if images.JOB_KEY in i]


def test_other_file_opened_while_a_slider_moves(hand, material, rest):
    hand.move(material, 1.0)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert not live.is_moving()
    hand.answer(hand.jobs[0])
    assert len(bpy.data.materials) == len(bpy.data.images) == 0


@pytest.mark.parametrize("resting", [False, True])
@pytest.mark.parametrize("unpacking", [False, True])
def test_a_file_that_is_opened_again_stays_as_it_was_saved(
    hand, material, rest, tmp_path, resting, unpacking
):
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    recipe, shown = material.tilewright.recipe, shown_value(material)
    hand.move(material, 1.0)
    if resting:
        hand.answer(hand.jobs[-1])
        rest()
    job = hand.jobs[-1]
    if unpacking:
        config = hand.worker.submitted[job]
        hand.worker.finish(job, hand.make(config.width, config.height))
        for event in session.current.tick():
            pump._take(event)
    bpy.ops.wm.open_mainfile(filepath=path)
    if unpacking:
        pump_all()
    else:
        assert ("cancel", job) in hand.worker.calls
        hand.answer(job)  # it was on its way
    (loaded,) = (m for m in bpy.data.materials if m.tilewright.uuid)
    assert (loaded.tilewright.recipe, shown_value(loaded)) == (recipe, shown)
    assert not node_tree.is_preview(loaded)
    assert live.is_settled()
    hand.move(loaded, 2.0)
    hand.answer(hand.jobs[-1], 77)
    assert shown_value(loaded) == 77


def test_copied_material_moves_alone(hand, material, plane):
    bpy.ops.mesh.primitive_plane_add()
    copy = material.copy()
    bpy.context.object.data.materials.append(copy)
    hand.move(copy, 1.0)
    hand.answer(hand.jobs[0], 33)
    assert shown_value(copy) == 33
    assert not node_tree.is_preview(material)


def test_with_live_off_nothing_moves_before_apply(hand, material):
    bpy.context.scene.tilewright.live = False
    hand.move(material, 1.0)
    assert hand.jobs == []
    bpy.ops.tilewright.apply_latents()
    assert hand.newest.directions == (("pca 1", 1.0),)


def test_preview_is_repeated_so_that_nothing_on_it_changes_its_size(hand, material, rest):
    mapping = material.node_tree.nodes[node_tree.MAPPING]
    bpy.context.scene.tilewright.scale = (3, 1.5)
    hand.move(material, 1.0)
    hand.answer(hand.jobs[0])
    assert tuple(mapping.inputs["Scale"].default_value) == (6, 3, 1)
    bpy.context.scene.tilewright.scale = (4, 4)
    assert tuple(mapping.inputs["Scale"].default_value) == (8, 8, 1)
    rest()
    hand.answer(hand.jobs[1])
    assert tuple(mapping.inputs["Scale"].default_value) == (4, 4, 1)


def test_border_stays_where_it_was_until_the_seed_changes(hand, material, rest):
    hand.move(material, 1.0)
    hand.answer(hand.jobs[0])
    rest()
    assert hand.newest.origin == (16, 32)
    hand.answer(hand.jobs[1])
    material.tilewright.latents.seed = 6
    hand.answer(hand.jobs[2])
    rest()
    assert hand.newest.origin is None


def test_preview_that_is_shown_while_saving_is_in_the_file(hand, material, tmp_path):
    path = str(tmp_path / "moving.blend")
    for number, value in enumerate((77, 88)):
        hand.move(material, number + 1.0)
        hand.answer(hand.jobs[number], value)
        bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    (loaded,) = (m for m in bpy.data.materials if m.tilewright.uuid)
    assert shown_value(loaded) == 88
    assert node_tree.read_recipe(loaded).config.directions == (("pca 1", 2.0),)


def test_textures_as_files_are_written_when_the_file_is_saved(hand, material, rest, tmp_path):
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.context.scene.tilewright.storage = "FILES"
    for amount, value in ((1.0, 70), (2.0, 80)):
        hand.move(material, amount)
        hand.answer(hand.jobs[-1])
        rest()
        hand.answer(hand.jobs[-1], value)
    assert not (tmp_path / "textures").exists()
    bpy.ops.wm.save_mainfile()
    shown = node_tree.images_of(material)
    assert len(list((tmp_path / "textures").glob("*.png"))) == len(shown)
    assert not any(image.packed_file for image in shown.values())
    bpy.ops.wm.open_mainfile(filepath=path)
    (loaded,) = (m for m in bpy.data.materials if m.tilewright.uuid)
    assert shown_value(loaded) == 80
    space = {n: i.colorspace_settings.name for n, i in node_tree.images_of(loaded).items()}
    assert (space["base_color"], space["roughness"]) == ("sRGB", "Non-Color")


def test_previews_are_as_large_as_the_scene_of_a_second_window_wants_them(hand, material):
    bpy.context.scene.tilewright.preview_size = 64
    for amount in (1.0, 2.0):
        hand.move(material, amount)
    with as_in_another_window():
        hand.answer(hand.jobs[-1])
        pump_all()
    assert [(c.width, c.height) for c in hand.worker.submitted.values()] == [(64, 32)] * 2


@pytest.mark.parametrize("button", [False, True])
def test_textures_go_where_the_scene_of_a_second_window_wants_them(
    hand, material, rest, tmp_path, button
):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.context.scene.tilewright.storage = "FILES"
    if button:
        bpy.ops.tilewright.regenerate()
    else:
        hand.move(material, 1.0)
    bpy.context.scene.name = "Renamed"
    with as_in_another_window():
        if not button:
            hand.answer(hand.jobs[-1])
            rest()
        hand.answer(hand.jobs[-1])
    bpy.ops.wm.save_mainfile()
    shown = node_tree.images_of(material)
    assert len(list((tmp_path / "textures").glob("*.png"))) == len(shown)


def test_textures_that_cannot_be_written_stay_packed(hand, material, rest, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    (tmp_path / "textures").write_text("no folder")
    bpy.context.scene.tilewright.storage = "FILES"
    hand.move(material, 1.0)
    hand.answer(hand.jobs[-1])
    rest()
    hand.answer(hand.jobs[-1], 70)
    bpy.ops.wm.save_mainfile()
    assert session.current.last_error.code == "file_unwritable"
    assert all(image.packed_file for image in node_tree.images_of(material).values())


def test_names_of_sliders_are_kept_for_the_model(hand, material, plane, tmp_path):
    labels = bpy.context.scene.tilewright.direction_labels
    assert [item.label for item in labels] == ["Direction 1", "Direction 2", "Accent 1"]
    labels["bricks/pca 1"].label = "Moss"
    path = str(tmp_path / "named.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    generation.generate_for_objects([], GenerationConfig("bricks", 1, 64, 64))
    assert bpy.context.scene.tilewright.direction_labels["bricks/pca 1"].label == "Moss"


def test_sliders_appear_when_the_worker_comes_after_the_material(stand_in, plane):
    entry = session.current.models[0]
    session.current.models = ()
    material = node_tree.new_material("old")
    sliders.store(material, FULL)
    assert len(material.tilewright.latents.directions) == 0
    stand_in.events.append(ModelList((entry,)))
    pump.tick()
    assert tuple(material.tilewright.latents.directions.keys()) == entry.directions


def asked_when_told(client, monkeypatch, event=None) -> set[bpy.types.Material]:
    """The materials that are looked at when the worker tells of its models."""
    asked, has_latents = [], sliders.has_latents
    client.events += [event] if event else []
    client.request_models()
    with monkeypatch.context() as patch:
        patch.setattr(sliders, "has_latents", lambda m: asked.append(m) or has_latents(m))
        pump.tick()
    return set(asked)


def test_materials_are_gone_through_only_where_a_list_may_tell_them_something(
    stand_in, plane, monkeypatch
):
    def asked(event=None):
        return asked_when_told(stand_in, monkeypatch, event)

    material = node_tree.new_material("wall")
    sliders.store(material, FULL)
    assert asked() == {material}
    assert not asked(), "told already"
    (entry,) = stand_in.models
    stand_in.models = (replace(entry, live=True),)
    assert not asked(), "the same weights"
    stand_in.models = (replace(entry, directions=(*entry.directions, "pca 3")),)
    assert asked() == {material}
    assert "pca 3" in material.tilewright.latents.directions
    other = node_tree.new_material("other")
    sliders.store(other, FULL)
    assert asked() == {material, other}, "one of them is new"
    assert not asked()
    bpy.data.scenes.new("Another")
    assert asked(), "its sliders have no names yet"
    for told in bpy.app.handlers.undo_post:
        told(None)
    assert asked(), "undo takes sliders away"
    assert not asked()
    assert asked(Connected("1", (1, 0), "cpu", "idle")), "there was no connection meanwhile"


def test_what_sliders_are_called_is_asked_once_for_a_model(stand_in, monkeypatch):
    for number in range(20):
        sliders.store(node_tree.new_material(f"{number}"), FULL)
    keys, label_key = [], sliders.label_key
    monkeypatch.setattr(sliders, "label_key", lambda *of: keys.append(of) or label_key(*of))
    sliders.add_sliders_everywhere()
    directions = session.current.models[0].directions
    assert keys == [("bricks", direction) for direction in directions]


def test_recipes_are_read_where_they_have_something_to_give(hand, material, monkeypatch):
    read, read_recipe = [], node_tree.read_recipe
    monkeypatch.setattr(node_tree, "read_recipe", lambda m: read.append(m) or read_recipe(m))
    sliders.take_up_recipes()
    assert not read
    material.tilewright.latents.property_unset("model")
    sliders.take_up_recipes()
    assert read == [material]
    assert material.tilewright.latents.model == "bricks"


def test_material_of_an_older_file_is_given_its_latents(hand, material, tmp_path):
    for name in ("model", "seed", "directions"):
        material.tilewright.latents.property_unset(name)
    path = str(tmp_path / "old.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    (loaded,) = (m for m in bpy.data.materials if m.tilewright.uuid)
    assert sliders.is_shown(loaded)
    assert loaded.tilewright.latents.seed == 5
    assert len(loaded.tilewright.latents.directions) == 3


def test_look_of_a_training_material_replaces_the_latent_of_the_seed(hand, material):
    sliders.store(material, GenerationConfig("bricks", 5, 512, 256, style=Latent((0.5, 0.25))))
    assert sliders.wanted(material).style == Latent((0.5, 0.25))
    material.tilewright.latents.material = "old wall"
    assert hand.newest.style == Material("old wall")


def test_failed_preview_is_said_and_the_next_move_tries_again(hand, material):
    hand.move(material, 1.0)
    error = ErrorInfo("out_of_memory", "No room.", "Choose a smaller size.")
    hand.worker.state(hand.jobs[0], "failed", error)
    pump_all()
    assert session.current.last_error == error
    hand.move(material, 2.0)
    assert len(hand.jobs) == 2
    hand.answer(hand.jobs[1], 30)
    assert shown_value(material) == 30


def test_a_slider_whose_preview_was_lost_moves_on(hand, material):
    hand.move(material, 1.0)
    hand.worker.state(hand.jobs[0], "succeeded")
    pump_all()
    hand.move(material, 2.0)
    assert len(hand.jobs) == 1
    error = ErrorInfo("unknown_job", "It is gone.", "Generate it again.")
    hand.worker.events.append(ResultLost(hand.jobs[0], error))
    pump_all()
    assert session.current.last_error == error
    assert len(hand.jobs) == 2
    hand.answer(hand.jobs[1], 30)
    assert shown_value(material) == 30


def test_a_full_size_that_a_stop_interrupted_is_not_cancelled_by_the_next_move(
    hand, material, rest
):
    hand.move(material, 1.0)
    hand.answer(hand.jobs[0])
    rest()
    assert hand.newest.width == FULL.width
    session.current.close()
    session.current.connect(hand.worker)
    session.current.state, session.current.models = "connected", hand.worker.models
    assert live.is_settled()
    hand.move(material, 2.0)
    assert len(hand.jobs) == 3
    assert not [call for call in hand.worker.calls if call[0] == "cancel"]


def test_sliders_say_why_they_cannot_move(hand, material, plane):
    assert live.obstacle(material) == ""
    session.current.models = ()
    assert "no model bricks" in live.obstacle(material)
    session.current.close()
    assert "press Start" in live.obstacle(material)
    assert not bpy.ops.tilewright.reset_latents.poll()
    hand.move(material, 1.0)
    assert hand.jobs == []
    assert "generate one first" in live.obstacle(None)


def test_buttons_call_the_plain_functions(hand, material):
    steering.steer(material, seed=8, directions={"pca 2": -1.0})
    assert (hand.newest.seed, hand.newest.directions) == (8, (("pca 2", -1.0),))
    hand.answer(hand.jobs[0])
    bpy.ops.tilewright.change_seed(step=-1)
    assert hand.newest.seed == 7
    hand.answer(hand.jobs[1])
    bpy.ops.tilewright.change_seed(draw_new=True)
    assert hand.newest.seed not in (7, 8)
    hand.answer(hand.jobs[2])
    bpy.ops.tilewright.reset_latents()
    assert hand.newest.directions == ()
    assert hand.newest.seed == material.tilewright.latents.seed


def test_settling_waits_for_the_pixels_of_the_full_size(hand, material, monkeypatch):
    hand.move(material, 1.0)
    answered: list[str] = []

    def play_the_worker() -> None:
        for job in set(hand.jobs) - set(answered):
            answered.append(job)
            hand.worker.state(job, "succeeded")
            return
        for job in answered[:]:
            if not session.current.jobs[job].done:
                hand.answer(job, 20 * len(answered))

    monkeypatch.setattr(time, "sleep", lambda _seconds: play_the_worker())
    steering.settle(20)
    assert (len(answered), shown_value(material)) == (2, 40)
    assert sliders.is_shown(material)


@pytest.mark.parametrize("moved_first", [False, True])
def test_settling_without_a_worker_says_that_what_was_asked_for_is_not_shown(
    hand, material, moved_first
):
    session.current.close()
    steering.settle(20)  # what shows all that it asks for needs no worker
    session.current.connect(hand.worker)
    if moved_first:
        session.current.state, session.current.models = "connected", hand.worker.models
        hand.move(material, 1.0)
    session.current.close()
    hand.move(material, 1.5)
    with pytest.raises(WorkerError) as caught:
        steering.settle(20)
    assert caught.value.code == "worker_gone"
    assert material.name in str(caught.value) and "start_worker(wait=True)" in str(caught.value)


def test_a_preview_is_waited_for_only_while_it_is_due(hand, material, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    assert live.patience() == 0
    hand.move(material, 1.0)
    hand.answer(hand.jobs[-1])  # its forward pass took 0.1 s
    clock[0] += 1.0
    hand.move(material, 2.0)
    for since, seconds in ((0.05, 0.0), (0.099, live.PATIENCE), (10.0, live.PATIENCE)):
        clock[0] = 101.0 + since
        assert live.patience() == seconds
    waits = [live.patience() for _ in range(100)]
    assert sum(waits) < 0.2 and waits[-1] == 0


def test_a_preview_is_shown_in_the_tick_in_which_it_comes(hand, material, monkeypatch):
    monkeypatch.setattr(pump, "STEP_DEADLINE", 0.0)  # its pixels were waited for as long
    monkeypatch.setattr(pump, "URGENT_DEADLINE", 60.0)
    hand.move(material, 1.0)
    job = hand.jobs[-1]
    hand.worker.finish(job, hand.make(256, 128))
    pump.tick()
    assert not pump.pending()
    assert node_tree.is_preview(material)


def test_the_sidebar_is_not_drawn_anew_for_what_happens_to_a_preview(hand, material, monkeypatch):
    hand.move(material, 1.0)
    pump._timer()
    drawn = []
    monkeypatch.setattr(pump, "_redraw", lambda: drawn.append(1))
    hand.worker.events += [JobAccepted(hand.jobs[-1]), WorkerStatus("busy", "CPU", 1.0)]
    hand.worker.state(hand.jobs[-1], "running")
    pump._timer()
    assert not drawn
    hand.worker.finish(hand.jobs[-1], hand.make(256, 128))
    pump._timer()
    assert drawn


def test_a_sleeping_timer_is_woken_by_a_slider(hand, material):
    assert pump.tick() == pump.IDLE_INTERVAL
    hand.move(material, 1.0)
    assert bpy.app.timers.is_registered(pump._timer)
    assert pump.tick() <= pump.LIVE_INTERVAL


@pytest.mark.skipif(
    bpy.app.version < (4, 5, 0), reason="Blender tells of what is appended from 4.5 on"
)
def test_sliders_of_an_appended_material_have_their_names(material, tmp_path):
    path, name = str(tmp_path / "bricks.blend"), material.name
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path) as (_, wanted):
        wanted.materials = [name]
    assert bpy.context.scene.tilewright.direction_labels["bricks/pca 1"].label == "Direction 1"
