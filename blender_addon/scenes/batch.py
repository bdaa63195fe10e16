"""Runs a scene recipe on the open scene: plans, has the worker make what is missing, applies it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from gan_worker.errors import RequestError, StorageError, TilewrightError, counted
from gan_worker.progress import BatchProgress
from gan_worker.scenes.plan import BatchPlan, WorkItem, in_part, plan_scene
from gan_worker.scenes.recipe import PACKED, BetweenLatent, SceneRecipe
from gan_worker.scenes.store import Made, SceneStore

from ..generation import results
from ..worker import session
from ..worker.background_task import BackgroundTask, Requests
from . import objects as scene_objects

if TYPE_CHECKING:
    from gan_worker.client.events import MaterialReady

# Requests on their way at once: enough to keep the worker busy, and few enough that their pixels are no load.
MOST_SENT, BYTES_SENT = 16, 64 * 1024**2
BYTES_PER_PIXEL = 12
AGAIN = "Run the recipe again: only what is missing is made."


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
    now = session.current
    return plan_scene(recipe, described, now.models, now.estimators)


class SceneBatch(BackgroundTask):
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
        plan: once it was made.
    """

    stage = "planning"

    def __init__(
        self,
        recipe: SceneRecipe,
        scene: str,
        folder: Path,
        keep_going: bool = False,
        report: Callable[[BatchProgress], None] = lambda progress: None,
        part: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.plan: BatchPlan | None = None
        self.applied = 0
        self.complete = False
        self._recipe, self._scene, self._folder = recipe, scene, folder
        self._keep_going, self._report, self._part = keep_going, report, part
        self._made: dict[str, Made] = {}
        self._kept = self._failed = 0
        self._objects: dict[str, list[str]] = {}
        # As materials they count among what the Generate panel tells of, and can cancel.
        self._requests = Requests("a recipe runs", AGAIN, results.MATERIAL)
        self._items: dict[str, WorkItem] = {}

    @property
    def summary(self) -> str:
        """What it has done, for a person."""
        now = self.progress
        done = f"{counted(now.total, 'material')} in {counted(self.applied, 'slot')}"
        return f"{done}: {now.made} made, {now.kept} there already"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What somebody may have meant otherwise, such as rules that select nothing; a sentence each."""
        return self.plan.notes if self.plan else ()

    def let_go(self) -> None:
        self._requests.drop()

    def work(self) -> Generator[bool]:
        scene = bpy.data.scenes[self._scene]
        self.plan = plan = make_plan(self._recipe, scene)
        items = [i for i in plan.items.values() if not self._part or in_part(i.key, self._part)]
        self.expect(len(items))
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
        self.complete = True

    # ---- on the disk already

    def _find(
        self, items: list[WorkItem], store: SceneStore
    ) -> Generator[bool, None, list[WorkItem]]:
        missing = []
        for item in items:
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
        self._began = time.monotonic()
        while missing or self._requests.sent:
            self._requests.check()
            while missing and len(self._requests.sent) < _window(missing[0]):
                item = missing.popleft()
                self._items[self._requests.generate(item.config).id] = item
            arrived = next(iter(self._requests.arrived), "")
            ready = self._requests.take(arrived)
            if ready:
                yield from self._keep(ready, store)
            elif not self._take_failed(store):
                yield True

    def _keep(self, ready: MaterialReady, store: SceneStore) -> Iterator[bool]:
        item = self._items.pop(ready.job)
        if not item.is_made_as(ready.recipe):
            self._fail(store, item, self._requests.model_changed(item.config.model))
            return
        for _ in store.write(item, ready):
            yield False
        self._made[item.key] = store.written(item, ready)
        self._tell(store, item, "made", seconds=round(ready.forward_seconds, 4))

    def _take_failed(self, store: SceneStore) -> bool:
        """Take out the jobs that ended without a result; whether there were any."""
        lost = list(self._requests.take_failed())
        for job, error in lost:
            self._fail(store, self._items.pop(job), error)
        return bool(lost)

    def _fail(self, store: SceneStore, item: WorkItem, error: TilewrightError) -> None:
        self._failed += 1
        self._tell(store, item, "failed", code=error.code, error=str(error))
        if not self._keep_going:
            raise error
        self.error = self.error or error

    # ---- in the scene

    def _apply(self, plan: BatchPlan) -> Iterator[bool]:
        applier = scene_objects.Applier(self._recipe.textures == PACKED)
        try:
            for assignment in plan.assignments:
                made = self._made.get(assignment.key)
                if made is not None:
                    self.applied += applier.apply(assignment, made)
                yield False
            applier.remove_replaced()
        finally:
            results.add_undo_step("Scene Recipe")

    # ---- all along

    def _tell(self, store: SceneStore, item: WorkItem, state: str, **more: object) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        objects = self._objects.get(item.key, [])
        store.log(time=now, state=state, key=item.key, objects=objects, **more)
        made = len(self._made) - self._kept
        done, total = len(self._made) + self._failed, self.progress.total
        eta = self.eta(made + self._failed, total - done)
        self.progress = BatchProgress(done, total, made, self._kept, self._failed, eta)
        self._report(self.progress)


def _window(item: WorkItem) -> int:
    size = item.config.width * item.config.height * BYTES_PER_PIXEL
    return max(2, min(MOST_SENT, BYTES_SENT // size))


def start(recipe: SceneRecipe, scene: bpy.types.Scene, folder: Path) -> SceneBatch:
    """Begin a run that goes on with every tick.

    Raises:
        RequestError: `wrong_state` while another one runs, or `invalid_recipe` for a folder that would lie wherever
            Blender was started.
    """
    place = recipe.textures
    if not (place == PACKED or place.startswith("//") or Path(place).is_absolute()):
        raise RequestError(
            "invalid_recipe",
            f'The textures of a recipe must be "packed", a whole path, or one that begins with //; received {place!r}.',
            f'Write "//{place}" for a folder beside the .blend.',
        )
    if SceneBatch.running():
        raise RequestError(
            "wrong_state", "One recipe must end before the next begins; one runs.", "Cancel it."
        )
    session.current.dismiss()
    return SceneBatch(recipe, scene.name, folder).start()
