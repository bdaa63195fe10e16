"""Loops of a trained model: no jump at the end, the border in its place, the layout on a circle."""

from __future__ import annotations

import signal
from dataclasses import replace

import numpy as np
import pytest

from gan_worker.cli import app, loop
from gan_worker.config import PRESETS, GenerationConfig
from gan_worker.errors import RequestError
from gan_worker.gan.generation import model as generation
from gan_worker.gan.generation.latents import draw_latents
from gan_worker.gan.generation.seams import line_steps, seam_ratio
from gan_worker.materials import sequences
from gan_worker.materials.pictures import read_picture
from gan_worker.runs.run import BUNDLED
from gan_worker.styles import motion

MODEL = "Starter Red Bricks"
NANO = PRESETS["nano"]


@pytest.fixture(scope="module")
def model():
    return generation.load_model(BUNDLED / MODEL)


@pytest.fixture(scope="module", autouse=True)
def loaded_once(model):
    """The command takes the model that is loaded already: tracing its graph is most of the time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(motion, "PROBES", 24)
        patched.setattr(loop, "load", lambda *told: model)
        yield


@pytest.fixture(scope="module")
def loops(tmp_path_factory):
    """What the command writes and says for both kinds of paths: kind → folder."""
    place = tmp_path_factory.mktemp("loops")
    asked = {
        "through": ("--styles", "3,8,12", "--sway", "0"),
        "around": ("--direction", "pca 1", "--sway", "0.3"),
    }
    for kind, options in asked.items():
        common = ("--frames", "16", "--size", "96x64", "--maps", "base_color")
        command = ("loop", MODEL, *common, *options, "--out", str(place / kind))
        assert app.main(list(command)) == 0
    return {kind: place / kind for kind in asked}


def frames(folder):
    files = sorted(folder.glob("*_basecolor_*.png"))
    assert [f.name[-8:-4] for f in files] == [f"{n:04}" for n in range(1, 17)]
    return [read_picture(file) for file in files]


@pytest.mark.parametrize("kind", ["through", "around"])
def test_the_last_step_is_no_larger_than_the_others(loops, kind):
    shown = frames(loops[kind])
    steps = [np.abs(shown[n] - shown[n - 1]).mean() for n in range(len(shown))]
    assert steps[0] < 1.25 * np.median(steps)  # from the last to the first
    assert max(steps) < 1.35 * np.median(steps)
    assert np.median(steps) > 1e-4
    # Half a loop away it looks otherwise: it does move.
    assert np.abs(shown[0] - shown[8]).mean() > 2 * np.median(steps)
    assert all(seam_ratio(line_steps(picture)) < 1.6 for picture in shown)


def test_sway_keeps_the_latents_normal_and_closes():
    still = draw_latents(5, 24, 24, NANO)
    for turn in (0.0, 0.3):
        moved = draw_latents(5, 24, 24, NANO, sway=(0.4, turn))
        for a, b in zip((still.local, *still.noise), (moved.local, *moved.noise), strict=True):
            assert 0.9 < b.std() < 1.1
            # cos of 0.4 quarter turns
            assert np.corrcoef(a.ravel(), b.ravel())[0, 1] == pytest.approx(0.81, abs=0.05)
    around = [draw_latents(5, 4, 4, NANO, sway=(0.4, turn)).local for turn in (0.25, 1.25)]
    np.testing.assert_allclose(*around, atol=1e-5)
    same = draw_latents(5, 24, 24, NANO, sway=(0.0, 0.7))
    np.testing.assert_array_equal(same.local, still.local)


def test_the_recipe_of_a_swayed_frame_makes_it_again(model):
    config = GenerationConfig(MODEL, 2, 64, 64, ("base_color",), sway=(0.5, 0.25))
    made = model.generate(config)
    assert made.recipe.config.sway == (0.5, 0.25)
    again = model.generate(replace(config, origin=made.recipe.config.origin))
    np.testing.assert_array_equal(again.maps["base_color"], made.maps["base_color"])
    still = model.generate(replace(config, sway=(0.0, 0.0), origin=made.recipe.config.origin))
    assert np.abs(still.maps["base_color"] - made.maps["base_color"]).mean() > 0.02
    with pytest.raises(RequestError):
        model.generate(replace(config, sway=(1.5, 0.0)))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--styles", "3,8", "--direction", "pca 1"), "received both"),
        (("--styles", "3"), "two looks"),
        (("--direction", "size"), "pca 1"),
        (("--direction", "pca 1", "--direction", "pca 1"), "different"),
        (("--direction", "pca 1", "--direction", "pca 2", "--direction", "pca 3"), "twice"),
        (("--frames", "1"), "--frames"),
        (("--sway", "2"), "--sway"),
        (("--sway", "0", "--radius", "0"), "a radius or a sway above 0"),
        (("--sway", "0", "--styles", "3,3"), "looks that differ"),
        (("--out", "."), "new folder"),
    ],
)
def test_bad_input_is_refused_before_the_model_is_loaded(
    options, says, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert app.main(["loop", MODEL, *options]) == 2
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_loop_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(motion, "PROBES", 2)
    write = sequences.SequenceWriter.write

    def interrupted(self, number, *rest):
        if number == 3:
            signal.raise_signal(signal.SIGINT)
        return write(self, number, *rest)

    monkeypatch.setattr(sequences.SequenceWriter, "write", interrupted)
    out = tmp_path / "out"
    assert (
        app.main(["loop", MODEL, "--size", "64", "--maps", "base_color", "--out", str(out)]) == 130
    )
    assert list(tmp_path.iterdir()) == []
