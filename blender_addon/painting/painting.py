"""Painted looks: which favourite rules where on the surface, painted on an image with Blender's own brushes."""

from __future__ import annotations

import math
import time
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeGuard

import bpy
import numpy as np

from gan_worker.config import GenerationConfig
from gan_worker.files import read_stored
from gan_worker.style import LOOKS_LIMIT, Look, LookMap
from gan_worker.styles.mixing import parts
from gan_worker.styles.painting import COLORS, paint

from .. import state
from ..shader import images, node_tree, projection
from ..steering import favourites, live, sliders
from ..steering.changes import quietly
from ..ui import windows
from ..ui.icons import PanelPictures
from ..worker import pump, session
from ..worker.reporting import require
from . import vertex_colors

if TYPE_CHECKING:
    from ..steering.properties import TILEWRIGHT_PG_favourite
    from .properties import TILEWRIGHT_PG_painted_look

# Of the image that is painted on; a style map has a quarter of it, so that brushes have soft edges.
SIDE = 256
# Reading a larger image would hold Blender up for longer than a picture of an animation lasts.
LARGEST_SIDE = 1024
# Seconds between two looks at the image while somebody may paint.
INTERVAL = 0.1

_ATTRIBUTE = "Style Map"
_PAINT_MODES = ("TEXTURE_PAINT", "VERTEX_PAINT")

swatches = PanelPictures()


@dataclass
class Painting(state.FilePart):
    """What was read of the paintings of the open file.

    Attributes:
        seen: uuid of a material → checksum of its image when it was read last.
        unwrapped: mesh → how its corners lie on the image, and the checksum of its colors when they were read last.
        looked: when it was looked whether something was painted, by `time.monotonic`.
    """

    seen: dict[str, int] = field(default_factory=dict)
    unwrapped: dict[str, tuple[vertex_colors.Unwrapping, int]] = field(default_factory=dict)
    looked: float = 0.0

    def undone(self) -> None:
        """Look at all images again: undo brings back others, or other style maps."""
        self.seen.clear()


def _here() -> Painting:
    return state.of_file.get(Painting)


def obstacle(material: bpy.types.Material | None) -> str:
    """Why this material cannot be painted; empty where it can."""
    found = live.obstacle(material)
    if not found and material is not None and sliders.is_photo(material):
        found = "A photo has no looks to paint with: train on it to have some"
    if not found and not session.current.speaks(1, 2):
        found = "The worker is older than the extension and cannot paint: update Tilewright there"
    return found


def is_painted(material: bpy.types.Material | None) -> TypeGuard[bpy.types.Material]:
    """Whether the material's look is what was painted on its image."""
    if not sliders.has_latents(material) or material.tilewright.style_image is None:
        return False
    return isinstance(sliders.wanted(material).style, LookMap)


def is_going_on() -> bool:
    """Whether somebody may paint now, so that looking often is worth it."""
    material = sliders.active_material()
    if material is None or material.tilewright.style_image is None:
        return False
    return bpy.context.view_layer.objects.active.mode in _PAINT_MODES or any(
        area.type == "IMAGE_EDITOR" and area.spaces.active.image == material.tilewright.style_image
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
    )


# ---- looks


def add_look(
    material: bpy.types.Material, favourite: TILEWRIGHT_PG_favourite
) -> TILEWRIGHT_PG_painted_look:
    """Make a favourite one of the looks to paint this material with.

    Raises:
        RequestError: `invalid_config` where it cannot be.
    """
    looks, config = material.tilewright.painted_looks, favourites.config_of(favourite)
    taken = {look.place for look in looks}
    require(
        len(taken) < LOOKS_LIMIT,
        f"A material can be painted with {LOOKS_LIMIT} looks at most; it has {len(taken)}.",
        "Remove one of them.",
    )
    model = material.tilewright.latents.model
    require(
        config.model == model,
        f"A look must be of the material's own model, {model}; this favorite is of {config.model}.",
        "Choose a favorite of that model.",
    )
    require(
        not config.has_map,
        "A look must be the same everywhere; this favorite is painted.",
        "Choose one that is not painted.",
    )
    look = looks.add()
    look.name, look.uid, look.config = favourite.name, favourite.uid, favourite.config
    look.place = min(set(range(LOOKS_LIMIT)) - taken)
    _follow_if_painted(material)
    return look


def looks_to_add(
    scene: bpy.types.Scene, material: bpy.types.Material
) -> list[TILEWRIGHT_PG_favourite]:
    """The favourites that this material can be painted with and is not yet."""
    there = {look.uid for look in material.tilewright.painted_looks}
    fitting = favourites.of_model(scene, material.tilewright.latents.model)
    return [f for f in fitting if f.uid not in there and not favourites.config_of(f).has_map]


def remove_look(material: bpy.types.Material, place: int) -> None:
    """Paint with this look no longer; what was painted with it gets the first of the others."""
    looks = material.tilewright.painted_looks
    for index, look in enumerate(looks):
        if look.place == place:
            looks.remove(index)
            break
    _follow_if_painted(material)


def _slots(material: bpy.types.Material) -> list[Look | None]:
    """The looks in the order of `COLORS`."""
    slots: list[Look | None] = [None] * LOOKS_LIMIT
    for look in material.tilewright.painted_looks:
        where = f"A painted look of the material {material.name!r}"
        config = read_stored(GenerationConfig, look.config, where, "Choose its look again.")
        mix = parts(config)
        slots[look.place] = Look(mix, config.truncation_psi, config.directions)
    return slots


# ---- painting


def start(obj: bpy.types.Object | None, on_vertices: bool = False) -> bpy.types.Image:
    """Let an object's active material follow what is painted on its style map, and get ready to paint.

    The image is made where there is none; it becomes the canvas of Texture Paint mode, which is entered.

    Args:
        obj: a mesh with a generated material.
        on_vertices: paint on the active color attribute in Vertex Paint mode instead; what is painted there is put
            onto the image.

    Raises:
        RequestError: `invalid_config` where something is missing.
    """
    obj, material = check(obj)
    if obj.mode == "EDIT":
        bpy.ops.object.mode_set(mode="OBJECT")  # a mesh that is edited has no colors to read
    projection.select_rendered_uv_map(obj)
    node_tree.ensure_unique(material)
    image = _image(material)
    tools = bpy.context.scene.tool_settings.image_paint
    tools.mode, tools.canvas = "IMAGE", image
    if on_vertices:
        _prepare_colors(obj, material)
    _lay_once(material)
    if not is_painted(material):
        _begin(material)
    mode: Literal["VERTEX_PAINT", "TEXTURE_PAINT"]
    mode = "VERTEX_PAINT" if on_vertices else "TEXTURE_PAINT"
    if obj.mode != mode:
        bpy.ops.object.mode_set(mode=mode)
    pick(max(look.place for look in material.tilewright.painted_looks))
    return image


def check(obj: bpy.types.Object | None) -> tuple[bpy.types.Object, bpy.types.Material]:
    """Check that an object can be painted.

    Returns:
        The object, and its material that is painted on.

    Raises:
        RequestError: `invalid_config`, saying what is missing.
    """
    obj = projection.paintable(obj)
    why = obstacle(obj.active_material)
    material = require(None if why else obj.active_material, f"{why}.", "Then press Paint again.")
    count = len(material.tilewright.painted_looks)
    require(
        count > 1,
        f"There must be two looks or more to paint with; received {count}.",
        "Keep looks with Add Favorite, then add them here.",
    )
    require(
        obj.data.uv_layers,
        f"A mesh must have a UV map to be painted; {obj.name} has none.",
        "Unwrap it: in Edit Mode press U and choose Smart UV Project.",
    )
    require(
        material.tilewright.projection == "UV",
        f"Looks are painted through the UV map; {obj.name} does not show the material by it.",
        "Choose UV as Projection in the Surface panel.",
    )
    return obj, material


def _begin(material: bpy.types.Material) -> None:
    """From now on the image rules: what was chosen for the whole material stands in its looks."""
    painted = replace(
        sliders.wanted(material), style=_read(material), directions=(), truncation_psi=1.0
    )
    sliders.store(material, painted)
    live.follow(material)


def _lay_once(material: bpy.types.Material) -> None:
    """Strokes lie where the brush is: the map covers the whole UV square once."""
    with quietly():
        bpy.context.scene.tilewright.scale = (1.0, 1.0)
    projection.repeat(material, (1.0, 1.0))


def lies_elsewhere(material: bpy.types.Material) -> bool:
    """Whether strokes show elsewhere than where the brush is: the tile was laid otherwise since Paint was pressed."""
    times = projection.repeats(material) or (1.0, 1.0)
    once = all(math.isclose(number, 1.0, rel_tol=1e-3) for number in times)
    return not once or material.tilewright.projection != "UV"


def _image(material: bpy.types.Material) -> bpy.types.Image:
    kept = material.tilewright
    if kept.style_image is None or not min(kept.style_image.size):  # none yet, or its file is gone
        name = images.whole_name(material.name, " Style Map")
        kept.style_image = bpy.data.images.new(name, SIDE, SIDE, alpha=False, is_data=True)
        kept.style_image.generated_color = _first_color(material)
    size = "×".join(map(str, kept.style_image.size))
    require(
        max(kept.style_image.size) <= LARGEST_SIDE,
        f"A style map may be {LARGEST_SIDE} pixels wide and high at most; this one is {size}.",
        "Scale it down: in the Image Editor choose Image, Resize.",
    )
    return kept.style_image


def _first_color(material: bpy.types.Material) -> tuple[float, ...]:
    first = min(look.place for look in material.tilewright.painted_looks)
    return (*COLORS[first], 1.0)


def _prepare_colors(obj: bpy.types.Object, material: bpy.types.Material) -> None:
    """See that the mesh has colors; those that are there are put onto the image, fresh ones taken from its start."""
    attributes, first = obj.data.color_attributes, _first_color(material)
    if attributes.active_color is None:
        made = attributes.new(_ATTRIBUTE, "BYTE_COLOR", "CORNER")
        made.data.foreach_set("color_srgb", np.tile(np.array(first, np.float32), len(made.data)))
        attributes.active_color = made
    _here().unwrapped.pop(obj.data.name, None)
    take_up_colors(obj)


def take_up_colors(obj: bpy.types.Object) -> None:
    """Put what was painted on a mesh onto the style map of its material, where that has changed.

    Raises:
        RequestError: `invalid_config` where its UV map covers nothing.
    """
    image, mesh = obj.active_material.tilewright.style_image, obj.data
    if not isinstance(mesh, bpy.types.Mesh) or mesh.color_attributes.active_color is None:
        return  # it was removed meanwhile
    colors = vertex_colors.read(mesh)
    unwrapping, checksum = _here().unwrapped.get(mesh.name, (None, 0))
    if unwrapping is None or unwrapping.count != len(colors):
        unwrapping = require(
            vertex_colors.unwrap(mesh, SIDE),
            f"The UV map of {obj.name} must cover something; it covers nothing.",
            "Unwrap it: in Edit Mode press U and choose Smart UV Project.",
        )
        checksum = 0
    fresh = zlib.adler32(np.ascontiguousarray(colors).data)
    _here().unwrapped[mesh.name] = unwrapping, fresh
    if fresh != checksum:
        rgba = np.ones((SIDE, SIDE, 4), np.float32)
        rgba[..., :3] = vertex_colors.bake(unwrapping, colors)
        if tuple(image.size) != (SIDE, SIDE):
            image.scale(SIDE, SIDE)
        images.set_pixels(image, rgba)


def pick(place: int) -> None:
    """Paint with the color of a look from now on."""
    tools = bpy.context.scene.tool_settings
    for mode in (tools.image_paint, tools.vertex_paint):
        # Until 5.0 all modes shared one.
        shared = getattr(mode, "unified_paint_settings", None) or tools.unified_paint_settings
        shared.color = COLORS[place]
        if mode.brush is not None and mode.brush.is_editable:
            mode.brush.color = COLORS[place]


def picked() -> int | None:
    """Which of the `COLORS` the brush has."""
    tools = bpy.context.scene.tool_settings
    shared = getattr(tools.image_paint, "unified_paint_settings", None)
    color = tuple((shared or tools.unified_paint_settings).color)
    return COLORS.index(color) if color in COLORS else None


# ---- following


def _tick() -> float | None:
    now, here = time.monotonic(), _here()
    if now - here.looked >= INTERVAL:
        here.looked = now
        windows.in_each(_look)
    return INTERVAL if any(windows.in_each(is_going_on)) else None


def _look() -> None:
    """Let the active object's material follow what was painted since the last look."""
    material = sliders.active_material()
    if not is_painted(material) or live.obstacle(material):
        return
    obj = bpy.context.view_layer.objects.active
    if obj.mode in _PAINT_MODES:
        _leave_the_originals_image(material)
    # Only where Paint Vertices was pressed: colors of a mesh may be for something else.
    if obj is not None and obj.mode == "VERTEX_PAINT" and obj.data.name in _here().unwrapped:
        take_up_colors(obj)
    take_up(material)


def _leave_the_originals_image(material: bpy.types.Material) -> None:
    """Let the next stroke on a copied material land on an image of its own."""
    paint_settings, shared = (
        bpy.context.scene.tool_settings.image_paint,
        material.tilewright.style_image,
    )
    node_tree.ensure_unique(material)
    if paint_settings.canvas == shared != material.tilewright.style_image:
        paint_settings.canvas = material.tilewright.style_image


def take_up(material: bpy.types.Material) -> None:
    """Let a painted material follow its image, where that has changed."""
    image = material.tilewright.style_image
    if not len(material.tilewright.painted_looks):
        return  # all were removed: it stays as it is until there is one again
    if max(image.size) > LARGEST_SIDE or (not image.has_data and image.source != "GENERATED"):
        return
    pixels = images.read_pixels(image)
    checksum = zlib.adler32(pixels.data)
    if checksum == _here().seen.get(material.tilewright.uuid):
        return
    _here().seen[material.tilewright.uuid] = checksum
    _follow(material, paint(_slots(material), pixels))


def _read(material: bpy.types.Material) -> LookMap:
    return paint(_slots(material), images.read_pixels(material.tilewright.style_image))


def _follow_if_painted(material: bpy.types.Material) -> None:
    if is_painted(material) and len(material.tilewright.painted_looks):
        _follow(material, _read(material))


def _follow(material: bpy.types.Material, painted: LookMap) -> None:
    wanted = sliders.wanted(material)
    if wanted.style != painted:
        sliders.store(material, replace(wanted, style=painted))
        if bpy.context.scene.tilewright.live:
            live.follow(material)


def pack_images() -> None:
    """Keep what was painted in the file that is about to be saved: it is nowhere else."""
    for material in bpy.data.materials:
        for image in (getattr(material.tilewright, use) for use in node_tree.PAINTED_IMAGES):
            if image and image.is_dirty and not image.library and not image.filepath:
                image.pack()


_part = pump.Subject(tick=_tick, before_saving=pack_images)


def register() -> None:
    swatches.open()
    for place, color in enumerate(COLORS):
        swatches.show_swatch(str(place), color)
    pump.join(_part)


def unregister() -> None:
    pump.leave(_part)
    swatches.close()
