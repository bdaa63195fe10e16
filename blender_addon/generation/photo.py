"""Photo to Material: one photo becomes a model without training, and at once a material on what was chosen."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from gan_worker.errors import (
    Cancelled,
    ProtocolError,
    RequestError,
    WorkerError,
    error_from_info,
)

from ..training import training
from ..worker import session
from ..worker.background_task import PATIENCE, BackgroundTask
from . import requests

if TYPE_CHECKING:
    from gan_worker.wire.messages import ModelEntry

    from .results import Order


PICTURES = training.PICTURES


class PhotoMaterial(BackgroundTask):
    """A photo on its way to a material. The file changes only when the model is there.

    Args:
        job: that makes the photo's model.
        scene: where the model is chosen; found again like the objects, and if it is gone, it is chosen nowhere.
        objects: what gets the material; they are found again whatever they are called by then.
        order: how to wire and keep the maps.
        estimated: whether the maps that the photo has not are estimated.

    Attributes:
        job: the newest that was sent.
        outcome: what has become of the photo, in sentences, once it is a material.
    """

    stage = "asking the worker"

    def __init__(
        self,
        job: session.Job,
        scene: bpy.types.Scene,
        objects: Sequence[bpy.types.Object],
        order: Order,
        estimated: bool,
    ) -> None:
        super().__init__()
        self.job = job
        self.outcome: tuple[str, ...] = ()
        self._order, self._estimated = order, estimated
        self._scene = scene.session_uid
        self._uids = {obj.session_uid for obj in objects}

    @property
    def told(self) -> str:
        return self.stage.capitalize()

    def let_go(self) -> None:
        if session.current.state != "stopped" and not self.job.ended:
            session.current.cancel(self.job)

    def work(self) -> Generator[bool]:
        photo = self.job
        yield from self._finish(photo)
        self.stage = "waiting for the model"
        model = yield from self._find_model(photo.name)
        for scene in (s for s in bpy.data.scenes if s.session_uid == self._scene):
            training.choose_when_ready(scene, model.name)
        self.stage = "generating"
        found = [o for o in bpy.data.objects if o.session_uid in self._uids]
        objects = [o for o in found if not requests.refusal(o)]
        config = requests.photo_config(model, self._estimated)
        worn = f"the material of {', '.join(o.name for o in objects)}" if objects else "a material"
        (self.job,) = requests.generate_for_objects(objects, config, self._order)
        yield from self._finish(self.job)
        self.outcome = (f"{model.name} is {worn} now", *photo.notices)

    def _finish(self, job: session.Job) -> Iterator[bool]:
        """Wait until a job has ended well."""
        while not job.done:
            now = session.current
            if now.state == "stopped":
                raise error_from_info(now.last_error) if now.last_error else _gone()
            self.stage = job.stage or self.stage
            if job.pieces:
                self.reach(job.pieces.done, job.pieces.total)
            yield True
        if job.state != "succeeded":
            raise error_from_info(job.error) if job.error else Cancelled()

    def _find_model(self, name: str) -> Generator[bool, None, ModelEntry]:
        """Wait until the worker has told of the model."""
        end = time.monotonic() + PATIENCE
        while (model := session.current.model(name)) is None:
            if time.monotonic() > end:
                raise WorkerError(
                    "worker_silent",
                    f"The worker must tell of the model {name}; it did not.",
                    "Press the arrows beside Model, then Generate.",
                )
            yield True
        return model


def _gone() -> WorkerError:
    message = "The worker must run while a photo becomes a material; it was stopped."
    return WorkerError("worker_gone", message, "Start it, and begin again.")


def start(
    scene: bpy.types.Scene, places: Sequence[str | Path], objects: Sequence[bpy.types.Object]
) -> PhotoMaterial:
    """Make a material of a photo and put it on objects.

    Args:
        scene: whose choices count.
        places: the photo; or the maps that there are of one material.
        objects: what gets the material; none makes one that no object has.

    Returns:
        The task; `wait` of it waits, in scripts, and `raise_error` says why it failed.

    Raises:
        RequestError: `invalid_config`, `wrong_state` while it runs or a training does, or as
            `training.check_same_computer`.
        PictureError: `picture_missing`.
        StorageError: as `requests.result_order`.
        WorkerError: `worker_gone`.
        ProtocolError: `protocol_version` where the worker is too old.
    """
    _check_start()
    config, order = training.photo_config(scene, places), requests.result_order(scene)
    job = training.start_training(config)
    return PhotoMaterial(job, scene, objects, order, scene.tilewright.estimate_maps).start()


def start_from_material(
    scene: bpy.types.Scene, material: bpy.types.Material, objects: Sequence[bpy.types.Object]
) -> PhotoMaterial:
    """The same of the images that a material has; what they lack is estimated.

    Raises:
        TilewrightError: as `start`, and as `training.places_of_material`.
    """
    _check_start()
    return start(scene, training.places_of_material(material), objects)


def start_from_image(
    scene: bpy.types.Scene, image: bpy.types.Image, objects: Sequence[bpy.types.Object]
) -> PhotoMaterial:
    """The same of an image that is open.

    Raises:
        TilewrightError: as `start`, and as `training.place_of_image`.
    """
    _check_start()
    return start(scene, [training.place_of_image(image)], objects)


def _check_start() -> None:
    check()
    training.check_same_computer("photo")


def check() -> None:
    """Check that a photo can become a material now.

    Raises:
        RequestError: `wrong_state`.
        WorkerError: `worker_gone`.
        ProtocolError: `protocol_version` where the worker is too old.
    """
    session.current.check_connection()
    if not session.current.speaks(1, 5):
        raise ProtocolError(
            "protocol_version",
            "The worker is older than the extension and makes no materials of photos.",
            "Update Tilewright there.",
        )
    if session.current.running("train"):
        raise RequestError(
            "wrong_state",
            "The worker must be free; a training runs, or another photo.",
            "Stop it first, or wait for it.",
        )
