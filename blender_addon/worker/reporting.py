"""Turns a typed error into what an operator shows and returns."""

from __future__ import annotations

import bpy

from gan_worker.errors import TilewrightError

from . import session


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
