"""Levels of detail: at which size and level a tile is asked for, so that it stays the same tile.

A tile has an area, its pixels with all the detail of the model, and a resolution, the pixels that are made of it. Each
level (mip) halves the resolution of the same area, down to what the generator draws alone. A photo that is its own
model has one tile, the photo.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gan_worker.config import GenerationConfig
    from gan_worker.wire.messages import ModelEntry

# Cells of the latent grid across a tile of area ×1. The main shapes of a material take three or four of them, so there
# are eight to ten across: enough that one repeat is no pattern, few enough that one resolution up to 4K shows them all.
CELLS = 32


def tile_side(model: ModelEntry, times: int = 1) -> int:
    """Longer side of a tile that is so many times as wide as that of area ×1, with all detail, pixels."""
    return max(model.tile) if model.tile else CELLS * model.stride * times


def area(config: GenerationConfig) -> tuple[int, int]:
    """Width and height with all detail, pixels: how much of the pattern there is."""
    return config.width << config.mip, config.height << config.mip


def level(model: ModelEntry, side: int, resolution: int) -> int:
    """The level at which a tile has that resolution, or the nearest one that the model has.

    Args:
        model: that makes it.
        side: of the area, pixels with all detail.
        resolution: pixels of the same side.
    """
    return min(model.octaves, max(0, round(math.log2(side / resolution))))


def with_area(config: GenerationConfig, model: ModelEntry, times: int) -> GenerationConfig:
    """At the resolution it has, with the level that comes nearest to an area."""
    if not (model.octaves or model.tile):
        return config
    side = max(config.width, config.height)
    return _sized(config, model, side, level(model, tile_side(model, times), side))


def at_resolution(
    config: GenerationConfig, model: ModelEntry, side: int, resolution: int
) -> GenerationConfig:
    """A tile with that longer side, beyond its finest and coarsest level with more or less of the pattern.

    Args:
        config: what is wanted otherwise.
        model: that makes it.
        side: of the area, pixels with all detail.
        resolution: pixels.
    """
    return _sized(config, model, resolution, level(model, side, resolution))


def at_area(config: GenerationConfig, model: ModelEntry, times: int) -> GenerationConfig:
    """With that area, at the resolution it has, or the nearest at which the area can be shown."""
    side = tile_side(model, times)
    mip = level(model, side, max(config.width, config.height))
    return _sized(config, model, side >> mip, mip)


def fitted(config: GenerationConfig, model: ModelEntry) -> GenerationConfig:
    """The nearest size and level that a model makes, at the resolution it has: those of another may be none of its."""
    side = max(model.tile or area(config))
    return at_resolution(config, model, side, max(config.width, config.height))


def _sized(config: GenerationConfig, model: ModelEntry, side: int, mip: int) -> GenerationConfig:
    if model.tile:
        width, height = (n >> mip for n in model.tile)
        return replace(config, width=width, height=height, mip=mip)
    stride = model.stride >> mip
    factor = side / max(config.width, config.height)
    width, height = (
        max(1, round(n * factor / stride)) * stride for n in (config.width, config.height)
    )
    return replace(config, width=width, height=height, mip=mip)


def at_level(config: GenerationConfig, mip: int, octaves: int) -> GenerationConfig:
    """The same tile in the same place at another level.

    Args:
        config: of one level.
        mip: the other one.
        octaves: of the model. On its smallest picture a border is chosen; finer ones have it in the middle of that
            pixel, as the worker has it.
    """
    finer = config.mip - mip
    middle = 1 << finer >> 1 if finer > 0 and config.mip == octaves else 0
    origin = None
    if config.origin:
        column, row = (_shifted(n, finer) + middle for n in config.origin)
        origin = column, row
    width, height = (_shifted(n, finer) for n in (config.width, config.height))
    return replace(config, width=width, height=height, mip=mip, origin=origin)


def _shifted(number: int, finer: int) -> int:
    return number << finer if finer >= 0 else number >> -finer


def small_tile(
    config: GenerationConfig, model: ModelEntry | None, most: int
) -> GenerationConfig | None:
    """The same tile as the generator draws it alone, which is fast; None where there is no such level, or it is large.

    Args:
        config: what is wanted.
        model: that makes it.
        most: pixels that the longer side may have. Of a photo it is the finest level with so many, or else the
            coarsest: nothing has to be drawn.
    """
    if model is not None and model.tile:
        fits = (m for m in range(model.octaves) if max(model.tile) >> m <= most)
        return at_level(config, next(fits, model.octaves), model.octaves)
    if model is None or not model.octaves:
        return None
    small = at_level(config, model.octaves, model.octaves)
    return small if max(small.width, small.height) <= most else None


def small_part(config: GenerationConfig, model: ModelEntry | None, most: int) -> GenerationConfig:
    """As much of the pattern as the generator draws alone on so many pixels: another layout of the same look."""
    stride, octaves = (model.stride >> model.octaves, model.octaves) if model else (1, 0)
    small = at_level(config, octaves, octaves)
    shrink = min(1.0, most / max(small.width, small.height))
    width, height = (
        max(1, int(side * shrink) // stride) * stride for side in (small.width, small.height)
    )
    # A fixed border: where the material is calm differs from one move of a slider to the next.
    return replace(small, width=width, height=height, origin=(0, 0))


# ---- in words


def in_words(resolution: int, model: ModelEntry, times: int) -> str:
    """What a resolution shows of an area, in a line."""
    if model.tile:
        made = level(model, max(model.tile), resolution)
        now, all_of_it = (
            f"{n >> m} × {k >> m}" for n, k, m in ((*model.tile, made), (*model.tile, 0))
        )
        return f"All of the photo, {now} pixels" + ("" if not made else f" of {all_of_it}")
    finest = tile_side(model, times)
    if resolution > finest:
        return f"Finest of this area is {pixels(finest)}; more pixels show more area"
    coarsest = finest >> model.octaves
    if resolution < coarsest:
        return f"Coarsest of this area is {pixels(coarsest)}; fewer pixels show less area"
    return f"Finest of this area is {pixels(finest)}"


def pixels(side: int) -> str:
    """A number of pixels as artists say it: 2048 is `2K`."""
    return f"{side / 1024:g}K" if side >= 1024 else str(side)
