"""Choose pictures, start a training, steer it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    FloatProperty,
    IntProperty,
    StringProperty,
)

from gan_worker.config import TrainingConfig
from gan_worker.errors import RequestError
from gan_worker.files import check_places

from ..steering import sliders
from ..worker import preferences, pump, session
from ..worker.reporting import Action, no_worker, unless, when
from . import curves, material_pictures, preview, runs


def set_pictures(scene: bpy.types.Scene, paths: Iterable[str | Path]) -> None:
    """Choose the pictures and folders to learn from."""
    scene.tilewright.pictures.clear()
    add_pictures(scene, paths)


def add_pictures(scene: bpy.types.Scene, paths: Iterable[str | Path]) -> None:
    """Add pictures and folders to those chosen."""
    for path in paths:
        scene.tilewright.pictures.add().path = str(path)


def training_config(scene: bpy.types.Scene, resume: bool = False) -> TrainingConfig:
    """What was chosen in the Train panel.

    Raises:
        RequestError: `unknown_run` where there is no run to resume.
    """
    chosen = scene.tilewright
    return TrainingConfig(
        run=_run_name(scene, resume),
        pictures=tuple(_absolute(item.path) for item in chosen.pictures if item.path),
        preset=chosen.preset,
        minutes=round(chosen.minutes, 4),
        scale=chosen.picture_scale or None,
        isotropic=chosen.isotropic,
        seed=chosen.training_seed,
        author=chosen.author.strip(),
        license=chosen.license.strip(),
        source=chosen.source.strip(),
        resume=resume,
    )


def _run_name(scene: bpy.types.Scene, resume: bool) -> str:
    if resume:
        return runs.name_to_continue(scene)
    return scene.tilewright.run.strip() or runs.proposed_name(scene)


def _absolute(path: str) -> str:
    """Blender's `//` made absolute; a remote worker's `alias:name` stays as it is."""
    return str(Path(bpy.path.abspath(path)).absolute()) if ":" not in path[2:] else path


def start_training(config: TrainingConfig) -> session.Job:
    """Train as the config says.

    Raises:
        RequestError: `invalid_config`, as `TrainingConfig.check`.
        PictureError: `picture_missing` where one is not there.
        WorkerError: `worker_gone` without a connection.
    """
    config.check()
    if (
        session.current.owns_worker and not config.resume
    ):  # pictures of a worker elsewhere lie there
        check_places(config.pictures)
    preview.clear()
    curves.clear()
    return session.current.train(config)


def choose_when_ready(scene: bpy.types.Scene, model: str) -> None:
    """Choose a model in the Generate panel as soon as the worker has it; until then the one that is chosen stays."""
    chosen = scene.tilewright
    if session.current.model(model):
        chosen.model, chosen.awaited_model = model, ""
    else:
        chosen.awaited_model = model


def wait_for_training(job: session.Job, timeout: float) -> None:
    """Wait until a training has ended and its model can be generated from, for scripts.

    Raises:
        TilewrightError: why it failed, or `worker_silent` after the timeout.
    """
    pump.wait_for_job(job, timeout)
    pump.wait(lambda: session.current.model(job.name) is not None, timeout=30.0)


def current_training() -> session.Job:
    """The training that the buttons steer.

    Raises:
        RequestError: `unknown_job` when none was started.
    """
    if session.current.training is None:
        raise RequestError(
            "unknown_job", "A training must have been started; none was.", "Press Train first."
        )
    return session.current.training


def pause_training() -> None:
    """Pause at the next step; the worker keeps everything."""
    session.current.pause(current_training())


def resume_training() -> None:
    """Go on after a pause."""
    session.current.resume(current_training())


def stop_training() -> None:
    """End the training and keep the model as it is now."""
    session.current.stop(current_training())


def cancel_training() -> None:
    """End the training and keep only what earlier checkpoints hold."""
    session.current.cancel(current_training())


class TILEWRIGHT_OT_add_pictures(Action, bpy.types.Operator):
    """Choose photos to learn from. Without a file chosen, the whole folder is taken"""

    bl_idname = "tilewright.add_pictures"
    bl_label = "Add Pictures"
    bl_options = {"UNDO"}

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"}
    )
    filter_image: BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context) -> None:
        names = [item.name for item in self.files if item.name]
        folder = Path(self.directory)
        add_pictures(context.scene, [folder / name for name in names] or [folder])


class TILEWRIGHT_OT_remove_picture(Action, bpy.types.Operator):
    """Take this off the list. The file itself stays"""

    bl_idname = "tilewright.remove_picture"
    bl_label = "Remove"
    bl_options = {"UNDO"}

    index: IntProperty(options={"SKIP_SAVE", "HIDDEN"})

    def act(self, context: bpy.types.Context) -> None:
        context.scene.tilewright.pictures.remove(self.index)


class TILEWRIGHT_OT_start_training(Action, bpy.types.Operator):
    """Train a model on the chosen pictures"""

    bl_idname = "tilewright.start_training"
    bl_label = "Train"

    resume: BoolProperty(
        name="Resume",
        description="Continue the run of that name from its newest checkpoint",
        options={"SKIP_SAVE"},
    )
    wait: BoolProperty(
        name="Wait", description="Return only when the training has ended", options={"SKIP_SAVE"}
    )
    timeout: FloatProperty(name="Timeout", default=86400.0, min=0.1, options={"SKIP_SAVE"})

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        running = session.current.running("train")
        return no_worker() or when(running, "A training is running: stop it first")

    def act(self, context: bpy.types.Context) -> None:
        job = start_training(training_config(context.scene, self.resume))
        if self.wait:
            wait_for_training(job, self.timeout)
        choose_when_ready(context.scene, job.name)


class _SteerTraining(Action):
    """What the four buttons below a running training have in common."""

    states: tuple[str, ...]
    reason: str

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        job = session.current.training
        return no_worker() or unless(job and job.state in cls.states, cls.reason)

    def act(self, _context: bpy.types.Context) -> None:
        self.steer()


class TILEWRIGHT_OT_pause_training(_SteerTraining, bpy.types.Operator):
    """Pause the training; the computer is free for other work"""

    bl_idname = "tilewright.pause_training"
    bl_label = "Pause"
    states, reason = ("running",), "No training is running"
    steer = staticmethod(pause_training)


class TILEWRIGHT_OT_resume_training(_SteerTraining, bpy.types.Operator):
    """Go on with the paused training"""

    bl_idname = "tilewright.resume_training"
    bl_label = "Resume"
    states, reason = ("paused",), "No training is paused"
    steer = staticmethod(resume_training)


class TILEWRIGHT_OT_stop_training(_SteerTraining, bpy.types.Operator):
    """End the training and keep the model as it is now. It can be continued later"""

    bl_idname = "tilewright.stop_training"
    bl_label = "Stop and Keep"
    states, reason = ("queued", "running", "paused", "interrupted"), "No training is running"
    steer = staticmethod(stop_training)


class TILEWRIGHT_OT_cancel_training(_SteerTraining, bpy.types.Operator):
    """End the training at once, without saving what was learned since the last checkpoint"""

    bl_idname = "tilewright.cancel_training"
    bl_label = "Discard"
    states, reason = ("queued", "running", "paused", "interrupted"), "No training is running"
    steer = staticmethod(cancel_training)


def add_material_pictures(scene: bpy.types.Scene, material: bpy.types.Material) -> list[Path]:
    """Add the images of a material to the pictures to learn from.

    Returns:
        The files or the folder that were added.

    Raises:
        RequestError: `not_allowed` where the worker is on another computer, which cannot read them.
        PictureError: `dataset_empty`, `picture_missing` or `picture_unreadable`.
        StorageError: `file_unwritable`.
    """
    host = preferences.other_computer(preferences.get())
    if host:
        raise RequestError(
            "not_allowed",
            f"The worker must be able to read the pictures; it runs on {host}, and they are on this computer.",
            "Copy them to a folder there that the worker was started with, such as --root photos=FOLDER, and add "
            "photos:NAME to the list.",
        )
    places = material_pictures.as_places(material, preferences.picture_folder())
    known = {item.path for item in scene.tilewright.pictures}
    add_pictures(scene, [place for place in places if str(place) not in known])
    return places


class TILEWRIGHT_OT_add_material_pictures(Action, bpy.types.Operator):
    """Learn from the images of the active material: those that feed color, roughness, metallic, normal and height"""

    bl_idname = "tilewright.add_material_pictures"
    bl_label = "Add Images of Material"
    bl_options = {"UNDO"}

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return unless(
            material_pictures.has_images(sliders.active_material()),
            "The active object has no material with image nodes",
        )

    def act(self, context: bpy.types.Context) -> None:
        places = add_material_pictures(context.scene, sliders.active_material())
        self.report({"INFO"}, f"Added {', '.join(place.name for place in places)}")


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_add_pictures,
        TILEWRIGHT_OT_remove_picture,
        TILEWRIGHT_OT_start_training,
        TILEWRIGHT_OT_pause_training,
        TILEWRIGHT_OT_resume_training,
        TILEWRIGHT_OT_stop_training,
        TILEWRIGHT_OT_cancel_training,
        TILEWRIGHT_OT_add_material_pictures,
    )
)
