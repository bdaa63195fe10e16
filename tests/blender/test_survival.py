"""What Blender does to a result on its way, case by case; those that need more than a stand-in are elsewhere.

File opened during a job: `test_pump`, `test_file_opened_*`.
Undo between request and result: `test_pump`, `test_undone_target_*` and `test_undo_and_redo_*`.
Target deleted, renamed: `test_pump`, `test_deleted_target_*`, `test_renamed_target_*`; linked, overridden: here.
Quit during a job: `test_real_worker`, `test_quitting_*`, and `test_registration`, `test_unregister_*`.
A hundred reloads: `test_registration` (timer, handlers) and `test_real_worker` (sockets).
Render or bake running: here. In the background, where no timer fires: here.
Main thread stalled for minutes: `test_real_worker`, `test_a_main_thread_*`.
Last request wins: `test_pump`, `test_last_request_*`, `test_request_made_while_*`.
Online access off: `test_operators`, `test_other_computer_*`, and `test_installation`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

from blender_addon.generation import requests, results
from blender_addon.shader import node_tree
from blender_addon.steering import live, sliders
from blender_addon.worker import pump, session
from gan_worker.config import GenerationConfig
from gan_worker.errors import RequestError

CONFIG = GenerationConfig("bricks", 5, 48, 32)


def generate(obj: bpy.types.Object) -> session.Job:
    (job,) = requests.generate_for_objects([obj], CONFIG)
    return job


def link_from(path: Path) -> bpy.types.Object:
    """Open an empty file in which the only object, with its material, is linked from that one."""
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(path), link=True) as (there, wanted):
        wanted.objects = list(there.objects)
    (linked,) = wanted.objects
    bpy.context.scene.collection.objects.link(linked)
    return linked


def test_a_target_that_is_linked_by_now_is_left_alone(stand_in, plane, maps, tmp_path):
    job = generate(plane)
    linked = link_from(tmp_path / "library.blend")
    kept = linked.active_material
    assert kept.tilewright.uuid == job.target
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    assert not node_tree.images_of(kept)
    (made,) = [m for m in bpy.data.materials if not m.library]
    assert made.tilewright.unassigned
    assert set(node_tree.images_of(made)) == set(maps)
    assert session.current.last_error is None


def test_an_object_of_ones_own_with_a_linked_material_gets_one_of_its_own(
    stand_in, plane, maps, tmp_path
):
    stand_in.finish(generate(plane).id, maps)
    pump.tick()
    pump.finish()
    foreign = link_from(tmp_path / "library.blend").active_material
    bpy.ops.mesh.primitive_plane_add()
    own = bpy.context.object
    own.data.materials.append(foreign)
    job = generate(own)
    assert own.active_material != foreign
    assert job.target != foreign.tilewright.uuid


@pytest.fixture
def overridden(stand_in, plane, maps, tmp_path) -> bpy.types.Material:
    """A library override of a material, on an object of this file."""
    stand_in.finish(generate(plane).id, maps)
    pump.tick()
    pump.finish()
    foreign = link_from(tmp_path / "library.blend").active_material
    bpy.ops.mesh.primitive_plane_add()
    bpy.context.object.data.materials.append(foreign)
    (name, path) = foreign.name, foreign.library.filepath
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.materials = [name]  # itself, no longer by way of its object alone
    material = wanted.materials[0].override_create(remap_local_usages=True)
    assert material.is_editable
    assert bpy.context.object.active_material == material
    return material


def test_a_library_override_is_not_changed_since_it_would_not_be_kept(overridden):
    assert not node_tree.is_ours(overridden)
    assert not sliders.steered()
    assert "make it local" in live.obstacle(overridden)
    assert "Outliner" in live.obstacle(overridden)
    with pytest.raises(RequestError) as caught:
        node_tree.check_local(overridden)
    assert "linked from another, library.blend" in caught.value.info.message
    job = generate(bpy.context.object)
    assert bpy.context.object.active_material != overridden
    assert job.target != overridden.tilewright.uuid


def test_a_result_for_what_is_a_library_override_by_now_leaves_it_alone(stand_in, overridden, make):
    config = replace(CONFIG, seed=99)
    job = session.current.generate(config, overridden.tilewright.uuid, results.MATERIAL)
    shown = node_tree.images_of(overridden)
    stand_in.finish(job.id, make(48, 32, seed=1))
    pump.tick()
    pump.finish()
    assert node_tree.images_of(overridden) == shown
    assert node_tree.read_recipe(overridden).config.seed == 5
    assert any(m.tilewright.unassigned for m in bpy.data.materials)


def test_a_library_override_that_was_made_local_moves(overridden):
    overridden.make_local()
    assert not overridden.override_library
    assert live.obstacle(overridden) == ""
    assert sliders.steered() == [overridden]


@pytest.mark.parametrize("slow", ["RENDER", "OBJECT_BAKE"])
def test_results_wait_while_blender_reads_the_scene(stand_in, plane, maps, monkeypatch, slow):
    """The question that is asked of Blender is answered here: the module can do neither in the background."""
    running = {slow}
    app = SimpleNamespace(background=False, is_job_running=lambda kind: kind in running)
    stand_in.finish(generate(plane).id, maps)
    with monkeypatch.context() as patched:
        patched.setattr(pump, "bpy", SimpleNamespace(app=app, context=bpy.context))
        pump.tick()
        pump.tick()
        assert pump.pending() == len(maps) + 1
        assert not any(image.name.startswith("bricks") for image in bpy.data.images)
        running.clear()
        pump.wait(lambda: pump.pending() <= len(maps), 60)
    pump.finish()
    assert set(node_tree.images_of(plane.active_material)) == set(maps)


def test_in_the_background_no_timer_fires_and_an_explicit_wait_brings_the_result(
    stand_in, plane, maps
):
    assert bpy.app.background
    assert bpy.app.timers.is_registered(pump._timer)
    pump.wake()  # the timer is due at once
    ticks = pump.statistics.ticks
    bpy.context.view_layer.update()
    bpy.ops.mesh.primitive_cube_add()
    assert pump.statistics.ticks == ticks
    bpy.context.view_layer.objects.active = plane

    collect = stand_in.collect

    def answering(budget: float = 0.004) -> list:
        for job in [j for j in stand_in.submitted if not session.current.jobs[j].ended]:
            stand_in.finish(job, maps)
        return collect(budget)

    stand_in.collect = answering
    chosen = bpy.context.scene.tilewright
    chosen.width, chosen.height = 48, 32
    assert bpy.ops.tilewright.generate_material(wait=True, timeout=20) == {"FINISHED"}
    assert set(node_tree.images_of(plane.active_material)) == set(maps)
    assert pump.statistics.ticks > ticks
