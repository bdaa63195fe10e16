"""Preparation of an image: what is to be done to a photo before it is used, kept with its datablock."""

import bpy
from bpy.props import (
    BoolProperty,
    FloatProperty,
    FloatVectorProperty,
    PointerProperty,
    StringProperty,
)

from . import changes

# Four corners a little inside, clockwise from the upper left one, y downwards: seen and grabbed at once.
RECTANGLE = (0.1, 0.1, 0.9, 0.1, 0.9, 0.9, 0.1, 0.9)


class Prepared:
    """What is to be done to a photo; `preparation.of` reads it."""

    is_cut: BoolProperty(name="Four Corners", description="Use only what lies between the corners")
    corners: FloatVectorProperty(
        name="Corners",
        description="Of the part to use: x and y of four corners, clockwise from the upper left one, as shares of "
        "width and height from the upper left",
        size=8,
        min=0.0,
        max=1.0,
        default=RECTANGLE,
        update=changes.tell,
    )
    even_light: FloatProperty(
        name="Even Light",
        description="Take out how brightness changes slowly over the photo, as a lamp at one side makes it. Stones "
        "and spots stay as light or dark as they are",
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=changes.tell,
    )
    white_balance: FloatProperty(
        name="White Balance",
        description="Take out the tint of the light, blue of shade or yellow of lamps. It is measured on the photo",
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=changes.tell,
    )
    prepared_of: PointerProperty(
        type=bpy.types.Image, description="The photo of which this image shows the outcome"
    )
    written_to: StringProperty(
        description="Where the image was written for training, as it is in no file of its own"
    )
