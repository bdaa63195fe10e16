"""Validation of jobs: all that can be known before the compute process starts."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_worker.config import GenerationConfig, RepairConfig, TrainingConfig
from gan_worker.errors import require
from gan_worker.names import name_is_taken
from gan_worker.style import slider_directions
from gan_worker.wire.codec import read_fields
from gan_worker.wire.messages import JobKind, ModelEntry

if TYPE_CHECKING:
    from gan_worker.server.allowed_folders import AllowedFolders


class Validation:
    """Checks a config against this worker's runs, models and allowed folders.

    Args:
        runs_folder: where runs are.
        folders: which pictures may be named.
    """

    def __init__(self, runs_folder: Path, folders: AllowedFolders) -> None:
        self._runs = runs_folder
        self._folders = folders

    def check(self, kind: JobKind, config: dict[str, Any], training: Collection[str]) -> str:
        """Check a config as it came from a client.

        Args:
            kind: of the job.
            config: fields of `TrainingConfig`, `GenerationConfig` or `RepairConfig`.
            training: names of runs that wait or train now.

        Returns:
            The name of the run or the model.

        Raises:
            TilewrightError: what must hold and does not.
        """
        if kind == "train":
            return self._check_training(read_fields(TrainingConfig, config), training)
        if kind == "repair":
            return self._check_repair(read_fields(RepairConfig, config))
        return self._check_generation(read_fields(GenerationConfig, config), training)

    def resolve(self, kind: JobKind, config: dict[str, Any], attempt: int) -> dict[str, Any]:
        """Turn names of pictures into paths, and a later attempt at a run into its resumption."""
        if kind == "generate":
            return config
        if kind == "repair":
            picture, mask = self._folders.resolve([config["picture"], config["mask"]])
            return dict(config, picture=picture, mask=mask)
        chosen = dict(config, pictures=list(self._folders.resolve(config.get("pictures", []))))
        if attempt > 1 and (self._runs / chosen["run"]).exists():
            chosen["resume"] = True
        return chosen

    def models(self, training: Collection[str]) -> list[ModelEntry]:
        """The models there are, newest first."""
        from gan_worker.runs import (
            run,  # it needs NumPy, which a server that only greets does without
        )

        found = run.list_models(self._runs)
        entries = [
            ModelEntry(
                **{
                    name: getattr(info, name)
                    for name in (
                        *("name", "hash", "stride", "z_dim", "maps", "preset", "created"),
                        *("step", "kimg", "styles", "copied", "octaves", "scale"),
                    )
                },
                live=info.name in training,
                directions=slider_directions(info.w_dim),
            )
            for info in found
        ]
        return sorted(entries, key=lambda entry: entry.created, reverse=True)

    def _check_training(self, config: TrainingConfig, training: Collection[str]) -> str:
        config.check()
        require(
            config.run not in training,
            "A run must not be in training already",
            f"{config.run}, which waits or trains now",
            "Stop it first, or choose another name.",
            "run_exists",
        )
        self._check_run(config)
        self._folders.resolve(config.pictures)
        return config.run

    def _check_run(self, config: TrainingConfig) -> None:
        from gan_worker.runs import run

        if config.resume:
            run.Run.open(self._runs, config.run)
        elif run.is_taken(self._runs, config.run):
            raise name_is_taken(config.run)

    def _check_generation(self, config: GenerationConfig, training: Collection[str]) -> str:
        from gan_worker.runs import run

        config.check()
        if config.model not in training:
            config.check_for(run.read_model_info(run.open_model(self._runs, config.model)))
        return config.model

    def _check_repair(self, config: RepairConfig) -> str:
        from gan_worker.runs import run

        config.check()
        run.open_model(self._runs, config.model)
        self._folders.resolve([config.picture, config.mask])
        return config.model
