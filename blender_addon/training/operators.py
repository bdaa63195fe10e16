"""Choose pictures, start a training, steer it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    FloatProperty,
    IntProperty,
    StringProperty,
)

from ..steering import sliders
from ..worker import session
from ..worker.reporting import Action, no_worker, require, still, unless, when
from . import material_pictures, training


class TILEWRIGHT_OT_add_pictures(Action, bpy.types.Operator):
    """Choose photos to learn from. Without a file chosen, the whole folder is taken"""

    bl_idname = "tilewright.add_pictures"
    bl_label = "Add Pictures"
    bl_options = {"UNDO"}

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"}
    )
    filter_glob: StringProperty(default=training.PICTURES, options={"SKIP_SAVE", "HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context) -> None:
        names = [item.name for item in self.files if item.name]
        folder = Path(self.directory)
        training.add_pictures(context.scene, [folder / name for name in names] or [folder])


class TILEWRIGHT_OT_add_picture_name(Action, bpy.types.Operator):
    """Add a picture or folder that lies on the worker's computer, by its name there"""

    bl_idname = "tilewright.add_picture_name"
    bl_label = "Add a Name"
    bl_options = {"UNDO"}

    name: StringProperty(
        name="Name",
        description="As photos:NAME, where the worker was started with --root photos=FOLDER",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, _context: bpy.types.Context) -> None:
        self.layout.prop(self, "name")

    def act(self, context: bpy.types.Context) -> None:
        name = require(
            self.name.strip(),
            "A picture must have a name; it is empty.",
            "Type it, as photos:NAME.",
        )
        training.add_pictures(context.scene, [name])


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
        job = training.start_training(training.training_config(context.scene, self.resume))
        if self.wait:
            training.wait_for_training(job, self.timeout)
        training.choose_when_ready(context.scene, job.name)


class TILEWRIGHT_OT_learn_estimator(Action, bpy.types.Operator):
    """Let the estimator of maps learn from a folder of your own material sets with normals, for some minutes"""

    bl_idname = "tilewright.learn_estimator"
    bl_label = "Learn from My Sets"

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    minutes: FloatProperty(
        name="Minutes", description="How long it learns", default=5.0, min=0.005, soft_max=60.0
    )
    filter_folder: BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})
    wait: BoolProperty(
        name="Wait", description="Return only when it has learned", options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        return TILEWRIGHT_OT_start_training.obstacle(context) or unless(
            session.current.speaks(1, 5),
            "The worker is too old to learn this: update Tilewright there",
        )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context) -> None:
        training.check_same_computer("estimator")
        folder = Path(bpy.path.abspath(self.directory))
        config = training.estimator_config([folder], self.minutes)
        job = training.start_training(config)
        if self.wait:
            training.wait_for_training(job, 86400.0)
        training.choose_when_ready(context.scene, job.name)


class _SteerTraining(Action):
    """What the four buttons below a running training have in common."""

    states: tuple[str, ...]
    reason: str
    steer: Callable[[], None]

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
    steer = staticmethod(training.pause_training)


class TILEWRIGHT_OT_resume_training(_SteerTraining, bpy.types.Operator):
    """Go on with the paused training"""

    bl_idname = "tilewright.resume_training"
    bl_label = "Resume"
    states, reason = ("paused",), "No training is paused"
    steer = staticmethod(training.resume_training)


class TILEWRIGHT_OT_stop_training(_SteerTraining, bpy.types.Operator):
    """End the training and keep the model as it is now. It can be continued later"""

    bl_idname = "tilewright.stop_training"
    bl_label = "Stop and Keep"
    states, reason = ("queued", "running", "paused"), "No training is running"
    steer = staticmethod(training.stop_training)


class TILEWRIGHT_OT_cancel_training(_SteerTraining, bpy.types.Operator):
    """End the training at once, without saving what was learned since the last checkpoint"""

    bl_idname = "tilewright.cancel_training"
    bl_label = "Discard"
    states, reason = ("queued", "running", "paused"), "No training is running"
    steer = staticmethod(training.cancel_training)


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
        material = still(sliders.active_material())
        places = training.add_material_pictures(context.scene, material)
        left_out = material_pictures.survey(material).left_out
        told = f"Added {', '.join(place.name for place in places)}"
        if left_out:
            self.tell("WARNING", f"{told}. Left out: {'; '.join(left_out)}")
        else:
            self.tell("INFO", told)


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_add_pictures,
        TILEWRIGHT_OT_add_picture_name,
        TILEWRIGHT_OT_remove_picture,
        TILEWRIGHT_OT_start_training,
        TILEWRIGHT_OT_learn_estimator,
        TILEWRIGHT_OT_pause_training,
        TILEWRIGHT_OT_resume_training,
        TILEWRIGHT_OT_stop_training,
        TILEWRIGHT_OT_cancel_training,
        TILEWRIGHT_OT_add_material_pictures,
    )
)
