"""The script that writes the real material that a model holds."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from gan_worker.materials.reading import read_material
from gan_worker.materials.sets import find_materials
from gan_worker.runs.run import BUNDLED, Run

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(SCRIPTS))
    yield importlib.import_module("kept_pictures")
    sys.path.remove(str(SCRIPTS))


def saved(model, folder):
    run = Run.create(folder, model.info.name)
    run.save_model(model.info, model.tensors())
    return run.path


def test_what_a_model_holds_is_the_material_it_learned(
    script, native_model, native_material, tmp_path
):
    files = script.write_kept(saved(native_model, tmp_path), tmp_path / "Oak")
    (found,), _, _ = find_materials([tmp_path / "Oak"])
    assert found.name == "Oak"
    maps = read_material(found)
    assert len(files) == len(maps) and {*maps} == {*native_material}
    for name, values in maps.items():
        # But for the few colors that lie off the axes which a model has for them.
        assert np.percentile(np.abs(values - native_material[name]), 99) < 0.02


def test_a_model_without_native_detail_holds_none(script, tmp_path):
    with pytest.raises(ValueError, match="native detail"):
        script.write_kept(BUNDLED / "Starter Red Bricks", tmp_path / "Oak")
