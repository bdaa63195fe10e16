"""Turns a typed error into what an operator returns and a panel shows."""

from __future__ import annotations

import bpy

from gan_worker.errors import ErrorInfo, TilewrightError

from ..ui.layouts import paragraph
from . import session

_TITLES = {
    "The Pictures Cannot Be Used": (
        *("picture_missing", "picture_unreadable", "picture_too_small", "dataset_empty"),
        "map_size_mismatch",
    ),
    "There Is No Such Thing": (
        *("unknown_model", "unknown_run", "unknown_job", "unknown_object", "scene_missing"),
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
    operator.report({"ERROR"}, str(error))
    return {"CANCELLED"}


def needs(cls: type[bpy.types.Operator], holds: object, reason: str) -> bool:
    """For `poll`: say why a button is disabled."""
    if not holds:
        cls.poll_message_set(reason)
    return bool(holds)


def needs_worker(cls: type[bpy.types.Operator]) -> bool:
    """For `poll`: a worker must be connected."""
    return needs(
        cls, session.current.connected, "No worker is connected: press Start in the Worker panel"
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
