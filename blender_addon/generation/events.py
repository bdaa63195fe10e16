"""Receivers of models and results: the newest model is chosen, and what was generated becomes materials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import bpy

from gan_worker.wire.messages import ModelList

from ..shader import images
from ..steering import live
from ..worker import pump, session
from . import results

if TYPE_CHECKING:
    from gan_worker.client.events import MapReady, MaterialReady


def _choose_a_model(found: ModelList) -> None:
    """Where none was chosen yet the newest is, so that Generate can be pressed at once; and one that was waited for."""
    names = [model.name for model in found.models]
    estimators = [estimator.name for estimator in found.estimators if estimator.name]
    for scene in bpy.data.scenes if names or estimators else ():
        chosen = scene.tilewright
        if scene.is_editable and chosen.awaited_model in names:
            chosen.model, chosen.awaited_model = chosen.awaited_model, ""
        elif scene.is_editable and chosen.awaited_model in estimators:
            chosen.estimator, chosen.awaited_model = chosen.awaited_model, ""
        elif scene.is_editable and not chosen.model and names:
            chosen.model = next((m.name for m in found.models if not m.retired), names[0])


def _make_image(event: MapReady, _job: session.Job) -> Iterator[None]:
    results.expect(event.job)
    return results.make_image(event.job, event.name, event.pixels)


def _make_material(event: MaterialReady, job: session.Job) -> Iterator[None]:
    results.expect(event.job)
    order = job.note if isinstance(job.note, results.Order) else results.Order()
    return results.apply(event, job.target, order)


def _make_rest(event: MaterialReady, job: session.Job) -> Iterator[None]:
    """What was generated when a slider came to rest is wired as it was."""
    results.expect(event.job)
    order = results.Order(None, images.texture_folder(live.scene_of(job.note)))
    return results.apply(event, job.target, order, is_rest=True)


def _at_rest() -> None:
    images.free_scratch()
    results.push_due_step()


def _before_saving() -> None:
    images.pack_live_images()
    images.write_waiting_files()


register, unregister = pump.joining(
    pump.Subject(
        receivers={ModelList: _choose_a_model},
        results={
            results.MATERIAL: pump.Results(_make_material, _make_image),
            live.AT_REST: pump.Results(_make_rest, _make_image),
        },
        at_rest=_at_rest,
        before_saving=_before_saving,
    )
)
