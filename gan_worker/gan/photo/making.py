"""Making: a photo becomes the model of a run, read, closed if wanted, and its maps estimated once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gan_worker.config import GenerationConfig, PhotoConfig, TrainingConfig
from gan_worker.errors import Cancelled, RequestError
from gan_worker.gan.estimation.estimator import Estimates, estimate
from gan_worker.gan.generation.photo import (
    COLOR,
    ESTIMATES,
    PhotoModel,
    stored_maps,
    with_calm_border,
)
from gan_worker.gan.photo.reading import Photo, read_photo
from gan_worker.progress import (
    DataReport,
    GeneratedMaterial,
    Preview,
    Report,
    Stage,
    TrainingProgress,
)
from gan_worker.runs.provenance import Provenance, describe_training, write_provenance
from gan_worker.runs.run import OF_A_PHOTO, ModelInfo, Run, Weights, find_weights

if TYPE_CHECKING:
    from pathlib import Path

    from gan_worker.estimation import Estimation
    from gan_worker.runs.checkpoints import Arrays

# Side of a run's preview at most, pixels.
SHOWN = 512


@dataclass(frozen=True, eq=False)
class PhotoMade:
    """A photo's model before it is saved.

    Attributes:
        info: what will stand in `model.json`.
        tensors: what its file will hold.
        found: what was found in the picture, for a person.
        provenance: whose the picture is, and what was done to it.
        shown: a small preview, uint8 (height, width, 3).
    """

    info: ModelInfo
    tensors: Arrays
    found: DataReport
    provenance: Provenance
    shown: np.ndarray


def make_photo(
    config: TrainingConfig,
    weights: Weights,
    report: Callable[[Report], None],
    should_stop: Callable[[], bool],
) -> PhotoMade:
    """Read a photo and estimate the maps that it lacks.

    Args:
        config: of the preset photo, checked.
        weights: of the estimator.
        report: is told what happens.
        should_stop: is asked now and then; it may raise `Cancelled`.

    Raises:
        Cancelled: `should_stop` said so.
        PictureError: the picture cannot be used.
        RequestError: `invalid_config`.
    """

    def check() -> bool:
        if should_stop():
            raise Cancelled
        return False

    photo = read_photo(config, report, check)
    report(photo.report)
    provenance = _provenance(config, photo, weights, report)
    report(Stage("estimating its maps"))
    stored = stored_maps(photo.fitted.maps)
    closed, file = photo.fitted.closed, weights.file
    found = estimate(stored[COLOR], closed, weights=file, report=report, should_stop=check)
    check()
    if photo.fitted.was_closed:
        stored, found = with_calm_border(stored, found)
    info = _info(config, photo, found, weights, provenance)
    tensors = {**stored, ESTIMATES: found.values}
    return PhotoMade(info, tensors, photo.report, provenance, _preview(stored[COLOR]))


def make_material(
    config: TrainingConfig,
    estimation: Estimation,
    bits: Mapping[str, int],
    runs: Path,
    report: Callable[[Report], None],
    should_stop: Callable[[], bool],
) -> GeneratedMaterial:
    """The whole material of a photo, of which no model is kept.

    Args: as of `make_photo`, what is made of the estimates, the bits of each map's whole numbers, and the folder of the
        runs among which estimators are.

    Raises: as `make_photo` and `find_weights`.
    """
    weights = find_weights(runs, estimation.estimator)
    made = make_photo(config, weights, report, should_stop)
    width, height = made.info.tile or (0, 0)
    wanted = GenerationConfig(config.run, width=width, height=height, estimation=estimation)
    return PhotoModel(made.info, made.tensors, partial(find_weights, runs)).generate(wanted, bits)


def save_photo_model(
    config: TrainingConfig,
    run: Run,
    report: Callable[[Report], None],
    should_stop: Callable[[], bool],
) -> None:
    """Make a photo the model of a run; begun again after an interruption, it starts anew.

    Args: as of `make_photo`, and the run's folder.

    Raises:
        StorageError: it cannot be written; and as `make_photo` and `find_weights`.
    """
    started = time.perf_counter()
    if run.checkpoints():
        raise RequestError(
            "invalid_config",
            f"A run keeps its preset; {run.name!r} was started with another than photo.",
            "Resume with the same preset, or start a new run.",
        )
    weights = run.weights_of(config.estimator)
    made = make_photo(config, weights, report, should_stop)
    report(Stage("saving"))
    done = TrainingProgress(0, 0.0, time.perf_counter() - started, 1.0, 0.0, 0.0, {})
    run.save_config(config)
    run.save_data_report(made.found)
    write_provenance(run.path, made.provenance)
    run.save_preview(0, made.shown, made.info.credits)
    run.append_progress(done)
    run.save_model(made.info, made.tensors)
    report(Preview(0, made.shown))
    report(done)


def _provenance(
    config: TrainingConfig, photo: Photo, weights: Weights, report: Callable[[Report], None]
) -> Provenance:
    height, width = photo.fitted.maps["base_color"].shape[:2]
    done = {"kept": f"{width}×{height}", "closed": photo.fitted.closed, "scale": photo.scale}
    done["estimator_hash"] = weights.hash
    return Provenance().extended(*describe_training(config, photo.files, 0, done, report))


def _info(
    config: TrainingConfig,
    photo: Photo,
    found: Estimates,
    weights: Weights,
    provenance: Provenance,
) -> ModelInfo:
    fitted = photo.fitted
    height, width = fitted.maps["base_color"].shape[:2]
    return ModelInfo(
        name=config.run,
        hash="",
        stride=1 << fitted.octaves,
        z_dim=0,
        maps=tuple(fitted.maps),
        preset="photo",
        network={"config": asdict(PhotoConfig(fitted.closed))},
        statistics={
            "octaves": found.octaves,
            "errors": found.errors,
            "estimator": weights.hash,
        },
        scale=photo.scale,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        step=0,
        kimg=0.0,
        format=OF_A_PHOTO,
        credits=replace(provenance.credits, contained=True, trained=False),
        octaves=fitted.octaves,
        tile=(width, height),
        pixel_size=config.picture_width / photo.width,
    )


def _preview(color: np.ndarray) -> np.ndarray:
    """The photo, small."""
    step = max(1, -(-max(color.shape[:2]) // SHOWN))
    return np.ascontiguousarray(color[::step, ::step])
