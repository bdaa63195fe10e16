"""What the command line shows of where a model or a picture comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from rich.table import Table
from rich.text import Text

from gan_worker.cli.terminal import ROWS_SHOWN, output
from gan_worker.materials.metadata import rights_line
from gan_worker.runs.provenance import Provenance, TrainingPicture

UNKNOWN = "not recorded"


def show_provenance(model: str, found: Provenance) -> None:
    """The training pictures of a model, how it was trained, and the sum."""
    table = Table("Picture", "Size", "Author", "Licence", "Source", "sha256", title=model)
    for picture in found.pictures[:ROWS_SHOWN]:
        table.add_row(
            Text(picture.file),
            f"{picture.width}×{picture.height}",
            *(
                Text(value or UNKNOWN)
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
        output.print(Text(f"From step {session.step}: {chosen}; {versions}"), soft_wrap=True)
    output.print(Text(rights_line(found.credits)), soft_wrap=True)
    output.print(f"Hash {found.hash}", soft_wrap=True)


def show_texts(title: str, texts: Mapping[str, Any]) -> None:
    """Name and value of each text, one a line; of a recipe what was chosen."""
    table = Table("What", title=Text(title))
    table.add_column("Value", overflow="fold")
    for name, value in texts.items():
        chosen = _chosen(value) if isinstance(value, dict) else value
        table.add_row(name.replace("_", " "), Text(str(chosen)))
    output.print(table)


def _chosen(recipe: dict[str, Any]) -> str:
    """The choices of a recipe that differ from nothing; the rest stands in lines of its own."""
    others = {k: v for k, v in recipe.items() if k not in ("model", "model_hash", "credits")}
    return ", ".join(f"{name} {value}" for name, value in others.items() if value)


def show_picture(picture: TrainingPicture) -> None:
    """What training would record of a picture."""
    values = {f.name: getattr(picture, f.name) or UNKNOWN for f in fields(picture)}
    show_texts("Not marked as generated; a training on its folder would record", values)
