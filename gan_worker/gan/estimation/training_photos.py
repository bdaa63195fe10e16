"""Training photos: which maps photos get before a run learns from them, and what it has done to its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gan_worker.estimation import Estimation
from gan_worker.gan.data.source import AS_IT_IS as AS_IT_IS
from gan_worker.gan.data.source import PhotoMaps
from gan_worker.gan.estimation.maps import estimate_maps
from gan_worker.materials.sets import PHOTO, find_materials
from gan_worker.progress import Notice
from gan_worker.runs.provenance import read_provenance

if TYPE_CHECKING:
    from pathlib import Path

    from gan_worker.preparation import Preparation
    from gan_worker.runs.estimators import Weights
    from gan_worker.runs.run import Run


def photo_maps(weights: Weights) -> PhotoMaps:
    """All maps of photos as they are estimated without adjustment, which takes the light off the color."""
    chosen = Estimation()
    names = ("base_color", *chosen.maps(("base_color",)))
    return PhotoMaps(names, lambda color: estimate_maps(color, False, chosen, names, weights)[0])


def as_trained(
    run: Run, files: Sequence[str], report: Callable[[Notice], None]
) -> tuple[Preparation, PhotoMaps | None]:
    """What a run has done to photos before it learned from them, so that others can be compared with what it makes.

    Corners, and a color that is gray in truth, are those of its own photos, and mean nothing in others.

    Args:
        run: that has learned.
        files: photos, sets and folders.
        report: is told where something is left out for that.

    Returns:
        What is to be done to photos, and what gives them all maps; None where it learned their color alone.

    Raises:
        PictureError: as `find_materials`.
        RequestError: `unknown_estimator` where the one that it estimated maps with is gone.
        StorageError: `checkpoint_corrupt` where the run's own files cannot be read.
    """
    if not (run.path / "config.json").exists():  # a model that came without its run
        return AS_IT_IS, None
    config = run.load_config()
    done = config.prepare
    if (done.corners or done.neutral) and not _are_own(run, files):
        done = replace(done, corners=(), neutral=None)
        report(
            Notice(
                "Not all of these photos are those it was trained on, so they are neither cut to the corners of those "
                "nor balanced by a color of them."
            )
        )
    if not config.learn_maps:
        return done, None
    return done, photo_maps(run.weights_of(config.estimator))


def _are_own(run: Run, files: Sequence[str]) -> bool:
    """Whether all photos among these are pictures that the run has learned from, by what is in them."""
    sets, _, _ = find_materials(files)
    found = read_provenance(run.path)
    known = {picture.sha256 for picture in found.pictures} if found else set()
    return all(_hash(one.files["base_color"]) in known for one in sets if one.maps == PHOTO)


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
