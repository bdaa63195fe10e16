"""Commands that make several materials hold one of them at a time: two may be more than there is memory for."""

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


@pytest.mark.parametrize("command", ["generate", "export"])
def test_what_was_made_is_gone_before_the_next_is_made(command, tmp_path, monkeypatch):
    module, model = importlib.import_module(f"gan_worker.cli.{command}"), Model()
    monkeypatch.setattr(module, "load", lambda folder, home: model)
    monkeypatch.setattr(module, "estimation_for", lambda *given: None)
    monkeypatch.setattr(run, "open_model", lambda folder, name: folder / name)
    monkeypatch.setattr(module, "model_for", lambda config, home: tmp_path, raising=False)
    to = ["--to", "unity"] if command == "export" else []
    options = ["--seed", "1-3", "--size", "8x8", "--out", str(tmp_path / "out"), *to]
    assert app.main([command, "wall", *options]) == 0
    assert model.held == [0, 0, 0]
    assert len(list((tmp_path / "out").glob("*.png"))) == 3
