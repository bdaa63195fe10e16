"""Describes a scene's objects by value, and puts made materials into their slots."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, pairwise
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import bpy
from mathutils.geometry import interpolate_bezier

from gan_worker.scenes.description import Point, Scene, SceneObject, Value

from ..shader import images, node_tree, places, slots
from ..steering import sliders

if TYPE_CHECKING:
    from mathutils import Matrix

    from gan_worker.scenes.plan import Assignment
    from gan_worker.scenes.store import Made

# On a material: which item it was made for, how often it repeats, and whether it is for slots that recipes add; in a
# second line the name of the material that it took the place of; in a third the rule that filled an empty slot with it,
# if that keeps what is in slots.
ITEM_KEY = "tilewright_item"
ADDED = " new slot"

Kind = TypeVar("Kind")
# Digits of a place: an object that was not moved must not get another latent.
DIGITS = 4
BEZIER_POINTS = 16


def describe(scene: bpy.types.Scene, curves: Collection[str]) -> Scene:
    """What a recipe can know of a scene.

    Args:
        scene: what is described; objects that can have no materials are left out.
        curves: names of the curve objects whose points are wanted.
    """
    below = scene.collection.children_recursive
    lies_in: dict[bpy.types.Object, set[str]] = {}
    for collection in below:
        for obj in collection.all_objects:
            lies_in.setdefault(obj, set()).add(collection.name)
    found: dict[str, bpy.types.Object] = {}
    for obj in scene.objects:
        # Of a local object and a linked one of the same name, the local one counts.
        if obj.type in slots.TYPES and (obj.name not in found or not obj.library):
            found[obj.name] = obj
    known = bpy.data.objects
    named = {name: known.get((name, None)) or known.get(name) for name in curves}
    guides = {name: obj for name, obj in named.items() if obj and obj.type == "CURVE"}
    matrices = places.world_matrices(
        scene, scene.view_layers[0], [*found.values(), *guides.values()]
    )
    where = iter(matrices)
    objects = tuple(
        _object(obj, next(where), frozenset(lies_in.get(obj, ()))) for obj in found.values()
    )
    lines = {name: tuple(_points(obj, next(where))) for name, obj in guides.items()}
    return Scene(objects, frozenset(c.name for c in below), lines)


def _object(obj: bpy.types.Object, place: Matrix, collections: frozenset[str]) -> SceneObject:
    items = {n: _item(s.material).split("\n", 2) for n, s in enumerate(obj.material_slots)}
    made = {n: (*lines, "", "")[:3] for n, lines in items.items() if lines[0]}
    return SceneObject(
        name=obj.name,
        type=obj.type,
        collections=collections,
        slots=tuple(s.material.name if s.material else "" for s in obj.material_slots),
        properties=dict(_properties(obj)),
        location=_rounded(place.translation),
        new_slots=slots.has_room(obj),
        refusal=slots.refusal(obj),
        added=tuple(n for n, (item, _, _) in made.items() if item.endswith(ADDED)),
        former={n: former for n, (_, former, _) in made.items()},
        filled={
            n: rule
            for n, (_, _, rule) in made.items()
            if rule and _shows_item(obj.material_slots[n].material)
        },
    )


def _item(material: bpy.types.Material | None) -> str:
    return str(material.get(ITEM_KEY, "")) if material else ""


def _properties(obj: bpy.types.Object) -> Iterator[tuple[str, Value]]:
    for name, value in obj.items():
        if isinstance(value, str | int | float | bool):
            yield name, value


def _points(curve: bpy.types.Object, matrix: Matrix) -> Iterator[Point]:
    """Points along a curve's first spline, in the world."""
    splines = curve.data.splines
    if not splines:
        return
    spline = splines[0]
    along = [p.co.to_3d() for p in spline.points]
    if spline.type == "BEZIER":
        along = list(_bezier(spline))
    elif spline.use_cyclic_u:
        along.append(along[0])
    for place in along:
        yield _rounded(matrix @ place)


def _bezier(spline: bpy.types.Spline) -> Iterator[object]:
    points = list(spline.bezier_points)
    if spline.use_cyclic_u:
        points.append(points[0])
    for start, end in pairwise(points):
        yield from interpolate_bezier(
            start.co, start.handle_right, end.handle_left, end.co, BEZIER_POINTS
        )


def _rounded(place: Iterable[float]) -> Point:
    x, y, z = (round(v, DIGITS) + 0.0 for v in place)
    return x, y, z


class Applier:
    """Makes each image and each material once, and assigns them; it holds names, no datablocks.

    Args:
        packed: whether the pictures go into the .blend.
    """

    def __init__(self, packed: bool) -> None:
        self._packed = packed
        ours = [i for i in bpy.data.images if i.get(images.JOB_KEY) and not i.library]
        self._images = {(i[images.JOB_KEY], i.get(images.MAP_KEY)): i.name for i in ours}
        self._materials: dict[str, list[str]] = {}
        for material in bpy.data.materials:
            if _item(material) and not material.library:
                self._materials.setdefault(_item(material), []).append(material.name)
        self._patterns: dict[tuple[str, ...], str] = {}
        self._replaced: set[str] = set()

    def apply(self, assignment: Assignment, made: Made) -> bool:
        """Put a material into its slot; False where the object is gone, or takes none any more."""
        obj = bpy.data.objects.get((assignment.object, None))
        if obj is None or slots.refusal(obj, assignment.slot):
            return False
        material = self._known_material(obj, assignment, made) or self._material(made, assignment)
        self._replaced.update(
            there.material.name
            for there in obj.material_slots[assignment.slot :][:1]
            if there.material and not there.material.library
        )
        slots.assign(obj, material, assignment.slot)
        return True

    def remove_replaced(self) -> None:
        """Remove what recipes had put into slots and nothing shows any more: it would keep its pictures in the .blend.

        What was worked on since shows other pictures, and stays.
        """
        found = (_local(bpy.data.materials, name) for name in self._replaced)
        gone = [m for m in found if m and not m.users and _shows_item(m)]
        if not gone:
            return
        shown = {image for m in gone for image in node_tree.images_of(m).values()}
        bpy.data.batch_remove(gone)
        # Blender 4.2 goes on counting a material that is gone as a user of its images.
        users = bpy.data.user_map(subset=shown)
        bpy.data.batch_remove([i for i in shown if not users[i] and not i.use_fake_user])

    def _known_material(
        self, obj: bpy.types.Object, assignment: Assignment, made: Made
    ) -> bpy.types.Material | None:
        """One that still shows the item as it was made: rather that of the slot, which may have been worked on."""
        item = _item_of(assignment)
        there = (slot.material for slot in obj.material_slots[assignment.slot :][:1])
        others = (_local(bpy.data.materials, name) for name in self._materials.get(item, ()))
        for material in filter(None, chain(there, others)):
            if _item(material) == item and _shows(material, made, assignment.scale):
                for name, image in node_tree.images_of(material).items():
                    self._keep(image, made.files[name])
                return material
        return None

    def _material(self, made: Made, assignment: Assignment) -> bpy.types.Material:
        item, scale = _item_of(assignment), (*assignment.scale, 1.0)
        material = self._new_material(made)
        material.node_tree.nodes[node_tree.MAPPING].inputs["Scale"].default_value = scale
        material[ITEM_KEY] = item
        node_tree.store_recipe(material, made.recipe, made.seam_ratios)
        sliders.store(material, made.recipe.config)
        self._materials.setdefault(item, []).append(material.name)
        return material

    def _new_material(self, made: Made) -> bpy.types.Material:
        """A copy of one with the same maps where there is one: a third of the time that building takes."""
        pictures = {name: self._image(made, name, file) for name, file in made.files.items()}
        name = images.whole_name(made.recipe.model, f" {made.key[:8]}")
        kind = tuple(pictures)
        pattern = _local(bpy.data.materials, self._patterns.get(kind))
        if pattern is None:
            material = node_tree.new_material(name)
            node_tree.build(material, pictures, node_tree.Wiring())
        else:
            material = pattern.copy()
            material.name = name
            node_tree.make_unique(material)
            for map_name, picture in pictures.items():
                node = material.node_tree.nodes[node_tree.texture_node_name(map_name)]
                node.image = picture
        self._patterns[kind] = material.name
        return material

    def _image(self, made: Made, map_name: str, file: Path) -> bpy.types.Image:
        key, model = made.key, made.recipe.model
        known = _local(bpy.data.images, self._images.get((key, map_name)))
        if known and known.get(images.JOB_KEY) == key:
            self._keep(known, file)
            return known
        image = bpy.data.images.load(str(file))
        end = file.stem.removeprefix(model).rpartition("_")[0]
        image.name = images.name_in_set(model, end, map_name, file.suffix)
        images.set_color_space(image, map_name)
        image[images.JOB_KEY], image[images.MAP_KEY] = key, map_name
        if self._packed:
            image.pack()
        else:
            image.filepath_raw = images.relative_path(file)
        self._images[key, map_name] = image.name
        return image

    def _keep(self, image: bpy.types.Image, file: Path) -> None:
        """Pack an image, or let it point at its file, whichever it was before."""
        place = images.relative_path(file)
        if self._packed == bool(image.packed_file) and (self._packed or image.filepath == place):
            return
        with images.keeping_color_space(image):
            if image.packed_file:
                image.unpack(method="REMOVE")
            image.filepath = str(file) if self._packed else place  # which reads it anew
            if self._packed:
                image.pack()


def _item_of(assignment: Assignment) -> str:
    across, down = assignment.scale
    made = f"{assignment.key} {across:g} {down:g}{ADDED if assignment.added else ''}"
    filled_by = assignment.rule if assignment.keeps else ""
    return "\n".join((made, assignment.former, filled_by)).rstrip("\n")


def _shows_item(material: bpy.types.Material | None) -> bool:
    """Whether a material of this file shows the pictures that a recipe made for it."""
    if not _item(material) or not node_tree.is_ours(material):
        return False
    shown = {image.get(images.JOB_KEY) for image in node_tree.images_of(material).values()}
    return shown == {_item(material).split()[0]}


def _shows(material: bpy.types.Material, made: Made, scale: tuple[float, float]) -> bool:
    """Whether a material of this file shows an item's pictures still, as often: sliders may have moved since."""
    if not node_tree.is_ours(material):
        return False
    shown = node_tree.images_of(material)
    jobs = {name: i.get(images.JOB_KEY) for name, i in shown.items() if not i.library}
    repeats = zip(node_tree.present_wiring(material).scale, scale, strict=True)
    is_as_large = all(isclose(*pair, rel_tol=1e-4) for pair in repeats)
    return is_as_large and jobs == dict.fromkeys(made.files, made.key)


def _local(collection: bpy.types.bpy_prop_collection[Kind], name: str | None) -> Kind | None:
    """What is not linked and has that name; Blender looks through all there are, so for no name it is not asked."""
    return collection.get((name, None)) if name else None
