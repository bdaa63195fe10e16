"""Keep the worker's runs tidy: rename, delete, continue, use their settings again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import FloatProperty, StringProperty

from gan_worker.errors import TilewrightError

from ..worker import session
from ..worker.reporting import Action, failed, no_worker, unless, when
from . import run_requests, runs
from .training import choose_when_ready

if TYPE_CHECKING:
    from gan_worker.wire.messages import RunEntry


class _WithRun(Action):
    """What the buttons beside the list have in common: they act on the chosen run."""

    run: StringProperty(
        name="Run", description="Name of the run; the chosen one if empty", options={"SKIP_SAVE"}
    )

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return no_worker() or unless(session.current.runs, "There is no run yet: train one first")

    def entry(self) -> RunEntry:
        """The run to act on."""
        chosen = runs.chosen_run()
        return run_requests.find_run(self.run or (chosen.name if chosen else ""))

    def act_on(self, context: bpy.types.Context, entry: RunEntry) -> None:
        """Do it to the run."""
        raise NotImplementedError

    def act(self, context: bpy.types.Context) -> None:
        self.act_on(context, self.entry())


class _Unused(_WithRun):
    """Of these, the ones that need a run which nothing works with."""

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        found = super().obstacle(context)
        if found:
            return found
        chosen = runs.chosen_run()
        return when(chosen and chosen.training, "This run trains now: stop it first")


class TILEWRIGHT_OT_rename_run(_Unused, bpy.types.Operator):
    """Give the chosen run, and so its model, another name"""

    bl_idname = "tilewright.rename_run"
    bl_label = "Rename Run"

    name: StringProperty(name="Name", description="The new name", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        chosen = runs.chosen_run()
        self.name = self.name or (chosen.name if chosen else "")
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, _context: bpy.types.Context) -> None:
        self.layout.prop(self, "name")

    def act_on(self, _context: bpy.types.Context, entry: RunEntry) -> None:
        run_requests.rename_run(entry.name, self.name)


class TILEWRIGHT_OT_delete_run(_Unused, bpy.types.Operator):
    """Delete the chosen run with its model and checkpoints. This cannot be undone"""

    bl_idname = "tilewright.delete_run"
    bl_label = "Delete Run"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            entry = self.entry()
        except TilewrightError as error:
            return failed(self, error)
        return context.window_manager.invoke_confirm(
            self,
            event,
            title=f"Delete {entry.name}?",
            message="Its model and checkpoints are deleted for good. Materials in the file stay.",
            confirm_text="Delete",
            icon="WARNING",
        )

    def act_on(self, _context: bpy.types.Context, entry: RunEntry) -> None:
        run_requests.delete_run(entry.name)


class TILEWRIGHT_OT_continue_run(_Unused, bpy.types.Operator):
    """Train the chosen run for more minutes, from where it was"""

    bl_idname = "tilewright.continue_run"
    bl_label = "Continue Training"

    minutes: FloatProperty(
        name="Minutes",
        description="How much longer; 0 takes the Minutes of the Train panel",
        min=0.0,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        running = session.current.running("train")
        return super().obstacle(context) or when(running, "A training is running: stop it first")

    def act_on(self, context: bpy.types.Context, entry: RunEntry) -> None:
        chosen = context.scene.tilewright
        run_requests.continue_run(entry.name, self.minutes or round(chosen.minutes, 4))
        chosen.run = entry.name
        choose_when_ready(context.scene, entry.name)


class TILEWRIGHT_OT_use_run_settings(_WithRun, bpy.types.Operator):
    """Fill the Train panel with what the chosen run was started with, under a new name"""

    bl_idname = "tilewright.use_run_settings"
    bl_label = "Duplicate Settings"

    def act_on(self, context: bpy.types.Context, entry: RunEntry) -> None:
        run_requests.use_settings(entry.name, context.scene)


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_rename_run,
        TILEWRIGHT_OT_delete_run,
        TILEWRIGHT_OT_continue_run,
        TILEWRIGHT_OT_use_run_settings,
    )
)
