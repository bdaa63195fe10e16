"""Panels draw from what is known, and name only properties and operators that exist."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon import event_timer, latent_panels, live_preview, panels, session
from blender_addon.operators import generation
from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.errors import ErrorInfo
from gan_worker.events import JobReport, PreviewReady
from gan_worker.progress import (
    DataReport,
    MaterialEntry,
    Notice,
    Preview,
    SkippedFile,
    Stage,
    TrainingProgress,
)


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
        scene=bpy.context.scene,
        region=SimpleNamespace(width=280),
        object=bpy.context.object,
        space_data=SimpleNamespace(tree_type="ShaderNodeTree"),
    )
    if not hasattr(panel, "poll") or panel.poll(context):
        panel.draw(SimpleNamespace(layout=layout), context)
    return "\n".join(layout.seen)


PANELS = [
    cls
    for module in (panels, latent_panels)
    for cls in vars(module).values()
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


def test_latents_panel_has_a_named_slider_for_each_direction(stand_in, plane, maps):
    assert "generate one first" in " ".join(draw(latent_panels.TILEWRIGHT_PT_latents).split())
    (job,) = generation.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, maps)
    event_timer.tick()
    event_timer.finish()
    for panel in (latent_panels.TILEWRIGHT_PT_latents, latent_panels.TILEWRIGHT_PT_latents_shader):
        text = draw(panel)
        assert text.count("Amount") == text.count("Name of the Slider") == 3
        assert "48 × 32" in text
    session.current.close()
    assert "No worker is connected" in draw(latent_panels.TILEWRIGHT_PT_latents)


def test_explore_and_favourites_show_pictures_with_their_buttons(stand_in, plane, maps):
    (job,) = generation.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, maps)
    event_timer.tick()
    event_timer.finish()
    chosen = bpy.context.scene.tilewright
    assert "Tick Explore" in " ".join(draw(latent_panels.TILEWRIGHT_PT_explore).split())
    chosen.explore = True
    event_timer.tick()
    text = draw(latent_panels.TILEWRIGHT_PT_explore)
    assert (text.count("<live preview>"), text.count("Choose"), text.count("Now")) == (9, 8, 1)
    bpy.ops.tilewright.add_favourite()
    bpy.ops.tilewright.add_favourite()
    text = draw(latent_panels.TILEWRIGHT_PT_favourites)
    assert "Press A and B to mix two" in text
    chosen.mix_a, chosen.mix_b = (favourite.uid for favourite in chosen.favourites)
    text = draw(latent_panels.TILEWRIGHT_PT_favourites)
    assert "\nMix\n" in text
    assert "Press A and B" not in text


def test_drawing_only_reads(stand_in, plane, maps, monkeypatch):
    """No panel and no poll asks the worker, makes a datablock, or writes a property."""
    (job,) = generation.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, maps)
    event_timer.tick()
    event_timer.finish()
    bpy.context.scene.tilewright.explore = True
    bpy.ops.tilewright.add_favourite()
    event_timer.tick()
    before = state_of_the_file(plane.active_material)
    calls = len(stand_in.calls)
    for name in ("submit", "collect"):
        monkeypatch.setattr(stand_in, name, lambda *_, **__: pytest.fail("the worker was asked"))
    for panel in PANELS:
        draw(panel)
    for name in dir(bpy.ops.tilewright):
        getattr(bpy.ops.tilewright, name).poll()
    assert state_of_the_file(plane.active_material) == before
    assert len(stand_in.calls) == calls


def state_of_the_file(material: bpy.types.Material) -> tuple:
    owners = (bpy.context.scene.tilewright, material.tilewright, material.tilewright.latents)
    counts = [len(getattr(bpy.data, kind)) for kind in ("materials", "images", "node_groups")]
    values = [
        (
            name,
            str(getattr(owner, name)) if kind.type != "COLLECTION" else len(getattr(owner, name)),
        )
        for owner in owners
        for name, kind in owner.bl_rna.properties.items()
        if kind.type != "POINTER"
    ]
    return counts, values, len(material.node_tree.nodes)


def test_maps_panel_offers_what_the_model_has(stand_in):
    text = draw(panels.TILEWRIGHT_PT_maps)
    assert "base_color\nroughness" in text
    assert "metallic" not in text
