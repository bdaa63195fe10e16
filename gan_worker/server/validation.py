"""Validation of jobs: all that can be known before the compute process starts."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from gan_worker.config import (
    MOST_STEPS,
    PRESETS,
    GenerationConfig,
    RepairConfig,
    TrainingConfig,
    check_name,
    check_size,
)
from gan_worker.dataclass_json import from_json
from gan_worker.errors import RequestError
from gan_worker.materials.maps import MAPS
from gan_worker.server.allowed_folders import AllowedFolders
from gan_worker.style import check_materials, check_style, chosen_styles, slider_directions
from gan_worker.wire.messages import SIDE_LIMIT, JobKind, ModelEntry

MOST_GPUS = 64


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
            return self._check_training(from_json(TrainingConfig, config), training)
        if kind == "repair":
            return self._check_repair(from_json(RepairConfig, config))
        return self._check_generation(from_json(GenerationConfig, config), training)

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
                        *("step", "kimg", "styles", "copied"),
                    )
                },
                live=info.name in training,
                directions=slider_directions(info.w_dim),
            )
            for info in found
        ]
        return sorted(entries, key=lambda entry: entry.created, reverse=True)

    def _check_training(self, config: TrainingConfig, training: Collection[str]) -> str:
        check_name(config.run, "run")
        _hold(
            config.preset in PRESETS, f"preset must be one of {', '.join(PRESETS)}", config.preset
        )
        _hold(
            config.minutes is None or config.minutes > 0, "minutes must be above 0", config.minutes
        )
        _hold(config.kimg is None or config.kimg > 0, "kimg must be above 0", config.kimg)
        _hold(config.scale is None or 0 < config.scale <= 8, "scale must be in 0..8", config.scale)
        _hold(1 <= config.gpus <= MOST_GPUS, f"gpus must be 1 to {MOST_GPUS}", config.gpus)
        _hold(config.seed >= 0, "seed must be 0 or more", config.seed)
        _hold(config.resume or config.pictures, "pictures must name a file or folder", "none")
        if config.run in training:
            raise RequestError(
                "run_exists",
                f"A run's name must be free; {config.run} waits or trains now.",
                "Stop it first, or choose another name.",
            )
        self._check_run(config)
        self._folders.resolve(config.pictures)
        return config.run

    def _check_run(self, config: TrainingConfig) -> None:
        from gan_worker.runs import run

        if config.resume:
            run.Run.open(self._runs, config.run)
        elif run.is_taken(self._runs, config.run):
            raise RequestError(
                "run_exists",
                f"A run's name must be free; there is already one named {config.run}.",
                "Choose another name, or resume that run.",
            )

    def _check_generation(self, config: GenerationConfig, training: Collection[str]) -> str:
        check_name(config.model, "model")
        if not (0 < config.width <= SIDE_LIMIT and 0 < config.height <= SIDE_LIMIT):
            raise RequestError(
                "invalid_size",
                f"Width and height must be 1 to {SIDE_LIMIT} pixels; "
                f"received {config.width}×{config.height}.",
                "Choose a smaller size.",
            )
        unknown = [name for name in config.maps if name not in MAPS]
        _hold(not unknown, f"maps must be among {', '.join(MAPS)}", ", ".join(unknown))
        _hold(
            0 <= config.truncation_psi <= 2, "truncation_psi must be in 0..2", config.truncation_psi
        )
        _hold(config.seed >= 0, "seed must be 0 or more", config.seed)
        check_style(config.z, config.material, config.mix, config.style_map, config.directions)
        if config.model not in training:
            self._check_model(config)
        return config.model

    def _check_repair(self, config: RepairConfig) -> str:
        from gan_worker.runs import run

        check_name(config.model, "model")
        _hold(1 <= config.steps <= MOST_STEPS, f"steps must be 1 to {MOST_STEPS}", config.steps)
        _hold(config.seed >= 0, "seed must be 0 or more", config.seed)
        in_range = config.scale is None or 0.01 <= config.scale <= 4
        _hold(in_range, "scale must be in 0.01..4", config.scale)
        run.open_model(self._runs, config.model)
        self._folders.resolve([config.picture, config.mask])
        return config.model

    def _check_model(self, config: GenerationConfig) -> None:
        from gan_worker.runs import run

        model = run.read_model_info(run.open_model(self._runs, config.model))
        check_size(config.width, config.height, model.stride)
        if config.z and len(config.z) != model.z_dim:
            raise RequestError(
                "invalid_latent",
                f"z must have {model.z_dim} numbers for this model; got {len(config.z)}.",
                "Leave z empty, or give as many numbers as the model has.",
            )
        named = chosen_styles(config.material, config.mix, config.style_map)
        check_materials(named, model.styles)


def _hold(condition: object, rule: str, received: object) -> None:
    if not condition:
        raise RequestError("invalid_config", f"{rule}; received {received}.", "Correct the value.")
