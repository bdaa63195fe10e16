"""A model is judged from the command line, with figures that a file keeps."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest

from gan_worker.cli import app
from gan_worker.config import TrainingConfig
from gan_worker.errors import Cancelled, RequestError
from gan_worker.gan.data.dataset import read_pictures
from gan_worker.gan.generation import model as generation
from gan_worker.gan.metrics import evaluation
from gan_worker.gan.training import loop
from gan_worker.materials import pictures
from gan_worker.photos.preparing import prepare
from gan_worker.preparation import Preparation
from gan_worker.progress import GenerationProgress, Stage
from gan_worker.runs.provenance import (
    Provenance,
    TrainingSession,
    describe_picture,
    write_provenance,
)
from gan_worker.runs.run import Run, open_model


@pytest.fixture(scope="module")
def home(striped_file, tmp_path_factory):
    """A home with a model that has had two steps."""
    folder = tmp_path_factory.mktemp("home")
    config = TrainingConfig(
        run="stripes",
        pictures=(str(striped_file),),
        preset="nano",
        minutes=None,
        kimg=0.008,
        scale=1.0,
    )
    run = Run.create(folder / "runs", "stripes")
    loop.train(config, run, lambda report: None, lambda: False)
    return folder


@pytest.fixture(scope="module")
def model(home):
    return generation.load_model(open_model(home / "runs", "stripes"))


@pytest.fixture(scope="module")
def judged(model, striped_file):
    """What came of judging it, and all that was told meanwhile."""
    heard = []
    return evaluation.evaluate_model(model, [str(striped_file)], (1, 2), heard.append), heard


def evaluate(home, *arguments):
    return app.main(["evaluate", "stripes", "--home", str(home), *map(str, arguments)])


def test_a_model_is_judged_beside_what_is_known(home, striped_file, judged, capsys, monkeypatch):
    monkeypatch.setattr(evaluation, "evaluate_model", lambda *asked: judged[0])
    assert evaluate(home, "--against", striped_file, "--seeds", 2) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("Model", "Real halves", "Shapeless", "Noise", "1.05"))
    assert "Warning" not in shown
    assert "Most like stripes" in shown
    assert (home / "runs" / "stripes" / "evaluation_likeness.png").is_file()
    found = json.loads((home / "runs" / "stripes" / "evaluation.json").read_text())
    assert found["seeds"] == [1, 2]
    assert found["pictures"] == ["stripes"]
    rows = found["rows"]
    assert rows.keys() == {"model", "floor", "random_phase", "noise"}
    assert rows["floor"]["swd/0"] < rows["noise"]["swd/0"]
    assert rows["model"]["seam_ratio/base_color"] <= 1.05
    assert rows["model"]["shift_error"] < 1e-4
    assert all(np.isfinite(value) for row in rows.values() for value in row.values())


def test_a_model_that_copies_is_warned_of_and_shown_beside_the_picture(
    home, monkeypatch, tmp_path, capsys
):
    """A generator that returns one of the pictures, rolled, stands in for one that learned it by heart."""
    generator = np.random.default_rng(0)
    for name in ("bark", "moss"):
        learned = generator.uniform(0, 1, (12, 12, 3)).repeat(8, axis=0).repeat(8, axis=1)
        pictures.write_picture(tmp_path / f"{name}.png", learned)
    generate = generation.Model.generate

    def recite(model, wanted, *more):
        maps = {"base_color": np.roll(learned, 8 * wanted.seed, 0).astype(np.float32)}
        return dataclasses.replace(generate(model, wanted, *more), maps=maps)

    monkeypatch.setattr(generation.Model, "generate", recite)
    file = tmp_path / "found.json"
    assert evaluate(home, "--against", tmp_path, "--seeds", 2, "--json", file) == 0
    shown = " ".join(capsys.readouterr().out.split())
    found = json.loads(file.read_text())
    copied = found["rows"]["model"]["copied"]
    assert f"Warning: {copied:.0%} of what this model makes is copied" in shown
    assert "mostly from moss, so" in shown
    assert found["nearest"] == "moss"
    first = found["likenesses"][0]
    assert (first["picture"], round(first["correlation"], 2)) == ("moss", 1)
    assert str(tmp_path / "found_likeness.png") in shown
    sheet = pictures.read_picture(tmp_path / "found_likeness.png")
    made, real = (sheet[32 : 32 + 192, left : left + 192] for left in (8, 208))
    # The framed pieces lie in their middle, or nearer to where the pictures end.
    places = [[64, 64], [64, 64]]
    for number, name in enumerate(("place", "picture_place")):
        for axis in (0, 1):
            at = first[name][1 - axis]
            places[number][axis] = 3 * (at - min(max(0, at - 24), 96 - 64)) + 3
    pieces = [p[r : r + 42, c : c + 42] for p, (r, c) in zip((made, real), places, strict=True)]
    assert pieces[0].std() > 0.05
    np.testing.assert_allclose(*pieces, atol=0.01)


def test_the_figures_go_where_they_are_asked_for(
    home, striped_file, judged, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(evaluation, "evaluate_model", lambda *asked: judged[0])
    file = tmp_path / "figures.json"
    assert evaluate(home, "--against", striped_file, "--seeds", 2, "--json", file) == 0
    assert json.loads(file.read_text())["model"] == "stripes"
    assert "figures.json" in capsys.readouterr().out


def test_what_cannot_be_judged_is_refused_with_a_cure(home, striped_file, capsys):
    assert evaluate(home, "--against", striped_file, "--seeds", 1) == 2
    assert "--seeds 4" in capsys.readouterr().err
    assert evaluate(home, "--against", "/not/there") == 2
    assert "[picture_missing]" in capsys.readouterr().err


def test_pictures_of_other_maps_cannot_judge_it(model, tmp_path):
    grey = np.random.default_rng(0).uniform(0, 1, (96, 96, 1))
    for name in ("Roughness", "Displacement"):
        pictures.write_picture(tmp_path / f"oak_{name}.png", grey)
    with pytest.raises(RequestError, match="base_color") as caught:
        evaluation.evaluate_model(model, [str(tmp_path)], (1, 2), lambda news: None)
    assert caught.value.code == "invalid_config"


def test_progress_counts_to_its_end(judged):
    _, heard = judged
    counted = [news for news in heard if isinstance(news, GenerationProgress)]
    assert [news.done for news in counted] == list(range(9))
    assert {news.total for news in counted} == {8}
    assert sum(isinstance(news, Stage) for news in heard) == 8


def test_a_network_that_knows_its_place_is_found_out(model):
    """A generator with something added at one corner is not equivariant to shifts."""

    class Placed:
        style = model.generator.style

        def synthesis(self, *inputs):
            channels = model.generator.synthesis(*inputs).numpy()
            channels[:, :4, :4] += 3
            return channels

    network, statistics = model.network, model.statistics
    assert evaluation.shift_error(model) < 1e-4
    placed = generation.Model(model.info, model.generator)
    placed.generator = Placed()
    assert (placed.network, placed.statistics) == (network, statistics)
    assert evaluation.shift_error(placed) > 0.1


def test_a_photo_is_judged_as_it_was_prepared_for_the_training(home, tmp_path, monkeypatch):
    corners = ((0.05, 0.1), (0.95, 0.05), (0.9, 0.9), (0.1, 0.95))
    done = Preparation(corners, even_light=1.0)
    light = np.linspace(1, 0.4, 160, dtype=np.float32)[None, :, None]
    photo = np.random.default_rng(5).random((140, 160, 3), np.float32) * light
    pictures.write_picture(tmp_path / "photo.png", photo, 16)
    shutil.copytree(home, tmp_path / "home")
    run = Run.open(tmp_path / "home" / "runs", "stripes")
    run.save_config(dataclasses.replace(run.load_config(), prepare=done))
    described = [describe_picture(tmp_path / "photo.png")]
    session = TrainingSession(0, {}, {})
    write_provenance(run.path, Provenance().extended(described, session))
    seen = []

    def watched(*chosen, **more):
        seen.append(read_pictures(*chosen, **more))
        raise Cancelled

    monkeypatch.setattr(evaluation, "read_pictures", watched)
    assert evaluate(tmp_path / "home", "--against", tmp_path / "photo.png") != 0
    (read,) = seen
    seen = (read.natives or read.materials)[0]["base_color"]
    height, width = seen.shape[:2]
    np.testing.assert_allclose(seen, prepare(photo, done)[:height, :width], atol=1e-3)


@pytest.mark.skipif("TILEWRIGHT_TEST_DATA" not in os.environ, reason="needs real photos")
def test_a_poor_model_is_told_from_a_real_photo(home, capsys):
    photo = f"{os.environ['TILEWRIGHT_TEST_DATA']}/single/osm_brick_red.jpg"
    assert evaluate(home, "--against", photo, "--seeds", 2) == 0
    rows = json.loads((home / "runs" / "stripes" / "evaluation.json").read_text())["rows"]
    assert rows["model"]["critic_auc"] > 0.9
    assert rows["model"]["swd"] > 3 * rows["floor"]["swd"]


def test_a_model_with_octaves_is_judged_at_the_pictures_own_size(
    native_model, native_material, tmp_path
):
    file = tmp_path / "blobs_basecolor.png"
    pictures.write_picture(file, native_material["base_color"])
    pictures.write_picture(tmp_path / "blobs_height.png", native_material["height"])
    asked = []
    generate = native_model.generate

    class Watched(generation.Model):
        def generate(self, config, *more):
            asked.append(config)
            return generate(config, *more)

    watched = Watched(native_model.info, native_model.generator, detail=native_model.detail)
    found, sheet = evaluation.evaluate_model(watched, [str(tmp_path)], (1, 2), lambda report: None)
    assert {(config.width, config.height, config.mip) for config in asked} == {(256, 256, 0)}
    assert found.scale == 1.0
    assert found.rows["model"]["shift_error"] < 1e-4
    # An untrained model draws its detail out of the picture itself.
    assert 0 <= found.rows["model"]["copied"] <= 1
    assert found.rows["floor"]["swd/0"] < found.rows["model"]["swd/0"]
    assert len(found.likenesses) > 0 and sheet.dtype == np.uint8
