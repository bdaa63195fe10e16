"""Reporting: why a button cannot be pressed, and what an error is shown as.

What must hold for something to be done stands in a function: `check`, which raises a typed error, where it is also
called by scripts; or `obstacle`, which gives a sentence, empty where all holds. Buttons and panels show either
through the same sentence: `obstacle_of(check, ...)` is that of a check.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import bpy
from bpy.props import BoolProperty

from gan_worker.errors import ErrorInfo, RequestError, TilewrightError
from gan_worker.errors import counted as counted
from gan_worker.errors import size_in_words as size_in_words
from gan_worker.printable import printable

from ..ui.layouts import paragraph
from . import session

if TYPE_CHECKING:
    from .background_task import BackgroundTask

    Button = bpy.types.Operator
else:
    Button = object  # buttons name Blender's class themselves, last

Held = TypeVar("Held")

_TITLES = {
    "The Pictures Cannot Be Used": (
        *("picture_missing", "picture_unreadable", "picture_too_small", "dataset_empty"),
        "map_size_mismatch",
    ),
    "There Is No Such Thing": (
        *("unknown_model", "unknown_run", "unknown_job", "unknown_object", "scene_missing"),
        "unknown_estimator",
        *("blender_missing", "ray_missing"),
    ),
    "The Name Is Taken": ("run_exists",),
    "A Value Does Not Fit": ("invalid_size", "invalid_latent", "invalid_config", "invalid_recipe"),
    "This Is Not Allowed": ("not_allowed",),
    "Not Possible Now": ("wrong_state", "busy"),
    "The Worker Cannot Be Started": ("worker_command", "worker_start", "port_in_use"),
    "The Worker Was Not Set Up": ("worker_setup",),
    "The Worker Was Not Paired": ("pairing_failed",),
    "The Worker Does Not Answer": ("worker_silent", "ray_unreachable"),
    "The Worker Has Ended": ("worker_gone", "compute_died", "blender_died"),
    "Not Enough Memory": ("out_of_memory",),
    "The Versions Do Not Fit": ("protocol_version", "model_format"),
    "The Worker Was Misunderstood": ("invalid_message",),
    "The Disk Is Full": ("disk_full",),
    "A File Is Damaged": ("checkpoint_corrupt", "file_damaged"),
    "A File Cannot Be Written": ("file_unwritable",),
    "The Training Went Wrong": ("diverged",),
    "Something Failed": ("unexpected",),
    "Cancelled": ("cancelled",),
}


def failed(operator: bpy.types.Operator, error: TilewrightError) -> set[str]:
    """Show the error in the status bar and in the panel."""
    session.current.fail(error)
    _tell(operator, "ERROR", str(error))
    return {"CANCELLED"}


def _tell(operator: bpy.types.Operator, level: str, text: str) -> None:
    """Show a text in the status bar; Blender writes it to the terminal too, which obeys nothing that stands in it."""
    operator.report({level}, printable(text))  # type: ignore[arg-type]


class Action(Button):
    """What all buttons share: one answer to why one cannot be pressed now, and errors that are told.

    A button says in `obstacle` why it cannot be pressed, and in `act` what it does.
    """

    def tell(self, level: str, text: str) -> None:
        """Show a text in the status bar, as `INFO`, `WARNING` or `ERROR`."""
        _tell(self, level, text)

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        """Why it cannot be pressed now, as a sentence for its tooltip; empty where it can."""
        return ""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        found = cls.obstacle(context)
        if found:
            cls.poll_message_set(found)
        return not found

    def act(self, context: bpy.types.Context) -> set[str] | None:
        """Do it; gives what Blender is told where that is not that it is finished.

        Raises:
            TilewrightError: why it could not be done.
        """
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            return self.act(context) or {"FINISHED"}
        except TilewrightError as error:
            return failed(self, error)


class StartTask(Action):
    """What all buttons share that begin long work, which goes on beside whatever is done next.

    A button begins it in `begin`.
    """

    wait: BoolProperty(
        name="Wait", description="Return only when it is done", options={"SKIP_SAVE"}
    )

    def begin(self, context: bpy.types.Context) -> BackgroundTask | None:
        """Begin; gives what runs now, if anything does.

        Raises:
            TilewrightError: why it could not be begun.
        """
        raise NotImplementedError

    def act(self, context: bpy.types.Context) -> None:
        task = self.begin(context)
        if task and self.wait:
            task.wait()
            task.raise_error()


class CancelTask(Action):
    """What all buttons share that end long work."""

    nothing: str

    @classmethod
    def task(cls, context: bpy.types.Context) -> BackgroundTask | None:
        """What runs."""
        raise NotImplementedError

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        return unless(cls.task(context), cls.nothing)

    def act(self, context: bpy.types.Context) -> None:
        task = self.task(context)
        if task:
            task.cancel()


def when(holds: object, sentence: str) -> str:
    """A sentence for `obstacle`, where this is so."""
    return sentence if holds else ""


def unless(holds: object, sentence: str) -> str:
    """A sentence for `obstacle`, where this is not so."""
    return "" if holds else sentence


def no_worker() -> str:
    """A sentence for `obstacle`, where no worker is connected."""
    return unless(
        session.current.connected, "No worker is connected: press Start in the Worker panel"
    )


def obstacle_of(check: Callable[..., object], *arguments: object) -> str:
    """What a check says that does not hold, and its cure, as one sentence for `obstacle`; empty where it holds."""
    try:
        check(*arguments)
    except TilewrightError as error:
        return f"{error.info.message} {error.info.cure}"
    return ""


def require(holds: Held | None, rule: str, cure: str) -> Held:
    """Hold that something is so, or is there.

    Returns:
        What holds.

    Raises:
        RequestError: `invalid_config`.
    """
    if not holds:
        raise RequestError("invalid_config", rule, cure)
    return holds


def still(found: Held | None) -> Held:
    """What was there when it was asked whether a button can be pressed, or a panel be drawn.

    Raises:
        RequestError: `invalid_config` where it has gone since.
    """
    return require(
        found, "What this works on must still be there; it has gone.", "Choose it once more."
    )


def draw_error(layout: bpy.types.UILayout, error: ErrorInfo, width: int, job: str = "") -> None:
    """What happened, what to do next, and a button that takes it off the panel.

    Args:
        layout: where to.
        error: the typed error.
        width: of the region, pixels.
        job: id of the job that the error is of, if it is of one.
    """
    row = layout.row()
    row.alert = True
    row.label(text=title(error.code), icon="ERROR")
    row.operator("tilewright.dismiss_error", text="", icon="X", emboss=False).job = job
    paragraph(layout, error.message, width)
    paragraph(layout, error.cure, width, "LIGHT")


def draw_job_error(layout: bpy.types.UILayout, width: int, *purposes: str) -> None:
    """The last error, where it is that of a job to these ends, and no task tells it."""
    job = session.current.failed_job()
    if job and job.failure and job.purpose in purposes and not job.receive:
        draw_error(layout.box(), job.failure, width)


_BY_CODE = {code: title for title, codes in _TITLES.items() for code in codes}


def title(code: str) -> str:
    """The title of an error; of one that a later worker knows, its code in words."""
    return _BY_CODE.get(code) or code.replace("_", " ").title()
