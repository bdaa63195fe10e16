"""Scenes that show a material: a shader ball, the corner of a wall, a floor in daylight, and a ball from near.

A library for the demo and the pictures of the README, and a command:

    render_scenes.py FOLDER_OF_MAPS --scene ball --file out.png

Only what comes with Blender lights them. Their objects are measured in meters, and so is the material.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import own_blender

own_blender.use_own_folder()

import bpy
import numpy as np
import scene_objects
from mathutils import Euler, Vector
from scene_objects import Place, nodes_of

from gan_worker.errors import TilewrightError
from gan_worker.materials.maps import MAPS
from gan_worker.materials.pictures import quantise, read_picture
from gan_worker.materials.sets import find_materials
from gan_worker.runs.run import ModelInfo
from gan_worker.wire.messages import ModelEntry

ADDON = "blender_addon"
SIZE = (1280, 720)
SAMPLES = 12  # and the denoiser
# Meters that a tile covers where nobody says so, and one of a model that is so many cells of its latent grid wide.
METERS = 1.0
TILE_METERS, TILE_CELLS = 1.5, 64
# Pixels of a material on a meter of the ball from near, where each is about as large as one of the render.
NEAR = 1600
# The deepest relief that is shown, as a part of the width of the tile, and the steepest normals that tell of it.
DEEPEST, STEEPEST = 0.035, 0.2

# Millimeters: with it lenses are those of a 36 mm wide film in 16:9.
FILM = 20.25
# Of the soft lamp, meters.
KEY_PLACE = (-2.4, -1.6, 2.6)

Build = Callable[[], bpy.types.Object]


@dataclass(frozen=True)
class View:
    """From where a camera looks at what.

    Attributes:
        place: of the camera, meters.
        target: what is in the middle of the picture, meters.
        lens: focal length, millimeters, where a picture is `FILM` high.
    """

    place: Place
    target: Place
    lens: float


@dataclass(frozen=True)
class Light:
    """An environment that comes with Blender.

    Attributes:
        environment: name of its file.
        turn: around the vertical, degrees.
        strength: of it.
        key: of a soft lamp at the left, watts; 0 for none.
        sun: watts on a square meter that faces it; 0 for none.
        sun_place: where it shines from: degrees from the right to the back, and above the horizon.
    """

    environment: str
    turn: float
    strength: float
    key: float = 0.0
    sun: float = 0.0
    sun_place: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Setting:
    """A scene: who makes its objects and gives the one that wears the material, from where, in which light."""

    title: str
    build: Build
    view: View
    light: Light


SCENES = {
    "ball": Setting(
        "Shader Ball",
        scene_objects.ball,
        View((0.0, -4.9, 1.6), (0.0, 0.0, 0.52), 76),
        Light("forest", 120, 0.9, key=160),
    ),
    "corner": Setting(
        "Wall Corner",
        scene_objects.corner,
        View((-0.3, -4.3, 1.5), (0.3, 0.0, 1.32), 36),
        Light("city", -12, 0.55, sun=4.5, sun_place=(2, 40)),
    ),
    "floor": Setting(
        "Floor",
        scene_objects.floor,
        View((0.9, -3.0, 1.35), (-0.35, 0.4, 0.05), 30),
        Light("city", -186, 1.1, sun=6, sun_place=(155, 42)),
    ),
    "close": Setting(
        "Close-Up",
        scene_objects.near,
        View((-0.1, -1.15, 0.95), (-0.13, 0.0, 0.68), 50),
        Light("forest", 120, 0.8, key=60),
    ),
}


def build(name: str) -> tuple[bpy.types.Scene, bpy.types.Object]:
    """Make one of `SCENES` in a Blender scene of its own, and show that.

    Returns:
        The scene, and the object that is to wear the material; its UV map has one unit per meter.
    """
    setting = SCENES[name]
    scene = bpy.data.scenes.new(setting.title)
    bpy.context.window.scene = scene
    wearer = setting.build()
    _look(scene, setting.view)
    _surround(scene, setting.light)
    _light(scene, setting.light, setting.view.target)
    _choose_renderer(scene)
    return scene, wearer


def _look(scene: bpy.types.Scene, view: View) -> None:
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens, camera.data.clip_start = view.lens, 0.01
    camera.data.sensor_fit, camera.data.sensor_height = "VERTICAL", FILM
    camera.location = view.place
    camera.rotation_euler = _towards(view.place, view.target)
    scene.collection.objects.link(camera)
    scene.camera = camera


def _towards(place: Place, target: Place) -> Euler:
    return (Vector(place) - Vector(target)).to_track_quat("Z", "Y").to_euler()


def _surround(scene: bpy.types.Scene, light: Light) -> None:
    """The environment, turned."""
    scene.world = bpy.data.worlds.new(light.environment)
    nodes, links = nodes_of(scene.world), scene.world.node_tree.links
    background = nodes["Background"]
    background.inputs["Strength"].default_value = light.strength
    around = nodes.new("ShaderNodeTexEnvironment")
    around.image = bpy.data.images.load(str(environment(light.environment)), check_existing=True)
    mapping, place = nodes.new("ShaderNodeMapping"), nodes.new("ShaderNodeTexCoord")
    mapping.inputs["Rotation"].default_value = (0, 0, np.radians(light.turn))
    links.new(place.outputs["Generated"], mapping.inputs["Vector"])
    links.new(mapping.outputs["Vector"], around.inputs["Vector"])
    links.new(around.outputs["Color"], background.inputs["Color"])


def _light(scene: bpy.types.Scene, light: Light, target: Place) -> None:
    """The lamps."""
    if light.key:
        key = _lamp(scene, "AREA", KEY_PLACE, target)
        key.data.energy, key.data.size = light.key, 1.5
    if light.sun:
        around, above = np.radians(light.sun_place)
        flat = np.cos(above)
        place = (np.cos(around) * flat, np.sin(around) * flat, np.sin(above))
        sun = _lamp(scene, "SUN", place, (0, 0, 0))
        sun.data.energy, sun.data.angle = light.sun, np.radians(1.2)
        sun.data.color = (1.0, 0.93, 0.84)


def _lamp(
    scene: bpy.types.Scene, kind: Literal["AREA", "SUN"], place: Place, target: Place
) -> bpy.types.Object:
    lamp = bpy.data.objects.new(kind.title(), bpy.data.lights.new(kind.title(), kind))
    lamp.location, lamp.rotation_euler = place, _towards(place, target)
    scene.collection.objects.link(lamp)
    return lamp


def environment(name: str) -> Path:
    """One of the surroundings that Blender lights its viewport with."""
    data = bpy.utils.system_resource("DATAFILES")  # type: ignore[attr-defined]  # the stub forgets it
    return Path(data) / f"studiolights/world/{name}.exr"


def _choose_renderer(scene: bpy.types.Scene) -> None:
    """Cycles on the CPU, denoised where this Blender can, colors by AgX."""
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device, cycles.samples = "CPU", SAMPLES
    cycles.use_adaptive_sampling, cycles.adaptive_threshold = True, 0.05
    cycles.adaptive_min_samples = 8
    cycles.max_bounces, cycles.sample_clamp_indirect = 4, 4.0
    cycles.caustics_reflective = cycles.caustics_refractive = False
    try:
        cycles.use_denoising = True
        cycles.denoiser = "OPENIMAGEDENOISE"
    except TypeError:  # built without the denoiser
        cycles.use_denoising = False
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
    scene.render.image_settings.file_format = "PNG"


def render(scene: bpy.types.Scene, file: Path, size: tuple[int, int] = SIZE) -> None:
    """Write a picture of a scene.

    Args:
        scene: with a camera.
        file: a PNG.
        size: width and height, pixels; what is seen is as high in all of them.
    """
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.filepath = str(file)
    bpy.ops.render.render(write_still=True, scene=scene.name)


# ---- material


def read_maps(folder: Path) -> dict[str, np.ndarray]:
    """The maps of the first material in a folder: name → whole numbers, (height, width, channels).

    Raises:
        PictureError: there is none, or a picture cannot be read.
    """
    found, _, _ = find_materials([folder])
    return {
        name: quantise(read_picture(file)[..., : MAPS[name].channels], MAPS[name].bits)
        for name, file in found[0].files.items()
    }


def make_material(name: str, maps: dict[str, np.ndarray], meters: float) -> bpy.types.Material:
    """A material as the extension makes it.

    Args:
        name: of it.
        maps: of a tile: name → whole numbers, (height, width, channels).
        meters: width of the tile.
    """
    from blender_addon.shader import images, node_tree

    material = node_tree.new_material(name)
    shown = {kind: images.new_image(f"{name} {kind}", kind, maps[kind]) for kind in maps}
    for kind, image in shown.items():
        images.write_pixels(image, maps[kind])
    node_tree.build(material, shown, node_tree.Wiring())
    fit(material, meters)
    return material


def fit(material: bpy.types.Material, meters: float) -> None:
    """Lay a material on in its own size, with the relief that its normals speak of.

    Args:
        material: of the extension.
        meters: width of its tile.
    """
    from blender_addon.shader import images, node_tree, surface

    shown = node_tree.images_of(material)
    width, height = next(iter(shown.values())).size
    mapping = material.node_tree.nodes[node_tree.MAPPING]
    mapping.inputs["Scale"].default_value = (1 / meters, width / height / meters, 1)
    if {"height", "normal"} <= set(shown):
        pictures = (images.read_pixels(shown[name]) for name in ("height", "normal"))
        surface.raise_surface(material, "REAL", relief(*pictures) * meters)


def seen_from_near(material: bpy.types.Material) -> bpy.types.Material:
    """A copy for the ball from near: as if that were so large that each pixel of the material is seen."""
    from blender_addon.shader import node_tree

    near = material.copy()
    node_tree.make_unique(near)
    fit(near, near_meters(next(iter(node_tree.images_of(near).values())).size[0]))
    return near


def near_meters(pixels: int) -> float:
    """Width of a tile of so many pixels on the ball from near."""
    return pixels / NEAR


def relief(height: np.ndarray, normal: np.ndarray) -> float:
    """How far black is below white, as a part of the tile's width, so that the slopes are those of the normals.

    Args:
        height: of a tile, 0..1, (height, width, channels).
        normal: of the same, OpenGL.
    """
    directions = normal[..., :3] * 2 - 1
    slopes = -directions[..., :2] / np.maximum(directions[..., 2:], STEEPEST)
    rises = np.stack([_rise(height[..., 0], 1), -_rise(height[..., 0], 0)], -1)
    pixels = (slopes * rises).sum() / max(1e-9, (rises**2).sum())
    return float(np.clip(pixels / height.shape[1], 0.0, DEEPEST))


def _rise(height: np.ndarray, axis: int) -> np.ndarray:
    return (np.roll(height, -1, axis) - np.roll(height, 1, axis)) / 2


def wear(obj: bpy.types.Object, material: bpy.types.Material) -> None:
    """Give an object this material alone."""
    obj.data.materials.clear()
    obj.data.materials.append(material)


def tile_meters(model: ModelInfo | ModelEntry, pixels: int) -> float:
    """Width in meters of so many pixels of a model's material with all detail; a guess where nobody told it."""
    if model.pixel_size:
        return model.pixel_size * pixels
    return TILE_METERS * pixels / (TILE_CELLS * model.stride)


def worn(obj: bpy.types.Object) -> bpy.types.Material:
    """The material that an object wears."""
    assert obj.active_material is not None
    return obj.active_material


def keep_only(scenes: Sequence[bpy.types.Scene]) -> None:
    """Remove all other scenes from the file, and what only they have."""
    for other in set(bpy.data.scenes) - set(scenes):
        bpy.data.scenes.remove(other)
    for obj in list(bpy.data.objects):
        if not obj.users_scene:
            bpy.data.objects.remove(obj)


def enable_addon() -> None:
    """Enable the extension from its source folder."""
    import addon_utils  # there only once bpy has been imported

    if not addon_utils.check(ADDON)[1]:
        addon_utils.enable(ADDON, default_set=True)


def main() -> int:
    """Render a folder of maps; 0 done, 2 where they cannot be read."""
    parser = argparse.ArgumentParser(description="Render a material on one of the scenes.")
    parser.add_argument("folder", type=Path, help="with the maps of one material")
    parser.add_argument("--scene", choices=SCENES, default="ball")
    parser.add_argument("--file", type=Path, default=Path("out.png"))
    parser.add_argument(
        "--meters",
        type=float,
        help=f"width of a tile (default: {METERS}; from near so many that each pixel is seen)",
    )
    parser.add_argument("--width", type=int, default=SIZE[0], help="pixels (default: 1280)")
    options = parser.parse_args()
    enable_addon()
    try:
        maps = read_maps(options.folder)
    except TilewrightError as error:
        print(error.info.message, error.info.cure, file=sys.stderr)
        return 2
    scene, wearer = build(options.scene)
    pixels = next(iter(maps.values())).shape[1]
    meters = options.meters or (near_meters(pixels) if options.scene == "close" else METERS)
    wear(wearer, make_material(options.folder.name, maps, meters))
    render(scene, options.file.absolute(), (options.width, options.width * SIZE[1] // SIZE[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
