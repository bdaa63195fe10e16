"""Scene description: what a recipe can know of a scene, its objects, collections and curves, by value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

Point = tuple[float, float, float]
Value = str | int | float | bool


@dataclass(frozen=True)
class SceneObject:
    """An object that can have materials.

    Attributes:
        name: unique in the scene.
        type: Blender's, such as `MESH`.
        collections: names of all it lies in, however deep.
        slots: name of the material in each slot, empty where there is none.
        properties: custom properties that are text, number or truth.
        location: in the world, Blender's units.
        new_slots: whether slots can be added.
        refusal: why nothing about it can be changed, empty where it can.
        added: numbers of the slots that a recipe has added, and whose materials are its own still.
        former: number of a slot that a recipe has filled → name of the material that was there, where it is known.
        filled: number of a slot that was empty → name of the rule that has filled it, one that keeps what is there;
            not where somebody has worked on the material since.
    """

    name: str
    type: str = "MESH"
    collections: frozenset[str] = frozenset()
    slots: tuple[str, ...] = ()
    properties: Mapping[str, Value] = field(default_factory=dict)
    location: Point = (0.0, 0.0, 0.0)
    new_slots: bool = True
    refusal: str = ""
    added: tuple[int, ...] = ()
    former: Mapping[int, str] = field(default_factory=dict)
    filled: Mapping[int, str] = field(default_factory=dict)

    @property
    def is_somewhere(self) -> bool:
        """Whether its location is one: animation, drivers and broken parents can make it infinite, or no number."""
        return all(map(math.isfinite, self.location))


@dataclass(frozen=True)
class Scene:
    """What a recipe can know of a scene.

    Attributes:
        objects: those that can have materials.
        collections: names of all collections, empty ones too.
        curves: curve object → points along it in the world.
    """

    objects: tuple[SceneObject, ...]
    collections: frozenset[str] = frozenset()
    curves: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
