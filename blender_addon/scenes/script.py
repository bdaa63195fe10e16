"""Runs a scene recipe from a script, without a window: opens the scene, waits for all of it, saves.

In a file of your own, or with `blender -b street.blend --python-expr`:

    import sys
    from bl_ext.user_default.tilewright.scenes import script
    sys.exit(script.main("street.toml", "street_out.blend"))
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import bpy

from gan_worker.dataclass_json import from_json, to_json
from gan_worker.errors import (
    BAD_INPUT,
    TRANSIENT,
    Cancelled,
    RequestError,
    StorageError,
    TilewrightError,
    UnexpectedError,
    counted,
)
from gan_worker.progress import BatchProgress
from gan_worker.scenes.parser import read_recipe
from gan_worker.scenes.plan import BatchPlan
from gan_worker.scenes.recipe import PROCESSES, Estimation, SceneRecipe
from gan_worker.streams import write_any_letter
from gan_worker.wire.messages import ModelList

from ..worker import connection, preferences, pump, session
from . import batch as scene_batch

DONE, FAILED, INVALID, TRY_AGAIN, CANCELLED = 0, 1, 2, 75, 130
MODELS_WITHIN = 60.0
# What `gan-worker batch` looks for among all that Blender prints.
MARK = "tilewright-batch "

Tell = Callable[[str, object], None]


def run_recipe(
    recipe: str | Path | SceneRecipe,
    out: str | Path | None = None,
    scene: str | Path | None = None,
    keep_going: bool = False,
    results: str | Path | None = None,
    tell: Tell = lambda kind, news: None,
    part: tuple[int, int] | None = None,
    processes: int = PROCESSES,
) -> scene_batch.SceneBatch:
    """Fill a scene with materials and save it; needs a connected worker, or starts one.

    Args:
        recipe: TOML file, or what was read from it.
        out: where the scene is saved; the file it came from where that is left out.
        scene: .blend to open first; what is open now where that is left out.
        keep_going: apply and save what could be made although something could not.
        results: folder for the maps instead of the recipe's.
        tell: is told `stage` (text), `plan` (BatchPlan) and `progress` (BatchProgress).
        part: make the materials of this part alone, such as (1, 8), and leave the scene as it is.
        processes: compute processes of a worker that is started.

    Raises:
        TilewrightError: why nothing was saved.
    """
    batch = _run(recipe, out, scene, keep_going, results, tell, part, processes)
    if batch.error and not batch.complete:
        raise batch.error
    return batch


def _run(
    recipe: str | Path | SceneRecipe,
    out: str | Path | None,
    scene: str | Path | None,
    keep_going: bool,
    results: str | Path | None,
    tell: Tell,
    part: tuple[int, int] | None,
    processes: int,
) -> scene_batch.SceneBatch:
    """As `run_recipe`, but for what goes wrong with the batch itself, which it has as its `error`."""
    rules = _rules(recipe)
    open_scene(scene)
    target = Path(out).absolute() if out else _present_file()
    folder = scene_batch.maps_folder(rules, target, Path(results) if results else None)
    with _Worker(tell, processes):
        batch = scene_batch.SceneBatch(
            rules,
            bpy.context.scene.name,
            folder,
            keep_going,
            lambda progress: tell("progress", progress),
            part,
        )
        batch.start().wait(_Watch(batch, tell))
    if batch.complete and part is None:
        tell("stage", f"saving {target}")
        save_scene(target)
    return batch


def plan_recipe(
    recipe: str | Path | SceneRecipe,
    scene: str | Path | None = None,
    tell: Tell = lambda kind, news: None,
) -> BatchPlan:
    """What `run_recipe` would do; nothing is changed.

    Raises:
        TilewrightError: what is wrong with the recipe, the scene or the worker.
    """
    rules = _rules(recipe)
    open_scene(scene)
    with _Worker(tell):
        return scene_batch.make_plan(rules, bpy.context.scene)


def list_items(
    recipe: str | Path | SceneRecipe,
    out: str | Path | None = None,
    scene: str | Path | None = None,
    results: str | Path | None = None,
    tell: Tell = lambda kind, news: None,
) -> ItemList:
    """What `run_recipe` would make and where it would keep it, for others to make; nothing is changed.

    Raises:
        TilewrightError: what is wrong with the recipe, the scene or the worker.
    """
    rules = _rules(recipe)
    plan = plan_recipe(rules, scene, tell)
    target = Path(out).absolute() if out else _present_file()
    folder = scene_batch.maps_folder(rules, target, Path(results) if results else None)
    return ItemList(plan, folder)


def _rules(recipe: str | Path | SceneRecipe) -> SceneRecipe:
    return recipe if isinstance(recipe, SceneRecipe) else read_recipe(Path(recipe))


@dataclass(frozen=True)
class ItemList:
    """The plan of a recipe and the folder for its maps."""

    plan: BatchPlan
    folder: Path


def main(
    recipe: str | Path,
    out: str | Path | None = None,
    scene: str | Path | None = None,
    dry_run: bool = False,
    keep_going: bool = False,
    results: str | Path | None = None,
    tell: Tell | None = None,
    part: tuple[int, int] | None = None,
    processes: int = PROCESSES,
    items: bool = False,
    estimate: Estimation | Literal[False] | None = None,
) -> int:
    """As `run_recipe`, or `plan_recipe` for a dry run, or `list_items`, with everything told in words.

    `estimate` is as of `SceneRecipe.estimating`.

    Returns:
        Exit code: 0 done, 1 failed, 2 bad input, 75 worth another try, 130 cancelled.
    """
    if tell is None:
        write_any_letter()
        tell = _print
    try:
        rules = _rules(recipe).estimating(estimate)
        if dry_run:
            tell("plan", plan_recipe(rules, scene, tell))
            return DONE
        if items:
            tell("items", list_items(rules, out, scene, results, tell))
            return DONE
        batch = _run(rules, out, scene, keep_going, results, tell, part, processes)
        if batch.complete:
            tell("done", {"applied": batch.applied, **asdict(batch.progress)})
        if batch.error:  # what ended it, or the first of what it went on after
            tell("error", batch.error)
        return exit_code(batch.error, begun=batch.plan is not None)
    except TilewrightError as error:
        tell("error", error)
        return exit_code(error, begun=False)
    except KeyboardInterrupt:
        tell("error", Cancelled())
        return CANCELLED
    except Exception as error:  # whatever it is, the caller gets a code and a sentence
        tell("error", UnexpectedError(error))
        raise


def exit_code(error: TilewrightError | None, begun: bool = True) -> int:
    """The exit code for what a run ended with.

    Args:
        error: why it failed; None where it did not.
        begun: whether anything was made: what is wrong before that is wrong with what was given.
    """
    if error is None:
        return DONE
    if isinstance(error, Cancelled):
        return CANCELLED
    if error.code in TRANSIENT:
        return TRY_AGAIN
    return INVALID if isinstance(error, BAD_INPUT) and not begun else FAILED


def open_scene(file: str | Path | None) -> None:
    """Open a .blend; none leaves what is open.

    Raises:
        RequestError: `scene_missing`.
    """
    if file is None:
        return
    path = Path(file).absolute()
    try:
        if not path.is_file():
            raise RuntimeError("there is no such file")
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, use_scripts=False)
    except RuntimeError as error:
        reason = str(error).strip().removeprefix("Error: ")
        raise RequestError(
            "scene_missing",
            f"The scene must be a .blend that opens; {path} does not: {reason}.",
            "Check the name, and that this Blender is not older than the file.",
        ) from None


def save_scene(file: Path) -> None:
    """Save the scene.

    Raises:
        StorageError: `file_unwritable`.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(file), check_existing=False)
    except (RuntimeError, OSError) as error:
        raise StorageError(
            "file_unwritable",
            f"The scene must be saved; {file} cannot be written: {str(error).strip()}.",
            "Free space or choose another place, and run again: only what is missing is made.",
        ) from error


def _present_file() -> Path:
    if not bpy.data.filepath:
        raise RequestError(
            "scene_missing",
            "The scene must have a file to be saved to; none is open.",
            "Say where it is to be saved.",
        )
    return Path(bpy.data.filepath)


class _Watch:
    """Tells what is new of a run."""

    def __init__(self, batch: scene_batch.SceneBatch, tell: Tell) -> None:
        self._batch, self._tell = batch, tell
        self._stage = ""
        self._planned = False

    def __call__(self) -> None:
        batch = self._batch
        if batch.plan and not self._planned:
            self._planned = True
            self._tell_plan(batch.plan)
        if batch.stage != self._stage and batch.state == "running":
            self._stage = batch.stage
            self._tell("stage", batch.stage)

    def _tell_plan(self, plan: BatchPlan) -> None:
        for note in plan.notes:
            self._tell("note", note)
        skipped = f", {counted(len(plan.skips), 'object')} left alone" if plan.skips else ""
        self._tell("stage", plan.summary + skipped)


class _Worker:
    """A connected worker that knows its models; one that had to be started is stopped at the end."""

    def __init__(self, tell: Tell, processes: int = 1) -> None:
        self._tell, self._processes = tell, processes
        self._ours = False
        self._models_known = False

    def __enter__(self) -> None:
        session.current.listeners.append(self._hear)
        self._ours = session.current.state == "stopped"
        try:
            if self._ours:
                self._tell("stage", "starting the worker")
                connection.start_worker(self._processes)
                connection.wait_until_connected(MODELS_WITHIN)
            session.current.refresh()
            pump.wait(lambda: self._models_known, MODELS_WITHIN)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        session.current.listeners.remove(self._hear)
        if self._ours:
            session.current.stop_worker()

    def _hear(self, event: object) -> None:
        self._models_known = self._models_known or isinstance(event, ModelList)


# ---- telling


def _print(kind: str, news: object) -> None:
    """For a person who reads Blender's output."""
    match news:
        case BatchPlan():
            for line in _plan_lines(news):
                sys.stdout.write(line + "\n")
        case BatchProgress():
            eta = "" if news.eta is None else f", {news.eta:.0f} s left"
            sys.stdout.write(f"{news.done} of {news.total} materials{eta}\n")
        case _:
            sys.stdout.write(f"{kind}: {news}\n")
    sys.stdout.flush()


def _plan_lines(plan: BatchPlan) -> list[str]:
    lines = [plan.summary]
    lines += [" | ".join(row) for row in plan.table()]
    return [*lines, *plan.notes]


def tell_program(kind: str, news: object) -> None:
    """For a program: one marked line of JSON for each piece of news."""
    match news:
        case BatchPlan():
            told: object = {"rows": news.rows(), "notes": news.notes, "materials": len(news.items)}
        case BatchProgress():
            told = asdict(news)
        case TilewrightError():
            told = asdict(news.info)
        case ItemList():
            told = _items_by_value(news)
        case _:
            told = news
    sys.stdout.write(f"{MARK}{json.dumps({kind: told})}\n")
    sys.stdout.flush()


def _items_by_value(found: ItemList) -> dict[str, object]:
    objects: dict[str, list[str]] = {}
    for assignment in found.plan.assignments:
        objects.setdefault(assignment.key, []).append(assignment.object)
    items = [
        [to_json(i.config), i.model_hash, objects[i.key], *([i.estimator] if i.estimator else [])]
        for i in found.plan.items.values()
    ]
    return {"folder": str(found.folder), "items": items}


def run_for_program(options: str) -> int:
    """What `gan-worker batch` calls in Blender.

    Args:
        options: JSON: `python` of the worker, `home` of its models, and those of `main`.

    Returns:
        Exit code.
    """
    chosen = json.loads(options)
    # The caller's own worker, whatever the preferences of this Blender say; they are not saved.
    known = preferences.get()
    known.location, known.worker_python = "LOCAL", chosen.pop("python")
    known.home_folder = chosen.pop("home")
    if chosen.get("estimate"):
        chosen["estimate"] = from_json(Estimation, chosen["estimate"])
    code = main(**chosen, tell=tell_program)
    tell_program("exit_code", code)
    return code
