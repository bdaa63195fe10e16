"""The command `gan-worker batch`: starts Blender in the background, has it run a scene recipe, shows how it goes."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from gan_worker import terminal
from gan_worker.compute_pool import MOST
from gan_worker.config import GenerationConfig
from gan_worker.errors import (
    TRANSIENT,
    Cancelled,
    ErrorInfo,
    RequestError,
    TilewrightError,
    error_from_info,
)
from gan_worker.runs import home_folder
from gan_worker.scene_parser import read_recipe
from gan_worker.scene_plan import COLUMNS, work_item
from gan_worker.scene_ray import make_on_ray
from gan_worker.scene_recipe import PROCESSES
from gan_worker.scene_store import SceneStore
from gan_worker.strict_json import from_json

logger = logging.getLogger(__name__)

DONE, FAILED, TRY_AGAIN, INTERRUPTED = 0, 1, 75, 130
MARK = "tilewright-batch "
# Lines of Blender's own that are shown when it dies.
TAIL = 16
LEAVE_WITHIN = 10.0

# Run inside Blender, or by the Python that has its module. The installed extension comes first, then the
# add-on beside this package in a checkout.
BOOTSTRAP = """
import importlib, sys
import bpy, addon_utils
names = [m.__name__ for m in addon_utils.modules() if m.__name__.endswith(".tilewright")]
if not names:
    sys.path.insert(0, {beside!r})
name = names[0] if names else "blender_addon"
if addon_utils.enable(name, default_set=True) is None:
    sys.exit({missing})
script = importlib.import_module(name + ".scene_script")
sys.exit(script.run_for_program(sys.argv[-1]))
"""
ADDON_MISSING = 76
# Where `gan_worker` lies, and in a checkout the add-on too.
CHECKOUT = Path(__file__).parent.parent.parent


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
    home: Annotated[
        Path | None, typer.Option(help="Folder of runs and keys; otherwise $TILEWRIGHT_HOME.")
    ] = None,
) -> None:
    """Fill a scene with materials by a recipe; run again, it makes only what is missing.

    Exit code: 0 done, 75 worth another try, 1 failed.
    """
    try:
        _check(recipe, scene, out, dry_run, part is not None)
        chosen_part = _parse_part(part, out or results, processes, ray)
        options = {
            "recipe": str(recipe.absolute()),
            "scene": str(scene.absolute()),
            "out": str(out.absolute()) if out else None,
            "dry_run": dry_run,
            "keep_going": keep_going,
            "results": str(results.absolute()) if results else None,
            "python": sys.executable,
            "home": str((home or home_folder()).absolute()),
            "part": chosen_part,
            "processes": processes or PROCESSES,
        }
        command = _command(blender)
        code = DONE
        if ray is not None and not dry_run:
            code = make_elsewhere(command, options, ray)
        if code == DONE:
            code = run_blender(command, options)
    except TilewrightError as error:
        terminal.show_error(error.info)
        code = _code_of(error)
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


def _code_of(error: TilewrightError) -> int:
    if isinstance(error, Cancelled):
        return INTERRUPTED
    return TRY_AGAIN if error.code in TRANSIENT else FAILED


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


def _command(blender: str | None) -> list[str]:
    """The program, up to where the code and the options follow."""
    if blender is None and importlib.util.find_spec("bpy"):
        return [sys.executable, "-c"]
    found = shutil.which(blender or "blender")
    if found is None:
        raise RequestError(
            "blender_missing",
            "A batch needs Blender, as the module bpy in the worker's Python or as a program; "
            f"{blender or 'blender'} is neither on the path nor a program.",
            "Name it: --blender /path/to/blender.",
        )
    return [found, "--background", "--python-exit-code", str(FAILED), "--python-expr"]


def run_blender(
    command: Sequence[str], options: dict[str, Any], view: BatchView | None = None
) -> int:
    """Run a recipe in a Blender of its own.

    Args:
        command: the program, up to where the code follows.
        options: of `scene_script.run_for_program`.
        view: shows how it goes; entered already. Otherwise one of its own.

    Returns:
        Its exit code.

    Raises:
        Cancelled: Ctrl+C; what was made stays, and the worker leaves by itself.
        RequestError: `blender_missing` where that Blender does not have the add-on.
    """
    code = BOOTSTRAP.format(beside=str(CHECKOUT), missing=ADDON_MISSING)
    shown = BatchView() if view is None else nullcontext(view)
    with tempfile.TemporaryFile() as log, shown as view, _ended_by_farms():
        process = subprocess.Popen(
            [*command, code, "--", json.dumps(options)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=os.name == "posix",  # Ctrl+C comes to us, and we end it
        )
        with process:
            try:
                assert process.stdout is not None
                for news in _news(process.stdout, view.other):
                    view.show(news)
                status = process.wait()
            except KeyboardInterrupt:
                raise Cancelled from None
            finally:
                _end(process)
        return _exit_code(status, view, log)


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
    for config, model_hash, names in view.items["items"]:
        item = work_item(from_json(GenerationConfig, config), model_hash)
        objects[item.key] = names
        if store.find(item) is None:
            missing.append(item)
    began = time.monotonic()
    with closing(make_on_ray(missing, runs_folder, address)) as results, _ended_by_farms():
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


@contextmanager
def _ended_by_farms() -> Iterator[None]:
    """Take what a render farm ends its tasks with as Ctrl+C, so that Blender ends too."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _news(lines: IO[bytes], other: deque[str]) -> Iterator[dict[str, Any]]:
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip()
        if line.startswith(MARK):
            yield json.loads(line.removeprefix(MARK))
        else:
            other.append(line)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End Blender if it still runs; nothing on the disk is ever half there."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(LEAVE_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _exit_code(status: int, view: BatchView, log: IO[bytes]) -> int:
    if view.ended:
        return status
    log.seek(0)
    lines = [*view.other, *log.read().decode("utf-8", "replace").splitlines()]
    told = "\n".join(lines[-TAIL:]) or "it said nothing"
    if status == ADDON_MISSING:
        raise RequestError(
            "blender_missing",
            f"The Blender that runs a batch must have the Tilewright extension; it does not:\n{told}",
            "Install the extension in it, or use --blender with one that has it.",
        )
    message = f"Blender must run the recipe to its end; it ended with {status}:\n{told}"
    cure = "Run it again: only what is missing is made."
    terminal.show_error(ErrorInfo("blender_died", message, cure))
    # Killed by a signal, by whoever wanted its memory: what it made is there.
    return TRY_AGAIN if status < 0 else FAILED


@dataclass
class BatchView:
    """Shows a batch as it goes: a bar in a terminal, lines in a file.

    Attributes:
        ended: whether the run said how it ended.
        items: what is to be made and where, where that was asked for.
        other: the last lines of what else Blender printed.
    """

    ended: bool = False
    items: dict[str, Any] | None = None
    other: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))

    def __post_init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[eta]}"),
            console=terminal.output,
            disable=not terminal.output.is_terminal,
        )
        self._task: TaskID | None = None
        self._line_at = 0.0

    def __enter__(self) -> BatchView:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, news: dict[str, Any]) -> None:
        """Show one piece of news."""
        for kind, told in news.items():
            match kind:
                case "stage":
                    terminal.show_stage(told)
                case "note":
                    terminal.output.print(Text(told, style="yellow"), soft_wrap=True)
                case "progress":
                    self._show_progress(told)
                case "plan":
                    self.ended = True
                    show_plan(told)
                case "items":
                    self.ended, self.items = True, told
                case "done":
                    self.ended = True
                    _show_done(told)
                case "error":
                    self.ended = True
                    terminal.show_error(error_from_info(ErrorInfo(**told)).info)

    def _show_progress(self, told: dict[str, Any]) -> None:
        if self._task is None:
            self._task = self._bar.add_task("materials", total=told["total"], eta="")
        eta = "" if told["eta"] is None else f"ETA {terminal.clock(told['eta'])}"
        self._bar.update(self._task, completed=told["done"], eta=eta)
        if not terminal.output.is_terminal and time.monotonic() >= self._line_at:
            self._line_at = time.monotonic() + terminal.LINE_EVERY
            terminal.output.print(f"{told['done']} of {told['total']} materials {eta}".rstrip())


def show_plan(told: dict[str, Any]) -> None:
    """The table of a dry run, all of it."""
    table = Table(*COLUMNS, title=f"{told['materials']} materials")
    for row in told["rows"]:
        table.add_row(*map(Text, row))
    terminal.output.print(table)
    for note in told["notes"]:
        terminal.output.print(Text(note, style="yellow"), soft_wrap=True)


def _show_done(told: dict[str, Any]) -> None:
    text = f"{told['applied']} slots filled with {told['total']} materials: {told['made']} made, "
    text += f"{told['kept']} were there, {told['failed']} failed"
    terminal.output.print(text, soft_wrap=True)
