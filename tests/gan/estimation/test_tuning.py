"""An estimator that learns from an artist's own sets: a run of its own, which estimates, and is refused elsewhere."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.cli.app import main
from gan_worker.compute.jobs import GanProgram
from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.errors import Cancelled, PictureError, RequestError, StorageError
from gan_worker.estimation import Estimation
from gan_worker.gan.estimation import tuning
from gan_worker.gan.estimation.estimator import Estimates, load_estimator
from gan_worker.gan.estimation.tuning import read_own
from gan_worker.gan.training.loop import train
from gan_worker.materials.metadata import read_metadata
from gan_worker.materials.pictures import read_header, write_picture
from gan_worker.progress import DataReport, Preview, TrainingProgress
from gan_worker.runs.checkpoints import format_tensors, parse_tensors
from gan_worker.runs.estimators import find_weights, read_estimator, save_estimator, shipped
from gan_worker.runs.provenance import read_provenance
from gan_worker.runs.run import Run, is_taken, open_model, read_model_info
from gan_worker.scenes.plan import work_item
from gan_worker.scenes.ray import ItemMaker, run_files

SIDE = 192
MAPS = {"color": 3, "NormalGL": 3, "roughness": 1}


def write_set(folder: Path, seed: int, words=MAPS, side: int = SIDE) -> Path:
    folder.mkdir(parents=True)
    drawn = np.random.default_rng(seed)
    for word, channels in words.items():
        picture = drawn.random((side, side, channels), np.float32)
        if channels == 3 and word != "color":
            picture = 0.5 + 0.2 * (picture - 0.5) + np.float32([0, 0, 0.4])
        write_picture(folder / f"{folder.name}_{word}.png", picture)
    return folder


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """A folder with a set to learn from, one without normals, one that is too small, and a photo."""
    place = tmp_path_factory.mktemp("sets")
    write_set(place / "clay", 1)
    write_set(place / "plain", 2, {"color": 3, "roughness": 1})
    write_set(place / "tiny", 3, side=64)
    write_picture(place / "wall.png", np.random.default_rng(4).random((200, 200, 3), np.float32))
    return place


def learn(runs, name, places, stop=lambda: False, minutes=1e-4, **chosen):
    told = []
    config = TrainingConfig(name, tuple(map(str, places)), "estimator", minutes, **chosen)
    run = Run.create(runs, name)
    train(config, run, told.append, stop)
    return run, told


@pytest.fixture(scope="module")
def learned(sets, tmp_path_factory):
    runs = tmp_path_factory.mktemp("home") / "runs"
    return learn(runs, "clay", [sets], license="CC0-1.0")


def test_it_has_learned_a_little_and_says_how_it_goes(learned):
    run, told = learned
    weights = find_weights(run.path.parent, "clay")
    before, after = (load_estimator(w.file).variables for w in (shipped(), weights))
    moved = [float(np.abs(a - b).max()) for a, b in zip(before, after, strict=True)]
    assert 0 < max(moved) < 0.1
    last = [news for news in told if isinstance(news, TrainingProgress)][-1]
    # The first step, which builds graphs, does not count.
    assert (last.fraction, last.eta, last.step) == (1.0, 0.0, 2) and last.images_per_second > 0
    assert run.read_progress() == [last]
    assert any(isinstance(news, Preview) for news in told)


def test_what_it_learned_from_is_told_and_kept(learned):
    run, told = learned
    found = next(news for news in told if isinstance(news, DataReport))
    assert [entry.name for entry in found.materials] == ["clay"]
    assert {one.file: "192" in one.reason for one in found.skipped} == {
        **{"plain": True, "tiny": True, "wall": True}
    }
    assert found.maps == ("normal", "roughness")
    provenance = read_provenance(run.path)
    files = {picture.file for picture in provenance.pictures}
    assert files == {f"clay_{word}.png" for word in MAPS}
    assert provenance.credits.licenses == ("CC0-1.0",)
    (session,) = provenance.sessions
    assert session.settings["learned_from"] == shipped().hash
    assert read_estimator(run.path).learned_from == shipped().hash
    assert run.load_config().preset == "estimator"


def test_nothing_but_estimates_comes_of_it(learned):
    runs = learned[0].path.parent
    with pytest.raises(RequestError, match="estimator") as refused:
        open_model(runs, "clay")
    assert refused.value.code == "unknown_model"
    with pytest.raises(RequestError) as refused:
        learned[0].check_goes_on()
    assert refused.value.code == "wrong_state"
    assert is_taken(runs, "clay")


@pytest.fixture
def quick(monkeypatch):
    """Steps that change one tensor, and a preview, for which no graph is built."""

    class Steps:
        def __init__(self):
            self._weights = parse_tensors(shipped().file.read_bytes(), "shipped")

        def start_from(self, estimator):
            pass

        def step(self, number, *_):
            self._weights["0000"] = self._weights["0000"] + np.float16(0.01)
            return {"normal": tf.constant(0.25)}

        def weights(self):
            return self._weights

    def flat(color, *_, **__):
        return Estimates(np.zeros((*color.shape[:2], 5), np.float16), 0, False, {})

    monkeypatch.setattr(tuning, "Training", Steps)
    monkeypatch.setattr(tuning, "estimate", flat)


@pytest.mark.parametrize("after", [0, 1, 3])
def test_what_is_cancelled_leaves_nothing(sets, tmp_path, quick, after):
    asked = iter(range(100))

    def stop():
        if next(asked) >= after:
            raise Cancelled
        return False

    with pytest.raises(Cancelled):
        learn(tmp_path, "gone", [sets / "clay"], stop, 1.0)
    assert not is_taken(tmp_path, "gone")


def test_what_is_stopped_before_it_learned_leaves_nothing(sets, tmp_path):
    with pytest.raises(Cancelled):
        learn(tmp_path, "gone", [sets / "clay"], lambda: True)
    assert not is_taken(tmp_path, "gone")


def test_what_is_stopped_keeps_what_it_learned(sets, tmp_path, quick):
    asked = iter(range(100))
    run, _ = learn(tmp_path, "short", [sets / "clay"], lambda: next(asked) > 2, 60.0)
    assert read_estimator(run.path).step == 2
    assert find_weights(tmp_path, "short").hash != shipped().hash


@pytest.mark.parametrize("what", ["plain", "tiny", "wall.png"])
def test_what_has_no_normals_or_is_small_is_nothing_to_learn_from(sets, what):
    with pytest.raises(PictureError) as refused:
        read_own([sets / what])
    assert refused.value.code == "dataset_empty" and "normals" in refused.value.info.message


def test_a_damaged_map_is_left_out_and_named(tmp_path):
    broken = write_set(tmp_path / "bad", 7) / "bad_roughness.png"
    broken.write_bytes(broken.read_bytes()[:2000])
    found = read_own([tmp_path])
    assert [sample.known for sample in found.samples] == [(1.0, 0.0, 0.0)]
    assert [Path(one.file).name for one in found.report.skipped] == ["bad_roughness.png"]


def test_a_set_that_cannot_be_read_is_left_out_and_named(sets, tmp_path, monkeypatch):
    shutil.copytree(sets / "clay", tmp_path / "clay")
    gone = write_set(tmp_path / "gone", 7)
    read = tuning.read_sample

    def vanishing(one):
        shutil.rmtree(gone, ignore_errors=True)
        return read(one)

    monkeypatch.setattr(tuning, "read_sample", vanishing)
    found = read_own([tmp_path])
    assert [sample.name for sample in found.samples] == ["clay"]
    assert [one.file for one in found.report.skipped] == ["gone"]


def test_more_sets_than_fit_are_thinned_out_evenly(sets, tmp_path, monkeypatch):
    monkeypatch.setattr("gan_worker.gan.estimation.tuning.MOST", 2)
    for number in range(5):
        write_set(tmp_path / f"set{number}", number, {"color": 3, "NormalGL": 3})
    found = read_own([tmp_path])
    assert [sample.name for sample in found.samples] == ["set0", "set2"]
    assert any("2 of the 5" in note for note in found.report.notes)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder of runs with an estimator that found other relief."""
    arrays = parse_tensors(shipped().file.read_bytes(), "shipped")
    arrays["0000"] = arrays["0000"] * np.float16(1.5)
    run = Run.create(tmp_path_factory.mktemp("home") / "runs", "clay")
    save_estimator(run.path, arrays, shipped(), 1)
    return run.path.parent


def copied(kept, folder):
    shutil.copytree(kept / "clay", folder / "clay")
    return folder / "clay"


def test_one_that_is_not_there_is_named_with_those_that_are(kept):
    with pytest.raises(RequestError, match=r"'mud'.*clay") as refused:
        find_weights(kept, "mud")
    assert refused.value.code == "unknown_estimator" and "learn it again" in refused.value.info.cure
    with pytest.raises(RequestError) as refused:
        find_weights(kept, "../clay")
    assert refused.value.code == "invalid_config"


@pytest.mark.parametrize("change", [b"", b"{}", b"no json", b'{"format": 1, "hash": "../../x"}'])
def test_a_damaged_description_is_refused(kept, tmp_path, change):
    (copied(kept, tmp_path) / "estimator.json").write_bytes(change)
    with pytest.raises(StorageError):
        find_weights(tmp_path, "clay")


def test_one_flipped_bit_is_refused(kept, tmp_path):
    folder = copied(kept, tmp_path)
    (file,) = folder.glob("*.safetensors")
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    file.write_bytes(data)
    with pytest.raises(StorageError) as refused:
        find_weights(tmp_path, "clay")
    assert refused.value.code == "checkpoint_corrupt"
    file.unlink()
    with pytest.raises(StorageError):
        find_weights(tmp_path, "clay")


def test_one_of_another_version_is_refused_with_the_cure(kept, tmp_path):
    folder = copied(kept, tmp_path)
    told = json.loads((folder / "estimator.json").read_text())
    (folder / "estimator.json").write_text(json.dumps(told | {"format": 2}))
    with pytest.raises(StorageError, match="format") as refused:
        find_weights(tmp_path, "clay")
    assert refused.value.code == "model_format" and "Update" in refused.value.info.cure


def test_one_of_other_networks_is_refused_with_the_cure(kept, tmp_path):
    folder = copied(kept, tmp_path)
    (file,) = folder.glob("*.safetensors")
    arrays = parse_tensors(file.read_bytes(), file.name)
    data = format_tensors({**arrays, "9999": np.zeros(3, np.float16)})
    digest = hashlib.sha256(data).hexdigest()
    (folder / f"estimator-{digest[:16]}.safetensors").write_bytes(data)
    told = json.loads((folder / "estimator.json").read_text())
    (folder / "estimator.json").write_text(json.dumps(told | {"hash": digest}))
    with pytest.raises(StorageError, match="other networks") as refused:
        find_weights(tmp_path, "clay")
    assert refused.value.code == "model_format" and "again" in refused.value.info.cure


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    file = tmp_path_factory.mktemp("photos") / "moss.png"
    write_picture(file, np.random.default_rng(5).random((64, 64, 3), np.float32))
    return file


def test_a_photo_is_estimated_with_it_and_its_recipe_says_so(kept, photo, tmp_path):
    shutil.copytree(kept / "clay", tmp_path / "runs" / "clay")
    program = GanProgram(tmp_path)
    tuned = find_weights(tmp_path / "runs", "clay").hash
    nothing = (lambda news: None, lambda: False)
    for name, estimator in (("own", ""), ("hers", "clay")):
        chosen = TrainingConfig(name, (str(photo),), "photo", estimator=estimator)
        program.train(chosen, *nothing)

    def made(model, estimator=""):
        estimation = Estimation(estimator=estimator)
        wanted = GenerationConfig(model, width=64, height=64, estimation=estimation)
        return program.generate(wanted, None, *nothing)

    own, hers = made("own"), made("hers")
    assert (own.recipe.estimator, hers.recipe.estimator) == (shipped().hash, tuned)
    assert not np.array_equal(own.maps["normal"], hers.maps["normal"])
    # A photo that is its own model is estimated anew where another one is named, and as it was made where none is.
    again = made("own", "clay")
    assert again.recipe.estimator == tuned
    np.testing.assert_array_equal(again.maps["normal"], hers.maps["normal"])
    np.testing.assert_array_equal(made("own").maps["normal"], own.maps["normal"])
    # What was made with it stays without it.
    shutil.rmtree(tmp_path / "runs" / "clay")
    np.testing.assert_array_equal(made("hers").maps["normal"], hers.maps["normal"])
    with pytest.raises(RequestError) as refused:
        made("own", "clay")
    assert refused.value.code == "unknown_estimator"
    with pytest.raises(RequestError) as refused:
        program.train(TrainingConfig("more", (str(photo),), "photo", estimator="clay"), *nothing)
    assert refused.value.code == "unknown_estimator"


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"minutes": None, "kimg": 1.0}, "minutes"),
        ({"kimg": 1.0}, "time alone"),
        ({"scale": 0.5}, "scale"),
        ({"octaves": 1}, "octaves"),
        ({"isotropic": True}, "turns"),
        ({"gpus": 2}, "GPU"),
        ({"learn_maps": True}, "estimates no maps"),
        ({"tileable": True}, "tileable"),
        ({"estimator": "clay"}, "photo"),
        ({"preset": "tiny", "estimator": "clay"}, "photo"),
        ({"preset": "photo", "estimator": "a/b"}, "name of a run"),
    ],
)
def test_what_it_cannot_be_told_is_refused(change, part):
    config = TrainingConfig("clay", ("sets",), "estimator")
    with pytest.raises(RequestError, match=part):
        dataclasses.replace(config, **change).check()


def test_the_command_learns_and_the_run_is_kept_as_others_are(sets, tmp_path, quick, capsys):
    home = ["--home", str(tmp_path)]
    command = ["estimate", "--learn-from", str(sets / "clay"), str(sets / "plain"), *home]
    assert main([*command, "--minutes", "0.0001", "--run", "hers"]) == 0
    told = capsys.readouterr().out
    assert "--estimator hers" in told and "ETA" in told and "plain" in told
    assert main(["runs", *home]) == 0
    assert "estimator" in capsys.readouterr().out
    assert main(["provenance", "hers", *home]) == 0
    assert "trained on 3 pictures" in capsys.readouterr().out
    assert main([*command, "--run", "hers"]) == 2
    assert main(["rename", "hers", "mine", *home]) == 0
    assert main(["generate", "mine", "--out", str(tmp_path), *home]) == 2
    assert "makes maps" in capsys.readouterr().err
    assert main(["train", "--resume", "mine", *home]) == 2
    assert main(["delete", "mine", "--yes", *home]) == 0
    assert not is_taken(tmp_path / "runs", "mine")


def test_the_command_leaves_nothing_of_what_it_could_not_learn(sets, tmp_path, capsys):
    command = ["estimate", "--home", str(tmp_path), "--learn-from"]
    assert main([*command, str(sets / "plain")]) == 2
    told = capsys.readouterr().err
    assert "normals" in told and "Nothing of plain is kept" in told
    assert not is_taken(tmp_path / "runs", "plain")
    assert main([*command, str(sets / "none")]) == 2


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--learn-from", "sets", "--out", "maps"], "estimates nothing yet"),
        (["--learn-from", "sets", "--depth", "2"], "estimates nothing yet"),
        (["--learn-from", "sets", "--estimator", "a"], "estimates nothing yet"),
        (["--learn-from", "sets", "--minutes", "0"], "above 0"),
        (["--learn-from", "sets", "--run", "a/b"], "name of a run"),
        (["photo.png", "--out", "maps", "--minutes", "2"], "--learn-from"),
        (["photo.png", "--out", "maps", "--run", "hers"], "--learn-from"),
        (["photo.png"], "--out"),
        (["--out", "maps"], "Photos"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, part, tmp_path, capsys):
    assert main(["estimate", *options, "--home", str(tmp_path)]) == 2
    assert part in capsys.readouterr().err


def test_the_command_estimates_with_it_and_its_files_say_so(kept, photo, tmp_path, capsys):
    home = kept.parent
    command = ["estimate", str(photo), "--home", str(home), "--out"]
    assert main([*command, str(tmp_path / "hers"), "--estimator", "clay"]) == 0
    assert main([*command, str(tmp_path / "own")]) == 0
    files = [tmp_path / out / "moss" / "moss_normal.png" for out in ("hers", "own")]
    marks = [read_metadata(read_header(file)[2]) for file in files]
    hashes = [find_weights(home / "runs", name).hash for name in ("clay", "")]
    assert [mark["estimator"] for mark in marks] == hashes
    assert '"estimator": "clay"' in marks[0]["estimation"]
    assert "estimator" not in marks[1]["estimation"]
    assert main([*command, str(tmp_path / "none"), "--estimator", "mud"]) == 2
    assert "learn it again" in capsys.readouterr().err


def test_who_makes_items_elsewhere_gets_it_with_the_model(kept, photo, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(kept / "clay", runs / "clay")
    config = TrainingConfig("moss", (str(photo),), "photo", estimator="clay")
    train(config, Run.create(runs, "moss"), lambda news: None, lambda: False)
    chosen = Estimation(estimator="clay")
    wanted = GenerationConfig("moss", width=64, height=64, estimation=chosen)
    digest, tuned = read_model_info(runs / "moss").hash, find_weights(runs, "clay").hash
    asked = []

    def source(name):
        asked.append(name)
        return run_files(runs, name)

    maker = ItemMaker()
    made = maker.make(work_item(wanted, digest, tuned), source)
    assert made.error is None and any(name.endswith("_normal.png") for name in made.files)
    # Each is sent once, and what was estimated by another is not what was asked for.
    other = maker.make(work_item(wanted, digest, shipped().hash), source)
    assert other.error.code == "wrong_state"
    assert asked == ["moss", "clay"]
