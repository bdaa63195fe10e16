"""`gan-worker batch` up to Blender, with Blenders that misbehave."""

import json
import os
import sys

import pytest

from gan_worker import cli
from gan_worker.commands import batch

RULE = '[[rules]]\nselect = { name = "*" }\nmodel = "bricks"\n'


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.toml").write_text(RULE)
    (tmp_path / "in.blend").write_bytes(b"opened by Blender alone")
    return tmp_path


@pytest.fixture
def blender(place):
    """Writes a program that stands for Blender; its text gets what was asked for as `asked`."""

    def write(text):
        path = place / "blender"
        head = (
            f"#!{sys.executable}\nimport json, os, signal, sys\nasked = json.loads(sys.argv[-1])\n"
        )
        path.write_text(
            f"{head}def tell(**news): print({batch.MARK!r} + json.dumps(news))\n{text}\n"
        )
        path.chmod(0o755)
        return ["--blender", str(path)]

    return write


def run(*options, scene="in.blend"):
    return cli.main(["batch", "recipe.toml", "--scene", scene, *options])


def test_a_bad_recipe_ends_before_blender_starts(place, capsys):
    (place / "recipe.toml").write_text(RULE + "psi = 3")
    assert run("--out", "out.blend", "--blender", "nowhere") == 1
    assert "Line 4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "scene", "words"),
    [
        (("--out", "o.blend"), "gone.blend", "gone.blend is not"),
        ((), "in.blend", "received no --out"),
        (("--out", "o.blend", "--blender", "no-such-blender"), "in.blend", "no-such-blender is"),
    ],
)
def test_what_is_missing_is_named(place, capsys, options, scene, words):
    assert run(*options, scene=scene) == 1
    assert words in " ".join(capsys.readouterr().err.split())


def test_blender_is_asked_for_what_was_asked_for(place, blender, capsys):
    end = 'tell(done={"applied": 3, "total": 2, "made": 1, "kept": 1, "failed": 0})'
    program = blender(f'print("chatter")\nopen("asked.json", "w").write(sys.argv[-1])\n{end}')
    assert run("--out", "o.blend", "--keep-going", "--home", "h", *program) == 0
    asked = json.loads((place / "asked.json").read_text())
    assert asked["scene"] == str(place / "in.blend")
    assert asked["out"] == str(place / "o.blend")
    assert (asked["keep_going"], asked["dry_run"], asked["home"]) == (True, False, str(place / "h"))
    assert asked["python"] == sys.executable
    out = capsys.readouterr().out
    assert "3 slots filled with 2 materials: 1 made, 1 were there, 0 failed" in out
    assert "chatter" not in out


def test_a_dry_run_shows_all_rows(place, blender, capsys):
    rows = [[f"House {n}", "0", "–", "bricks", "seed 1", "64×64", "all"] for n in range(30)]
    told = {"rows": rows, "notes": ["Nothing to do."], "materials": 1}
    program = blender(f"tell(plan={told!r})")
    assert run("--dry-run", *program) == 0
    out = capsys.readouterr().out
    assert "House 29" in out
    assert "Nothing to do." in out


@pytest.mark.parametrize("code", [1, 75])
def test_the_code_of_the_run_is_the_commands(place, blender, capsys, code):
    info = {"code": "worker_gone", "message": "It is gone.", "cure": "Again."}
    program = blender(f"tell(error={info!r})\nsys.exit({code})")
    assert run("--out", "o.blend", *program) == code
    assert "It is gone." in capsys.readouterr().err


def test_a_blender_without_the_add_on(place, blender, capsys):
    program = blender(f"sys.exit({batch.ADDON_MISSING})")
    assert run("--out", "o.blend", *program) == 1
    assert "Tilewright extension" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("text", "code"),
    [("os.kill(os.getpid(), signal.SIGKILL)", 75), ('sys.stderr.write("no screen")', 1)],
)
def test_a_blender_that_dies_is_told_with_its_last_words(place, blender, capsys, text, code):
    program = blender(f'print("last words", flush=True)\n{text}\nsys.exit(3)')
    assert run("--out", "o.blend", *program) == code
    assert "last words" in capsys.readouterr().err


@pytest.mark.parametrize("wish", ["SIGINT", "SIGTERM"])
def test_a_batch_that_is_to_end_ends_its_blender(place, blender, monkeypatch, wish):
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    ask = f"os.kill(os.getppid(), signal.{wish})"
    program = blender(
        f'{stubborn}\nopen("pid", "w").write(str(os.getpid()))\n{ask}\nsignal.pause()'
    )
    monkeypatch.setattr(batch, "LEAVE_WITHIN", 0.1)
    assert run("--out", "o.blend", *program) == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int((place / "pid").read_text()), 0)
