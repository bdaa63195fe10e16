"""The Blender part of the demo: train, generate, apply, render, and a page that shows all of it.

Works through the operators of the extension, as an artist would, and without a window.
"""

from __future__ import annotations

import html
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import own_blender

own_blender.use_own_folder()

import bpy
import numpy as np

from gan_worker.client.events import JobReport
from gan_worker.errors import UnexpectedError, error_from_info
from gan_worker.limits import DETAILS
from gan_worker.materials.file_names import split_file_stem
from gan_worker.progress import DataReport, Notice, Stage, TrainingProgress
from gan_worker.wire.messages import JobState, ModelEntry

ADDON = "blender_addon"
# What wall, sphere and floor are made with where nothing is trained: of each the first that there is.
STARTERS = (
    ("Starter Aged Bricks", "Starter Red Bricks"),
    ("Starter Rusty Steel", "Starter Peeling Paint"),
    ("Starter Mossy Cobblestone", "Starter Cobblestone"),
)
Report = Callable[[str, float | None], None]

# Meters of wall or floor that a tile of so many cells of the latent grid covers.
TILE_METERS, TILE_CELLS = 2.0, 64
# Pixels of a tile of a model without octaves, and the most of one with them where nobody chose.
PLAIN_TILE, LARGEST_TILE = 512, 2048
SPHERE_REPEATS, RADIUS = (3.0, 1.5), 0.75
# Height of the relief, meters, and how often the meshes are halved so that it can move them.
RELIEF, PLANE_LEVELS, SPHERE_LEVELS = 0.025, 8, 3
MIDDLE_GREY = 0.18
# Pictures that a browser shows, and the most of them on the page.
SHOWN, MOST_SOURCES = (".png", ".jpg", ".jpeg", ".webp"), 10
RENDER_SIZE = (1280, 720)
# Meters from the sphere to the camera that looks at it closely: about a pixel of the render for one of the material.
CLOSE = 0.95
CAMERAS = ("Camera", "Close-Up")
# Pixels of the source and of the result that are shown side by side.
CROP = 460
RENDER_SAMPLES = 16  # and the denoiser


@dataclass
class Piece:
    """One object of the scene and the material it got."""

    name: str
    model: str
    seed: int
    files: dict[str, Path] = field(default_factory=dict)
    tilings: dict[str, Path] = field(default_factory=dict)
    detail: str = ""
    seam_ratios: dict[str, float] = field(default_factory=dict)


@dataclass
class DemoResult:
    """What the demo wrote, and how long each part took in seconds."""

    scene: Path
    render: Path
    summary: Path
    pieces: list[Piece]
    seconds: dict[str, float]

    @property
    def worst_seam_ratio(self) -> float:
        return max(ratio for piece in self.pieces for ratio in piece.seam_ratios.values())


def run(
    images: Sequence[str | Path],
    minutes: float,
    size: tuple[int, int] | None,
    out: Path,
    report: Report,
    home: Path | None = None,
    python: str = sys.executable,
    preset: str = "tiny",
) -> DemoResult:
    """The main job: from pictures to a rendered scene.

    Args:
        images: pictures or folders to learn from; none to take starter models and train nothing.
        minutes: time spent in training steps.
        size: width and height of the generated maps, in pixels; None for a tile with all detail.
        out: folder for everything that comes out.
        report: called with a sentence, and the fraction done where one is known.
        home: the worker's folder of runs; inside `out` where it is not given.
        python: the Python that has the worker.
        preset: size of the networks.

    Raises:
        TilewrightError: what went wrong, with its cure.
    """
    out.mkdir(parents=True, exist_ok=True)
    home = home or out / "worker"
    clock = _Clock()
    _enable_addon(python, home)
    from blender_addon.worker import session

    listener = _teller(report)
    session.current.listeners.append(listener)
    try:
        report("starting the worker", None)
        _press("start_worker", wait=True)
        _wait_for_models()
        clock.lap("worker")
        objects = build_scene()
        if images:
            _train(images, minutes, preset, _free_name(home, images))
            clock.lap("training")
        report("generating three materials", None)
        model = bpy.context.scene.tilewright.model
        models = [model] * len(objects) if images else _starters()
        pieces = [
            _put_material(obj, name, seed, size)
            for seed, (obj, name) in enumerate(zip(objects, models, strict=True), 1)
        ]
        clock.lap("generation")
    finally:
        session.current.listeners.remove(listener)
        session.current.stop_worker()
    materials = [obj.active_material for obj in objects if obj.active_material]
    for piece, material in zip(pieces, materials, strict=True):
        write_maps(piece, material, out / "maps")
    scene, renders = out / "scene.blend", (out / "render.png", out / "close_up.png")
    expose_for(materials)
    bpy.ops.wm.save_as_mainfile(filepath=str(scene), check_existing=False)
    report("rendering", None)
    for camera, file in zip(CAMERAS, renders, strict=True):
        render_scene(bpy.data.objects[camera], file)
    clock.lap("render")
    summary = write_summary(out, renders, find_sources(images), pieces, clock.seconds)
    return DemoResult(scene, renders[0], summary, pieces, clock.seconds)


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name], self._last = now - self._last, now


def _enable_addon(python: str, home: Path) -> None:
    """Enable the extension from its source folder and say which worker it is to start."""
    import addon_utils  # there only once bpy has been imported

    if not addon_utils.check(ADDON)[1]:
        addon_utils.enable(ADDON, default_set=True)
    preferences = bpy.context.preferences.addons[ADDON].preferences
    preferences.location = "LOCAL"
    preferences.worker_python = python
    preferences.home_folder = str(home.absolute())


def _starters() -> list[str]:
    """Names of models that come with the program, for wall, sphere and floor."""
    from blender_addon.worker import session

    return [next(filter(session.current.model, names)) for names in STARTERS]


def _wait_for_models() -> None:
    """The worker tells its models a moment after it answered."""
    from blender_addon.worker import pump, session

    pump.wait(lambda: bool(session.current.models), timeout=30.0)


def _press(name: str, **options: object) -> None:
    """Press a button, and turn the text Blender raises back into the typed error."""
    from blender_addon.worker import session

    try:
        getattr(bpy.ops.tilewright, name)(**options)  # type: ignore[attr-defined]  # ours: no stub has it
    except RuntimeError as error:
        info = session.current.last_error
        raise error_from_info(info) if info else UnexpectedError(error) from error


def _teller(report: Report) -> Callable[[object], None]:
    """A listener that puts events into words."""

    def tell(event: object) -> None:
        if isinstance(event, JobReport):
            _tell_report(event.report, report)
        elif isinstance(event, JobState) and event.error:
            report(f"{event.state}: {event.error.message}", None)

    return tell


def _tell_report(said: object, report: Report) -> None:
    match said:
        case TrainingProgress():
            losses = ", ".join(f"{name} {value:.2f}" for name, value in said.losses.items())
            eta = "" if said.eta is None else f", {said.eta:.0f} s left"
            text = f"step {said.step}, {said.images_per_second:.1f} images/s{eta}, {losses}"
            report(text, said.fraction)
        case Stage():
            report(said.text, None)
        case DataReport():
            for skipped in said.skipped:
                report(f"skipped {skipped.file}: {skipped.reason}", None)
            maps = ", ".join(said.maps)
            count = len(said.materials)
            report(f"learning {maps} from {count} material(s), scale {said.scale:.2f}", None)
        case Notice():
            report(said.text, None)


def _train(images: Sequence[str | Path], minutes: float, preset: str, name: str) -> None:
    from blender_addon.training import training

    chosen = bpy.context.scene.tilewright
    training.set_pictures(bpy.context.scene, [Path(image).absolute() for image in images])
    chosen.run, chosen.minutes, chosen.preset = name, minutes, preset
    _press("start_training", wait=True, timeout=minutes * 60 * 3 + 300)


def _free_name(home: Path, images: Sequence[str | Path]) -> str:
    """A run named after the first picture, with a number where that run exists."""
    stem = Path(images[0]).stem
    plain = "".join(c if c.isalnum() or c in "-_" else "_" for c in stem)[:40] or "demo"
    name, number = plain, 2
    while (home / "runs" / name).exists():
        name, number = f"{plain}-{number}", number + 1
    return name


def _put_material(
    obj: bpy.types.Object, model: str, seed: int, size: tuple[int, int] | None
) -> Piece:
    """Generate a material of its own for the object, as the Generate panel would."""
    from blender_addon.shader import node_tree
    from blender_addon.worker import session

    chosen = bpy.context.scene.tilewright
    entry = session.current.model(model)
    assert entry is not None  # it was just trained, or comes with the program
    size = size or _whole_tile(entry)
    bpy.context.view_layer.objects.active = obj
    chosen.model, chosen.seed, chosen.target = model, seed, "ACTIVE"
    chosen.width, chosen.height = size
    chosen.displacement = RELIEF
    _press("generate_material", wait=True, timeout=300.0)
    assert obj.active_material is not None
    config = node_tree.recipe_of(obj.active_material).config
    stride = entry.stride >> config.mip
    chosen.scale = repeats(obj, (config.width / stride, config.height / stride))
    return Piece(obj.name, model, seed, detail=DETAILS[config.mip])


def _whole_tile(model: ModelEntry) -> tuple[int, int]:
    """Width and height of a tile with all detail, or with as much of it as is still generated soon."""
    from blender_addon.steering import levels

    side = min(LARGEST_TILE, levels.tile_side(model)) if model.octaves else PLAIN_TILE
    return side, side


def repeats(obj: bpy.types.Object, cells: tuple[float, float]) -> tuple[float, float]:
    """How often the tile is repeated over the object's UV square.

    Flat objects have one UV unit per meter; the sphere takes a whole number of columns, so that it
    closes.

    Args:
        obj: one of the scene's.
        cells: of the latent grid, across and down.
    """
    shares = (TILE_CELLS / cells[0], TILE_CELLS / cells[1])
    if "sphere" in obj.name.lower():
        return float(max(1, round(SPHERE_REPEATS[0] * shares[0]))), SPHERE_REPEATS[1] * shares[1]
    return shares[0] / TILE_METERS, shares[1] / TILE_METERS


def build_scene() -> list[bpy.types.Object]:
    """An empty scene with a wall, a sphere on a floor, a camera and lights.

    Returns:
        Wall, sphere and floor.
    """
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    wall = _plane("Wall", (12.0, 1.5), (0, 1.6, 0.75), (np.pi / 2, 0, 0))
    floor = _plane("Floor", (12.0, 6.0), (0, -1.4, 0), (0, 0, 0))
    bpy.ops.mesh.primitive_uv_sphere_add(segments=96, ring_count=48, radius=RADIUS)
    sphere = bpy.context.selected_objects[0]
    sphere.name, sphere.location = "Sphere", (0.55, -0.3, RADIUS)
    bpy.ops.object.shade_smooth()
    _refine(sphere, SPHERE_LEVELS)
    _light()
    _camera()
    return [wall, sphere, floor]


def _plane(
    name: str,
    size: tuple[float, float],
    place: tuple[float, float, float],
    turn: tuple[float, float, float],
) -> bpy.types.Object:
    """A plane whose UV map has one unit per meter."""
    bpy.ops.mesh.primitive_plane_add(size=1, location=place, rotation=turn)
    plane = bpy.context.selected_objects[0]
    plane.name = name
    plane.scale = (*size, 1)
    for loop in plane.data.uv_layers.active.data:
        loop.uv = (loop.uv[0] * size[0], loop.uv[1] * size[1])
    _refine(plane, PLANE_LEVELS)
    return plane


def _refine(obj: bpy.types.Object, levels: int) -> None:
    """Give the surface points enough for a real displacement, in renders alone."""
    modifier = obj.modifiers.new("Points for the Relief", "SUBSURF")
    modifier.subdivision_type = "SIMPLE"
    modifier.levels, modifier.render_levels = 0, levels


def _light() -> None:
    """A low sun, and around it the evening sky of a picture that comes with Blender."""
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy, sun.data.angle, sun.data.color = 4.0, np.radians(3), (1.0, 0.93, 0.84)
    sun.rotation_euler = (np.radians(55), 0, np.radians(-48))
    bpy.context.collection.objects.link(sun)
    world = bpy.context.scene.world or bpy.data.worlds.new("World")
    bpy.context.scene.world = world
    if bpy.app.version < (5, 0, 0):
        world.use_nodes = True
    tree = world.node_tree
    background = next(n for n in tree.nodes if n.bl_idname == "ShaderNodeBackground")
    surroundings = tree.nodes.new("ShaderNodeTexEnvironment")
    surroundings.image = bpy.data.images.load(str(environment()))
    tree.links.new(surroundings.outputs["Color"], background.inputs["Color"])
    background.inputs["Strength"].default_value = 0.8


def environment() -> Path:
    """One of the surroundings that Blender lights its viewport with."""
    data = bpy.utils.system_resource("DATAFILES")  # type: ignore[attr-defined]  # the stub forgets it
    return Path(data) / "studiolights/world/sunset.exr"


def _camera() -> None:
    """One camera that sees all, and one that looks at the sphere from near."""
    for name, lens in zip(CAMERAS, (34, 50), strict=True):
        camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
        camera.data.lens, camera.data.clip_start = lens, 0.01
        bpy.context.collection.objects.link(camera)
        bpy.context.scene.camera = bpy.context.scene.camera or camera
    whole, near = (bpy.data.objects[name] for name in CAMERAS)
    whole.location, whole.rotation_euler = (
        (-0.9, -3.7, 1.45),
        (np.radians(79), 0, np.radians(-12)),
    )
    sphere = bpy.data.objects["Sphere"]
    towards = (whole.location - sphere.location).normalized()
    near.location = sphere.location + towards * (RADIUS + CLOSE)
    near.rotation_euler = towards.to_track_quat("Z", "Y").to_euler()


def expose_for(materials: Sequence[bpy.types.Material]) -> None:
    """Expose like a photographer would: dark materials longer, up to one and a half stops."""
    from blender_addon.shader import images
    from blender_addon.shader.node_tree import images_of

    colors = [images_of(material).get("base_color") for material in materials]
    means = [float((images.read_pixels(c)[..., :3] ** 2.2).mean()) for c in colors if c]
    stops = np.log2(MIDDLE_GREY / max(1e-4, float(np.mean(means)))) if means else 0.0
    bpy.context.scene.view_settings.exposure = float(np.clip(stops, 0.0, 1.5))


def render_scene(camera: bpy.types.Object, path: Path) -> None:
    """Render with Cycles on the CPU, denoised where this Blender can."""
    scene = bpy.context.scene
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = RENDER_SAMPLES
    scene.cycles.use_adaptive_sampling = True
    scene.cycles.adaptive_threshold = 0.05
    scene.cycles.max_bounces = 4
    try:
        scene.cycles.use_denoising = True
        scene.cycles.denoiser = "OPENIMAGEDENOISE"
    except TypeError:  # built without the denoiser
        scene.cycles.use_denoising = False
    scene.render.resolution_x, scene.render.resolution_y = RENDER_SIZE
    scene.view_settings.view_transform, scene.view_settings.look = (
        "AgX",
        "AgX - Medium High Contrast",
    )
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def write_maps(piece: Piece, material: bpy.types.Material, folder: Path) -> None:
    """Write each map and a 2×2 tiling of it, and measure the seams of what was written."""
    from blender_addon.shader import images, node_tree

    folder.mkdir(parents=True, exist_ok=True)
    for name, image in node_tree.images_of(material).items():
        stem = f"{piece.name.lower()}_{image.name}"
        piece.files[name] = folder / f"{stem}.png"
        piece.files[name].write_bytes(image.packed_file.data)
        pixels = images.read_pixels(image)
        piece.seam_ratios[name] = seam_ratio(pixels)
        tiled = np.tile((pixels[..., :3] * 255 + 0.5).astype(np.uint8), (2, 2, 1))
        piece.tilings[name] = folder / f"{stem}_2x2.png"
        piece.tilings[name].write_bytes(images.encode_png(tiled))


def seam_ratio(pixels: np.ndarray) -> float:
    """The step across the wrap over the mean step inside, the larger of both axes.

    Args:
        pixels: float, shape (height, width, channels).
    """
    return max(_axis_ratio(pixels, axis) for axis in (0, 1))


def _axis_ratio(pixels: np.ndarray, axis: int) -> float:
    inside = np.abs(np.diff(pixels, axis=axis)).mean()
    wrap = np.abs(pixels.take(0, axis) - pixels.take(-1, axis)).mean()
    return float(wrap / inside) if inside > 1e-9 else 1.0


def find_sources(images: Sequence[str | Path]) -> list[Path]:
    """The pictures that were learned from, of folders those inside; what a browser cannot show is left out."""
    found = [Path(image) for image in images]
    found = [file for one in found for file in (sorted(one.rglob("*")) if one.is_dir() else [one])]
    return [file for file in found if file.suffix.lower() in SHOWN][:MOST_SOURCES]


def write_summary(
    out: Path,
    renders: Sequence[Path],
    sources: Sequence[Path],
    pieces: list[Piece],
    seconds: dict[str, float],
) -> Path:
    """One page: the render, what was learned from beside what came out, and each map with its tiling and seam ratio."""
    rows = "\n".join(_summary_rows(piece, out) for piece in pieces)
    times = ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items())
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Tilewright demo</title>
<style>
body {{ font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 980px; color: #222 }}
img {{ max-width: 100% }} .crop {{ width: {CROP}px; height: {CROP}px; background-position: center }}
.pair {{ display: flex; gap: 12px; margin: 0 0 12px }} td img {{ width: 200px }}
td, th {{ padding: 6px 12px; text-align: left }}
</style></head><body>
<h1>Tilewright demo</h1>
<p>What wall, sphere and floor wear was generated just now; every seed gives another variant.</p>
<img src="{renders[0].name}" alt="the rendered scene">
<img src="{renders[1].name}" alt="the sphere from near">
<p>Time: {times}. The scene with all textures packed: <a href="scene.blend">scene.blend</a>.</p>
{_sources_beside_result(out, sources, pieces)}
<p>The seam ratio is the mean step across the border over the mean step inside; 1 means that the
border cannot be told from the rest.</p>
<table>
<tr><th>Object</th><th>Map</th><th>Picture</th><th>2×2 tiling</th><th>Seam ratio</th></tr>
{rows}
</table></body></html>
"""
    path = out / "summary.html"
    path.write_text(page, encoding="utf-8")
    return path


def _sources_beside_result(out: Path, sources: Sequence[Path], pieces: list[Piece]) -> str:
    """The pictures that were learned from, and the maps of the first piece; nothing where a starter was taken."""
    if not sources:
        return ""
    return (
        f"<h2>What it learned from</h2><p>{_pictures(out, sources)}</p>"
        f"<h2>What it made of it</h2><p>{_pictures(out, list(pieces[0].files.values()))}</p>"
        f"{_crops(out, sources, pieces[0])}"
    )


def _crops(out: Path, sources: Sequence[Path], piece: Piece) -> str:
    """The middle of a source and of what was made of it, map by map, a pixel of each for a pixel of the screen."""
    by_map = {split_file_stem(file.stem)[1] or "base_color": file for file in reversed(sources)}
    pairs = "\n".join(
        f"<h3>{name.replace('_', ' ')}</h3><div class='pair'>"
        + "".join(_crop(out, file) for file in (by_map[name], made))
        + "</div>"
        for name, made in piece.files.items()
        if name in by_map
    )
    return (
        "<h2>Pixel for pixel</h2><p>Left the middle of a picture that it learned from, right that of the generated "
        f"one, both at their own pixels. The generated one has {piece.detail} detail.</p>{pairs}"
    )


def _crop(out: Path, file: Path) -> str:
    address = quote(os.path.relpath(file, out).replace(os.sep, "/"))
    return f"""<div class="crop" style="background-image: url('{address}')"></div>"""


def _pictures(out: Path, files: Sequence[Path]) -> str:
    shown = (html.escape(os.path.relpath(file, out).replace(os.sep, "/")) for file in files)
    return " ".join(f'<a href="{one}"><img width="180" src="{one}" alt=""></a>' for one in shown)


def _summary_rows(piece: Piece, out: Path) -> str:
    def row(name: str) -> str:
        picture, tiling = (
            html.escape(files[name].relative_to(out).as_posix())
            for files in (piece.files, piece.tilings)
        )
        return (
            f"<tr><td>{html.escape(piece.name)}: {html.escape(piece.model)}, "
            f"seed {piece.seed}</td>"
            f"<td>{name.replace('_', ' ')}</td>"
            f'<td><a href="{picture}"><img src="{picture}" alt="{name}"></a></td>'
            f'<td><a href="{tiling}"><img src="{tiling}" alt="{name} tiled"></a></td>'
            f"<td>{piece.seam_ratios[name]:.3f}</td></tr>"
        )

    return "\n".join(row(name) for name in piece.files)
