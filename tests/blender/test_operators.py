"""Buttons: one call to a plain function each, disabled with a reason, wrong input typed."""

from __future__ import annotations

import bpy
import pytest

from blender_addon.generation import requests as generation
from blender_addon.training import training
from blender_addon.worker import connection, preferences, session
from gan_worker.config import GenerationConfig
from gan_worker.errors import RequestError, TilewrightError
from gan_worker.wire.keys import new_key_pair, open_client_pair, open_key_folder, write_connection
from gan_worker.wire.messages import RunEntry


def reason(operator) -> str:
    """What Blender says about a button that is disabled."""
    with pytest.raises(RuntimeError) as caught:
        operator()
    return str(caught.value)


def code_of(function, *arguments) -> str:
    with pytest.raises(TilewrightError) as caught:
        function(*arguments)
    return caught.value.code


@pytest.mark.parametrize(
    "name",
    ["start_training", "pause_training", "generate_material", "next_seed", "refresh_models"],
)
def test_buttons_without_a_worker_are_disabled(name):
    assert not getattr(bpy.ops.tilewright, name).poll()
    assert not bpy.ops.tilewright.stop_worker.poll()


def test_training_button_makes_the_config_of_the_panel(stand_in, photo):
    scene = bpy.context.scene
    training.set_pictures(scene, [photo])
    scene.tilewright.run, scene.tilewright.minutes = "waves", 2.5
    scene.tilewright.isotropic = True
    scene.tilewright.author, scene.tilewright.license = "Ann", " CC0-1.0 "
    assert bpy.ops.tilewright.start_training() == {"FINISHED"}
    (config,) = stand_in.submitted.values()
    assert config == training.training_config(scene)
    assert (config.run, config.pictures, config.minutes) == ("waves", (str(photo),), 2.5)
    assert (config.scale, config.isotropic) == (None, True)
    assert (config.author, config.license, config.source) == ("Ann", "CC0-1.0", "")


def test_second_training_is_disabled_while_one_runs(stand_in, photo):
    training.set_pictures(bpy.context.scene, [photo])
    bpy.ops.tilewright.start_training()
    assert not bpy.ops.tilewright.start_training.poll()


def test_training_is_steered(stand_in, photo):
    training.set_pictures(bpy.context.scene, [photo])
    bpy.ops.tilewright.start_training()
    job = session.current.training
    assert not bpy.ops.tilewright.pause_training.poll()
    stand_in.state(job.id, "running")
    session.current.tick()
    bpy.ops.tilewright.pause_training()
    stand_in.state(job.id, "paused")
    session.current.tick()
    bpy.ops.tilewright.resume_training()
    bpy.ops.tilewright.stop_training()
    bpy.ops.tilewright.cancel_training()
    names = ("pause", "resume", "stop", "cancel")
    assert [c for c in stand_in.calls if c[0] in names] == [(name, job.id) for name in names]


@pytest.fixture
def stopped(stand_in, photo, plane) -> session.Job:
    """A training that a stop of the worker interrupted; another worker is connected."""
    training.set_pictures(bpy.context.scene, [photo])
    bpy.ops.tilewright.start_training()
    bpy.ops.tilewright.generate_material()
    job = session.current.training
    stand_in.state(job.id, "running")
    session.current.tick()
    bpy.ops.tilewright.stop_worker()
    session.current.connect(type(stand_in)())
    session.current.state, session.current.protocol = "connected", (1, 5)
    session.current.runs = (RunEntry("waves", "", "tiny", 1.0, 1.0, 1, True, False),)
    return job


def test_a_training_that_was_interrupted_is_continued(stopped):
    buttons = bpy.ops.tilewright
    for name in ("pause_training", "stop_training", "cancel_training", "cancel_generation"):
        assert not getattr(buttons, name).poll(), name
    assert buttons.photo_to_material.poll()
    assert buttons.start_training(resume=True) == {"FINISHED"}
    assert session.current.training is not stopped


def test_training_without_pictures_is_a_typed_error(stand_in):
    assert "[invalid_config]" in reason(bpy.ops.tilewright.start_training)
    assert session.current.last_error.code == "invalid_config"
    assert not stand_in.submitted


def test_training_with_an_impossible_name_is_a_typed_error(stand_in, photo):
    training.set_pictures(bpy.context.scene, [photo])
    bpy.context.scene.tilewright.run = "../elsewhere"
    assert "[invalid_config]" in reason(bpy.ops.tilewright.start_training)


def test_remote_aliases_are_left_alone():
    training.set_pictures(bpy.context.scene, ["photos:walls/brick.png"])
    config = training.training_config(bpy.context.scene)
    assert config.pictures == ("photos:walls/brick.png",)


def test_pictures_are_added_and_removed(photo):
    bpy.ops.tilewright.add_pictures(
        directory=str(photo.parent), files=[{"name": photo.name}, {"name": "b.png"}]
    )
    chosen = bpy.context.scene.tilewright.pictures
    assert [item.path for item in chosen] == [str(photo), str(photo.parent / "b.png")]
    bpy.ops.tilewright.remove_picture(index=0)
    assert [item.path for item in chosen] == [str(photo.parent / "b.png")]
    bpy.ops.tilewright.add_pictures(directory=str(photo.parent))
    assert chosen[1].path == str(photo.parent)


def test_generate_button_is_the_plain_function(stand_in, planes):
    scene = bpy.context.scene
    scene.tilewright.width, scene.tilewright.height, scene.tilewright.seed = 64, 32, 7
    scene.tilewright.target, scene.tilewright.vary_per_object = "SELECTED", True
    scene.tilewright.maps = {"base_color"}
    bpy.ops.tilewright.generate_material()
    by_button = list(stand_in.submitted.values())
    stand_in.submitted.clear()
    generation.generate_for_objects(
        planes, GenerationConfig("bricks", 7, 64, 32, ("base_color",)), vary=True
    )
    assert by_button == list(stand_in.submitted.values())
    assert [config.seed for config in by_button] == [7, 8, 9]


def test_active_object_only(stand_in, planes):
    bpy.context.scene.tilewright.target = "ACTIVE"
    bpy.ops.tilewright.generate_material()
    assert [bool(o.active_material) for o in planes] == [False, False, True]


def test_next_seed_counts_up(stand_in, plane):
    bpy.ops.tilewright.next_seed()
    (config,) = stand_in.submitted.values()
    assert config.seed == bpy.context.scene.tilewright.seed == 2


def test_next_seed_says_why_it_was_refused_and_keeps_the_seed(stand_in, plane):
    chosen = bpy.context.scene.tilewright
    chosen.model, chosen.seed = "granite", 7
    said = reason(bpy.ops.tilewright.next_seed)
    assert said.strip() == reason(bpy.ops.tilewright.generate_material).strip()
    assert "[unknown_model]" in said and "Traceback" not in said
    assert chosen.seed == 7
    assert not stand_in.submitted


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [("width", 500, "invalid_size"), ("model", "granite", "unknown_model")],
)
def test_impossible_request_changes_nothing(stand_in, plane, field, value, code):
    setattr(bpy.context.scene.tilewright, field, value)
    assert f"[{code}]" in reason(bpy.ops.tilewright.generate_material)
    assert plane.active_material is None
    assert session.current.last_error.cure
    assert not stand_in.submitted


@pytest.mark.parametrize(
    ("folder", "cure"), [("//textures", "Save the file"), ("", "Choose"), ("textures", "Choose")]
)
def test_files_in_a_folder_that_is_nowhere_are_refused(stand_in, plane, folder, cure):
    chosen = bpy.context.scene.tilewright
    chosen.storage = "FILES"
    if folder != chosen.texture_folder:  # Blender 4.5 warns of // where it is set
        chosen.texture_folder = folder
    assert "[file_unwritable]" in reason(bpy.ops.tilewright.generate_material)
    assert cure in session.current.last_error.cure
    assert not stand_in.submitted


def test_without_an_object_the_material_is_kept(stand_in):
    bpy.ops.tilewright.generate_material()
    (material,) = bpy.data.materials
    assert material.use_fake_user


def test_objects_that_take_no_material_are_left_out(stand_in, plane):
    bpy.ops.object.light_add()
    bpy.ops.object.empty_add()
    bpy.context.scene.tilewright.target = "SELECTED"
    for obj in bpy.context.view_layer.objects:
        obj.select_set(True)
    assert generation.target_objects(bpy.context) == [plane]


def test_repeats_show_at_once(stand_in, plane, maps):
    from blender_addon.shader import node_tree
    from blender_addon.worker import pump

    bpy.ops.tilewright.generate_material()
    (job,) = stand_in.submitted
    stand_in.finish(job, maps)
    pump.tick()
    pump.finish()
    bpy.context.scene.tilewright.scale = (4, 3)
    mapping = plane.active_material.node_tree.nodes[node_tree.MAPPING]
    assert tuple(mapping.inputs["Scale"].default_value) == (4, 3, 1)


def test_no_worker_on_the_path_is_a_typed_error(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert code_of(connection.start_worker) == "worker_command"
    assert "[worker_command]" in reason(bpy.ops.tilewright.start_worker)
    assert session.current.last_error.code == "worker_command"


def test_worker_python_of_the_preferences_is_used():
    chosen = preferences.get()
    chosen.worker_python = "/opt/worker/bin/python"
    assert preferences.worker_command(chosen) == ["/opt/worker/bin/python", "-m", "gan_worker"]


def test_empty_key_folder_is_a_typed_error(tmp_path):
    chosen = preferences.get()
    chosen.location, chosen.key_folder = "REMOTE", str(tmp_path)
    assert code_of(connection.start_worker) == "worker_silent"


def test_other_computer_needs_online_access_and_loopback_does_not(tmp_path):
    assert not bpy.app.online_access
    open_key_folder(tmp_path)
    write_connection(tmp_path, "tcp://127.0.0.1:9", "tcp://127.0.0.1:10", new_key_pair().public)
    assert code_of(connection.connect, tmp_path, "gpu.example.org") == "not_allowed"
    assert session.current.state == "stopped"
    connection.connect(tmp_path)
    assert session.current.state == "connecting"
    training.check_same_computer()


def why_unread() -> str:
    with pytest.raises(RequestError) as caught:
        training.check_same_computer()
    assert caught.value.code == "not_allowed"
    return caught.value.info.message


@pytest.fixture
def key_folder(tmp_path, monkeypatch):
    """Of a worker on another computer, which Blender may reach."""
    open_key_folder(tmp_path)
    write_connection(tmp_path, "tcp://192.0.2.7:9", "tcp://192.0.2.7:10", new_key_pair().public)
    monkeypatch.setattr(preferences, "may_reach", lambda _host: True)
    return tmp_path


def test_a_worker_here_reads_files_whatever_the_preferences_name_by_now(stand_in):
    chosen = preferences.get()
    chosen.location, chosen.remote_address = "REMOTE", "10.0.0.5"
    training.check_same_computer()
    session.current.close()
    assert code_of(training.check_same_computer) == "not_allowed"


@pytest.mark.parametrize(("host", "named"), [("", "192.0.2.7"), ("192.0.2.8", "192.0.2.8")])
def test_a_worker_elsewhere_reads_none_whatever_the_preferences_name_by_now(
    key_folder, host, named
):
    chosen = preferences.get()
    chosen.location, chosen.key_folder, chosen.remote_address = "REMOTE", str(key_folder), host
    assert f"it runs on {named}," in why_unread(), "what would be reached"
    connection.start_worker()
    chosen.location = "LOCAL"
    assert f"it runs on {named}," in why_unread(), "what is reached"
    connection.stop_worker()
    training.check_same_computer()


def test_a_worker_here_reads_no_files_of_a_blender_that_was_paired_with_it(tmp_path):
    open_client_pair(tmp_path)
    write_connection(tmp_path, "tcp://127.0.0.1:9", "tcp://127.0.0.1:10", new_key_pair().public)
    chosen = preferences.get()
    chosen.location, chosen.key_folder = "REMOTE", str(tmp_path)
    assert "paired" in why_unread(), "what would be reached"
    connection.start_worker()
    chosen.location = "LOCAL"
    assert "paired" in why_unread(), "what is reached"
    connection.stop_worker()
    training.check_same_computer()
