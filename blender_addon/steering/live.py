"""Materials follow their latents: small while a slider moves, at full size when it rests, the latest always wins."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import bpy
import numpy as np

from .. import state
from ..shader import images, node_tree
from ..worker import pump, session
from . import levels, renaming, sliders

if TYPE_CHECKING:
    from gan_worker.client.events import MaterialReady
    from gan_worker.config import GenerationConfig

# What previews are asked for, and full sizes once sliders rest.
PREVIEW, AT_REST = "preview", "rest"
# A slider rests when nothing was changed for so long, in seconds.
REST = 0.3
# Seconds that a tick waits for a preview at most: what is a little late would be shown only after
# Blender has drawn its window once more.
PATIENCE = 0.008
# What has not come after so many waits is not waited for any more: the worker has something else to do.
MOST_WAITS = 15
# Bytes of maps kept for undo: some fifty previews of five maps.
MOST_KEPT = 32 * 2**20


@dataclass
class _Moving:
    """A material on its way to what its latents ask for.

    Attributes:
        changed: when its latents were changed last, by `time.monotonic`.
        stale: whether they were changed since the last preview was asked for.
        job: the preview that the worker has; there is one at most, so that no queue builds up.
        asked: when that was asked for.
        waits: how many ticks have waited for it.
        scene: `session_uid` of the one in whose window they were changed, which says where textures go, and how large
            previews are.
    """

    changed: float
    stale: bool = True
    job: str = ""
    asked: float = 0.0
    waits: int = 0
    scene: int = 0


@dataclass
class Following(state.FilePart):
    """What follows its latents in the open file.

    Attributes:
        moving: uuid of a material → what is on its way.
        forward: model → seconds of the forward pass of its last preview.
        recent: recipe as JSON → maps of its preview, oldest first.
    """

    moving: dict[str, _Moving] = field(default_factory=dict)
    forward: dict[str, float] = field(default_factory=dict)
    recent: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)

    def opened(self) -> None:
        # Sliders of the file before asked for them. One that is opened again has the same materials, as they were.
        for job in [j for j in session.current.jobs.values() if j.purpose in (PREVIEW, AT_REST)]:
            session.current.disown(job)
        renaming.follow_weights()
        self.appended()
        if session.current.connected:
            session.current.refresh()  # a model is chosen in this file too

    def appended(self) -> None:
        sliders.take_up_recipes()
        sliders.add_sliders_everywhere()

    def undone(self) -> None:
        """Bring the textures back: undo restores latents and recipe, but no pixels that nobody packed."""
        renaming.restore()
        for material in bpy.data.materials:
            if sliders.has_latents(material) and not sliders.is_shown(material):
                _show_again(material)
                # Other latents may wait for Apply.
                if bpy.context.scene.tilewright.live or node_tree.is_preview(material):
                    _follow_anew(material)


def _here() -> Following:
    return state.of_file.get(Following)


def _follow_anew(material: bpy.types.Material) -> None:
    """Let it follow, unless what it asks for is on its way."""
    newest = session.current.newest(material.tilewright.uuid)
    if newest is None or not newest.under_way or newest.config != sliders.wanted(material):
        follow(material)


def obstacle(material: bpy.types.Material | None) -> str:
    """Why sliders cannot move this material; empty where they can."""
    if material is None or not material.tilewright.uuid:
        return "The active object has no material that Tilewright made: generate one first"
    if node_tree.library_of(material):
        return "The material is linked from another file: make it local in the Outliner, ID Data, Make Local"
    if node_tree.lies_in_group(material):
        return "Its nodes lie in a group: select that in the Shader Editor and press Ctrl Alt G (Ungroup)"
    kept = material.tilewright.latents
    if not kept.model:
        return "Nothing was generated for this material yet"
    if not session.current.connected:
        return "No worker is connected: press Start in the Worker panel"
    if session.current.model(kept.model) is None:
        return f"The worker has no model {kept.model}: choose another model and generate"
    return ""


def follow(material: bpy.types.Material) -> None:
    """Let a material follow its latents: a preview at once, the full size when they rest.

    A request for it that is under way at full size is given up.
    """
    if obstacle(material):
        return
    node_tree.ensure_unique(material)
    target = material.tilewright.uuid
    known = _here().moving.setdefault(target, _Moving(0.0))
    known.changed, known.stale = time.monotonic(), True
    known.scene = bpy.context.scene.session_uid
    newest = session.current.newest(target)
    if newest and newest.purpose == AT_REST and newest.under_way:
        session.current.cancel(newest)
    _ask(target, known)


def take(material: bpy.types.Material, config: GenerationConfig) -> None:
    """Give a material other latents, at its own size and with its own maps, and let it follow.

    Raises:
        RequestError: as `sliders.exchange`.
    """
    sliders.exchange(material, renaming.present(config))
    follow(material)


def let_rest() -> None:
    """Ask for full sizes as soon as may be, for scripts that will not move any slider now."""
    for known in _here().moving.values():
        known.changed = -REST


def forget(target: str) -> None:
    """Something else was asked for this material: what is on its way is not wanted any more."""
    _here().moving.pop(target, None)


def is_moving() -> bool:
    """Whether a slider moves or moved a moment ago, so that previews are due."""
    return bool(_here().moving)


def patience() -> float:
    """How many seconds this tick may wait for a preview: 0 where none can be there yet, or it is long overdue."""
    due = [known for known in _here().moving.values() if _is_due(known)]
    for known in due:
        known.waits += 1
    return PATIENCE if due else 0.0


def _is_due(known: _Moving) -> bool:
    job = session.current.jobs.get(known.job)
    if job is None or not is_under_way(job.id) or known.waits >= MOST_WAITS:
        return False
    return time.monotonic() + PATIENCE > known.asked + _here().forward.get(job.name, 0.0)


def is_settled() -> bool:
    """Whether nothing is due any more, neither previews nor full sizes."""
    jobs = session.current.jobs.values()
    resting = any(job.purpose == AT_REST and is_under_way(job.id) for job in jobs)
    return not _here().moving and not resting


def check_shown() -> None:
    """Check that a worker is there for what materials do not show yet of what their latents ask for.

    Raises:
        WorkerError: `worker_gone`.
    """
    others = [
        m.name for m in bpy.data.materials if sliders.has_latents(m) and not sliders.is_shown(m)
    ]
    if others:
        session.current.check_connected(f"what latents ask for of {', '.join(others)}")


def is_settling(material: bpy.types.Material) -> bool:
    """Whether this material shows, or is about to show, a preview."""
    newest = session.current.newest(material.tilewright.uuid)
    resting = newest is not None and newest.purpose == AT_REST and is_under_way(newest.id)
    return resting or material.tilewright.uuid in _here().moving


def is_asked(material: bpy.types.Material) -> bool:
    """Whether what the latents ask for is on its way, or shown."""
    newest, recipe = (
        session.current.newest(material.tilewright.uuid),
        node_tree.read_recipe(material),
    )
    if newest and newest.state not in ("failed", "cancelled", "interrupted"):
        asked = newest.generation
        return asked is not None and sliders.is_alike(asked, material)
    return recipe is not None and sliders.is_alike(recipe.config, material)


def _tick() -> float | None:
    _ask_for_due()
    return pump.LIVE_INTERVAL if is_moving() else None


def _ask_for_due() -> None:
    if not session.current.connected:
        if session.current.state == "stopped":
            _here().moving.clear()
        return
    now = time.monotonic()
    for target, known in list(_here().moving.items()):
        _ask(target, known)
        if not known.stale and not is_under_way(known.job) and now - known.changed >= REST:
            del _here().moving[target]
            _ask_full(target, known.scene)


def show(event: MaterialReady, job: session.Job) -> Iterator[None]:
    """Put a preview on its material, all maps and the recipe in one piece of work."""
    target = job.target
    _here().forward[event.recipe.model] = event.forward_seconds
    pixels: dict[str, np.ndarray] = {}
    for name, small in event.maps.items():
        pixels[name] = np.empty((*small.shape[:2], 4), np.float32)
        yield from images.rgba_pieces(small, pixels[name])
    newest = session.current.newest(target)
    material = node_tree.find_material(target)
    if material is None or newest is None or newest.purpose not in (PREVIEW, AT_REST):
        return
    found = {name: images.live_image(target, name, event.maps[name]) for name in pixels}
    for name, image in found.items():
        images.set_pixels(image, pixels[name])
    made, full = event.recipe.config, sliders.wanted(material)
    before, was_so = material.tilewright.model, node_tree.is_in_proportion(material)
    # What is painted lies where it was painted, at any size.
    area = levels.area(made if made.has_map else full)
    node_tree.show_preview(material, found, _ratio(area, levels.area(made)))
    node_tree.store_recipe(material, event.recipe, event.seam_ratios)
    if made.model != before:
        sliders.lay_in_own_size(material, full, was_so)
    if made.mip and full.origin is None and levels.area(made) == levels.area(full):
        sliders.keep_place(
            material, event.recipe
        )  # the full size has its border where this one has it
    _keep(material.tilewright.recipe, event.maps)


def _ratio(full: tuple[int, int], shown: tuple[int, int]) -> tuple[float, float]:
    return full[0] / shown[0], full[1] / shown[1]


def _keep(recipe: str, maps: dict[str, np.ndarray]) -> None:
    recent = _here().recent
    recent.pop(recipe, None)
    recent[recipe] = maps
    while sum(m.nbytes for kept in recent.values() for m in kept.values()) > MOST_KEPT:
        del recent[next(iter(recent))]


def _show_again(material: bpy.types.Material) -> None:
    """Write the preview that the recipe names into the images, which undo did not bring back."""
    maps = _here().recent.get(material.tilewright.recipe, {})
    for name, image in node_tree.images_of(material).items():
        if images.is_live(image) and name in maps and tuple(image.size) == maps[name].shape[1::-1]:
            images.write_pixels(image, maps[name])


def _ask(target: str, known: _Moving) -> None:
    """Ask for a preview of the newest latents, unless one is under way."""
    if not known.stale or is_under_way(known.job):
        return
    material = node_tree.find_material(target)
    if material is None:
        forget(target)
        return
    known.stale, known.asked, known.waits = False, time.monotonic(), 0
    config = _preview_config(sliders.wanted(material), known.scene)
    known.job = session.current.generate(config, target, PREVIEW).id


def _ask_full(target: str, scene: int) -> None:
    material = node_tree.find_material(target)
    if material is not None:
        ask_at_rest(sliders.wanted(material), target, scene)


def ask_at_rest(config: GenerationConfig, target: str, scene: int) -> session.Job:
    """Ask for a full size that is wired as it was.

    Args:
        config: what to make.
        target: uuid of the material.
        scene: `session_uid` of the one that says where textures go.
    """
    job = session.current.generate(config, target, AT_REST)
    job.note = scene
    return job


def scene_of(uid: object) -> bpy.types.Scene:
    """The scene of that `session_uid`, which windows may show no more; where it is gone, that of the first window."""
    found = (scene for scene in bpy.data.scenes if scene.session_uid == uid)
    return next(found, bpy.context.scene)


def is_under_way(job_id: str) -> bool:
    """Whether pixels of this job may still come."""
    job = session.current.jobs.get(job_id)
    return job is not None and job.under_way


def _preview_config(full: GenerationConfig, scene: int) -> GenerationConfig:
    """The same tile as the generator draws it alone, or where that is too large, another of the same look."""
    model = session.current.model(full.model)
    most = scene_of(scene).tilewright.preview_size
    return levels.small_tile(full, model, most) or levels.small_part(full, model, most)


part = pump.Subject(
    tick=_tick,
    results={PREVIEW: pump.Results(show, small=True)},
    patience=patience,
    shown=is_moving,
)
register, unregister = pump.joining(part)
