"""Steering choices: the latents of a material, and what was chosen in the panels that move them."""

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from gan_worker.limits import AMOUNTS, SEEDS, TRUNCATIONS

from ..worker import session
from .changes import tell


def _style_names(owner: "TILEWRIGHT_PG_latents", _context: object, _typed: str) -> list[str]:
    model = session.current.model(owner.model)
    return list(model.styles) if model else []


class TILEWRIGHT_PG_direction_label(bpy.types.PropertyGroup):
    """What the artist calls a direction; `name` is `model/direction`."""

    label: StringProperty(
        name="Name of the Slider", description="What this slider does to the look, in your words"
    )


class TILEWRIGHT_PG_direction(bpy.types.PropertyGroup):
    """How far the style is moved along a direction; `name` is that of the direction."""

    amount: FloatProperty(
        name="Amount",
        description="Change the look along one direction that was found in the model. 0 changes "
        "nothing, and beyond 3 the look becomes unusual",
        default=0.0,
        min=AMOUNTS.least,
        max=AMOUNTS.most,
        soft_min=-3.0,
        soft_max=3.0,
        step=5,
        precision=2,
        update=tell("amount"),
    )


class TILEWRIGHT_PG_latents(bpy.types.PropertyGroup):
    """What the artist wants a material to be; its recipe says what it shows."""

    model: StringProperty(name="Model")
    seed: IntProperty(
        name="Seed",
        description="Each number is another variant; the same number is always the same variant",
        default=1,
        min=SEEDS.least,
        update=tell("seed"),
    )
    truncation_psi: FloatProperty(
        name="Variety",
        description="0 gives the most typical look, 1 the full variety of the model",
        default=1.0,
        min=TRUNCATIONS.least,
        max=TRUNCATIONS.most,
        soft_max=1.0,
        subtype="FACTOR",
        update=tell("truncation_psi"),
    )
    material: StringProperty(
        name="Look Of",
        description="Start from the look of this training material instead of the seed's",
        search=_style_names,
        update=tell("material"),
    )
    directions: CollectionProperty(type=TILEWRIGHT_PG_direction)
    width: IntProperty(name="Width", subtype="PIXEL", default=512)
    height: IntProperty(name="Height", subtype="PIXEL", default=512)
    mip: IntProperty(
        name="Level",
        description="How often the resolution of the tile is halved; 0 has all detail",
        default=0,
    )
    area: IntProperty(
        name="Area",
        description="Longer side of the tile with all detail that resolutions are chosen for, pixels; 0 is what is "
        "shown. A resolution beyond the finest shows more, and those below it the same again",
        default=0,
    )
    rest: StringProperty(
        description="Latent, mix, style map and layout, and which maps to make, as JSON"
    )
    placed: StringProperty(description="Where the border was put, and for what, as JSON")


class TILEWRIGHT_PG_favourite(bpy.types.PropertyGroup):
    """Latents that the artist keeps; `name` is what she calls them."""

    uid: StringProperty()
    config: StringProperty(description="What to generate, as JSON")
    thumbnail: StringProperty(description="A small picture as text; empty until there is one")
    in_loop: BoolProperty(
        name="In the Loop",
        description="Let a loop through favorites go through this one",
        default=True,
        options=set(),
    )


class SteeringChoices:
    """What was chosen in the panels Latents, Explore and Favourites."""

    scale: FloatVectorProperty(
        name="Repeats",
        description="How often the tile is repeated over the UV square",
        size=2,
        default=(1.0, 1.0),
        min=0.001,
        soft_max=100.0,
        update=tell("scale"),
    )
    live: BoolProperty(
        name="Live",
        description="Let the material follow while a slider of the latents moves",
        default=True,
    )
    preview_size: IntProperty(
        name="Preview Size",
        description="Longest side in pixels of the maps that are shown while a slider moves",
        default=256,
        min=32,
        max=512,
        step=32,
    )
    explore: BoolProperty(
        name="Explore",
        description="Show pictures of variations of the material, to choose from",
        default=False,
        update=tell("explore"),
    )
    explore_strength: FloatProperty(
        name="Strength",
        description="How far the variations are from the picture in the middle, in look and in where things lie",
        default=0.8,
        min=0.05,
        max=2.0,
        update=tell("explore"),
    )
    explore_roll: IntProperty(update=tell("explore"))
    explore_anywhere: BoolProperty(update=tell("explore"))
    favourites: CollectionProperty(type=TILEWRIGHT_PG_favourite)
    mix_a: StringProperty()
    mix_b: StringProperty()
    mix: FloatProperty(
        name="Mix",
        description="Blend the looks of favorites A and B. Where things lie stays as in A",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options=set(),  # keyframes belong to a material
        update=tell("mix"),
    )
    direction_labels: CollectionProperty(type=TILEWRIGHT_PG_direction_label)


class Steered:
    """What the artist wants a material to be."""

    latents: PointerProperty(type=TILEWRIGHT_PG_latents)


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_PG_direction_label,
        TILEWRIGHT_PG_direction,
        TILEWRIGHT_PG_latents,
        TILEWRIGHT_PG_favourite,
    )
)
