"""Observer of the sliders and of the models' names: what is moved by hand is told to all materials that go with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from gan_worker.client.events import RunRenamed
from gan_worker.errors import TilewrightError
from gan_worker.wire.messages import ModelList

from ..shader import projection
from ..worker import pump, session
from . import changes, favourites, live, renaming, sliders

if TYPE_CHECKING:
    from .properties import SteeringChoices


def _changed(owner: Any, name: str) -> None:
    """A slider was moved by hand, or by a script."""
    if name == "scale":
        for material in sliders.steered():
            projection.repeat(material, tuple(owner.scale))
        return
    if name == "explore":
        pump.wake()
        return
    changed = _mix(owner) if name == "mix" else sliders.spread(owner, name)
    if bpy.context.scene.tilewright.live:
        for material in changed:
            live.follow(material)
        pump.wake()


def _mix(chosen: SteeringChoices) -> list[bpy.types.Material]:
    """The slider between two favourites was moved."""
    try:
        config = favourites.mixed_by(chosen)
    except TilewrightError as error:
        session.current.fail(error)
        return []
    changed = sliders.steered()
    for material in changed:
        sliders.exchange(material, favourites.fitting(material, config))
    return changed


def _take_models(_event: ModelList) -> None:
    renaming.follow_weights()
    sliders.add_sliders_everywhere()


_part = pump.Subject(
    receivers={
        ModelList: _take_models,
        RunRenamed: lambda event: renaming.take(event.run, event.name),
    }
)


def register() -> None:
    changes.listeners.append(_changed)
    pump.join(_part)


def unregister() -> None:
    pump.leave(_part)
    changes.listeners.remove(_changed)
