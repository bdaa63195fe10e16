"""The command `gan-worker batch`: starts Blender in the background, has it run a scene recipe, shows how it goes."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gan_worker.cli import terminal
from gan_worker.cli.background_blender import (
    DONE,
    FAILED,
    TRY_AGAIN,
    ended_by_farms,
    find_blender,
    run_blender,
)
from gan_worker.cli.batch_view import BatchView
from gan_worker.cli.options import (
    Estimation,
    Home,
    check_folder,
    chosen_estimation,
    takes_estimation,
)
from gan_worker.config import GenerationConfig
from gan_worker.dataclass_json import from_json, to_json
from gan_worker.errors import (
    TRANSIENT,
    Cancelled,
    RequestError,
    TilewrightError,
    error_from_info,
    require,
)
from gan_worker.runs.run import home_folder
from gan_worker.scenes.parser import read_recipe
from gan_worker.scenes.plan import work_item
from gan_worker.scenes.ray import make_on_ray
from gan_worker.scenes.recipe import PROCESSES
from gan_worker.scenes.store import SceneStore
from gan_worker.server.scheduler import MOST


@takes_estimation
def batch(
    recipe: Annotated[Path, typer.Argument(help="TOML file with the rules.")],
    scene: Annotated[Path, typer.Option(help="The .blend to fill.")],
    out: Annotated[Path | None, typer.Option(help="The .blend to write.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would happen, change nothing.")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Save what could be made although some could not.")
    ] = False,
    results: Annotated[
        Path | None, typer.Option(help="Folder for the maps; otherwise the recipe's.")
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            help="Such as 2/8: make these materials alone, for a farm; no scene is saved."
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST, help=f"Compute processes on this computer; else {PROCESSES}."
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(help="Make the materials on a Ray cluster: its address, or local."),
    ] = None,
    blender: Annotated[
        str | None, typer.Option(help="Blender's program; otherwise its Python module, or blender.")
    ] = None,
    estimate: Annotated[
        bool | None,
        typer.Option(
            "--estimate/--no-estimate",
            help="Estimate the maps that models do not make in all rules, or in none; otherwise as the rules say.",
        ),
    ] = None,
    home: Home = None,
    estimation: Estimation | None = None,
) -> None:
    """Fill a scene with materials by a recipe. Run again, it makes only what is missing.

    Exit code: 0 done, 1 failed, 2 bad input, 75 worth another try, 130 interrupted.
    """
    _check(recipe, scene, out, dry_run, part is not None)
    options = {
        "recipe": str(recipe.absolute()),
        "scene": str(scene.absolute()),
        "out": str(out.absolute()) if out else None,
        "dry_run": dry_run,
        "keep_going": keep_going,
        "results": str(results.absolute()) if results else None,
        "python": sys.executable,
        "home": str((home or home_folder()).absolute()),
        "part": _parse_part(part, out or results, processes, ray),
        "processes": processes or PROCESSES,
        "estimate": to_json(chosen_estimation(estimate, estimation)),
    }
    command = find_blender(blender)
    try:
        code = DONE
        if ray is not None and not dry_run:
            code = make_elsewhere(command, options, ray)
        if code == DONE:
            code = run_blender(command, options)
    except Cancelled:
        raise
    except TilewrightError as error:
        terminal.show_error(error.info)
        code = TRY_AGAIN if error.code in TRANSIENT else FAILED
    raise typer.Exit(code)


def _check(recipe: Path, scene: Path, out: Path | None, dry_run: bool, part: bool) -> None:
    """Find plain mistakes before Blender is started."""
    read_recipe(recipe)
    if not scene.is_file():
        raise RequestError(
            "scene_missing",
            f"The scene must be a .blend that is there; {scene} is not.",
            "Check the name and where it lies.",
        )
    if out is None and not dry_run and not part:
        raise RequestError(
            "invalid_config",
            "A batch must be told where the scene is to be saved; received no --out.",
            "Add --out FILE, or --dry-run to see what would happen.",
        )
    if out is not None and not dry_run:
        require(not out.is_dir(), "--out must name a .blend", f"the folder {out}", "Name a file.")
        check_folder(out.parent)


def _parse_part(
    text: str | None, kept_in: Path | None, processes: int | None, ray: str | None
) -> tuple[int, int] | None:
    """`2/8` as (2, 8), where that makes sense beside the other options."""
    if ray is not None and (text or processes):
        raise RequestError(
            "invalid_config",
            "With --ray the cluster divides the work; received --part or --processes too.",
            "Leave one of them out.",
        )
    if text is None:
        return None
    number, slash, count = text.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise RequestError(
            "invalid_config",
            f"A part must be a number and how many there are, from 1/8 to 8/8; received {text!r}.",
            "Correct --part.",
        )
    if kept_in is None:
        raise RequestError(
            "invalid_config",
            "A part must go where the other parts go; received neither --out nor --results.",
            "Give the --results (or the --out) of the run that fills the scene.",
        )
    return int(number), int(count)


def make_elsewhere(command: Sequence[str], options: dict[str, Any], address: str) -> int:
    """Have Blender say what a recipe needs, and make what is missing of that on a Ray cluster.

    Returns:
        Exit code of that Blender.

    Raises:
        Cancelled: Ctrl+C; what was made stays.
        TilewrightError: as `scene_ray.make_on_ray`, or why an item could not be made.
    """
    with BatchView() as view:
        code = run_blender(command, {**options, "items": True}, view)
        if view.items is None:
            return code
        terminal.show_stage(f"generating on the Ray cluster {address}")
        try:
            _make_items(view, Path(options["home"]) / "runs", address, options["keep_going"])
        except KeyboardInterrupt:
            raise Cancelled from None
    return code


def _make_items(view: BatchView, runs_folder: Path, address: str, keep_going: bool) -> None:
    """Keep what comes back as it comes; what cannot be made is left to the run that follows."""
    assert view.items is not None
    store = SceneStore(Path(view.items["folder"]))
    objects = {}
    missing = []
    for config, model_hash, names, *estimator in view.items["items"]:
        item = work_item(from_json(GenerationConfig, config), model_hash, *estimator)
        objects[item.key] = names
        if store.find(item) is None:
            missing.append(item)
    began = time.monotonic()
    with closing(make_on_ray(missing, runs_folder, address)) as results, ended_by_farms():
        for done, (item, made) in enumerate(results, 1):
            told: dict[str, Any] = {"state": "made", "seconds": round(made.seconds, 4)}
            if made.error is None:
                store.adopt(item, made.files)
            else:
                error = error_from_info(made.error)
                told = {"state": "failed", "code": error.code, "error": str(error)}
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            store.log(time=now, key=item.key, objects=objects[item.key], **told)
            if made.error is not None and not keep_going:
                raise error_from_info(made.error)
            left = (time.monotonic() - began) / done * (len(missing) - done)
            view.show({"progress": {"done": done, "total": len(missing), "eta": left}})
