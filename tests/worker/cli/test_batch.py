"""`gan-worker batch` up to Blender, with Blenders that misbehave."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest

from gan_worker.cli import app, background_blender, batch
from gan_worker.config import GenerationConfig
from gan_worker.dataclass_json import to_json
from gan_worker.errors import ErrorInfo, RequestError
from gan_worker.estimation import SURFACES, Estimation
from gan_worker.scenes.plan import work_item
from gan_worker.scenes.ray import MadeFiles, make_on_ray
from gan_worker.scenes.recipe import PROCESSES

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
            f"{head}def tell(**news): print({background_blender.MARK!r} + json.dumps(news))\n{text}\n"
        )
        path.chmod(0o755)
        return ["--blender", str(path)]

    return write


def run(*options, scene="in.blend"):
    return app.main(["batch", "recipe.toml", "--scene", scene, *options])


def test_a_bad_recipe_ends_before_blender_starts(place, capsys):
    (place / "recipe.toml").write_text(RULE + "psi = 3")
    assert run("--out", "out.blend", "--blender", "nowhere") == 2
    assert "Line 4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "scene", "words"),
    [
        (("--out", "o.blend"), "gone.blend", "gone.blend is not"),
        ((), "in.blend", "received no --out"),
        (("--out", "o.blend", "--blender", "no-such-blender"), "in.blend", "no-such-blender is"),
    ],
)
def test_what_is_missing_is_named_as_bad_input(place, capsys, options, scene, words):
    assert run(*options, scene=scene) == 2
    assert words in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("out", "exit_code", "code"),
    [("in.blend/out.blend", 1, "file_unwritable"), (".", 2, "invalid_config")],
)
def test_a_scene_that_cannot_be_saved_is_told_before_blender_starts(
    place, capsys, out, exit_code, code
):
    assert run("--out", out, "--blender", "nowhere") == exit_code
    assert f"[{code}]" in capsys.readouterr().err


def test_blender_is_asked_for_what_was_asked_for(place, blender, capsys):
    end = 'tell(done={"applied": 3, "total": 2, "made": 1, "kept": 1, "failed": 0})'
    program = blender(f'print("chatter")\nopen("asked.json", "w").write(sys.argv[-1])\n{end}')
    assert run("--out", "o.blend", "--keep-going", "--home", "h", *program) == 0
    asked = json.loads((place / "asked.json").read_text())
    assert asked["scene"] == str(place / "in.blend")
    assert asked["out"] == str(place / "o.blend")
    assert (asked["keep_going"], asked["dry_run"], asked["home"]) == (True, False, str(place / "h"))
    assert (asked["python"], asked["processes"]) == (sys.executable, PROCESSES)
    out = capsys.readouterr().out
    assert "3 slots filled with 2 materials: 1 made, 1 there already, 0 failed" in out
    assert "chatter" not in out


def test_one_of_a_kind_is_told_as_one(place, blender, capsys):
    end = 'tell(done={"applied": 1, "total": 1, "made": 0, "kept": 1, "failed": 0})'
    assert run("--out", "o.blend", *blender(end)) == 0
    assert "1 slot filled with 1 material: 0 made, 1 there already" in capsys.readouterr().out
    plan = {"rows": [], "notes": [], "materials": 1}
    assert run("--dry-run", *blender(f"tell(plan={plan!r})")) == 0
    assert "1 material\n" in "\n".join(map(str.strip, capsys.readouterr().out.splitlines())) + "\n"


def test_a_dry_run_shows_all_rows(place, blender, capsys):
    rows = [[f"House {n}", "0", "–", "bricks", "seed 1", "64×64", "all"] for n in range(30)]
    told = {"rows": rows, "notes": ["Nothing to do."], "materials": 1}
    program = blender(f"tell(plan={told!r})")
    assert run("--dry-run", *program) == 0
    out = capsys.readouterr().out
    assert "House 29" in out
    assert "Nothing to do." in out


@pytest.mark.parametrize("code", [1, 2, 75])
def test_the_code_of_the_run_is_the_commands(place, blender, capsys, code):
    info = {"code": "worker_gone", "message": "It is gone.", "cure": "Again."}
    program = blender(f"tell(error={info!r})\nsys.exit({code})")
    assert run("--out", "o.blend", *program) == code
    assert "It is gone." in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 75, 1])
@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGSEGV)", "sys.exit(11)"])
def test_a_blender_that_crashes_once_all_is_told_changes_nothing(place, blender, code, end):
    info = {"code": "worker_gone", "message": "It is gone.", "cure": "Again."}
    done = {"applied": 3, "total": 2, "made": 1, "kept": 1, "failed": 0}
    told = f"error={info!r}" if code else f"done={done!r}"
    program = blender(f"tell({told})\ntell(exit_code={code})\nsys.stdout.flush()\n{end}")
    assert run("--out", "o.blend", *program) == code


def test_a_run_that_is_killed_before_it_told_its_code_is_worth_another_try(place, blender):
    done = {"applied": 3, "total": 2, "made": 1, "kept": 1, "failed": 0}
    kill = "sys.stdout.flush()\nos.kill(os.getpid(), signal.SIGKILL)"
    assert run("--out", "o.blend", *blender(f"tell(done={done!r})\n{kill}")) == 75


def test_a_blender_without_the_add_on(place, blender, capsys):
    program = blender(f"sys.exit({background_blender.ADDON_MISSING})")
    assert run("--out", "o.blend", *program) == 1
    assert "Tilewright extension" in " ".join(capsys.readouterr().err.split())


def test_a_blender_without_the_add_on_takes_that_of_the_checkout(place, blender):
    done = {"applied": 0, "total": 0, "made": 0, "kept": 0, "failed": 0}
    program = blender(f"""
import types
from importlib.machinery import PathFinder
def enable(name, default_set):
    # What stands first, because this Python may have an editable install, and a Blender has none.
    found = PathFinder.find_spec(name, sys.path[:1])
    if found is None:
        return None
    open("addon", "w").write(found.origin)
    run = lambda options: tell(done={done!r})
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name + ".scenes.script"] = types.SimpleNamespace(run_for_program=run)
    return sys.modules[name]
sys.modules["bpy"] = types.ModuleType("bpy")
sys.modules["addon_utils"] = types.SimpleNamespace(modules=list, enable=enable)
exec(sys.argv[sys.argv.index("--python-expr") + 1])
""")
    assert run("--out", "o.blend", *program) == 0
    root = Path(__file__).parents[3]
    assert (place / "addon").read_text() == str(root / "blender_addon" / "__init__.py")


@pytest.mark.parametrize(
    ("text", "code"),
    [("os.kill(os.getpid(), signal.SIGKILL)", 75), ('sys.stderr.write("no screen")', 1)],
)
def test_a_blender_that_dies_is_told_with_its_last_words(place, blender, capsys, text, code):
    program = blender(f'print("last words", flush=True)\n{text}\nsys.exit(3)')
    assert run("--out", "o.blend", *program) == code
    assert "last words" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "killed"),
    [(-9, True), (0xC0000005, True), (0xC000013A, True), (0, False), (1, False), (255, False)],
)
def test_who_was_killed_is_seen_by_a_signal_or_by_what_windows_says(status, killed):
    assert background_blender.was_killed(status) == killed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--part", "9/8", "--results", "maps"), "from 1/8 to 8/8; received '9/8'"),
        (("--part", "0/8", "--results", "maps"), "received '0/8'"),
        (("--part", "x", "--results", "maps"), "received 'x'"),
        (("--part", "1/8"), "neither --out nor --results"),
        (("--part", "1/8", "--out", "o.blend", "--ray", "local"), "--part or --processes too"),
        (("--processes", "2", "--out", "o.blend", "--ray", "local"), "--part or --processes too"),
    ],
)
def test_options_that_do_not_fit_are_named(place, blender, capsys, options, words):
    assert run(*options, *blender("sys.exit(9)")) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_a_part_and_the_number_of_processes_are_handed_on(place, blender):
    end = 'tell(done={"applied": 0, "total": 2, "made": 1, "kept": 1, "failed": 0})'
    program = blender(f'open("asked.json", "w").write(sys.argv[-1])\n{end}')
    assert run("--part", "2/8", "--results", "maps", "--processes", "3", *program) == 0
    asked = json.loads((place / "asked.json").read_text())
    assert (asked["part"], asked["processes"], asked["out"]) == ([2, 8], 3, None)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ((), None),
        (("--no-estimate",), False),
        (("--estimate",), to_json(Estimation())),
        (("--surface", "stone"), to_json(SURFACES["stone"])),
    ],
)
def test_what_is_estimated_is_handed_on(place, blender, options, wanted):
    end = 'tell(done={"applied": 0, "total": 0, "made": 0, "kept": 0, "failed": 0})'
    program = blender(f'open("asked.json", "w").write(sys.argv[-1])\n{end}')
    assert run("--out", "o.blend", *options, *program) == 0
    assert json.loads((place / "asked.json").read_text())["estimate"] == wanted


# ---- on a cluster


CONFIG = GenerationConfig("bricks", 7, 48, 32)


@pytest.fixture
def on_ray(place, blender, monkeypatch):
    """Runs a batch of two items on a cluster that answers with what is given, one answer for each."""
    listed = {
        "folder": str(place / "maps"),
        "items": [[to_json(CONFIG), h * 64, ["A"]] for h in "ab"],
    }
    told = f'if asked.get("items"): tell(items={listed!r})'
    done = {"applied": 2, "total": 2, "made": 0, "kept": 2, "failed": 0}
    program = blender(f"{told}\nelse: tell(done={done!r})")

    def answered(*answers, options=()):
        def make(items, runs_folder, address):
            assert address == "head:6379"
            yield from zip(items, answers, strict=False)

        monkeypatch.setattr(batch, "make_on_ray", make)
        return run("--out", "o.blend", "--ray", "head:6379", *options, *program)

    return answered


def log(place):
    return [json.loads(line) for line in (place / "maps" / "batch.jsonl").read_text().splitlines()]


def test_what_a_cluster_made_is_kept_before_blender_fills_the_scene(place, on_ray, capsys):
    assert on_ray(MadeFiles({"x.png": b"1"}, 0.5), MadeFiles({"../y.png": b"2"})) == 0
    assert (place / "maps" / "x.png").read_bytes() == b"1"
    assert (place / "maps" / "y.png").read_bytes() == b"2", "nothing is written elsewhere"
    assert [(e["state"], e["objects"]) for e in log(place)] == [("made", ["A"])] * 2
    out = capsys.readouterr().out
    assert "2 of 2 materials" in out or "1 of 2 materials" in out
    assert "2 slots filled" in out


@pytest.mark.parametrize(("code", "exit_code"), [("compute_died", 75), ("invalid_latent", 1)])
def test_what_a_cluster_cannot_make_ends_the_batch(place, on_ray, capsys, code, exit_code):
    bad = MadeFiles({}, error=ErrorInfo(code, "It cannot be.", "Again."))
    assert on_ray(bad, MadeFiles({})) == exit_code
    assert "It cannot be." in capsys.readouterr().err
    assert [e["state"] for e in log(place)] == ["failed"]
    assert on_ray(bad, MadeFiles({"x.png": b"1"}), options=("--keep-going",)) == 0
    assert [e["state"] for e in log(place)] == ["failed", "failed", "made"]


def test_ray_that_is_not_installed_is_named_with_a_command_that_installs_it(place, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "ray" else find(n))
    item = work_item(GenerationConfig("Starter Red Bricks"), "a" * 64)
    with pytest.raises(RequestError, match=r"-m pip install .*ray>=.*ray_missing"):
        next(make_on_ray([item], place, "local"))


def test_a_cluster_that_is_not_there_is_worth_another_try(place, blender, capsys):
    pytest.importorskip("ray", reason="Ray is an extra")
    config = to_json(GenerationConfig("Starter Red Bricks"))
    listed = {"folder": str(place / "maps"), "items": [[config, "a" * 64, ["A"]]]}
    program = blender(f"tell(items={listed!r})")
    assert run("--out", "o.blend", "--ray", "127.0.0.1:9", *program) == 75
    assert "ray_unreachable" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("wish", ["SIGINT", "SIGTERM"])
def test_a_batch_that_is_to_end_ends_its_blender(place, blender, monkeypatch, wish):
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    ask = f"os.kill(os.getppid(), signal.{wish})"
    program = blender(
        f'{stubborn}\nopen("pid", "w").write(str(os.getpid()))\n{ask}\nsignal.pause()'
    )
    monkeypatch.setattr(background_blender, "LEAVE_WITHIN", 0.1)
    assert run("--out", "o.blend", *program) == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int((place / "pid").read_text()), 0)
