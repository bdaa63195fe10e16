"""The commands that show what is there: `gan-worker models`, `runs` and `provenance`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from gan_worker.cli import terminal
from gan_worker.cli.options import Home, open_named, runs_folder
from gan_worker.cli.terminal import ROWS_SHOWN, output
from gan_worker.errors import RequestError
from gan_worker.files import as_json
from gan_worker.materials.metadata import credit_line, read_metadata
from gan_worker.materials.pictures import read_header
from gan_worker.runs import run
from gan_worker.runs.provenance import (
    Provenance,
    TrainingPicture,
    describe_picture,
    read_pretrained,
    read_provenance,
)

if TYPE_CHECKING:
    from gan_worker.config import Credits

UNKNOWN = "not recorded"


def provenance(
    of: Annotated[
        str,
        typer.Argument(
            metavar="FILE|MODEL",
            help="A picture, a model's name, or that of weights that come with the program: tiny, which trainings "
            "start from, or estimator, which maps are estimated with.",
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
    home: Home = None,
) -> None:
    """Show where a model or a generated picture comes from. Of a model, that is whose pictures it has learned from."""
    if Path(of).is_file():
        _show_origin(Path(of), json)
        return
    folder = runs_folder(home) / of
    estimates = run.is_estimator(folder)
    try:
        folder = folder if estimates else open_named(of, home, "the file of a picture")
    except RequestError:
        pretrained = read_pretrained(of)
        if pretrained is None:
            raise
        _show_found(of, pretrained, pretrained.credits, json)
        return
    found = read_provenance(folder)
    if found is None:
        raise RequestError(
            "wrong_state",
            f"The model must have been trained by a version that records where pictures come from; {of!r} "
            "has no provenance.json.",
            f"Resume it with its pictures: gan-worker train --resume {shlex.quote(of)}.",
        )
    if estimates:
        _show_found(of, found, found.credits, json)
        return
    info = run.read_model_info(folder)
    is_photo = info.tile is not None
    credits = replace(
        found.credits,
        contained=info.octaves > 0 or is_photo,
        materials=info.credits.materials,
        trained=not is_photo,
    )
    _show_found(of, found, credits, json)


def _show_found(of: str, found: Provenance, credits: Credits, json: bool) -> None:
    if json:
        typer.echo(as_json(asdict(found)))
    else:
        show_provenance(of, found, credits)


def _show_origin(file: Path, json: bool) -> None:
    """How a picture was generated, or what training would record of it."""
    marked = read_metadata(read_header(file)[2])
    if json:
        typer.echo(as_json(marked or asdict(describe_picture(file))))
    elif marked:
        show_texts(f"{file.name} was generated", marked)
    else:
        show_picture(describe_picture(file))


def models(home: Home = None) -> None:
    """List the models."""
    terminal.show_models(*run.list_models(runs_folder(home)))


def show_runs(home: Home = None) -> None:
    """List the runs, finished or not."""
    folder = runs_folder(home)
    terminal.show_runs(run.Run(folder / name) for name in run.list_runs(folder))


def show_provenance(model: str, found: Provenance, credits: Credits) -> None:
    """The training pictures of a model, how it was trained, and the sum."""
    table = Table("Picture", "Size", "Author", "License", "Source", "sha256", title=model)
    for picture in found.pictures[:ROWS_SHOWN]:
        table.add_row(
            terminal.line(picture.file),
            f"{picture.width}×{picture.height}",
            *(
                terminal.line(value or UNKNOWN)
                for value in (picture.author, picture.license, picture.source)
            ),
            picture.sha256[:12],
        )
    output.print(table)
    if len(found.pictures) > ROWS_SHOWN:
        output.print(f"… and {len(found.pictures) - ROWS_SHOWN} more; --json shows all")
    for session in found.sessions:
        versions = ", ".join(f"{name} {version}" for name, version in session.versions.items())
        chosen = ", ".join(f"{name} {value}" for name, value in session.settings.items())
        output.print(
            terminal.line(f"From step {session.step}: {chosen}; {versions}"), soft_wrap=True
        )
    output.print(terminal.line(credit_line(credits)), soft_wrap=True)
    if credits.contained:
        output.print("The model contains pieces of these pictures: who gets it gets them.")
    output.print(f"Hash {found.hash}", soft_wrap=True)


def show_texts(title: str, texts: Mapping[str, Any]) -> None:
    """Name and value of each text, one a line; of a recipe what was chosen."""
    table = Table("What", title=terminal.line(title))
    table.add_column("Value", overflow="fold")
    for name, value in texts.items():
        chosen = _chosen(value) if isinstance(value, dict) else value
        table.add_row(name.replace("_", " "), terminal.line(str(chosen)))
    output.print(table)


def _chosen(recipe: dict[str, Any]) -> str:
    """The choices of a recipe that differ from nothing; the rest stands in lines of its own."""
    others = {k: v for k, v in recipe.items() if k not in ("model", "model_hash", "credits")}
    return ", ".join(f"{name} {value}" for name, value in others.items() if value)


def show_picture(picture: TrainingPicture) -> None:
    """What training would record of a picture."""
    values = {f.name: getattr(picture, f.name) or UNKNOWN for f in fields(picture)}
    show_texts("Not marked as generated; a training on its folder would record", values)
