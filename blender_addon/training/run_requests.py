"""Requests about runs: rename, delete, continue, and use their settings again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gan_worker.config import TrainingConfig
from gan_worker.names import check_name, composed, unknown_run
from gan_worker.wire.messages import AskRunSettings, DeleteRun, RenameRun

from ..worker import session
from .training import start_training

if TYPE_CHECKING:
    import bpy

    from gan_worker.wire.messages import RunEntry


def rename_run(run: str, name: str) -> None:
    """Give a run, and so its model, another name.

    Raises:
        RequestError: `unknown_run`, or `invalid_config` for what cannot be a name.
        WorkerError: `worker_gone` without a connection.
    """
    session.current.ask(RenameRun(find_run(run).name, check_name(composed(name), "run")))


def delete_run(run: str) -> None:
    """Delete a run with its model and checkpoints, for good.

    Raises:
        RequestError: `unknown_run`.
        WorkerError: `worker_gone` without a connection.
    """
    session.current.ask(DeleteRun(find_run(run).name))


def continue_run(run: str, minutes: float) -> session.Job:
    """Train a run for so many more minutes.

    Raises:
        RequestError: `unknown_run`.
        WorkerError: `worker_gone` without a connection.
    """
    entry = find_run(run)
    # The worker counts from the run's first start.
    return start_training(TrainingConfig(entry.name, minutes=entry.minutes + minutes, resume=True))


def use_settings(run: str, scene: bpy.types.Scene) -> None:
    """Ask what a run was started with; the Train panel of a scene shows it once the worker has answered.

    Raises:
        RequestError: `unknown_run`.
        WorkerError: `worker_gone` without a connection.
    """
    session.current.ask(AskRunSettings(find_run(run).name))
    scene.tilewright.awaited_settings = run


def find_run(name: str) -> RunEntry:
    """The run of that name.

    Raises:
        RequestError: `unknown_run`.
    """
    found = session.current.run(name)
    if found is None:
        raise unknown_run(name, (entry.name for entry in session.current.runs))
    return found
