"""A model is judged from the command line, with figures that a file keeps."""

import json
import os

import numpy as np
import pytest

from gan_worker import cli, pictures
from gan_worker.config import TrainingConfig
from gan_worker.errors import RequestError
from gan_worker.gan import evaluation, generation, training
from gan_worker.progress import GenerationProgress, Stage
from gan_worker.runs import Run, open_model


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
    training.train(config, run, lambda report: None, lambda: False)
    return folder


@pytest.fixture(scope="module")
def model(home):
    return generation.load_model(open_model(home / "runs", "stripes"))


def evaluate(home, *arguments):
    return cli.main(["evaluate", "stripes", "--home", str(home), *map(str, arguments)])


def test_a_model_is_judged_beside_what_is_known(home, striped_file, capsys):
    assert evaluate(home, "--against", striped_file, "--seeds", 2) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("Model", "Real halves", "Shapeless", "Noise", "1.05"))
    assert "Warning" not in shown
    found = json.loads((home / "runs" / "stripes" / "evaluation.json").read_text())
    assert found["seeds"] == [1, 2]
    assert found["pictures"] == ["stripes"]
    rows = found["rows"]
    assert rows.keys() == {"model", "floor", "random_phase", "noise"}
    assert rows["floor"]["swd/0"] < rows["noise"]["swd/0"]
    assert rows["model"]["seam_ratio/base_color"] <= 1.05
    assert rows["model"]["shift_error"] < 1e-4
    assert all(np.isfinite(value) for row in rows.values() for value in row.values())


def test_too_many_copies_are_warned_of(home, striped_file, monkeypatch, capsys):
    monkeypatch.setattr(evaluation, "MOST_COPIED", -1.0)
    assert evaluate(home, "--against", striped_file, "--seeds", 2) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Warning" in shown
    assert "most of stripes." in shown


def test_the_figures_go_where_they_are_asked_for(home, striped_file, tmp_path, capsys):
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


def test_progress_counts_to_its_end(model, striped_file):
    heard = []
    evaluation.evaluate_model(model, [str(striped_file)], (1, 2), heard.append)
    counted = [news for news in heard if isinstance(news, GenerationProgress)]
    assert [news.done for news in counted] == list(range(8))
    assert {news.total for news in counted} == {7}
    assert sum(isinstance(news, Stage) for news in heard) == 7


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


@pytest.mark.skipif("TILEWRIGHT_TEST_DATA" not in os.environ, reason="needs real photos")
def test_a_poor_model_is_told_from_a_real_photo(home, capsys):
    photo = f"{os.environ['TILEWRIGHT_TEST_DATA']}/single/osm_brick_red.jpg"
    assert evaluate(home, "--against", photo, "--seeds", 2) == 0
    rows = json.loads((home / "runs" / "stripes" / "evaluation.json").read_text())["rows"]
    assert rows["model"]["critic_auc"] > 0.9
    assert rows["model"]["swd"] > 3 * rows["floor"]["swd"]
