"""Motion choices, kept with the scene."""

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty, PointerProperty

from gan_worker.limits import AMOUNTS, SWAYS
from gan_worker.styles.motion import FEWEST_FRAMES, MOST_FRAMES

Item = tuple[str, str, str]
# Blender keeps no reference to the texts of a menu that a function gives.
_items: dict[tuple[Item, ...], list[Item]] = {}
_USUAL = (("pca 1", "Direction 1", ""), ("pca 2", "Direction 2", ""))


def _directions(_owner: object, context: bpy.types.Context | None) -> list[Item]:
    """The sliders of the active material, by the names that the artist gave them."""
    found = context.object if context else None
    material = found.active_material if found else None
    kept = material.tilewright.latents if material else None
    labels = context.scene.tilewright.direction_labels if kept else {}
    names = [direction.name for direction in kept.directions] if kept else []
    items = []
    for name in names:
        label = labels.get(f"{kept.model}/{name}")
        items.append((name, label.label if label else name, ""))
    key = tuple(items) if len(items) > 1 else _USUAL
    return _items.setdefault(key, list(key))


class TILEWRIGHT_PG_motion(bpy.types.PropertyGroup):
    """How a material is to move."""

    path: EnumProperty(
        name="Path",
        description="What the material goes through while it moves",
        items=[
            ("FAVOURITES", "Favorites", "Through the ticked favorites, and back to the first"),
            ("CIRCLE", "Circle", "Around the present look, along two of its sliders"),
            ("KEYFRAMES", "Keyframes", "What the keyframes of the sliders say, frame by frame"),
        ],
        default="CIRCLE",
        options=set(),
    )
    frames: IntProperty(
        name="Frames",
        description="How many pictures each map gets. More of them move more slowly",
        default=48,
        min=FEWEST_FRAMES,
        max=MOST_FRAMES,
        soft_max=250,
        options=set(),
    )
    first: EnumProperty(
        name="First Slider",
        description="The look is moved along this slider, and along the second one",
        items=_directions,
        options=set(),
    )
    second: EnumProperty(
        name="Second Slider",
        description="The look is moved along this slider, and along the first one",
        items=_directions,
        default=1,
        options=set(),
    )
    radius: FloatProperty(
        name="Radius",
        description="How far the look is moved along both sliders. 0 leaves the look as it is",
        default=1.5,
        min=0.0,
        max=AMOUNTS.most,
        soft_max=3.0,
        precision=2,
        options=set(),
    )
    sway: FloatProperty(
        name="Sway",
        description="How far things move from their places. At 0 they stay and only the look "
        "changes, at 1 nothing keeps its place",
        default=0.3,
        min=SWAYS.least,
        max=SWAYS.most,
        subtype="FACTOR",
        options=set(),
    )


class MotionChoices:
    """What was chosen in the Motion panel."""

    motion: PointerProperty(type=TILEWRIGHT_PG_motion)


register, unregister = bpy.utils.register_classes_factory((TILEWRIGHT_PG_motion,))
