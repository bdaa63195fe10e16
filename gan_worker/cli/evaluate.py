"""The command `gan-worker evaluate`: measures how close a model comes to real pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gan_worker.cli import terminal
from gan_worker.cli.options import Home, quiet_loading, runs_folder, write_sheet
from gan_worker.cli.terminal import output, show_notice, show_stage, show_warning
from gan_worker.errors import require
from gan_worker.files import check_folder, check_places, write_json
from gan_worker.progress import (
    Evaluation,
    GenerationProgress,
    Notice,
    Report,
    Row,
    Stage,
    copy_warning,
)
from gan_worker.runs import run

MOST_JUDGED = 64
# A model is dotted or melted where its figure is so many times the real halves', and by so much more.
DOTTED, MELTED, LEAST_MELTED = 1.3, 2.0, 0.15
ROWS = {
    "model": "Model",
    "floor": "Real halves",
    "random_phase": "Shapeless",
    "noise": "Noise",
}
# What stands before the slash of a metric's name → its title, and what a good figure looks like.
METRICS = {
    "critic_auc": ("Told from real by a critic", "0.5: cannot tell, 1: always"),
    "local_contrast": ("Calm and busy places", "near real halves"),
    "dots": ("Dots at single pixels", "near 1; far above: dotted noise"),
    "melted": ("Edges and sizes of shapes", "near real halves; far above: melted"),
    "swd": ("Small pieces", "near real halves; 0 is the finest detail"),
    "gram": ("Textures in a random network", "near real halves"),
    "spectrum": ("Coarse against fine, dB", "near real halves"),
    "autocorrelation": ("Sizes and rhythm", "near real halves"),
    "histogram": ("Colors and values", "near real halves; of 255"),
    "correlations": ("Maps belong together", "below 0.1"),
    "normal_height": ("Normals fit the height", "near 0"),
    "coverage": ("Real pieces that are found", "near real halves, or lower"),
    "copied": ("Share of copied pieces", "below 0.05"),
    "diversity": ("Seeds differ", "near 1; 0: all the same"),
    "novelty": ("Pieces differ between seeds", "near 1; far below: repeats"),
    "seam_ratio": ("Step across the border", "1.05 or less"),
    "seam_rank": ("Lines calmer than the border", "below 1"),
    "seam_band": ("Detail along the border", "near 1; far below: smeared"),
    "shift_error": ("Depends on the place", "0"),
}


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
    """Measure how close a model comes to real pictures. Photos are prepared as they were for its training."""
    rule = f"--seeds must lie between 2 and {MOST_JUDGED}"
    require(2 <= seeds <= MOST_JUDGED, rule, seeds, "Use --seeds 4.")
    check_places(against)
    folder = run.open_model(runs_folder(home), model)
    file = json or folder / "evaluation.json"
    require(
        not file.is_dir(), "--json must name a file", f"the folder {file}", "Name a file in it."
    )
    check_folder(file.parent, made=False)
    with quiet_loading():
        from gan_worker.gan.generation import model as generation
        from gan_worker.gan.metrics import evaluation

    loaded = generation.load_model(folder)
    with EvaluationView() as view:
        places = [str(place.absolute()) for place in against]
        found, sheet = evaluation.evaluate_model(
            loaded, places, range(1, seeds + 1), view.report, run.Run(folder)
        )
    show_evaluation(found)
    write_json(file, asdict(found))
    terminal.output.print(f"All figures in {file.absolute()}", soft_wrap=True)
    picture = file.with_name(f"{file.stem}_likeness.png")
    write_sheet(picture, sheet, loaded.info)
    terminal.output.print(
        f"Generated pieces beside the real ones most like them in {picture.absolute()}",
        soft_wrap=True,
    )


class EvaluationView:
    """Shows what an evaluation does: a bar in a terminal, a line for each part in a file."""

    def __init__(self) -> None:
        self._bar = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=output,
            disable=not output.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> EvaluationView:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def report(self, news: Report) -> None:
        """Show one piece of news."""
        if isinstance(news, Stage) and output.is_terminal:
            self._bar.update(self._task, description=news.text)
        elif isinstance(news, Stage):
            show_stage(news.text)
        elif isinstance(news, Notice):
            show_notice(news)
        elif isinstance(news, GenerationProgress):
            self._bar.update(self._task, completed=news.done, total=news.total)


def show_evaluation(found: Evaluation) -> None:
    """A line for each metric, the model beside what the same metric gives for other things."""
    table = Table("What is measured", *ROWS.values(), "Good is", title=f"{found.model} judged")
    names = sorted(found.rows["model"], key=_order)
    for name in names:
        family, _, part = name.partition("/")
        title, good = METRICS[family]
        values = [found.rows[row].get(name) for row in ROWS]
        cells = ["–" if value is None else f"{value:.3g}" for value in values]
        table.add_row(terminal.line(f"{title} {part}".strip()), *cells, good)
    output.print(table)
    output.print(
        "Real halves: one half of the real pictures against the other. Shapeless: noise with the same "
        "coarse and fine detail as the real pictures, and no shapes.",
        soft_wrap=True,
    )
    output.print(terminal.line(f"Most like {found.nearest}, of the real pictures."), soft_wrap=True)
    warning = copy_warning(found.rows["model"]["copied"], found.nearest)
    if warning:
        show_warning(warning)
    for text in visible_faults(found.rows):
        output.print(terminal.line(text, style="yellow"), soft_wrap=True)


def visible_faults(rows: Mapping[str, Row]) -> list[str]:
    """What an artist would see in the model's pictures at once, and what to do about it, a sentence for each map."""
    found = []
    for name, real in rows["floor"].items():
        family, _, part = name.partition("/")
        value, what = rows["model"].get(name, real), part.replace("_", " ")
        if family == "dots" and value > DOTTED * max(1.0, real):
            found.append(
                f"There is dotted noise in {what}: single pixels stand out {value:.1f} times as much as in the real "
                "pictures. Train longer, or give it more pictures."
            )
        if family == "melted" and value > max(MELTED * real, real + LEAST_MELTED):
            found.append(
                f"Shapes in {what} have melted: their edges and sizes are {value / max(real, 0.01):.1f} times as far "
                "from the real pictures as one half of those from the other. Train longer, or give it more pictures."
            )
    return found


def _order(name: str) -> tuple[int, str]:
    return list(METRICS).index(name.partition("/")[0]), name
