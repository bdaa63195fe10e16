"""The run folder and the model in it: names, configuration, numbers, and pairs that never mix."""

import errno
import hashlib
import io
import itertools
import json
import os
import pickle
import shutil
import sys
import zipfile
from dataclasses import asdict, replace

import numpy as np
import pytest

from gan_worker.config import Credits, TrainingConfig
from gan_worker.errors import RequestError, StorageError
from gan_worker.materials.pictures import read_picture
from gan_worker.progress import DataReport, SkippedFile, TrainingProgress
from gan_worker.runs import run as runs
from gan_worker.runs.run import ModelInfo, Run

INFO = ModelInfo(
    name="oak",
    hash="",
    stride=8,
    z_dim=16,
    maps=("base_color", "normal"),
    preset="nano",
    network={"config": {}, "patterns": []},
    statistics={},
    scale=0.5,
    created="2030-01-01T00:00:00+00:00",
    step=7,
    kimg=0.5,
)
ODD_NAMES = [
    "",
    "..",
    ".",
    "../oak",
    "a/b",
    "a\\b",
    "/oak",
    "C:oak",
    "oak.",
    " oak",
    "o\0ak",
    "x" * 81,
    "CON",
    "nul.txt",
    "Com1",
    "LPT9.a.b",
]


class Killed(BaseException):
    """Stands for the end of the process."""


class Poison:
    """Makes a file where it is unpickled."""

    def __init__(self, told):
        self.told = told

    def __reduce__(self):
        return os.mkdir, (str(self.told),)


def poisoned(kind, told):
    """Bytes of a model as other programs keep theirs, with code in it."""
    pickled = pickle.dumps(Poison(told))
    if kind == "pkl":
        return pickled
    if kind == "h5":
        return b"\x89HDF\r\n\x1a\n" + bytes(88) + pickled
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        array = io.BytesIO()
        np.save(array, np.array([Poison(told)], object), allow_pickle=True)
        archive.writestr("a.npy", array.getvalue())
        archive.writestr("config.json", '{"class_name": "Lambda"}')
        archive.writestr("../../above.txt", "x")
    return packed.getvalue()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def run(folder):
    return Run.create(folder, "oak")


def tick(step):
    return TrainingProgress(step, step / 10, step * 2.0, 0.5, 9.0, 4.0, {"generator": 0.25})


def weights(number):
    return {"a": np.full((30, 30), number, np.float32)}


class TestNames:
    @pytest.mark.parametrize("name", ODD_NAMES)
    @pytest.mark.parametrize("use", [Run.create, Run.open, runs.open_model])
    def test_what_is_no_plain_name_is_refused(self, use, name, folder, tmp_path):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(RequestError) as caught:
            use(folder, name)
        assert caught.value.code == "invalid_config"
        assert sorted(tmp_path.rglob("*")) == before

    @pytest.mark.parametrize("name", ["Eiche 2", "石壁", "a.b-c_d", "console", "com10", "nul-1"])
    def test_a_plain_name_is_taken(self, name, folder):
        assert Run.create(folder, name).name == name
        assert runs.list_runs(folder) == [name]

    @pytest.mark.parametrize("use", [Run.create, Run.open, runs.open_model])
    def test_a_name_too_long_for_the_disk_is_refused(self, folder, use):
        """Letters beyond the first plane take four bytes each, of which systems keep 255."""
        with pytest.raises(RequestError, match="240 bytes") as caught:
            use(folder, "𠮷" * 80)
        assert caught.value.code == "invalid_config"

    def test_a_name_of_letters_of_three_bytes_may_be_as_long_as_any(self, folder):
        Run.create(folder, "木" * 80).save_model(INFO, weights(1))
        assert [info.name for info in own_models(folder)] == ["木" * 80]

    def test_of_many_runs_an_error_names_a_few(self, folder):
        for number in range(3000):
            (folder / f"a run of many {number}").mkdir(parents=True)
        with pytest.raises(RequestError, match="many 1005 and others") as caught:
            Run.open(folder, "oak")
        assert len(str(caught.value)) < 1000

    def test_a_run_that_got_somewhere_keeps_its_name(self, run, folder):
        run.append_progress(tick(1))
        with pytest.raises(RequestError) as caught:
            Run.create(folder, "oak")
        assert caught.value.code == "run_exists"

    def test_a_run_that_got_nowhere_leaves_its_name(self, run, folder):
        run.save_config(TrainingConfig("oak", ("gone.png",)))
        assert Run.create(folder, "oak").path == run.path

    def test_an_unknown_run_names_those_there_are(self, run, folder):
        with pytest.raises(RequestError) as caught:
            Run.open(folder, "ash")
        assert caught.value.code == "unknown_run"
        assert "oak" in caught.value.info.message

    def test_files_and_hidden_folders_are_no_runs(self, run, folder):
        (folder / "note.txt").write_text("")
        (folder / ".trash").mkdir()
        assert runs.list_runs(folder) == ["oak"]

    def test_without_a_folder_there_are_none(self, folder):
        assert runs.list_runs(folder) == []
        assert own_models(folder) == []


class TestConfig:
    def test_it_comes_back_as_it_was(self, run):
        config = TrainingConfig("oak", ("a.png", "ü/b.png"), "nano", None, 2.5, 0.5, 2, 3, True)
        run.save_config(config)
        assert run.load_config() == config

    def test_a_file_whose_name_is_no_text_does_no_harm(self, run):
        config = TrainingConfig("oak", ("bad\udcff.png",))
        run.save_config(config)
        assert run.load_config() == config

    def test_fields_of_another_version_do_no_harm(self, run):
        data = {**asdict(TrainingConfig("oak", ("a.png",))), "invented": 1}
        del data["seed"]
        (run.path / "config.json").write_text(json.dumps(data))
        assert run.load_config() == TrainingConfig("oak", ("a.png",))

    def test_without_one_there_is_nothing_to_resume(self, run):
        with pytest.raises(RequestError) as caught:
            run.load_config()
        assert caught.value.code == "unknown_run"

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"run": "oak"}', '{"pictures": 3}', "\xff"])
    def test_a_damaged_one_is_named(self, text, run):
        (run.path / "config.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(StorageError) as caught:
            run.load_config()
        assert caught.value.code == "checkpoint_corrupt"
        assert "config.json" in caught.value.info.message

    def test_a_full_disk_leaves_the_old_one(self, run, monkeypatch):
        run.save_config(TrainingConfig("oak", seed=1))

        def full(_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StorageError) as caught:
            run.save_config(TrainingConfig("oak", seed=2))
        assert caught.value.code == "disk_full"
        assert run.load_config().seed == 1
        assert [f.name for f in run.path.iterdir()] == ["config.json"]

    def test_a_data_report_is_kept(self, run):
        run.save_data_report(DataReport((), (SkippedFile("ü\udcff.png", "odd"),), ("normal",), 1.0))
        assert json.loads((run.path / "data_report.json").read_text("utf-8"))["maps"] == ["normal"]


class TestProgress:
    def test_it_comes_back_as_it_was(self, run):
        assert run.read_progress() == []
        for step in (1, 2, 3):
            run.append_progress(tick(step))
        assert run.read_progress() == [tick(1), tick(2), tick(3)]

    @pytest.mark.parametrize("torn", [b'{"step": 2, "ki', b"\xff\xfe", b"\0\0\0\0", b"7", b"{}"])
    def test_a_torn_last_line_costs_that_line_alone(self, torn, run):
        run.append_progress(tick(1))
        with (run.path / "progress.jsonl").open("ab") as file:
            file.write(torn)
        assert run.read_progress() == [tick(1)]
        run.append_progress(tick(2))
        assert run.read_progress() == [tick(1), tick(2)]

    def test_a_resume_goes_on_from_where_it_resumed(self, run):
        for step in (1, 2, 3, 2, 4):
            run.append_progress(tick(step))
        assert [t.step for t in run.read_progress()] == [1, 2, 4]

    @pytest.mark.parametrize("torn", [b"", b'{"step": 2, "ki', b"\xff\xfe", b"\0\0", b"7", b"{}"])
    def test_the_last_tick_is_found_without_those_before(self, torn, run, monkeypatch):
        assert run.last_tick() is None
        for step in range(1, 200):
            run.append_progress(tick(step))
        with (run.path / "progress.jsonl").open("ab") as file:
            file.write(torn)
        monkeypatch.setattr(run, "read_progress", None)
        assert run.last_tick() == tick(199)

    def test_a_full_disk_is_a_storage_error(self, run):
        if not os.path.exists("/dev/full"):  # noqa: PTH110 — a device, no file
            pytest.skip("this system has no /dev/full")
        (run.path / "progress.jsonl").symlink_to("/dev/full")
        with pytest.raises(StorageError) as caught:
            run.append_progress(tick(1))
        assert caught.value.code == "disk_full"

    def test_a_preview_is_a_picture(self, run):
        pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
        run.save_preview(12, pixels, Credits())
        picture = read_picture(run.path / "previews" / "00000012.png")
        assert np.array_equal(np.round(picture * 255), pixels)

    def test_of_many_previews_some_stay_that_are_spread_evenly(self, run, monkeypatch):
        monkeypatch.setattr(runs, "PREVIEWS_KEPT", 20)
        for step in range(1, 500):
            run.save_preview(step, np.zeros((1, 1, 3), np.uint8), Credits())
        steps = previews_of(run)
        assert len(steps) == 20
        assert (steps[0], steps[-1]) == (1, 499)
        assert max(np.diff(steps)) <= 2 * 500 / 20
        # The training was taken back: what it shows now is kept.
        run.save_preview(300, np.zeros((1, 1, 3), np.uint8), Credits())
        assert 300 in previews_of(run)

    def test_what_else_lies_beside_previews_is_left_alone(self, run, monkeypatch):
        monkeypatch.setattr(runs, "PREVIEWS_KEPT", 2)
        (run.path / "previews").mkdir()
        other = run.path / "previews" / "mine.png"
        other.write_bytes(b"mine")
        for step in range(5):
            run.save_preview(step, np.zeros((1, 1, 3), np.uint8), Credits())
        assert other.read_bytes() == b"mine"
        assert previews_of(run) == [0, 4]


def previews_of(run):
    """Steps of the previews that are kept."""
    files = (run.path / "previews").glob("*.png")
    return sorted(int(file.stem) for file in files if file.stem.isdecimal())


def own_models(folder):
    """All models but those that come with the program."""
    bundled = runs.list_runs(runs.BUNDLED)
    return [info for info in runs.list_models(folder)[0] if info.name not in bundled]


STARTER = "Starter Red Bricks"
DRAWN = {
    *("Starter Cobblestone", "Starter Cracked Mud", "Starter Hexagon Tiles"),
    *("Starter Peeling Paint", STARTER, "Starter Weathered Wood"),
}


class TestBundledModels:
    def test_they_can_be_used_before_any_training(self, folder):
        found = {info.name: info for info in runs.list_models(folder)[0]}
        assert found.keys() == set(runs.list_runs(runs.BUNDLED))
        # Those of the first version, which scenes and recipes name.
        assert len([name for name in found if name in DRAWN]) == 6
        bricks = found[STARTER]
        assert runs.load_model_files(runs.open_model(folder, STARTER))[0] == bricks
        assert len(bricks.maps) == 5

    def test_their_names_are_taken(self, folder):
        with pytest.raises(RequestError) as caught:
            Run.create(folder, STARTER)
        assert caught.value.code == "run_exists"

    def test_one_of_that_name_trained_before_they_came_is_still_used(self, folder):
        (folder / STARTER).mkdir(parents=True)
        saved = Run(folder / STARTER).save_model(INFO, weights(1))
        assert runs.open_model(folder, STARTER) == folder / STARTER
        hashes = {info.name: info.hash for info in runs.list_models(folder)[0]}
        assert hashes[STARTER] == saved.hash


class TestModel:
    def test_it_comes_back_as_it_was(self, run, folder):
        saved = run.save_model(INFO, weights(3))
        info, tensors = runs.load_model_files(runs.open_model(folder, "oak"))
        assert info == saved == replace(INFO, hash=saved.hash)
        assert np.array_equal(tensors["a"], weights(3)["a"])
        assert own_models(folder) == [info]

    def test_an_unknown_one_names_those_there_are(self, run, folder):
        run.save_model(INFO, weights(1))
        with pytest.raises(RequestError) as caught:
            runs.open_model(folder, "ash")
        assert caught.value.code == "unknown_model"
        told = caught.value.info.message
        # Hers first, and none that is not offered any more.
        assert "It has: oak, Starter Aged Bricks" in told
        assert "Starter Cobblestone" not in told

    def test_hers_come_first_the_newest_at_the_top_and_a_damaged_one_is_left_out(self, run, folder):
        run.save_model(INFO, weights(1))
        later = Run.create(folder, "ash")
        later.save_model(replace(INFO, created="2031-01-01T00:00:00+00:00"), weights(2))
        broken = Run.create(folder, "elm")
        broken.save_model(INFO, weights(3))
        (broken.path / "model.json").write_text("{")
        assert [info.name for info in own_models(folder)] == ["ash", "oak"]
        starters = [info.name for info in runs.list_models(folder)[0][2:]]
        assert starters == sorted(starters) == sorted(runs.list_runs(runs.BUNDLED))
        (told,) = runs.list_models(folder)[1].items()
        assert (told[0], "model.json of 'elm' must hold" in told[1]) == ("elm", True)

    def test_a_renamed_folder_is_a_renamed_model(self, run, folder):
        run.save_model(INFO, weights(1))
        run.path.rename(folder / "ash")
        assert runs.load_model_files(folder / "ash")[0].name == "ash"

    def test_killed_at_any_write_the_old_or_the_new_one_loads(self, run, monkeypatch):
        for number in itertools.count(1):
            run.save_model(replace(INFO, step=1), weights(1))
            done = self.kill(monkeypatch, number)
            try:
                run.save_model(replace(INFO, step=2), weights(2))
                break
            except Killed:
                monkeypatch.undo()
            info, tensors = runs.load_model_files(run.path)
            assert np.all(tensors["a"] == info.step)
        monkeypatch.undo()
        assert done[0] >= 6
        assert runs.load_model_files(run.path)[0].step == 2

    def kill(self, monkeypatch, number):
        done = [0]

        def wrap(original):
            def operation(*args, **kwargs):
                done[0] += 1
                if done[0] == number:
                    raise Killed
                return original(*args, **kwargs)

            return operation

        for name in ("fsync", "replace", "unlink"):
            monkeypatch.setattr(os, name, wrap(getattr(os, name)))
        return done

    def test_weights_of_old_models_do_not_pile_up(self, run):
        for number in range(5):
            run.save_model(INFO, weights(number))
        assert len(list(run.path.glob("generator-*"))) == 2

    def test_weights_that_somebody_reads_stay_for_now_and_end_no_training(self, run, monkeypatch):
        def refuse(*given):
            raise PermissionError(13, "Another program uses it")  # as on Windows

        with monkeypatch.context() as held:
            held.setattr(os, "unlink", refuse)
            for number in range(3):
                run.save_model(INFO, weights(number))
            assert len(list(run.path.glob("generator-*"))) == 3
        run.save_model(INFO, weights(3))
        assert len(list(run.path.glob("generator-*"))) == 2

    def test_a_reader_between_two_writes_gets_the_new_one(self, run, monkeypatch):
        run.save_model(replace(INFO, step=1), weights(1))
        read = runs.read_model_info

        def slowly(folder):
            info = read(folder)
            monkeypatch.setattr(runs, "read_model_info", read)
            for number in (2, 3):
                run.save_model(replace(INFO, step=number), weights(number))
            return info

        monkeypatch.setattr(runs, "read_model_info", slowly)
        info, tensors = runs.load_model_files(run.path)
        assert info.step == 3
        assert np.all(tensors["a"] == 3)

    @pytest.mark.parametrize("what", ["flipped", "truncated", "missing", "swapped"])
    def test_weights_that_are_not_what_was_written_are_refused(self, what, run):
        saved = run.save_model(INFO, weights(1))
        file = run.path / runs.weights_name(saved.hash)
        data = bytearray(file.read_bytes())
        if what == "missing":
            file.unlink()
        elif what == "swapped":
            other = run.save_model(INFO, weights(2))
            file.replace(run.path / runs.weights_name(other.hash))
        else:
            data[-5] ^= 4
            file.write_bytes(data if what == "flipped" else data[:-1])
        with pytest.raises(StorageError) as caught:
            runs.load_model_files(run.path)
        assert caught.value.code == "checkpoint_corrupt"

    def test_damaged_weights_are_mended_when_the_same_are_saved_again(self, run):
        saved = run.save_model(INFO, weights(1))
        (run.path / runs.weights_name(saved.hash)).write_bytes(b"")
        run.save_model(INFO, weights(1))
        assert np.array_equal(runs.load_model_files(run.path)[1]["a"], weights(1)["a"])

    @pytest.mark.parametrize("number", [1, 2, 3, 4])
    def test_a_full_disk_leaves_a_whole_model(self, number, run, monkeypatch):
        run.save_model(replace(INFO, step=1), weights(1))
        sync, count = os.fsync, itertools.count(1)

        def full(descriptor):
            if next(count) == number:
                raise OSError(errno.ENOSPC, "No space left on device")
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StorageError) as caught:
            run.save_model(replace(INFO, step=2), weights(2))
        assert caught.value.code == "disk_full"
        info, tensors = runs.load_model_files(run.path)
        assert np.all(tensors["a"] == info.step)
        # Only the last wait comes after the new model stands.
        assert info.step == (2 if number == 4 else 1)
        assert not list(run.path.glob("*.tmp"))

    def change(self, run, **fields):
        run.save_model(INFO, weights(1))
        file = run.path / "model.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))

    def test_a_later_format_is_refused(self, run):
        self.change(run, format=max(runs.FORMATS) + 1)
        with pytest.raises(StorageError) as caught:
            runs.load_model_files(run.path)
        assert (caught.value.code, "Update" in caught.value.info.cure) == ("model_format", True)

    def test_fields_of_a_later_version_do_no_harm(self, run):
        self.change(run, invented=[1])
        assert runs.load_model_files(run.path)[0].step == 7

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("stride", "8"),
            ("stride", 0),
            ("z_dim", True),
            ("z_dim", 16.0),
            ("step", -1),
            ("kimg", None),
            ("scale", float("nan")),
            ("preset", 3),
            ("created", []),
            ("network", []),
            ("statistics", "x"),
            ("maps", []),
            ("maps", [1]),
            ("maps", ["../base_color"]),
            ("maps", [["base_color"]]),
            ("credits", {"authors": 3}),
            ("credits", {"authors": ["x" * 5000]}),
        ],
    )
    def test_a_field_of_the_wrong_kind_is_named(self, field, value, run, folder):
        self.change(run, **{field: value})
        with pytest.raises(StorageError) as caught:
            runs.load_model_files(run.path)
        assert caught.value.code == "checkpoint_corrupt"
        assert own_models(folder) == []

    @pytest.mark.parametrize("hash", ["", "../../../../../../etc/passwd", None, 7, "g" * 64])
    def test_an_odd_hash_leads_nowhere(self, hash, run):
        self.change(run, hash=hash)
        with pytest.raises(StorageError) as caught:
            runs.load_model_files(run.path)
        assert caught.value.code == "checkpoint_corrupt"

    @pytest.mark.parametrize("kind", ["keras", "h5", "pkl", "npz", "zip"])
    def test_files_of_other_kinds_are_refused_and_what_they_hold_is_not_run(
        self, kind, run, tmp_path
    ):
        told = tmp_path / "it was run"
        data = poisoned(kind, told)
        name = hashlib.sha256(data).hexdigest()
        self.change(run, hash=name)
        (run.path / runs.weights_name(name)).write_bytes(data)
        (run.path / f"model.{kind}").write_bytes(data)
        with pytest.raises(StorageError) as caught:
            runs.load_model_files(run.path)
        assert caught.value.code == "checkpoint_corrupt"
        assert not told.exists()

    @pytest.mark.parametrize("data", [b"", b"\x80\x04pickle", b"\xff" * 64, b"PK\x03\x04" * 9])
    def test_weights_that_are_no_tensors_are_refused(self, data, run):
        name = hashlib.sha256(data).hexdigest()
        self.change(run, hash=name)
        (run.path / runs.weights_name(name)).write_bytes(data)
        with pytest.raises(StorageError) as caught:
            runs.load_model_files(run.path)
        assert caught.value.code == "checkpoint_corrupt"


class TestGoesOn:
    def test_one_whose_checkpoints_are_gone_is_no_new_run(self, run):
        """It would begin at nothing, and its model be replaced by what came of that."""
        run.check_goes_on()  # nothing was saved yet
        run.save_checkpoint("00000.500", {"a": np.zeros(2)}, {"step": 7})
        run.save_model(INFO, weights(1))
        run.check_goes_on()
        shutil.rmtree(run.path / "checkpoints")
        with pytest.raises(RequestError, match="checkpoint") as caught:
            run.check_goes_on()
        assert caught.value.code == "wrong_state"


class TestHome:
    def test_it_is_made_for_its_user_alone(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TILEWRIGHT_HOME", str(tmp_path / "a" / "home"))
        home = runs.home_folder()
        assert home == tmp_path / "a" / "home"
        if sys.platform != "win32":
            assert home.stat().st_mode & 0o777 == 0o700

    def test_without_a_wish_it_is_among_the_users_data(self, tmp_path, monkeypatch):
        monkeypatch.delenv("TILEWRIGHT_HOME", raising=False)
        monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(tmp_path / "data"))
        assert runs.home_folder() == tmp_path / "data"

    def test_where_it_cannot_be_made_the_error_is_ours(self, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("TILEWRIGHT_HOME", str(tmp_path / "file" / "home"))
        with pytest.raises(StorageError) as caught:
            runs.home_folder()
        assert caught.value.code == "file_unwritable"

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has a folder for everybody")
    def test_a_user_without_a_home_is_told_how_to_name_one(self, monkeypatch):
        for name in ("TILEWRIGHT_HOME", "HOME", "XDG_DATA_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("pwd.getpwuid", lambda user: {}[user])
        with pytest.raises(StorageError) as caught:
            runs.home_folder()
        assert "TILEWRIGHT_HOME" in caught.value.info.cure
        monkeypatch.setenv("TILEWRIGHT_HOME", "~/runs")
        with pytest.raises(StorageError):
            runs.home_folder()

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows finds it in another way")
    def test_a_home_that_is_none_is_named_with_the_cure(self, monkeypatch):
        home = "/dev/null"  # of a daemon
        for name in ("TILEWRIGHT_HOME", "XDG_DATA_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", home)
        with pytest.raises(StorageError) as caught:
            runs.home_folder()
        assert home in caught.value.info.message
        assert "TILEWRIGHT_HOME" in caught.value.info.cure
