"""Repair of a material: its mask, and what came of it."""

import bpy
from bpy.props import BoolProperty, PointerProperty, StringProperty


class Repaired:
    """What is to be repaired in a material, and what was."""

    repair_mask: PointerProperty(
        type=bpy.types.Image, name="Repair Mask", description="White where it is to be repaired"
    )
    repaired: BoolProperty(description="Whether a part of it was repaired since it was generated")
    repair_remark: StringProperty(description="What the worker has to say of the last repair")
