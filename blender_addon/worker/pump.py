"""The pump: every tick takes events within a time budget, and does the work that they bring piece by piece.

It knows no subject, and a fault of one holds up no other. A subject says what it wants of the pump as a `Subject`, and
joins with it:

    _part = pump.Subject(
        tick=follow,
        receivers={RunRenamed: take_name},
        results={"preview": pump.Results(show, small=True)},
    )
    register, unregister = pump.joining(_part)

Its receivers are given events by their kind. Who gets a generated material depends on what its job was asked for:
`Job.receive` where that was given, else the `Results` that a part has for `Job.purpose`.
Work of seconds goes in pieces through `run_along`. Scripts, for whom no timer fires, call `wait`.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import bpy
from bpy.app.handlers import persistent

from gan_worker.client.events import MapReady, MaterialReady
from gan_worker.errors import ErrorInfo, TilewrightError, UnexpectedError
from gan_worker.wire.messages import WorkerStatus

from . import session

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
# While a slider moves: a preview takes little longer to make than a sixtieth of a second.
LIVE_INTERVAL = 0.004
BUSY_INTERVAL = 1 / 60
IDLE_INTERVAL = 0.5
# A fault that was not seen for so long, in seconds, is told once more when it comes back.
QUIET = 5.0

_SLOW_JOBS: tuple[Literal["RENDER", "OBJECT_BAKE"], ...] = ("RENDER", "OBJECT_BAKE")
# Modal operators that hold data of the file, or have begun an undo step, until the mouse is let go. Not all that are
# modal: some add-ons keep one for ever.
_STROKES = (
    *("PAINT_OT_", "SCULPT_OT_", "SCULPT_CURVES_OT_", "CURVES_OT_", "PARTICLE_OT_"),
    *("GREASE_PENCIL_OT_", "GPENCIL_OT_", "TRANSFORM_OT_"),
)

Pieces = Iterator[None]


@dataclass(frozen=True)
class Results:
    """What becomes of results of jobs that were asked for with one purpose.

    Attributes:
        whole: makes pieces of work of a material, once all its maps have come.
        single: the same of one map, which comes earlier; None waits for all of them.
        small: whether these are small pictures that somebody waits for with the mouse in hand: done before all other
            work, and on their way they change nothing that panels tell.
    """

    whole: Callable[[MaterialReady, session.Job], Pieces]
    single: Callable[[MapReady, session.Job], Pieces] | None = None
    small: bool = False


def _nothing() -> None:
    pass


@dataclass(frozen=True, eq=False)
class Subject:
    """What one subject wants of the pump.

    Attributes:
        tick: does what is due; gives the seconds until it wants to be called again, None where it has no wish.
        receivers: kind of event → takes one, in the tick in which it came.
        results: purpose of a job → what becomes of its results.
        patience: seconds that this tick may wait for a result that is about to come.
        shown: what panels tell of the subject: they are drawn anew where it is another value than before.
        at_rest: called when no work waits any more, and no stroke is held.
        before_saving: called before the file is saved, when no work waits any more.
    """

    tick: Callable[[], float | None] = _nothing
    receivers: Mapping[type, Callable[[Any], None]] = field(default_factory=dict)
    results: Mapping[str, Results] = field(default_factory=dict)
    patience: Callable[[], float] = lambda: 0.0
    shown: Callable[[], object] = _nothing
    at_rest: Callable[[], None] = _nothing
    before_saving: Callable[[], None] = _nothing


@dataclass
class TickStatistics:
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


statistics = TickStatistics()
_parts: list[Subject] = []
_work: deque[Pieces] = deque()
# Small pictures that somebody waits for with the mouse in hand: done before all other work.
_urgent: deque[Pieces] = deque()
_companions: list[Iterator[bool]] = []
# What failed → its newest fault, and when it was there last, by `time.monotonic`.
_told: dict[object, tuple[ErrorInfo, float]] = {}
# Whether small pictures were about to come, at the last tick.
_lively = [False]


def join(part: Subject) -> None:
    """Call a part from now on, after those that joined before."""
    _parts.append(part)


def leave(part: Subject) -> None:
    """Call a part no more."""
    _parts.remove(part)


def joining(part: Subject) -> tuple[Callable[[], None], Callable[[], None]]:
    """`register` and `unregister` of a module that has nothing but this part to register."""
    return lambda: join(part), lambda: leave(part)


def tick(is_held: bool = False) -> float:
    """Do a little of everything that is due.

    Args:
        is_held: whether a stroke is held, so that the file must stay as it is; small pictures alone are shown, for what
            is painted is followed while it is painted. Who waits for work in a script has it done all the same: no
            stroke would end before.

    Returns:
        Seconds until the next tick.
    """
    began, cpu = time.perf_counter(), time.thread_time()
    session.current.crowded = len(_work) > MOST_WAITING
    patience = max((part.patience() for part in _parts), default=0.0)
    for event in session.current.tick(EVENT_BUDGET, patience):
        _take(event)
    wishes = _wishes()
    _lively[0] = min(wishes, default=IDLE_INTERVAL) <= LIVE_INTERVAL
    moving = False
    if not _rendering():
        _do_work(began, is_held)
        moving = not is_held and _advance_companions(began + STEP_DEADLINE)
        _rest()
    _count(time.perf_counter() - began, time.thread_time() - cpu)
    if _ready(is_held) or moving or session.current.receiving:
        return WORK_INTERVAL
    busy = BUSY_INTERVAL if session.current.busy or is_held else IDLE_INTERVAL
    return min([busy, *wishes])


def _timer() -> float:
    """What Blender calls. It must not raise: Blender would drop the timer for good."""
    # Also where the last long work ends in this tick: panels say what came of it.
    before, seen, ran = _visible_state(), statistics.seen, companions()
    interval = IDLE_INTERVAL
    with _alone("tick"):
        interval = tick(is_stroke_held())
    # Not at every tick of a training: with overlapping regions, a sidebar takes the 3D View with it.
    if _visible_state() != before or statistics.seen != seen or ran or _companions:
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
    _rest()


def give_up() -> None:
    """Forget all work that is waiting."""
    _work.clear()
    _urgent.clear()
    _companions.clear()
    _told.clear()


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


def is_stroke_held() -> bool:
    """Whether somebody paints, sculpts or moves something this moment, in any window.

    What is changed or removed under a stroke, and an undo step that is made meanwhile, can crash Blender.
    """
    if bpy.app.background:
        return False
    held = (m.bl_idname for w in bpy.context.window_manager.windows for m in w.modal_operators)
    return any(name.startswith(_STROKES) for name in held)


def companions() -> int:
    """How many pieces of long work run along."""
    return len(_companions)


def _count(seconds: float, cpu_seconds: float) -> None:
    statistics.ticks += 1
    statistics.longest = max(statistics.longest, seconds)
    statistics.longest_cpu = max(statistics.longest_cpu, cpu_seconds)


def _rendering() -> bool:
    """Whether a render or bake is running: data it reads must not change under it."""
    return not bpy.app.background and any(bpy.app.is_job_running(kind) for kind in _SLOW_JOBS)


def _ready(is_held: bool) -> bool:
    """Whether work waits that may be done now."""
    return bool(_urgent or (_work and not is_held))


def _do_work(began: float, is_held: bool) -> None:
    """Do what there is time for; one step at the least, or on a busy computer it would never be done."""
    late = False
    while _ready(is_held) and not late:
        _step()
        late = time.perf_counter() >= began + (URGENT_DEADLINE if _urgent else STEP_DEADLINE)


def _rest() -> None:
    """Tell that no work waits; not under a stroke, whoever waits: undo steps are made then."""
    if pending() or is_stroke_held():
        return
    for part in _parts:
        with _alone(part.at_rest):
            part.at_rest()


def _advance_companions(end: float) -> bool:
    """Advance what runs along until it waits; whether there is more to do at once.

    However late it is, each takes one step where no work waits: on a busy computer it would never end otherwise.
    """
    moving = False
    for steps in list(_companions):
        waits: bool | None = False if pending() else next(steps, None)
        while waits is False and time.perf_counter() < end:
            waits = next(steps, None)
        if waits is None:
            _companions.remove(steps)
        moving = moving or waits is False
    return moving


def _step() -> None:
    queue = _urgent or _work
    ended: bool | None = True
    with _alone(queue[0]):
        ended = next(queue[0], True)
    if ended:
        queue.popleft()


def _wishes() -> list[float]:
    """Let every subject do what is due; in how many seconds they want to be called again."""
    found = []
    for part in _parts:
        with _alone(part.tick):
            found.append(part.tick())
    return [wish for wish in found if wish is not None]


@contextmanager
def _alone(what: object) -> Iterator[None]:
    """Let all others go on where this fails; it is told."""
    try:
        yield
    except TilewrightError as error:
        _tell(what, error)
    except Exception as error:
        if _tell(what, UnexpectedError(error)):
            log.exception("tick")


def _tell(what: object, error: TilewrightError) -> bool:
    """Tell a fault, but not again at every tick while it lasts; whether it was told."""
    now = time.monotonic()
    for gone in [known for known, (_, at) in _told.items() if now - at > QUIET]:
        del _told[gone]
    before, _ = _told.get(what, (None, now))
    _told[what] = error.info, now
    if error.info != before:
        session.current.fail(error)
    return error.info != before


def _take(event: object) -> None:
    """Give an event to those who registered for it."""
    job = session.current.jobs.get(getattr(event, "job", ""))
    results = _results_of(job) if job else None
    statistics.seen += _is_seen(event, results)
    for part in _parts:
        receiver = part.receivers.get(type(event))
        if receiver:
            with _alone(receiver):
                receiver(event)
    if job and isinstance(event, MapReady | MaterialReady):
        with _alone(job.purpose):
            _take_result(event, job, results)


def _results_of(job: session.Job) -> Results | None:
    found = (part.results[job.purpose] for part in _parts if job.purpose in part.results)
    return None if job.receive else next(found, None)


def _is_seen(event: object, results: Results | None) -> bool:
    """Whether panels may tell something else after an event; how far small pictures have come they do not tell."""
    if isinstance(event, WorkerStatus):
        return not _lively[0]  # it changes with every small picture that begins, and that ends
    return isinstance(event, MaterialReady) or not (results and results.small)


def _take_result(
    event: MapReady | MaterialReady, job: session.Job, results: Results | None
) -> None:
    if isinstance(event, MaterialReady):
        if job.receive:
            job.receive(event)
        elif results:
            (_urgent if results.small else _work).append(results.whole(event, job))
    elif results and results.single:
        _work.append(results.single(event, job))


def _visible_state() -> tuple:
    now = session.current
    seen = now.state, now.last_error, len(now.models), now.runs, bool(pending())
    return *seen, *(part.shown() for part in _parts)


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
    for part in _parts:
        with _alone(part.before_saving):
            part.before_saving()


def register() -> None:
    bpy.app.handlers.save_pre.append(_before_saving)
    bpy.app.timers.register(_timer, first_interval=IDLE_INTERVAL, persistent=True)


def unregister() -> None:
    if bpy.app.timers.is_registered(_timer):
        bpy.app.timers.unregister(_timer)
    if _before_saving in bpy.app.handlers.save_pre:
        bpy.app.handlers.save_pre.remove(_before_saving)
    give_up()
    session.current.close()
