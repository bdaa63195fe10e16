"""Maps to a Principled BSDF node tree, made once and updated in place after that."""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass, field
from typing import TypeGuard
from uuid import uuid4

import bpy

from gan_worker.config import Recipe
from gan_worker.errors import RequestError
from gan_worker.files import read_stored, stored
from gan_worker.materials.maps import MAPS, Connection, MaterialMap
from gan_worker.materials.metadata import material_metadata, repair_metadata

from .. import state
from . import node_links, projection, units
from .images import JOB_KEY, copy_image, is_live, is_lost
from .projection import COORDINATES
from .projection import MAPPING as MAPPING
from .projection import is_in_proportion as is_in_proportion
from .projection import tile_size as tile_size

# Nodes of ours carry these names: that is how an update finds them among a user's own.
SHADER = "Tilewright Shader"
OUTPUT = "Tilewright Output"
NORMAL_MAP = "Tilewright Normal Map"
DISPLACEMENT = "Tilewright Displacement"
OCCLUSION = "Tilewright Occlusion"
LUMINANCE = "Tilewright Luminance"
BUMP = "Tilewright Bump"
BUMP_LABEL = "Bump from Luminance (model has no normal or height)"
# What of a material's properties are images that an artist paints on.
PAINTED_IMAGES = ("style_image", "repair_mask")

_ROWS = {name: index for index, name in enumerate(MAPS)}


@dataclass(frozen=True)
class Wiring:
    """How maps are wired.

    Attributes:
        scale: repeats of the tile over the UV square, for a material that has no mapping yet.
        multiply_occlusion: multiply ambient occlusion into the base color.
        displacement: height of the relief in meters; 0 leaves displacement unconnected.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    multiply_occlusion: bool = True
    displacement: float = 0.02


@dataclass
class _Own(state.FilePart):
    """The file's own materials by uuid: in a large scene, looking through all takes long.

    Attributes:
        names: uuid → name of the first material with it; empty where that must be looked for.
        count: how many materials there were when all were known; while there are as many, other uuids are nowhere.
    """

    names: dict[str, str] = field(default_factory=dict)
    count: int = -1

    def undone(self) -> None:
        self.names.clear()
        self.count = -1

    appended = undone

    @property
    def is_complete(self) -> bool:
        return self.count == len(bpy.data.materials)

    def find(self, uuid: str) -> bpy.types.Material | None:
        found = self._named(uuid)
        if found is None and (uuid in self.names or not self.is_complete):
            self._look_through_all()
            found = self._named(uuid)
        return found

    def _named(self, uuid: str) -> bpy.types.Material | None:
        name = self.names.get(uuid)
        # With None, none of a library that has this name too.
        material = bpy.data.materials.get((name, None)) if name else None
        return material if is_ours(material) and material.tilewright.uuid == uuid else None

    def _look_through_all(self) -> None:
        everything = list(bpy.data.materials)[::-1]  # of several, the first
        # What is linked may be made local.
        self.names = dict.fromkeys((m.tilewright.uuid for m in everything), "")
        self.names |= {m.tilewright.uuid: m.name for m in everything if is_ours(m)}
        self.count = len(everything)

    def take(self, material: bpy.types.Material) -> None:
        """Note a material that was given its uuid, unless others may have that too."""
        uuid = material.tilewright.uuid
        is_only = self.is_complete and uuid not in self.names
        self.names[uuid] = material.name if is_only else ""


def uuid_given(material: bpy.types.Material) -> None:
    """A material was given its uuid, by us or by a script."""
    state.of_file.get(_Own).take(material)


def find_material(uuid: str, library: str = "") -> bpy.types.Material | None:
    """The material with this uuid, whatever it is called by now.

    Args:
        uuid: of the material.
        library: as `library_of` names it; empty for one that is the file's own.
    """
    if not library:
        return state.of_file.get(_Own).find(uuid)
    for material in bpy.data.materials:
        if material.tilewright.uuid == uuid and library_of(material) == library:
            return material
    return None


def library_of(material: bpy.types.Material) -> str:
    """Name of the library that a material is linked from, packed, overridden or not; empty for the file's own.

    Of an override Blender keeps nothing of what makes it ours: after saving it would tell another recipe than it shows.
    """
    override = material.override_library
    library = override.reference.library if override else material.library
    return library.name if library else ""


def new_material(name: str) -> bpy.types.Material:
    """A material of ours with a fresh uuid, not yet assigned to anything."""
    own = state.of_file.get(_Own)
    own.count += own.is_complete  # the new one is known, too
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):  # from 5.0 on every material has nodes, and asking warns
        material.use_nodes = True
    material.tilewright.uuid = uuid4().hex
    return material


def is_ours(material: bpy.types.Material | None) -> TypeGuard[bpy.types.Material]:
    """Whether this material may be updated in place by a result."""
    return bool(material and material.tilewright.uuid and not library_of(material))


def make_unique(material: bpy.types.Material) -> None:
    """Give a copied material a uuid of its own, and images of its own to paint on."""
    kept = material.tilewright
    kept.uuid = uuid4().hex
    for use in PAINTED_IMAGES:
        shared = getattr(kept, use)
        if shared is not None and min(shared.size):
            setattr(kept, use, copy_image(shared))
            for node in material.node_tree.nodes:
                if node.type == "TEX_IMAGE" and node.image == shared:
                    node.image = getattr(kept, use)


def ensure_unique(material: bpy.types.Material) -> None:
    """Make a material unique that is a copy: Blender copies the uuid, and shares the images."""
    if find_material(material.tilewright.uuid) != material:
        make_unique(material)


def store_recipe(material: bpy.types.Material, recipe: Recipe, seam_ratios: dict) -> None:
    """Write on the material how it was made, so that it can be made again anywhere."""
    kept = material.tilewright
    kept.model_hash = recipe.model_hash
    for name in ("model", "seed", "width", "height", "truncation_psi"):
        setattr(kept, name, getattr(recipe.config, name))
    kept.recipe = stored(recipe)
    kept.seam_ratios = json.dumps(seam_ratios)
    kept.repaired = False


@dataclass
class _Recipes(state.FilePart):
    """Full name of a material → text and recipe that were read there last: parsing those of many takes long."""

    read: dict[str, tuple[str, Recipe]] = field(default_factory=dict)


def read_recipe(material: bpy.types.Material) -> Recipe | None:
    """The recipe that was stored on the material, or None where there is none."""
    text, name = material.tilewright.recipe, material.name_full
    if not text:
        return None
    read = state.of_file.get(_Recipes).read
    if name not in read or read[name][0] != text:
        where, cure = f"The recipe of the material {material.name!r}", "Generate it again."
        read[name] = text, read_stored(Recipe, text, where, cure)
    return read[name][1]


def recipe_of(material: bpy.types.Material) -> Recipe:
    """The recipe of a material that must have one.

    Raises:
        RequestError: `wrong_state` where it has none.
    """
    recipe = read_recipe(material)
    if recipe is None:
        raise RequestError(
            "wrong_state",
            f"A material must have a recipe; {material.name} has none.",
            "Generate it again.",
        )
    return recipe


def check_recipe(material: bpy.types.Material | None) -> bpy.types.Material:
    """Check that there is a material with a recipe, in this file or linked, and its nodes where they are looked for.

    Returns:
        The material.

    Raises:
        RequestError: `wrong_state`.
    """
    if material is None or not material.tilewright.recipe:
        raise RequestError(
            "wrong_state",
            "The active object must have a material with a recipe; it has none.",
            "Generate one first.",
        )
    check_nodes(material)
    return material


def lies_in_group(material: bpy.types.Material) -> bool:
    """Whether nodes of ours were put into a group: others in their place would feed nothing that is shown."""
    tree = material.node_tree
    names = (SHADER, OUTPUT, MAPPING, texture_node_name("base_color"))
    missing = [name for name in names if tree and name not in tree.nodes]
    groups = [each for each in node_links.trees(tree) if each != tree] if missing else []
    return any(name in group.nodes for group in groups for name in missing)


def check_nodes(material: bpy.types.Material) -> None:
    """Check that the nodes of ours are among the material's own, as far as they are there.

    Raises:
        RequestError: `wrong_state` where they lie in a group.
    """
    if lies_in_group(material):
        raise RequestError(
            "wrong_state",
            f"Tilewright's nodes must be among the material's own; those of {material.name} lie in a group.",
            "Select the group in the Shader Editor and press Ctrl Alt G (Ungroup).",
        )


def check_local(material: bpy.types.Material | None) -> bpy.types.Material:
    """Check that there is a material with a recipe that belongs to this file, so that it can be changed.

    Returns:
        The material.

    Raises:
        RequestError: `wrong_state`.
    """
    material = check_recipe(material)
    library = library_of(material)
    if library:
        raise RequestError(
            "wrong_state",
            f"The material must belong to this file; it is linked from another, {library}.",
            "Make it local: right-click it in the Outliner and choose ID Data, Make Local.",
        )
    return material


def check_still(material: bpy.types.Material) -> None:
    """Check that a material does not move: what is done with its pictures is done with one of each map.

    Raises:
        RequestError: `wrong_state`.
    """
    if shows_sequence(material):
        raise RequestError(
            "wrong_state",
            "The material must stand still; it moves.",
            "Press Apply in the Latents panel: it shows the still, and the files of the motion stay on the disk.",
        )


def check_pictures(material: bpy.types.Material) -> None:
    """Check that all pictures that a material shows are there to be read, now and the next time; it looks at files.

    Raises:
        RequestError: `wrong_state`, naming those that are not.
    """
    shown = images_of(material)
    lost = [name for name, image in shown.items() if is_lost(image)]
    if lost or not shown:
        raise RequestError(
            "wrong_state",
            f"The material must have its pictures; {', '.join(lost) or 'all'} cannot be read.",
            "Press Regenerate first.",
        )


def read_metadata(material: bpy.types.Material) -> dict[str, str]:
    """What files of its maps say of how they were made; no recipe, where a part of them was repaired."""
    recipe = recipe_of(material)
    made = material_metadata(recipe)
    if not material.tilewright.repaired:
        return made
    return repair_metadata(
        recipe.model, recipe.model_hash, recipe.credits, made, version=recipe.version
    )


def build(
    material: bpy.types.Material, images: dict[str, bpy.types.Image], wiring: Wiring | None
) -> None:
    """Make or update the node tree so that it shows these maps.

    Nodes that are already there keep their place, their links and their mapping, also those that the artist has
    put between a map and the shader; nodes of maps that are no longer there go.

    Args:
        material: one of ours, editable.
        images: map name → image; at least one.
        wiring: how to wire it; None keeps the wiring of an existing tree.

    Raises:
        RequestError: as `check_nodes`; nothing has changed then.
    """
    check_nodes(material)
    used = set(images) - material.tilewright.unused_maps
    tree = _Tree(material, wiring or present_wiring(material))
    tree.shader()
    tree.textures(images)
    tree.occlusion({"ambient_occlusion", "base_color"} <= used)
    tree.leave_out(set(images) - used)
    tree.direct_inputs(used)
    tree.displacement("height" in images, normals_fit(material, images))
    tree.normal(normals_fit(material, used))
    tree.bump("base_color" in used and not (normals_fit(material, images) or "height" in images))
    tree.mapping()


def normals_fit(material: bpy.types.Material, maps: Container[str]) -> bool:
    """Whether there is a normal map that can be shown: it needs a UV map to know where left is."""
    return "normal" in maps and material.tilewright.projection == "UV"


def show_preview(
    material: bpy.types.Material,
    images: dict[str, bpy.types.Image],
    factor: tuple[float, float],
) -> None:
    """Show smaller maps for a while.

    They are repeated more often, so that everything on them stays as large as it was.

    Args:
        material: one of ours, editable.
        images: map name → image, as `images.live_image` gives them.
        factor: how many times more of the pattern the full size shows, across and down.
    """
    if images_of(material) != images:
        build(material, images, None)
    projection.refine(material, factor)


def end_preview(material: bpy.types.Material) -> None:
    """The full size is there: repeat it as often as was chosen."""
    projection.refine(material, (1.0, 1.0))


def set_tile_size(material: bpy.types.Material, width: float) -> None:
    """Make the tile so wide on the surface, units, where it is known what its coordinates span."""
    if projection.is_measured(material):
        projection.set_tile_size(material, width)


def lay_in_meters(material: bpy.types.Material, width: float) -> None:
    """`set_tile_size`, in meters."""
    set_tile_size(material, width / units.meters_per_unit(bpy.context.scene))


def lay_in_proportion(material: bpy.types.Material, was_so: bool) -> None:
    """Make a tile as high as its pixels are, if the tile before it was so, or nobody has laid it yet.

    Args:
        material: whose width stays.
        was_so: `is_in_proportion` before.
    """
    if was_so or projection.repeats(material) == (1.0, 1.0):
        set_tile_size(material, tile_size(material))


def width_in_meters(material: bpy.types.Material) -> float:
    """Of the tile on the surface; 0 where that is not known."""
    known = projection.is_measured(material)
    return tile_size(material) * units.meters_per_unit(bpy.context.scene) if known else 0.0


def is_preview(material: bpy.types.Material) -> bool:
    """Whether it shows smaller maps for a while."""
    return any(is_live(image) for image in images_of(material).values())


def show_sequence(
    material: bpy.types.Material,
    images: dict[str, bpy.types.Image],
    count: int,
    start: int,
    cyclic: bool,
) -> None:
    """Show image sequences.

    Args:
        material: one of ours, editable.
        images: map name → image sequence, whose files are numbered from 1.
        count: how many files there are.
        start: frame of the scene that shows the first.
        cyclic: begin anew after the last one.
    """
    build(material, images, None)
    end_preview(material)
    for name in images:
        user = material.node_tree.nodes[texture_node_name(name)].image_user
        user.frame_duration, user.frame_start, user.frame_offset = count, start, 0
        user.use_cyclic, user.use_auto_refresh = cyclic, True


def shows_sequence(material: bpy.types.Material) -> bool:
    """Whether it moves with the frames of the scene."""
    return any(image.source == "SEQUENCE" for image in images_of(material).values())


def remove_unused_images(arriving: set[str]) -> None:
    """Remove images of ours that no material shows any more.

    Args:
        arriving: jobs whose images are not shown yet, but will be.
    """
    unused = [i for i in bpy.data.images if i.users == 0 and not i.library]
    # Together: for each that is removed alone, Blender walks through the whole file.
    gone = [i for i in unused if i.get(JOB_KEY) and i[JOB_KEY] not in arriving]
    if gone:
        bpy.data.batch_remove(gone)


def images_of(material: bpy.types.Material) -> dict[str, bpy.types.Image]:
    """Map name → image of a material of ours."""
    nodes = material.node_tree.nodes
    found = {name: nodes.get(texture_node_name(name)) for name in MAPS}
    return {name: node.image for name, node in found.items() if node and node.image}


def strengths(material: bpy.types.Material) -> dict[str, bpy.types.NodeSocket]:
    """Map name → the input that says how strongly it shows, of those that have one and take part."""
    shader = material.node_tree.nodes.get(SHADER)
    shown = set(images_of(material)) - material.tilewright.unused_maps if shader else set()
    return {n: shader.inputs[k.strength] for n, k in MAPS.items() if k.strength and n in shown}


def texture_node_name(map_name: str) -> str:
    """Name of the image node that holds this map."""
    return f"Tilewright {map_name}"


def present_wiring(material: bpy.types.Material) -> Wiring:
    """The wiring an existing tree has; the default for a new one."""
    nodes = material.node_tree.nodes
    if MAPPING not in nodes:
        return Wiring()
    scale = nodes[MAPPING].inputs["Scale"].default_value
    displacement = nodes.get(DISPLACEMENT)
    # Height that is there and not connected was left unconnected.
    height = 0.0 if texture_node_name("height") in nodes else Wiring.displacement
    if displacement:
        meters = units.meters_per_unit(bpy.context.scene)
        height = displacement.inputs["Scale"].default_value * meters
    return Wiring((scale[0], scale[1]), material.tilewright.multiply_occlusion, height)


class _Tree:
    """The nodes of one material, found by name or made."""

    def __init__(self, material: bpy.types.Material, wiring: Wiring) -> None:
        self.material = material
        self.nodes = material.node_tree.nodes
        self.links = material.node_tree.links
        self.wiring = wiring

    def node(self, name: str, kind: str, place: tuple[float, float]) -> tuple[bpy.types.Node, bool]:
        """The node of that name, and whether it had to be made."""
        found = self.nodes.get(name)
        if found and found.bl_idname == kind:
            return found, False
        made = self.nodes.new(kind)
        made.name = name
        made.location = place
        return made, True

    def drop(self, *names: str) -> None:
        for name in names:
            node = self.nodes.get(name)
            if node:
                self.nodes.remove(node)

    def link(self, source: bpy.types.NodeSocket, target: bpy.types.NodeSocket) -> bool:
        """Connect, unless it already is so, be it through nodes that the artist has put between.

        A needless link would recompile the shader.

        Returns:
            Whether it is new.
        """
        is_new = not node_links.is_fed_by(target, source)
        if is_new:
            self.links.new(source, target)
        return is_new

    def shader(self) -> None:
        """Adopt the shader and output that a new material comes with, or make them."""
        for name, kind, place in (
            (SHADER, "ShaderNodeBsdfPrincipled", (300, 300)),
            (OUTPUT, "ShaderNodeOutputMaterial", (600, 300)),
        ):
            if name not in self.nodes:
                present = next((n for n in self.nodes if n.bl_idname == kind), None)
                node = present or self.nodes.new(kind)
                node.name, node.location = name, place
        if not self.nodes[OUTPUT].inputs["Surface"].is_linked:
            self.link(self.nodes[SHADER].outputs["BSDF"], self.nodes[OUTPUT].inputs["Surface"])

    def textures(self, images: dict[str, bpy.types.Image]) -> None:
        for name in MAPS:
            if name not in images:
                self.drop(texture_node_name(name))
                continue
            place = (-500, 500 - 280 * _ROWS[name])
            node, is_new = self.node(texture_node_name(name), "ShaderNodeTexImage", place)
            if is_new:
                projection.shape_texture(node, self.material.tilewright.projection)
            node.label = MAPS[name].label
            node.image = images[name]

    def leave_out(self, maps: set[str]) -> None:
        """Take maps off the shader; what the user connected them to stays."""
        for name in maps:
            for link in list(self._color(name).links):
                if link.to_node == self.nodes[SHADER]:
                    self.links.remove(link)

    def direct_inputs(self, maps: set[str]) -> None:
        taken = "Base Color" if OCCLUSION in self.nodes else ""
        for name, kind in MAPS.items():
            direct = kind.connection is Connection.direct and kind.socket != taken
            if direct and name in maps and self.link(self._color(name), self._input(kind.socket)):
                self._open(kind)

    def _open(self, kind: MaterialMap) -> None:
        """Let a map show that has come; what the artist changes after that stays."""
        if kind.socket == "Alpha":
            # Dithered needs no sorting, and casts shadows that are cut out; Cycles does so by itself.
            self.material.surface_render_method = "DITHERED"
            self.material.use_transparent_shadow = True
        if kind.strength:
            # Without the map it is as if there were none, whatever its strength: black.
            self._input(kind.socket).default_value = (*kind.neutral, 1.0)
            strength = self._input(kind.strength)
            strength.default_value = strength.default_value or 1.0

    def occlusion(self, present: bool) -> None:
        self.material.tilewright.multiply_occlusion = self.wiring.multiply_occlusion
        if not present or not self.wiring.multiply_occlusion:
            self._remove_occlusion()
            return
        mix, is_new = self.node(OCCLUSION, "ShaderNodeMix", (0, 500))
        if is_new:
            mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
            mix.label = "Multiply Ambient Occlusion"
            _socket(mix.inputs, "Factor_Float").default_value = 1.0
            for link in self._input("Base Color").links:  # with what the artist has made of it
                self.links.new(link.from_socket, _socket(mix.inputs, "A_Color"))
        self.link(self._color("base_color"), _socket(mix.inputs, "A_Color"))
        self.link(self._color("ambient_occlusion"), _socket(mix.inputs, "B_Color"))
        self.link(_socket(mix.outputs, "Result_Color"), self._input("Base Color"))

    def _remove_occlusion(self) -> None:
        """Take the occlusion out of the color; what the artist has made of it, before and after, stays."""
        mix = self.nodes.get(OCCLUSION)
        for before in _socket(mix.inputs, "A_Color").links if mix else ():
            links = _socket(mix.outputs, "Result_Color").links
            for target in [link.to_socket for link in links if link.to_socket]:
                self.links.new(before.from_socket, target)
        self.drop(OCCLUSION)

    def normal(self, present: bool) -> None:
        # Shading a relief by its height and by its normals would count it twice.
        by_height = DISPLACEMENT in self.nodes and self.material.displacement_method == "BUMP"
        if not present or by_height:
            self.drop(NORMAL_MAP)
            return
        node, _ = self.node(NORMAL_MAP, "ShaderNodeNormalMap", (0, -340))
        self.link(self._color("normal"), node.inputs["Color"])
        self.link(node.outputs["Normal"], self._input("Normal"))

    def displacement(self, present: bool, has_normal: bool) -> None:
        if not present or self.wiring.displacement == 0:
            self.drop(DISPLACEMENT)
            return
        node, is_new = self.node(DISPLACEMENT, "ShaderNodeDisplacement", (300, -620))
        if is_new:
            node.inputs["Midlevel"].default_value = 0.5
            node.space = (
                "WORLD"  # or else it would be as many times as high as the object is scaled
            )
            # With a normal map the relief's shading is there already: bumping it again would
            # count it twice, while true displacement moves only what is dense enough.
            self.material.displacement_method = "DISPLACEMENT" if has_normal else "BUMP"
        meters = units.meters_per_unit(bpy.context.scene)
        node.inputs["Scale"].default_value = self.wiring.displacement / meters
        self.link(self._color("height"), node.inputs["Height"])
        self.link(node.outputs["Displacement"], self.nodes[OUTPUT].inputs["Displacement"])

    def bump(self, present: bool) -> None:
        if not present:
            self.drop(LUMINANCE, BUMP)
            return
        grey, _ = self.node(LUMINANCE, "ShaderNodeRGBToBW", (-180, -340))
        node, is_new = self.node(BUMP, "ShaderNodeBump", (0, -340))
        if is_new:
            node.label = BUMP_LABEL
            node.width = 260
            node.inputs["Strength"].default_value = 0.4
            meters = units.meters_per_unit(bpy.context.scene)
            node.inputs["Distance"].default_value = Wiring.displacement / meters
        self.link(self._color("base_color"), grey.inputs["Color"])
        self.link(grey.outputs["Val"], node.inputs["Height"])
        self.link(node.outputs["Normal"], self._input("Normal"))

    def mapping(self) -> None:
        """One mapping for all textures, so that one number scales the whole material."""
        coordinates, _ = self.node(COORDINATES, "ShaderNodeTexCoord", (-960, 0))
        mapping, is_new = self.node(MAPPING, "ShaderNodeMapping", (-760, 0))
        if is_new:
            mapping.inputs["Scale"].default_value = (*self.wiring.scale, 1.0)
            output = projection.output_name(self.material.tilewright.projection)
            self.link(coordinates.outputs[output], mapping.inputs["Vector"])
        for name in MAPS:
            node = self.nodes.get(texture_node_name(name))
            if node and not node.inputs["Vector"].is_linked:
                self.link(mapping.outputs["Vector"], node.inputs["Vector"])

    def _color(self, map_name: str) -> bpy.types.NodeSocket:
        return self.nodes[texture_node_name(map_name)].outputs["Color"]

    def _input(self, name: str) -> bpy.types.NodeSocket:
        return self.nodes[SHADER].inputs[name]


def _socket(
    sockets: bpy.types.NodeInputs | bpy.types.NodeOutputs, identifier: str
) -> bpy.types.NodeSocket:
    """A socket by identifier: those of the mix node share their names."""
    return next(s for s in sockets if s.identifier == identifier)
