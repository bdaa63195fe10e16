"""Shading choices: how maps are wired and kept, and how a material lies on its surface."""

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, FloatVectorProperty, StringProperty

from gan_worker.materials.maps import MAPS

from ..steering import sliders
from . import node_tree


def _set_tile_size(kept: bpy.types.PropertyGroup, width: float) -> None:
    for material in sliders.followers(kept.id_data):
        node_tree.set_tile_size(material, width)


class ShadingChoices:
    """How the maps of new materials are wired and kept."""

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


class Shading:
    """The uuid by which results find a material, and how it is wired."""

    uuid: StringProperty(update=lambda kept, _context: node_tree.uuid_given(kept.id_data))
    multiply_occlusion: BoolProperty(default=True)
    unused_maps: EnumProperty(
        items=[(kind.name, kind.label, "", kind.flag) for kind in MAPS.values()],
        options={"ENUM_FLAG"},
        default=set(),
    )
    projection: EnumProperty(items=[("UV", "UV", ""), ("BOX", "Box", "")], default="UV")
    unit_size: FloatVectorProperty(
        size=3, description="Units that the coordinates span along each axis; 0 while not measured"
    )
    tile_size: FloatProperty(
        name="Tile Size",
        description="Width of one tile on the surface, as measured on the active object",
        unit="LENGTH",
        soft_min=0.01,
        soft_max=100.0,
        min=0.0001,
        get=lambda kept: node_tree.tile_size(kept.id_data),
        set=_set_tile_size,
    )
    preview_factor: FloatVectorProperty(
        size=2,
        default=(1.0, 1.0),
        description="How many times more often the smaller preview is repeated than the full size",
    )
