"""The manual's pictures of one photo: as it is, as a material with a bump from its luminance, and with estimated maps.

    photo_pictures.py [NAME ...] [--out FOLDER]

The photos are drawn: materials of `starter_materials` in the sun, so that the project may show them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import render_scenes as scenes
from patterns import FINE
from PIL import Image
from starter_materials import ROOT, draw_material
from starter_surfaces import MATERIALS

from gan_worker.materials.pixels import to_light, to_screen

PICTURES = ROOT / ".github" / "pictures"
SHOWN = ("RedBricks", "Cobblestone")
SIDE, SEED, METERS = 256, 4, 1.0
SQUARE, QUALITY = 480, 82
# Where the sun stands (right, up, towards the viewer), its strength, and that of the sky, in linear light.
SUN, SUNLIGHT, SKYLIGHT = (-0.5, 0.55, 0.67), 0.95, 0.4
GRAIN = 0.01


def draw_photo(name: str, file: Path) -> None:
    """A material as a camera sees it in the sun, as a JPEG."""
    maps = draw_material(name, SIDE, SEED, FINE)
    color, open_sky, normal = (
        maps[kind] / 255 for kind in ("base_color", "ambient_occlusion", "normal")
    )
    facing = np.clip((normal * 2 - 1) @ np.array(SUN), 0, None)[..., None]
    light = SKYLIGHT * open_sky + SUNLIGHT * facing * open_sky
    grain = np.random.default_rng(SEED).normal(0, GRAIN, color.shape)
    seen = np.clip(to_screen((to_light(color) * light).astype(np.float32)) + grain, 0, 1)
    Image.fromarray((seen * 255).astype(np.uint8)).save(file, quality=92)


def estimate(photo: Path, folder: Path) -> dict[str, np.ndarray]:
    """Its maps, as the command makes them."""
    told = ("estimate", str(photo), "--out", str(folder))
    subprocess.run([sys.executable, "-m", "gan_worker", *told], check=True, cwd=ROOT)
    return scenes.read_maps(folder / photo.stem)


def render(name: str, maps: dict[str, np.ndarray], file: Path) -> Image.Image:
    """A ball that wears them."""
    scene, wearer = scenes.build("ball")
    scenes.wear(wearer, scenes.make_material(name, maps, METERS))
    scenes.render(scene, file, (SQUARE, SQUARE))
    return Image.open(file).convert("RGB")


def show(name: str, out: Path, folder: Path) -> Path:
    """Write the picture of one material: the photo, the bump from its luminance, the estimated maps."""
    photo = folder / f"{name}.jpg"
    draw_photo(name, photo)
    seen, maps = Image.open(photo), estimate(photo, folder / "maps")
    parts = [
        seen.resize((SQUARE, SQUARE), Image.Resampling.LANCZOS),
        render("Luminance", {"base_color": np.asarray(seen)}, folder / "bump.png"),
        render("Estimated", maps, folder / "estimated.png"),
    ]
    whole = Image.new("RGB", (SQUARE * len(parts), SQUARE))
    for n, part in enumerate(parts):
        whole.paste(part, (n * SQUARE, 0))
    file = out / f"photo_{name.lower()}.jpg"
    whole.save(file, quality=QUALITY, optimize=True)
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the manual's pictures of one photo again.")
    parser.add_argument("names", nargs="*", default=SHOWN, help=f"of {', '.join(MATERIALS)}")
    parser.add_argument("--out", type=Path, default=PICTURES)
    options = parser.parse_args()
    scenes.enable_addon()
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names:
            print(show(name, options.out, Path(folder)))


if __name__ == "__main__":
    main()
