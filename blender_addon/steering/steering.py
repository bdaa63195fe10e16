"""Steering by scripts: change latents of materials, and wait until these show what is asked for."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

import bpy

from ..worker import pump
from . import live, sliders
from .changes import quietly


def steer(
    material: bpy.types.Material,
    seed: int | None = None,
    truncation_psi: float | None = None,
    directions: Mapping[str, float] | None = None,
) -> None:
    """Change several latents of one material, and let it follow.

    Setting `material.tilewright.latents.seed` and so on does the same for one of them.

    Args:
        material: one that was generated.
        seed: 0 or more.
        truncation_psi: 0 to 2.
        directions: name such as `pca 1` → steps; those not named stay.
    """
    kept = material.tilewright.latents
    with quietly():
        if seed is not None:
            kept.seed = seed
        if truncation_psi is not None:
            kept.truncation_psi = truncation_psi
        sliders.add_sliders(material, directions or ())
        for name, amount in (directions or {}).items():
            kept.directions[name].amount = amount
    live.follow(material)
    pump.wake()


def change_seed(materials: Iterable[bpy.types.Material], step: int | None) -> None:
    """Count each material's seed on by a step, or draw a new one where there is none."""
    for material in materials:
        seed = material.tilewright.latents.seed
        drawn = sliders.drawn_seed(random.Random())
        fresh = drawn if step is None else sliders.later_seed(seed, step)
        steer(material, seed=fresh)


def reset(materials: Iterable[bpy.types.Material]) -> None:
    """Put the sliders back to where they change nothing, and things to where the seed puts them; seeds stay."""
    for material in materials:
        sliders.put_back_layout(material)
        names = material.tilewright.latents.directions.keys()
        steer(material, truncation_psi=1.0, directions=dict.fromkeys(names, 0.0))


def settle(timeout: float = 600.0) -> None:
    """Wait until all materials show at full size what their latents ask for, for scripts.

    Raises:
        TilewrightError: what broke the connection, `worker_gone` where there is none to make what is not shown, or
            `worker_silent` after the timeout.
    """
    live.let_rest()
    pump.wait(live.is_settled, timeout)
    pump.finish()
    live.check_shown()
