"""Panels draw from what is known, and name only properties and operators that exist."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon.animation import motion
from blender_addon.animation import panels as motion_panels
from blender_addon.generation import panels as generation_panels
from blender_addon.generation import photo as photos
from blender_addon.generation import requests
from blender_addon.output import export as material_export
from blender_addon.scenes import batch as scene_batch
from blender_addon.scenes import panels as scene_panels
from blender_addon.shader import node_tree
from blender_addon.shader import panels as material_panels
from blender_addon.steering import favourites, sliders
from blender_addon.steering import panels as latent_panels
from blender_addon.training import curves, panels, preview
from blender_addon.worker import doctor, jobs, pump, reporting, session
from blender_addon.worker import (
    panels as worker_panels,
)
from blender_addon.worker import (
    setup as installation,
)
from gan_worker import errors
from gan_worker.client.events import JobReport, PreviewReady
from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.doctor.findings import Finding
from gan_worker.errors import ErrorInfo, WorkerError
from gan_worker.estimation import Estimation
from gan_worker.exports.targets import ExportTarget
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
from gan_worker.scenes.parser import parse_recipe
from gan_worker.scenes.plan import BatchPlan
from gan_worker.styles.motion import Evenness
from gan_worker.wire.messages import (
    JobList,
    JobRejected,
    JobState,
    ModelList,
    RunEntry,
    RunList,
    StorageSizes,
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

    def prop(self, owner: Any, name: str, text: str = "", **_options: Any) -> None:
        assert name in owner.bl_rna.properties, name
        # What sockets hold has other names in other Blenders.
        shown = text if name == "default_value" else owner.bl_rna.properties[name].name
        self.seen.append(shown)

    def prop_enum(self, owner: Any, name: str, value: str) -> None:
        assert value in owner.bl_rna.properties[name].enum_items
        self.seen.append(value)

    def operator(self, idname: str, text: str | None = None, **_options: Any) -> Any:
        group, name = idname.split(".")
        operator = getattr(getattr(bpy.ops, group), name).get_rna_type()
        self.seen.append(operator.name if text is None else text)
        return SimpleNamespace()

    def menu(self, name: str, **_options: Any) -> None:
        getattr(bpy.types, name).draw(SimpleNamespace(layout=self), bpy.context)

    def progress(self, factor: float, text: str) -> None:
        assert 0 <= factor <= 1
        self.seen.append(text)

    def separator(self) -> None:
        pass

    def template_list(
        self, kind: str, _id: str, owner: Any, items: str, chosen_by: Any, index: str, **_: Any
    ) -> None:
        assert {items, index} <= set(owner.bl_rna.properties.keys())
        for item in getattr(owner, items):
            getattr(bpy.types, kind).draw_item(None, None, self, owner, item, 0, chosen_by, index)

    def template_icon(self, icon_value: int, scale: float) -> None:
        self.seen.append("<live preview>")


def draw(panel: type, shading: Any = None) -> str:
    layout = RecordingLayout()
    context = SimpleNamespace(
        scene=bpy.context.scene,
        region=SimpleNamespace(width=280),
        object=bpy.context.object,
        material=bpy.context.object and bpy.context.object.active_material,
        window_manager=bpy.context.window_manager,
        space_data=SimpleNamespace(tree_type="ShaderNodeTree", shading=shading, image=None),
    )
    if not hasattr(panel, "poll") or panel.poll(context):
        panel.draw(SimpleNamespace(layout=layout), context)
    return "\n".join(layout.seen)


def addon_classes(kind: type) -> list[type]:
    """Every panel or operator that the extension registers, wherever it stands."""
    found = [c for c in kind.__subclasses__() if c.__module__.startswith("blender_addon.")]
    return sorted(found, key=lambda c: c.__name__)


PANELS = addon_classes(bpy.types.Panel)


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_draws_before_anything_happened(panel):
    draw(panel)


def test_every_error_has_a_title_in_plain_words():
    in_words = {code: code.replace("_", " ").title() for code in errors.BY_CODE}
    assert not [
        c for c, words in in_words.items() if reporting.title(c) == words and c != "cancelled"
    ]
    assert reporting.title("of_a_later_worker") == "Of A Later Worker"


def test_chosen_pictures_are_shown_by_their_names():
    chosen = bpy.context.scene.tilewright
    for path in ("/very/long/path/to/wall.png", "C:\\photos\\oak\\", "photos:walls/brick.png"):
        chosen.pictures.add().path = path
    text = draw(panels.TILEWRIGHT_PT_training)
    assert text.splitlines()[:6:2] == ["wall.png", "oak", "brick.png"]
    assert draw(panels.TILEWRIGHT_PT_training_details).count("Picture\n") >= 3


def test_a_picture_of_a_worker_elsewhere_can_be_named_where_none_was_chosen():
    assert draw(panels.TILEWRIGHT_PT_training_details).endswith("Add a Name")


def test_what_is_done_to_photos_first_stands_with_them_and_which_were_to_be_otherwise(photo):
    from blender_addon.training import training

    other = photo.with_name("other.png")
    other.write_bytes(photo.read_bytes())
    training.set_pictures(bpy.context.scene, [photo, other])
    panel = bpy.types.TILEWRIGHT_PT_training
    assert "As chosen" not in draw(panel)
    bpy.data.images.load(str(photo)).tilewright.even_light = 0.5
    assert "As chosen for waves.png: light evened by 50%" in draw(panel).replace("\n", " ")
    bpy.data.images.load(str(other))
    assert "alike, also other.png" in draw(panel).replace("\n", " ")


def test_an_older_worker_that_prepares_nothing_is_told(photo, stand_in):
    from blender_addon.training import training
    from blender_addon.worker import session

    training.set_pictures(bpy.context.scene, [photo])
    bpy.data.images.load(str(photo)).tilewright.even_light = 0.5
    session.current.protocol = (1, 4)
    assert "worker is older" in draw(bpy.types.TILEWRIGHT_PT_training)
    session.current.protocol = (1, 5)
    assert "worker is older" not in draw(bpy.types.TILEWRIGHT_PT_training)


def test_error_stands_with_its_cure():
    session.current.last_error = ErrorInfo("port_in_use", "Port 5555 is taken.", "Choose another.")
    text = draw(worker_panels.TILEWRIGHT_PT_worker)
    assert "The Worker Cannot Be Started\n" in text
    assert "Port 5555 is taken.\nChoose another." in text


TAKEN = ErrorInfo("run_exists", "Its name is taken.", "Choose another.")
FULL = ErrorInfo("out_of_memory", "It does not fit.", "Make it smaller.")


def test_the_error_of_a_job_stands_where_the_job_is(stand_in, plane):
    training = session.current.train(TrainingConfig("bricks", ("a.png",)))
    stand_in.events.append(JobRejected(training.id, TAKEN))
    pump.tick()
    own, worker = panels.TILEWRIGHT_PT_training, worker_panels.TILEWRIGHT_PT_worker
    generation = generation_panels.TILEWRIGHT_PT_generation
    assert "The Name Is Taken\n\nIts name is taken.\nChoose another." in draw(own)
    assert "taken" not in draw(worker) + draw(generation)
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.state(job.id, "failed", FULL)
    pump.tick()
    assert "Not Enough Memory\n\nIt does not fit.\nMake it smaller." in draw(generation)
    assert "does not fit" not in draw(worker)
    assert "Its name is taken." in draw(own)  # a training is shown until the next
    bpy.ops.tilewright.dismiss_error(job=training.id)
    assert "taken" not in draw(own)
    assert "It does not fit." in draw(generation)
    bpy.ops.tilewright.dismiss_error()
    assert "does not fit" not in draw(generation)


def test_an_error_that_was_overcome_is_not_shown(stand_in):
    training = session.current.train(TrainingConfig("bricks", ("a.png",)))
    gone = ErrorInfo("compute_died", "It was killed.", "It is started again.")
    stand_in.state(training.id, "interrupted", gone)
    pump.tick()
    assert "It was killed." in draw(panels.TILEWRIGHT_PT_training)
    stand_in.state(training.id, "running")
    pump.tick()
    assert "It was killed." not in draw(panels.TILEWRIGHT_PT_training)


def test_a_moving_sliders_error_stands_with_the_sliders(stand_in, plane, maps):
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    preview = session.current.generate(job.config, purpose="preview")
    stand_in.state(preview.id, "failed", FULL)
    pump.tick()
    assert "It does not fit." in draw(latent_panels.TILEWRIGHT_PT_latents)
    assert "It does not fit." not in draw(worker_panels.TILEWRIGHT_PT_worker)


def test_the_error_of_another_resolution_stands_with_the_resolutions(stand_in, plane, maps):
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    bpy.ops.tilewright.switch_size(side=4096)
    stand_in.state(list(stand_in.submitted)[-1], "failed", FULL)
    pump.tick()
    for panel in (material_panels.TILEWRIGHT_PT_material, latent_panels.TILEWRIGHT_PT_latents):
        assert "Not Enough Memory\n\nIt does not fit.\nMake it smaller." in draw(panel)


def test_sizes_are_told_in_units_that_show_them(stand_in):
    stand_in.events.append(StorageSizes(5 * 2**20, 2**20, 3 * 2**29))
    pump.tick()
    text = draw(worker_panels.TILEWRIGHT_PT_worker)
    assert "Folder\n6 MiB\nFree on Disk\n1.5 GiB\nTidy Up" in text


def test_runs_are_listed_with_what_is_known_of_the_chosen_one(stand_in):
    oak = RunEntry("oak", "2030-01-02T03:04:05+00:00", "tiny", 12.5, 5.0, 23_400_000, True, False)
    oak = replace(oak, figures={"swd/0": 4.25, "copied": 0.004})
    fir = RunEntry(
        "fir", "2030-01-01T00:00:00+00:00", "nano", 0.5, 0.1, 2_000_000, False, False, 0.7
    )
    stand_in.events.append(RunList((oak, fir)))
    pump.tick()
    text = draw(panels.TILEWRIGHT_PT_runs)
    for part in (
        "oak",
        "2030-01-02",
        " Jan",
        "22 MiB",
        "Small, without a GPU",
        "4.2, lower is closer",
        "5.0 min, 12.5 kimg",
        "0% of small pieces",
        "Continue Training",
    ):
        assert part in text
    assert "may fall under" not in " ".join(text.split())
    assert "Told from Real" not in text
    bpy.context.window_manager.tilewright.run_index = 1
    text = draw(panels.TILEWRIGHT_PT_runs)
    assert "70%, at best 50%" in text
    assert "It has no model yet" in text


def test_a_model_that_copies_is_warned_of_where_it_is_chosen(stand_in):
    warning = "12% of what this model makes is copied from its training pictures"
    cure = "Train on more or larger pictures, or for a shorter time."
    model = session.current.model("bricks")
    run = RunEntry("bricks", "2030-01-02T03:04:05+00:00", "tiny", 9, 5, 10**6, True, False)
    for share in (None, 0.05, 0.12):
        figures = {"copied": share} if share else {}
        stand_in.events.append(ModelList((replace(model, copied=share),)))
        stand_in.events.append(RunList((replace(run, figures=figures),)))
        pump.tick()
        for panel in (generation_panels.TILEWRIGHT_PT_generation, panels.TILEWRIGHT_PT_runs):
            text = " ".join(draw(panel).split())
            assert (warning in text, cure in text) == (share == 0.12,) * 2


def test_without_a_worker_its_setup_is_offered(monkeypatch):
    setup = installation.Setup()
    monkeypatch.setattr(installation, "get", lambda: setup)
    assert draw(worker_panels.TILEWRIGHT_PT_setup) == ""
    setup.need = "missing"
    text = draw(worker_panels.TILEWRIGHT_PT_setup)
    assert "No worker is installed yet" in text
    assert text.endswith("\nAllow Online Access\nSet Up Worker\nCopy Command")
    # What cannot work yet is not offered.
    assert draw(worker_panels.TILEWRIGHT_PT_worker) == "Not set up yet"
    for need, said in (("astray", "is not there"), ("outdated", "another version")):
        setup.need = need
        assert said in " ".join(draw(worker_panels.TILEWRIGHT_PT_setup).split())
        assert "Start\nStop" in draw(worker_panels.TILEWRIGHT_PT_worker)
    setup.need = "missing"
    assert worker_panels.TILEWRIGHT_PT_setup.poll(bpy.context)
    monkeypatch.setattr(installation.Setup, "running", True)
    setup.step, setup.fraction, setup.seconds = "Downloading", 0.5, 75.0
    setup.lines.append("Collecting keras")
    running = draw(worker_panels.TILEWRIGHT_PT_setup)
    assert running.splitlines() == ["Downloading", "1:15", "", "Collecting keras"]
    monkeypatch.setattr(installation.Setup, "running", False)
    setup.error = ErrorInfo("worker_setup", "No room.", "Free some space.")
    setup.lines.append("ERROR: full")
    text = draw(worker_panels.TILEWRIGHT_PT_setup)
    assert "No room.\nFree some space.\nCollecting keras\nERROR: full\nWorker Doctor\n" in text


def test_a_worker_that_answers_is_not_called_missing(monkeypatch, stand_in):
    setup = installation.Setup()
    monkeypatch.setattr(installation, "get", lambda: setup)
    for need, offered in (("missing", False), ("astray", False), ("outdated", True), ("", False)):
        setup.need = need
        assert session.current.connected
        assert worker_panels.TILEWRIGHT_PT_setup.poll(bpy.context) == offered


def test_findings_of_the_doctor_stand_with_their_cures(monkeypatch):
    assert draw(worker_panels.TILEWRIGHT_PT_doctor) == ""
    checkup = doctor.Checkup()
    checkup.ran = True
    checkup.findings = [Finding("Port", "good", "open"), Finding("Disk", "bad", "full", "Free it.")]
    monkeypatch.setattr(doctor, "get", lambda: checkup)
    monkeypatch.setattr(installation, "get", installation.Setup)
    assert draw(worker_panels.TILEWRIGHT_PT_doctor).splitlines() == [
        *("Port: open", "Disk: full", "Free it.", "Copy Report", "Set Up Worker")
    ]


def test_training_shows_progress_eta_memory_report_and_picture(stand_in):
    job = session.current.train(TrainingConfig("bricks", ("a.png",)))
    entry = MaterialEntry("wall", 512, 512, ("base_color",))
    skipped = SkippedFile("notes.txt", "is no picture")
    stand_in.state(job.id, "running")
    stand_in.events += [
        JobReport(job.id, Stage("training")),
        JobReport(job.id, DataReport((entry,), (skipped,), ("base_color",), 0.6, (), True)),
        JobReport(job.id, Notice("One checkpoint was put aside.")),
        JobReport(job.id, TrainingProgress(120, 1.9, 60.0, 0.25, 185.0, 31.5, {}, 1536.0)),
        PreviewReady(job.id, Preview(120, np.full((64, 96, 3), 200, np.uint8))),
    ]
    pump.tick()
    text = draw(panels.TILEWRIGHT_PT_training)
    for part in ("25%, 3:05 left", "120 (31.5 images/s)", "Memory", "1.5 GiB", "<live preview>"):
        assert part in text
    assert "notes.txt: is no picture" in text
    assert "learned at 60% of their size, and what is finer is left out" in " ".join(text.split())
    assert "They look the same turned and mirrored" in " ".join(text.split())
    assert "One checkpoint was put aside." in text
    assert "Pause" in text
    stand_in.state(job.id, "paused")
    pump.tick()
    assert "Resume" in draw(panels.TILEWRIGHT_PT_training)


def test_what_a_stop_of_the_worker_interrupted_is_not_shown_as_running(stand_in, plane):
    job = session.current.train(TrainingConfig("bricks", ("a.png",)))
    requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.state(job.id, "running")
    progress = TrainingProgress(120, 1.9, 900.0, 0.25, 185.0, 31.5, {}, stopped_for=300.0)
    stand_in.events.append(JobReport(job.id, progress))
    pump.tick()
    assert "Generating 1" in draw(generation_panels.TILEWRIGHT_PT_generation)
    bpy.ops.tilewright.stop_worker()
    assert "Generating 1" not in draw(generation_panels.TILEWRIGHT_PT_generation)
    text = " ".join(draw(panels.TILEWRIGHT_PT_training).split())
    assert "bricks: was interrupted, press Continue" in text
    assert not [word for word in ("left", "Pause", "Stop, Keep", "not improved") if word in text]


def test_a_training_that_stopped_getting_better_says_so_until_it_ends(stand_in):
    job = session.current.train(TrainingConfig("bricks", ("a.png",)))
    stand_in.state(job.id, "running")
    progress = TrainingProgress(120, 1.9, 900.0, 0.25, 185.0, 31.5, {})

    def shown():
        pump.tick()
        return " ".join(draw(panels.TILEWRIGHT_PT_training).split())

    advice = "not improved for 5 min: stop and keep it, or give it more pictures or more detail"
    for stopped_for in (None, 300.0, None, 300.0):
        report = replace(progress, stopped_for=stopped_for)
        stand_in.events.append(JobReport(job.id, report))
        assert (advice in shown()) == (stopped_for is not None)
    stand_in.state(job.id, "succeeded")
    assert advice not in shown()


def test_curves_of_quality_grow_with_the_training(stand_in):
    assert draw(panels.TILEWRIGHT_PT_curves) == ""
    session.current.train(TrainingConfig("bricks", ("a.png",)))
    (job,) = stand_in.submitted
    progress = TrainingProgress(1, 0.1, 60.0, 0.1, None, 9.0, {})
    for minute in range(1, 4):
        figures = {"swd/0": 8.0 / minute, "diversity": 0.9}
        report = replace(progress, seconds=60.0 * minute, figures=figures)
        stand_in.events.append(JobReport(job, report))
    stand_in.events.append(JobReport("f" * 32, report))  # of another Blender with the same key
    pump.tick()
    assert session.current.training.figures["swd/0"] == [(1.0, 8.0), (2.0, 4.0), (3.0, 8 / 3)]
    assert draw(panels.TILEWRIGHT_PT_curves).splitlines() == [
        *("<live preview>", "Finest Detail", "Lower is closer to your pictures")
    ]
    curves.clear()


def test_a_falling_curve_is_drawn_falling():
    picture = curves.draw_curve([(0.0, 10.0), (1.0, 5.0), (3.0, 0.0)])
    line = (picture == curves.LINE).all(-1)
    rows = np.array([np.flatnonzero(column).mean() for column in line.T])
    assert rows[0] < 0.15 * len(rows)
    assert rows[-1] > 0.95 * len(rows)
    assert np.all(np.diff(rows) >= 0)
    for flat in ([(0.5, 2.0)], [(0.0, 0.0), (1.0, 0.0)]):
        assert (curves.draw_curve(flat) == curves.LINE).all(-1).any(0).all()


def test_a_long_training_keeps_its_curve_short(stand_in):
    job = session.current.train(TrainingConfig("bricks", ("a.png",)))
    for second in range(2000):
        progress = TrainingProgress(1, 0.1, second, 0.1, None, 9.0, {}, figures={"swd/0": 1.0})
        job.take_report(progress)
    points = job.figures["swd/0"]
    assert len(points) <= jobs.MOST_POINTS
    assert points[0][0] == 0
    assert points[-1][0] > 1990 / 60


def test_live_preview_is_the_picture_the_right_way_up(stand_in):
    pixels = np.zeros((12, 8, 3), np.uint8)
    pixels[0] = 255
    preview.show(pixels)
    shown = preview.pictures.collection["live"]
    assert tuple(shown.image_size) == (8, 12)
    rgba = np.array(shown.image_pixels_float).reshape(12, 8, 4)
    assert rgba[-1, :, :3].min() == 1
    assert rgba[:-1, :, :3].max() == 0
    preview.clear()
    assert not preview.is_there()


@pytest.mark.parametrize(("samples", "shown"), [(2, 0), (3, 2)])
def test_live_preview_shows_the_first_of_two_samples_and_the_native_third(samples, shown):
    pixels = np.zeros((8, 8 * samples, 3), np.uint8)
    pixels[:, 8 * shown : 8 * shown + 8] = 255
    preview.show(pixels)
    picture = preview.pictures.collection["live"]
    assert tuple(picture.image_size) == (8, 8)
    assert np.array(picture.image_pixels_float).min() == 1
    preview.clear()


def test_recipe_and_running_generation_are_shown(stand_in, plane, maps):
    config = GenerationConfig("bricks", 5, 48, 32)
    (job,) = requests.generate_for_objects([plane], config)
    assert "Generating 1" in draw(generation_panels.TILEWRIGHT_PT_generation)
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    assert "Generating" not in draw(generation_panels.TILEWRIGHT_PT_generation)
    text = draw(material_panels.TILEWRIGHT_PT_recipe)
    assert "48 × 32" in text
    assert "Seams\n1.00, seamless at 1" in text
    assert "was gone" not in text
    plane.active_material.tilewright.unassigned = True
    assert "was gone when it came" in " ".join(draw(material_panels.TILEWRIGHT_PT_recipe).split())


def test_material_panel_shows_what_can_be_changed_and_why_not(stand_in, plane, maps, tmp_path):
    panel = material_panels.TILEWRIGHT_PT_material
    assert "it has none. Generate one first." in " ".join(draw(panel).split())
    assert draw(material_panels.TILEWRIGHT_PT_surface) == ""
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    assert draw(panel).splitlines() == [
        *("512", "1K", "2K", "4K", "Pixels per Meter", "24", "Regenerate")
    ]
    bpy.context.scene.unit_settings.scale_length = 0.1
    assert "Pixels per Meter\n240" in draw(panel)
    bpy.context.scene.unit_settings.scale_length = 1.0
    assert draw(material_panels.TILEWRIGHT_PT_surface).splitlines() == [
        *("Projection", "UV", "Box", "Tile Size", "Tile Size", ""),
        *("Displacement", "None", "Bump", "Real", "Height", "Emission", "Maps in Use"),
        *("Base Color", "Roughness", "Metallic", "Normal", "Ambient Occlusion"),
        *("Opacity", "Emission"),
    ]
    assert draw(material_panels.TILEWRIGHT_PT_keeping).splitlines() == [
        *("Library", "Catalog", "Keep as Asset")
    ]
    exporting = material_panels.TILEWRIGHT_PT_export
    assert draw(exporting).splitlines() == ["For", "Folder", "Export"]
    export = material_export.start(plane.active_material, ExportTarget.gltf, str(tmp_path))
    assert draw(exporting).splitlines()[2:4] == ["Export", "Reading"]
    assert not bpy.ops.tilewright.export_material.poll()
    export.wait()
    assert "6 files in " in " ".join(draw(exporting).split())  # a long path is wrapped
    bpy.ops.tilewright.switch_size(side=512)
    assert draw(panel).split("\n")[4:] == ["Pixels per Meter", "24", "Generating", ""]
    session.current.models = ()
    text = " ".join(draw(panel).split())
    assert "bricks (hash aaaaaaaaaaaa); the worker has no such model. Copy the model's" in text


def test_estimated_maps_say_how_sure_they_are(stand_in, plane, make):
    panel = material_panels.TILEWRIGHT_PT_estimates
    stand_in.events.append(ModelList((replace(session.current.models[0], maps=("base_color",)),)))
    session.current.protocol = (1, 5)
    pump.tick()
    assert "Estimate Maps" in draw(generation_panels.TILEWRIGHT_PT_generation)
    plain = GenerationConfig("bricks", 5, 48, 32)
    for config in (plain, replace(plain, estimation=Estimation())):
        (job,) = requests.generate_for_objects([plane], config)
        maps = make(48, 32)
        if config is plain:
            stand_in.finish(job.id, {"base_color": maps["base_color"]})
            pump.tick()
            pump.finish()
            offered = " ".join(draw(panel).split())
            assert "ambient occlusion, which can be estimated" in offered
            assert offered.endswith("Estimate Missing Maps")
    stand_in.finish(job.id, {n: maps[n] for n in ("base_color", "normal", "roughness")})
    pump.tick()
    pump.finish()
    text = " ".join(draw(panel).split())
    assert text.startswith("Surface Kind Depth Coarse Fine Invert Roughness Range Occlusion")
    assert "Normal: a guess, within 14° on average" in text
    assert "Roughness: a guess, within 0.15 on average" in text
    session.current.models = ()
    assert "The worker has no model bricks" in " ".join(draw(panel).split())


def test_a_photo_shows_what_it_has_and_no_latents(stand_in, plane, make):
    entry = replace(
        session.current.models[0], maps=("base_color",), octaves=2, tile=(48, 32), directions=()
    )
    stand_in.events.append(ModelList((entry,)))
    pump.tick()
    generation = draw(generation_panels.TILEWRIGHT_PT_generation).split("\n")
    assert "All of the photo, 48 × 32 pixels" in generation
    assert not {"Seed", "Variety", "×1", "Next Seed"} & set(generation)
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, {"base_color": make(48, 32)["base_color"]})
    pump.tick()
    pump.finish()
    steering = " ".join(draw(latent_panels.TILEWRIGHT_PT_latents).split())
    assert "A photo has no latents" in steering and "Repeats" in steering
    assert "Seed" not in steering
    assert "A photo has no variations" in draw(latent_panels.TILEWRIGHT_PT_explore)
    material = draw(material_panels.TILEWRIGHT_PT_material).split("\n")
    assert material[:3] == ["12", "24", "48"]


def test_maps_that_another_model_made_are_not_asked_of_this_one(stand_in):
    chosen, panel = bpy.context.scene.tilewright, generation_panels.TILEWRIGHT_PT_maps
    chosen.maps = {"metallic", "roughness"}
    assert requests.generation_config(bpy.context.scene).maps == ("roughness",)
    assert draw(panel).startswith("Only These")
    chosen.maps = {"metallic"}  # there is no button to untick it
    assert requests.generation_config(bpy.context.scene).maps == ()
    assert draw(panel).startswith("All the Model Has")


def test_of_a_photo_is_said_that_it_has_nothing_to_paint_move_and_repair_with(
    stand_in, plane, make
):
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, {"base_color": make(48, 32)["base_color"]})
    pump.tick()
    pump.finish()
    stand_in.events.append(ModelList((replace(stand_in.models[0], tile=(48, 32)),)))
    pump.tick()
    for panel, button in (
        (bpy.types.TILEWRIGHT_PT_painting, bpy.ops.tilewright.paint_looks),
        (motion_panels.TILEWRIGHT_PT_motion, bpy.ops.tilewright.bake_motion),
        (bpy.types.TILEWRIGHT_PT_repair, bpy.ops.tilewright.repair),
    ):
        assert "train on it" in " ".join(draw(panel).split()).lower()
        assert not button.poll()


def test_a_photo_on_its_way_says_how_far_it_is(stand_in, plane, photo):
    panel = generation_panels.TILEWRIGHT_PT_photo_to_material
    session.current.protocol = (1, 5)
    buttons = ["Choose Photo", "Images of Material", "Tileable", "Learn from My Sets"]
    assert draw(panel).split("\n") == buttons
    task = photos.start(bpy.context.scene, [photo], [plane])
    stand_in.events.append(JobReport(session.current.training.id, Stage("making it tileable")))
    pump.wait(lambda: task.stage == "making it tileable", 10)
    assert draw(panel).split("\n") == [*buttons, "Making it tileable", ""]
    assert not bpy.ops.tilewright.photo_to_material.poll()
    why = ErrorInfo("picture_too_small", "A photo must be larger.", "Take a larger one.")
    stand_in.state(session.current.training.id, "failed", why)
    pump.wait(lambda: task.state == "failed", 10)
    assert draw(panel).split("\n")[-2:] == ["A photo must be larger.", "Take a larger one."]


def test_a_photo_that_is_a_material_says_so_and_what_became_of_it(stand_in, plane, photo, make):
    session.current.protocol = (1, 5)
    task = photos.start(bpy.context.scene, [photo], [plane])
    made = session.current.training
    stand_in.models = (replace(stand_in.models[0], name=made.name, tile=(48, 32)),)
    stand_in.events.append(JobReport(made.id, Notice("Its borders were made to meet.")))
    stand_in.state(made.id, "succeeded")
    pump.wait(lambda: task.job is not made, 10)
    stand_in.finish(task.job.id, {"base_color": make(48, 32)["base_color"]})
    pump.wait(lambda: task.state != "running", 10)
    pump.finish()
    words = " ".join(draw(generation_panels.TILEWRIGHT_PT_photo_to_material).split())
    assert words.endswith("waves is the material of Plane now Its borders were made to meet.")
    told = draw(panels.TILEWRIGHT_PT_training)
    assert "is ready, press Generate" in " ".join(told.split())


@pytest.mark.parametrize(
    ("preset", "told"),
    [
        ("tiny", "has learned, press Generate"),
        ("photo", "is ready, press Generate"),
        ("estimator", "has learned, choose it as Estimator"),
    ],
)
def test_a_training_of_an_earlier_session_is_told_as_what_its_run_is(stand_in, preset, told):
    job = JobState("f" * 32, "train", "pine", "running")
    entry = RunEntry("pine", "2026-10-06T12:00:00+00:00", preset, 5.0, 2.0, 10**6, True, True)
    stand_in.events += [JobList((job,)), RunList((entry,))]
    pump.tick()
    assert "Stop, Keep" in draw(panels.TILEWRIGHT_PT_training)
    stand_in.events.append(replace(job, state="succeeded"))
    pump.tick()
    assert f"pine: {told}" in " ".join(draw(panels.TILEWRIGHT_PT_training).split())


def test_area_and_its_finest_resolution_stand_where_a_model_has_levels(stand_in, plane, maps):
    generation, material = (
        generation_panels.TILEWRIGHT_PT_generation,
        material_panels.TILEWRIGHT_PT_material,
    )
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    assert "×" not in draw(generation) + draw(material)
    (model,) = session.current.models
    session.current.models = (replace(model, octaves=2, stride=64),)
    bpy.context.scene.tilewright.width = 4096
    text = " ".join(draw(generation).split())
    assert "Finest of this area is 2K; more pixels show more area" in text
    assert "×1\n×2\n×4" in draw(material)


def test_a_view_of_solid_colors_says_how_to_see_the_material(stand_in, plane, maps):
    areas = (area for screen in bpy.data.screens for area in screen.areas)
    view = next(area.spaces[0] for area in areas if area.type == "VIEW_3D")

    def says(kind: str) -> bool:
        view.shading.type = kind
        text = draw(generation_panels.TILEWRIGHT_PT_generation, view.shading)
        assert ("solid colors" in text) == text.endswith("\nMATERIAL")
        return "solid colors" in text

    assert not says("SOLID"), "nothing was generated yet"
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    assert says("SOLID") and says("WIREFRAME")
    assert not says("MATERIAL") and not says("RENDERED")
    view.shading.type, view.shading.color_type = "SOLID", "TEXTURE"
    assert not says("SOLID")


def test_latents_panel_has_a_named_slider_for_each_direction(stand_in, plane, maps):
    assert "generate one first" in " ".join(draw(latent_panels.TILEWRIGHT_PT_latents).split())
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    for panel in (latent_panels.TILEWRIGHT_PT_latents, latent_panels.TILEWRIGHT_PT_latents_shader):
        text = draw(panel)
        assert text.count("Amount") == text.count("Name of the Slider") == 3
        assert "48 × 32" in text
    session.current.close()
    assert "No worker is connected" in draw(latent_panels.TILEWRIGHT_PT_latents)


def test_explore_and_favourites_show_pictures_with_their_buttons(stand_in, plane, maps):
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    chosen = bpy.context.scene.tilewright
    assert "Tick Explore" in " ".join(draw(latent_panels.TILEWRIGHT_PT_explore).split())
    chosen.explore = True
    pump.tick()
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


def test_looks_show_each_material_that_a_model_knows_with_its_name(stand_in, plane, maps):
    shown = latent_panels.TILEWRIGHT_PT_looks
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    (model,) = session.current.models
    session.current.models = (replace(model, styles=("old wall", "new wall")),)
    assert draw(shown).split("\n") == [
        *("<live preview>", "old wall"),
        *("<live preview>", "new wall"),
    ]
    session.current.models = (replace(model, styles=()),)
    assert draw(shown) == "", "a model of one material has no others to choose"


def test_drawing_only_reads(stand_in, plane, maps, monkeypatch):
    """No panel and no poll asks the worker, makes a datablock, or writes a property."""
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    bpy.context.scene.tilewright.explore = True
    bpy.ops.tilewright.add_favourite()
    pump.tick()
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
    text = draw(generation_panels.TILEWRIGHT_PT_maps)
    assert "base_color\nroughness" in text
    assert "metallic" not in text


def test_scene_recipe_shows_how_far_it_is_and_how_it_ended(tmp_path):
    recipe = parse_recipe('[[rules]]\nselect = { name = "*" }\nmodel = "bricks"')
    batch = scene_batch.SceneBatch(recipe, "Scene", tmp_path).start()
    batch.stage, batch.progress = "generating", BatchProgress(2, 5, 2, eta=61)
    assert "Generating: 2 of 5, 1:01 left" in draw(scene_panels.TILEWRIGHT_PT_scene_recipe)
    batch.state, batch.applied = "succeeded", 7
    batch.progress = BatchProgress(5, 5, 3, 2)
    text = " ".join(draw(scene_panels.TILEWRIGHT_PT_scene_recipe).split())
    assert "5 materials in 7 slots: 3 made, 2 there already" in text
    batch.applied, batch.progress = 1, BatchProgress(1, 1, 0, 1)
    text = " ".join(draw(scene_panels.TILEWRIGHT_PT_scene_recipe).split())
    assert "1 material in 1 slot: 0 made, 1 there already" in text
    batch.plan = BatchPlan({}, (), notes=("Line 9, rule 'trees', selects no object.",))
    text = " ".join(draw(scene_panels.TILEWRIGHT_PT_scene_recipe).split())
    assert "Line 9, rule 'trees', selects no object." in text
    batch.state, batch.error = "failed", WorkerError("worker_gone", "It is gone.", "Run it again.")
    assert "It is gone.\nRun it again." in draw(scene_panels.TILEWRIGHT_PT_scene_recipe)


def test_motion_says_how_far_it_is_and_what_came_out(stand_in, plane, make, tmp_path, monkeypatch):
    wanted = GenerationConfig("bricks", width=64, height=32)
    (job,) = requests.generate_for_objects([plane], wanted)
    stand_in.finish(job.id, make(64, 32))
    pump.tick()
    pump.finish()
    config = sliders.wanted(plane.active_material)
    plan = motion.make_plan(bpy.context.scene, plane.active_material)
    bake = motion.MotionBake("", config, plan, tmp_path).start()
    bake.stage, bake.progress = "making pictures", BatchProgress(12, 48, eta=65.0)
    panel = motion_panels.TILEWRIGHT_PT_motion
    assert "Making pictures: 12 of 48, 1:05 left" in draw(panel)
    assert "64 × 32 pixels each" in draw(panel)
    bake.state, bake.evenness = "succeeded", Evenness(0.01, 1.04, 0.99)
    assert "frames: largest" not in draw(panel)  # undone, or another material
    with monkeypatch.context() as patched:
        patched.setattr(node_tree, "shows_sequence", lambda material: True)
        text = " ".join(draw(panel).split())
    assert "The largest step is 1.0 times a usual one, that from last to first 1.0" in text
    assert "Apply in Latents" in text
    bake.state, bake.error = "failed", WorkerError("out_of_memory", "Too large.", "Smaller.")
    assert "Too large.\nSmaller." in draw(panel)
    favourites.add(bpy.context.scene, plane.active_material)
    for path, shown in (("FAVOURITES", "In the Loop"), ("KEYFRAMES", "Start Frame")):
        bpy.context.scene.tilewright.motion.path = path
        assert shown in draw(panel)
