"""Material slots: which objects take a material, why others do not, and the one way in which an object gets one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import bpy

# Types whose materials are surfaces; those of drawings and volumes are something else, and stay as they are.
TYPES = ("MESH", "CURVE", "SURFACE", "FONT", "META", "CURVES", "POINTCLOUD")


def refusal(obj: bpy.types.Object, number: int | None = None) -> str:
    """Why an object takes no material.

    Args:
        obj: any object.
        number: of the slot, from 0; None for any.

    Returns:
        A reason that goes on after "because"; empty where it takes one.
    """
    if obj.type not in TYPES:
        return "it has no surface"
    if not obj.is_editable:
        return "it is linked from another file"
    if number is not None and number >= len(obj.material_slots) and not has_room(obj):
        return "its data is linked, so that no slot can be added"
    return ""


def has_room(obj: bpy.types.Object) -> bool:
    """Whether slots can be added: on data of another file they do not stay, although Blender adds them."""
    return bool(obj.data.is_editable and not obj.data.override_library)


def active_number(obj: bpy.types.Object) -> int:
    """Number of the slot that panels show; 0 where there is none yet."""
    return obj.active_material_index if obj.material_slots else 0


def assign(obj: bpy.types.Object, material: bpy.types.Material, number: int | None = None) -> None:
    """Put a material into a slot of an object; other objects with the same data keep what they have.

    Args:
        obj: one that `refusal` has nothing against.
        material: what the slot gets.
        number: of the slot, from 0; those that are missing are added. None is the active one.
    """
    number = active_number(obj) if number is None else number
    while len(obj.material_slots) <= number:
        obj.data.materials.append(None)
    slot = obj.material_slots[number]
    if _users(obj.data) > 1 or not has_room(obj):
        slot.link = "OBJECT"
    slot.material = material


def alone_show(objects: Collection[bpy.types.Object], material: bpy.types.Material) -> bool:
    """Whether nothing but these objects uses a material, so that it may change with them."""
    sharing = Counter(obj.data for obj in objects)
    theirs = [data for data, count in sharing.items() if _users(data) == count]
    used = sum(list(data.materials).count(material) for data in theirs)
    own = (slot for obj in objects for slot in obj.material_slots if slot.link == "OBJECT")
    used += sum(slot.material == material for slot in own)
    return _users(material) <= used


def _users(block: bpy.types.ID | None) -> int:
    return block.users - block.use_fake_user
