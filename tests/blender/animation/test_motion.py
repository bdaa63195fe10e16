"""Motion: loops and keyframes baked into image sequences, latents that follow the time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

import gan_worker.styles.motion
from blender_addon.animation import motion
from blender_addon.generation import requests, results
from blender_addon.shader import node_tree
from blender_addon.steering import favourites, live, sliders
from blender_addon.worker import pump, session
from gan_worker.config import GenerationConfig
from gan_worker.errors import ErrorInfo, TilewrightError
from gan_worker.estimation import Estimation
from gan_worker.style import Seed
from gan_worker.wire.messages import EstimatorEntry

FULL = GenerationConfig("bricks", seed=5, width=64, height=32)
PROBES = 8


class Worker:
    """Answers one request with each look for news; `instead` is called for the frame of that number."""

    def __init__(self, client, make) -> None:
        self.client, self.make = client, make
        self.answered: list[str] = []
        self.most_waiting = 0
        self.instead = {}
        client.collect, self._collect = self.collect, client.collect

    @property
    def frames(self) -> list[GenerationConfig]:
        """What was asked for as frames, in order."""
        return [c for c in self.client.submitted.values() if (c.width, c.height) == (64, 32)]

    def collect(self, budget=0.004):
        waiting = [job for job in self.client.submitted if job not in self.answered]
        self.most_waiting = max(self.most_waiting, len(waiting))
        for job in waiting[:1]:
            config = self.client.submitted[job]
            number = self.frames.index(config) + 1 if config in self.frames else 0
            if number in self.instead:
                self.instead.pop(number)(job)
                break
            self.answered.append(job)
            maps = self.make(config.width, config.height)
            maps = {name: maps[name] for name in ("base_color", "roughness", "height")}
            # Frames get brighter, so that it shows which is which.
            maps["base_color"] = np.full_like(maps["base_color"], min(255, 50 * number))
            self.client.finish(job, maps)
        return self._collect(budget)


@pytest.fixture
def worker(stand_in, make, monkeypatch) -> Worker:
    monkeypatch.setattr(gan_worker.styles.motion, "PROBES", PROBES)
    session.current.protocol = (1, 2)
    return Worker(stand_in, make)


@pytest.fixture
def material(worker, plane, tmp_path) -> bpy.types.Material:
    """A material at full size in a saved file, and a Motion panel set to six frames around it."""
    for job in requests.generate_for_objects([plane], FULL):
        pump.wait_for_job(job, 20)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    worker.client.submitted.clear()
    worker.answered.clear()
    chosen().frames = 6
    worker.most_waiting = 0
    return bpy.context.object.active_material


def chosen() -> bpy.types.PropertyGroup:
    return bpy.context.scene.tilewright.motion


def settle() -> None:
    """Let all that moves come to rest."""
    for _ in range(10):
        live.let_rest()
        pump.tick()
        pump.finish()


def files(tmp_path: Path) -> list[str]:
    return sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.png"))


def user_of(material) -> bpy.types.ImageUser:
    return material.node_tree.nodes[node_tree.texture_node_name("base_color")].image_user


def test_loop_becomes_an_image_sequence_of_every_map(worker, material, tmp_path, monkeypatch):
    steps: list[str] = []
    monkeypatch.setattr(results, "push_undo", steps.append)
    bpy.context.scene.frame_start = 11
    bpy.ops.tilewright.bake_motion(wait=True)
    shown = node_tree.images_of(material)
    assert {n: (i.source, i.colorspace_settings.name) for n, i in shown.items()} == {
        "base_color": ("SEQUENCE", "sRGB"),
        "roughness": ("SEQUENCE", "Non-Color"),
        "height": ("SEQUENCE", "Non-Color"),
    }
    place = "//textures/bricks_loop_64x32/bricks_loop_64x32_"
    assert shown["base_color"].filepath.replace("\\", "/") == f"{place}basecolor_0001.png"
    assert len(files(tmp_path)) == 18
    assert not list(tmp_path.glob("textures/.*"))
    for name in shown:
        user = material.node_tree.nodes[node_tree.texture_node_name(name)].image_user
        assert (user.frame_duration, user.frame_start, user.frame_offset) == (6, 11, 0)
        assert user.use_cyclic
        assert user.use_auto_refresh
    assert steps == ["Bake Loop"]
    assert worker.most_waiting <= motion.MOST_SENT
    assert len(worker.client.submitted) == PROBES + 6
    assert motion.MotionBake.newest().evenness.largest > 0
    assert motion.MotionBake.newest().progress.done == 6


@pytest.mark.parametrize(
    "button", ["export_material", "keep_asset", "validate_material", "paint_repair_mask"]
)
def test_what_needs_a_still_says_of_a_loop_how_it_is_shown_and_leaves_the_loop(
    worker, material, tmp_path, button
):
    bpy.context.scene.tilewright.export_folder = str(tmp_path / "export")
    bpy.ops.tilewright.bake_motion(wait=True)
    with pytest.raises(RuntimeError, match=r"it moves.*Press Apply in the Latents panel"):
        getattr(bpy.ops.tilewright, button)()
    assert node_tree.shows_sequence(material)
    bpy.ops.tilewright.apply_latents(wait=True)
    assert len(files(tmp_path)) == 18
    pump.finish()
    assert getattr(bpy.ops.tilewright, button)() == {"FINISHED"}


def test_frames_go_around_the_look_and_keep_its_border(worker, material):
    material.tilewright.latents.directions["pca 1"].amount = 1.0
    settle()
    worker.client.submitted.clear()
    chosen().radius, chosen().sway, chosen().second = 2.0, 0.25, "factor 1"
    bpy.ops.tilewright.bake_motion(wait=True)
    asked = worker.frames
    for number, config in enumerate(asked):
        assert config.seed == 5
        assert config.origin == (16, 32)
        assert config.sway == (0.25, pytest.approx(number / 6, abs=1e-6))
        away = dict(config.directions)
        assert np.hypot(away.get("pca 1", 0) - 1, away.get("factor 1", 0)) == pytest.approx(2)
    assert len(set(asked)) == 6


@pytest.mark.parametrize("path", ["CIRCLE", "KEYFRAMES"])
def test_frames_keep_the_layout_that_was_chosen(worker, material, path):
    live.take(material, replace(sliders.wanted(material), sway=(0.4, 0.25)))
    material.tilewright.latents.directions["pca 1"].keyframe_insert("amount", frame=1)
    settle()
    worker.client.submitted.clear()
    bpy.context.scene.frame_end = 3
    chosen().path, chosen().sway = path, 0.0
    bpy.ops.tilewright.bake_motion(wait=True)
    assert {config.sway for config in worker.frames} == {(0.4, 0.25)}


def test_border_that_is_not_known_is_that_of_the_first_frame(worker, material):
    material.tilewright.latents.placed = ""
    bpy.ops.tilewright.bake_motion(wait=True)
    assert [c.origin for c in worker.frames] == [None, *[(16, 32)] * 6]


def test_loop_goes_through_ticked_favourites_of_this_model(worker, material):
    scene = bpy.context.scene
    for seed in (7, 8, 9):
        material.tilewright.latents.seed = seed
        favourites.add(scene, material)
    material.tilewright.latents.seed = 5
    settle()
    worker.client.submitted.clear()
    scene.tilewright.favourites[1].in_loop = False
    chosen().path, chosen().sway = "FAVOURITES", 0.0
    bpy.ops.tilewright.bake_motion(wait=True)
    asked = worker.frames
    assert {config.seed for config in asked} == {5}
    assert asked[0].style == ((Seed(7), 1.0),)
    assert {style.number for config in asked for style, _ in config.style} == {7, 9}
    scene.tilewright.favourites[0].in_loop = False
    assert "tick them" in motion.obstacle(scene, material)


def test_rendered_frames_show_their_pictures_and_begin_anew(worker, material, tmp_path):
    bpy.ops.tilewright.bake_motion(wait=True)
    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("white")
    scene.world.color = (1, 1, 1)
    bpy.ops.object.camera_add(location=(0, 0, 1))
    scene.camera = bpy.context.object
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.render.resolution_x = scene.render.resolution_y = 8
    scene.render.filepath = str(tmp_path / "render ")
    scene.frame_start, scene.frame_end, scene.frame_step = 1, 7, 3
    asked = len(worker.client.submitted)
    bpy.ops.render.render(animation=True)
    light = [bpy.data.images.load(str(tmp_path / f"render {n:04}.png")) for n in (1, 4, 7)]
    first, fourth, seventh = (np.reshape(i.pixels[:], (-1, 4))[:, :3].mean() for i in light)
    assert fourth > first + 0.05
    assert seventh == pytest.approx(first, abs=0.01)
    assert len(worker.client.submitted) == asked


def test_cancelled_bake_leaves_all_as_it_was(worker, material, tmp_path):
    before = node_tree.images_of(material)
    worker.instead = {3: lambda job: bpy.ops.tilewright.cancel_motion()}
    with pytest.raises(RuntimeError, match="cancelled"):
        bpy.ops.tilewright.bake_motion(wait=True)
    assert motion.MotionBake.newest().state == "cancelled"
    assert node_tree.images_of(material) == before
    assert list((tmp_path / "textures").iterdir()) == []
    assert ("cancel", next(reversed(worker.client.submitted))) in worker.client.calls
    assert not motion.MotionBake.running()
    bpy.ops.tilewright.bake_motion(wait=True)
    assert motion.MotionBake.newest().state == "succeeded"


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        ("failed", "out_of_memory"),
        ("stopped", "worker_gone"),
        ("deleted", "wrong_state"),
        ("retrained", "wrong_state"),
    ],
)
def test_what_goes_wrong_is_said_and_leaves_the_material(worker, material, tmp_path, happens, code):
    target = material.tilewright.uuid

    def fail(job: str) -> None:
        worker.answered.append(job)
        if happens == "failed":
            worker.client.state(job, "failed", ErrorInfo("out_of_memory", "Too large.", "Smaller."))
        elif happens == "stopped":
            session.current.close()
        elif happens == "deleted":
            bpy.data.materials.remove(node_tree.find_material(target))
            worker.answered.remove(job)
        else:
            motion.MotionBake.newest()._made_by = ("b" * 64, "")
            worker.answered.remove(job)

    worker.instead = {3: fail}
    with pytest.raises(RuntimeError, match=rf"\[{code}\]"):
        bpy.ops.tilewright.bake_motion(wait=True)
    assert motion.MotionBake.newest().state == "failed"
    kept = (
        18 if happens == "deleted" else 0
    )  # they were all made, and nothing of the artist's is thrown away
    assert len(files(tmp_path)) == kept
    assert not list(tmp_path.glob("textures/.*"))


def test_frames_have_estimated_maps_of_one_estimator(worker, material):
    worker.client.estimators = (EstimatorEntry("", "0" * 16),)
    session.current.protocol = (1, 5)
    live.take(material, replace(sliders.wanted(material), estimation=Estimation()))
    settle()
    assert node_tree.recipe_of(material).estimator
    worker.client.submitted.clear()
    bpy.ops.tilewright.bake_motion(wait=True)
    assert [bool(c.estimation) for c in worker.client.submitted.values()] == [False] * 8 + [
        True
    ] * 6
    assert node_tree.shows_sequence(material)

    def learn(job: str) -> None:
        worker.client.estimators = (EstimatorEntry("", "1" * 16),)

    worker.answered.clear()
    worker.client.submitted.clear()
    worker.instead = {3: learn}
    with pytest.raises(RuntimeError, match=r"one has learned on"):
        bpy.ops.tilewright.bake_motion(wait=True)


def test_another_file_ends_the_bake(worker, material, tmp_path):
    motion.start(bpy.context.scene, material)
    pump.tick()
    bpy.ops.wm.read_homefile(use_empty=True)
    assert motion.MotionBake.newest() is None
    pump.wait(lambda: not list((tmp_path / "textures").iterdir()), 20)


def test_reasons_stand_beside_the_button(worker, material):
    scene = bpy.context.scene
    assert motion.obstacle(scene, None)
    assert motion.obstacle(scene, material) == ""
    session.current.protocol = (1, 1)
    assert "update" in motion.obstacle(scene, material)
    session.current.protocol = (1, 2)
    chosen().path = "FAVOURITES"
    assert "favorites" in motion.obstacle(scene, material)
    chosen().path = "KEYFRAMES"
    assert "press I" in motion.obstacle(scene, material)
    with pytest.raises(TilewrightError) as caught:
        motion.start(scene, material)
    assert "press I" in str(caught.value)
    chosen().path = "CIRCLE"
    motion.start(scene, material)
    assert not bpy.ops.tilewright.bake_motion.poll()
    with pytest.raises(TilewrightError):
        motion.start(scene, material)


def test_pictures_need_a_saved_file_or_a_folder(stand_in, worker, plane, tmp_path):
    for job in requests.generate_for_objects([plane], FULL):
        pump.wait_for_job(job, 20)
    scene, material = bpy.context.scene, plane.active_material
    assert "Save the file first" in motion.obstacle(scene, material)
    scene.tilewright.texture_folder = ""
    assert "Choose a folder" in motion.obstacle(scene, material)
    scene.tilewright.texture_folder = str(tmp_path / "elsewhere")
    chosen().frames = 2
    bpy.ops.tilewright.bake_motion(wait=True)
    assert len(files(tmp_path / "elsewhere")) == 6


def test_circle_of_one_slider_is_refused(worker, material):
    chosen().second = "pca 1"
    with pytest.raises(RuntimeError, match=r"\[invalid_config\]"):
        bpy.ops.tilewright.bake_motion(wait=True)


def test_a_loop_that_stands_still_is_refused_before_anything_is_made(worker, material):
    chosen().radius = chosen().sway = 0.0
    with pytest.raises(RuntimeError, match=r"must move.*\[invalid_config\]"):
        bpy.ops.tilewright.bake_motion(wait=True)
    assert not worker.client.submitted


def test_undo_takes_the_loop_away_and_redo_brings_it_back(worker, material):
    target = material.tilewright.uuid
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.tilewright.bake_motion(wait=True)
    bpy.ops.ed.undo_push(message="Bake Loop")
    asked = len(worker.client.submitted)
    bpy.ops.ed.undo()
    settle()
    assert not node_tree.shows_sequence(node_tree.find_material(target))
    bpy.ops.ed.redo()
    settle()
    again = node_tree.find_material(target)
    assert node_tree.shows_sequence(again)
    assert user_of(again).frame_duration == 6
    assert len(worker.client.submitted) == asked


def test_loop_is_there_when_the_file_is_opened_again(worker, material, tmp_path):
    target = material.tilewright.uuid
    bpy.ops.tilewright.bake_motion(wait=True)
    bpy.ops.wm.save_mainfile()
    asked = len(worker.client.submitted)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    settle()
    loaded = node_tree.find_material(target)
    assert node_tree.shows_sequence(loaded)
    assert user_of(loaded).use_cyclic
    assert all(Path(bpy.path.abspath(i.filepath)).exists() for i in bpy.data.images)
    assert len(worker.client.submitted) == asked


def test_slider_moved_by_hand_makes_it_still_again(worker, material):
    bpy.ops.tilewright.bake_motion(wait=True)
    material.tilewright.latents.directions["pca 1"].amount = 1.0
    settle()
    assert not node_tree.shows_sequence(material)
    assert sliders.is_shown(material)


def test_another_resolution_makes_it_still_again_and_its_own_leaves_the_loop(worker, material):
    bpy.ops.tilewright.bake_motion(wait=True)
    bpy.ops.tilewright.switch_size(side=64, wait=True)
    assert node_tree.shows_sequence(material)
    bpy.ops.tilewright.switch_size(side=128, wait=True)
    assert tuple(node_tree.images_of(material)["base_color"].size) == (128, 64)
    assert sliders.is_shown(material)


# ---- keyframes


def key(material, **amounts) -> None:
    """Keyframes of `pca 1` at frames: f1=0.0 is 0 at frame 1."""
    slider = material.tilewright.latents.directions["pca 1"]
    for frame, amount in amounts.items():
        slider.amount = amount
        slider.keyframe_insert("amount", frame=int(frame[1:]))
    settle()


def newest(worker) -> GenerationConfig:
    return list(worker.client.submitted.values())[-1]


def test_material_follows_its_keyframes_with_the_time(worker, material):
    key(material, f1=0.0, f11=2.0)
    scene = bpy.context.scene
    worker.client.submitted.clear()
    scene.frame_set(6)
    assert newest(worker).directions == (("pca 1", 1.0),)
    asked = len(worker.client.submitted)
    scene.frame_set(6)
    assert len(worker.client.submitted) == asked
    for frame in (7, 8, 9, 11):  # nothing queues up while one is under way
        scene.frame_set(frame)
    assert len(worker.client.submitted) == asked
    settle()
    assert newest(worker).directions == (("pca 1", 2.0),)
    assert sliders.is_shown(material)
    assert session.current.last_error is None


def test_materials_without_keyframes_are_not_looked_at_with_each_frame(
    worker, material, monkeypatch
):
    key(material, f1=0.0, f11=2.0)
    for number in range(20):
        sliders.store(node_tree.new_material(f"still {number}"), FULL)
    asked, has_latents = [], sliders.has_latents
    monkeypatch.setattr(sliders, "has_latents", lambda m: asked.append(m) or has_latents(m))
    bpy.context.scene.frame_set(4)
    assert set(asked) == {material}


def test_hand_moved_slider_goes_back_to_its_keyframes(worker, material):
    key(material, f1=0.5, f11=0.5)
    scene = bpy.context.scene
    scene.frame_set(2)
    settle()
    material.tilewright.latents.directions["pca 1"].amount = 3.0
    settle()
    assert newest(worker).directions == (("pca 1", 3.0),)
    scene.frame_set(3)
    settle()
    assert newest(worker).directions == (("pca 1", 0.5),)


def test_nothing_follows_where_it_is_not_wanted(worker, material):
    key(material, f1=0.0, f11=2.0)
    scene = bpy.context.scene
    scene.tilewright.live = False
    worker.client.submitted.clear()
    scene.frame_set(5)
    scene.tilewright.live = True
    chosen().path = "KEYFRAMES"
    scene.frame_start, scene.frame_end = 1, 3
    bpy.ops.tilewright.bake_motion(wait=True)
    asked = len(worker.client.submitted)
    scene.frame_set(2)  # the pictures are there
    assert len(worker.client.submitted) == asked
    assert node_tree.shows_sequence(material)


def test_baked_keyframes_are_what_each_frame_asks_for(worker, material, tmp_path):
    latent = material.tilewright.latents
    latent.truncation_psi = 0.5
    latent.keyframe_insert("truncation_psi", frame=1)
    key(material, f3=0.0, f7=4.0)
    scene = bpy.context.scene
    scene.frame_set(3)
    settle()
    worker.client.submitted.clear()
    chosen().path, scene.frame_start, scene.frame_end = "KEYFRAMES", 3, 6
    bpy.ops.tilewright.bake_motion(wait=True)
    amounts = [dict(config.directions).get("pca 1", 0.0) for config in worker.frames]
    expected = []
    for frame in range(3, 7):
        scene.frame_set(frame)
        expected.append(round(latent.directions["pca 1"].amount, 4))
    assert amounts == pytest.approx(expected, abs=1e-4)
    assert {config.truncation_psi for config in worker.frames} == {0.5}
    assert len(files(tmp_path)) == 12
    assert (user_of(material).frame_start, user_of(material).frame_duration) == (3, 4)
    assert not user_of(material).use_cyclic
    assert motion.MotionBake.newest().evenness.closing is None


def test_keyframes_that_end_where_they_begin_make_a_loop(worker, material):
    key(material, f1=0.0, f3=2.0, f5=0.0)
    scene = bpy.context.scene
    chosen().path, scene.frame_start, scene.frame_end = "KEYFRAMES", 1, 4
    bpy.ops.tilewright.bake_motion(wait=True)
    assert user_of(material).use_cyclic
    assert motion.MotionBake.newest().evenness.closing is not None
