"""Keyframes of latents: materials follow while the time is moved, and what each frame asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.handlers import persistent

from gan_worker.styles.mixing import within_limit

from ..shader import node_tree
from ..steering import live, sliders
from ..worker import pump

if TYPE_CHECKING:
    from gan_worker.config import GenerationConfig

_PREFIX = "tilewright.latents."


def is_keyed(material: bpy.types.Material) -> bool:
    """Whether keyframes or drivers move the latents of this material."""
    animation = material.animation_data
    drivers = animation.drivers if animation else ()
    return any(c.data_path.startswith(_PREFIX) for c in (*_curves(material), *drivers))


def configs_of(material: bpy.types.Material, first: int, last: int) -> Iterator[GenerationConfig]:
    """What the keyframes ask for at each frame, the scene being left where it is.

    Args:
        material: with keyframes; drivers and what stands above them count as they are now.
        first: frame.
        last: frame, which is included.
    """
    base, curves = sliders.wanted(material), _curves(material)
    for frame in range(first, last + 1):
        fields: dict[str, Any] = {}
        amounts = dict(base.directions)
        for curve in curves:
            owner, _, name = curve.data_path.rpartition(".")
            value = curve.evaluate(frame)
            if name == "amount":
                amounts[material.path_resolve(owner).name] = within_limit(value)
            elif name == "seed":
                fields["seed"] = sliders.nearest_seed(value)
            elif name == "truncation_psi":
                fields[name] = min(2.0, max(0.0, value))
        moved = tuple((name, amount) for name, amount in amounts.items() if amount)
        yield replace(base, directions=moved, **fields)


def _curves(material: bpy.types.Material) -> list[bpy.types.FCurve]:
    """The curves of latents that are there: keyframes of a slider may outlive it."""
    animation = material.animation_data
    found = _action_curves(animation) if animation and animation.action else ()
    return [c for c in found if c.data_path.startswith(_PREFIX) and _resolves(material, c)]


def _resolves(material: bpy.types.Material, curve: bpy.types.FCurve) -> bool:
    try:
        material.path_resolve(curve.data_path)
    except ValueError:
        return False
    return True


def _action_curves(animation: bpy.types.AnimData) -> Iterable[bpy.types.FCurve]:
    if bpy.app.version < (5, 0, 0):
        return animation.action.fcurves
    from bpy_extras import anim_utils  # where actions have slots

    bag = anim_utils.action_get_channelbag_for_slot(animation.action, animation.action_slot)
    return bag.fcurves if bag else ()


@persistent
def _after_frame_change(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """The animation system calls no update of a property: whatever it has moved is looked at here."""
    if depsgraph.mode == "RENDER" or not scene.tilewright.live:
        return
    # Most materials of a large scene have none, and this runs with every frame.
    animated = (m for m in bpy.data.materials if m.animation_data)
    moved = [m for m in animated if sliders.has_latents(m) and _is_due(m)]
    for material in moved:
        live.follow(material)
    if moved:
        pump.wake()


def _is_due(material: bpy.types.Material) -> bool:
    moves = is_keyed(material) and not node_tree.shows_sequence(material)
    return moves and not live.is_asked(material)


def register() -> None:
    bpy.app.handlers.frame_change_post.append(_after_frame_change)


def unregister() -> None:
    bpy.app.handlers.frame_change_post.remove(_after_frame_change)
