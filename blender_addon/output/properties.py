"""Output choices: where assets and exported files go."""

import bpy
from bpy.props import EnumProperty, StringProperty

from gan_worker.exports.targets import TOOLS


def _library_names(_owner: object, context: bpy.types.Context, _typed: str) -> list[str]:
    return [found.name for found in context.preferences.filepaths.asset_libraries]


class OutputChoices:
    """What was chosen in the panels Keep and Export."""

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
        items=[(name, tool.label, tool.about, tool.number) for name, tool in TOOLS.items()],
        default="gltf",
    )
    export_folder: StringProperty(
        name="Folder",
        description="Where the files go; // is the folder of the .blend. Files of the same name are replaced",
        default="//export",
        subtype="DIR_PATH",
    )
