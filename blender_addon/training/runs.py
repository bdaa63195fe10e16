"""The rows of the list of runs, kept like what the worker said; names for new ones; settings taken over."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

import bpy

from gan_worker.config import PRESETS, TrainingConfig
from gan_worker.errors import RequestError
from gan_worker.materials.file_names import split_file_stem
from gan_worker.names import check_name, composed

from ..shader import units
from ..ui.layouts import file_name
from ..worker import session

if TYPE_CHECKING:
    from gan_worker.wire.messages import RunConfig, RunEntry

# What tells runs of the same pictures apart.
_NUMBER = re.compile(r" \d+$")


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


def take_answer(event: RunConfig) -> bool:
    """Take the settings of a run over in the scene that asked for them, whatever windows show by now.

    Returns:
        Whether one did.
    """
    asked = [s for s in bpy.data.scenes if s.tilewright.awaited_settings == event.run]
    for scene in asked:
        scene.tilewright.awaited_settings = ""
        take_settings(scene, event.config)
    return bool(asked)


def take_settings(scene: bpy.types.Scene, config: TrainingConfig) -> None:
    """Choose in the Train panel what another run was started with, under a name that is free."""
    chosen = scene.tilewright
    chosen.run = free_name(config.run, taken_names())
    chosen.pictures.clear()
    for picture in config.pictures:
        chosen.pictures.add().path = picture
    if config.preset in PRESETS:
        chosen.preset = config.preset
    if config.minutes is not None:
        chosen.minutes = config.minutes
    chosen.detail, chosen.picture_scale = "FULL", config.scale or 0.0
    chosen.isotropic = config.isotropic
    chosen.picture_width = config.picture_width / units.meters_per_unit(scene)
    if config.preset == "photo":
        chosen.tileable = config.tileable
    chosen.training_seed = config.seed
    chosen.author, chosen.license, chosen.source = config.author, config.license, config.source


def typed_name(scene: bpy.types.Scene) -> str:
    """The name that was typed for a run, or pasted from a file; empty where none was."""
    return composed(scene.tilewright.run.strip())


def proposed_name(scene: bpy.types.Scene) -> str:
    """The name of a run that was given none: that of the first picture or folder, as it is free."""
    return free_name(_name_of_pictures(scene), taken_names())


def name_after(path: str) -> str:
    """The name of a run of one picture or folder, as it is free."""
    return free_name(_stem(path), taken_names())


def name_to_continue(scene: bpy.types.Scene) -> str:
    """The run of the name that was typed, or else the newest that was named after the same pictures.

    Raises:
        RequestError: `unknown_run` where there is none.
    """
    typed, stem = typed_name(scene), _name_of_pictures(scene)
    if typed:
        return typed
    for entry in session.current.runs:
        if _NUMBER.sub("", entry.name) == _NUMBER.sub("", stem):
            return entry.name
    raise RequestError(
        "unknown_run",
        f"A run to continue must be there; none is named {stem}, after the pictures.",
        "Type its name, choose it under Runs, or press Train.",
    )


def taken_names() -> set[str]:
    """What no new run can be named: the runs there are, the models, and what is being trained."""
    now = session.current
    return {
        *(r.name for r in now.runs),
        *now.model_names(),
        *(j.name for j in now.running("train")),
    }


def is_taken(name: str) -> bool:
    """Whether a new run of that name would be refused, as far as is known here."""
    return name.casefold() in {taken.casefold() for taken in taken_names()}


def _name_of_pictures(scene: bpy.types.Scene) -> str:
    paths = [item.path for item in scene.tilewright.pictures if item.path]
    return _stem(paths[0] if paths else "")


def _stem(path: str) -> str:
    name = composed(file_name(path).rpartition(":")[2])
    stem = re.sub(r"\.[A-Za-z]\w{1,4}$", "", name)
    material = split_file_stem(stem)[0]
    # What a folder's name may hold; some letters are left for a number.
    plain = re.sub(r"[^\w.-]+", " ", material or stem)[:70].strip(". ")
    try:
        return check_name(plain, "run")
    except RequestError:
        return "material"


def free_name(name: str, taken: Collection[str]) -> str:
    """`oak`, or the first of `oak 2`, `oak 3` … that is not taken; some systems hold `Oak` for the same."""
    stem, known = _NUMBER.sub("", name), {other.casefold() for other in taken}
    number = 2
    while name.casefold() in known:
        name, number = f"{stem} {number}", number + 1
    return name
