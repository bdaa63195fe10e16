"""Files that version 0.1.0 has written are read as it meant them: runs, models, pictures, favourites, recipes."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from gan_worker.config import EARLIER, PRESETS, ClassicConfig, GenerationConfig, NetworkConfig
from gan_worker.materials.maps import MAPS
from gan_worker.materials.metadata import read_metadata
from gan_worker.materials.pictures import read_header
from gan_worker.runs import run
from gan_worker.styles.favourites import read_favourites

OLD = Path(__file__).parents[1] / "fixtures" / "version_0_1"
MODEL = "oak and slate"
HASH = "a36aec7e4c48b5aa02910fbf5bb141d3cac32280d7b58bc49f57747610a44f94"
SIX = ("base_color", "roughness", "metallic", "normal", "height", "ambient_occlusion")


@pytest.fixture
def runs(tmp_path):
    """A copy: whoever opens a run may write to it."""
    return Path(shutil.copytree(OLD / "runs", tmp_path / "runs"))


def test_a_run_is_opened_with_all_that_was_chosen_and_reported(runs):
    opened = run.Run.open(runs, MODEL)
    config = opened.load_config()
    assert (config.preset, config.kimg, config.minutes, config.scale) == ("nano", 0.2, None, 1.0)
    assert (config.author, config.license) == ("Tilewright", "CC0-1.0")
    reported = opened.read_progress()
    assert [p.step for p in reported][:: len(reported) - 1] == [1, 50]
    assert reported[0].losses["generator"] == pytest.approx(0.8609, abs=1e-4)


def test_a_checkpoint_is_whole(runs):
    tensors, state, notes = run.Run.open(runs, MODEL).load_checkpoint()
    assert (state["step"], state["materials"], notes) == (50, ["oak", "slate"], [])
    assert sum(t.nbytes for t in tensors.values()) > 150_000


def test_a_model_is_listed_and_its_weights_are_those_it_names(runs):
    (listed,) = (found for found in run.list_models(runs)[0] if found.name == MODEL)
    info, tensors = run.load_model_files(run.open_model(runs, MODEL))
    assert info.hash == listed.hash == HASH
    assert info.maps == SIX
    assert (info.styles, info.stride, info.z_dim) == (("oak", "slate"), 8, 8)
    assert info.credits.licenses == ("CC0-1.0",)
    assert {"styles/oak", "styles/slate"} <= tensors.keys()


def test_maps_have_kept_their_names_and_their_order_among_themselves():
    assert tuple(name for name in MAPS if name in SIX) == SIX


@pytest.mark.parametrize("name", ["basecolor", "height"])
def test_a_picture_says_how_it_was_made(name):
    file = OLD / "files" / f"{MODEL}_3_32x32_{name}.png"
    made = read_metadata(read_header(file)[2])
    assert (made["model"], made["model_hash"], made["software"]) == (
        MODEL,
        HASH,
        "Tilewright 0.1.0",
    )
    assert made["rights"].endswith("licence: CC0-1.0.")
    assert made["recipe"] == json.loads(
        (OLD / "files" / f"{MODEL}_3_32x32.json").read_text("utf-8")
    )


def test_favourites_keep_their_looks_and_pictures():
    mossy, bare = read_favourites(OLD / "favourites.json")
    assert (mossy.name, bare.name) == ("mossy", "bare")
    look = GenerationConfig(MODEL, 7, 32, 48, truncation_psi=0.75)
    for favourite, amount in ((mossy, 1.5), (bare, -2.0)):
        kept = favourite.config
        assert kept.directions == (("pca 1", amount), ("factor 1", -0.5))
        assert (kept.seed, kept.truncation_psi) == (look.seed, look.truncation_psi)
        assert len(favourite.thumbnail) > 1000


def test_presets_have_kept_their_networks():
    """A checkpoint of then names its preset alone: with other networks it could not be continued."""
    nano = NetworkConfig((24, 16, 16, 12), (12, 16, 24, 32), crop=32, batch=4, z_dim=16, w_dim=16)
    assert replace(PRESETS["nano"], detail=nano.detail) == nano
    assert EARLIER["tiny"] == NetworkConfig((96, 64, 48, 24), (24, 48, 64, 96), crop=64, batch=8)
    full = NetworkConfig(
        (256, 256, 192, 128, 64, 32), (32, 64, 128, 192, 256, 256), crop=256, batch=16
    )
    assert replace(PRESETS["full"], detail=full.detail) == full
    assert PRESETS["classic"] == ClassicConfig((256, 256, 128, 64), (256, 128), 28, 64, 100)
