"""Previews of assets: a piece of the tile in a picture of 256 pixels, drawn out of all its own."""

from __future__ import annotations

from collections.abc import Callable, Generator

import bpy
import numpy as np

from ..shader import images

PREVIEW_SIDE = 256
# Where the light of a preview comes from: left, above and in front.
_LIGHT = np.array((-0.4, 0.5, 0.77), np.float32)


def preview_pieces(
    find_maps: Callable[[], dict[str, bpy.types.Image]],
) -> Generator[bool, None, np.ndarray]:
    """A square of the tile, lit from the upper left where it has normals, with what glows and is cut out.

    Args:
        find_maps: map name → image, the same at each call; at least one.

    Returns:
        float32 RGBA, (256, 256, 4), 0..1, top row first.
    """
    maps = list(find_maps())
    pixels = yield from _square(find_maps, "base_color" if "base_color" in maps else maps[0])
    if "normal" in maps:
        normals = (yield from _square(find_maps, "normal"))[..., :3] * 2 - 1
        light = np.clip(normals @ _LIGHT, 0, None) / _LIGHT[2]
        pixels[..., :3] *= np.clip(light, 0.3, 1.3)[..., None]
    if "emission" in maps:
        pixels[..., :3] += (yield from _square(find_maps, "emission"))[..., :3]
    pixels[..., 3] = 1
    if "opacity" in maps:
        pixels[..., 3] = (yield from _square(find_maps, "opacity"))[..., 0]
    return np.clip(pixels, 0, 1)


def _square(
    find_maps: Callable[[], dict[str, bpy.types.Image]], name: str
) -> Generator[bool, None, np.ndarray]:
    """The upper left square of a map, averaged or repeated to the size of a preview, a row of it at a time."""
    pixels = yield from images.read_pieces(lambda: find_maps()[name])
    yield False
    step = max(1, min(pixels.shape[:2]) // PREVIEW_SIDE)
    count = min(pixels.shape[:2]) // step
    small = np.empty((count, count, 4), np.float32)
    for row in range(count):
        band = pixels[row * step : (row + 1) * step, : count * step]
        # One axis after the other: NumPy takes several times as long for both together.
        small[row] = band.mean(axis=0).reshape(count, step, 4).mean(axis=1)
        yield False
    places = np.arange(PREVIEW_SIDE) * count // PREVIEW_SIDE
    return small[places][:, places]
