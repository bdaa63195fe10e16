"""Training: from pictures to a run folder with checkpoints, previews, numbers and a model."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from gan_worker.config import Credits, TrainingConfig
from gan_worker.dataclass_json import from_json, to_json
from gan_worker.errors import TrainingError, WorkerError
from gan_worker.gan.estimation.tuning import save_tuned
from gan_worker.gan.generation import arrays as checkpoint
from gan_worker.gan.generation.model import Model, computed_on
from gan_worker.gan.photo.making import save_photo_model
from gan_worker.gan.training.collapse import LOOK_EVERY, diverged
from gan_worker.gan.training.log import TrainingLog
from gan_worker.gan.training.native import NativeStep
from gan_worker.gan.training.pipelines import Pipeline, new_pipeline
from gan_worker.gan.training.previews import Previews
from gan_worker.gan.training.training_set import read_training_set
from gan_worker.memory import ran_out_of_memory, resident_memory_mb
from gan_worker.progress import (
    LiveModel,
    Notice,
    Preview,
    Report,
    Stage,
    TrainingProgress,
    copy_warning,
)
from gan_worker.runs.checkpoints import format_of
from gan_worker.runs.curves import Ticks, draw_curves
from gan_worker.runs.provenance import Provenance, read_provenance, write_provenance
from gan_worker.runs.room import Room
from gan_worker.runs.run import ModelInfo, Run

logger = logging.getLogger(__name__)

# Seconds between two checkpoints; the first comes early, so that little is lost from the start.
FIRST_CHECKPOINT, CHECKPOINT_EVERY = 5.0, 30.0
PREVIEW_EVERY = 10.0
# Seconds in which the speed of steps says nothing yet.
WARM_UP = 20.0
# So often a training that goes wrong is taken back, each time to half the learning rate.
MOST_ROLLBACKS = 3


def train(
    config: TrainingConfig,
    run: Run,
    report: Callable[[Report], None],
    should_stop: Callable[[], bool],
) -> None:
    """Train until the budget is used or `should_stop` says so, then save a checkpoint and the model.

    Args:
        config: what was chosen; `resume` continues from the run's newest good checkpoint, if it has one.
        run: the run's folder.
        report: is told what happens, as it happens.
        should_stop: is asked between two steps; its own time does not count. It may raise `Cancelled`. While
            pictures are read, it is asked before each of several sets.

    Raises:
        Cancelled: it was stopped while pictures were read, or `should_stop` raised it.
        PictureError: the pictures cannot be used.
        RequestError: `invalid_config`.
        StorageError: a checkpoint cannot be written, or belongs to other networks.
        TrainingError: `diverged`.
        WorkerError: `out_of_memory`.
    """
    config.check()
    if config.resume:
        run.check_goes_on()
    others = {"photo": save_photo_model, "estimator": save_tuned}
    if config.preset in others:
        others[config.preset](config, run, report, should_stop)
        return
    room = Room(report, should_stop)
    pipeline_of = partial(new_pipeline, config.preset)
    training = Training(config, run, report, pipeline_of, room, should_stop)
    training.loop(should_stop)


class Training:
    """One run in progress.

    Args:
        config: what was chosen.
        run: the run's folder.
        report: is told what happens.
        pipeline_of: makes the pipeline of the networks that a checkpoint's state is of, or where it is empty, of those
            of the preset.
        room: writes, and waits where the disk is full.
        should_stop: is asked before each of several sets is read.
    """

    def __init__(
        self,
        config: TrainingConfig,
        run: Run,
        report: Callable[[Report], None],
        pipeline_of: Callable[[Mapping[str, Any]], Pipeline],
        room: Room,
        should_stop: Callable[[], bool] = lambda: False,
    ):
        self.config, self.run, self.report, self.room = config, run, report, room
        self.steps, self.seconds = 0, 0.0
        stored = run.load_checkpoint() if config.resume else None
        state: dict[str, Any] = stored[1] if stored else {}
        if stored:
            # Its weights mean what it was started with.
            as_before = {"prepare": {}, "learn_maps": False, "estimator": ""}
            if not config.picture_width:  # or else it is given anew
                as_before["picture_width"] = 0.0
            as_before |= {name: state[name] for name in as_before if name in state}
            self.config = config = from_json(TrainingConfig, {**to_json(config), **as_before})
        pipeline = pipeline_of(state)
        before = read_provenance(run.path) or Provenance()
        weights = run.weights_of(config.estimator)
        learned = read_training_set(
            config, pipeline.read, state, before, weights, report, should_stop
        )
        self.pictures, self.data = learned.pictures, learned.pictures.report
        self.network = pipeline.network
        self.provenance = learned.provenance
        # Only now is it known that the run can be what was chosen; one that was refused stays as it was.
        room.write(lambda: run.save_config(config))
        room.write(lambda: run.save_data_report(self.data))
        report(Stage("building the networks"))
        self.update = pipeline.new_update(config, self.pictures, learned.pretrained, report)
        self.named = self.update.named_styles(self.pictures.names)
        self.previews = Previews(
            self.network,
            pipeline.preview_cells,
            pipeline.real_pictures(self.pictures),
            [native[self.data.maps[0]] for native in self.pictures.natives],
            self.data.turned,
            state.get("copied"),
            state.get("alive", False),
        )
        # Their pixels are in the networks' tables by now; what previews need of them, they hold.
        self.pictures = replace(self.pictures, materials=(), natives=())
        self.figures: dict[str, float] = {}
        self.ticks = Ticks(run.read_progress())
        self.rollbacks = 0
        # Where the pictures came from does not change while they are learned.
        self._is_described = False
        # What a detail stage starts from that a checkpoint has none of.
        self._new_detail: dict[str, np.ndarray] = {}
        if stored and isinstance(self.update, NativeStep):
            self._new_detail = checkpoint.to_arrays(self.update.detail.variables())
        if stored:
            self._restore(*stored)
        # What to go back to before there is a checkpoint.
        self._start = None if stored else checkpoint.to_arrays(self.update.variables())
        self._resumed_at = self.seconds
        stage = self.update.detail.stage if isinstance(self.update, NativeStep) else None
        runs = run.path.parent
        self.live = Model(self._info(), self.update.ema_generator, self.named, stage, runs)
        report(LiveModel(run.name, self.live))

    def _restore(
        self, arrays: dict[str, np.ndarray], state: dict[str, Any], notices: list[str]
    ) -> None:
        self._assign(arrays, state, notices)
        self.steps, self.seconds = state["step"], state["seconds"]
        self.update.rate_factor = state.get("rate_factor", 1.0)
        self.report(Notice(f"Continued from step {self.steps}."))
        before, now = state.get("computed_on", computed_on()), computed_on()
        if before != now:
            self.report(
                Notice(
                    f"The run was trained on {before} until now, and goes on on {now}: as well, but not bit-exact."
                )
            )

    def _assign(
        self, arrays: dict[str, np.ndarray], state: Mapping[str, Any], notices: Sequence[str]
    ) -> None:
        """Take the variables of a checkpoint; a detail stage of other octaves than its own starts anew."""
        for text in notices:
            self.report(Notice(text))
        if state.get("octaves", 0) != self.data.octaves and isinstance(self.update, NativeStep):
            small = self.update.small.variables()
            arrays = {n: a for n, a in arrays.items() if n.partition("/")[0] in small}
            arrays |= self._new_detail
        checkpoint.assign_arrays(self.update.variables(), arrays)
        self.update.restored()

    @property
    def kimg(self) -> float:
        return self.steps * self.network.batch / 1000

    @property
    def fraction(self) -> float:
        """Share of the budget that is used, 0..1 and above."""
        shares = [0.0]
        if self.config.minutes:
            shares.append(self.seconds / (60 * self.config.minutes))
        if self.config.kimg:
            shares.append(self.kimg / self.config.kimg)
        return max(shares)

    def loop(self, should_stop: Callable[[], bool]) -> None:
        """Step until the budget is used, telling and saving on the way, and going back where it goes wrong."""
        log = TrainingLog(self.run.path)
        self._next_checkpoint = self.seconds + FIRST_CHECKPOINT
        self._next_preview = 0.0
        ended = False
        while not ended:
            ended = self.fraction >= 1 or should_stop()
            if not ended:
                self._step(log)
            try:
                self._keep_up(log, ended)
            except TrainingError as error:
                self._go_back(error, log)
                ended = False

    def _step(self, log: TrainingLog) -> None:
        started = time.perf_counter()
        while (losses := self._losses()) is None:
            self._divide(log)
        log.add(losses)
        self.steps += 1
        self.seconds += time.perf_counter() - started

    def _losses(self) -> dict[str, Any] | None:
        """Those of one more step; None where there was not enough memory for it."""
        try:
            return self.update.step(self.steps, self.fraction)
        except Exception as error:
            if not ran_out_of_memory(error):
                raise
            logger.warning("no memory for a step: %s", error)
            return None

    def _divide(self, log: TrainingLog) -> None:
        """Work batches off in smaller parts, from the last checkpoint on: what broke off may have changed some weights.

        Raises:
            WorkerError: `out_of_memory` where there are no smaller parts.
        """
        if not self.update.divide():
            raise WorkerError(
                "out_of_memory",
                "The computer or its GPU must have room for a step of the training; it ran out of memory even with "
                "the smallest parts of a batch.",
                "Choose a smaller preset, or end other programs that use the GPU; then resume.",
            )
        step = self._take_back(log)
        self.report(
            Notice(
                f"There was not enough memory for step {step}, so each batch is now worked off in smaller parts. "
                "The result is the same, but for rounding; it takes a little longer."
            )
        )

    def _take_back(self, log: TrainingLog) -> int:
        """Take the last good checkpoint, or the start where there is none; returns its step."""
        stored = self.run.load_checkpoint()
        if stored is None:
            stored = self._start or {}, {"step": 0, "octaves": self.data.octaves}, []
        self._assign(*stored)
        self.steps = int(stored[1]["step"])
        self.previews.forget()
        log.clear()
        self._next_preview = self.seconds
        return self.steps

    def _keep_up(self, log: TrainingLog, ended: bool) -> None:
        """Tell, show and save what is due after a step; at the end all of it."""
        save_due = ended or self.seconds >= self._next_checkpoint
        # What is saved has been looked at first.
        shown = save_due or self.seconds >= self._next_preview
        if shown or self.steps % LOOK_EVERY == 0:
            # What is not finite shows nothing.
            self._finite_arrays()
            self._preview(ended, shown)
        if not log.empty and (shown or log.is_due()):
            self._progress(log)
        if save_due and self.previews.calm:
            self._save()
            self._next_checkpoint = self.seconds + CHECKPOINT_EVERY

    def _go_back(self, error: TrainingError, log: TrainingLog) -> None:
        """Take the last good checkpoint and half the learning rate.

        Raises:
            TrainingError: this has been done often enough.
        """
        self.rollbacks += 1
        if self.rollbacks > MOST_ROLLBACKS:
            raise error
        wrong, step = self.steps, self._take_back(log)
        self.report(
            Notice(
                f"At step {wrong} something went wrong: {error.info.message} Training goes on from step {step} with "
                "half the learning rate."
            )
        )
        self.update.rate_factor /= 2

    def _progress(self, log: TrainingLog) -> None:
        steps, seconds, losses = log.take()
        if not all(math.isfinite(value) for value in losses.values()):
            raise diverged(f"at step {self.steps} losses were not finite")
        fraction = min(1.0, self.fraction)
        rate = steps * self.network.batch / max(seconds, 1e-9)
        progress = TrainingProgress(
            step=self.steps,
            kimg=self.kimg,
            seconds=self.seconds,
            fraction=fraction,
            eta=self._eta(rate),
            images_per_second=rate,
            losses=losses,
            memory_mb=resident_memory_mb(),
            figures=self.figures,
            stopped_for=self.previews.plateau.stopped_for(self.seconds),
        )
        self.figures = {}
        log.write(progress)
        self.room.write(lambda: self.run.append_progress(progress))
        self.ticks.add(progress)
        self.report(progress)

    def _eta(self, rate: float) -> float | None:
        """Seconds left; None while the first ticks still carry the time of building the graph."""
        left = []
        if self.config.minutes:
            left.append(60 * self.config.minutes - self.seconds)
        if self.config.kimg and self.seconds - self._resumed_at > WARM_UP:
            left.append((self.config.kimg - self.kimg) * 1000 / rate)
        return max(0.0, min(left)) if left else None

    def _preview(self, last: bool, shown: bool) -> None:
        """Look at what the model makes by now, and where it is due keep and tell it."""
        preview, figures = self.previews.make(self.live, self.steps, self.seconds, last)
        self.figures |= figures
        if not shown:
            return
        self._next_preview = self.seconds + PREVIEW_EVERY
        warning = copy_warning(self.previews.copied)
        if last and warning:
            self.report(Notice(warning))
        credits = self.live.info.credits
        self.room.write(lambda: self.run.save_preview(self.steps, preview, credits))
        self.report(Preview(self.steps, preview))

    def _finite_arrays(self) -> dict[str, np.ndarray]:
        """All that makes the next step what it is.

        Raises:
            TrainingError: `diverged` where a number is not finite.
        """
        arrays = checkpoint.to_arrays(self.update.variables())
        if not all(np.all(np.isfinite(a)) for a in arrays.values()):
            raise diverged(f"at step {self.steps} weights were not finite")
        return arrays

    def _save(self) -> None:
        arrays = self._finite_arrays()
        state = {
            "step": self.steps,
            "seconds": self.seconds,
            "preset": self.config.preset,
            "network": to_json(self.network),
            "computed_on": computed_on(),
            "scale": self.data.scale,
            "octaves": self.data.octaves,
            "turned": self.data.turned,
            "prepare": to_json(self.config.prepare),
            "learn_maps": self.config.learn_maps,
            "estimator": self.config.estimator,
            "picture_width": self.config.picture_width,
            "statistics": self.pictures.statistics.to_json(),
            "patterns": [asdict(pattern) for pattern in self.pictures.patterns],
            "hyperparameters": asdict(self.update.parameters),
            "rate_factor": self.update.rate_factor,
            "copied": self.previews.copied,
            "alive": self.previews.collapse.alive,
            "materials": [*self.named] or [self.data.materials[0].name],
        }
        label = f"{self.kimg:09.3f}"
        self.room.write(lambda: self.run.save_checkpoint(label, arrays, state))
        self._start = None
        if not self._is_described:
            self.room.write(lambda: write_provenance(self.run.path, self.provenance))
            self._is_described = True
        self.room.write(lambda: self.run.save_model(self._info(), self.live.tensors()))
        ticks, floor = list(self.ticks), self.previews.collapse.floor
        self.room.write(lambda: draw_curves(ticks, floor, self.run.path / "progress.png"))

    def _info(self) -> ModelInfo:
        network = to_json(self.network)
        return ModelInfo(
            name=self.run.name,
            hash="",
            stride=self.network.stride << self.data.octaves,
            z_dim=self.network.z_dim,
            maps=self.data.maps,
            preset=self.config.preset,
            network={
                "config": network,
                "patterns": [asdict(pattern) for pattern in self.pictures.patterns],
            },
            statistics=self.pictures.statistics.to_json(),
            scale=self.data.scale,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            step=self.steps,
            kimg=self.kimg,
            styles=tuple(self.named),
            credits=self._credits(),
            copied=self.previews.copied,
            format=format_of(self.data.octaves, "toned" in network),
            octaves=self.data.octaves,
            pixel_size=self.pictures.pixel_size(self.config.picture_width),
        )

    def _credits(self) -> Credits:
        """Whose pictures the model has learned from."""
        credits, materials = self.provenance.credits, len(self.data.materials)
        # What others of earlier sessions showed is not known.
        are_all = len(self.pictures.files) == credits.pictures
        return replace(
            credits,
            contained=self.data.octaves > 0,
            materials=materials if are_all and materials < credits.pictures else 0,
        )
