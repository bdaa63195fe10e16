"""A model of version 0.1.0 makes the pictures it made then, and its run goes on."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gan_worker import config
from gan_worker.config import GenerationConfig, NetworkConfig, TrainingConfig
from gan_worker.gan.generation import model as generation
from gan_worker.gan.training import loop
from gan_worker.materials.pictures import read_picture, resize, write_picture
from gan_worker.runs.run import Run, open_model
from gan_worker.style import Material

OLD = Path(__file__).parents[1] / "fixtures" / "version_0_1"
MODEL = "oak and slate"
# What stood under "nano" when the run was made: its checkpoint would not be small otherwise.
SMALL = NetworkConfig(
    (8, 8, 6, 6), (6, 8, 8, 8), crop=32, batch=4, local_channels=8, z_dim=8, w_dim=8
)


@pytest.fixture
def runs(tmp_path):
    return Path(shutil.copytree(OLD / "runs", tmp_path / "runs"))


def test_a_model_makes_the_pictures_of_then(runs):
    recipe = json.loads((OLD / "files" / f"{MODEL}_3_32x32.json").read_text("utf-8"))
    model = generation.load_model(open_model(runs, MODEL))
    asked = GenerationConfig(MODEL, recipe["seed"], recipe["width"], recipe["height"])
    made = model.generate(asked, {"base_color": 8, "height": 16})
    assert list(made.recipe.config.origin) == recipe["origin"]
    for name, file, unit in (("base_color", "basecolor", 255), ("height", "height", 65535)):
        then = read_picture(OLD / "files" / f"{MODEL}_3_32x32_{file}.png")
        now = made.maps[name] / unit
        # Other processors round in other places.
        assert np.abs(now - then[..., : now.shape[-1]]).max() < 0.02


def test_a_look_by_name_differs_from_the_other(runs):
    model = generation.load_model(open_model(runs, MODEL))
    oak, slate = (
        model.generate(GenerationConfig(MODEL, 3, 32, 32, style=Material(name))).maps["base_color"]
        for name in ("oak", "slate")
    )
    assert np.abs(oak - slate).mean() > 0.05


def test_a_run_is_continued(runs, monkeypatch):
    monkeypatch.setitem(config.NETWORKS, "nano", SMALL)
    run = Run.open(runs, MODEL)
    asked = TrainingConfig(
        MODEL, (str(OLD / "pictures"),), "nano", None, kimg=0.208, scale=1.0, resume=True
    )
    loop.train(asked, run, lambda report: None, lambda: False)
    assert run.read_progress()[-1].step == 52
    assert run.checkpoints()[-1] == "00000.208"
    assert generation.load_model(open_model(runs, MODEL)).generate(
        GenerationConfig(MODEL, 3, 32, 32)
    )


def test_a_run_goes_on_with_the_networks_it_was_begun_with(runs, monkeypatch):
    """A preset may have other sizes by now, earlier versions' checkpoints do not tell theirs, and later ones do."""
    monkeypatch.setitem(config.EARLIER, "nano", SMALL)
    asked = TrainingConfig(
        MODEL, (str(OLD / "pictures"),), "nano", None, kimg=0.208, scale=1.0, resume=True
    )
    loop.train(asked, Run.open(runs, MODEL), lambda report: None, lambda: False)
    assert Run.open(runs, MODEL).load_checkpoint()[1]["network"]["w_dim"] == SMALL.w_dim
    monkeypatch.delitem(config.EARLIER, "nano")
    loop.train(
        replace(asked, kimg=0.216), Run.open(runs, MODEL), lambda report: None, lambda: False
    )
    assert Run.open(runs, MODEL).read_progress()[-1].step == 54


def test_a_run_is_continued_with_a_detail_stage(runs, tmp_path, monkeypatch):
    """One that learned its pictures at half their size, that is; those of then have no more than it learned."""
    (tmp_path / "pictures").mkdir()
    for file in (OLD / "pictures").iterdir():
        write_picture(tmp_path / "pictures" / file.name, resize(read_picture(file), 2))
    arrays, state, _ = Run.open(runs, MODEL).load_checkpoint()
    Run.open(runs, MODEL).save_checkpoint("00000.201", arrays, state | {"scale": 0.5})
    detailed = replace(SMALL, detail=config.MATERIAL_PRESETS["nano"].detail)
    monkeypatch.setitem(config.NETWORKS, "nano", detailed)
    before = generation.load_model(open_model(runs, MODEL))
    asked = TrainingConfig(
        MODEL, (str(tmp_path / "pictures"),), "nano", None, kimg=0.208, octaves=1, resume=True
    )
    loop.train(asked, Run.open(runs, MODEL), lambda report: None, lambda: False)
    after = generation.load_model(open_model(runs, MODEL))
    assert (after.info.octaves, after.info.format, after.info.stride) == (1, 2, 16)
    small = GenerationConfig(MODEL, 3, 32, 48)
    drawn, again = before.latents(small), after.latents(replace(small, mip=1))
    np.testing.assert_array_equal(drawn.local, again.local)
    then, now = before.generate(small).maps, after.generate(replace(small, mip=1)).maps
    # The generator has made a few steps more, and draws the same tile.
    assert np.abs(then["base_color"] - now["base_color"]).mean() < 0.03
    whole = after.generate(replace(small, width=64, height=96)).maps
    assert {picture.shape[:2] for picture in whole.values()} == {(96, 64)}
