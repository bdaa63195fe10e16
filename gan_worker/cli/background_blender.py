"""Background Blender for a scene recipe: how it is found, started, heard and ended."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

from gan_worker.cli import terminal
from gan_worker.cli.batch_view import TAIL, BatchView
from gan_worker.errors import Cancelled, ErrorInfo, RequestError

DONE, FAILED, TRY_AGAIN = 0, 1, 75
MARK = "tilewright-batch "
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
script = importlib.import_module(name + ".scenes.script")
sys.exit(script.run_for_program(sys.argv[-1]))
"""
ADDON_MISSING = 76
# Where `gan_worker` lies, and in a checkout the add-on too.
CHECKOUT = Path(__file__).parents[2]


def find_blender(blender: str | None) -> list[str]:
    """The program, up to where the code and the options follow.

    Args:
        blender: its name or place; None takes the module bpy where it is there, else `blender`.

    Raises:
        RequestError: `blender_missing`.
    """
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
        options: of `scenes.script.run_for_program`.
        view: shows how it goes; entered already. Otherwise one of its own.

    Returns:
        Its exit code.

    Raises:
        Cancelled: Ctrl+C; what was made stays, and the worker leaves by itself.
        RequestError: `blender_missing` where that Blender does not have the add-on.
    """
    code = BOOTSTRAP.format(beside=str(CHECKOUT), missing=ADDON_MISSING)
    shown = BatchView() if view is None else nullcontext(view)
    with tempfile.TemporaryFile() as log, shown as view, ended_by_farms():
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


@contextmanager
def ended_by_farms() -> Iterator[None]:
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
    if view.exit_code is not None:  # a Blender that crashes while it quits has done its work
        return view.exit_code
    if view.ended:
        return TRY_AGAIN if was_killed(status) else status
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
    # By whoever wanted its memory: what it made is there.
    return TRY_AGAIN if was_killed(status) else FAILED


def was_killed(status: int) -> bool:
    """Whether a program that ended with this did not end by itself.

    Who was ended by the Task Manager cannot be told from who failed: it ends with 1.

    Args:
        status: negative for a signal; on Windows from 0xC0000000 on for what the system ends programs with.
    """
    return status < 0 or status >= 0xC0000000
