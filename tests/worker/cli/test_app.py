"""The command line: what it refuses and how, and a tiny training from picture to materials."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
import typer

from gan_worker import __main__
from gan_worker.cli import app, terminal
from gan_worker.cli import options as shared
from gan_worker.cli.evaluate import visible_faults
from gan_worker.config import TrainingConfig
from gan_worker.errors import Cancelled, ErrorInfo, RequestError
from gan_worker.locks import FolderLock
from gan_worker.materials import pictures
from gan_worker.materials.metadata import read_metadata
from gan_worker.progress import (
    DataReport,
    MaterialEntry,
    Notice,
    SkippedFile,
    Stage,
    TrainingProgress,
)
from gan_worker.runs import run as runs
from gan_worker.runs.run import ModelInfo, Run, read_model_info

FIRST_STARTER = runs.list_runs(runs.BUNDLED)[0]


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("TILEWRIGHT_HOME", str(folder))
    return folder


@pytest.fixture
def stripes(tmp_path):
    """A picture of 96×96 in stripes with grain."""
    return stripes_in(tmp_path)


def stripes_in(folder):
    rows = np.arange(96)[:, None, None]
    stripe = 0.5 + 0.4 * np.sign(np.sin(2 * np.pi * rows / 16 + 0.1))
    grain = np.random.default_rng(0).normal(0, 0.03, (96, 96, 1))
    file = folder / "stripes.png"
    pictures.write_picture(file, np.clip(stripe * [0.9, 0.6, 0.4] + grain, 0, 1))
    return file


def run_started(home, name="oak", **fields):
    run = Run.create(home / "runs", name)
    run.save_config(TrainingConfig(run=name, pictures=("gone.png",), preset="nano", **fields))
    return run


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_names_every_command(arguments, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert app.main(arguments) == 0
    shown, wrong = capsys.readouterr()
    assert not wrong
    commands = ("train", "generate", "batch", "sheet", "directions", "loop", "export")
    commands += ("repair", "make-tileable", "project")
    commands += ("provenance", "models", "runs", "serve", "doctor")
    assert all(f"\n  {name}" in shown for name in commands)
    assert "..." not in shown.partition("Commands:")[2], "a summary was cut off"


def test_help_explains_every_option():
    commands = typer.main.get_command(app.app).commands
    options = [(name, p) for name, c in commands.items() for p in c.params if p.opts[0][:2] == "--"]
    assert len(options) > 100
    assert [(name, p.opts[0]) for name, p in options if not p.help] == []
    # Where 0 stands for what is not known, it is no default that says anything.
    widths = [p for _, p in options if p.opts[0] == "--picture-width"]
    assert widths and all("not known" in p.help and not p.show_default for p in widths)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["bogus"], "invalid_config", "bogus"),
        (["train", "--bogus"], "invalid_config", "gan-worker train --help"),
        (["train", "--minutes", "soon", "x.png"], "invalid_config", "--minutes"),
        (["train", "PICTURE"], "invalid_config", "--run NAME"),
        (["train", "PICTURE", "--run", "a", "--resume", "b"], "invalid_config", "--resume RUN"),
        (["train", "--run", "oak"], "invalid_config", "pictures"),
        (["train", "/not/there", "--run", "oak"], "picture_missing", "/not/there"),
        (["train", "PICTURE", "--run", "../oak"], "invalid_config", "plainer name"),
        (["train", "PICTURE", "--run", "a", "--preset", "huge"], "invalid_config", "nano, tiny"),
        (["train", "--resume", "oak"], "unknown_run", "start"),
        # The name of a file, as macOS hands it out.
        (["train", "/not/there", "--run", "Ba\u0308cker"], "picture_missing", "/not/there"),
        (["train", "--resume", "oak", "--seed", "2"], "invalid_config", "--seed"),
        (["train", "--resume", "oak", "--learn-maps"], "invalid_config", "--learn-maps"),
        (["generate", "oak"], "unknown_model", FIRST_STARTER),
        (["generate", "../oak"], "invalid_config", "plainer name"),
        (["generate", "oak", "--seed", "9-1"], "invalid_config", "1,4,7"),
        (["generate", "oak", "--seed", "1-99999999"], "invalid_config", "10000"),
        (["generate", "oak", "--size", "big"], "invalid_size", "1024x512"),
        (["generate", "oak", "--bits", "12"], "invalid_config", "--bits 16"),
        (["generate", "oak", "--format", "jpg"], "invalid_config", "png"),
        (["generate", "oak", "--mix", "1:much"], "invalid_config", "1:0.5,7:0.5"),
        (["generate", "oak", "--direction", "pca 1"], "invalid_config", "pca 1=2.5"),
        (["generate", "oak", "--depth", "9"], "invalid_config", "from 0 to 4"),
        (["generate", "oak", "--surface", "jelly"], "invalid_config", "general, stone"),
        (["loop", "oak", "--metallic", "nan"], "invalid_config", "from 0 to 1"),
        (["generate", "oak", "--styles", "3,8"], "invalid_config", "--style-map"),
        (["generate", "oak", "--style-map", "PICTURE", "--styles", "3"], "invalid_config", "3,8"),
        (["sheet", "oak"], "unknown_model", FIRST_STARTER),
        (["sheet", FIRST_STARTER, "--out", "."], "invalid_config", "must name a PNG; received '.'"),
        (["directions", FIRST_STARTER, "--out", "sheets"], "invalid_config", "received 'sheets'"),
        (["sheet", FIRST_STARTER, "--out", "sheet.xyz"], "invalid_config", "Name it FILE.png."),
        (["sheet", FIRST_STARTER, "--out", "sheet.jpg"], "invalid_config", "Name it FILE.png."),
        (["export", "oak", "--to", "gltf"], "unknown_model", FIRST_STARTER),
        (["export", "gone/maps", "--to", "gltf"], "picture_missing", "gone/maps"),
        (["export", FIRST_STARTER, "--to", "gltf", "--size", "333"], "invalid_size", "multiples"),
        (["export", "PICTURE", "--to", "gltf"], "invalid_config", "a folder of maps"),
        (["provenance", "oak"], "unknown_model", FIRST_STARTER),
        (["provenance", "gone/oak.png"], "picture_missing", "gone/oak.png"),
        (["provenance", os.sep], "invalid_config", "the file of a picture"),
        (["loop", FIRST_STARTER, "--styles", "3"], "invalid_config", "--styles"),
        (
            ["evaluate", FIRST_STARTER, "--against", "PICTURE", "--json", "."],
            "invalid_config",
            "file",
        ),
        (["directions", "oak", "--count", "0"], "invalid_config", "--count"),
    ],
)
def test_bad_input_is_refused_with_code_and_cure(
    arguments, code, says, home, stripes, capsys, monkeypatch
):
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    arguments = [str(stripes) if a == "PICTURE" else a for a in arguments]
    assert app.main(arguments) == 2
    shown = capsys.readouterr()
    assert f"[{code}]" in shown.err
    assert says in shown.err
    assert "Traceback" not in shown.err + shown.out
    assert "TensorFlow" not in shown.out, "it was loaded for nothing"
    assert len(shown.err.strip().splitlines()) == 3
    assert not (home / "runs" / "a").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", FIRST_STARTER, "--out", "PICTURE/x"],
        ["export", FIRST_STARTER, "--to", "gltf", "--out", "PICTURE/x"],
        ["sheet", FIRST_STARTER, "--out", "PICTURE/x.png"],
        ["directions", FIRST_STARTER, "--out", "gone/x.png"],
        ["loop", FIRST_STARTER, "--out", "PICTURE/x"],
        ["evaluate", FIRST_STARTER, "--against", "PICTURE", "--json", "PICTURE/x.json"],
        ["evaluate", FIRST_STARTER, "--against", "PICTURE", "--json", "gone/x.json"],
        ["prepare", "PICTURE", "--out", "PICTURE/x.png"],
        ["estimate", "PICTURE", "--out", "PICTURE/x"],
        ["repair", FIRST_STARTER, "PICTURE", "--mask", "mask.png", "--out", "PICTURE/x.png"],
        ["make-tileable", FIRST_STARTER, "PICTURE", "--out", "PICTURE/x"],
        ["project", FIRST_STARTER, "PICTURE", "--out", "PICTURE"],
    ],
)
def test_what_cannot_be_written_is_told_before_any_work(
    arguments, home, stripes, capsys, monkeypatch
):
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    before = stripes.read_bytes()
    assert app.main([a.replace("PICTURE", str(stripes)) for a in arguments]) == 1
    shown = capsys.readouterr()
    assert "[file_unwritable]" in shown.err
    assert "TensorFlow" not in shown.out
    assert stripes.read_bytes() == before


def test_seeds_are_numbers_ranges_and_lists():
    assert shared.parse_seeds("7") == [7]
    assert shared.parse_seeds("1-3, 9,2") == [1, 2, 3, 9]


def test_a_size_is_two_numbers_or_a_square():
    assert shared.parse_size("1024x512") == (1024, 512)
    assert shared.parse_size("64") == (64, 64)


def test_detail_is_a_word_or_a_number_of_halvings():
    assert [shared.parse_detail(text) for text in ("full", "Half", "64th", "3")] == [0, 1, 6, 3]
    with pytest.raises(RequestError, match="half, quarter, eighth"):
        shared.parse_detail("halved")


def test_a_fault_of_the_program_exits_with_1_and_its_log(monkeypatch, home, capsys, caplog):
    monkeypatch.setattr(runs, "list_models", lambda folder: 1 // 0)
    assert app.main(["models"]) == 1
    assert "[unexpected]" in capsys.readouterr().err
    assert "ZeroDivisionError" in caplog.text


def test_running_out_of_memory_has_a_cure(monkeypatch, home, capsys):
    def greedy(folder):
        raise MemoryError

    monkeypatch.setattr(runs, "list_models", greedy)
    assert app.main(["models"]) == 1
    assert "[out_of_memory]" in capsys.readouterr().err


def test_who_interrupts_a_command_reads_one_line(monkeypatch, home, capsys):
    monkeypatch.setattr(runs, "list_models", lambda folder: signal.raise_signal(signal.SIGINT))
    monkeypatch.setattr(sys, "argv", ["gan-worker", "models"])
    assert __main__.main() == 130
    assert capsys.readouterr() == ("", "Canceled; nothing is left half written.\n")


def test_and_so_while_the_command_is_still_loaded():
    code = (
        "import signal, sys\n"
        "class Loading:\n"
        "    def find_spec(name, path, target=None):\n"
        "        if name == 'gan_worker.cli.app': signal.raise_signal(signal.SIGINT)\n"
        "from gan_worker import __main__\n"
        "sys.meta_path.insert(0, Loading)\n"
        "sys.exit(__main__.main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "Canceled; nothing is left half written.\n"


def test_a_home_that_is_a_file_is_no_bad_input_but_a_failure(stripes, capsys):
    assert app.main(["models", "--home", str(stripes)]) == 1
    assert "[file_unwritable]" in capsys.readouterr().err


def test_a_run_whose_budget_is_used_up_says_how_to_go_on(home, capsys):
    run = run_started(home, minutes=2.0, kimg=None)
    run.save_checkpoint("00000.100", {"a": np.zeros(2)}, {"step": 25, "seconds": 130.0})
    assert app.main(["train", "--resume", "oak"]) == 2
    shown = capsys.readouterr().err
    assert "2.2 of 2 minutes" in shown
    assert "--minutes 4" in shown
    assert app.main(["train", "--resume", "oak", "--kimg", "0.05"]) == 2
    assert "0.1 of 0.05 kimg" in capsys.readouterr().err


def test_two_trainings_cannot_write_one_run(home, stripes, capsys):
    run = run_started(home)
    lock = FolderLock(run.path)
    assert lock.acquire()
    try:
        assert app.main(["train", "--resume", "oak"]) == 1
        assert "[busy]" in capsys.readouterr().err
        # A second one of that name must not sweep away what the first has begun.
        assert app.main(["train", str(stripes), "--run", "oak", "--kimg", "1"]) in (1, 2)
        assert (run.path / "config.json").exists()
    finally:
        lock.release()


def test_a_new_run_that_fails_leaves_its_name_free(home, tmp_path, capsys):
    file = tmp_path / "small.png"
    pictures.write_picture(file, np.random.default_rng(0).random((8, 8, 3)))
    arguments = ["train", str(file), "--run", "oak", "--preset", "nano", "--kimg", "1"]
    assert app.main(arguments) == 2
    assert "[picture_too_small]" in capsys.readouterr().err
    assert not (home / "runs" / "oak").exists()


def test_a_resumed_run_that_fails_is_kept(home, capsys):
    run = run_started(home)
    assert app.main(["train", "--resume", "oak"]) == 2
    assert "[picture_missing]" in capsys.readouterr().err
    assert run.load_config().preset == "nano"


def test_a_resume_that_is_refused_leaves_what_was_chosen(home, tmp_path, capsys):
    run = run_started(home)
    before = run.load_config()
    small = tmp_path / "small.png"
    pictures.write_picture(small, np.random.default_rng(0).random((8, 8, 3)))
    assert app.main(["train", str(small), "--resume", "oak", "--minutes", "9"]) == 2
    assert "[picture_too_small]" in capsys.readouterr().err
    assert run.load_config() == before


def test_lists_say_what_there_is(home, capsys):
    assert app.main(["models"]) == 0
    shown = capsys.readouterr().out
    assert FIRST_STARTER in shown
    assert "Starter Red Bricks" not in shown
    assert "6 more came with earlier versions" in shown.splitlines()[-1]
    run = run_started(home)
    run.append_progress(TrainingProgress(30, 0.12, 61.0, 0.5, 61.0, 9.0, {}))
    info = ModelInfo("oak", "", 8, 16, ("height",), "nano", {}, {}, 1.0, "2030", 30, 0.1)
    run.save_model(replace(info, styles=("bark", "moss [wet]")), {"a": np.zeros(2)})
    assert app.main(["models"]) == 0
    shown = capsys.readouterr().out
    assert "oak knows by name: bark, moss [wet]" in shown
    assert "oak has its" not in shown
    assert "Warning: oak" not in shown
    detailed = replace(info, octaves=3, scale=0.5, format=2, copied=0.2)
    run.save_model(detailed, {"a": np.zeros(2)})
    assert app.main(["models"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "Warning: oak: 20% of what this model makes is copied from its training pictures" in shown
    )
    assert "oak has its pictures' detail at 50% of their size: full, half, quarter, eighth" in shown
    assert app.main(["runs"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("oak", "30", "1.0", "50%", "yes"))


def test_serve_hands_its_options_to_the_server(monkeypatch):
    from gan_worker.server import main

    given = []
    monkeypatch.setattr(main, "main", lambda argv: given.append(list(argv)) or 3)
    with pytest.raises(SystemExit) as end:
        app.main(["serve", "--listen", "0.0.0.0", "--help"])
    assert end.value.code == 3
    assert given == [["--listen", "0.0.0.0", "--help"]]


def test_what_training_tells_is_shown(capsys):
    skipped = tuple(SkippedFile(f"{n}.txt", "not [a] picture") for n in range(30))
    with terminal.TrainingView() as view:
        view.report(Stage("reading pictures"))
        view.report(
            DataReport(
                (MaterialEntry("oak [1]", 64, 32, ("height",)),),
                skipped,
                ("height",),
                0.5,
                ("Hm.",),
            )
        )
        view.report(Notice("Put aside."))
        losses = {"generator": 0.5, "r1_penalty": 9.0}
        view.report(TrainingProgress(3, 0.1, 2.0, 0.25, 3671.0, 12.0, losses))
    shown = capsys.readouterr().out
    for part in (
        "oak [1]",
        "64×32",
        "not [a] picture",
        "10 more",
        "Hm.",
        "at 50% of their size, and what is finer is left out",
        "Put aside.",
    ):
        assert part in shown
    assert "25% step 3 · 12 images/s · G 0.5 · ETA 1:01:11" in shown


def test_a_training_that_stops_getting_better_is_told_of_once_and_when_it_is_over(capsys):
    tick = TrainingProgress(3, 0.1, 2.0, 0.25, 60.0, 12.0, {})
    with terminal.TrainingView() as view:
        for stopped_for in (None, 250.0, 251.0, None, None, 20.0):
            view.report(replace(tick, stopped_for=stopped_for))
    shown = capsys.readouterr().out
    assert shown.count("stop and keep it, or give it more pictures") == 2
    assert shown.count("It improves again.") == 1
    assert shown.index("not improved for 4 min") < shown.index("It improves again.")
    assert shown.index("It improves again.") < shown.index("not improved for 1 min")


def test_dotted_noise_and_melted_shapes_are_told_by_their_map():
    floor = {"dots/base_color": 1.1, "dots/ambient_occlusion": 1.0, "melted/base_color": 0.1}
    good = {"dots/base_color": 1.3, "dots/ambient_occlusion": 0.6, "melted/base_color": 0.2}
    bad = {"dots/base_color": 1.2, "dots/ambient_occlusion": 2.34, "melted/base_color": 0.5}
    assert visible_faults({"model": floor, "floor": floor}) == []
    assert visible_faults({"model": good | {"swd/0": 900.0}, "floor": floor | {"swd/0": 1.0}}) == []
    dots, melted = visible_faults({"model": bad, "floor": floor})
    assert "dotted noise in ambient occlusion" in dots
    assert "2.3 times" in dots
    assert "Shapes in base color have melted" in melted
    assert "5.0 times" in melted


def test_octaves_beyond_the_pictures_own_size_are_told():
    entries = (MaterialEntry("oak", 128, 128, ("height",)),)
    enlarged = DataReport(entries, (), ("height",), 2.0, octaves=1).in_words()[0]
    assert "at 200% of their size: it is finer than they are." in enlarged
    assert "finer" not in DataReport(entries, (), ("height",), 1.0).in_words()[0]


def test_an_error_is_message_cure_and_code(capsys):
    terminal.show_error(ErrorInfo("code", "Wrong [red]thing[/red].", "Do better."))
    assert capsys.readouterr().err == "Wrong [red]thing[/red].\nDo better.\n[code]\n"


def test_many_sets_that_are_read_take_few_lines_of_a_log(capsys):
    with terminal.TrainingView() as view:
        for number in range(300):
            view.report(Stage(f"reading set {number + 1} of 300"))
        view.report(Stage("building the networks"))
    first, *_, last = lines = capsys.readouterr().out.splitlines()
    assert (first, last) == ("reading set 1 of 300 …", "building the networks …")
    assert len(lines) < 10


class TestStopWish:
    def test_the_first_wish_stops_and_the_second_gives_up(self, capsys):
        before = signal.getsignal(signal.SIGINT)
        with terminal.StopWish(resumed=False) as wish:
            assert not wish.asked()
            wish.note(TrainingProgress(1, 0.1, 2.0, 0.25, None, 12.0, {}))
            signal.raise_signal(signal.SIGINT)
            assert wish.asked()
            assert "Stopping and saving" in capsys.readouterr().err
            with pytest.raises(Cancelled):
                signal.raise_signal(signal.SIGINT)
            # TensorFlow may have swallowed it.
            with pytest.raises(Cancelled):
                wish.asked()
        assert signal.getsignal(signal.SIGINT) is before

    def test_before_the_first_step_there_is_nothing_to_save(self):
        with terminal.StopWish(resumed=False) as wish:
            assert not wish.asked(), "as between two sets that are read"
            wish.note(Stage("reading set 2 of 3"))
            signal.raise_signal(signal.SIGTERM)
            with pytest.raises(Cancelled):
                wish.asked()

    def test_a_resumed_run_has_something_to_save(self, capsys):
        with terminal.StopWish(resumed=True) as wish:
            signal.raise_signal(signal.SIGTERM)
            assert wish.asked()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A home folder with the model `wall`, and what the command showed while it was trained."""
    folder = tmp_path_factory.mktemp("trained")
    options = ["--run", "wall", "--preset", "nano", "--kimg", "0.02", "--scale", "1", "--isotropic"]
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        done = app.main(
            ["train", str(stripes_in(folder)), *options, "--home", str(folder / "home")]
        )
    assert done == 0, shown.getvalue()
    return folder / "home", shown.getvalue()


class TestTrainedModel:
    @pytest.fixture(autouse=True)
    def model(self, home, trained):
        shutil.copytree(trained[0], home)

    def test_its_training_was_shown(self, trained):
        for part in ("stripes", "96×96", "base_color", "100% step 5", "gan-worker generate wall"):
            assert part in trained[1]
        assert "learned turned and mirrored too" in trained[1]  # as was chosen

    def test_every_seed_gives_seamless_files_and_a_recipe(self, tmp_path, capsys):
        made = ["--seed", "1,3", "--size", "128x64", "--out", str(tmp_path / "out")]
        assert app.main(["generate", "wall", *made]) == 0
        assert "Seam ratio" in capsys.readouterr().out
        files = sorted((tmp_path / "out").glob("*.png"))
        # It has learned a photo: all else is estimated.
        words = ("ao", "basecolor", "height", "normal", "roughness")
        assert [f.name for f in files] == [
            f"wall_{s}_128x64_{w}.png" for s in (1, 3) for w in words
        ]
        for picture in (pictures.read_picture(f) for f in files if f.stem.endswith("basecolor")):
            assert picture.shape == (64, 128, 3)
            for axis in (0, 1):
                steps = np.abs(picture - np.roll(picture, 1, axis)).mean(axis=(1 - axis, 2))
                assert steps[0] < 1.5 * steps[1:].mean()
        recipe = json.loads((tmp_path / "out" / "wall_3_128x64.json").read_text())
        assert (recipe["seed"], recipe["model"]) == (3, "wall")
        assert set(recipe["estimated"]) == {"roughness", "normal", "height", "ambient_occlusion"}
        assert app.main(["provenance", str(files[-1])]) == 0
        assert "Estimated from the base color" in " ".join(capsys.readouterr().out.split())

    def test_estimates_are_adjusted_or_left_out(self, tmp_path, capsys):
        assert self.generate(tmp_path / "plain") == 0
        assert len(list((tmp_path / "plain").glob("*.png"))) == 1
        options = ["--surface", "metal", "--depth", "2", "--invert", "--maps", "metallic,normal"]
        made = ["--size", "128x64", "--out", str(tmp_path / "metal"), *options]
        assert app.main(["generate", "wall", *made]) == 0
        assert len(list((tmp_path / "metal").glob("*.png"))) == 2
        recipe = json.loads(next((tmp_path / "metal").glob("wall_1_128x64_*.json")).read_text())
        said = recipe["estimation"]
        assert (said["surface"], said["depth"], said["invert"]) == ("metal", 2.0, True)
        assert said["metallic"] == 1.0  # as metal has it
        capsys.readouterr()
        assert self.generate(tmp_path / "none", "--depth", "2") == 2
        assert "Leave either out" in capsys.readouterr().err

    def test_it_says_whose_pictures_it_has_learned_from(self, home, trained, capsys):
        assert "names no license" in trained[1]
        assert app.main(["provenance", "wall"]) == 0
        shown = capsys.readouterr().out
        assert "stripes.png" in shown
        assert "its license is not recorded" in shown
        info = read_model_info(home / "runs" / "wall")
        assert ("contains pieces of these" in " ".join(shown.split())) == (info.octaves > 0)
        assert app.main(["provenance", "wall", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["pictures"][0]["file"] == "stripes.png"

    def test_what_it_makes_says_how_it_was_made(self, home, stripes, tmp_path, capsys):
        assert self.generate(tmp_path / "first") == 0
        assert self.generate(tmp_path / "second") == 0
        (file,) = (tmp_path / "first").glob("*_basecolor.png")
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes()
        sheet = tmp_path / "sheet.png"
        assert app.main(["sheet", "wall", "--seeds", "1", "--size", "64", "--out", str(sheet)]) == 0
        preview = next((home / "runs" / "wall" / "previews").iterdir())
        for made in (file, sheet, preview):
            capsys.readouterr()
            assert app.main(["provenance", str(made)]) == 0
            shown = " ".join(capsys.readouterr().out.split())
            assert "was generated" in shown
            assert "trained on 1 picture" in shown
        assert app.main(["provenance", str(file), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["recipe"]["seed"] == 1
        assert app.main(["provenance", str(stripes)]) == 0
        assert "Not marked as generated" in capsys.readouterr().out

    def test_it_is_exported_as_files_that_say_how_they_were_made(self, tmp_path, capsys):
        made = ["--to", "gltf", "--seed", "2,5", "--size", "64x32", "--out", str(tmp_path / "out")]
        assert app.main(["export", "wall", "--no-estimate", *made]) == 0
        assert "4 files in" in capsys.readouterr().out
        assert len(list((tmp_path / "out").glob("wall_2_64x32_*"))) == 2
        (document,) = (tmp_path / "out").glob("wall_5_64x32_*.gltf")
        said = json.loads(document.read_text())["asset"]["copyright"]
        assert "trained on 1 picture" in said
        (file,) = (tmp_path / "out").glob("wall_5_64x32_*_basecolor.png")
        assert read_metadata(pictures.read_header(file)[2])["recipe"]["seed"] == 5

    def test_a_model_from_before_says_that_nothing_was_recorded(self, home, capsys):
        (home / "runs" / "wall" / "provenance.json").unlink()
        assert app.main(["provenance", "wall"]) == 2
        assert "--resume wall" in capsys.readouterr().err

    def generate(self, out, *options):
        asked = ["--size", "64", "--no-estimate", "--out", str(out), *options]
        return app.main(["generate", "wall", *asked])

    def test_exr_holds_light(self, tmp_path):
        assert self.generate(tmp_path) == 0
        assert self.generate(tmp_path, "--format", "exr") == 0
        screen, light = (
            pictures.read_picture(next(tmp_path.glob(f"*_basecolor.{format}")))
            for format in ("png", "exr")
        )
        assert np.allclose(pictures.to_screen(light), screen, atol=0.004)

    def test_sixteen_bits_are_finer_than_eight(self, tmp_path):
        assert self.generate(tmp_path, "--bits", "16") == 0
        values = pictures.read_picture(next(tmp_path.glob("*_basecolor.png"))) * 255
        assert np.abs(values - np.round(values)).max() > 0.1

    def test_styles_are_mixed_painted_and_moved(self, stripes, tmp_path):
        choices = (
            [],
            ["--mix", "1:0.5,7:0.5"],
            ["--style-map", str(stripes), "--styles", "3,8"],
            ["--direction", "pca 1=2.5", "--direction", "factor 2=-1"],
        )
        recipes, shown = [], []
        for options in choices:  # into one folder, where none overwrites another
            before = set(tmp_path.iterdir())
            assert self.generate(tmp_path, *options) == 0
            recipe, picture = sorted(set(tmp_path.iterdir()) - before, key=lambda f: f.suffix)
            recipes.append(json.loads(recipe.read_text()))
            shown.append(pictures.read_picture(picture))
        assert all(not np.array_equal(shown[0], other) for other in shown[1:])
        assert [style["seed"] for style, _ in recipes[1]["mix"]] == [1, 7]
        assert (recipes[2]["style_map"]["rows"], len(recipes[2]["style_map"]["styles"])) == (32, 2)
        assert recipes[3]["directions"] == [["pca 1", 2.5], ["factor 2", -1.0]]

    def test_sheets_show_seeds_and_directions(self, tmp_path, capsys):
        file = tmp_path / "sheet.png"
        made = ["--seeds", "1-3,9", "--size", "64", "--out", str(file)]
        assert app.main(["sheet", "wall", *made]) == 0
        assert str(file) in capsys.readouterr().out
        height, width, _ = pictures.read_picture(file).shape
        assert (height > 2 * 64) and (2 * 64 < width < 3 * 64)
        assert app.main(["directions", "wall", "--count", "1", "--out", str(file)]) == 0
        height, width, _ = pictures.read_picture(file).shape
        assert (2 * 128 < height < 3 * 128) and (7 * 128 < width < 8 * 128)

    def test_a_sheet_that_cannot_be_written_says_so(self, tmp_path, capsys):
        made = ["--seeds", "1", "--size", "64", "--out", str(tmp_path / "none" / "sheet.png")]
        assert app.main(["sheet", "wall", *made]) == 1
        assert "[file_unwritable]" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            (["--size", "65x64"], "invalid_size"),
            (["--maps", "metallic"], "invalid_config"),
            (["--psi", "9"], "invalid_config"),
            (["--material", "moss"], "invalid_config"),
            (["--mix", "1,moss:0.5"], "invalid_config"),
            (["--material", "moss", "--mix", "1,2"], "invalid_config"),
            (["--direction", "pca 99=1"], "invalid_config"),
        ],
    )
    def test_what_the_model_cannot_do_is_refused(self, options, code, tmp_path, capsys):
        assert app.main(["generate", "wall", "--out", str(tmp_path), *options]) == 2
        assert f"[{code}]" in capsys.readouterr().err
        assert not list(tmp_path.glob("*basecolor*"))

    def test_a_run_goes_on_where_it_was(self, home, capsys):
        assert app.main(["train", "--resume", "wall"]) == 2
        assert "used up" in capsys.readouterr().err
        told = ["--license", "CC0-1.0", "--author", "Ann", "--picture-width", "2"]
        assert app.main(["train", "--resume", "wall", "--kimg", "0.028", *told]) == 0
        assert "Continued from step 5" in capsys.readouterr().out
        run = Run.open(home / "runs", "wall")
        assert run.read_progress()[-1].step == 7
        assert read_model_info(run.path).pixel_size == pytest.approx(2 / 96)
        assert app.main(["provenance", "wall"]) == 0
        assert "1 picture by Ann, with pieces of it; license: CC0-1.0" in capsys.readouterr().out

    def test_its_name_is_taken(self, stripes, capsys):
        assert app.main(["train", str(stripes), "--run", "wall"]) == 2
        assert "[run_exists]" in capsys.readouterr().err

    def test_a_second_wish_while_tensorflow_traces_is_no_fault(
        self, home, stripes, capsys, monkeypatch
    ):
        from gan_worker.gan.training import loop

        def trace(*_):
            for _ in range(2):
                try:
                    signal.raise_signal(signal.SIGINT)
                except Cancelled as error:
                    raise RuntimeError("in user code") from error

        monkeypatch.setattr(loop, "train", trace)
        assert app.main(["train", str(stripes), "--run", "second"]) == 130
        shown = capsys.readouterr().err
        assert shown == "Nothing of second is kept.\n"
        assert not (home / "runs" / "second").exists()

    def test_a_stopped_run_is_saved(self, home, stripes, capsys, monkeypatch):
        told = threading.Event()

        def report(view, news):
            if isinstance(news, TrainingProgress) and not told.is_set():
                told.set()
                signal.raise_signal(signal.SIGINT)
            view.last = news if isinstance(news, TrainingProgress) else view.last

        monkeypatch.setattr(terminal.TrainingView, "report", report)
        options = ["--run", "second", "--preset", "nano", "--kimg", "50", "--scale", "1"]
        assert app.main(["train", str(stripes), *options]) == 0
        assert told.is_set()
        assert len(Run.open(home / "runs", "second").checkpoints()) == 1
