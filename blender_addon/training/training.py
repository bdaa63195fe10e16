"""Training: the pictures to learn from, and a training from its start to its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from gan_worker.config import TrainingConfig
from gan_worker.errors import RequestError
from gan_worker.files import PICTURE_EXTENSIONS, check_places

from ..photos import preparation
from ..shader import units
from ..worker import preferences, pump, session
from . import curves, material_pictures, preview, runs

if TYPE_CHECKING:
    from .properties import TrainingChoices

# What the worker reads, as file browsers are told: Blender itself does not take photos of phones for pictures.
PICTURES = ";".join(f"*{extension}" for extension in sorted(PICTURE_EXTENSIONS))
# What is chosen as Detail → factor on the pictures' size.
DETAILS = {"FULL": None, "HALF": 0.5, "QUARTER": 0.25}


def set_pictures(scene: bpy.types.Scene, paths: Iterable[str | Path]) -> None:
    """Choose the pictures and folders to learn from."""
    scene.tilewright.pictures.clear()
    add_pictures(scene, paths)


def add_pictures(scene: bpy.types.Scene, paths: Iterable[str | Path]) -> None:
    """Add pictures and folders to those chosen."""
    for path in paths:
        scene.tilewright.pictures.add().path = str(path)


def training_config(scene: bpy.types.Scene, resume: bool = False) -> TrainingConfig:
    """What was chosen in the Train panel.

    Raises:
        RequestError: `unknown_run` where there is no run to resume.
    """
    chosen = scene.tilewright
    pictures = tuple(_absolute(item.path) for item in chosen.pictures if item.path)
    run = _run_name(scene, resume)
    return TrainingConfig(
        run=run,
        pictures=pictures,
        preset=chosen.preset,
        minutes=round(chosen.minutes + (_minutes_had(run, chosen.minutes) if resume else 0.0), 4),
        scale=_scale(chosen),
        isotropic=chosen.isotropic,
        seed=chosen.training_seed,
        author=chosen.author.strip(),
        license=chosen.license.strip(),
        source=chosen.source.strip(),
        resume=resume,
        prepare=preparation.shared(pictures).preparation,
        tileable=chosen.tileable and chosen.preset == "photo",
        picture_width=round(chosen.picture_width * units.meters_per_unit(scene), 5),
    )


def photo_config(scene: bpy.types.Scene, places: Sequence[str | Path]) -> TrainingConfig:
    """A photo that is its own model, as it was chosen in the panel.

    Author, license, source and width are those of the pictures in Train: this one's are what it says itself.

    Args:
        scene: whose choices count.
        places: the photo; or the maps that there are of one material.
    """
    chosen = scene.tilewright
    pictures = tuple(map(str, places))
    return TrainingConfig(
        run=runs.name_after(pictures[0]),
        pictures=pictures,
        preset="photo",
        tileable=chosen.tileable,
        estimator=chosen.estimator,
        prepare=preparation.shared(pictures).preparation,
    )


def estimator_config(places: Sequence[str | Path], minutes: float) -> TrainingConfig:
    """An estimator that learns from material sets.

    Args:
        places: folders of sets.
        minutes: that it learns.
    """
    pictures = tuple(map(str, places))
    return TrainingConfig(
        run=runs.name_after(pictures[0]),
        pictures=pictures,
        preset="estimator",
        minutes=round(minutes, 4),
    )


def _scale(chosen: TrainingChoices) -> float | None:
    if chosen.picture_scale or chosen.preset in ("classic", "photo", "estimator"):
        return chosen.picture_scale or None
    return DETAILS[chosen.detail]


def _run_name(scene: bpy.types.Scene, resume: bool) -> str:
    if resume:
        return runs.name_to_continue(scene)
    return runs.typed_name(scene) or runs.proposed_name(scene)


def _minutes_had(run: str, minutes: float) -> float:
    """What a run to continue has had, if that is all its minutes: it then goes on for as many more.

    One that ended before goes on to its end, as the worker counts from a run's first start.
    """
    entry = session.current.run(run)
    # Pressed in the last moments, Stop is no wish for the seconds that were left.
    return entry.minutes if entry and entry.minutes > 0.95 * minutes else 0.0


def _absolute(path: str) -> str:
    """Blender's `//` made absolute; a remote worker's `alias:name` stays as it is."""
    return str(Path(bpy.path.abspath(path)).absolute()) if ":" not in path[2:] else path


def start_training(config: TrainingConfig) -> session.Job:
    """Train as the config says.

    Raises:
        RequestError: `invalid_config`, as `TrainingConfig.check`.
        PictureError: `picture_missing` where one is not there.
        WorkerError: `worker_gone` without a connection.
    """
    config.check()
    if (
        session.current.owns_worker and not config.resume
    ):  # pictures of a worker elsewhere lie there
        check_places(config.pictures)
    preview.clear()
    curves.clear()
    return session.current.train(config)


def choose_when_ready(scene: bpy.types.Scene, model: str) -> None:
    """Choose a model in the Generate panel as soon as the worker has it; until then the one that is chosen stays.

    One that learns to estimate is chosen as the estimator then.
    """
    chosen = scene.tilewright
    if session.current.model(model):
        chosen.model, chosen.awaited_model = model, ""
    elif model in session.current.estimator_names():
        chosen.estimator, chosen.awaited_model = model, ""
    else:
        chosen.awaited_model = model


def wait_for_training(job: session.Job, timeout: float) -> None:
    """Wait until a training has ended and can be generated from, or estimated with, for scripts.

    Raises:
        TilewrightError: why it failed, or `worker_silent` after the timeout.
    """
    pump.wait_for_job(job, timeout)
    now = session.current
    pump.wait(lambda: bool(now.model(job.name)) or job.name in now.estimator_names(), timeout=30.0)


def current_training() -> session.Job:
    """The training that the buttons steer.

    Raises:
        RequestError: `unknown_job` when none was started.
    """
    if session.current.training is None:
        raise RequestError(
            "unknown_job", "A training must have been started; none was.", "Press Train first."
        )
    return session.current.training


def pause_training() -> None:
    """Pause at the next step; the worker keeps everything."""
    session.current.pause(current_training())


def resume_training() -> None:
    """Go on after a pause."""
    session.current.resume(current_training())


def stop_training() -> None:
    """End the training and keep the model as it is now."""
    session.current.stop(current_training())


def cancel_training() -> None:
    """End the training and keep only what earlier checkpoints hold."""
    session.current.cancel(current_training())


def add_material_pictures(scene: bpy.types.Scene, material: bpy.types.Material) -> list[Path]:
    """Add the images of a material to the pictures to learn from.

    Returns:
        The files or the folder that were added.

    Raises:
        RequestError: as `check_same_computer`.
        PictureError: `dataset_empty`, `picture_missing` or `picture_unreadable`.
        StorageError: `file_unwritable`.
    """
    places = places_of_material(material)
    known = {preparation.place_key(item.path) for item in scene.tilewright.pictures}
    new = [place for place in places if preparation.place_key(place) not in known]
    add_pictures(scene, new)
    return places


def places_of_material(material: bpy.types.Material) -> list[Path]:
    """The images of a material as files; as `add_material_pictures`, with its errors."""
    check_same_computer()
    return material_pictures.as_places(material, preferences.picture_folder())


def place_of_image(image: bpy.types.Image) -> Path:
    """A photo as a file, if that of what an image shows prepared; as `add_material_pictures`, with its errors."""
    check_same_computer()
    photo = preparation.photo_of(image) or image
    place = material_pictures.as_place(photo, preferences.picture_folder())
    if photo.is_editable:
        photo.tilewright.written_to = str(place)  # what is to be done to it is found by this
    return place


def check_same_computer(preset: str = "") -> None:
    """Check that the worker can read the files of this computer.

    Args:
        preset: with which *Train* makes the same of files that lie on the worker's; empty where that is to be chosen.

    Raises:
        RequestError: as `preferences.check_reads_files`.
    """
    preferences.check_reads_files(
        session.current,
        "the pictures",
        "Put them into a folder that the worker was started with, such as --root photos=FOLDER. Then press Add a Name "
        f"in Train, Details, and type photos:NAME{_with_model_size(preset)}.",
    )


def _with_model_size(preset: str) -> str:
    if not preset:
        return ""
    size = bpy.types.UILayout.enum_item_name(bpy.context.scene.tilewright, "preset", preset)
    return f"; choose {size} as Model Size, and press Train"
