"""Every tick: take events within a time budget, and do the work that they bring piece by piece."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import bpy
from bpy.app.handlers import persistent

from gan_worker.client.events import (
    Connected,
    JobReport,
    MapReady,
    MaterialReady,
    PreviewReady,
    RunPreviewReady,
    RunRenamed,
)
from gan_worker.errors import TilewrightError, UnexpectedError
from gan_worker.progress import TrainingProgress
from gan_worker.wire.messages import ModelList, RunConfig, WorkerFault, WorkerStatus

from ..generation import results
from ..painting import painting
from ..shader import images, projection
from ..steering import changes, favourites, live, sliders, variations
from ..training import curves, preview, run_pictures, runs
from . import doctor, session
from . import setup as installation

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
_orders: dict[str, results.Order] = {}
_work: deque[Iterator[None]] = deque()
_receivers: dict[str, Callable[[MaterialReady], None]] = {}
_companions: list[Iterator[bool]] = []
# Small pictures that somebody waits for with the mouse in hand: done before all other work.
_urgent: deque[Iterator[None]] = deque()


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
    runs.follow()
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


def order_result(job: session.Job, order: results.Order) -> None:
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
        # It changes with every preview that begins, and that ends.
        return not live.is_moving()
    job = session.current.jobs.get(getattr(event, "job", ""))
    on_its_way = job is not None and job.purpose in ("preview", "thumbnail")
    return isinstance(event, MaterialReady) or not on_its_way


def _take(event: object) -> None:
    match event:
        case PreviewReady():
            preview.show(event.preview.pixels)
        case JobReport(report=TrainingProgress(figures=figures)) if figures:
            training = session.current.training
            if training is not None and training.id == event.job:
                curves.show(training.figures)
        case RunRenamed():
            runs.follow_name(event.run, event.name)
        case RunPreviewReady():
            run_pictures.show(event)
        case Connected():
            run_pictures.clear()
        case WorkerFault():
            run_pictures.give_up()
        case RunConfig():
            runs.take_settings(bpy.context.scene, event.config)
        case ModelList():
            sliders.add_sliders_everywhere()
            _choose_a_model(event)
        case MapReady() if event.job in _receivers:
            pass  # its receiver wants all of them together
        case MaterialReady() if event.job in _receivers:
            _receivers.pop(event.job)(event)
        case MapReady() if session.current.jobs[event.job].purpose in ("material", "rest"):
            results.expect(event.job)
            _work.append(results.make_image(event.job, event.name, event.pixels))
        case MaterialReady():
            job = session.current.jobs[event.job]
            if job.purpose == "preview":
                _urgent.append(live.show(event, job.target))
            elif job.purpose == "thumbnail":
                shows = favourites.show if favourites.owns(job.target) else variations.show
                _urgent.append(shows(event, job.target))
            elif job.purpose == "rest":
                results.expect(event.job)
                folder = images.texture_folder(bpy.context.scene)
                order = results.Order(None, folder)
                _work.append(results.apply(event, job.target, order, is_rest=True))
            else:
                results.expect(event.job)
                order = _orders.pop(event.job, results.Order())
                _work.append(results.apply(event, job.target, order))


def _choose_a_model(found: ModelList) -> None:
    """Where none was chosen yet the newest is, so that Generate can be pressed at once; and one that was waited for."""
    names = [model.name for model in found.models]
    for scene in bpy.data.scenes if names else ():
        chosen = scene.tilewright
        if scene.is_editable and chosen.awaited_model in names:
            chosen.model, chosen.awaited_model = chosen.awaited_model, ""
        elif scene.is_editable and not chosen.model:
            chosen.model = names[0]


def _visible_state() -> tuple:
    now, checkup, setup = session.current, doctor.current, installation.current
    seen = now.state, now.last_error, len(now.models), now.runs, bool(pending()), live.is_moving()
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
        for material in sliders.steered():
            projection.repeat(material, tuple(owner.scale))
        return
    if name == "explore":
        wake()
        return
    changed = _mix(owner) if name == "mix" else sliders.spread(owner, name)
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
    changed = sliders.steered()
    for material in changed:
        sliders.exchange(material, config)
    return changed


def register() -> None:
    changes.listeners.append(_latent_changed)
    bpy.app.handlers.save_pre.append(_before_saving)
    bpy.app.timers.register(_timer, first_interval=IDLE_INTERVAL, persistent=True)


def unregister() -> None:
    if bpy.app.timers.is_registered(_timer):
        bpy.app.timers.unregister(_timer)
    if _before_saving in bpy.app.handlers.save_pre:
        bpy.app.handlers.save_pre.remove(_before_saving)
    changes.listeners.clear()
    _work.clear()
    _companions.clear()
    _receivers.clear()
    _urgent.clear()
    _orders.clear()
    results.forget()
    doctor.current.cancel()
    installation.current.cancel()
    session.current.close()
