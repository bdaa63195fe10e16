"""Draws the materials that the starter model learns from: procedural, tileable, with exact maps, and CC0."""

from __future__ import annotations

import argparse
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import numpy as np
from patterns import FINE, Field, Torus
from starter_surfaces import MATERIALS

from gan_worker.materials.pictures import quantise, write_picture

# Pixels of relief between black and white of every height map; its mean is in the middle.
RELIEF = 16.0
# The size is a multiple of this, so that bonds and tilings close.
UNIT = 128
# Directions and distances, pixels, at which the horizon is looked for.
DIRECTIONS, DISTANCES = 16, (1, 2, 3, 4, 6, 8, 11, 15, 20)

FILE_WORDS = {
    "base_color": "Color",
    "height": "Displacement",
    "normal": "NormalGL",
    "roughness": "Roughness",
    "ambient_occlusion": "AmbientOcclusion",
}


def draw_material(name: str, size: int, seed: int, detail: int = 1) -> dict[str, np.ndarray]:
    """All maps of one material.

    Args:
        name: one of `MATERIALS`.
        size: of the side, a multiple of `UNIT`; a larger picture shows more of the material.
        seed: another seed gives other bricks of the same wall.
        detail: pixels for each unit of the size, 1 or `FINE`.

    Returns:
        Map name → whole numbers of 8 bits, of 16 for the height, (size · detail, size · detail, channels).
    """
    surface = MATERIALS[name](Torus(size, [seed, zlib.crc32(name.encode())]))
    samples = FINE // detail
    height = _pixels(surface.height, samples)
    height = quantise(0.5 + (height - height.mean()) / RELIEF, 16)
    # From the height as it is stored, so that both maps say the same.
    relief = height * (RELIEF * detail / 65535)
    maps = {
        "base_color": _pixels(surface.color, samples),
        "normal": normals(relief),
        "roughness": _pixels(surface.roughness, samples),
        "ambient_occlusion": occlusion(relief),
    }
    whole = {kind: quantise(np.atleast_3d(values), 8) for kind, values in maps.items()}
    return {**whole, "height": height[..., None]}


def _pixels(values: Field, samples: int) -> Field:
    """The mean of the samples in each pixel, so many along each side."""
    size = len(values) // samples
    return values.reshape(size, samples, size, samples, *values.shape[2:]).mean(axis=(1, 3))


def normals(relief: Field) -> Field:
    """Normals of a relief in pixels, OpenGL: red to the right, green up; 0..1, (size, size, 3)."""
    right = (np.roll(relief, -1, 1) - np.roll(relief, 1, 1)) / 2
    down = (np.roll(relief, -1, 0) - np.roll(relief, 1, 0)) / 2
    vector = np.stack([-right, down, np.ones_like(relief)], -1)
    return 0.5 + 0.5 * vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def occlusion(relief: Field) -> Field:
    """How much of the sky each place of a relief in pixels sees (horizon-based, Bavoil and Sainz 2008); 1 is all."""
    hidden = np.zeros_like(relief)
    for turn in np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS:
        steepest = np.zeros_like(relief)
        for distance in DISTANCES:
            dy, dx = round(distance * np.sin(turn)), round(distance * np.cos(turn))
            rise = np.roll(relief, (-dy, -dx), (0, 1)) - relief
            steepest = np.maximum(steepest, rise / np.hypot(dy, dx))
        hidden += steepest / np.hypot(1, steepest)
    return 1 - hidden / DIRECTIONS


def write_material(folder: Path, name: str, size: int, seed: int) -> Path:
    """Draw one material into a folder of its own name, with file names as ambientCG has them.

    Returns:
        That folder.
    """
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    for kind, picture in draw_material(name, size, seed).items():
        file = place / f"{name}_{FILE_WORDS[kind]}.png"
        write_picture(file, picture, 16 if kind == "height" else 8)
    return place


def write_materials(folder: Path, size: int, seed: int) -> list[Path]:
    """Draw all of them.

    Returns:
        Their folders.
    """
    return [write_material(folder, name, size, seed) for name in MATERIALS]


def _size(text: str) -> int:
    size = int(text)
    if size < UNIT or size % UNIT:
        raise argparse.ArgumentTypeError(f"must be a multiple of {UNIT}, and {size} is not")
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("out/starter_materials"))
    parser.add_argument("--size", type=_size, default=256, help=f"pixels a side, by {UNIT}")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    written = write_materials(chosen.folder, chosen.size, chosen.seed)
    print(f"{len(written)} materials in {chosen.folder}")


if __name__ == "__main__":
    main()
