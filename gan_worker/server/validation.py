"""Validation of jobs: all that can be known before the compute process starts."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_worker.config import GenerationConfig, RepairConfig, TrainingConfig
from gan_worker.dataclass_json import to_json
from gan_worker.errors import require
from gan_worker.names import name_is_taken
from gan_worker.wire.codec import read_fields

if TYPE_CHECKING:
    from gan_worker.server.allowed_folders import AllowedFolders
    from gan_worker.wire.messages import JobKind


class Validation:
    """Checks a config against this worker's runs, models and allowed folders.

    Args:
        runs_folder: where runs are.
        folders: which pictures may be named.
        check_change: refuses a run that the client with a key may not go on with.
    """

    def __init__(
        self,
        runs_folder: Path,
        folders: AllowedFolders,
        check_change: Callable[[str, str], None],
    ) -> None:
        self._runs = runs_folder
        self._folders = folders
        self._check_change = check_change

    def check(
        self, owner: str, kind: JobKind, config: dict[str, Any], training: Collection[str]
    ) -> tuple[str, dict[str, Any]]:
        """Check a config as it came from a client.

        Args:
            owner: public key of the client.
            kind: of the job.
            config: fields of `TrainingConfig`, `GenerationConfig` or `RepairConfig`.
            training: names of runs that wait or train now.

        Returns:
            The name of the run or the model, and the config without fields that nobody reads.

        Raises:
            TilewrightError: what must hold and does not.
        """
        if kind == "train":
            trained = read_fields(TrainingConfig, config)
            return self._check_training(owner, trained, training), to_json(trained)
        if kind == "repair":
            repaired = read_fields(RepairConfig, config)
            return self._check_repair(owner, repaired), to_json(repaired)
        generated = read_fields(GenerationConfig, config)
        return self._check_generation(generated, training), to_json(generated)

    def resolve(
        self, owner: str, kind: JobKind, config: dict[str, Any], attempt: int
    ) -> dict[str, Any]:
        """Turn names of pictures into paths, and a later attempt at a run into its resumption."""
        if kind == "generate":
            return config
        if kind == "repair":
            picture, mask = self._folders.resolve(owner, [config["picture"], config["mask"]])
            return dict(config, picture=picture, mask=mask)
        pictures = self._folders.resolve(owner, config.get("pictures", []))
        chosen = dict(config, pictures=list(pictures))
        if attempt > 1 and (self._runs / chosen["run"]).exists():
            chosen["resume"] = True
        return chosen

    def _check_training(self, owner: str, config: TrainingConfig, training: Collection[str]) -> str:
        config.check()
        require(
            config.run not in training,
            "A run must not be in training already",
            f"{config.run}, which waits or trains now",
            "Stop it first, or choose another name.",
            "run_exists",
        )
        self._check_run(owner, config)
        self._check_estimator(config.estimator)
        self._folders.resolve(owner, config.pictures)
        return config.run

    def _check_run(self, owner: str, config: TrainingConfig) -> None:
        from gan_worker.runs import run

        if config.resume:
            opened = run.Run.open(self._runs, config.run)
            self._check_change(config.run, owner)
            opened.check_goes_on()
        elif run.is_taken(self._runs, config.run):
            raise name_is_taken(config.run)

    def _check_estimator(self, name: str) -> None:
        from gan_worker.runs import run

        if name:
            run.open_estimator(self._runs, name)

    def _check_generation(self, config: GenerationConfig, training: Collection[str]) -> str:
        from gan_worker.runs import run

        config.check()
        if config.estimation:
            self._check_estimator(config.estimation.estimator)
        if config.model not in training:
            config.check_for(run.read_model_info(run.open_model(self._runs, config.model)))
        return config.model

    def _check_repair(self, owner: str, config: RepairConfig) -> str:
        from gan_worker.runs import run

        config.check()
        if config.estimation:
            self._check_estimator(config.estimation.estimator)
        config.check_for(run.read_model_info(run.open_model(self._runs, config.model)))
        self._folders.resolve(owner, [config.picture, config.mask])
        return config.model
