"""Training choices: what is to be learned from and how, and which run is chosen."""

from collections.abc import Collection

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    StringProperty,
)

from gan_worker.config import PRESETS
from gan_worker.limits import SEEDS, TRAINING_SCALES

# Name, meaning, and the number that stands for it in .blend files, for life.
PRESET_TEXTS = {
    "nano": ("Smallest, for a Try", "Learns within a minute; rough results", 0),
    "tiny": ("Small, without a GPU", "Fit for a computer without a graphics card", 1),
    "full": ("Large, with a GPU", "Fit for one graphics card", 2),
    "classic": (
        "Classic",
        "The plain GAN of the textbooks: a sheet of 28×28 gray pictures, learned from a folder of many",
        3,
    ),
    "photo": (
        "One Photo, No Training",
        "The photo itself is the model: there in seconds, with the maps estimated from it",
        4,
    ),
    "estimator": (
        "Estimator of Maps",
        "No model: from sets with normals, the estimator of maps learns what yours have",
        5,
    ),
}


def preset_items(presets: Collection[str]) -> list[tuple[str, str, str, int]]:
    """Choices of presets; one without a text is there under its own name, with a number of no other."""
    unnamed = sorted(set(presets) - set(PRESET_TEXTS))
    texts = {name: (name, "", len(PRESET_TEXTS) + n) for n, name in enumerate(unnamed)}
    return [(name, *(PRESET_TEXTS | texts)[name]) for name in presets]


# How much of the pictures' detail is learned: name, meaning, and the number that stands for it in .blend files, for
# life.
DETAIL_TEXTS = {
    "FULL": ("Full", "Learn all that the pictures show, pixel for pixel", 0),
    "HALF": ("Half", "Learn the pictures at half their size: for what has grain or JPEG blocks", 1),
    "QUARTER": (
        "Quarter",
        "Learn the pictures at a quarter of their size: for what is not sharp",
        2,
    ),
}


class TILEWRIGHT_PG_picture(bpy.types.PropertyGroup):
    """One picture or folder to learn from."""

    path: StringProperty(
        name="Picture",
        description="A photo, a folder of photos, or a folder with maps of materials",
        subtype="FILE_PATH",
    )


class TrainingChoices:
    """What was chosen in the Train panel."""

    pictures: CollectionProperty(type=TILEWRIGHT_PG_picture)
    run: StringProperty(
        name="Name",
        description="Name of the model that training makes. Empty names it after the first picture or folder, with a "
        "number where that name is taken",
    )
    preset: EnumProperty(
        name="Model Size",
        description="How much the model can learn: a larger one needs longer and looks better",
        items=preset_items(PRESETS),
        default="tiny",
    )
    minutes: FloatProperty(
        name="Minutes",
        description="Training stops by itself after this time, and the model can be used before. Continue goes on to "
        "it, or for as long again where the run has had it",
        default=5.0,
        min=0.05,
        soft_max=600.0,
        precision=1,
    )
    detail: EnumProperty(
        name="Detail",
        description="How much of the pictures' detail is learned. Less of it learns sooner and makes smaller models",
        items=[(name, *texts) for name, texts in DETAIL_TEXTS.items()],
        default="FULL",
    )
    picture_scale: FloatProperty(
        name="Picture Scale",
        description="Factor on the size of the pictures before training, in place of Detail. 0 leaves it to Detail",
        default=0.0,
        min=0.0,
        max=TRAINING_SCALES.most,
    )
    isotropic: BoolProperty(
        name="Turned and Mirrored",
        description="Learn the pictures turned and mirrored too. More to learn from where they are small and have no "
        "direction; light that falls from one side falls from all sides then",
        default=False,
    )
    tileable: BoolProperty(
        name="Tileable",
        description="Make the borders of a photo meet that becomes a material without training. One whose borders "
        "meet already stays as it is",
        default=True,
    )
    awaited_settings: StringProperty(
        description="A run whose settings are taken over once the worker has told them"
    )
    training_seed: IntProperty(
        name="Training Seed",
        description="Fixes the start of the training",
        default=0,
        min=SEEDS.least,
    )
    picture_width: FloatProperty(
        name="Picture Width",
        description="How much of the surface the first picture shows from left to right; with corners, how much lies "
        "between them. What is generated then comes onto objects as large as it is. 0 where you do not know it",
        default=0.0,
        min=0.0,  # its end is asked in meters, by the config: units may be shorter
        soft_max=10.0,
        step=10,
        unit="LENGTH",
    )
    author: StringProperty(
        name="Author",
        description="Who made the pictures. Empty where each says so itself, in its metadata or a file beside it",
    )
    license: StringProperty(
        name="License",
        description="License of the pictures, such as CC0-1.0. What the model makes names it. Empty where each picture "
        "says so itself",
    )
    source: StringProperty(name="Source", description="Where the pictures come from")


class TILEWRIGHT_PG_run(bpy.types.PropertyGroup):
    """A row of the list of runs; what is known of it stands in the session under its name."""


class RunChoices:
    """What is chosen in the list of runs, kept with no file."""

    runs: CollectionProperty(type=TILEWRIGHT_PG_run)
    run_index: IntProperty(name="Run", description="The chosen run", min=0)


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_PG_picture,
        TILEWRIGHT_PG_run,
    )
)
