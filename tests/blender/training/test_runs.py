"""The list of runs in Blender: what the buttons ask for, and what follows when the worker has answered."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_addon.generation import panels as generation_panels
from blender_addon.generation import results
from blender_addon.training import panels, run_pictures, run_requests, training
from blender_addon.training import runs as run_rows
from blender_addon.worker import pump, session
from gan_worker.client.events import Connected, JobReport, RunPreviewReady, RunRenamed
from gan_worker.config import TrainingConfig
from gan_worker.errors import ErrorInfo, TilewrightError
from gan_worker.progress import TrainingProgress
from gan_worker.wire.messages import (
    AskRunPreview,
    AskRunSettings,
    DeleteRun,
    ModelList,
    RenameRun,
    RunConfig,
    RunEntry,
    RunList,
    Unreadable,
    WorkerFault,
)

from ..conftest import MODEL, as_in_another_window
from ..test_panels import draw

OAK = RunEntry("oak", "2030-01-02T03:04:05+00:00", "tiny", 12.5, 5.0, 23_400_000, True, False)
PINE, FIR = replace(OAK, name="pine"), replace(OAK, name="fir", minutes=0.5)


@pytest.fixture
def listed(stand_in):
    """Three runs, of which the second is chosen."""
    come(stand_in, RunList((OAK, PINE, FIR)))
    shown().run_index = 1
    return stand_in


def come(stand_in, *events) -> None:
    stand_in.events += events
    pump.tick()


def shown():
    return bpy.context.window_manager.tilewright


def rows() -> list[str]:
    return [row.name for row in shown().runs]


def test_a_worker_that_knows_runs_is_asked_for_them_and_an_older_one_is_not(stand_in):
    come(stand_in, Connected("0.1.0", (1, 0), "CPU", "off"))
    assert ("request_models", "") in stand_in.calls
    assert ("request_runs", "") not in stand_in.calls
    come(stand_in, Connected("0.1.0", (1, 1), "CPU", "off"))
    assert ("request_runs", "") in stand_in.calls


def test_the_chosen_run_stays_chosen_whatever_comes_or_goes(listed):
    assert rows() == ["oak", "pine", "fir"]
    come(listed, RunList((replace(OAK, name="new"), FIR, PINE)))
    assert run_rows.chosen_run() == PINE
    come(listed, RunList((OAK, FIR)))
    assert run_rows.chosen_run() == FIR
    come(listed, RunList(()))
    assert run_rows.chosen_run() is None
    assert not bpy.ops.tilewright.delete_run.poll()


def test_the_rows_come_back_after_another_file_was_opened(listed):
    bpy.ops.wm.read_homefile(use_empty=True)
    pump.tick()
    assert rows() == ["oak", "pine", "fir"]


def test_a_run_that_cannot_be_read_is_listed_with_the_reason_and_can_be_deleted(stand_in):
    reason = "model.json of 'elm' must hold what Tilewright wrote"
    odd = replace(OAK, name="elm", preset="", has_model=False, problem=reason)
    come(stand_in, RunList((OAK, odd)))
    assert rows() == ["oak", "elm"]
    shown().run_index = 1
    text = draw(panels.TILEWRIGHT_PT_runs)
    assert reason in " ".join(text.split("\n"))
    assert "no model yet" not in text
    bpy.ops.tilewright.delete_run("EXEC_DEFAULT")
    assert ("ask", DeleteRun("elm")) in stand_in.calls


def test_models_that_cannot_be_read_are_told_where_one_is_chosen(stand_in):
    found = [Unreadable(f"elm {n}", "its weights are gone") for n in range(5)]
    come(stand_in, ModelList((), True, tuple(found)))
    text = draw(generation_panels.TILEWRIGHT_PT_generation)
    assert "elm 0: its weights are gone" in text
    assert "3 more models" in text
    come(stand_in, ModelList(()))
    assert "elm" not in draw(generation_panels.TILEWRIGHT_PT_generation)


def test_buttons_act_on_the_chosen_run_and_scripts_name_one(listed):
    bpy.ops.tilewright.rename_run(name="larch")
    bpy.ops.tilewright.delete_run(run="fir")
    assert listed.calls[-2:] == [("ask", RenameRun("pine", "larch")), ("ask", DeleteRun("fir"))]


def test_the_scene_follows_a_run_that_got_another_name(listed):
    chosen = bpy.context.scene.tilewright
    chosen.model, chosen.run = "pine", "oak"
    come(listed, RunRenamed("pine", "larch"))
    assert (chosen.model, chosen.run) == ("larch", "oak")


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda: run_requests.delete_run("ash"), "unknown_run"),
        (lambda: run_requests.rename_run("oak", "../oak"), "invalid_config"),
        (lambda: run_requests.continue_run("ash", 1.0), "unknown_run"),
    ],
)
def test_what_cannot_be_is_refused_here(listed, ask, code):
    before = list(listed.calls)
    with pytest.raises(TilewrightError) as caught:
        ask()
    assert caught.value.code == code
    assert (listed.calls, listed.submitted) == (before, {})


def test_a_run_goes_on_for_as_many_minutes_more(listed):
    bpy.context.scene.tilewright.minutes = 3.0
    bpy.ops.tilewright.continue_run()
    (config,) = listed.submitted.values()
    assert config == TrainingConfig("pine", minutes=8.0, resume=True)
    assert bpy.context.scene.tilewright.run == "pine"
    assert not bpy.ops.tilewright.continue_run.poll()


def test_a_run_in_training_is_neither_renamed_nor_deleted(listed):
    come(listed, RunList((OAK, replace(PINE, training=True))))
    assert not bpy.ops.tilewright.delete_run.poll()
    assert not bpy.ops.tilewright.rename_run.poll()
    shown().run_index = 0
    assert bpy.ops.tilewright.delete_run.poll()


def test_settings_are_taken_over_under_a_free_name(listed):
    bpy.ops.tilewright.use_run_settings()
    assert listed.calls[-1] == ("ask", AskRunSettings("pine"))
    config = TrainingConfig(
        *("pine", ("/a.png", "/b"), "nano", 2.5, None, 0.5, None, 7),
        **{"author": "Ann", "license": "MIT", "source": "a wall", "isotropic": True},
        picture_width=1.5,
    )
    come(listed, RunConfig("pine", config))
    chosen = bpy.context.scene.tilewright
    assert (chosen.run, chosen.preset, chosen.minutes) == ("pine 2", "nano", 2.5)
    assert [item.path for item in chosen.pictures] == ["/a.png", "/b"]
    assert (chosen.picture_scale, chosen.training_seed) == (0.5, 7)
    assert (chosen.isotropic, chosen.picture_width) == (True, 1.5)
    assert (chosen.author, chosen.license, chosen.source) == ("Ann", "MIT", "a wall")


def test_settings_are_taken_over_in_the_scene_they_were_asked_for_in(listed):
    bpy.ops.tilewright.use_run_settings()
    bpy.context.scene.name = "Renamed"
    with as_in_another_window():
        come(listed, RunConfig("pine", TrainingConfig("pine", ("/a.png",))))
        assert not bpy.context.scene.tilewright.run
    assert bpy.context.scene.tilewright.run == "pine 2"


def test_settings_that_were_taken_over_are_one_undo_step(listed, monkeypatch):
    def push(message):
        steps.append(message)
        bpy.ops.ed.undo_push(message=message)

    steps: list[str] = []
    monkeypatch.setattr(results, "push_undo", push)
    bpy.context.scene.tilewright.minutes = 3.0
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.tilewright.use_run_settings()
    come(listed, RunConfig("fir", TrainingConfig("fir", ("/b.png",))))  # nobody asked for it
    assert not steps
    come(listed, RunConfig("pine", TrainingConfig("pine", ("/a.png",), minutes=2.5)))
    assert steps == ["Duplicate Settings"]
    for step, run, minutes in ((bpy.ops.ed.undo, "", 3.0), (bpy.ops.ed.redo, "pine 2", 2.5)):
        step()
        chosen = bpy.context.scene.tilewright
        assert (chosen.run, chosen.minutes, len(chosen.pictures)) == (run, minutes, bool(run))


def test_settings_for_a_scene_that_is_gone_change_no_other(listed):
    asked = bpy.data.scenes.new("Short-Lived")
    run_requests.use_settings("pine", asked)
    bpy.data.scenes.remove(asked)
    come(listed, RunConfig("pine", TrainingConfig("pine", ("/a.png",))))
    assert not bpy.context.scene.tilewright.run


def test_a_free_name_counts_on():
    assert run_rows.free_name("oak", {"pine"}) == "oak"
    assert run_rows.free_name("Oak", {"oak"}) == "Oak 2"  # one folder, on some systems
    assert run_rows.free_name("oak 2", {"oak", "oak 2", "oak 3"}) == "oak 4"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/photos/Old Wall.jpeg", "Old Wall"),
        ("/sets/Bricks076_1K-PNG_Color.png", "Bricks076"),
        ("C:\\photos\\bark v1.2\\", "bark v1.2"),
        ("photos:moss.png", "moss"),
        ("/photos/壁 (2) ü!.png", "壁 2 ü"),
        ("/photos/Ba\u0308ckerwand.jpg", "B\u00e4ckerwand"),  # as macOS hands out names of files
        ("/photos/con.png", "material"),
        ("/photos/???.png", "material"),
        ("/photos/" + "x" * 200 + ".png", "x" * 70),
        ("", "material"),
    ],
)
def test_a_run_without_a_name_has_that_of_its_pictures(stand_in, path, name):
    training.set_pictures(bpy.context.scene, [path] if path else [])
    assert training.training_config(bpy.context.scene).run == name
    assert run_rows.proposed_name(bpy.context.scene) == name


def test_a_name_by_itself_is_one_that_nothing_has(listed, photo):
    scene = bpy.context.scene
    training.set_pictures(scene, [photo.with_name("pine.png"), photo])
    assert training.training_config(scene).run == "pine 2"
    come(listed, RunList((replace(PINE, name="pine 2"), OAK, PINE)))
    assert training.training_config(scene).run == "pine 3"
    training.set_pictures(scene, [photo.with_name("bricks.png")])
    assert training.training_config(scene).run == "bricks 2"  # a model that came with the program
    session.current.train(TrainingConfig("bricks 2", ("a.png",)))
    assert training.training_config(scene).run == "bricks 3"
    scene.tilewright.run = "pine"  # what was typed is what was meant
    assert training.training_config(scene).run == "pine"


def test_continue_goes_on_with_the_newest_run_of_the_pictures(listed, photo):
    scene = bpy.context.scene
    training.set_pictures(scene, [photo.with_name("pine.png")])
    come(listed, RunList((FIR, replace(PINE, name="pine 2"), OAK, PINE)))
    assert training.training_config(scene, resume=True).run == "pine 2"
    scene.tilewright.run = "oak"
    assert training.training_config(scene, resume=True).run == "oak"
    scene.tilewright.run = ""
    training.set_pictures(scene, [photo.with_name("elm.png")])
    with pytest.raises(TilewrightError, match="none is named elm") as caught:
        training.training_config(scene, resume=True)
    assert caught.value.code == "unknown_run"


@pytest.mark.parametrize(("minutes", "in_all"), [(20.0, 20.0), (5.0, 10.0), (3.0, 8.0)])
def test_continue_goes_on_to_its_minutes_or_for_as_many_more(listed, minutes, in_all):
    scene = bpy.context.scene
    scene.tilewright.run, scene.tilewright.minutes = "pine", minutes
    bpy.ops.tilewright.start_training(resume=True)
    (config,) = listed.submitted.values()
    assert (config.run, config.minutes) == ("pine", in_all)


def test_a_pasted_name_of_a_file_is_one_that_can_be_typed(listed, photo):
    scene, pasted, typed = bpy.context.scene, " Ba\u0308ckerwand ", "B\u00e4ckerwand"
    training.set_pictures(scene, [photo])
    scene.tilewright.run = pasted
    config = training.training_config(scene)
    config.check()
    assert config.run == typed
    assert training.training_config(scene, resume=True).run == typed
    run_requests.rename_run("oak", pasted.strip())
    assert listed.calls[-1] == ("ask", RenameRun("oak", typed))


def test_a_typed_name_that_is_taken_is_said_before_training(listed):
    said = "press Continue, or choose another"
    bpy.context.scene.tilewright.run = "elm"
    assert said not in " ".join(draw(panels.TILEWRIGHT_PT_training).split())
    bpy.context.scene.tilewright.run = "Pine"
    assert said in " ".join(draw(panels.TILEWRIGHT_PT_training).split())


def test_without_a_worker_the_buttons_are_disabled():
    assert session.current.state == "stopped"
    for name in ("rename_run", "delete_run", "continue_run", "use_run_settings"):
        assert not getattr(bpy.ops.tilewright, name).poll()


def asked(worker) -> list[str]:
    return [call[1].run for call in worker.calls if isinstance(call[1], AskRunPreview)]


def test_pictures_of_runs_are_asked_for_one_at_a_time_and_again_once_a_run_learned_more(stand_in):
    come(stand_in, Connected("0.1.0", (1, 2), "CPU", "off"), RunList((OAK, PINE, FIR)))
    pump.tick()
    assert asked(stand_in) == ["oak"]
    come(stand_in, RunPreviewReady("oak", np.full((8, 12, 3), 200, np.uint8)))
    come(stand_in, RunPreviewReady("pine", None))  # it has none
    assert asked(stand_in) == ["oak", "pine", "fir"]
    come(stand_in, WorkerFault(ErrorInfo("unknown_run", "It is gone by now.", "Refresh the list.")))
    assert run_pictures.is_there("oak")
    assert not run_pictures.is_there("pine")
    come(stand_in, RunList((replace(OAK, kimg=99.0), PINE, FIR)))
    pump.tick()
    assert asked(stand_in) == ["oak", "pine", "fir", "oak"]


def test_an_older_worker_is_not_asked_for_pictures(stand_in):
    come(stand_in, Connected("0.1.0", (1, 1), "CPU", "off"), RunList((OAK,)))
    pump.tick()
    assert not asked(stand_in)


def test_the_model_in_training_is_chosen_once_the_worker_has_it(stand_in, photo):
    chosen = bpy.context.scene.tilewright
    training.set_pictures(bpy.context.scene, [photo])
    chosen.run = "oak"
    bpy.ops.tilewright.start_training()
    assert chosen.model == MODEL.name  # what can generate now
    asked_before = stand_in.calls.count(("request_models", ""))
    job = session.current.training
    progress = TrainingProgress(1, 0.1, 6.0, 0.1, None, 9.0, {})
    come(stand_in, JobReport(job.id, progress), JobReport(job.id, progress))
    assert stand_in.calls.count(("request_models", "")) == asked_before + 1
    come(stand_in, ModelList((MODEL, replace(MODEL, name="oak", live=True))))
    assert chosen.model == "oak"
    chosen.model = MODEL.name  # her own choice stays
    come(stand_in, ModelList((MODEL, replace(MODEL, name="oak", live=True))))
    assert chosen.model == MODEL.name
