"""Runs a scene recipe on the open scene: plans, has the worker make what is missing, applies it."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import bpy

from gan_worker.client.events import MaterialReady
from gan_worker.errors import (
    Cancelled,
    ErrorInfo,
    RequestError,
    StorageError,
    TilewrightError,
    UnexpectedError,
    WorkerError,
    error_from_info,
)
from gan_worker.progress import BatchProgress
from gan_worker.scenes.plan import BatchPlan, WorkItem, in_part, plan_scene
from gan_worker.scenes.recipe import PACKED, BetweenLatent, SceneRecipe
from gan_worker.scenes.store import Made, SceneStore

from ..generation import results
from ..worker import pump, session
from ..worker.background_task import FileBound
from . import objects as scene_objects

log = logging.getLogger(__name__)

# Requests on their way at once: enough to keep the worker busy, and few enough that their pixels are no load.
MOST_SENT, BYTES_SENT = 16, 64 * 1024**2
BYTES_PER_PIXEL = 12
# Seconds between two looks at what came: the worker has enough to do meanwhile, and each look costs what it could use.
PAUSE = 0.02
# Seconds without a link, or without the pixels of a finished job, until the worker is given up.
PATIENCE = 60.0


def maps_folder(recipe: SceneRecipe, blend: Path | None, results: Path | None = None) -> Path:
    """Where the maps go.

    Args:
        recipe: says a folder, or `packed`: then they lie beside the .blend until all are there.
        blend: file that the scene is saved in; None where it never was.
        results: folder that is used instead.

    Raises:
        StorageError: `file_unwritable` where the folder depends on a .blend that was never saved.
    """
    if results is not None:
        return results.absolute()
    within_blend = recipe.textures == PACKED or recipe.textures.startswith("//")
    if not within_blend:
        return Path(recipe.textures).absolute()
    if blend is None:
        raise StorageError(
            "file_unwritable",
            "The .blend must be saved before textures can be kept beside it; it was not.",
            "Save the file first.",
        )
    if recipe.textures == PACKED:
        return blend.absolute().with_name(f"{blend.stem}_maps")
    return blend.absolute().parent / recipe.textures[2:]


def make_plan(recipe: SceneRecipe, scene: bpy.types.Scene) -> BatchPlan:
    """What the recipe would do with this scene and the models of the connected worker.

    Raises:
        RequestError: as `plan_scene`.
    """
    between = [r.latent.curve for r in recipe.rules if isinstance(r.latent, BetweenLatent)]
    described = scene_objects.describe(scene, set(filter(None, between)))
    return plan_scene(recipe, described, session.current.models)


class SceneBatch:
    """One run of a recipe. Nothing in the scene changes before all materials are on the disk.

    Args:
        recipe: what to do.
        scene: its name.
        folder: for the maps.
        keep_going: apply what could be made although something could not.
        report: is told after each material.
        part: make the materials of this part alone, and leave the scene as it is.

    Attributes:
        applied: slots that were filled.
        complete: whether it came to its end, if with something missing where it keeps going.
        state: `running`, `succeeded`, `failed` or `cancelled`.
        stage: what it is busy with, in words.
        progress: how far it is.
        error: why it failed, or the first error it went on after.
        plan: once it was made.
        waiting: whether it waits for the worker.
    """

    def __init__(
        self,
        recipe: SceneRecipe,
        scene: str,
        folder: Path,
        keep_going: bool = False,
        report: Callable[[BatchProgress], None] = lambda progress: None,
        part: tuple[int, int] | None = None,
    ) -> None:
        self.state, self.stage = "running", "planning"
        self.progress = BatchProgress(0, 0)
        self.error: TilewrightError | None = None
        self.plan: BatchPlan | None = None
        self.applied = 0
        self.complete = False
        self.waiting = False
        self._recipe, self._scene, self._folder = recipe, scene, folder
        self._keep_going, self._report, self._part = keep_going, report, part
        self._total = 0
        self._wish_to_end = False
        self._made: dict[str, Made] = {}
        self._kept = self._failed = 0
        self._objects: dict[str, list[str]] = {}
        self._sent: dict[str, tuple[WorkItem, session.Job]] = {}
        self._arrived: deque[MaterialReady] = deque()
        self._began = 0.0
        self._heard_at = 0.0

    def cancel(self) -> None:
        """End soon; what was made stays on the disk."""
        self._wish_to_end = True

    def steps(self) -> Iterator[bool]:
        """All of the work, in pieces of a few milliseconds; True where it waits for the worker."""
        try:
            for waits in self._work():
                self.waiting = waits
                yield waits
            self.complete = True
            self.state = "failed" if self._failed else "succeeded"
        except Cancelled as error:
            self.state, self.error = "cancelled", error
        except TilewrightError as error:
            self.state, self.error = "failed", error
        except Exception as error:
            log.exception("scene recipe")
            self.state, self.error = "failed", UnexpectedError(error)
        finally:
            self.waiting = False
            self._let_go()

    def _work(self) -> Iterator[bool]:
        scene = bpy.data.scenes[self._scene]
        self.plan = plan = make_plan(self._recipe, scene)
        items = [i for i in plan.items.values() if not self._part or in_part(i.key, self._part)]
        self._total = len(items)
        self.progress = BatchProgress(0, self._total)
        for assignment in plan.assignments:
            self._objects.setdefault(assignment.key, []).append(assignment.object)
        store = SceneStore(self._folder)
        self.stage = "looking for what is there"
        yield False
        missing = yield from self._find(items, store)
        self.stage = "generating"
        yield from self._generate(deque(missing), store)
        if self._part is None:
            self.stage = "applying"
            yield from self._apply(plan)

    # ---- on the disk already

    def _find(self, items: list[WorkItem], store: SceneStore) -> Iterator[bool]:
        missing = []
        for item in items:
            self._check_wish()
            made = store.find(item)
            if made is None:
                missing.append(item)
            else:
                self._made[item.key] = made
                self._kept += 1
                self._tell(store, item, "kept")
            yield False
        return missing

    # ---- by the worker

    def _generate(self, missing: deque[WorkItem], store: SceneStore) -> Iterator[bool]:
        self._began = self._heard_at = time.monotonic()
        while missing or self._sent:
            self._check_wish()
            self._check_worker()
            while missing and len(self._sent) < _window(missing[0]):
                self._send(missing.popleft())
            if self._arrived:
                yield from self._keep(self._arrived.popleft(), store)
            elif not self._take_failures(store):
                yield True

    def _send(self, item: WorkItem) -> None:
        # As materials they count among what the Generate panel tells of, and can cancel.
        job = session.current.generate(
            item.config, purpose=results.MATERIAL, receive=self._arrived.append
        )
        self._sent[job.id] = item, job

    def _keep(self, ready: MaterialReady, store: SceneStore) -> Iterator[bool]:
        self._heard_at = time.monotonic()
        item, _ = self._sent.pop(ready.job)
        if ready.recipe.model_hash != item.model_hash:
            self._fail(store, item, _model_changed(item.config.model))
            return
        for _ in store.write(item, ready):
            yield False
        self._made[item.key] = store.written(item, ready)
        self._tell(store, item, "made", seconds=round(ready.forward_seconds, 4))

    def _take_failures(self, store: SceneStore) -> bool:
        """Take out the jobs that ended without a result; whether there were any."""
        lost = [id for id, (_, job) in self._sent.items() if job.ended and job.state != "succeeded"]
        for id in lost:
            item, job = self._sent.pop(id)
            self._fail(store, item, error_from_info(job.error) if job.error else Cancelled())
        return bool(lost)

    def _fail(self, store: SceneStore, item: WorkItem, error: TilewrightError) -> None:
        self._failed += 1
        self._tell(store, item, "failed", code=error.code, error=str(error))
        if not self._keep_going:
            raise error
        self.error = self.error or error

    def _check_worker(self) -> None:
        now, silence = session.current, time.monotonic() - self._heard_at
        if now.state == "stopped":
            raise error_from_info(now.last_error or _gone())
        if now.connected and not self._awaits_pixels():
            self._heard_at = time.monotonic()
        elif silence > PATIENCE:
            raise WorkerError(
                "worker_silent",
                f"The worker must answer and send its results; nothing came for {silence:.0f} s.",
                "Run the recipe again: only what is missing is made.",
            )

    def _awaits_pixels(self) -> bool:
        if session.current.receiving or self._arrived:
            return False
        return any(job.state == "succeeded" for _, job in self._sent.values())

    # ---- in the scene

    def _apply(self, plan: BatchPlan) -> Iterator[bool]:
        applier = scene_objects.Applier(self._recipe.textures == PACKED)
        try:
            for assignment in plan.assignments:
                self._check_wish()
                made = self._made.get(assignment.key)
                if made is not None:
                    self.applied += applier.apply(assignment, made)
                yield False
        finally:
            results.push_undo("Scene Recipe")

    # ---- all along

    def _tell(self, store: SceneStore, item: WorkItem, state: str, **more: object) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        objects = self._objects.get(item.key, [])
        store.log(time=now, state=state, key=item.key, objects=objects, **more)
        made = len(self._made) - self._kept
        done = len(self._made) + self._failed
        worked = made + self._failed
        pace = (time.monotonic() - self._began) / worked if worked else None
        eta = None if pace is None else pace * (self._total - done)
        self.progress = BatchProgress(done, self._total, made, self._kept, self._failed, eta)
        self._report(self.progress)

    def _check_wish(self) -> None:
        if self._wish_to_end:
            raise Cancelled

    def _let_go(self) -> None:
        """Ask the worker to forget what was sent and is not wanted any more."""
        for _, job in self._sent.values():
            job.receive = lambda ready: None
            if session.current.state != "stopped" and not job.ended:
                session.current.cancel(job)
        self._sent.clear()


def _window(item: WorkItem) -> int:
    size = item.config.width * item.config.height * BYTES_PER_PIXEL
    return max(2, min(MOST_SENT, BYTES_SENT // size))


def _model_changed(model: str) -> RequestError:
    return RequestError(
        "wrong_state",
        f"The model {model!r} must stay the same while a recipe runs; it was trained further.",
        "Wait until its training has ended, then run the recipe again.",
    )


def _gone() -> ErrorInfo:
    return ErrorInfo(
        "worker_gone",
        "The worker must run while a recipe does; it was stopped.",
        "Start it and run the recipe again: only what is missing is made.",
    )


# ---- the run that panels show

current: SceneBatch | None = None


def start(recipe: SceneRecipe, scene: bpy.types.Scene, folder: Path) -> SceneBatch:
    """Begin a run that goes on with every tick.

    Raises:
        RequestError: `wrong_state` while another one runs.
    """
    global current
    if is_running():
        raise RequestError(
            "wrong_state", "One recipe must end before the next begins; one runs.", "Cancel it."
        )
    current = SceneBatch(recipe, scene.name, folder)
    pump.run_along(current.steps())
    return current


def wait(batch: SceneBatch, watch: Callable[[], None] = lambda: None) -> None:
    """Pump until a run has ended, for scripts and `blender -b`, where no timer fires.

    Args:
        batch: given to `pump.run_along`.
        watch: called every round.
    """
    try:
        while batch.state == "running":
            pump.tick()
            watch()
            if batch.waiting:
                time.sleep(PAUSE)
    finally:
        batch.cancel()


def is_running() -> bool:
    """Whether a recipe runs."""
    return current is not None and current.state == "running"


def _forget() -> None:
    global current
    if current is not None:
        current.cancel()
        current = None


_bound = FileBound(_forget)
register, unregister = _bound.register, _bound.unregister
