"""The benchmark of weights: which materials it takes, which networks, and what its table says."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from gan_worker.config import MATERIAL_PRESETS

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(SCRIPTS))
    yield importlib.import_module("bench_weights")
    sys.path.remove(str(SCRIPTS))


def test_a_file_says_which_networks_it_fits_and_what_it_does_not_know(script, tmp_path):
    settings = {"held_back": ["bark"], "channels": {"generator": [8, 4]}}
    told = {"sessions": [{"settings": settings}]}
    (tmp_path / "thin.json").write_text(json.dumps(told))
    network = script.network_of(tmp_path / "thin.safetensors")
    assert network.generator_channels == (8, 4)
    assert network.discriminator_channels == MATERIAL_PRESETS["tiny"].discriminator_channels
    assert script.held_back_by(tmp_path / "thin.safetensors") == ["bark"]


def test_only_what_was_held_back_is_measured(script, tmp_path):
    for name in ("Bark012_color.png", "Bricks001_color.png"):
        (tmp_path / name).touch()
    assert [item.stem for item in script.held_back_items([tmp_path], ["bark"])] == ["Bark012_color"]
    with pytest.raises(SystemExit, match="leather"):
        script.held_back_items([tmp_path], ["leather"])


def test_a_table_compares_materials_that_all_were_trained_on(script):
    def made(critic, steps):
        return {"row": {"critic/32": critic, "contrast": 10.0}, "steps": steps}

    results = {
        "old": {"oak": made(0.9, 100), "ash": made(0.7, 120), "elm": made(0.1, 120)},
        "new": {"oak": made(0.6, 200), "ash": made(0.6, 200)},
    }
    floor = {name: {"critic/32": 0.5, "contrast": 5.0} for name in ("oak", "elm")}
    floor["ash"] = {"contrast": 5.0}
    text = script.tables({"results": {"2": results}, "floor": floor})
    assert "median of 2 materials" in text
    assert "| old | 110 | 0.8 | – | 10 |" in text
    assert "| new | 200 | 0.6 | – | 10 |" in text
    assert "| oak | 0.9, 10 | 0.6, 10 | 0.5, 5 |" in text
    assert "| ash | 0.7, 10 | 0.6, 10 | –, 5 |" in text
    assert "elm" not in text
