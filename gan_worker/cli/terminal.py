"""Terminal output: tables, a progress bar and errors; and Ctrl+C."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from gan_worker.errors import Cancelled, ErrorInfo, TilewrightError
from gan_worker.limits import DETAILS
from gan_worker.printable import printable, printable_lines
from gan_worker.progress import (
    DataReport,
    GeneratedMaterial,
    Notice,
    Report,
    Stage,
    TrainingProgress,
    Waiting,
    copy_warning,
)
from gan_worker.runs.run import ModelInfo, Run, has_model, is_estimator

if TYPE_CHECKING:
    from gan_worker.validation.findings import Finding


class Terminal(Console):
    """A console that obeys nothing that stands in texts: no escape codes, and no markup."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable_lines(text), style, control)


output = Terminal()
messages = Terminal(stderr=True)

ROWS_SHOWN = 20
# Seconds between two lines of progress where the output is a file and no bar can be drawn.
LINE_EVERY = 10.0
# A border that stands out this much more than the inside is worth a look.
VISIBLE_SEAM = 1.5
STATE_STYLES = {"ok": "green", "warn": "yellow", "bad": "bold red"}
SHORT = {"generator": "G", "discriminator": "D"}


def line(text: str, style: str = "") -> Text:
    """A text in one line, whatever stands in it."""
    return Text(printable(text), style)


def show_error(info: ErrorInfo) -> None:
    """What is wrong in red, what to do about it, and the code."""
    messages.print(Text(info.message, style="bold red"), soft_wrap=True)
    messages.print(Text(info.cure), soft_wrap=True)
    messages.print(Text(f"[{info.code}]", style="dim"), soft_wrap=True)


def show_stage(text: str) -> None:
    """What is going on while there is nothing else to see."""
    output.print(line(f"{text} …", style="dim"))


def show_warning(text: str) -> None:
    """What a person must not overlook, though the work succeeded."""
    output.print(line(f"Warning: {text}", style="bold yellow"), soft_wrap=True)


def show_data_report(report: DataReport) -> None:
    """What was found, what was left out and why, and what was guessed."""
    title = f"Learning from {len(report.materials)}" if report.learned else "The photo"
    table = Table("Material", "Size", "Maps", title=title)
    for entry in report.materials[:ROWS_SHOWN]:
        table.add_row(line(entry.name), f"{entry.width}×{entry.height}", ", ".join(entry.maps))
    _show(table, len(report.materials))
    if report.skipped:
        skipped = Table("File", "Left out because", title=f"Left out: {len(report.skipped)}")
        for file in report.skipped[:ROWS_SHOWN]:
            skipped.add_row(line(file.file), line(file.reason))
        _show(skipped, len(report.skipped))
    show_notes(report.notes)
    output.print(f"Maps: {', '.join(report.maps)}", soft_wrap=True)
    output.print(" ".join(report.in_words()), soft_wrap=True, highlight=False)


def show_notes(notes: Iterable[str]) -> None:
    """Sentences a person should read."""
    for note in notes:
        output.print(line(f"Note: {note}", style="yellow"), soft_wrap=True)


def show_findings(name: str, findings: Sequence[Finding]) -> None:
    """What a check of a material says of each of its maps."""
    table = Table("Map", "", "What was found", "What to do", title=line(name))
    for finding in findings:
        table.add_row(
            finding.map or "all",
            line(finding.state, style=STATE_STYLES[finding.state]),
            line(finding.message),
            line(finding.cure),
        )
    output.print(table)


def show_exported(files: Sequence[tuple[Path, str]]) -> None:
    """What was written, and how to import each file."""
    table = Table("File", "What it is and how to import it")
    for file, use in files[:ROWS_SHOWN]:
        table.add_row(line(file.name), line(use))
    output.print(table)
    if len(files) > ROWS_SHOWN:
        output.print(f"… and {len(files) - ROWS_SHOWN} more, of the same kinds")


def _show(table: Table, rows: int) -> None:
    output.print(table)
    if rows > ROWS_SHOWN:
        output.print(f"… and {rows - ROWS_SHOWN} more, all in data_report.json")


def show_models(known: Sequence[ModelInfo], unreadable: Mapping[str, str]) -> None:
    """All models that are offered in their order, how many are not, and why others are none."""
    models = [info for info in known if not info.retired]
    name, made = Column("Model", no_wrap=True), Column("Made", no_wrap=True)
    table = Table(name, "Maps", "Preset", "Size in steps of", "Trained", made)
    for info in models:
        copied = "" if info.copied is None else f", {info.copied:.0%} copied"
        trained = "not at all" if info.tile else f"{info.kimg:.1f} kimg{copied}"
        step = "×".join(map(str, info.tile or (info.stride,)))
        maps = ", ".join(info.maps)
        table.add_row(line(info.name), maps, info.preset, f"{step} px", trained, info.created[:10])
    output.print(table)
    for info in models:
        if info.styles:
            names = ", ".join(info.styles)
            output.print(line(f"{info.name} knows by name: {names}"), soft_wrap=True)
    for info in models:
        if info.octaves:
            ways = ", ".join(DETAILS[: info.octaves + 1])
            told = f"{info.name} has its pictures' detail at {info.scale:.0%} of their size: {ways}"
            output.print(line(told), soft_wrap=True)
    for info in models:
        warning = copy_warning(info.copied)
        if warning:
            show_warning(f"{info.name}: {warning}")
    retired = len(known) - len(models)
    if retired:
        told = f"{retired} more came with earlier versions; by their names they work as before."
        output.print(told, soft_wrap=True)
    _show_unreadable(unreadable)


def _show_unreadable(unreadable: Mapping[str, str]) -> None:
    for name, reason in unreadable.items():
        show_warning(printable(f"{name} cannot be listed: {reason}"))


def show_runs(runs: Iterable[Run]) -> None:
    """All runs with how far each has come, and why other folders are none."""
    table = Table("Run", "Step", "kimg", "Minutes", "Budget used", "Checkpoints", "Model")
    unreadable: dict[str, str] = {}
    for run in runs:
        try:
            run.check_name()
            table.add_row(*_cells(run))
        except TilewrightError as error:
            unreadable[run.name] = error.info.message
    output.print(table if table.rows else "No runs yet: gan-worker train PICTURES --run NAME")
    _show_unreadable(unreadable)


def _cells(run: Run) -> list[Text | str]:
    last = run.last_tick() or TrainingProgress(0, 0, 0, 0, None, 0, {})
    return [
        line(run.name),
        str(last.step),
        f"{last.kimg:.2f}",
        f"{last.seconds / 60:.1f}",
        f"{last.fraction:.0%}",
        str(len(run.checkpoints())),
        "estimator" if is_estimator(run.path) else "yes" if has_model(run.path) else "no",
    ]


def show_materials(materials: Sequence[GeneratedMaterial]) -> None:
    """The seam ratio of every map; 1 is a border like any other line of the picture."""
    names = list(materials[0].maps) if materials else []
    # A sheet of separate pictures has none.
    names = [name for name in names if all(name in m.seam_ratios for m in materials)]
    title = "Seam ratio of each map (1 = no seam)" if names else None
    table = Table("Seed", *names, "Seconds", title=title)
    for material in materials:
        ratios = [material.seam_ratios[name] for name in names]
        cells = [line(f"{r:.2f}", style="red" if r > VISIBLE_SEAM else "green") for r in ratios]
        table.add_row(str(material.recipe.config.seed), *cells, f"{material.forward_seconds:.2f}")
    output.print(table)


def clock(seconds: float) -> str:
    """Hours, minutes and seconds as a clock shows them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class TrainingView:
    """Shows a training as it goes: a bar in a terminal, a line now and then in a file."""

    def __init__(self) -> None:
        self.last: TrainingProgress | None = None
        self._bar = Progress(
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.description}"),
            console=output,
            disable=not output.is_terminal,
        )
        self._task: TaskID | None = None
        self._doing, self._stage_at, self._line_at = "", 0.0, 0.0
        self._waits_for: ErrorInfo | None = None
        self._improves = True

    def __enter__(self) -> TrainingView:
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
        if isinstance(news, DataReport):
            show_data_report(news)
        elif isinstance(news, Stage):
            self._show_stage(news.text)
        elif isinstance(news, Notice):
            show_notice(news)
        elif isinstance(news, Waiting) and news.error != self._waits_for:
            self._waits_for = news.error
            show_notice(Notice(_waiting_text(news.error)))
        elif isinstance(news, TrainingProgress):
            self.last = news
            if news.step:  # a photo is not trained
                self._show_progress(news)

    def _show_stage(self, text: str) -> None:
        """Of what differs in its numbers alone, as the sets that are read do, a line now and then."""
        doing = re.sub(r"\d+", "", text)
        if doing != self._doing or time.monotonic() >= self._stage_at:
            self._doing, self._stage_at = doing, time.monotonic() + LINE_EVERY
            show_stage(text)

    def _show_progress(self, news: TrainingProgress) -> None:
        if self._improves != (news.stopped_for is None):
            self._improves = news.stopped_for is None
            show_notice(Notice(news.advice() or "It improves again."))
        line = progress_line(news)
        if output.is_terminal:
            if self._task is None:
                self._task = self._bar.add_task(line, total=1.0)
            self._bar.update(self._task, completed=news.fraction, description=line)
        elif time.monotonic() >= self._line_at or news.fraction >= 1:
            self._line_at = time.monotonic() + LINE_EVERY
            output.print(f"{news.fraction:>4.0%} {line}", soft_wrap=True, highlight=False)


def _waiting_text(error: ErrorInfo | None) -> str:
    if error is None:
        return "There is room again; the training goes on."
    return f"{error.message} The training waits, and goes on as soon as there is some."


def show_news(news: Report) -> None:
    """What is done to a picture, and what a person should know of it."""
    if isinstance(news, Stage):
        show_stage(news.text)
    elif isinstance(news, Notice):
        show_notice(news)
    elif isinstance(news, DataReport):
        show_notes(news.notes)


def show_notice(notice: Notice) -> None:
    """Say something that a person should know."""
    output.print(line(notice.text, style="yellow"), soft_wrap=True)


def progress_line(news: TrainingProgress) -> str:
    """Step, speed, losses and the time left; penalties are for TensorBoard."""
    losses = " ".join(
        f"{SHORT.get(name, name.replace('_', ' '))} {value:.3g}"
        for name, value in news.losses.items()
        if not name.endswith("_penalty")
    )
    left = f"ETA {clock(news.eta)}" if news.eta is not None else "time left not known yet"
    return f"step {news.step} · {news.images_per_second:.0f} images/s · {losses} · {left}"


class StopWish:
    """Ctrl+C once: stop after this step and save; twice: give up.

    Args:
        resumed: whether there is something to save before the first step.
    """

    def __init__(self, resumed: bool) -> None:
        self.gave_up = False
        self._has_something = resumed
        self._wanted = self._told = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopWish:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        if self._wanted:
            self.gave_up = True
            raise Cancelled
        self._wanted = True

    def note(self, news: Report) -> None:
        """Hear what is told: after the first step there is something to save."""
        self._has_something |= isinstance(news, TrainingProgress)

    def asked(self) -> bool:
        """Whether to stop; asked between two steps, and two sets that are read.

        Raises:
            Cancelled: somebody gave up, or there is nothing yet that is worth saving.
        """
        # TensorFlow swallows some of what is raised while it traces; so it is raised again here.
        if self.gave_up or (self._wanted and not self._has_something):
            raise Cancelled
        if self._wanted and not self._told:
            self._told = True
            text = "Stopping and saving; Ctrl+C again gives up what is not saved."
            messages.print(text)
        return self._wanted
