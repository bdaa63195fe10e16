"""The rows of the list of runs, kept like what the worker said; and a run's settings taken over."""

from __future__ import annotations

import re
from collections.abc import Collection

import bpy

from gan_worker.config import PRESETS, TrainingConfig
from gan_worker.wire.messages import RunEntry

from ..worker import session

# What was chosen in the Train panel → what a config says.


def follow() -> None:
    """Make the rows those of the session's runs; the chosen one stays chosen."""
    shown = bpy.context.window_manager.tilewright
    names = [entry.name for entry in session.current.runs]
    before = [row.name for row in shown.runs]
    if before == names:
        return
    chosen = before[shown.run_index] if shown.run_index < len(before) else ""
    shown.runs.clear()
    for name in names:
        shown.runs.add().name = name
    kept = names.index(chosen) if chosen in names else min(shown.run_index, len(names) - 1)
    shown.run_index = max(0, kept)


def chosen_run() -> RunEntry | None:
    """The run whose row is chosen."""
    shown = bpy.context.window_manager.tilewright
    if shown.run_index >= len(shown.runs):
        return None
    return session.current.run(shown.runs[shown.run_index].name)


def follow_name(old: str, new: str) -> None:
    """Let the scenes' choices go with a run that got another name."""
    for scene in bpy.data.scenes:
        for field in ("model", "run"):
            if getattr(scene.tilewright, field) == old:
                setattr(scene.tilewright, field, new)


def take_settings(scene: bpy.types.Scene, config: TrainingConfig) -> None:
    """Choose in the Train panel what another run was started with, under a name that is free."""
    chosen = scene.tilewright
    chosen.run = free_name(config.run, {entry.name for entry in session.current.runs})
    chosen.pictures.clear()
    for picture in config.pictures:
        chosen.pictures.add().path = picture
    if config.preset in PRESETS:
        chosen.preset = config.preset
    if config.minutes is not None:
        chosen.minutes = config.minutes
    chosen.picture_scale = config.scale or 0.0
    chosen.isotropic = config.isotropic
    chosen.training_seed = config.seed
    chosen.author, chosen.license, chosen.source = config.author, config.license, config.source


def free_name(name: str, taken: Collection[str]) -> str:
    """`oak`, or the first of `oak 2`, `oak 3` … that is not taken."""
    stem = re.sub(r" \d+$", "", name)
    number = 2
    while name in taken:
        name, number = f"{stem} {number}", number + 1
    return name
