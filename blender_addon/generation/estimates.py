"""Estimates: which maps of a model can be estimated, and what is made of them at first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gan_worker.estimation import Estimation

from ..worker import session

if TYPE_CHECKING:
    from gan_worker.wire.messages import ModelEntry


def missing_maps(model: ModelEntry) -> tuple[str, ...]:
    """Maps that a model has not learned and that can be estimated; none where the worker is too old for that."""
    if "base_color" not in model.maps or not session.current.speaks(1, 5):
        return ()
    return Estimation().maps(model.maps)


def estimation_for(model: ModelEntry, estimator: str = "") -> Estimation:
    """What is made of estimates at first: where the colors came with other maps, there is no light on them.

    Args:
        model: that makes the colors.
        estimator: as of `Estimation`.
    """
    light = 0.0 if len(model.maps) > 1 else Estimation.light
    return Estimation(light=light, estimator=estimator)
