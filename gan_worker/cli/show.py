"""The commands that show what is there: `gan-worker models`, `runs` and `provenance`."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gan_worker.cli import provenance_view, terminal
from gan_worker.cli.options import Home, runs_folder
from gan_worker.errors import RequestError
from gan_worker.files import as_json
from gan_worker.materials.metadata import read_marks
from gan_worker.materials.pictures import read_header
from gan_worker.runs import run
from gan_worker.runs.provenance import describe_picture, read_provenance


def provenance(
    of: Annotated[str, typer.Argument(metavar="FILE|MODEL", help="A picture, or a model's name.")],
    json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
    home: Home = None,
) -> None:
    """Show whose pictures a model has learned from, or how a picture was generated."""
    if Path(of).is_file():
        _show_origin(Path(of), json)
        return
    folder = run.open_model(runs_folder(home), of)
    found = read_provenance(folder)
    if found is None:
        raise RequestError(
            "wrong_state",
            f"The model must have been trained by a version that records where pictures come from; {of!r} "
            "has no provenance.json.",
            f"Resume it with its pictures: gan-worker train --resume {shlex.quote(of)}.",
        )
    if json:
        typer.echo(as_json(asdict(found)))
    else:
        provenance_view.show_provenance(of, found)


def _show_origin(file: Path, json: bool) -> None:
    """How a picture was generated, or what training would record of it."""
    marked = read_marks(read_header(file)[2])
    if json:
        typer.echo(as_json(marked or asdict(describe_picture(file))))
    elif marked:
        provenance_view.show_texts(f"{file.name} was generated", marked)
    else:
        provenance_view.show_picture(describe_picture(file))


def models(home: Home = None) -> None:
    """List the models."""
    terminal.show_models(run.list_models(runs_folder(home)))


def show_runs(home: Home = None) -> None:
    """List the runs, finished or not."""
    folder = runs_folder(home)
    terminal.show_runs(run.Run(folder / name) for name in run.list_runs(folder))
