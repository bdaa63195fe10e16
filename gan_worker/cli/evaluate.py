"""The command `gan-worker evaluate`: measures how close a model comes to real pictures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gan_worker import __version__
from gan_worker.cli import evaluation_view, terminal
from gan_worker.cli.options import Home, check_places, invalid, quiet_loading, runs_folder
from gan_worker.files import write_json
from gan_worker.materials.metadata import marks
from gan_worker.materials.pictures import write_picture
from gan_worker.runs import run

MOST_JUDGED = 64


def evaluate(
    model: Annotated[str, typer.Argument(help="Name of a model; see gan-worker models.")],
    against: Annotated[
        list[Path], typer.Option(help="Real picture or folder to compare with; may be repeated.")
    ],
    seeds: Annotated[int, typer.Option(help="How many generated pictures are judged.")] = 4,
    json: Annotated[
        Path | None, typer.Option(help="File for the figures; otherwise in the model's folder.")
    ] = None,
    home: Home = None,
) -> None:
    """Measure how close a model comes to real pictures."""
    if not 2 <= seeds <= MOST_JUDGED:
        raise invalid(
            f"--seeds must lie between 2 and {MOST_JUDGED}; received {seeds}.", "Use --seeds 4."
        )
    check_places(tuple(str(place) for place in against))
    folder = run.open_model(runs_folder(home), model)
    with quiet_loading():
        from gan_worker.gan.generation import model as generation
        from gan_worker.gan.metrics import evaluation

    loaded = generation.load_model(folder)
    with evaluation_view.EvaluationView() as view:
        places = [str(place.absolute()) for place in against]
        found, sheet = evaluation.evaluate_model(loaded, places, range(1, seeds + 1), view.report)
    evaluation_view.show_evaluation(found)
    file = json or folder / "evaluation.json"
    write_json(file, asdict(found))
    terminal.output.print(f"All figures in {file.absolute()}", soft_wrap=True)
    picture = file.with_name(f"{file.stem}_likeness.png")
    info = loaded.info
    write_picture(picture, sheet, marks=marks(info.name, info.hash, __version__, info.credits))
    terminal.output.print(
        f"Generated pieces beside the real ones most like them in {picture.absolute()}",
        soft_wrap=True,
    )
