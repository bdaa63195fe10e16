"""What belongs to a scene and to a material: what was chosen, and how a material was made."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    IntVectorProperty,
    PointerProperty,
    StringProperty,
)

from gan_worker.config import PRESETS
from gan_worker.materials.maps import MAPS

from .animation.properties import TILEWRIGHT_PG_motion
from .shader import projection
from .worker import session

PRESET_TEXTS = {
    "nano": ("Smallest, for a Try", "Learns within a minute; rough results"),
    "tiny": ("Small, without a GPU", "Fit for a computer without a graphics card"),
    "full": ("Large, with a GPU", "Fit for one graphics card"),
    "classic": (
        "Classic",
        "The plain GAN of the textbooks: a sheet of 28×28 grey pictures, learned from a folder of many",
    ),
}


def new_uuid() -> str:
    """A name that stays with a datablock through renaming, undo and saving."""
    return uuid.uuid4().hex


# What a field offers: all of it, since Blender filters by what is typed, and at first asks with what the field holds.
def _model_names(_owner: object, _context: object, _typed: str) -> list[str]:
    return session.current.model_names()


def _style_names(owner: bpy.types.PropertyGroup, _context: object, _typed: str) -> list[str]:
    model = session.current.model(owner.model)
    return list(model.styles) if model else []


def _library_names(_owner: object, context: bpy.types.Context, _typed: str) -> list[str]:
    return [found.name for found in context.preferences.filepaths.asset_libraries]


# Told of each slider that was moved by hand: the group it belongs to, and what it is about.
latent_listeners: list[Callable[[bpy.types.PropertyGroup, str], None]] = []
_quiet: list[bool] = []


@contextmanager
def quietly() -> Iterator[None]:
    """Change latents without telling anybody."""
    _quiet.append(True)
    try:
        yield
    finally:
        _quiet.pop()


def _tell(name: str) -> Callable[[bpy.types.PropertyGroup, bpy.types.Context], None]:
    def update(owner: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
        for listener in () if _quiet else latent_listeners:
            listener(owner, name)

    return update


class TILEWRIGHT_PG_picture(bpy.types.PropertyGroup):
    """One picture or folder to learn from."""

    path: StringProperty(
        name="Picture",
        description="A photo, a folder of photos, or a folder with maps of materials",
        subtype="FILE_PATH",
    )


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
        min=-10.0,
        max=10.0,
        soft_min=-3.0,
        soft_max=3.0,
        step=5,
        precision=2,
        update=_tell("amount"),
    )


class TILEWRIGHT_PG_latents(bpy.types.PropertyGroup):
    """What the artist wants a material to be; its recipe says what it shows."""

    model: StringProperty(name="Model")
    seed: IntProperty(
        name="Seed",
        description="Each number is another variant; the same number is always the same variant",
        default=1,
        min=0,
        update=_tell("seed"),
    )
    truncation_psi: FloatProperty(
        name="Variety",
        description="0 gives the most typical look, 1 the full variety of the model",
        default=1.0,
        min=0.0,
        max=2.0,
        soft_max=1.0,
        subtype="FACTOR",
        update=_tell("truncation_psi"),
    )
    material: StringProperty(
        name="Look Of",
        description="Start from the look of this training material instead of the seed's",
        search=_style_names,
        update=_tell("material"),
    )
    directions: CollectionProperty(type=TILEWRIGHT_PG_direction)
    width: IntProperty(name="Width", subtype="PIXEL", default=512)
    height: IntProperty(name="Height", subtype="PIXEL", default=512)
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
        description="Let a loop through favourites go through this one",
        default=True,
        options=set(),
    )


class TILEWRIGHT_PG_painted_look(bpy.types.PropertyGroup):
    """One of the looks a material is painted with; `name` is what the artist calls it."""

    uid: StringProperty(description="Of the favourite it was taken from")
    config: StringProperty(description="What to generate, as JSON")
    place: IntProperty(description="Which of the four colors it is painted with")


class TILEWRIGHT_PG_scene(bpy.types.PropertyGroup):
    """What was chosen in the panels, kept with the scene."""

    pictures: CollectionProperty(type=TILEWRIGHT_PG_picture)
    run: StringProperty(
        name="Name", description="Name of the model that training makes", default="my material"
    )
    preset: EnumProperty(
        name="Model Size",
        description="How much the model can learn: a larger one needs longer and looks better",
        items=[(name, *PRESET_TEXTS[name]) for name in PRESETS],
        default="tiny",
    )
    minutes: FloatProperty(
        name="Minutes",
        description="Training stops by itself after this time. The model can be used before that",
        default=5.0,
        min=0.05,
        soft_max=600.0,
        precision=1,
    )
    picture_scale: FloatProperty(
        name="Picture Scale",
        description="Factor on the size of the pictures before training. 0 measures a good one",
        default=0.0,
        min=0.0,
        max=4.0,
    )
    isotropic: BoolProperty(
        name="Turned and Mirrored",
        description="Learn the pictures turned and mirrored too. More to learn from where they are small and have no "
        "direction; light that falls from one side falls from all sides then",
        default=False,
    )
    training_seed: IntProperty(
        name="Training Seed", description="Fixes the start of the training", default=0, min=0
    )
    author: StringProperty(
        name="Author",
        description="Who made the pictures. Empty where each says so itself, in its metadata or a file beside it",
    )
    license: StringProperty(
        name="Licence",
        description="Licence of the pictures, such as CC0-1.0. What the model makes names it. Empty where each picture "
        "says so itself",
    )
    source: StringProperty(name="Source", description="Where the pictures come from")

    awaited_model: StringProperty(
        description="A run in training that is chosen once it can generate"
    )
    model: StringProperty(
        name="Model", description="The trained model that makes the maps", search=_model_names
    )
    seed: IntProperty(
        name="Seed",
        description="Each number is another variant; the same number is always the same variant",
        default=1,
        min=0,
    )
    width: IntProperty(
        name="Width",
        description="Width of the maps in pixels. They are seamless at any size",
        default=512,
        min=8,
        max=16384,
        step=64,
    )
    height: IntProperty(
        name="Height",
        description="Height of the maps in pixels. They are seamless at any size",
        default=512,
        min=8,
        max=16384,
        step=64,
    )
    truncation_psi: FloatProperty(
        name="Variety",
        description="0 gives the most typical look, 1 the full variety of the model",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    maps: EnumProperty(
        name="Maps",
        description="Which maps to make. None chosen makes all that the model has",
        items=[
            (name, name.replace("_", " ").title(), "", 1 << number)
            for number, name in enumerate(MAPS)
        ],
        options={"ENUM_FLAG"},
        default=set(),
    )
    target: EnumProperty(
        name="Apply To",
        description="Which objects get the material",
        items=[
            ("ACTIVE", "Active", "The active object"),
            ("SELECTED", "Selected", "All selected objects"),
        ],
        default="ACTIVE",
    )
    vary_per_object: BoolProperty(
        name="Vary per Object",
        description="Give each selected object a seed of its own, counting up from Seed",
        default=False,
    )
    scale: FloatVectorProperty(
        name="Repeats",
        description="How often the tile is repeated over the UV square",
        size=2,
        default=(1.0, 1.0),
        min=0.001,
        soft_max=100.0,
        update=_tell("scale"),
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
        update=_tell("explore"),
    )
    explore_strength: FloatProperty(
        name="Strength",
        description="How far the variations are from the picture in the middle, in look and in where things lie",
        default=0.8,
        min=0.05,
        max=2.0,
        update=_tell("explore"),
    )
    explore_roll: IntProperty(update=_tell("explore"))
    explore_anywhere: BoolProperty(update=_tell("explore"))
    favourites: CollectionProperty(type=TILEWRIGHT_PG_favourite)
    mix_a: StringProperty()
    mix_b: StringProperty()
    mix: FloatProperty(
        name="Mix",
        description="Blend the looks of favourites A and B. Where things lie stays as in A",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        options=set(),  # keyframes belong to a material
        update=_tell("mix"),
    )
    motion: PointerProperty(type=TILEWRIGHT_PG_motion)
    direction_labels: CollectionProperty(type=TILEWRIGHT_PG_direction_label)
    multiply_occlusion: BoolProperty(
        name="Multiply Occlusion",
        description="Multiply ambient occlusion into the base color, where the model has it",
        default=True,
    )
    displacement: FloatProperty(
        name="Displacement",
        description="Height of the relief. 0 leaves displacement unconnected",
        default=0.02,
        min=0.0,
        soft_max=1.0,
        unit="LENGTH",
    )
    storage: EnumProperty(
        name="Keep Textures",
        description="Where the pictures are kept, so that nothing is lost when the file closes",
        items=[
            ("PACK", "In the .blend", "Pack the pictures into the .blend file"),
            ("FILES", "As Files", "Save the pictures as PNG files in the texture folder"),
        ],
        default="PACK",
    )
    texture_folder: StringProperty(
        name="Texture Folder",
        description="Where pictures are saved; // is the folder of the .blend",
        default="//textures",
        subtype="DIR_PATH",
    )
    asset_catalog: StringProperty(
        name="Catalog",
        description="Catalog of the Asset Browser, such as Tilewright/Bricks. It is added where there is none",
        default="Tilewright",
    )
    asset_library: StringProperty(
        name="Library",
        description="An asset library of the preferences, where a copy goes with its pictures packed. Empty keeps "
        "the material in this file",
        search=_library_names,
    )
    export_target: EnumProperty(
        name="For",
        description="Which tool gets the textures, and so which channel goes where",
        items=[
            ("gltf", "glTF", "A square that shows the material, for engines and the web"),
            ("materialx", "MaterialX", "A standard surface"),
            ("usd", "USD", "A square with a UsdPreviewSurface"),
            ("unreal", "Unreal Engine", "Textures with normals of DirectX"),
            ("unity", "Unity", "Textures with a mask map"),
            ("godot", "Godot", "Textures for an ORMMaterial3D"),
        ],
        default="gltf",
    )
    export_folder: StringProperty(
        name="Folder",
        description="Where the files go; // is the folder of the .blend. Files of the same name are replaced",
        default="//export",
        subtype="DIR_PATH",
    )

    scene_recipe: StringProperty(
        name="Recipe",
        description="A TOML file with rules that say which objects get which materials",
        subtype="FILE_PATH",
    )


def texture_folder(scene: bpy.types.Scene) -> str | None:
    """Where the panel wants pictures as files; None where they are packed."""
    chosen = scene.tilewright
    return chosen.texture_folder if chosen.storage == "FILES" else None


class TILEWRIGHT_PG_run(bpy.types.PropertyGroup):
    """A row of the list of runs; what is known of it stands in the session under its name."""


class TILEWRIGHT_PG_window(bpy.types.PropertyGroup):
    """What is chosen in lists of this Blender, kept with no file."""

    runs: CollectionProperty(type=TILEWRIGHT_PG_run)
    run_index: IntProperty(name="Run", description="The chosen run", min=0)


class TILEWRIGHT_PG_material(bpy.types.PropertyGroup):
    """How a material was made, and the uuid by which results find it."""

    uuid: StringProperty()
    unassigned: BoolProperty(
        name="Unassigned",
        description="The material this was made for was gone when the result came",
    )
    multiply_occlusion: BoolProperty(default=True)
    unused_maps: EnumProperty(
        items=[(name, name, "", 1 << number) for number, name in enumerate(MAPS)],
        options={"ENUM_FLAG"},
        default=set(),
    )
    projection: EnumProperty(items=[("UV", "UV", ""), ("BOX", "Box", "")], default="UV")
    unit_size: FloatVectorProperty(
        size=3, description="Meters that the coordinates span along each axis; 0 while not measured"
    )
    tile_size: FloatProperty(
        name="Tile Size",
        description="Width of one tile on the surface, as measured on the active object",
        unit="LENGTH",
        soft_min=0.01,
        soft_max=100.0,
        min=0.0001,
        get=lambda kept: projection.tile_size(kept.id_data),
        set=lambda kept, width: projection.set_tile_size(kept.id_data, width),
    )
    latents: PointerProperty(type=TILEWRIGHT_PG_latents)
    painted_looks: CollectionProperty(type=TILEWRIGHT_PG_painted_look)
    style_image: PointerProperty(
        type=bpy.types.Image, name="Style Map", description="Says which look lies where"
    )
    repair_mask: PointerProperty(
        type=bpy.types.Image, name="Repair Mask", description="White where it is to be repaired"
    )
    repaired: BoolProperty(description="Whether a part of it was repaired since it was generated")
    repair_remark: StringProperty(description="What the worker has to say of the last repair")
    preview_factor: FloatVectorProperty(
        size=2,
        default=(1.0, 1.0),
        description="How many times more often the smaller preview is repeated than the full size",
    )
    model: StringProperty(name="Model")
    model_hash: StringProperty(name="Model Hash", description="sha256 of the model's weights")
    seed: IntProperty(name="Seed")
    latent: StringProperty(name="Latent", description="Explicit style latent as JSON, or empty")
    width: IntProperty(name="Width", subtype="PIXEL")
    height: IntProperty(name="Height", subtype="PIXEL")
    truncation_psi: FloatProperty(name="Variety")
    origin: IntVectorProperty(name="Origin", size=2)
    version: StringProperty(name="Version", description="Version of Tilewright that made it")
    recipe: StringProperty(name="Recipe", description="All of the above as JSON, exactly")
    seam_ratios: StringProperty(name="Seam Ratios", description="Map and seam ratio as JSON")


_CLASSES = (
    TILEWRIGHT_PG_picture,
    TILEWRIGHT_PG_direction_label,
    TILEWRIGHT_PG_direction,
    TILEWRIGHT_PG_latents,
    TILEWRIGHT_PG_favourite,
    TILEWRIGHT_PG_motion,
    TILEWRIGHT_PG_painted_look,
    TILEWRIGHT_PG_scene,
    TILEWRIGHT_PG_run,
    TILEWRIGHT_PG_window,
    TILEWRIGHT_PG_material,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.tilewright = PointerProperty(type=TILEWRIGHT_PG_scene)
    bpy.types.WindowManager.tilewright = PointerProperty(type=TILEWRIGHT_PG_window)
    bpy.types.Material.tilewright = PointerProperty(type=TILEWRIGHT_PG_material)


def unregister() -> None:
    del bpy.types.Material.tilewright
    del bpy.types.WindowManager.tilewright
    del bpy.types.Scene.tilewright
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
