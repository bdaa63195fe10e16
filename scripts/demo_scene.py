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
import render_scenes

from gan_worker.client.events import JobReport
from gan_worker.errors import UnexpectedError, error_from_info
from gan_worker.limits import DETAILS
from gan_worker.materials.file_names import split_file_stem
from gan_worker.progress import DataReport, Notice, Stage, TrainingProgress
from gan_worker.runs.provenance import TrainingPicture
from gan_worker.wire.messages import JobState, ModelEntry

# What each scene shows where nothing is trained.
STARTERS = {
    "ball": "Starter Rusty Steel",
    "corner": "Starter Aged Bricks",
    "floor": "Starter Mossy Cobblestone",
}
# The scene that shows the material of another from near, and which.
CLOSE, CLOSE_OF = "close", "ball"
Report = Callable[[str, float | None], None]

# Pixels of a tile of a model without octaves, and the most of one with them where nobody chose.
PLAIN_TILE, LARGEST_TILE = 512, 2048
# Pictures that a browser shows, and the most of them on the page.
SHOWN, MOST_SOURCES = (".png", ".jpg", ".jpeg", ".webp"), 10
# Width and height of the first render and of the others, pixels.
LARGE, SMALL = render_scenes.SIZE, (960, 540)
# Pixels of the source and of the result that are shown side by side.
CROP = 460


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
    owner: TrainingPicture | None = None,
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
        owner: whose the pictures are, where they do not say it themselves.

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
        scenes = {name: render_scenes.build(name) for name in STARTERS}
        render_scenes.keep_only([scene for scene, _ in scenes.values()])
        model = _train(images, minutes, preset, home, owner) if images else ""
        if images:
            clock.lap("training")
        report("generating three materials", None)
        pieces = [
            _put_material(*scenes[name], model or starter, seed, size)
            for seed, (name, starter) in enumerate(STARTERS.items(), 1)
        ]
        clock.lap("generation")
    finally:
        session.current.listeners.remove(listener)
        session.current.stop_worker()
    for piece, (_, wearer) in zip(pieces, scenes.values(), strict=True):
        write_maps(piece, wearer, out / "maps")
    scenes[CLOSE] = render_scenes.build(CLOSE)
    shown = render_scenes.worn(scenes[CLOSE_OF][1])
    render_scenes.wear(scenes[CLOSE][1], render_scenes.seen_from_near(shown))
    file, renders = out / "scene.blend", [out / f"{name}.png" for name in scenes]
    bpy.context.window.scene = scenes[CLOSE_OF][0]
    bpy.ops.wm.save_as_mainfile(filepath=str(file), check_existing=False, compress=True)
    report("rendering", None)
    for (scene, _), picture in zip(scenes.values(), renders, strict=True):
        render_scenes.render(scene, picture, LARGE if picture is renders[0] else SMALL)
    clock.lap("render")
    summary = write_summary(out, renders, find_sources(images), pieces, clock.seconds)
    return DemoResult(file, renders[0], summary, pieces, clock.seconds)


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name], self._last = now - self._last, now


def _enable_addon(python: str, home: Path) -> None:
    """Enable the extension from its source folder and say which worker it is to start."""
    render_scenes.enable_addon()
    preferences = bpy.context.preferences.addons[render_scenes.ADDON].preferences
    preferences.location = "LOCAL"
    preferences.worker_python = python
    preferences.home_folder = str(home.absolute())


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


def _train(
    images: Sequence[str | Path],
    minutes: float,
    preset: str,
    home: Path,
    owner: TrainingPicture | None,
) -> str:
    """Train on pictures, and give the name of the model."""
    from blender_addon.training import training

    chosen = bpy.context.scene.tilewright
    training.set_pictures(bpy.context.scene, [Path(image).absolute() for image in images])
    chosen.run, chosen.minutes, chosen.preset = _free_name(home, images), minutes, preset
    if owner:
        chosen.author, chosen.license, chosen.source = owner.author, owner.license, owner.source
    _press("start_training", wait=True, timeout=minutes * 60 * 3 + 300)
    return chosen.model


def _free_name(home: Path, images: Sequence[str | Path]) -> str:
    """A run named after the first picture, with a number where that run exists."""
    stem = Path(images[0]).stem
    plain = "".join(c if c.isalnum() or c in "-_" else "_" for c in stem)[:40] or "demo"
    name, number = plain, 2
    while (home / "runs" / name).exists():
        name, number = f"{plain}-{number}", number + 1
    return name


def _put_material(
    scene: bpy.types.Scene,
    obj: bpy.types.Object,
    model: str,
    seed: int,
    size: tuple[int, int] | None,
) -> Piece:
    """Generate a material of its own for the object, as the Generate panel would, and lay it on in its own size."""
    from blender_addon.shader import node_tree
    from blender_addon.worker import session

    bpy.context.window.scene = scene
    entry = session.current.model(model)
    assert entry is not None  # it was just trained, or comes with the program
    bpy.context.view_layer.objects.active = obj
    chosen = scene.tilewright
    chosen.model, chosen.seed, chosen.target = model, seed, "ACTIVE"
    chosen.width, chosen.height = size or _whole_tile(entry)
    _press("generate_material", wait=True, timeout=300.0)
    material = render_scenes.worn(obj)
    config = node_tree.recipe_of(material).config
    render_scenes.fit(material, render_scenes.tile_meters(entry, config.width << config.mip))
    return Piece(obj.name, model, seed, detail=DETAILS[config.mip])


def _whole_tile(model: ModelEntry) -> tuple[int, int]:
    """Width and height of a tile with all detail, or with as much of it as is still generated soon."""
    from blender_addon.steering import levels

    side = min(LARGEST_TILE, levels.tile_side(model)) if model.octaves else PLAIN_TILE
    return side, side


def write_maps(piece: Piece, wearer: bpy.types.Object, folder: Path) -> None:
    """Write each map of what an object wears and a 2×2 tiling of it, and measure the seams of what was written."""
    from blender_addon.shader import images, node_tree

    folder.mkdir(parents=True, exist_ok=True)
    for name, image in node_tree.images_of(render_scenes.worn(wearer)).items():
        stem = f"{piece.name.lower().replace(' ', '_')}_{image.name}"
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
    """One page: the renders, source beside result, and each map with its tiling and seam ratio."""
    rows = "\n".join(_summary_rows(piece, out) for piece in pieces)
    shown = "\n".join(f'<img src="{file.name}" alt="{file.stem}">' for file in renders)
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
<p>What these scenes wear was generated just now; every seed gives another variant.</p>
{shown}
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
