"""Curves of a run, drawn as a picture that anyone can open."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_worker.files import patiently, storage_errors

if TYPE_CHECKING:
    from gan_worker.progress import TrainingProgress

POINTS = 1000
FIGURES = {
    "local_contrast": "Local contrast (lower is better)",
    "swd/0": "Finest detail (lower is better)",
    "diversity": "Difference between seeds (1 is full)",
}


class Ticks:
    """Those ticks of a run that its curves need, of which a day has thousands: oldest first.

    Args:
        told: all so far, one after the other.
    """

    def __init__(self, told: Iterable[TrainingProgress] = ()):
        self._plain, self._figured = _Sparse(), _Sparse()
        for tick in told:
            self.add(tick)

    def add(self, tick: TrainingProgress) -> None:
        """Take in the newest; those from its step on were taken back."""
        for sparse in (self._plain, self._figured):
            sparse.forget(tick.step)
        # Figures are measured now and then, and are as many points again.
        (self._figured if tick.figures else self._plain).add(tick)

    def __iter__(self) -> Iterator[TrainingProgress]:
        return heapq.merge(self._plain.kept, self._figured.kept, key=lambda tick: tick.step)


class _Sparse:
    """Every tick at first, and each time there are twice as many as are drawn, every second of them from then on."""

    def __init__(self) -> None:
        self.kept: list[TrainingProgress] = []
        self._every, self._seen = 1, 0

    def add(self, tick: TrainingProgress) -> None:
        if self._seen % self._every == 0:
            self.kept.append(tick)
        self._seen += 1
        if len(self.kept) > 2 * POINTS:
            self.kept = self.kept[::2]
            self._every *= 2

    def forget(self, step: int) -> None:
        while self.kept and self.kept[-1].step >= step:
            self.kept.pop()


def draw_curves(ticks: Sequence[TrainingProgress], floor: Mapping[str, float], file: Path) -> None:
    """Draw losses and figures of a run over its minutes.

    Args:
        ticks: all of the run.
        floor: figures that real pictures reach among themselves, drawn as lines to come near to.
        file: a PNG, replaced in one step.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """
    # Only here: it takes half a second to load, and nothing else needs it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), dpi=100)
    FigureCanvasAgg(figure)
    # By hand: automatic layouts draw everything twice.
    figure.subplots_adjust(0.07, 0.08, 0.98, 0.95, 0.15, 0.18)
    axes = figure.subplots(2, 2, sharex=True).ravel()
    names = dict.fromkeys(name for tick in ticks for name in tick.losses)
    for name in (n for n in names if not n.endswith("_penalty")):
        shown = _thinned([t for t in ticks if name in t.losses])
        axes[0].plot([t.seconds / 60 for t in shown], [t.losses[name] for t in shown], label=name)
    axes[0].set_title("Losses", fontsize=9)
    for axis, (name, title) in zip(axes[1:], FIGURES.items(), strict=True):
        shown = _thinned([t for t in ticks if name in t.figures])
        axis.plot([t.seconds / 60 for t in shown], [t.figures[name] for t in shown], marker=".")
        if name in floor:
            axis.axhline(floor[name], color="grey", linestyle=":", label="real halves")
        axis.set_title(title, fontsize=9)
        axis.set_ylim(bottom=0)
    for axis in axes:
        axis.grid(alpha=0.3)
        if axis.get_legend_handles_labels()[1]:
            axis.legend(fontsize=7)
    for axis in axes[2:]:
        axis.set_xlabel("minutes", fontsize=9)
    partial = file.with_name(f".{file.name}.part")
    with storage_errors(file):
        figure.savefig(partial, format="png")
        patiently(partial.replace, file)


def _thinned(ticks: list[TrainingProgress]) -> list[TrainingProgress]:
    return ticks[:: len(ticks) // POINTS + 1]
