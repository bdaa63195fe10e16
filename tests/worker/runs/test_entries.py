"""Odd folders: whatever lies in one, the others are listed, and it is listed with the reason."""

import dataclasses
import json
import os
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest

from gan_worker.cli import app
from gan_worker.config import TrainingConfig
from gan_worker.runs.run import BUNDLED, ModelInfo, Run
from gan_worker.server.allowed_folders import AllowedFolders
from gan_worker.server.run_catalogue import RunCatalogue
from gan_worker.wire.codec import HEAD_LIMIT, Message, decode, encode
from gan_worker.wire.messages import ModelList, RunList

INFO = ModelInfo("", "", 8, 16, ("height",), "nano", {}, {}, 1.0, "2030-01-02", 5, 2.5)
DEEP = "[" * 500
TICK = {"step": 1, "kimg": 1, "seconds": 1, "fraction": 0, "eta": None, "figures": {"swd": 1.0}}
MODEL = dataclasses.asdict(INFO) | {"hash": "a" * 64, "format": 1}


def text(file, found):
    def make(folder):
        (folder / file).write_text(found if isinstance(found, str) else json.dumps(found))

    return make


def model(**changes):
    return text("model.json", MODEL | changes)


def tick(**changes):
    return text("progress.jsonl", json.dumps(TICK | changes) + "\n")


def link(file, to):
    return lambda folder: (folder / file).symlink_to(to)


def pipe(file):
    return lambda folder: os.mkfifo(folder / file)


def folder_for(file):
    return lambda folder: (folder / file).mkdir()


def bound(folder):
    before = Path.cwd()
    os.chdir(folder)  # the name of a socket has 107 letters at most
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("config.json")
    os.chdir(before)


def dated(year):
    return lambda folder: os.utime(folder, ((year - 1970) * 31_556_952,) * 2)


def huge(folder):
    with (folder / "model.json").open("wb") as opened:
        opened.truncate(2**40)


ODD = {
    **{f"{f} is a pipe": pipe(f) for f in ("model.json", "config.json", "progress.jsonl")},
    "evaluation.json is a pipe": pipe("evaluation.json"),
    "previews is a file": text("previews", ""),
    "checkpoints is a pipe": pipe("checkpoints"),
    "a preview is a pipe": lambda f: ((f / "previews").mkdir(), os.mkfifo(f / "previews/1.png")),
    "model.json is a folder": folder_for("model.json"),
    "model.json without end": link("model.json", "/dev/zero"),
    "progress.jsonl without end": link("progress.jsonl", "/dev/urandom"),
    "config.json is a circle": link("config.json", "config.json"),
    "model.json leads nowhere": link("model.json", "nowhere"),
    "config.json is a socket": bound,
    "model.json of a TiB": huge,
    "dated in the year 300000": dated(300_000),
    "dated before the calendar": dated(-200_000),
    "config is a list": text("config.json", "[]"),
    "config in UTF-16": lambda f: (f / "config.json").write_bytes(
        '{"preset":"x"}'.encode("utf-16")
    ),
    "config nested": text("config.json", DEEP),
    "preset of no word": text("config.json", {"preset": {"a": [1]}}),
    "preset with escape codes": text("config.json", {"preset": "\x1b[2J" * 30}),
    "kimg true": tick(kimg=True),
    "kimg a list": tick(kimg=[[1]]),
    "kimg 1e999": text("progress.jsonl", json.dumps(TICK).replace('"kimg": 1', '"kimg": 1e999')),
    "seconds 10**308 times ten": tick(seconds=10**309),
    "figures huge": tick(figures={"f" * 40 + str(n): 1.0 for n in range(3000)}),
    "figures named at length": tick(figures={"f" * 100_000: 1.0}),
    "figures odd": tick(figures={"a": 10**400, "b": None, "c": float("nan"), "\ud800": 1}),
    "progress a list": text("progress.jsonl", "[1]\n[2]\n"),
    "progress one long line": text("progress.jsonl", "x" * 200_000),
    "evaluation of lists": text("evaluation.json", {"model_hash": "a" * 64, "rows": [1]}),
    "model a number": text("model.json", "7"),
    "model of another version": model(format=99),
    "model steps": model(step=2**53),
    "model negative stride": model(stride=-8),
    "model stride": model(stride=10**9),
    "model hash": model(hash="../" * 20),
    "model scale": model(scale=float("inf")),
    "model copied": model(copied=10**400),
    "model created": model(created="x" * 100_000),
    "model preset": model(preset="\udfff"),
    "model styles": model(styles=["a\ud800"]),
    "model many styles": model(styles=[f"moss and stone {n}" for n in range(20_000)]),
    "model one long style": model(styles=["s" * 60_000]),
    "model w of a million": model(network={"config": {"w_dim": 10**9}}),
    "model w odd": model(network={"config": {"w_dim": -(10**12)}}),
    "model maps": model(maps=["height"] * 1000),
    "model credits": model(credits={"authors": ["a"] * 100_000}),
    "model nested": model(network=json.loads("[" * 400 + "]" * 400)),
}


@pytest.fixture
def home(tmp_path):
    run = Run.create(tmp_path / "runs", "innocent")
    run.save_config(TrainingConfig("innocent", ("a.png",)))
    run.save_model(INFO, {"a": np.zeros(10)})
    return tmp_path


def listed(home):
    """Runs and models as a client gets them, by name."""
    store = RunCatalogue(home / "runs", AllowedFolders({}, ()))
    store.read()
    models, unreadable = store.models(())
    bodies = [RunList(tuple(store.runs(()))), ModelList(tuple(models), True, tuple(unreadable))]
    runs, models = (decode(encode(Message(body))).body for body in bodies)
    return (
        {r.name: r for r in runs.runs},
        {m.name: m for m in models.models},
        {u.name: u.reason for u in models.unreadable},
    )


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_folder_hides_no_other_and_is_listed(home, capsys, odd):
    folder = home / "runs" / "odd"
    folder.mkdir()
    ODD[odd](folder)
    runs, models, unreadable = listed(home)
    assert runs["innocent"].has_model
    assert not runs["innocent"].problem
    assert {"innocent", "Starter Red Bricks"} <= models.keys()
    assert "innocent" not in unreadable
    assert "odd" in runs
    assert len(encode(Message(RunList((runs["odd"],))))[1]) < HEAD_LIMIT / 6
    if os.path.lexists(folder / "model.json") and not models.get("odd"):
        assert unreadable["odd"]
        assert runs["odd"].problem
    for command in ("models", "runs"):
        assert app.main([command, "--home", str(home)]) == 0
        assert "innocent" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name",
    [
        *(b"a\xff\xfe", b"\xf0\x9f", b"a\nb", b"a\x1b[31mb", b"n" * 255, b" edge ", b"CON"),
        "𝒜".encode() * 61,
    ],
)
def test_a_folder_that_nobody_can_name_is_listed_with_the_reason(home, capsys, name):
    folder = os.fsencode(home / "runs") + b"/" + name
    os.mkdir(folder)  # noqa: PTH102 — a path of pathlib is text
    shutil.copy(home / "runs/innocent/model.json", folder + b"/model.json")
    runs, models, unreadable = listed(home)
    assert "innocent" in runs
    (other,) = runs.keys() - {"innocent"}
    assert "name of a run must be" in runs[other].problem
    assert not runs[other].has_model
    assert other not in models
    assert "must be" in unreadable[other]
    for command in ("models", "runs"):
        assert app.main([command, "--home", str(home)]) == 0
        told = capsys.readouterr()
        assert "innocent" in told.out
        assert "cannot be listed" in told.out + told.err


def test_what_cannot_be_listed_stands_behind_what_can(home):
    for number in range(120):
        (home / "runs" / f"odd {number}").mkdir()
        (home / "runs" / f"odd {number}" / "model.json").write_text("{")
    store = RunCatalogue(home / "runs", AllowedFolders({}, ()))
    store.read()
    assert store.runs(())[0].name == "innocent"


def test_a_model_of_many_materials_is_listed_with_some_of_them(home):
    styles = [f"moss and stone {n}" for n in range(5000)]
    info = json.loads((home / "runs/innocent/model.json").read_text())
    (home / "runs/innocent/model.json").write_text(json.dumps(info | {"styles": styles}))
    _, models, unreadable = listed(home)
    told = models["innocent"].styles
    assert 50 < len(told) < 5000
    assert told == tuple(styles[: len(told)])
    assert unreadable["innocent"] == f"Of its 5000 materials {len(told)} are listed."


def test_the_models_of_the_program_are_all_right(home):
    _, models, unreadable = listed(home)
    assert {folder.name for folder in BUNDLED.iterdir()} <= models.keys()
    assert unreadable == {}


@pytest.mark.parametrize("looks", range(6))
def test_a_folder_that_goes_away_while_it_is_listed(home, monkeypatch, looks):
    """Between any two looks at the disk all may be gone."""
    scandir, left = os.scandir, [looks]

    def look(folder):
        if not left[0]:
            (home / "runs").rename(home / "gone")
        left[0] -= 1
        return scandir(folder)

    store = RunCatalogue(home / "runs", AllowedFolders({}, ()))
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", look)
        store.read()
    assert store.models(())[0]
    if (home / "runs").exists():  # there were not so many looks
        (home / "runs").rename(home / "gone")
    store.read()
    assert store.runs(()) == []
    assert store.models(())[0]
