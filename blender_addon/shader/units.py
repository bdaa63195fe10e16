"""Meters and Blender's units: a scene says how long its unit is.

What Blender has is in its units: sizes of tiles, and places and distances in scene recipes too. What the worker knows
of sizes is in meters, and so is the relief of a `Wiring`.
"""

from __future__ import annotations

import bpy


def meters_per_unit(scene: bpy.types.Scene) -> float:
    """How long Blender's unit is in a scene; without a system of units, Blender takes no account of the scale."""
    chosen = scene.unit_settings
    return 1.0 if chosen.system == "NONE" else float(chosen.scale_length)
