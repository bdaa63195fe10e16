"""Rules of configs in the compute process: the answer there is the one that was given before TensorFlow was loaded."""

import pytest
from odd_configs import (
    ODD_MATERIALS,
    ODD_REPAIRS,
    ODD_TRAININGS,
    SANE_MATERIALS,
    SANE_TRAININGS,
    answer,
)

from gan_worker.compute.jobs import GanProgram
from gan_worker.errors import TilewrightError
from gan_worker.gan.training import loop


def silent(news):
    pass


def never():
    return False


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return GanProgram(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize("config", [c for c, _, _ in ODD_TRAININGS])
def test_a_training_gives_the_same_answer(config, program):
    with pytest.raises(TilewrightError) as caught:
        program.train(config, silent, never)
    assert caught.value.info == answer(config)


@pytest.mark.parametrize("config", [c for c, _, _ in ODD_MATERIALS])
def test_a_generation_gives_the_same_answer(config, program):
    with pytest.raises(TilewrightError) as caught:
        program.generate(config, None, silent, never)
    assert caught.value.info == answer(config)


@pytest.mark.parametrize("config", [c for c, _, _ in ODD_REPAIRS])
def test_a_repair_gives_the_same_answer(config, program):
    with pytest.raises(TilewrightError) as caught:
        program.repair(config, silent, never)
    assert caught.value.info == answer(config)


@pytest.mark.parametrize("config", SANE_TRAININGS)
def test_a_sane_training_begins(config, tmp_path, monkeypatch):
    class Begun(Exception):
        pass

    def begin(*_):
        raise Begun

    monkeypatch.setattr(loop, "Training", begin)
    with pytest.raises(Begun):
        GanProgram(tmp_path).train(config, silent, never)


@pytest.mark.parametrize("config", [c for c in SANE_MATERIALS if c.width <= 64])
def test_a_sane_generation_is_made(config, program):
    assert program.generate(config, None, silent, never).recipe.config.width == 64
