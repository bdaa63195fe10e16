"""Frames of a sequence keep their moved detail in its place, whatever is made before, beside or in pieces of them."""

from dataclasses import replace

import numpy as np
import pytest

from gan_worker.config import GenerationConfig
from gan_worker.gan.generation import rendering
from gan_worker.styles import motion

SIDE = 192
BASE = GenerationConfig("native", 3, SIDE, SIDE, maps=("base_color",), origin=(0, 0))


def finest(picture):
    boxes = picture.reshape(SIDE // 2, 2, SIDE // 2, 2, -1)
    return (boxes - boxes.mean(axis=(1, 3), keepdims=True)).reshape(picture.shape)


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


def step(model, first, second):
    """Of the finest octave between two frames, as a share of its strength."""
    before, after = (finest(model.generate(c).maps["base_color"]) for c in (first, second))
    return rms(after - before) / rms(before)


@pytest.mark.parametrize(
    "frames",
    [
        [replace(BASE, sway=(0.3, turn)) for turn in (0.0, 0.02)],
        [replace(BASE, directions=(("pca 1", amount),)) for amount in (1.0, 1.1)],
        [replace(BASE, truncation_psi=psi) for psi in (1.0, 1.02)],
    ],
    ids=["layout", "direction", "truncation"],
)
def test_a_small_step_is_small_in_the_finest_octave_too(native_model, frames):
    steady = step(native_model, *(replace(frame, steady=True) for frame in frames))
    assert 0 < steady < 0.15
    assert steady < 0.5 * step(native_model, *frames)


def test_steady_frames_have_all_the_detail(native_model):
    steady, alone = (
        native_model.generate(replace(BASE, sway=(0.3, 0.1), steady=s)).maps["base_color"]
        for s in (True, False)
    )
    assert rms(finest(steady)) == pytest.approx(rms(finest(alone)), rel=0.2)


def test_a_steady_frame_in_pieces_is_the_whole(native_model, monkeypatch):
    config = replace(BASE, sway=(0.3, 0.1), width=2 * SIDE, steady=True)
    told = []
    whole = native_model.generate(config, report=told.append)
    # The small picture, the one that detail is chosen for, and the octaves.
    assert [news.done for news in told] == [1, 2, 3] and told[-1].total == 3
    monkeypatch.setattr(rendering, "LONGEST", 64)
    parts = native_model.generate(config)
    np.testing.assert_allclose(
        parts.maps["base_color"], whole.maps["base_color"], rtol=0, atol=1 / 255
    )


def test_the_least_detail_is_as_steady_without_it(native_model):
    small = replace(BASE, sway=(0.3, 0.1), width=SIDE // 4, height=SIDE // 4, mip=2)
    pair = [native_model.generate(replace(small, steady=s)).maps["base_color"] for s in (0, 1)]
    np.testing.assert_array_equal(*pair)


def test_all_frames_of_a_loop_are_steady():
    path = motion.path_around(BASE, "pca 1", "pca 2", 2.0)
    assert all(frame.steady for frame in motion.loop_frames(path, [1.0, 1.0], 4, 0.3))
    assert len({frame.still for frame in motion.loop_frames(path, [1.0, 1.0], 4, 0.3)}) == 1
