"""Pictures to choose a look by: nine around a material's latents, with the way back to where one was before, and one
of each material that a model knows by name.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import bpy

from gan_worker.styles.motion import moved_layout

from .. import state
from ..ui import thumbnails, windows
from ..worker import pump, session
from . import live, renaming, sliders

if TYPE_CHECKING:
    from gan_worker.client.events import MaterialReady
    from gan_worker.config import GenerationConfig
    from gan_worker.wire.messages import ModelEntry

    from .properties import SteeringChoices

COUNT, CENTRE = 9, 4
SIDE = 128
# Beyond this many steps a look falls apart.
FURTHEST = 4.0
# A model of one material hardly changes with its style: as many times farther there.
ONE_MATERIAL = 3.0
# How far a layout is moved at a strength of 1, of the way to one that shares nothing.
LAYOUT_SHARE = 0.5
LONGEST_HISTORY = 100

_PREFIX, _LOOK, _PURPOSE = "variation ", "look ", "variation"


@dataclass
class _History:
    """Latents that a material had, oldest first, and which of them it has now."""

    past: list[GenerationConfig] = field(default_factory=list)
    now: int = -1


@dataclass
class Exploring(state.FilePart):
    """What is explored in the open file.

    Attributes:
        around: what the pictures were chosen by.
        configs: what they show.
        due: places whose picture is still to be asked for.
        looks_of: hash of the model whose materials a panel shows.
        looks: names of their pictures that were asked for.
        asked: name of the picture that was asked for last: one at a time, so that a slider never waits for nine.
        histories: uuid of a material → its latents.
    """

    around: tuple | None = None
    configs: list[GenerationConfig] = field(default_factory=list)
    due: list[int] = field(default_factory=list)
    looks_of: str = ""
    looks: set[str] = field(default_factory=set)
    asked: str = ""
    histories: dict[str, _History] = field(default_factory=dict)


def _here() -> Exploring:
    return state.of_file.get(Exploring)


def neighbours(
    centre: GenerationConfig, model: ModelEntry, strength: float, roll: int
) -> list[GenerationConfig]:
    """Nine configs: the centre in the middle, around it what lies near, in look and in layout.

    Args:
        centre: what to start from.
        model: whose directions to move along; where it has none, the seed is another one.
        strength: standard deviation of the moves in steps, for a model of several materials.
        roll: another number gives other neighbours.
    """
    made = []
    steps = strength * (1.0 if model.styles else ONE_MATERIAL)
    away = min(1.0, strength * LAYOUT_SHARE)
    turns = random.Random(roll).sample(range(COUNT), COUNT)  # all around: no two layouts are alike
    for place in range(COUNT):
        drawn = random.Random(f"{roll} {place}")
        if place == CENTRE:
            made.append(centre)
        elif not model.directions:
            made.append(replace(centre, seed=sliders.drawn_seed(drawn)))
        else:
            moved = _moved(centre, {n: steps * drawn.gauss(0, 1) for n in model.directions})
            made.append(replace(moved, sway=moved_layout(centre.sway, away, turns[place] / COUNT)))
    return made


def strangers(centre: GenerationConfig, roll: int) -> list[GenerationConfig]:
    """Nine configs: the centre in the middle, around it looks of any kind."""
    made = [
        replace(
            centre,
            seed=sliders.drawn_seed(random.Random(f"{roll} {place}")),
            style=None,
            directions=(),
            sway=(0.0, 0.0),
            origin=None,
        )
        for place in range(COUNT)
    ]
    made[CENTRE] = centre
    return made


def _moved(centre: GenerationConfig, moves: dict[str, float]) -> GenerationConfig:
    amounts = dict(centre.directions)
    for name, move in moves.items():
        amounts[name] = max(-FURTHEST, min(FURTHEST, round(amounts.get(name, 0.0) + move, 3)))
    return replace(centre, directions=tuple(amounts.items()))


def configs() -> list[GenerationConfig]:
    """What the nine pictures show, row by row; empty before there are any."""
    return list(_here().configs)


def picture_name(place: int) -> str:
    """Under which name the picture of a place is among the thumbnails."""
    return f"{_PREFIX}{place}"


def look_name(model: ModelEntry, style: str) -> str:
    """Under which name the picture of a material that a model knows is among the thumbnails."""
    return f"{_LOOK}{model.hash}/{style}"


def show_looks(model: ModelEntry) -> None:
    """Draw the materials that a model knows, once, since a panel shows them."""
    _here().looks_of = model.hash


def choose(material: bpy.types.Material, place: int) -> None:
    """Give the material the latents of a picture; the grid then closes around these.

    Where the picture has the seed of the one in the middle, each material keeps its own.

    Raises:
        IndexError: there is no such picture.
        RequestError: as `sliders.exchange`.
    """
    config = _here().configs[place]
    if config.seed == _here().configs[CENTRE].seed:
        config = replace(config, seed=material.tilewright.latents.seed)
    live.take(material, config)


def can_step(material: bpy.types.Material | None, step: int) -> bool:
    """Whether there are earlier (-1) or later (1) latents to go to."""
    known = _here().histories.get(material.tilewright.uuid) if material else None
    return known is not None and 0 <= known.now + step < len(known.past)


def step_history(material: bpy.types.Material, step: int) -> None:
    """Go to the latents before (-1) or after (1) the present ones.

    Raises:
        RequestError: as `sliders.exchange`.
    """
    if can_step(material, step):
        known = _here().histories[material.tilewright.uuid]
        live.take(material, known.past[known.now + step])
        known.now += step


def _tick() -> float | None:
    _ask_for_due()
    return pump.LIVE_INTERVAL if is_drawing() else None


@dataclass(frozen=True)
class _Steered:
    """What a window steers: a material at rest, its latents, their model, and what was chosen in the scene."""

    material: bpy.types.Material
    centre: GenerationConfig
    model: ModelEntry
    chosen: SteeringChoices


def _at_rest() -> _Steered | None:
    """What is steered here, if it can be; its latents are remembered once they have come to rest."""
    material = sliders.active_material()
    if material is None or live.is_moving() or live.obstacle(material):
        return None
    centre = sliders.wanted(material)
    _remember(material.tilewright.uuid, centre)
    model = session.current.model(centre.model)
    if model is None or model.tile:  # a photo is all there is
        return None
    return _Steered(material, centre, model, bpy.context.scene.tilewright)


def _ask_for_due() -> None:
    """Ask for a picture that is due: of the first window that explores, since there is one grid, or else of a look."""
    steered = [found for found in windows.in_each(_at_rest) if found]
    exploring = next((one for one in steered if one.chosen.explore), None)
    if exploring:
        _choose_configs(exploring)
    if _is_asked():
        return
    here = _here()
    if exploring and here.due:
        place = here.due.pop(0)
        _ask(picture_name(place), here.configs[place])
        return
    for one in steered:
        if style := _missing_look(one.model):
            here.looks.add(look_name(one.model, style))
            plain = replace(one.centre, directions=(), sway=(0.0, 0.0), origin=None)
            _ask(look_name(one.model, style), plain.of_material(style))
            return


def _ask(name: str, config: GenerationConfig) -> None:
    _here().asked = name
    session.current.generate(sliders.picture_config(config, SIDE), name, _PURPOSE)


def _missing_look(model: ModelEntry | None) -> str | None:
    """The next material of a model that a panel shows whose picture was not asked for yet."""
    here = _here()
    if model is None or model.hash != here.looks_of:
        return None
    return next((s for s in model.styles if look_name(model, s) not in here.looks), None)


def is_drawing() -> bool:
    """Whether pictures are missing that will come."""
    return _is_asked() or any(windows.in_each(_misses_pictures))


def _misses_pictures() -> bool:
    """Whether pictures of what is steered here are still to be asked for, now or once it is at rest."""
    material = sliders.active_material()
    if material is None or live.obstacle(material):
        return False
    model = session.current.model(material.tilewright.latents.model)
    if model is None or model.tile:  # as in `_at_rest`
        return False
    exploring = bpy.context.scene.tilewright.explore
    return (exploring and bool(_here().due)) or _missing_look(model) is not None


def _is_asked() -> bool:
    newest = session.current.newest(_here().asked)
    return newest is not None and live.is_under_way(newest.id)


def _show(event: MaterialReady, job: session.Job) -> Iterator[None]:
    """Put up a picture that has come."""
    thumbnails.show(job.target, thumbnails.as_picture(next(iter(event.maps.values())), SIDE))
    yield


def _choose_configs(steered: _Steered) -> None:
    here, chosen = _here(), steered.chosen
    wanted = (
        steered.material.tilewright.uuid,
        replace(steered.centre, origin=None),
        round(chosen.explore_strength, 3),
        chosen.explore_roll,
        chosen.explore_anywhere,
        steered.model.step,
    )
    if wanted == here.around:
        return
    here.around = wanted
    if chosen.explore_anywhere:
        here.configs = strangers(steered.centre, chosen.explore_roll)
    else:
        here.configs = neighbours(steered.centre, steered.model, wanted[2], chosen.explore_roll)
    here.due = sorted(range(COUNT), key=lambda place: place != CENTRE)


def _remember(target: str, present: GenerationConfig) -> None:
    """Write the history on, unless it was only walked along, undone to a neighbour of its, or made at another size."""
    present = replace(present, origin=None)
    known = _here().histories.setdefault(target, _History())
    for near in (known.now, known.now - 1, known.now + 1):
        if 0 <= near < len(known.past) and _leads_to(known.past[near], present):
            known.now = near
            return
    known.past[known.now + 1 :] = [present]
    del known.past[:-LONGEST_HISTORY]
    known.now = len(known.past) - 1


def _leads_to(past: GenerationConfig, present: GenerationConfig) -> bool:
    """Whether a step to former latents gives the present ones: a material keeps its size and maps."""
    return sliders.sized_as(present, renaming.present(past)) == present


register, unregister = pump.joining(
    pump.Subject(tick=_tick, results={_PURPOSE: pump.Results(_show, small=True)})
)
