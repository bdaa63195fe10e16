"""Panels draw from what is known, and name only properties and operators that exist."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon import event_timer, live_preview, panels, scene_batch, session
from blender_addon.operators import generation
from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.errors import ErrorInfo, WorkerError
from gan_worker.events import JobReport, PreviewReady
from gan_worker.progress import (
    BatchProgress,
    DataReport,
    MaterialEntry,
    Notice,
    Preview,
    SkippedFile,
    Stage,
    TrainingProgress,
)
from gan_worker.scene_parser import parse_recipe


class RecordingLayout:
    """Takes what a panel draws and checks it against Blender's registers."""

    def __init__(self, seen: list[str] | None = None) -> None:
        self.seen = [] if seen is None else seen

    def _child(self, **_options: Any) -> RecordingLayout:
        return RecordingLayout(self.seen)

    row = column = box = split = grid_flow = _child

    def label(self, text: str = "", icon: str = "NONE") -> None:
        self.seen.append(text)

    def prop(self, owner: Any, name: str, **_options: Any) -> None:
        assert name in owner.bl_rna.properties, name
        self.seen.append(owner.bl_rna.properties[name].name)

    def prop_enum(self, owner: Any, name: str, value: str) -> None:
        assert value in owner.bl_rna.properties[name].enum_items
        self.seen.append(value)

    def operator(self, idname: str, text: str | None = None, **_options: Any) -> Any:
        group, name = idname.split(".")
        operator = getattr(getattr(bpy.ops, group), name).get_rna_type()
        self.seen.append(operator.name if text is None else text)
        return SimpleNamespace()

    def progress(self, factor: float, text: str) -> None:
        assert 0 <= factor <= 1
        self.seen.append(text)

    def template_icon(self, icon_value: int, scale: float) -> None:
        self.seen.append("<live preview>")


def draw(panel: type) -> str:
    layout = RecordingLayout()
    context = SimpleNamespace(
        scene=bpy.context.scene, region=SimpleNamespace(width=280), object=bpy.context.object
    )
    if not hasattr(panel, "poll") or panel.poll(context):
        panel.draw(SimpleNamespace(layout=layout), context)
    return "\n".join(layout.seen)


PANELS = [
    cls
    for cls in vars(panels).values()
    if isinstance(cls, type) and issubclass(cls, bpy.types.Panel)
]


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_draws_before_anything_happened(panel):
    draw(panel)


def test_error_stands_with_its_cure():
    session.current.last_error = ErrorInfo("port_in_use", "Port 5555 is taken.", "Choose another.")
    assert "Port 5555 is taken.\nChoose another." in draw(panels.TILEWRIGHT_PT_worker)


def test_training_shows_progress_eta_losses_report_and_picture(stand_in):
    job = session.current.train(TrainingConfig("bricks", ("a.png",)))
    entry = MaterialEntry("wall", 512, 512, ("base_color",))
    skipped = SkippedFile("notes.txt", "is no picture")
    stand_in.state(job.id, "running")
    stand_in.events += [
        JobReport(job.id, Stage("training")),
        JobReport(job.id, DataReport((entry,), (skipped,), ("base_color",), 0.5)),
        JobReport(job.id, Notice("One checkpoint was put aside.")),
        JobReport(job.id, TrainingProgress(120, 1.9, 60.0, 0.25, 185.0, 31.5, {"r1_penalty": 0.5})),
        PreviewReady(job.id, Preview(120, np.full((64, 96, 3), 200, np.uint8))),
    ]
    event_timer.tick()
    text = draw(panels.TILEWRIGHT_PT_training)
    for part in ("25%, 3:05 left", "120 (31.5 images/s)", "R1 penalty", "0.500", "<live preview>"):
        assert part in text
    assert "notes.txt: is no picture" in text
    assert "One checkpoint was put aside." in text
    assert "Pause" in text
    stand_in.state(job.id, "paused")
    event_timer.tick()
    assert "Resume" in draw(panels.TILEWRIGHT_PT_training)


def test_live_preview_is_the_picture_the_right_way_up(stand_in):
    pixels = np.zeros((12, 8, 3), np.uint8)
    pixels[0] = 255
    live_preview.show(pixels)
    shown = live_preview._collection["live"]
    assert tuple(shown.image_size) == (8, 12)
    rgba = np.array(shown.image_pixels_float).reshape(12, 8, 4)
    assert rgba[-1, :, :3].min() == 1
    assert rgba[:-1, :, :3].max() == 0
    live_preview.clear()
    assert not live_preview.is_there()


def test_live_preview_shows_one_of_two_samples():
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255
    live_preview.show(pixels)
    shown = live_preview._collection["live"]
    assert tuple(shown.image_size) == (8, 8)
    assert np.array(shown.image_pixels_float).min() == 1
    live_preview.clear()


def test_recipe_and_running_generation_are_shown(stand_in, plane, maps):
    config = GenerationConfig("bricks", 5, 48, 32)
    (job,) = generation.generate_for_objects([plane], config)
    assert "Generating 1" in draw(panels.TILEWRIGHT_PT_generation)
    stand_in.finish(job.id, maps)
    event_timer.tick()
    event_timer.finish()
    assert "Generating" not in draw(panels.TILEWRIGHT_PT_generation)
    assert "48 × 32" in draw(panels.TILEWRIGHT_PT_recipe)


def test_maps_panel_offers_what_the_model_has(stand_in):
    text = draw(panels.TILEWRIGHT_PT_maps)
    assert "base_color\nroughness" in text
    assert "metallic" not in text


def test_scene_recipe_shows_how_far_it_is_and_how_it_ended(monkeypatch, tmp_path):
    recipe = parse_recipe('[[rules]]\nselect = { name = "*" }\nmodel = "bricks"')
    batch = scene_batch.SceneBatch(recipe, "Scene", tmp_path)
    monkeypatch.setattr(scene_batch, "current", batch)
    batch.stage, batch.progress = "generating", BatchProgress(2, 5, 2, eta=61)
    assert "Generating: 2 of 5, 1:01 left" in draw(panels.TILEWRIGHT_PT_scene_recipe)
    batch.state, batch.applied = "succeeded", 7
    batch.progress = BatchProgress(5, 5, 3, 2)
    text = " ".join(draw(panels.TILEWRIGHT_PT_scene_recipe).split())
    assert "5 materials in 7 slots: 3 made, 2 were there" in text
    batch.state, batch.error = "failed", WorkerError("worker_gone", "It is gone.", "Run it again.")
    assert "It is gone.\nRun it again." in draw(panels.TILEWRIGHT_PT_scene_recipe)
