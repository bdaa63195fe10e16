"""Every tick: take events within a time budget, and make images and materials piece by piece."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import bpy
import numpy as np
from bpy.app.handlers import persistent

from gan_worker.errors import TilewrightError, UnexpectedError
from gan_worker.events import (
    Connected,
    JobReport,
    MapReady,
    MaterialReady,
    ModelList,
    PreviewReady,
    RunPreviewReady,
    RunRenamed,
    RunSettings,
    WorkerFault,
    WorkerStatus,
)
from gan_worker.marks import material_marks
from gan_worker.png import png_pieces
from gan_worker.png_text import text_chunks
from gan_worker.progress import Recipe, TrainingProgress

from . import (
    curve_pictures,
    doctor,
    favourites,
    images,
    installation,
    latents,
    live,
    live_preview,
    materials,
    painting,
    projection,
    properties,
    run_pictures,
    run_rows,
    session,
    variations,
)

log = logging.getLogger(__name__)

EVENT_BUDGET = 0.004
# No step of work is begun later than this into a tick; the longest step takes about 8 ms more.
STEP_DEADLINE = 0.006
# The same for small pictures that somebody waits for; their steps take about 4 ms at most.
URGENT_DEADLINE = 0.014
# More pieces of work than this, and no more generations are asked for until some are done.
MOST_WAITING = 100
# Between two pieces of waiting work Blender gets its turn, and no more: the artist waits for the result.
WORK_INTERVAL = 0.001
BUSY_INTERVAL = 1 / 60
# While a slider moves: a preview takes little longer to make than a sixtieth of a second.
LIVE_INTERVAL = 0.004
IDLE_INTERVAL = 0.5

_SLOW_JOBS = ("RENDER", "OBJECT_BAKE")


@dataclass
class Order:
    """What to do with a result, by value: nothing here points into Blender's data.

    Attributes:
        wiring: how to wire the maps; None keeps the wiring that is there.
        folder: where to save the textures; None packs them.
    """

    wiring: materials.Wiring | None = field(default_factory=materials.Wiring)
    folder: str | None = None


@dataclass
class Statistics:
    """What ticks did, and how long the main thread was held, in seconds.

    Attributes:
        ticks: how many there were.
        seen: how many events were taken that may change what panels tell.
        longest: the longest by the clock on the wall.
        longest_cpu: the longest by what this thread computed, whatever else the computer did.
    """

    ticks: int = 0
    seen: int = 0
    longest: float = 0.0
    longest_cpu: float = 0.0


statistics = Statistics()
_orders: dict[str, Order] = {}
_work: deque[Iterator[None]] = deque()
_receivers: dict[str, Callable[[MaterialReady], None]] = {}
_companions: list[Iterator[bool]] = []
# Small pictures that somebody waits for with the mouse in hand: done before all other work.
_urgent: deque[Iterator[None]] = deque()
_arriving: set[str] = set()


def tick() -> float:
    """Do a little of everything that is due.

    Returns:
        Seconds until the next tick.
    """
    began, cpu = time.perf_counter(), time.thread_time()
    session.current.crowded = len(_work) > MOST_WAITING
    for event in session.current.tick(EVENT_BUDGET, live.patience()):
        statistics.seen += _is_seen(event)
        _take(event)
    doctor.current.tick()
    installation.current.tick()
    run_rows.follow()
    painting.tick()
    run_pictures.follow()
    live.tick()
    variations.tick()
    favourites.tick()
    moving = False
    if not _rendering():
        _do_work(began)
        moving = _advance_companions(began + STEP_DEADLINE)
    _count(time.perf_counter() - began, time.thread_time() - cpu)
    if pending() or moving or session.current.receiving:
        return WORK_INTERVAL
    if live.is_moving() or variations.is_drawing():
        return LIVE_INTERVAL
    if session.current.busy:
        return BUSY_INTERVAL
    return painting.INTERVAL if painting.is_going_on() else IDLE_INTERVAL


def _timer() -> float:
    """What Blender calls. It must not raise: Blender would drop the timer for good."""
    before, seen = _visible_state(), statistics.seen
    try:
        interval = tick()
    except Exception as error:
        log.exception("tick")
        session.current.fail(UnexpectedError(error))
        interval = IDLE_INTERVAL
    # Not at every tick of a training: with overlapping regions, a sidebar takes the 3D View with it.
    if _visible_state() != before or statistics.seen != seen or _companions:
        _redraw()
    return interval


def wake() -> None:
    """Tick at once, not only when a sleeping timer is due."""
    if bpy.app.timers.is_registered(_timer):
        bpy.app.timers.unregister(_timer)
        bpy.app.timers.register(_timer, first_interval=0.0, persistent=True)


def wait(predicate: Callable[[], bool], timeout: float) -> None:
    """Pump until the predicate holds, for scripts and `blender -b`, where no timer fires.

    Raises:
        TilewrightError: as `Session.wait`.
    """
    session.current.wait(predicate, timeout, pump=tick)


def wait_for_job(job: session.Job, timeout: float) -> MaterialReady | None:
    """Pump until the job has ended and its result is in Blender's data.

    Raises:
        TilewrightError: why the job failed.
    """
    result = session.current.wait_for_job(job, timeout, pump=tick)
    finish()
    return result


def finish() -> None:
    """Do all work that is waiting, now: before the file is saved, and at the end of a wait."""
    while pending():
        _step()
    images.free_scratch()


def order_result(job: session.Job, order: Order) -> None:
    """Say how the result of a job is to be wired and kept."""
    for stale in [known for known in _orders if not session.current.expects(known)]:
        del _orders[stale]
    _orders[job.id] = order


def hand_over(job: session.Job, receive: Callable[[MaterialReady], None]) -> None:
    """Give the pixels of a job to this function instead of making a material of them."""
    for stale in [known for known in _receivers if not session.current.expects(known)]:
        del _receivers[stale]
    _receivers[job.id] = receive


def run_along(steps: Iterator[bool]) -> None:
    """Advance long work with every tick, until it ends.

    Args:
        steps: does a piece of a few milliseconds each time; gives True where it waits for the worker. It takes
            its errors itself.
    """
    _companions.append(steps)


def pending() -> int:
    """How many pieces of work wait."""
    return len(_urgent) + len(_work)


def _count(seconds: float, cpu_seconds: float) -> None:
    statistics.ticks += 1
    statistics.longest = max(statistics.longest, seconds)
    statistics.longest_cpu = max(statistics.longest_cpu, cpu_seconds)


def _rendering() -> bool:
    """Whether a render or bake is running: data it reads must not change under it."""
    return not bpy.app.background and any(bpy.app.is_job_running(kind) for kind in _SLOW_JOBS)


def _do_work(began: float) -> None:
    while pending():
        end = began + (URGENT_DEADLINE if _urgent else STEP_DEADLINE)
        if time.perf_counter() >= end:
            break
        _step()
    if not pending():
        images.free_scratch()


def _advance_companions(end: float) -> bool:
    """Advance what runs along until it waits; whether there is more to do at once."""
    moving = False
    for steps in list(_companions):
        waits: bool | None = False
        while waits is False and time.perf_counter() < end:
            waits = next(steps, None)
        if waits is None:
            _companions.remove(steps)
        moving = moving or waits is False
    return moving


def _step() -> None:
    queue = _urgent or _work
    try:
        next(queue[0])
    except StopIteration:
        queue.popleft()
    except TilewrightError as error:
        queue.popleft()
        session.current.fail(error)
    except Exception as error:
        queue.popleft()
        log.exception("work of a tick")
        session.current.fail(UnexpectedError(error))


def _is_seen(event: object) -> bool:
    """Whether panels may tell something else after an event; how far small pictures have come they do not tell."""
    if isinstance(event, WorkerStatus):
        return (
            not live.is_moving()
        )  # it would be drawn with every preview that begins, and that ends
    job = session.current.jobs.get(getattr(event, "job", ""))
    on_its_way = job is not None and job.purpose in ("preview", "thumbnail")
    return isinstance(event, MaterialReady) or not on_its_way


def _take(event: object) -> None:
    match event:
        case PreviewReady():
            live_preview.show(event.preview.pixels)
        case JobReport(report=TrainingProgress(figures=figures)) if figures:
            training = session.current.training
            if training is not None and training.id == event.job:
                curve_pictures.show(training.figures)
        case RunRenamed():
            run_rows.follow_name(event.run, event.name)
        case RunPreviewReady():
            run_pictures.show(event)
        case Connected():
            run_pictures.clear()
        case WorkerFault():
            run_pictures.give_up()
        case RunSettings():
            run_rows.take_settings(bpy.context.scene, event.config)
        case ModelList():
            latents.add_sliders_everywhere()
            _choose_a_model(event)
        case MapReady() if event.job in _receivers:
            pass  # its receiver wants all of them together
        case MaterialReady() if event.job in _receivers:
            _receivers.pop(event.job)(event)
        case MapReady() if session.current.jobs[event.job].purpose in ("material", "rest"):
            _arriving.add(event.job)
            _work.append(_make_image(event.job, event.name, event.pixels))
        case MaterialReady():
            job = session.current.jobs[event.job]
            if job.purpose == "preview":
                _urgent.append(live.show(event, job.target))
            elif job.purpose == "thumbnail":
                shows = favourites.show if favourites.owns(job.target) else variations.show
                _urgent.append(shows(event, job.target))
            elif job.purpose == "rest":
                _arriving.add(event.job)
                folder = properties.texture_folder(bpy.context.scene)
                _work.append(_apply(event, job.target, Order(None, folder), is_rest=True))
            else:
                _arriving.add(event.job)
                _work.append(_apply(event, job.target, _orders.pop(event.job, Order())))


def _choose_a_model(found: ModelList) -> None:
    """Where none was chosen yet the newest is, so that Generate can be pressed at once; and one that was waited for."""
    names = [model.name for model in found.models]
    for scene in bpy.data.scenes if names else ():
        chosen = scene.tilewright
        if scene.is_editable and chosen.awaited_model in names:
            chosen.model, chosen.awaited_model = chosen.awaited_model, ""
        elif scene.is_editable and not chosen.model:
            chosen.model = names[0]


def _make_image(job: str, map_name: str, pixels: np.ndarray) -> Iterator[None]:
    """One map to one image; the datablock is looked up again after every pause."""
    if images.find_image(job, map_name):
        return
    images.new_image(f"{job}_{map_name}", map_name, pixels, job)
    yield
    rgba = images.scratch(*pixels.shape[:2])
    yield from images.rgba_pieces(pixels, rgba)
    image = images.find_image(job, map_name)
    if image:
        images.set_pixels(image, rgba)
    yield


def _apply(
    event: MaterialReady, target: str, order: Order, is_rest: bool = False
) -> Iterator[None]:
    """A whole material: missing images, the node tree, and then the packing.

    What comes when a slider rests belongs to the undo step of the slider, and is of no use without
    its material.
    """
    for name, pixels in event.maps.items():
        yield from _make_image(event.job, name, pixels)
    is_lost = is_rest and not _is_wanted(event.recipe, target)
    if session.current.is_newest(event.job, target) and not is_lost:  # none was asked for meanwhile
        _show(event, target, order)
    _clean_up(event.job)
    yield
    for name, pixels in event.maps.items():
        yield from _keep(event, name, pixels, order.folder, is_rest)
    if not is_rest:
        push_undo("Tilewright Material")


def _is_wanted(recipe: Recipe, target: str) -> bool:
    """Whether its material is there still, and no undo took the size away meanwhile."""
    material = materials.find_material(target)
    if material is None:
        return False
    wanted = material.tilewright.latents
    return (recipe.width, recipe.height) == (wanted.width, wanted.height)


def _show(event: MaterialReady, target: str, order: Order) -> None:
    found = {name: images.find_image(event.job, name) for name in event.maps}
    for name, image in found.items():
        image.name = _image_name(event.recipe, name)
    material = materials.find_material(target) if target else None
    material = material or _unassigned(event)
    materials.build(material, found, order.wiring)
    materials.end_preview(material)
    materials.store_recipe(material, event.recipe, event.seam_ratios)
    latents.keep_place(material, event.recipe)


def _clean_up(job: str) -> None:
    """Remove the images that this result replaced, and those of results that came too late."""
    _arriving.discard(job)
    _arriving.intersection_update([j for j in _arriving if session.current.wanted(j)])
    materials.remove_unused_images(_arriving)


def _image_name(recipe: Recipe, map_name: str) -> str:
    return images.image_name(recipe.model, recipe.seed, recipe.width, recipe.height, map_name)


def _unassigned(event: MaterialReady) -> bpy.types.Material:
    """A new material for a result whose own is gone, kept although nothing uses it."""
    material = materials.new_material(f"{event.recipe.model} {event.recipe.seed}")
    material.tilewright.unassigned = True
    material.use_fake_user = True
    return material


def _keep(
    event: MaterialReady, map_name: str, pixels: np.ndarray, folder: str | None, is_rest: bool
) -> Iterator[None]:
    """Encode a map, marked as generated, and pack it, or save it as a file."""
    parts: list[bytes] = []
    yield from png_pieces(pixels, parts, text_chunks(material_marks(event.recipe)))
    image = images.find_image(event.job, map_name)
    if image is None:
        return
    if folder is None:
        images.pack_png(image, b"".join(parts))
    elif is_rest:
        images.pack_until_saving(image, b"".join(parts), folder)
    else:
        _save(image, b"".join(parts), folder)
    yield


def _save(image: bpy.types.Image, png: bytes, folder: str) -> None:
    try:
        images.save_png(image, png, folder)
    except TilewrightError:
        images.pack_png(image, png)  # better in the .blend than lost
        raise


def push_undo(message: str) -> None:
    """Make the result a step of its own: one undo takes it away, one redo brings it back."""
    windows = bpy.context.window_manager.windows if bpy.context.window_manager else ()
    if bpy.app.background or not windows:
        return
    with bpy.context.temp_override(window=windows[0]):
        bpy.ops.ed.undo_push(message=message)


def _visible_state() -> tuple:
    now, checkup, setup = session.current, doctor.current, installation.current
    seen = now.state, now.last_error, len(now.models), now.runs, pending(), live.is_moving()
    seen += len(checkup.findings), checkup.running
    return *seen, setup.need, setup.running, setup.removing, round(setup.seconds)


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "IMAGE_EDITOR", "NODE_EDITOR"):
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
            elif area.type == "PROPERTIES" and area.spaces.active.context == "MATERIAL":
                area.tag_redraw()


@persistent
def _before_saving(*_args: object) -> None:
    finish()
    images.pack_live_images()
    try:
        images.write_waiting_files()
    except TilewrightError as error:
        session.current.fail(error)
    painting.pack_images()


def _latent_changed(owner: bpy.types.PropertyGroup, name: str) -> None:
    """A slider was moved by hand, or by a script."""
    if name == "scale":
        for material in latents.steered():
            projection.repeat(material, tuple(owner.scale))
        return
    if name == "explore":
        wake()
        return
    changed = _mix(owner) if name == "mix" else latents.spread(owner, name)
    if bpy.context.scene.tilewright.live:
        for material in changed:
            live.follow(material)
        wake()


def _mix(chosen: bpy.types.PropertyGroup) -> list[bpy.types.Material]:
    """The slider between two favourites was moved."""
    try:
        config = favourites.mixed_by(chosen)
    except TilewrightError as error:
        session.current.fail(error)
        return []
    changed = latents.steered()
    for material in changed:
        latents.exchange(material, config)
    return changed


def register() -> None:
    properties.latent_listeners.append(_latent_changed)
    bpy.app.handlers.save_pre.append(_before_saving)
    bpy.app.timers.register(_timer, first_interval=IDLE_INTERVAL, persistent=True)


def unregister() -> None:
    if bpy.app.timers.is_registered(_timer):
        bpy.app.timers.unregister(_timer)
    if _before_saving in bpy.app.handlers.save_pre:
        bpy.app.handlers.save_pre.remove(_before_saving)
    properties.latent_listeners.clear()
    _work.clear()
    _companions.clear()
    _receivers.clear()
    _urgent.clear()
    _orders.clear()
    _arriving.clear()
    doctor.current.cancel()
    installation.current.cancel()
    session.current.close()
