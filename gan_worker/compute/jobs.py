"""Jobs of a compute process: training, generation and repair with TensorFlow, which it loads when asked to."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gan_worker.materials.maps import MAPS

if TYPE_CHECKING:
    from gan_worker.config import GenerationConfig, RepairConfig, TrainingConfig
    from gan_worker.progress import GeneratedMaterial, Report

# Seconds until a run that another process trains is given up: a little more than that one has to save and leave.
LOCK_PATIENCE = 30.0
MODELS_KEPT = 2


class Program(Protocol):
    """What a compute process does; the tests give a stand-in for TensorFlow's part."""

    def device_name(self) -> str:
        """Load what is heavy and say where it runs."""

    def train(
        self,
        config: TrainingConfig,
        report: Callable[[Report], None],
        should_stop: Callable[[], bool],
    ) -> None:
        """Train until the budget is met or `should_stop` says so."""

    def generate(
        self,
        config: GenerationConfig,
        live: Any,
        report: Callable[[Report], None],
        should_stop: Callable[[], bool],
    ) -> GeneratedMaterial:
        """Generate with the model in training where one is given, else with the saved one.

        The maps are uint8 or uint16, as `maps` says.
        """

    def repair(
        self,
        config: RepairConfig,
        report: Callable[[Report], None],
        should_stop: Callable[[], bool],
    ) -> GeneratedMaterial:
        """Fill what is masked in a material with the saved model; what files hold stays uint8 or uint16."""

    def free_memory(self) -> None:
        """Forget what can be read again."""


class GanProgram:
    """The real program.

    Args:
        home: folder of runs.
    """

    def __init__(self, home: Path) -> None:
        self._runs = home / "runs"
        self._models: dict[str, tuple[int, Any]] = {}

    def device_name(self) -> str:
        from gan_worker.gan.generation import model as generation
        from gan_worker.gan.training import loop

        assert loop is not None
        return str(generation.device_name())

    def train(
        self,
        config: TrainingConfig,
        report: Callable[[Report], None],
        should_stop: Callable[[], bool],
    ) -> None:
        from gan_worker.gan.training import loop
        from gan_worker.runs.run import Run

        make = Run.open if config.resume else Run.create
        run = make(self._runs, config.run)
        with run.writing(LOCK_PATIENCE):
            if _was_made(config, run):
                if tick := run.last_tick():
                    report(tick)
                return
            loop.train(_completed(config, run), run, report, should_stop)

    def generate(
        self,
        config: GenerationConfig,
        live: Any,
        report: Callable[[Report], None],
        should_stop: Callable[[], bool],
    ) -> GeneratedMaterial:
        model = live if live is not None else self._model(config.model)
        bits = {name: kind.bits for name, kind in MAPS.items()}
        material: GeneratedMaterial = model.generate(config, bits, report, should_stop)
        return material

    def repair(
        self,
        config: RepairConfig,
        report: Callable[[Report], None],
        should_stop: Callable[[], bool],
    ) -> GeneratedMaterial:
        from gan_worker.compute.repair import repair

        return repair(self._model(config.model), config, report, should_stop)

    def free_memory(self) -> None:
        self._models.clear()
        gc.collect()

    def _model(self, name: str) -> Any:
        from gan_worker.gan.generation import model as generation
        from gan_worker.runs import run as runs

        folder = runs.open_model(self._runs, name)
        changed = (folder / "model.json").stat().st_mtime_ns
        known = self._models.pop(name, None)
        if known is None or known[0] != changed:
            known = (changed, generation.load_model(folder, self._runs))
        self._models[name] = known
        while len(self._models) > MODELS_KEPT:
            del self._models[next(iter(self._models))]
        return known[1]


def _was_made(config: TrainingConfig, run: Any) -> bool:
    """Whether an earlier attempt has made this very photo the run's model, or an estimator of these very sets.

    It was ended before anybody heard of it.

    Who asks to resume such a run is refused before it comes here.
    """
    from gan_worker.runs.run import has_model, is_estimator

    made = {"photo": has_model, "estimator": is_estimator}.get(config.preset)
    if made is None or not config.resume or not made(run.path):
        return False
    return bool(dataclasses.replace(run.load_config(), resume=True) == config)


def _completed(config: TrainingConfig, run: Any) -> TrainingConfig:
    """A resumption that names no pictures takes all but its budget from the run."""
    if config.pictures or not config.resume:
        return config
    stored = run.load_config()
    chosen: TrainingConfig = dataclasses.replace(
        stored, minutes=config.minutes, kimg=config.kimg, resume=True
    )
    return chosen
