"""Pictures for the README: all starters on the shader ball, sliders that move, and what a demo rendered.

model_pictures.py sheet --file starters.png
model_pictures.py sheet "Starter Library" --file library.png
model_pictures.py slider --model "Starter Rusty Steel" --direction "pca 1" --file slider.webp
    model_pictures.py demo out --file demo.jpg
    model_pictures.py pair "Starter Aged Bricks" --file native_bricks.jpg
"""

from __future__ import annotations

import argparse
import io
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import bpy
import numpy as np
import render_scenes
from PIL import Image, ImageDraw, ImageFont

from gan_worker.cli.options import load
from gan_worker.config import GenerationConfig
from gan_worker.errors import TilewrightError
from gan_worker.materials.contact_sheet import contact_sheet
from gan_worker.materials.maps import MAPS
from gan_worker.runs import run
from gan_worker.style import Material

# The larger side of what a ball wears, pixels: a render does not show more.
MOST_PIXELS = 1024
# Meters of a tile, at least and at most: a ball of a meter shows neither threads nor half a wall.
BALL_TILE = (0.7, 2.0)
# Side of each picture of the sheet, pixels.
SIDE = 400
# The moving picture: width and height, pixels, for how long each frame is seen, ms, frames for each slider, how far it
# goes to either side, and how far the ball gives way to the panel, as a part of the width.
SIZE, FRAME, FRAMES, REACH, ASIDE = (720, 405), 90, 20, 5.0, 0.14
MOST_BYTES = 3_000_000
SAMPLES = 6  # and the denoiser; what moves hides the rest
MODEL, DIRECTIONS = "Starter Rusty Steel", ("pca 1",)
PICTURES = ROOT / ".github/pictures"
# Width and height of each half of a pair, pixels: less than the smallest picture that a starter holds.
CLOSE = (512, 384)
# Pixels between the renders of a demo, and what they are saved with.
GAP, QUALITY = 8, 86

# The panel, in the colors and measures of Blender's dark theme at twice the size, and drawn once more at twice that.
PANEL, FIELD, FILLED, INK = "#303030", "#545454", "#4772b3", "#e6e6e6"
SCALE, ROW, PAD, WIDTH, LETTERS = 2, 26, 10, 250, 13
ARROW = ((0, 0), (0, 16), (4, 12.5), (6.5, 18), (9, 17), (6.5, 11.5), (11.5, 11.5))

Sliders = dict[str, float]


@dataclass(frozen=True, eq=False)
class Stage:
    """A ball, and a scene to look at it."""

    scene: bpy.types.Scene
    ball: bpy.types.Object

    def show(
        self, name: str, maps: dict[str, np.ndarray], meters: float, size: tuple[int, int]
    ) -> Image.Image:
        """A picture of the ball in this material; what it wore before is forgotten.

        Args:
            name: of the material.
            maps: name → whole numbers, of a tile.
            meters: width of the tile.
            size: width and height of the picture, pixels.
        """
        render_scenes.wear(self.ball, render_scenes.make_material(name, maps, meters))
        bpy.data.orphans_purge()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "ball.png"
            render_scenes.render(self.scene, file, size)
            return Image.open(file).convert("RGB")


def prepare() -> Stage:
    """The extension, and an empty file with the ball."""
    render_scenes.enable_addon()
    scene, ball = render_scenes.build("ball")
    render_scenes.keep_only([scene])
    return Stage(scene, ball)


def tile_of(info: run.ModelInfo) -> tuple[GenerationConfig, float]:
    """What a ball wears of a model, and how many meters wide that is."""
    cells = render_scenes.TILE_CELLS
    width, height = info.tile or (cells * info.stride,) * 2
    mip = max(0, math.ceil(math.log2(max(width, height) / MOST_PIXELS)))
    config = GenerationConfig(info.name, 1, width >> mip, height >> mip, mip=mip)
    meters = render_scenes.tile_meters(info, width)
    return config, min(max(meters, BALL_TILE[0]), BALL_TILE[1])


def looks(info: run.ModelInfo) -> Iterator[tuple[str, GenerationConfig, float]]:
    """A label for each material of a model, how it is made, and how many meters wide."""
    config, meters = tile_of(info)
    if len(info.styles) < 2:
        yield info.name, config, meters
        return
    for style in info.styles:
        yield style, replace(config, style=Material(style)), meters


def make_sheet(folders: Sequence[Path], side: int = SIDE) -> Image.Image:
    """All materials of models on the ball, with their names.

    Args:
        folders: of the models; a material of one that knows many stands by its own name.
        side: of each picture, pixels.
    """
    stage, shown, labels = prepare(), [], []
    for folder in folders:
        model = load(folder, None)
        for label, config, meters in looks(model.info):
            maps = model.generate(config, bits()).maps
            shown.append(np.asarray(stage.show(label, maps, meters, (side, side))))
            labels.append(label)
            print(label, flush=True)
    return Image.fromarray(contact_sheet(shown, labels, columns=math.ceil(len(shown) ** 0.5)))


def offered(names: Sequence[str] = ()) -> Iterator[Path]:
    """Folders of these models that come with the program; of all that are not retired where none is named."""
    folders = (run.BUNDLED / name for name in names or run.list_runs(run.BUNDLED))
    return (folder for folder in folders if names or not run.read_model_info(folder).retired)


def bits() -> dict[str, int]:
    """How many bits each map is made with."""
    return {name: kind.bits for name, kind in MAPS.items()}


def make_slider(folder: Path, directions: Sequence[str]) -> list[Image.Image]:
    """Frames of a loop in which one slider after the other goes up, down and back, and the ball follows.

    Args:
        folder: of the model.
        directions: names of the sliders.
    """
    stage, model = prepare(), load(folder, None)
    stage.scene.camera.data.shift_x, stage.scene.cycles.samples = ASIDE, SAMPLES
    base, meters = tile_of(model.info)
    origin = model.generate(base).recipe.config.origin
    base = replace(base, origin=origin, steady=True)

    @cache
    def ball(amounts: tuple[tuple[str, float], ...]) -> Image.Image:
        maps = model.generate(replace(base, directions=amounts), bits()).maps
        return stage.show(model.info.name, maps, meters, SIZE)

    frames = []
    for moved, sliders in path(directions):
        moves = tuple((name, amount) for name, amount in sliders.items() if amount)
        frames.append(with_panel(ball(moves), model.info.name, sliders, moved))
        print(f"{len(frames)} of {len(directions) * FRAMES}", flush=True)
    return frames


def path(directions: Sequence[str]) -> Iterator[tuple[str, Sliders]]:
    """The slider that moves, and where all are, frame by frame; the last leads to the first."""
    for moved in directions:
        for frame in range(FRAMES):
            # A sine returns by where it came, so that half of the pictures are made already.
            amount = round(REACH * math.sin(2 * math.pi * frame / FRAMES), 3)
            yield moved, dict.fromkeys(directions, 0.0) | {moved: amount + 0.0}


def with_panel(picture: Image.Image, title: str, sliders: Sliders, moved: str) -> Image.Image:
    """The picture with a panel of sliders at the right, and the mouse on the one that moves.

    Args:
        picture: of the ball.
        title: of the panel.
        sliders: name → amount, from `-REACH` to `REACH`.
        moved: name of the one that is dragged.
    """
    height = PAD + ROW + len(sliders) * (ROW + 4) + PAD
    canvas = Image.new("RGBA", (WIDTH * SCALE, (height + ROW) * SCALE))
    draw, font = ImageDraw.Draw(canvas), _font()

    def rounded(box: tuple[float, ...], color: str, radius: float = 4.0) -> None:
        draw.rounded_rectangle([v * SCALE for v in box], radius * SCALE, color)

    def text(x: float, y: float, words: str, anchor: str) -> None:
        draw.text((x * SCALE, y * SCALE), words, INK, font, anchor)

    rounded((0, 0, WIDTH - 1, height - 1), PANEL, 6)
    triangle = ((PAD, 15), (PAD + 9, 15), (PAD + 4.5, 21))
    draw.polygon([(x * SCALE, y * SCALE) for x, y in triangle], INK)
    text(PAD + 16, PAD + ROW / 2 - 4, title, "lm")
    left, right = PAD, WIDTH - PAD
    for row, (name, amount) in enumerate(sliders.items()):
        top = PAD + ROW + row * (ROW + 4)
        edge = left + (right - left) * (amount + REACH) / (2 * REACH)
        rounded((left, top, right, top + ROW - 2), FIELD)
        if edge > left + 4:
            rounded((left, top, edge, top + ROW - 2), FILLED)
        text(left + 8, top + ROW / 2 - 1, name, "lm")
        text(right - 8, top + ROW / 2 - 1, f"{amount:.2f}", "rm")
        if name == moved:
            arrow = [((edge + x) * SCALE, (top + 13 + y) * SCALE) for x, y in ARROW]
    draw.polygon(arrow, "white", "black", SCALE)
    small = canvas.resize((WIDTH, height + ROW), Image.Resampling.LANCZOS)
    done = picture.copy()
    done.paste(small, (picture.width - WIDTH - 20, picture.height - height - 30), small)
    return done


@cache
def _font() -> ImageFont.FreeTypeFont:
    """The letters of Blender's interface."""
    fonts = Path(bpy.utils.system_resource("DATAFILES")) / "fonts"  # type: ignore[attr-defined]  # the stub forgets it
    return ImageFont.truetype(fonts / "Inter.woff2", LETTERS * SCALE)


def demo_picture(folder: Path) -> Image.Image:
    """What a demo rendered: the ball, and below it the other scenes side by side."""
    first, *others = (
        Image.open(folder / f"{name}.png").convert("RGB") for name in render_scenes.SCENES
    )
    width = (first.width - GAP * (len(others) - 1)) // len(others)
    height = width * first.height // first.width
    sheet = Image.new("RGB", (first.width, first.height + GAP + height), "white")
    sheet.paste(first, (0, 0))
    for column, other in enumerate(others):
        small = other.resize((width, height), Image.Resampling.LANCZOS)
        sheet.paste(small, (column * (width + GAP), first.height + GAP))
    return sheet


def make_pair(folder: Path) -> Image.Image:
    """What a model has learned from beside what it makes of it: pixel for pixel, and on the ball from near."""
    from kept_pictures import kept_maps  # loads TensorFlow

    model = load(folder, None)
    config, _ = tile_of(model.info)
    pair = kept_maps(model), model.generate(config, bits()).maps
    scene, ball = render_scenes.build("close")
    render_scenes.keep_only([scene])
    stage, (width, height) = Stage(scene, ball), CLOSE
    sheet = Image.new("RGB", (2 * width + GAP, 2 * height + GAP), "white")
    for column, maps in enumerate(pair):
        color = Image.fromarray(maps["base_color"])
        left, top = (color.width - width) // 2, (color.height - height) // 2
        place = column * (width + GAP)
        sheet.paste(color.crop((left, top, left + width, top + height)), (place, 0))
        near = render_scenes.near_meters(color.width)
        sheet.paste(stage.show(model.info.name, maps, near, CLOSE), (place, height + GAP))
    return sheet


def write_loop(frames: Sequence[Image.Image], file: Path) -> int:
    """Write a looping WebP of at most `MOST_BYTES`: the best quality that fits.

    Returns:
        Its quality, to 100.
    """
    for quality in range(90, 20, -5):
        stored = io.BytesIO()
        frames[0].save(
            stored,
            "WEBP",
            save_all=True,
            append_images=frames[1:],
            duration=FRAME,
            loop=0,
            quality=quality,
            method=4,
        )
        if stored.tell() <= MOST_BYTES:
            file.write_bytes(stored.getvalue())
            return quality
    raise ValueError(f"{len(frames)} frames of {frames[0].size} must fit into {MOST_BYTES} bytes")


def main() -> int:
    """Make one of the pictures; 0 done, 1 what went wrong."""
    parser = argparse.ArgumentParser(description="Pictures of models on the shader ball.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    sheet = kinds.add_parser(
        "sheet", help="all models that come with the program, with their names"
    )
    sheet.add_argument("models", nargs="*", help="some of them (default: all)")
    sheet.add_argument("--file", type=Path, default=Path("starters.png"))
    sheet.add_argument("--side", type=int, default=SIDE, help="of each picture, pixels")
    slider = kinds.add_parser("slider", help="a loop in which sliders change a material")
    slider.add_argument("--model", default=MODEL, help="one that comes with the program")
    slider.add_argument("--direction", nargs="+", default=DIRECTIONS, help="such as 'pca 1'")
    slider.add_argument("--file", type=Path, default=PICTURES / "slider.webp")
    demo = kinds.add_parser("demo", help="what scripts/demo rendered, in one picture")
    demo.add_argument("folder", type=Path, help="that it wrote")
    demo.add_argument("--file", type=Path, default=PICTURES / "demo.jpg")
    pair = kinds.add_parser("pair", help="what a model learned from, beside what it makes")
    pair.add_argument("model", help="one that comes with the program")
    pair.add_argument("--file", type=Path, required=True)
    options = parser.parse_args()
    try:
        if options.kind == "pair":
            render_scenes.enable_addon()
            picture = make_pair(run.BUNDLED / options.model)
            picture.save(options.file, quality=QUALITY, optimize=True)
        elif options.kind == "sheet":
            make_sheet(list(offered(options.models)), options.side).save(options.file)
        elif options.kind == "demo":
            demo_picture(options.folder).save(options.file, quality=QUALITY, optimize=True)
        else:
            write_loop(make_slider(run.BUNDLED / options.model, options.direction), options.file)
    except TilewrightError as error:
        print(error.info.message, error.info.cure, file=sys.stderr)
        return 1
    print(options.file.absolute())
    return 0


if __name__ == "__main__":
    sys.exit(main())
