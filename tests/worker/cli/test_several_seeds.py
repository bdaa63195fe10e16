"""Commands that make several materials: one is held at a time, as two may be too much, and none overwrites another."""

import importlib
import weakref
from dataclasses import replace

import numpy as np
import pytest

from gan_worker.cli import app
from gan_worker.config import Recipe
from gan_worker.progress import GeneratedMaterial
from gan_worker.runs import run


class Model:
    """Makes plain materials, and looks whether those before are gone."""

    def __init__(self):
        self.made, self.held = [], []

    def generate(self, config, bits, report=None):
        self.held.append(sum(picture() is not None for picture in self.made))
        color = np.zeros((8, 8, 3), np.uint8)
        self.made.append(weakref.ref(color))
        recipe = Recipe(replace(config, origin=(0, 0)), "a" * 64, "0.1.0")
        return GeneratedMaterial({"base_color": color}, recipe, {"base_color": 1.0})


@pytest.fixture(params=["generate", "export"])
def command(request, tmp_path, monkeypatch):
    """A command that makes materials of the model `wall`, and what stands in for that."""
    module, model = importlib.import_module(f"gan_worker.cli.{request.param}"), Model()
    monkeypatch.setattr(module, "load", lambda folder, home: model)
    monkeypatch.setattr(module, "estimation_for", lambda *given: None)
    monkeypatch.setattr(run, "open_model", lambda folder, name: folder / name)
    monkeypatch.setattr(module, "model_for", lambda config, home: tmp_path, raising=False)
    to = ["--to", "unity"] if request.param == "export" else []
    where = ["--size", "8x8", "--out", str(tmp_path / "out"), *to]
    return lambda *options: app.main([request.param, "wall", *where, *options]), model


def test_what_was_made_is_gone_before_the_next_is_made(command, tmp_path):
    make, model = command
    assert make("--seed", "1-3") == 0
    assert model.held == [0, 0, 0]
    assert len(list((tmp_path / "out").glob("*.png"))) == 3


def test_one_look_does_not_overwrite_another(command, tmp_path):
    make, _ = command
    assert make() == make("--material", "Brass") == make("--material", "Denim") == 0
    assert make("--psi", "0.5") == make("--psi", "0.7") == 0
    names = [file.name for file in (tmp_path / "out").glob("*.png")]
    assert len(names) == 5
    assert sum(name.startswith("wall_Denim_1_8x8_") for name in names) == 1
