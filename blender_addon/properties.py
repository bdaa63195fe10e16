"""Properties of scenes, materials, images and the window, composed of what each subject keeps there.

What stands in saved files is named `scene.tilewright.NAME`, `material.tilewright.NAME` and `image.tilewright.NAME`,
whichever subject it belongs to: a name that was given once stays, and no two subjects may have the same.
"""

from __future__ import annotations

import bpy
from bpy.props import PointerProperty

from .animation.properties import MotionChoices
from .generation.properties import GenerationChoices, Origin
from .output.properties import OutputChoices
from .painting.properties import Painted
from .photos.properties import Prepared
from .repair.properties import Repaired
from .scenes.properties import RecipeChoices
from .shader.properties import Shading, ShadingChoices
from .steering.properties import Steered, SteeringChoices
from .training.properties import RunChoices, TrainingChoices


class TILEWRIGHT_PG_scene(
    TrainingChoices,
    GenerationChoices,
    SteeringChoices,
    MotionChoices,
    ShadingChoices,
    OutputChoices,
    RecipeChoices,
    bpy.types.PropertyGroup,
):
    """What was chosen in the panels, kept with the scene."""


class TILEWRIGHT_PG_window(RunChoices, bpy.types.PropertyGroup):
    """What is chosen in lists of this Blender, kept with no file."""


class TILEWRIGHT_PG_material(Shading, Steered, Painted, Repaired, Origin, bpy.types.PropertyGroup):
    """How a material was made, and the uuid by which results find it."""


class TILEWRIGHT_PG_image(Prepared, bpy.types.PropertyGroup):
    """What is to be done to a photo before it is used."""


_OWNERS = {
    bpy.types.Scene: TILEWRIGHT_PG_scene,
    bpy.types.WindowManager: TILEWRIGHT_PG_window,
    bpy.types.Material: TILEWRIGHT_PG_material,
    bpy.types.Image: TILEWRIGHT_PG_image,
}


def register() -> None:
    for owner, group in _OWNERS.items():
        bpy.utils.register_class(group)
        owner.tilewright = PointerProperty(type=group)


def unregister() -> None:
    for owner, group in reversed(_OWNERS.items()):
        del owner.tilewright
        bpy.utils.unregister_class(group)
