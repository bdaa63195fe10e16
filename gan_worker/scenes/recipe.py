"""A scene recipe: which objects of a scene get which material, as plain values.

It is written in TOML, a list of rules. Of two rules for one slot the later one wins, so general rules stand first:

    textures = "//textures"        # a folder, // is that of the .blend and ~ yours; or "packed"
    favourites = "looks.json"      # written by Export Favorites; beside the recipe

    [[rules]]
    name = "facades"               # in messages and in the table of a dry run
    select = { collection = "Houses", name = "House*", type = "MESH", property = { storeys = 3 } }
    model = "bricks"
    latent = { by = "neighbourhood", distance = 20.0, seed = 1 }
    size = [512, 512]              # pixels
    detail = "half"                # or full, quarter, eighth ...: so many times fewer pixels for a piece of the
                                   # material, and a size shows so many times more of it; left out: full
    maps = ["base_color", "normal"]  # left out: all that the model has
    estimate = { surface = "stone", depth = 1.5 }  # the maps that the model does not make, of its color; or true;
                                   # left out or false: none
    scale = 4                      # repeats over the UV square; or [4, 2]
    psi = 0.8
    slots = ["Brick*", 0]          # left out: the first, or those that select.material names
    existing = "replace"           # or "keep", or "new slot": the next run fills those again

    [[rules]]
    like = "facades"               # takes what it does not say from that rule, except name and select
    select = { material = "Brick*" }
    latent = { by = "name", variants = 12 }

What is estimated is said by surface = "general", "stone", "wood", "fabric", "metal" or "wet", and beside or instead of
it by depth, invert, coarse, fine, roughness, roughness_range, occlusion, metallic and light, as `Estimation` has them.

A latent is one of

    { by = "seed", seed = 7 }                      # the same for all
    { by = "name" }                                # by the hash of the object's name; variants = 12 shares them
    { by = "neighbourhood", distance = 20.0 }      # near objects look alike; in Blender's units
    { by = "favourite", favourite = "Mossy" }      # a look that was kept; psi weakens its own
    { by = "between", first = 3, second = "oak" }  # two seeds, training materials or { favourite = "Mossy" };
                                                   # where between them is said by axis = "x",
                                                   # property = "age" (0 to 1) or curve = "Path", else by
                                                   # the name's hash
    { by = "property", property = "kind" }         # a whole number is the seed, a text is hashed
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from gan_worker.estimation import Estimation as Estimation
from gan_worker.style import Style
from gan_worker.styles.favourites import Favourite

# Compute processes of a worker that is started for a batch: while one finishes a material the other draws, and a
# processor's two halves draw two small ones in less time than the whole draws one after the other.
PROCESSES = 2
PACKED = "packed"
Existing = Literal["replace", "keep", "new slot"]
Axis = Literal["x", "y", "z"]


@dataclass(frozen=True)
class Selection:
    """Which objects a rule is for: all that is given must hold.

    Patterns know `*`, `?` and `[abc]`; of several, one must match.

    Attributes:
        name: patterns for the object's name.
        collection: patterns for a collection it lies in, however deep.
        material: patterns for a material in one of its slots, or for one that a recipe has replaced there.
        type: Blender's types, such as `MESH`.
        property: custom property and its value; where that is a text, a pattern for the property's.
    """

    name: tuple[str, ...] = ()
    collection: tuple[str, ...] = ()
    material: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    property: tuple[tuple[str, str | float | bool], ...] = ()


@dataclass(frozen=True)
class SeedLatent:
    """One seed: all objects get the same material."""

    seed: int = 1


@dataclass(frozen=True)
class NameLatent:
    """A seed from the hash of the object's name.

    Attributes:
        variants: how many different seeds there are; None for one of its own for each name.
        seed: another number gives other hashes.
    """

    variants: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class NeighbourhoodLatent:
    """A style latent that changes smoothly over space, so that near objects look alike.

    Attributes:
        distance: Blender's units over which looks become different.
        seed: fixes the looks, and the layout, which all objects share.
    """

    distance: float
    seed: int = 1


@dataclass(frozen=True)
class FavouriteLatent:
    """A look that was kept, the same for all."""

    favourite: str


@dataclass(frozen=True)
class BetweenLatent:
    """A mix of two looks; where between them is said by at most one of the last three, else by the name's hash.

    Attributes:
        first: look at 0: a style, or a favourite.
        second: look at 1.
        seed: fixes the layout, which all objects share.
        axis: from the lowest to the highest of the rule's objects along this axis of the world.
        property: custom property with a number between 0 and 1.
        curve: name of a curve object: from its start to its end.
    """

    first: Style | FavouriteLatent
    second: Style | FavouriteLatent
    seed: int = 1
    axis: Axis | None = None
    property: str = ""
    curve: str = ""


@dataclass(frozen=True)
class PropertyLatent:
    """A seed from a custom property: a whole number is the seed, a text is hashed."""

    property: str


Latent = (
    SeedLatent | NameLatent | NeighbourhoodLatent | FavouriteLatent | BetweenLatent | PropertyLatent
)


@dataclass(frozen=True)
class Rule:
    """One rule; see the module's example.

    Attributes:
        name: for messages.
        line: where it begins in the file.
        select: its objects.
        model: name of a model.
        latent: how each object's latent is chosen.
        size: width and height, pixels.
        detail: level of it, 0 for all; each further one halves the pixels that a piece of the material has across.
        maps: which maps, empty for all that the model has.
        estimate: what is made of the maps that the model does not make; False leaves them out.
        scale: repeats of the tile over the UV square.
        psi: truncation, 0..1; a favourite's own is multiplied by it.
        slots: numbers from 0, or patterns for the materials in them (`*` takes empty slots too); empty for
            those that `select.material` matches, else for the first.
        existing: what happens to a material that is in the slot. Where it is kept, empty slots alone are filled, and
            those again that this rule has filled.
    """

    name: str
    line: int
    select: Selection
    model: str
    latent: Latent = SeedLatent()
    size: tuple[int, int] = (512, 512)
    detail: int = 0
    maps: tuple[str, ...] = ()
    estimate: Estimation | Literal[False] = False
    scale: tuple[float, float] = (1.0, 1.0)
    psi: float = 1.0
    slots: tuple[int | str, ...] = ()
    existing: Existing = "replace"

    @property
    def looks_for_materials(self) -> bool:
        """Whether it is up to names of materials what it fills."""
        return any(isinstance(t, str) and t != "*" for t in (*self.select.material, *self.slots))

    @property
    def looks_at_places(self) -> bool:
        """Whether it is up to where objects are which latents they get."""
        if isinstance(self.latent, BetweenLatent):
            return bool(self.latent.axis or self.latent.curve)
        return isinstance(self.latent, NeighbourhoodLatent)

    @property
    def favourites(self) -> tuple[str, ...]:
        """Names of the favourites that its latent needs."""
        latent = self.latent
        ends = (latent.first, latent.second) if isinstance(latent, BetweenLatent) else (latent,)
        return tuple(end.favourite for end in ends if isinstance(end, FavouriteLatent))

    @property
    def place(self) -> str:
        """How messages name it, at their beginning."""
        return f"Line {self.line}, rule {self.name!r}"


@dataclass(frozen=True)
class SceneRecipe:
    """All rules, and where the pictures go.

    Attributes:
        rules: at least one.
        textures: folder; `//` is that of the .blend, a share of Windows is `\\\\server\\share`; or `packed`.
        favourites: those that the rules name, each name once.
    """

    rules: tuple[Rule, ...]
    textures: str = "//textures"
    favourites: tuple[Favourite, ...] = ()

    def estimating(self, wanted: Estimation | Literal[False] | None) -> SceneRecipe:
        """The same with other estimates.

        Args:
            wanted: of rules that ask for none; False: no rule has any; None: as the rules say.
        """
        if wanted is None:
            return self
        rules = (
            replace(rule, estimate=wanted and (rule.estimate or wanted)) for rule in self.rules
        )
        return replace(self, rules=tuple(rules))
