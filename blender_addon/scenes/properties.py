"""Scene recipe: which file fills the scene."""

from bpy.props import StringProperty


class RecipeChoices:
    """What was chosen in the Scene Recipe panel."""

    scene_recipe: StringProperty(
        name="Recipe",
        description="A TOML file with rules that say which objects get which materials",
        subtype="FILE_PATH",
    )
