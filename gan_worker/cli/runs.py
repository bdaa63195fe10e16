"""The commands that keep runs tidy: `gan-worker rename` and `gan-worker delete`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gan_worker.cli import terminal
from gan_worker.cli.options import Home, runs_folder
from gan_worker.errors import Cancelled, RequestError
from gan_worker.runs import run as runs
from gan_worker.server.allowed_folders import AllowedFolders
from gan_worker.server.run_catalogue import RunCatalogue


def rename(
    run: Annotated[str, typer.Argument(help="Name of a run; see gan-worker runs.")],
    name: Annotated[str, typer.Argument(help="Its new name.")],
    home: Home = None,
) -> None:
    """Give a run, and so its model, another name."""
    folder = runs_folder(home)
    RunCatalogue(folder, AllowedFolders({}, ())).rename(run, name, ())
    terminal.output.print(f"{run} is now {name}, in {folder / name}", soft_wrap=True)


def delete(
    run: Annotated[str, typer.Argument(help="Name of a run; see gan-worker runs.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = None,
) -> None:
    """Delete a run with its model and checkpoints, for good."""
    folder = runs_folder(home)
    store = RunCatalogue(folder, AllowedFolders({}, ()))
    path = runs.Run.open(folder, run).path
    if not yes:
        if not sys.stdin.isatty():
            raise RequestError(
                "not_allowed",
                f"A person must confirm that {run!r} is deleted; there is no terminal to ask in.",
                "Add --yes.",
            )
        if not typer.confirm(f"Delete {run} with its model and checkpoints in {path}, for good?"):
            raise Cancelled
    store.delete(run, ())
    terminal.output.print(f"{run} was deleted", soft_wrap=True)
