"""Repair as a job of the compute process: files are read, and what they shall hold is the result."""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import log2
from pathlib import Path
from typing import Any

from gan_worker.config import GenerationConfig, Recipe, RepairConfig
from gan_worker.gan.editing.material_files import (
    POOR,
    changed_files,
    check_color,
    check_mask,
    read_mask,
    read_one,
)
from gan_worker.materials.masks import looks_seamless
from gan_worker.progress import GeneratedMaterial, Notice, Report


def repair(
    model: Any,
    config: RepairConfig,
    report: Callable[[Report], None],
    should_stop: Callable[[], bool],
) -> GeneratedMaterial:
    """Fill what is masked in a material.

    Args:
        model: a loaded one.
        config: with paths; its model is not looked at.
        report: is told after each step.
        should_stop: is asked before each step; raises to end without a result.

    Returns:
        Kind of file → its whole numbers, the same bits where the mask is black; the recipe says which model it was.

    Raises:
        PictureError: as `material_files.read_one` and `read_mask`.
        RequestError: `invalid_config` for maps that the model does not make, nothing masked, or everything.
    """
    from gan_worker.gan.editing import inpainting

    config.check()
    config.check_for(model.info)
    mask = Path(config.mask)
    material = read_one(Path(config.picture), mask)
    hidden = read_mask(mask, material.size)
    check_mask(hidden)
    closed = config.tileable
    if closed is None:
        closed = looks_seamless(material.maps, hidden)
    estimated = _estimated(model.info, config, material.maps)
    done = inpainting.inpaint(
        model,
        {name: pixels for name, pixels in material.maps.items() if name not in estimated},
        hidden,
        closed,
        config.scale,
        config.seed,
        config.steps,
        report,
        should_stop,
    )
    if done.distance > POOR:
        text = "This model hardly comes near to what surrounds the hole. A model trained on such material would."
        report(Notice(text))
    maps = done.maps
    if estimated:
        mip = max(0, round(log2(config.scale or 1.0)))
        color = maps["base_color"]
        made = model.estimate(color, closed, config.estimation, estimated, mip, should_stop)
        maps = maps | inpainting.fill_with(made, material.maps, hidden, closed)
    return GeneratedMaterial(
        changed_files(material, maps, hidden),
        _recipe(model.info, config.seed, material.size),
        inpainting.seam_ratios(maps),
    )


def _estimated(info: Any, config: RepairConfig, maps: Collection[str]) -> tuple[str, ...]:
    """Which of the maps were estimated, as the model makes none of them."""
    chosen = config.estimation.maps(info.maps) if config.estimation else ()
    found = tuple(name for name in chosen if name in maps)
    if found:
        check_color(maps)
    return found


def _recipe(info: Any, seed: int, size: tuple[int, int]) -> Recipe:
    made = GenerationConfig(info.name, seed, size[1], size[0], origin=(0, 0))
    return Recipe.of_now(made, info.hash, info.credits)
