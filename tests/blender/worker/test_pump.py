"""Results find their way into Blender's data, whatever happened to the file meanwhile."""

from __future__ import annotations

import time
import types
from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_addon.generation import properties, requests, results
from blender_addon.shader import images, node_tree
from blender_addon.steering import live
from blender_addon.worker import pump, session
from gan_worker.client.events import JobReport, MapReady, MaterialReady
from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.errors import ErrorInfo
from gan_worker.materials.metadata import SOURCE_TYPE
from gan_worker.progress import Stage
from gan_worker.wire.messages import JobRejected, ModelList

from ..conftest import MODEL

CONFIG = GenerationConfig("bricks", seed=5, width=48, height=32)


def pump_all() -> None:
    pump.tick()
    pump.finish()


def generate(objects, config=CONFIG, **more) -> session.Job:
    return requests.generate_for_objects(objects, config, **more)[0]


def test_result_fills_the_material_of_the_object(stand_in, plane, maps):
    job = generate([plane])
    material = plane.active_material
    assert material.tilewright.uuid == job.target
    assert not node_tree.images_of(material)
    stand_in.finish(job.id, maps)
    pump_all()
    assert set(node_tree.images_of(material)) == set(maps)
    assert material.tilewright.seed == 5
    packed = [i.packed_file for i in node_tree.images_of(material).values()]
    assert all(SOURCE_TYPE.encode() in file.data for file in packed)
    assert node_tree.images_of(material)["base_color"].name == "bricks_5_48x32_basecolor"


def test_next_result_updates_the_same_material_in_place(stand_in, plane, maps, make):
    stand_in.finish(generate([plane]).id, maps)
    pump_all()
    material, count = plane.active_material, len(plane.active_material.node_tree.nodes)
    other = make(48, 32, seed=1)
    stand_in.finish(generate([plane], GenerationConfig("bricks", 6, 48, 32)).id, other)
    pump_all()
    assert plane.active_material == material
    assert len(bpy.data.materials) == 1
    assert len(material.node_tree.nodes) == count
    assert len([i for i in bpy.data.images if images.JOB_KEY in i]) == len(maps)
    shown = images.read_pixels(node_tree.images_of(material)["base_color"])[..., :3]
    np.testing.assert_allclose(shown, other["base_color"] / 255, atol=1e-6)


def test_a_model_is_chosen_where_none_was(stand_in):
    chosen = bpy.context.scene.tilewright
    chosen.model = ""
    stand_in.request_models()
    pump_all()
    assert chosen.model == "bricks"
    chosen.model = "granite"  # whatever the artist chose stays
    stand_in.request_models()
    pump_all()
    assert chosen.model == "granite"


def test_a_model_is_chosen_in_a_new_file_too(stand_in):
    bpy.ops.wm.read_homefile(use_empty=True)
    pump_all()
    assert bpy.context.scene.tilewright.model == "bricks"


def test_a_new_scene_gets_a_model_and_the_names_of_sliders_too(stand_in, plane, maps):
    stand_in.finish(generate([plane]).id, maps)
    pump_all()
    made = bpy.data.scenes.new("Another").tilewright
    pump_all()
    pump_all()
    assert made.model == "bricks"
    assert made.direction_labels["bricks/pca 1"].label == "Direction 1"
    asked = len(stand_in.calls)
    pump_all()
    assert len(stand_in.calls) == asked


def test_a_retired_model_is_neither_offered_nor_chosen(stand_in):
    chosen = bpy.context.scene.tilewright
    retired = replace(MODEL, name="cobble", retired=True)
    stand_in.events.append(ModelList((retired, MODEL)))
    chosen.model = ""
    pump_all()
    assert chosen.model == MODEL.name
    assert properties.offered_models() == [MODEL.name]
    # What was made with it goes on.
    chosen.model = "cobble"
    stand_in.events.append(ModelList((retired, MODEL)))
    pump_all()
    assert chosen.model == "cobble"
    assert session.current.model("cobble") == retired


def test_the_sidebar_is_drawn_anew_only_where_something_was_heard(stand_in, monkeypatch):
    drawn = []
    monkeypatch.setattr(pump, "_redraw", lambda: drawn.append(1))
    job = session.current.train(TrainingConfig("bricks", ("a.png",)))
    stand_in.state(job.id, "running")
    pump._timer()
    assert session.current.busy
    before = len(drawn)
    for _ in range(5):
        pump._timer()
    assert len(drawn) == before
    stand_in.events.append(JobReport(job.id, Stage("training")))
    pump._timer()
    assert len(drawn) == before + 1


def test_the_sidebar_is_not_drawn_anew_with_every_piece_of_work(stand_in, plane, maps, monkeypatch):
    drawn, ticks = [], 0
    monkeypatch.setattr(pump, "_redraw", lambda: drawn.append(1))
    monkeypatch.setattr(pump, "_do_work", lambda *_: pump._step())
    stand_in.finish(generate([plane]).id, maps)
    pump._timer()
    while pump.pending():
        pump._timer()
        ticks += 1
    assert ticks > 10
    assert len(drawn) <= 3


def test_the_sidebar_is_drawn_anew_once_long_work_has_ended(monkeypatch):
    done, drawn = [], []
    monkeypatch.setattr(pump, "_redraw", lambda: drawn.append(len(done)))

    def work():
        yield False
        done.append(1)

    pump.run_along(work())
    while pump.companions():
        pump._timer()
    assert drawn[-1] == 1, "what came of it is shown"


def test_several_objects_share_one_material(stand_in, planes, maps):
    stand_in.finish(generate(planes).id, maps)
    pump_all()
    assert len({o.active_material.name for o in planes}) == 1
    assert len(stand_in.submitted) == 1


def test_vary_gives_each_object_its_own_seed(stand_in, planes, maps):
    jobs = requests.generate_for_objects(planes, CONFIG, vary=True)
    for job in jobs:
        stand_in.finish(job.id, maps)
    pump_all()
    assert [o.active_material.tilewright.seed for o in planes] == [5, 6, 7]
    assert len({o.active_material.name for o in planes}) == 3


def test_other_objects_keep_a_shared_material(stand_in, planes, maps):
    stand_in.finish(generate(planes).id, maps)
    pump_all()
    shared = planes[0].active_material
    generate(planes[:1])
    assert planes[0].active_material != shared
    assert planes[1].active_material == shared


def test_foreign_material_is_not_touched(stand_in, plane):
    own = bpy.data.materials.new("mine")
    plane.data.materials.append(own)
    generate([plane])
    assert plane.active_material != own
    assert own.tilewright.uuid == ""


def test_copied_material_gets_a_uuid_of_its_own(stand_in, planes, maps):
    stand_in.finish(generate(planes[:1]).id, maps)
    pump_all()
    copy = planes[0].active_material.copy()
    planes[1].data.materials.append(copy)
    job = generate(planes[1:2])
    assert planes[1].active_material == copy
    assert job.target == copy.tilewright.uuid != planes[0].active_material.tilewright.uuid


def test_file_opened_during_a_job_keeps_the_result_unassigned(stand_in, plane, maps):
    job = generate([plane])
    bpy.ops.wm.read_homefile(use_empty=True)
    stand_in.finish(job.id, maps)
    pump_all()
    (material,) = [m for m in bpy.data.materials if m.tilewright.uuid]
    assert material.tilewright.unassigned
    assert material.use_fake_user
    assert set(node_tree.images_of(material)) == set(maps)


def test_file_opened_between_maps_and_material(stand_in, plane, maps):
    job = generate([plane])
    stand_in.events += [MapReady(job.id, name, maps[name]) for name in ("base_color", "normal")]
    pump_all()
    bpy.ops.wm.read_homefile(use_empty=True)
    stand_in.finish(job.id, maps)
    pump_all()
    (material,) = [m for m in bpy.data.materials if m.tilewright.uuid]
    assert set(node_tree.images_of(material)) == set(maps)


def test_deleted_target_gets_a_new_material(stand_in, plane, maps):
    job = generate([plane])
    bpy.data.materials.remove(plane.active_material)
    stand_in.finish(job.id, maps)
    pump_all()
    assert [m.tilewright.unassigned for m in bpy.data.materials] == [True]
    assert session.current.last_error is None


def test_renamed_target_is_found(stand_in, plane, maps):
    job = generate([plane])
    plane.active_material.name, plane.name = "other", "thing"
    stand_in.finish(job.id, maps)
    pump_all()
    assert set(node_tree.images_of(plane.active_material)) == set(maps)


def test_undone_target_gives_an_unassigned_material(stand_in, plane, maps):
    bpy.ops.ed.undo_push(message="plane")
    job = generate([plane])
    bpy.ops.ed.undo_push(message="generate")
    bpy.ops.ed.undo()
    assert node_tree.find_material(job.target) is None
    stand_in.finish(job.id, maps)
    pump_all()
    assert [m.tilewright.unassigned for m in bpy.data.materials] == [True]


def test_undo_and_redo_bring_the_pixels_back(stand_in, plane, maps):
    name = plane.name
    bpy.ops.ed.undo_push(message="plane")
    stand_in.finish(generate([plane]).id, maps)
    pump_all()
    bpy.ops.ed.undo_push(message="result")
    bpy.ops.ed.undo()
    assert bpy.data.objects[name].active_material is None
    bpy.ops.ed.redo()
    image = node_tree.images_of(bpy.data.objects[name].active_material)["base_color"]
    shown = images.read_pixels(image)[..., :3]
    np.testing.assert_allclose(shown, maps["base_color"] / 255, atol=1e-6)


def test_last_request_wins_not_last_arrival(stand_in, plane, maps, make):
    first = generate([plane])
    second = generate([plane], GenerationConfig("bricks", 6, 48, 32))
    stand_in.finish(second.id, make(48, 32, seed=1))
    pump_all()
    stand_in.finish(first.id, maps)
    pump_all()
    assert plane.active_material.tilewright.seed == 6
    assert len([i for i in bpy.data.images if images.JOB_KEY in i]) == len(maps)


def test_request_made_while_the_result_is_unpacked_wins(stand_in, plane, maps):
    first = generate([plane])
    stand_in.finish(first.id, maps)
    for event in session.current.tick():
        pump._take(event)
    second = generate([plane], GenerationConfig("bricks", 6, 48, 32))
    pump.finish()
    assert not node_tree.images_of(plane.active_material)
    stand_in.finish(second.id, maps)
    pump_all()
    assert plane.active_material.tilewright.seed == 6


def test_flood_of_results_is_held_back_and_all_arrive(stand_in, make):
    from blender_addon.worker.jobs import MOST_SENT

    objects = []
    mesh = bpy.data.meshes.new("shared")
    for number in range(250):
        objects.append(bpy.data.objects.new(f"o{number:03}", mesh.copy()))
    small = make(16, 16)
    requests.generate_for_objects(objects, CONFIG, vary=True)
    answered: set[str] = set()
    while len(answered) < 250:
        for job in set(stand_in.submitted) - answered:
            stand_in.finish(job, small)
            answered.add(job)
        pump.tick()
        assert pump.pending() <= pump.MOST_WAITING + (MOST_SENT + 1) * (len(small) + 1) * 2
    pump.finish()
    assert [o.active_material.tilewright.seed for o in objects] == list(range(5, 255))
    assert not any(m.tilewright.unassigned for m in bpy.data.materials)


def test_saving_packs_what_is_still_waiting(stand_in, plane, maps, tmp_path):
    stand_in.finish(generate([plane]).id, maps)
    for event in session.current.tick():
        pump._take(event)
    assert pump.pending()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"), copy=True)
    assert not pump.pending()
    assert all(i.packed_file for i in node_tree.images_of(plane.active_material).values())


def test_textures_go_beside_the_file(stand_in, plane, maps, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    order = results.Order(folder="//textures")
    stand_in.finish(generate([plane], order=order).id, maps)
    pump_all()
    files = list((tmp_path / "textures").glob("*.png"))
    assert len(files) == len(maps)
    assert all(SOURCE_TYPE.encode() in file.read_bytes() for file in files)
    assert all(not i.packed_file for i in node_tree.images_of(plane.active_material).values())


def test_texture_folder_in_the_way_packs_and_says_so(stand_in, plane, maps, tmp_path, monkeypatch):
    steps: list[str] = []
    monkeypatch.setattr(results, "push_undo", steps.append)
    (tmp_path / "file").write_text("")
    order = results.Order(folder=str(tmp_path / "file" / "x"))
    stand_in.finish(generate([plane], order=order).id, maps)
    pump_all()
    assert session.current.last_error.code == "file_unwritable"
    shown = node_tree.images_of(plane.active_material)
    assert {name for name, image in shown.items() if image.packed_file} == set(maps)
    assert steps == ["Tilewright Material"]


@pytest.mark.parametrize(("between", "expected"), [(0.0, [1, 2, 3]), (1e12, [1, 1, 2])])
def test_results_that_come_together_share_an_undo_step_where_one_takes_long(
    stand_in, planes, maps, monkeypatch, between, expected
):
    """But for the first, which is there at once, and the last, so that none is without one."""
    steps: list[str] = []
    monkeypatch.setattr(results, "push_undo", steps.append)
    monkeypatch.setattr(results, "BETWEEN_STEPS", between)
    found = []
    for job in requests.generate_for_objects(planes, CONFIG, vary=True):
        stand_in.finish(job.id, maps)
        pump_all()
        found.append(len(steps))
    assert found == expected
    pump_all()
    assert len(steps) == expected[-1]


@pytest.mark.parametrize("folder", ["//textures", "", "textures"])
def test_textures_whose_folder_is_nowhere_are_packed(
    stand_in, plane, maps, tmp_path, monkeypatch, folder
):
    monkeypatch.chdir(tmp_path)
    job = generate([plane], order=results.Order(folder=folder))
    bpy.ops.wm.read_homefile(use_empty=True)
    stand_in.finish(job.id, maps)
    pump_all()
    (material,) = [m for m in bpy.data.materials if m.tilewright.uuid]
    shown = node_tree.images_of(material)
    assert {name for name, image in shown.items() if image.packed_file} == set(maps)
    path = tmp_path / "saved" / "scene.blend"
    path.parent.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.save_mainfile()
    beside = folder.startswith("//")
    assert [p.name for p in tmp_path.iterdir()] == ["saved"]
    assert len(list(path.parent.glob("textures/*.png"))) == (len(maps) if beside else 0)
    assert all(bool(image.packed_file) != beside for image in shown.values())
    assert session.current.last_error is None


def test_rejected_job_is_told_and_the_next_one_is_made(stand_in, plane, maps):
    job = generate([plane])
    error = ErrorInfo("invalid_size", "too odd", "try even")
    stand_in.events.append(JobRejected(job.id, error))
    pump_all()
    assert session.current.last_error == error
    assert job.done
    stand_in.finish(generate([plane]).id, maps)
    pump_all()


def test_fault_in_a_tick_reaches_the_panel_and_the_timer_lives(stand_in, monkeypatch):
    def broken(_budget: float) -> list:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(stand_in, "collect", broken)
    assert pump._timer() > 0
    assert session.current.last_error.code == "unexpected"


def test_render_or_bake_makes_results_wait(stand_in, plane, maps, monkeypatch):
    monkeypatch.setattr(pump, "_rendering", lambda: True)
    stand_in.finish(generate([plane]).id, maps)
    pump.tick()
    assert pump.pending() == len(maps) + 1
    monkeypatch.setattr(pump, "_rendering", lambda: False)
    pump_all()
    assert node_tree.images_of(plane.active_material)


@pytest.fixture
def modal(monkeypatch) -> list[str]:
    """What is modal in some window, by Blender's names; the module has none that an operator could run in."""
    names: list[str] = []

    class Window:
        screen = types.SimpleNamespace(areas=[])

        @property
        def modal_operators(self) -> list[types.SimpleNamespace]:
            return [types.SimpleNamespace(bl_idname=name) for name in names]

    manager = types.SimpleNamespace(windows=[Window(), Window()])
    app = types.SimpleNamespace(background=False, is_job_running=lambda _kind: False)
    context = types.SimpleNamespace(window_manager=manager)
    monkeypatch.setattr(pump, "bpy", types.SimpleNamespace(app=app, context=context))
    return names


@pytest.fixture
def steps(monkeypatch) -> list[str]:
    """The undo steps that are made."""
    made: list[str] = []
    monkeypatch.setattr(results, "push_undo", made.append)
    return made


@pytest.mark.parametrize(
    "stroke", ["PAINT_OT_image_paint", "SCULPT_OT_brush_stroke", "TRANSFORM_OT_translate"]
)
def test_the_file_stays_as_it_is_while_a_stroke_is_held(
    stand_in, plane, maps, modal, steps, stroke
):
    """Blender's stroke holds images and meshes, and has begun a step of undo."""
    long_work = iter([False, True])
    modal.append(stroke)
    stand_in.finish(generate([plane]).id, maps)
    pump.run_along(long_work)
    for _ in range(3):
        assert 0.01 < pump._timer() < 0.1, "neither in vain, nor late once it is let go"
    assert not node_tree.images_of(plane.active_material)
    assert not any(images.JOB_KEY in image for image in bpy.data.images)
    assert next(long_work) is False
    modal.clear()
    pump.wait(lambda: bool(steps), 60)
    assert set(node_tree.images_of(plane.active_material)) == set(maps)
    assert steps == ["Tilewright Material"]


def test_previews_follow_the_brush_while_a_stroke_is_held(stand_in, plane, maps, modal):
    stand_in.finish(generate([plane]).id, maps)
    pump_all()
    material = plane.active_material
    modal.append("PAINT_OT_vertex_paint")
    live.follow(material)
    stand_in.finish(next(reversed(stand_in.submitted)), maps)
    while not node_tree.is_preview(material):
        pump._timer()


def test_work_that_a_script_waits_for_ends_under_a_stroke_and_its_step_is_made_later(
    stand_in, plane, maps, modal, steps
):
    modal.append("SCULPT_OT_brush_stroke")
    stand_in.finish(generate([plane]).id, maps)
    pump_all()
    results.add_undo_step("Repair")
    assert set(node_tree.images_of(plane.active_material)) == set(maps)
    assert steps == []
    modal.clear()
    pump._timer()
    pump._timer()
    assert steps == ["Repair"]


def test_what_another_add_on_keeps_modal_for_ever_holds_up_nothing(
    stand_in, plane, maps, modal, steps
):
    modal += ["VIEW3D_OT_somebodys_overlay", "SCREEN_OT_animation_step"]
    stand_in.finish(generate([plane]).id, maps)
    while not steps:
        pump._timer()
    assert node_tree.images_of(plane.active_material)


def test_a_large_result_is_spread_over_many_ticks(stand_in, plane, make, monkeypatch):
    """By a clock that every piece of work moves on by 4 ms, so that no other program matters."""
    clock, steps, pieces = [0.0], [], []
    step, convert = pump._step, images._convert

    def slow_step():
        step()
        clock[0] += 0.004
        steps[-1] += 1

    def watched_convert(piece, out):
        pieces.append(piece.shape[0] * piece.shape[1])
        convert(piece, out)

    fake = types.SimpleNamespace(perf_counter=lambda: clock[0], thread_time=time.thread_time)
    monkeypatch.setattr(pump, "time", fake)
    monkeypatch.setattr(pump, "_step", slow_step)
    monkeypatch.setattr(images, "_convert", watched_convert)
    five = {k: v for k, v in make(1024, 1024).items() if k != "ambient_occlusion"}
    job = generate([plane], GenerationConfig("bricks", 1, 1024, 1024))
    stand_in.finish(job.id, five)
    while not job.done or pump.pending():
        steps.append(0)
        pump.tick()
    assert set(node_tree.images_of(plane.active_material)) == set(five)
    assert max(steps) == 2
    assert len(steps) > 50
    assert max(pieces) <= images.PIXELS_PER_STEP


@pytest.mark.parametrize(("state", "fast"), [("running", True), ("paused", False)])
def test_ticks_come_often_only_while_something_moves(stand_in, plane, state, fast):
    job = generate([plane])
    stand_in.state(job.id, state)
    assert (pump.tick() < 0.05) is fast


def _broken(*_args: object) -> None:
    raise ValueError("broken")


@pytest.mark.parametrize(
    "part",
    [
        pump.Subject(tick=_broken),
        pump.Subject(receivers={MaterialReady: _broken}),
        pump.Subject(results={results.MATERIAL: pump.Results(_broken)}),
        pump.Subject(at_rest=_broken),
    ],
    ids=["tick", "receiver", "results", "rest"],
)
def test_a_broken_subject_is_told_and_holds_up_no_other(stand_in, plane, maps, monkeypatch, part):
    job = generate([plane])
    other = session.current.generate(CONFIG, receive=(received := []).append)
    stand_in.finish(job.id, maps)
    stand_in.finish(other.id, maps)
    monkeypatch.setattr(pump, "_parts", [part, *pump._parts])
    pump_all()
    assert "ValueError: broken" in session.current.last_error.message
    assert received, "what came behind it"
    if not part.results:
        assert set(node_tree.images_of(plane.active_material)) == set(maps)


def test_a_fault_that_lasts_is_told_once(monkeypatch):
    monkeypatch.setattr(pump, "_parts", [pump.Subject(tick=_broken)])
    for expected in (True, False, False):
        session.current.dismiss()
        pump.tick()
        assert (session.current.last_error is not None) == expected
    monkeypatch.setattr(pump, "QUIET", 0.0)  # it was gone for so long
    pump.tick()
    assert session.current.last_error is not None


def test_a_broken_subject_keeps_no_other_from_being_saved(monkeypatch, tmp_path):
    saved = []
    parts = [
        pump.Subject(before_saving=_broken),
        pump.Subject(before_saving=lambda: saved.append(1)),
    ]
    monkeypatch.setattr(pump, "_parts", parts)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    assert saved
    assert "ValueError: broken" in session.current.last_error.message
