"""Inputs of a material's shader: which image each map is, what was done to it on its way, and what no image tells."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import bpy

from gan_worker.materials.file_names import split_file_stem
from gan_worker.materials.maps import MAPS, Connection, Kind, MaterialMap

from .images import MAP_KEY
from .node_links import Place, layout, outputs_before, source, textures_before, trees
from .node_values import Reader, Value, gray, three
from .projection import rendered_uv_map

# Nodes that tell something of an object or a look at it, which a square to bake on does not have.
_OF_OBJECTS = {
    *("AMBIENT_OCCLUSION", "ATTRIBUTE", "BEVEL", "CAMERA", "FRESNEL", "HAIR_INFO", "LAYER_WEIGHT"),
    *("LIGHT_PATH", "NEW_GEOMETRY", "OBJECT_INFO", "PARTICLE_INFO", "POINT_INFO", "SHADERTORGB"),
    *("TANGENT", "TEX_POINTDENSITY", "VERTEX_COLOR", "VOLUME_INFO", "WIREFRAME"),
}
# Groups that glTF files come with; what feeds their occlusion shows only where the file is exported again.
_GLTF_GROUPS = ("glTF Material Output", "glTF Settings")


@dataclass(frozen=True)
class Feed:
    """What a map is taken from.

    Attributes:
        image: that feeds it; the largest, where several do.
        channel: the only one that is used, 0 red to 2 blue, 3 alpha; None for the three colors.
        inverted: whether it is turned around on its way, as a glossiness is.
        baked: the input that is to be baked, because what comes out of it is no image's pixels; else None.
        is_normal: whether that input takes normals of the surface, not their colors.
        images: all that take part.
    """

    image: bpy.types.Image
    channel: int | None = None
    inverted: bool = False
    baked: Place | None = None
    is_normal: bool = False
    images: tuple[bpy.types.Image, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether the image's own file would do."""
        return self.channel is None and not self.inverted and self.baked is None


@dataclass
class Survey:
    """What there is to learn from in a material.

    Attributes:
        found: map name or `normal_directx` → what feeds it.
        left_out: what was not taken, and why: a sentence each.
    """

    found: dict[str, Feed] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def find_images(material: bpy.types.Material) -> dict[str, Feed]:
    """The images of a material by what they feed.

    Returns:
        Map name or `normal_directx` → what feeds it; what feeds two of them counts for the first.
    """
    return survey(material).found


def survey(material: bpy.types.Material) -> Survey:
    """Look through the inputs of a material's shader, and through the groups before them."""
    made = _Surveyor(material)
    if material.node_tree:
        made.look_through(material.node_tree)
    return made.result


class _Surveyor:
    def __init__(self, material: bpy.types.Material) -> None:
        self.result = Survey()
        self.reader = Reader()
        shown_on = (m for m in bpy.data.meshes if m.uv_layers and material.name in m.materials)
        self.rendered = {rendered_uv_map(mesh).name for mesh in shown_on}
        # Where shaders are mixed with a transparent one, and whether that is the second of them.
        self.cut_out: tuple[Place, bool] | None = None
        self.layouts: set[tuple[object, ...]] = set()

    def look_through(self, tree: bpy.types.NodeTree) -> None:
        output = tree.get_output_node("ALL")
        shader = self._shader(Place(output.inputs["Surface"])) if output else None
        for kind in MAPS.values():
            if kind.connection is Connection.displacement and output:
                self._displacement(kind, Place(output.inputs[kind.socket]))
            elif shader and kind.connection is Connection.normal_map:
                self._relief(shader.input(shader.node.inputs[kind.socket]))
            elif shader and kind.connection is Connection.direct:
                self._direct(kind, shader.input(shader.node.inputs[kind.socket]))
        if self.cut_out:
            share, turned = self.cut_out
            self._add("opacity", _turned(self._feed(MAPS["opacity"], share), turned))
        self._occlusion_of_gltf(tree)
        self._unconnected(tree)
        # In the order of the table, whatever was looked at first.
        order = [name for kind in MAPS for name in (kind, f"{kind}_directx")]
        self.result.found = {k: self.result.found[k] for k in order if k in self.result.found}

    def leave_out(self, kind: str, why: str) -> None:
        label = MAPS[kind.removesuffix("_directx")].label
        self.result.left_out.append(f"{label}: {why}")

    def _shader(self, place: Place) -> Place | None:
        """The nearest Principled BSDF, as its output."""
        waiting, seen, found, mixed = [place], set(), [], False
        while waiting:
            end = source(waiting.pop(0))
            if not end.socket.is_output or end.key in seen:
                continue
            seen.add(end.key)
            if end.node.type == "BSDF_PRINCIPLED":
                found.append(end)
                continue
            self.cut_out = self.cut_out or _cut_out(end)
            for socket in (s for s in end.node.inputs if s.enabled):
                if self.cut_out and self.cut_out[0] == end.input(socket):
                    continue
                if socket.type == "SHADER":
                    waiting.append(end.input(socket))
                elif textures_before(end.input(socket)):
                    mixed = True
        if len(found) > 1 or (found and mixed):
            name = found[0].node.label or found[0].node.name
            self.result.left_out.append(
                f"What {name} is mixed with: only what feeds that shader was looked at"
            )
        return found[0] if found else None

    # ---- maps

    def _add(self, kind: str, feed: Feed | None) -> None:
        found = self.result.found
        if feed is None:
            return
        other = next(
            (k for k in found if k.split("_directx")[0] == kind.split("_directx")[0]), None
        )
        if other:
            if found[other] != feed:
                self.leave_out(kind, f"{feed.image.name} is a second one")
            return
        same = (feed.image, feed.channel)
        first = next(
            (k for k, f in found.items() if not f.baked and (f.image, f.channel) == same), ""
        )
        if first and not feed.baked:
            self.leave_out(kind, f"{feed.image.name} is the {MAPS[first].label} already")
            return
        found[kind] = feed

    def _feed(self, kind: MaterialMap, place: Place) -> Feed | None:
        """What feeds an input; nothing where it is the same everywhere."""
        value = self.reader.read(place)
        if all(c.is_constant for c in value):
            return None
        feed = _certain(kind.kind, value) or self._baked(kind, place)
        return feed if feed and self._lies_as_the_others(kind, place) else None

    def _baked(self, kind: MaterialMap, place: Place, is_normal: bool = False) -> Feed | None:
        end = source(place)
        textures = textures_before(end)
        if not textures:
            if end.socket.is_output:
                self.leave_out(kind.name, f"{end.node.name} makes it without an image")
            return None
        if len(self._layouts(textures)) > 1:
            self.leave_out(kind.name, "its images are laid on in different ways")
            return None
        bound = next((o.node.name for o in outputs_before(end) if _is_of_an_object(o)), "")
        if bound:
            self.leave_out(kind.name, f"it hangs on the object too, by {bound}")
            return None
        images = tuple(dict.fromkeys(t.node.image for t in textures))
        largest = max(images, key=lambda image: image.size[0] * image.size[1])
        return Feed(largest, baked=end, is_normal=is_normal, images=images)

    def _direct(self, kind: MaterialMap, place: Place) -> None:
        shared = next((k for k in MAPS.values() if k.socket == kind.socket and k is not kind), None)
        split = self._occluded(source(place)) if shared else None
        if shared and split:
            color, occlusion = split
            self._add(kind.name, self._feed(kind, color))
            self._add(shared.name, self._feed(shared, occlusion))
        else:
            self._add(kind.name, self._feed(kind, place))

    def _occluded(self, end: Place) -> tuple[Place, Place] | None:
        """The color, and the occlusion that is multiplied into it; None where that is not certain."""
        sides = _factors(end)
        if sides is None or not all(textures_before(side) for side in sides[1:]):
            return None
        share, a, b = sides
        weight = gray(self.reader.read(share)) if share else None
        if weight and not (weight.is_constant and weight.table[0] > 0):
            return None
        if self._is_occlusion(b):
            return a, b
        return (b, a) if self._is_occlusion(a) else None

    def _is_occlusion(self, place: Place) -> bool:
        channel = gray(self.reader.read(place))
        if channel.image is None:
            return any(_said(t.node.image) == "ambient_occlusion" for t in textures_before(place))
        said = _said(channel.image)
        return said == "ambient_occlusion" or (channel.index is not None and said != "base_color")

    def _displacement(self, kind: MaterialMap, place: Place) -> None:
        end = source(place)
        if not end.socket.is_output:
            return
        if end.node.type == "DISPLACEMENT":
            feed = self._feed(kind, end.input(end.node.inputs["Height"]))
            self._add(kind.name, _turned(feed, self._is_negative(end, "Scale")))
        elif end.node.type == "VECTOR_DISPLACEMENT":
            self.leave_out(kind.name, "it moves points sideways too")
        else:
            self._add(kind.name, self._feed(kind, end))

    def _is_negative(self, place: Place, name: str) -> bool:
        weight = gray(self.reader.read(place.input(place.node.inputs[name])))
        return weight.is_constant and weight.table[0] < 0

    def _relief(self, place: Place) -> None:
        """What feeds the input for normals: a normal map, a bump, or one upon the other."""
        end, kind = source(place), MAPS["normal"]
        if not end.socket.is_output:
            return
        if end.node.type == "BUMP":
            self._relief(end.input(end.node.inputs["Normal"]))
            turned = end.node.invert != self._is_negative(end, "Distance")
            height = self._feed(MAPS["height"], end.input(end.node.inputs["Height"]))
            self._add("height", _turned(height, turned))
        elif end.node.type == "NORMAL_MAP":
            self._normal_map(end)
        elif (colors := self._colors_of_normals(end)) is not None:
            self._add_normal(end, *colors)  # the node between was forgotten
        else:
            self._add_normal(end, "normal", self._baked(kind, end, is_normal=True))

    def _add_normal(self, place: Place, kind: str, feed: Feed | None) -> None:
        if feed and self._lies_as_the_others(MAPS["normal"], place):
            self._add(kind, feed)

    def _normal_map(self, end: Place) -> None:
        if end.node.space != "TANGENT":
            space = end.node.space.replace("_", " ").lower()
            self.leave_out("normal", f"it is in {space} space, which fits one object only")
            return
        strength = gray(self.reader.read(end.input(end.node.inputs["Strength"])))
        if strength.is_constant and strength.table[0] == 0:
            return
        colors = end.input(end.node.inputs["Color"])
        kind, feed = self._colors_of_normals(colors) or (
            "normal",
            self._baked(MAPS["normal"], colors),
        )
        if getattr(end.node, "convention", "OPENGL") == "DIRECTX":  # from 5.1 on
            kind = "normal" if kind == "normal_directx" else "normal_directx"
        self._add_normal(colors, kind, feed)

    def _colors_of_normals(self, place: Place) -> tuple[str, Feed] | None:
        """An image of normals, and whose convention it has; None where it is not certain."""
        value = self.reader.read(place)
        if len(value) < 3 or not value[0].is_plain or not value[2].is_plain:
            return None
        if not _are_colors_of_one(value) or not (value[1].is_plain or value[1].is_inverted):
            return None
        feed = Feed(value[0].picture)
        return ("normal" if value[1].is_plain else "normal_directx"), feed

    # ---- how textures are laid on

    def _lies_as_the_others(self, kind: MaterialMap, place: Place) -> bool:
        """Pixels at the same place on two maps must be of the same place on the surface."""
        found = self._layouts(textures_before(place))
        self.layouts = self.layouts or found
        if found != self.layouts:
            self.leave_out(kind.name, "it is laid on otherwise than the maps before")
        return found == self.layouts

    def _layouts(self, textures: list[Place]) -> set[tuple[object, ...]]:
        return {layout(t.input(t.node.inputs["Vector"]), self.rendered) for t in textures}

    # ---- what feeds no shader

    def _occlusion_of_gltf(self, tree: bpy.types.NodeTree) -> None:
        kind = MAPS["ambient_occlusion"]
        for node in tree.nodes:
            group = node.node_tree if node.type == "GROUP" and not node.mute else None
            if group and group.name.startswith(_GLTF_GROUPS) and "Occlusion" in node.inputs:
                self._add(kind.name, self._feed(kind, Place(node.inputs["Occlusion"])))

    def _unconnected(self, tree: bpy.types.NodeTree) -> None:
        """Ambient occlusion is often there and feeds nothing; its name tells."""
        for node in (node for each in trees(tree) for node in each.nodes):
            if node.type == "TEX_IMAGE" and node.image and not any(s.links for s in node.outputs):
                kind = _said(node.image)
                if kind in MAPS and kind not in self.result.found:
                    self._add(kind, Feed(node.image))


def _certain(kind: Kind, value: Value) -> Feed | None:
    """The image whose pixels a value is, or a channel of it."""
    if kind is Kind.color:
        colors = three(value)
        if not all(c.is_plain for c in colors):
            return None
        if _are_colors_of_one(colors):
            return Feed(colors[0].picture)
    number = gray(value)
    if number.image and number.is_plain:
        return Feed(number.image, number.index)
    if number.image and number.is_inverted and kind is not Kind.color:
        return Feed(number.image, number.index, inverted=True)
    return None


def _cut_out(end: Place) -> tuple[Place, bool] | None:
    """The share of a mix with a transparent shader, and whether that is the second one."""
    if end.node.type != "MIX_SHADER":
        return None
    share, *sides = (end.input(socket) for socket in end.node.inputs)
    clear = [s.socket.is_output and s.node.type == "BSDF_TRANSPARENT" for s in map(source, sides)]
    return (share, clear[1]) if sum(clear) == 1 else None


def _is_of_an_object(output: Place) -> bool:
    if output.node.type == "TEX_COORD":
        return output.socket.name in ("Normal", "Camera", "Window", "Reflection")
    return output.node.type in _OF_OBJECTS


def _are_colors_of_one(value: Value) -> bool:
    return all(c.image == value[0].image and c.index == n for n, c in enumerate(value))


def _turned(feed: Feed | None, turned: bool) -> Feed | None:
    return replace(feed, inverted=not feed.inverted) if feed and turned else feed


def _factors(end: Place) -> tuple[Place | None, Place, Place] | None:
    """Share, first and second of what a node multiplies."""
    if not end.socket.is_output:
        return None
    node = end.node
    if node.type == "MIX_RGB" and node.blend_type == "MULTIPLY":
        names = ("Fac", "Color1", "Color2")
    elif node.type == "MIX" and node.blend_type == "MULTIPLY" and node.data_type == "RGBA":
        names = ("Factor_Float", "A_Color", "B_Color")
    elif node.type == "VECT_MATH" and node.operation == "MULTIPLY":
        names = ("", "Vector", "Vector_001")
    else:
        return None
    sockets = {s.identifier: s for s in node.inputs}
    share = end.input(sockets[names[0]]) if names[0] else None
    return share, end.input(sockets[names[1]]), end.input(sockets[names[2]])


def _said(image: bpy.types.Image) -> str | None:
    """Which map an image says that it is, by its mark or its name."""
    names = (Path(bpy.path.abspath(image.filepath)).stem, Path(image.name).stem, image.name)
    said = (split_file_stem(name)[1] for name in names)
    return image.get(MAP_KEY) or next((kind for kind in said if kind), None)
