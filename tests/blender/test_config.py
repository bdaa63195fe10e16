"""Rules of configs in the panels: what is odd is refused before anything is sent, with the worker's own answer."""

import pytest
from odd_configs import (
    MODEL,
    ODD_MATERIALS,
    ODD_TRAININGS,
    SANE_MATERIALS,
    SANE_TRAININGS,
    answer,
)

from blender_addon.generation import requests as generation
from blender_addon.training import training
from blender_addon.worker import session
from gan_worker.errors import TilewrightError
from gan_worker.wire.messages import ModelEntry, ModelList


@pytest.fixture
def client(stand_in):
    """A worker that has the model of the table, and those that come with the program."""
    known = {name: getattr(MODEL, name) for name in ("name", "hash", "stride", "z_dim", "maps")}
    stand_in.events.append(ModelList((ModelEntry(**known),)))
    session.current.tick()
    return stand_in


@pytest.mark.parametrize("config", [c for c, _, _ in ODD_TRAININGS])
def test_an_odd_training_is_not_sent(config, client):
    with pytest.raises(TilewrightError) as caught:
        training.start_training(config)
    assert caught.value.info == answer(config)
    assert not client.submitted


@pytest.mark.parametrize(
    "config", [c for c, _, _ in ODD_MATERIALS], ids=[words for _, _, words in ODD_MATERIALS]
)
def test_an_odd_generation_is_not_sent(config, client):
    with pytest.raises(TilewrightError) as caught:
        generation.generate_for_objects([], config)
    wanted = answer(config)
    told = caught.value.info
    # Which models there are is another matter for each worker.
    assert told == wanted or (told.code == wanted.code == "unknown_model")
    assert not client.submitted


@pytest.mark.parametrize("config", SANE_TRAININGS)
def test_a_sane_training_is_sent(config, client):
    training.start_training(config)
    assert list(client.submitted.values()) == [config]


@pytest.mark.parametrize("config", SANE_MATERIALS)
def test_a_sane_generation_is_sent(config, client):
    generation.generate_for_objects([], config)
    assert list(client.submitted.values()) == [config]
