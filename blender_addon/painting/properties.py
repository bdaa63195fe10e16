"""Painted looks of a material, and the image that says where each lies."""

import bpy
from bpy.props import CollectionProperty, IntProperty, PointerProperty, StringProperty


class TILEWRIGHT_PG_painted_look(bpy.types.PropertyGroup):
    """One of the looks a material is painted with; `name` is what the artist calls it."""

    uid: StringProperty(description="Of the favorite it was taken from")
    config: StringProperty(description="What to generate, as JSON")
    place: IntProperty(description="Which of the four colors it is painted with")


class Painted:
    """What a material is painted with."""

    painted_looks: CollectionProperty(type=TILEWRIGHT_PG_painted_look)
    style_image: PointerProperty(
        type=bpy.types.Image, name="Style Map", description="Says which look lies where"
    )


register, unregister = bpy.utils.register_classes_factory((TILEWRIGHT_PG_painted_look,))
