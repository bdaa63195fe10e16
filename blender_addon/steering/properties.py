"""Steering choices: the latents of a material, and what was chosen in the panels that move them."""

from collections.abc import Callable
from dataclasses import asdict, replace

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from gan_worker.estimation import LIMITS, SURFACES, VERSIONS, Estimation
from gan_worker.limits import AMOUNTS, SEEDS, TRUNCATIONS

from ..worker import session
from .changes import quietly, tell

# What a kind of surface is for, and the number that stands for it in .blend files, for life.
SURFACE_TEXTS = {
    "general": ("Of any kind", 0),
    "stone": ("Stone, concrete, brick and plaster: duller than most", 1),
    "wood": ("Wood and bark: a little smoother, with more of the grain", 2),
    "fabric": ("Cloth, carpet and leather: dull everywhere, with more of the weave", 3),
    "metal": ("Bare metal: reflects in its own color", 4),
    "wet": ("Anything that is wet: glossy and flatter", 5),
}


def _style_names(owner: "TILEWRIGHT_PG_latents", _context: object, _typed: str) -> list[str]:
    return session.current.style_names(owner.model)


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


def _choose_surface(owner: "TILEWRIGHT_PG_estimation", context: bpy.types.Context) -> None:
    """Move the sliders to where they are for this kind of surface; the light and what is high are the picture's.

    What estimates them stays too.
    """
    with quietly():
        kept = ("invert", "light", "version", "estimator")
        own = {name: getattr(owner, name) for name in kept}
        owner.take(replace(SURFACES[owner.surface], **own))
    tell("surface")(owner, context)


def _estimator_names(_owner: object, _context: object, _typed: str) -> list[str]:
    return session.current.estimator_names()


def estimator_choice(update: Callable[..., None] | None = None) -> object:
    """The choice of what estimates maps: one that has learned from somebody's sets, or nothing for the worker's own."""
    return StringProperty(  # type: ignore[func-returns-value]  # a deferred property, says Blender
        name="Estimator",
        description="What maps are estimated with, where it has learned from your own sets. Empty takes the one that "
        "comes with the worker, and of a photo the one that its maps were made with",
        search=_estimator_names,
        options=set(),
        update=update,
    )


def _strength(field: str, name: str, description: str, soft_max: float | None = None) -> object:
    """A slider of what is made of estimates; keyframes belong to latents."""
    limits = LIMITS[field]
    return FloatProperty(  # type: ignore[func-returns-value]  # a deferred property, says Blender
        name=name,
        description=description,
        default=getattr(Estimation, field),
        min=limits.least,
        max=limits.most,
        soft_max=limits.most if soft_max is None else soft_max,
        precision=2,
        step=5,
        options=set(),
        update=tell(field),
    )


class TILEWRIGHT_PG_estimation(bpy.types.PropertyGroup):
    """What is made of the estimates of maps that nobody gave; see `Estimation`."""

    used: BoolProperty(description="Whether maps that the model has not are estimated")
    version: IntProperty(
        description="Of how maps are made of estimates; files of the first one do not have it",
        default=VERSIONS[0],
    )
    surface: EnumProperty(
        name="Surface Kind",
        description="What the picture shows. It sets the sliders below",
        items=[
            (name, name.capitalize(), *SURFACE_TEXTS.get(name, ("", 100 + number)))
            for number, name in enumerate(SURFACES)
        ],
        options=set(),
        update=_choose_surface,
    )
    depth: _strength(
        "depth", "Depth", "How deep the relief is, of normals and height together", soft_max=2.0
    )
    invert: BoolProperty(
        name="Invert",
        description="What was taken for high is low. Turn it on where light joints or dark stones were taken for the "
        "opposite",
        options=set(),
        update=tell("invert"),
    )
    coarse: _strength(
        "coarse", "Coarse", "How much of the relief of shapes there is, such as stones"
    )
    fine: _strength(
        "fine", "Fine", "How much of the relief of what is finer there is, such as grain"
    )
    roughness: _strength(
        "roughness", "Roughness", "Added to the estimated roughness: below 0 it gets glossier"
    )
    roughness_range: _strength(
        "roughness_range",
        "Range",
        "How much roughness differs over the surface. At 0 it is the same everywhere",
    )
    occlusion: _strength("occlusion", "Occlusion", "How dark it gets in the joints and pits")
    metallic: _strength("metallic", "Metallic", "How much of a metal all of the surface is")
    light: _strength(
        "light", "Light Removed", "How much of the light on the picture is taken out of the color"
    )

    estimator: estimator_choice(update=tell("estimator"))

    def take(self, estimation: Estimation) -> None:
        """Move the sliders to where they are for it."""
        for name, value in asdict(estimation).items():
            if getattr(self, name) != value:  # a surface, the first, moves all others
                setattr(self, name, value)


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
    estimation: PointerProperty(type=TILEWRIGHT_PG_estimation)
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
    """What was chosen in the panels Latents, Explore and Favourites, and wherever maps are estimated."""

    estimator: estimator_choice()
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
        TILEWRIGHT_PG_estimation,
        TILEWRIGHT_PG_latents,
        TILEWRIGHT_PG_favourite,
    )
)
