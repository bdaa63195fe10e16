"""Give the worker's memory back: by a button, and before a render that needs the GPU."""

from __future__ import annotations

import logging

import bpy
from bpy.app.handlers import persistent

from gan_worker.errors import RequestError, TilewrightError
from gan_worker.wire.messages import Release

from . import preferences, pump, session
from .reporting import Action, no_worker, unless

log = logging.getLogger(__name__)

# In `blender -b`, where nothing else would be waited for.
PATIENCE = 20.0


def free_memory() -> None:
    """End the worker's idle compute process; it is started again when it is needed.

    Raises:
        RequestError: `not_allowed` where the worker is older than this request.
        WorkerError: `worker_gone` without a connection.
    """
    if not session.current.speaks(1, 1):
        raise RequestError(
            "not_allowed",
            "The worker must be as new as the extension to free its memory; it is older.",
            "Set the worker up again.",
        )
    session.current.ask(Release())


@persistent
def _before_rendering(*_args: object) -> None:
    """Only a compute process without work is in the way, where it holds a GPU or may do so; a training goes on."""
    now = session.current
    # Which device it gets is not known while it starts for the first time.
    free = now.compute_state == "idle" or (
        now.compute_state == "starting" and not any(job.under_way for job in now.jobs.values())
    )
    holds = now.connected and free and "CPU" not in now.device
    if not (holds and preferences.get().free_before_render):
        return
    try:
        free_memory()
        if bpy.app.background:
            pump.wait(lambda: now.compute_state == "off", PATIENCE)
    except TilewrightError as error:
        log.warning("memory is not free for the render: %s", error)


class TILEWRIGHT_OT_free_memory(Action, bpy.types.Operator):
    """Give back the memory the worker computes with, on the GPU too. The next use takes some seconds longer"""

    bl_idname = "tilewright.free_memory"
    bl_label = "Free Memory"

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        found = no_worker()
        if found:
            return found
        state = session.current.compute_state
        if state in ("off", "stopping"):
            return "Nothing is held: memory is taken when it is needed"
        return unless(state == "idle", "The worker is computing: wait, or stop the training")

    def act(self, _context: bpy.types.Context) -> None:
        free_memory()


def register() -> None:
    bpy.utils.register_class(TILEWRIGHT_OT_free_memory)
    bpy.app.handlers.render_init.append(_before_rendering)


def unregister() -> None:
    if _before_rendering in bpy.app.handlers.render_init:
        bpy.app.handlers.render_init.remove(_before_rendering)
    bpy.utils.unregister_class(TILEWRIGHT_OT_free_memory)
