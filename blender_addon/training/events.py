"""Receivers of what the worker tells of trainings and runs."""

from __future__ import annotations

from gan_worker.client.events import (
    Connected,
    JobReport,
    PreviewReady,
    RunPreviewReady,
)
from gan_worker.progress import TrainingProgress
from gan_worker.wire.messages import RunConfig, WorkerFault

from ..generation import results
from ..worker import pump, session
from . import curves, preview, run_pictures, runs


def _tick() -> None:
    runs.follow()
    run_pictures.follow()


def _take_report(event: JobReport) -> None:
    training = session.current.training
    fresh = event.report.figures if isinstance(event.report, TrainingProgress) else None
    if fresh and training is not None and training.id == event.job:
        curves.show(training.figures)


def _take_settings(event: RunConfig) -> None:
    if runs.take_answer(event):
        results.add_undo_step("Duplicate Settings")


register, unregister = pump.joining(
    pump.Subject(
        tick=_tick,
        receivers={
            PreviewReady: lambda event: preview.show(event.preview.pixels),
            JobReport: _take_report,
            RunConfig: _take_settings,
            RunPreviewReady: run_pictures.show,
            Connected: lambda _event: run_pictures.clear(),
            WorkerFault: lambda _event: run_pictures.give_up(),
        },
    )
)
