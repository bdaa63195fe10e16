"""Observer of the sliders and of the models' names: what is moved by hand is told to all materials that go with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import bpy

from gan_worker.client.events import Connected, RunRenamed
from gan_worker.errors import TilewrightError
from gan_worker.wire.messages import ModelList

from .. import state
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
    changed = sliders.steered()
    try:
        config = favourites.mixed_by(chosen)
        for material in changed:
            sliders.exchange(material, favourites.fitting(material, config))
    except TilewrightError as error:
        session.current.fail(error)
        return []
    return changed


@dataclass
class _Told(state.FilePart):
    """What all materials have learned of: going through those of a large scene takes long, and lists come often.

    Attributes:
        last: the weights that the worker has, and who was told of them; None before the first list.
        scenes: `session_uid` of those that were there at the last look.
    """

    last: tuple[object, ...] | None = None
    scenes: set[int] = field(default_factory=set)

    def forget(self) -> None:
        self.last = None

    undone = appended = forget


def _take_models(event: ModelList) -> None:
    weights = [(model.name, model.hash, model.directions) for model in event.models]
    estimators = [(estimator.name, estimator.hash) for estimator in event.estimators]
    owners = (*bpy.data.materials, *bpy.data.scenes)
    now = weights, estimators, {(owner.session_uid, owner.is_editable) for owner in owners}
    told = state.of_file.get(_Told)
    if now != told.last:
        renaming.follow_weights()
        sliders.add_sliders_everywhere()
        told.last = now


def _tick() -> None:
    """Let a scene that was made meanwhile learn of the models too: none is chosen there, and no slider has a name."""
    told, present = state.of_file.get(_Told), {scene.session_uid for scene in bpy.data.scenes}
    if told.scenes and present - told.scenes and session.current.connected:
        session.current.refresh()
    told.scenes = present


_part = pump.Subject(
    tick=_tick,
    receivers={
        # Without a connection, nobody knew which sliders a material has.
        Connected: lambda _event: state.of_file.get(_Told).forget(),
        ModelList: _take_models,
        RunRenamed: lambda event: renaming.take(event.run, event.name),
    },
)


def register() -> None:
    changes.listeners.append(_changed)
    pump.join(_part)


def unregister() -> None:
    pump.leave(_part)
    changes.listeners.remove(_changed)
