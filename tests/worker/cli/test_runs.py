"""`gan-worker rename` and `gan-worker delete`: what they do, and what they refuse."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from gan_worker.cli import app
from gan_worker.config import TrainingConfig
from gan_worker.locks import FolderLock
from gan_worker.runs import run as runs

INFO = runs.ModelInfo("", "", 8, 16, ("height",), "nano", {}, {}, 1.0, "2030-01-02", 5, 2.5)


@pytest.fixture
def oak(tmp_path, monkeypatch) -> runs.Run:
    """A run with a model."""
    monkeypatch.setenv("TILEWRIGHT_HOME", str(tmp_path))
    run = runs.Run.create(tmp_path / "runs", "oak")
    run.save_config(TrainingConfig("oak"))
    run.save_model(INFO, {"a": np.zeros(4)})
    return run


def test_a_renamed_run_is_a_whole_run_under_its_new_name(oak, capsys):
    assert app.main(["rename", "oak", "old oak"]) == 0
    assert "oak is now old oak" in capsys.readouterr().out
    folder = oak.path.parent
    assert runs.list_runs(folder) == ["old oak"]
    assert runs.Run.open(folder, "old oak").load_config().run == "old oak"
    assert runs.load_model_files(folder / "old oak")[0].name == "old oak"


def test_a_new_name_is_composed_as_a_keyboard_writes_it(oak, capsys):
    assert app.main(["rename", "oak", "Ba\u0308ckerwand"]) == 0
    assert runs.list_runs(oak.path.parent) == ["B\u00e4ckerwand"]
    assert "oak is now B\u00e4ckerwand" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["rename", "ash", "fir"], "unknown_run"),
        (["rename", "oak", "../fir"], "invalid_config"),
        (["rename", "oak", "taken"], "run_exists"),
        (["delete", "ash", "--yes"], "unknown_run"),
        (["delete", "Starter Red Bricks", "--yes"], "unknown_run"),
        (["delete", "oak"], "not_allowed"),  # nobody is there to ask
    ],
)
def test_what_cannot_be_is_said_and_changes_nothing(oak, capsys, command, code):
    (oak.path.parent / "taken").mkdir()
    assert app.main(command) == 2
    assert f"[{code}]" in capsys.readouterr().err
    assert runs.list_runs(oak.path.parent) == ["oak", "taken"]


def test_a_run_that_trains_is_left_alone(oak, capsys):
    lock = FolderLock(oak.path)
    assert lock.acquire()
    assert app.main(["delete", "oak", "--yes"]) == 1
    assert app.main(["rename", "oak", "fir"]) == 1
    assert capsys.readouterr().err.count("[busy]") == 2
    lock.release()
    assert app.main(["delete", "oak", "--yes"]) == 0
    assert runs.list_runs(oak.path.parent) == []


@pytest.mark.parametrize(("answer", "code", "left"), [(True, 0, []), (False, 130, ["oak"])])
def test_a_person_is_asked_first(oak, monkeypatch, answer, code, left):
    asked: list[str] = []
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("typer.confirm", lambda text: asked.append(text) or answer)
    assert app.main(["delete", "oak"]) == code
    assert str(oak.path) in asked[0]
    assert runs.list_runs(oak.path.parent) == left
