"""Runs with other names: materials, favorites and choices go with a run that was renamed, from here or elsewhere."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import bpy

from .. import state
from ..worker import session
from .changes import quietly

if TYPE_CHECKING:
    from gan_worker.config import GenerationConfig


@dataclass
class Renamed(state.FilePart):
    """Runs that got other names while the file was open.

    Attributes:
        names: old → new name, oldest first.
    """

    names: dict[str, str] = field(default_factory=dict)

    def appended(self) -> None:
        follow_weights()


def take(old: str, new: str) -> None:
    """A run, and so its model or estimator, has another name now."""
    names = state.of_file.get(Renamed).names
    names.pop(old, None)
    names[old] = new
    _rename(old, new)


def restore() -> None:
    """After undo, which brings old names back."""
    for old, new in _gone():
        _rename(old, new)
    follow_weights()


def present(config: GenerationConfig) -> GenerationConfig:
    """The same with the names of now: it may be older than they are."""
    for old, new in _gone():
        if config.model == old:
            config = replace(config, model=new)
        if config.estimation and config.estimation.estimator == old:
            config = replace(config, estimation=replace(config.estimation, estimator=new))
    return config


def _gone() -> list[tuple[str, str]]:
    """Old names with the new ones; what another run is called by now means that one."""
    now = session.current
    taken = {*now.model_names(), *now.estimator_names(), *(run.name for run in now.runs)}
    return [(o, n) for o, n in state.of_file.get(Renamed).names.items() if o not in taken]


def follow_weights() -> None:
    """Find runs again that were renamed while the file was closed, or by somebody else: weights keep their hash."""
    for material in bpy.data.materials:
        if material.is_editable:
            _follow_model(material)
            _follow_estimator(material)


def _rename(old: str, new: str) -> None:
    _rename_in_scenes(old, new)
    for material in bpy.data.materials:
        if material.is_editable:
            _rename_in_material(material, old, new)


def _rename_in_scenes(old: str, new: str) -> None:
    for scene in bpy.data.scenes:
        if scene.is_editable:
            _rename_in_scene(scene, old, new)


def _rename_in_scene(scene: bpy.types.Scene, old: str, new: str) -> None:
    chosen = scene.tilewright
    for name in ("model", "run", "estimator"):
        if getattr(chosen, name) == old:
            setattr(chosen, name, new)
    for favourite in chosen.favourites:
        favourite.config = _renamed_text(favourite.config, old, new)
    _rename_labels(scene, old, new)


def _rename_labels(scene: bpy.types.Scene, old: str, new: str) -> None:
    labels = scene.tilewright.direction_labels
    for label in labels:
        model, _, direction = label.name.partition("/")
        if model == old and f"{new}/{direction}" not in labels:
            label.name = f"{new}/{direction}"


def _rename_in_material(material: bpy.types.Material, old: str, new: str) -> None:
    """In what it is wanted to be, and in its recipe, or it would seem to show something else."""
    kept = material.tilewright
    if kept.latents.model == old:
        kept.latents.model = new
        kept.latents.placed = _renamed_place(kept.latents.placed, old, new)
    if kept.latents.estimation.estimator == old:
        with quietly():
            kept.latents.estimation.estimator = new
    if kept.model == old:
        kept.model = new
    kept.recipe = _renamed_text(kept.recipe, old, new)
    for look in kept.painted_looks:
        look.config = _renamed_text(look.config, old, new)


def _renamed_place(text: str, old: str, new: str) -> str:
    """The border stays where it was put."""
    placed = _read(text)
    if placed and placed["of"][0] == old:
        placed["of"][0] = new
    return json.dumps(placed)


def _renamed_text(text: str, old: str, new: str) -> str:
    """The JSON of a config, or of a recipe, which has the fields of its config."""
    kept = _read(text)
    for owner, name in ((kept, "model"), (_estimation(kept), "estimator")):
        if owner.get(name) == old:
            owner[name] = new
            text = json.dumps(kept)
    return text


def _estimation(kept: dict[str, Any]) -> dict[str, Any]:
    found = kept.get("estimation")
    return found if isinstance(found, dict) else {}


def _read(text: str) -> dict[str, Any]:
    """The fields that are kept; where these are damaged, that is told where they are used."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _follow_model(material: bpy.types.Material) -> None:
    made, models = material.tilewright, session.current.models
    if made.model_hash and session.current.model(made.model) is None:
        found = next((m.name for m in models if m.hash == made.model_hash), "")
        if found:
            _rename_in_scenes(made.model, found)
            _rename_in_material(material, made.model, found)


def _follow_estimator(material: bpy.types.Material) -> None:
    name = material.tilewright.latents.estimation.estimator
    if not name or name in session.current.estimator_names():
        return
    recipe = _read(material.tilewright.recipe)
    if _estimation(recipe).get("estimator") == name:
        needed, known = recipe.get("estimator"), session.current.estimators
        found = next((e.name for e in known if e.hash == needed), None)
        if found is not None:
            _rename_in_scenes(name, found)
            _rename_in_material(material, name, found)
