"""View of a batch: a bar in a terminal, lines in a file, and the table of a dry run."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from gan_worker.cli import terminal
from gan_worker.errors import ErrorInfo, counted, error_from_info
from gan_worker.scenes.plan import COLUMNS

# Lines of Blender's own that are shown when it dies.
TAIL = 16


@dataclass
class BatchView:
    """Shows a batch as it goes: a bar in a terminal, lines in a file.

    Attributes:
        ended: whether the run said how it ended.
        exit_code: that the run told last; None where an older extension does not, or where it broke off.
        items: what is to be made and where, where that was asked for.
        other: the last lines of what else Blender printed.
    """

    ended: bool = False
    exit_code: int | None = None
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
                    terminal.output.print(terminal.line(told, style="yellow"), soft_wrap=True)
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
                case "exit_code":
                    self.exit_code = told
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
    table = Table(*COLUMNS, title=counted(told["materials"], "material"))
    for row in told["rows"]:
        table.add_row(*map(Text, row))
    terminal.output.print(table)
    for note in told["notes"]:
        terminal.output.print(terminal.line(note, style="yellow"), soft_wrap=True)


def _show_done(told: dict[str, Any]) -> None:
    filled = f"{counted(told['applied'], 'slot')} filled with {counted(told['total'], 'material')}"
    text = f"{filled}: {told['made']} made, {told['kept']} there already, {told['failed']} failed"
    terminal.output.print(text, soft_wrap=True)
