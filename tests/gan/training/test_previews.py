"""A preview shows two small pictures, and a native one as soon as the stage of detail has learned anything."""

import numpy as np
import pytest

from gan_worker.config import PRESETS
from gan_worker.errors import TrainingError
from gan_worker.gan.training.collapse import (
    DETAIL,
    LOOK_EVERY,
    PATIENCE,
    YOUNG,
    DetailCollapseDetector,
)
from gan_worker.gan.training.previews import Previews

CELLS, OCTAVES = 24, 2


@pytest.fixture
def previews(native_material):
    color = native_material["base_color"]
    side = 256 >> OCTAVES
    small = color.reshape(side, 1 << OCTAVES, side, 1 << OCTAVES, 3).mean(axis=(1, 3))
    return Previews(
        PRESETS["nano"], CELLS, [small], [color], turned=False, copied=None, alive=False
    )


def test_a_native_picture_of_the_same_size_stands_to_the_right(native_model, previews):
    shown, figures = previews.make(native_model, 10, 1.0)
    side = CELLS * PRESETS["nano"].stride
    assert shown.shape == (side, 3 * side, 3)
    assert figures["detail_strength"] > 0
    assert len({shown[:, n * side : (n + 1) * side].tobytes() for n in range(3)}) == 3


def test_a_stage_that_has_learned_nothing_is_not_shown_before_the_end(native_model, previews):
    exit_ = native_model.detail.upsampler.exit
    awake = exit_.kernel.numpy()
    exit_.kernel.assign(np.zeros_like(awake))
    try:
        assert previews.make(native_model, 10, 1.0)[0].shape[1] == 2 * CELLS * 8
        assert previews.copied is None
        assert previews.make(native_model, 10, 1.0, last=True)[0].shape[1] == 3 * CELLS * 8
    finally:
        exit_.kernel.assign(awake)
    assert previews.copied is not None


def test_copies_are_looked_for_at_the_pictures_own_size(native_model, previews, monkeypatch):
    """What lies in the native picture as it is in the bank counts, though no small picture is a copy."""
    real = native_model.detail.kept
    monkeypatch.setattr(
        type(native_model),
        "generate",
        lambda model, config: (
            Recited(np.roll(_color(model, real), 5, 0)[: config.height])
            if config.mip == 0
            else Recited(np.random.default_rng(config.seed).uniform(size=(192, 192, 3)))
        ),
    )
    assert previews.make(native_model, 10, 1.0, last=True)[1]["copied"] > 0.8


class Recited:
    def __init__(self, color):
        self.maps = {"base_color": color.astype(np.float32)[:192, :192]}


def _color(model, kept):
    return model.statistics.restore(kept.pyramid(0, 2)[-1])["base_color"].numpy()


@pytest.mark.parametrize("factor", [0.0, 0.5 / DETAIL, 2 * DETAIL])
def test_a_finest_octave_that_is_gone_or_overdone_is_a_collapse(native_material, factor):
    color = native_material["base_color"]
    boxes = color.reshape(128, 2, 128, 2, 3).mean(axis=(1, 3)).repeat(2, 0).repeat(2, 1)
    wrong = boxes + factor * (color - boxes)
    detector = DetailCollapseDetector([color], 96)
    assert detector.look(color, 1)["detail_strength"] == pytest.approx(1)
    for number in range(PATIENCE - 1):
        detector.look(wrong, YOUNG + number * LOOK_EVERY)
        assert not detector.calm
    with pytest.raises(TrainingError, match="finest detail"):
        detector.look(wrong, YOUNG + PATIENCE * LOOK_EVERY)
    detector.forget()
    assert detector.calm


def test_a_good_preview_between_bad_ones_is_no_collapse(native_material):
    color = native_material["base_color"]
    detector = DetailCollapseDetector([color], 96)
    for number in range(4 * PATIENCE):
        detector.look(color if number % 2 else color * 0, YOUNG + number * LOOK_EVERY)
    with pytest.raises(TrainingError, match="finite"):
        detector.look(color * np.nan, 1)
