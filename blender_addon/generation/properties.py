"""Generation choices and recipes: what is to be made, and how a material was made."""

from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    StringProperty,
)

from gan_worker.limits import SEEDS, SIDES, TRUNCATIONS
from gan_worker.materials.maps import MAPS

from ..worker import session


def offered_models() -> list[str]:
    """Names of the models that one can choose: those that are retired are there for what was made with them."""
    return [model.name for model in session.current.models if not model.retired]


# All of them: Blender filters by what is typed, and begins with what the field holds.
def _model_names(_owner: object, _context: object, _typed: str) -> list[str]:
    return offered_models()


def _look_names(owner: "GenerationChoices", _context: object, _typed: str) -> list[str]:
    return session.current.style_names(owner.model)


class GenerationChoices:
    """What was chosen in the Generate panel."""

    awaited_model: StringProperty(
        description="A run in training that is chosen once it can generate, or estimate"
    )
    model: StringProperty(
        name="Model", description="The trained model that makes the maps", search=_model_names
    )
    look: StringProperty(
        name="Look Of",
        description="Which of the materials that the model knows; none lets the seed choose a look between them",
        search=_look_names,
    )
    seed: IntProperty(
        name="Seed",
        description="Each number is another variant; the same number is always the same variant",
        default=1,
        min=SEEDS.least,
    )
    width: IntProperty(
        name="Width",
        description="Resolution: width of the maps in pixels. They are seamless at any size",
        default=512,
        min=SIDES.least,
        max=SIDES.most,
        step=64,
    )
    height: IntProperty(
        name="Height",
        description="Resolution: height of the maps in pixels. They are seamless at any size",
        default=512,
        min=SIDES.least,
        max=SIDES.most,
        step=64,
    )
    tile_area: EnumProperty(
        name="Tile Area",
        description="How much of the material a tile shows. A larger one repeats less, and needs more pixels for the "
        "same detail",
        items=[
            (str(times), f"×{times}", f"{text} as wide as the natural tile of the model", times)
            for times, text in ((1, "Just"), (2, "Twice"), (4, "Four times"))
        ],
        default="1",
    )
    truncation_psi: FloatProperty(
        name="Variety",
        description="0 gives the most typical look, 1 the full variety of the model",
        default=1.0,
        min=TRUNCATIONS.least,
        max=TRUNCATIONS.most,
        soft_max=1.0,
        subtype="FACTOR",
    )
    maps: EnumProperty(
        name="Maps",
        description="Which maps to make. None chosen makes all that the model has",
        items=[(kind.name, kind.label, "", kind.flag) for kind in MAPS.values()],
        options={"ENUM_FLAG"},
        default=set(),
    )
    estimate_maps: BoolProperty(
        name="Estimate Maps",
        description="Estimate the maps that the model has not learned from the base color that it makes, such as "
        "normals of a model that has seen photos",
        default=True,
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


class Origin:
    """How a material was made."""

    unassigned: BoolProperty(
        name="Unassigned",
        description="The material this was made for was gone when it came",
    )
    model: StringProperty(name="Model")
    model_hash: StringProperty(name="Model Hash", description="sha256 of the model's weights")
    seed: IntProperty(name="Seed")
    width: IntProperty(name="Width", subtype="PIXEL")
    height: IntProperty(name="Height", subtype="PIXEL")
    truncation_psi: FloatProperty(name="Variety")
    recipe: StringProperty(
        name="Recipe", description="All of the above and what else made it, as JSON, exactly"
    )
    seam_ratios: StringProperty(name="Seam Ratios", description="Map and seam ratio as JSON")
