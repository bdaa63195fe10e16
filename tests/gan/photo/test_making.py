"""Photos that become models without any training."""

import dataclasses
import json

import numpy as np
import pytest

from gan_worker.compute.jobs import GanProgram
from gan_worker.config import GenerationConfig, RepairConfig, TrainingConfig
from gan_worker.dataclass_json import from_json, to_json
from gan_worker.errors import Cancelled, PictureError, RequestError, TilewrightError
from gan_worker.estimation import Estimation
from gan_worker.gan.generation.model import load_model
from gan_worker.gan.photo.reading import read_photo
from gan_worker.gan.training.loop import train
from gan_worker.materials.pictures import write_picture
from gan_worker.photos.pieces import finished
from gan_worker.preparation import Preparation
from gan_worker.progress import DataReport, Notice, Preview, Stage, TrainingProgress
from gan_worker.runs.entries import read_entry
from gan_worker.runs.provenance import read_provenance
from gan_worker.runs.run import Run, read_model_info
from gan_worker.server.allowed_folders import AllowedFolders
from gan_worker.server.validation import Validation


def listed(folder):
    return finished(read_entry(folder))


def made(tmp_path, pictures, name="photo", stop=lambda: False, **chosen):
    """Train with the preset; the run and all that was told."""
    told = []
    config = TrainingConfig(name, tuple(map(str, pictures)), "photo", **chosen)
    run = Run.create(tmp_path / "runs", name)
    train(config, run, told.append, stop)
    return run, told


@pytest.fixture(scope="session")
def open_photo(blobs, tmp_path_factory):
    """137×171 of blobs that close nowhere."""
    file = tmp_path_factory.mktemp("photos") / "lichen.png"
    tones = np.array([0.9, 0.7, 0.5])
    write_picture(file, np.clip(blobs(256, 4.0)[:137, :171] * tones, 0, 1).astype(np.float32))
    return file


@pytest.fixture(scope="session")
def closed_photo(blobs, tmp_path_factory):
    """128×128 of blobs on a torus."""
    file = tmp_path_factory.mktemp("photos") / "moss.png"
    picture = np.clip(blobs(128, 4.0) * np.array([0.4, 0.9, 0.5]), 0, 1).astype(np.float32)
    write_picture(file, picture)
    return file


@pytest.fixture(scope="session")
def closed_run(closed_photo, tmp_path_factory):
    return made(tmp_path_factory.mktemp("home"), [closed_photo], "moss")


def test_a_run_is_there_that_explains_itself(closed_run, closed_photo):
    run, told = closed_run
    info = read_model_info(run.path)
    assert (info.preset, info.tile, info.maps, info.z_dim) == (
        "photo",
        (128, 128),
        ("base_color",),
        0,
    )
    assert info.tileable and info.octaves == 1 and info.stride == 2 and info.format == 3
    assert info.credits.contained and info.credits.pictures == 1
    assert not info.credits.trained
    provenance = read_provenance(run.path)
    assert provenance.pictures[0].file == closed_photo.name
    settings = provenance.sessions[0].settings
    assert settings["kept"] == "128×128" and settings["closed"] is True
    assert "tensorflow" in provenance.sessions[0].versions
    entry = listed(run.path)
    assert entry.model.tile == (128, 128) and entry.model.tileable and not entry.model.directions
    assert entry.run.has_model and entry.run.preset == "photo" and not entry.problem
    assert len(list((run.path / "previews").iterdir())) == 1
    assert {type(news) for news in told} >= {Stage, DataReport, Preview, Notice}


def test_a_photo_whose_borders_meet_comes_back_to_the_bit(closed_run, closed_photo):
    from gan_worker.materials.pictures import read_stored

    model = load_model(closed_run[0].path)
    config = GenerationConfig("moss", width=128, height=128)
    (picture,) = model.generate(config, {"base_color": 8}).maps.values()
    assert np.array_equal(picture, read_stored(closed_photo))


def test_an_open_photo_loses_what_cannot_be_halved_and_no_more(open_photo, tmp_path):
    run, _ = made(tmp_path, [open_photo])
    info = read_model_info(run.path)
    assert (info.tile, info.octaves, info.tileable) == ((170, 136), 1, False)
    assert not listed(run.path).model.tileable


def test_a_photo_is_made_tileable_where_that_is_asked(open_photo, tmp_path):
    run, told = made(tmp_path, [open_photo], tileable=True, picture_width=3.42)
    model = load_model(run.path)
    # 171 pixels wide, of which what is left is a part.
    assert model.info.tile[0] < 171
    assert model.info.pixel_size == listed(run.path).model.pixel_size == pytest.approx(0.02)
    assert model.info.tileable and all(side % 2 == 0 for side in model.info.tile)
    notes = next(news.notes for news in told if isinstance(news, DataReport))
    assert any("made to meet" in note for note in notes)
    width, height = model.info.tile
    done = model.generate(
        GenerationConfig("photo", width=width, height=height, estimation=Estimation())
    )
    assert set(done.seam_ratios) == set(done.maps)
    assert max(done.seam_ratios.values()) <= 1.05


def test_maps_that_a_set_has_are_kept_and_the_rest_is_estimated(closed_photo, blobs, tmp_path):
    from gan_worker.materials.pictures import read_picture

    folder = tmp_path / "moss"
    folder.mkdir()
    write_picture(folder / "moss_color.png", read_picture(closed_photo))
    height = np.clip(blobs(128, 4.0), 0, 1).astype(np.float32)
    write_picture(folder / "moss_height.png", height, 16)
    run, _ = made(tmp_path, [folder])
    model = load_model(run.path)
    assert model.info.maps == ("base_color", "height")
    config = GenerationConfig("photo", width=128, height=128, estimation=Estimation())
    done = model.generate(config, {"height": 16})
    assert np.abs(done.maps["height"] / 65535 - height).max() <= 1 / 65535
    assert set(done.recipe.estimated) == {"normal", "roughness", "ambient_occlusion"}


@pytest.mark.parametrize("size", [(1, 40), (40, 20), (5, 5)])
def test_a_photo_that_shows_next_to_nothing_is_refused(size, tmp_path):
    file = tmp_path / "small.png"
    write_picture(file, np.random.default_rng(0).random((*size, 3), np.float32))
    with pytest.raises(PictureError, match="32×32") as caught:
        made(tmp_path, [file])
    assert caught.value.code == "picture_too_small"


def test_a_photo_larger_than_what_is_kept_is_kept_smaller(open_photo, tmp_path, monkeypatch):
    monkeypatch.setattr("gan_worker.gan.photo.reading.KEPT", 10_000)
    run, told = made(tmp_path, [open_photo])
    info = read_model_info(run.path)
    assert (info.tile, info.scale) == ((85, 68), 0.5)
    notes = next(news.notes for news in told if isinstance(news, DataReport))
    assert any("1/2 of its size" in note for note in notes)


def test_corners_of_a_large_photo_keep_its_detail(open_photo, tmp_path, monkeypatch):
    corners = ((0.2, 0.25), (0.7, 0.2), (0.75, 0.7), (0.2, 0.75))
    prepare = Preparation(corners, even_light=0.5)
    whole, _ = made(tmp_path, [open_photo], "whole", prepare=prepare)
    monkeypatch.setattr("gan_worker.gan.photo.reading.KEPT", 10_000)
    cut, told = made(tmp_path, [open_photo], "cut", prepare=prepare)
    assert read_model_info(cut.path).scale == 1.0
    pictures = [
        load_model(run.path).generate(GenerationConfig(run.name, width=width, height=height)).maps
        for run in (whole, cut)
        for width, height in [read_model_info(run.path).tile]
    ]
    assert np.abs(pictures[0]["base_color"] - pictures[1]["base_color"]).max() <= 1.01 / 255
    notes = next(news.notes for news in told if isinstance(news, DataReport))
    assert not any("very large" in note for note in notes)


@pytest.fixture
def strip(blobs, tmp_path):
    """A photo of 16500×70, longer than any tile."""
    pixels = np.tile(blobs(256, 4.0)[:70, :250] * np.array([0.9, 0.7, 0.5]), (1, 66, 1))
    write_picture(tmp_path / "strip.png", np.clip(pixels, 0, 1).astype(np.float32))
    return tmp_path / "strip.png"


def test_a_strip_longer_than_any_tile_is_kept_smaller_and_opens(strip, tmp_path):
    run, _ = made(tmp_path, [strip])
    info = load_model(run.path).info
    assert (info.tile, info.scale) == ((8250, 35), 0.5)


@pytest.mark.parametrize(("side", "kept"), [(0.002, (8217, 35, 0.5)), (0.1, (13200, 70, 1.0))])
def test_of_a_strip_only_what_corners_leave_must_fit(strip, side, kept):
    corners = ((side, 0.0), (1 - side, 0.0), (1 - side, 1.0), (side, 1.0))
    config = TrainingConfig("strip", (str(strip),), "photo", prepare=Preparation(corners))
    photo = read_photo(config, lambda stage: None, lambda: False)
    height, width = photo.fitted.maps["base_color"].shape[:2]
    assert (width, height, photo.scale) == kept


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_cancelled_one_leaves_no_model(closed_photo, tmp_path, after):
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > after

    with pytest.raises(Cancelled):
        made(tmp_path, [closed_photo], stop=stop)
    assert not (tmp_path / "runs" / "photo" / "model.json").exists()


def test_it_is_begun_anew_after_an_interruption_and_refused_once_it_is_there(
    closed_photo, tmp_path
):
    config = TrainingConfig("photo", (str(closed_photo),), "photo", resume=True)
    run = Run.create(tmp_path / "runs", "photo")
    train(config, run, lambda news: None, lambda: False)
    for preset in ("photo", "nano"):
        again = dataclasses.replace(config, preset=preset)
        with pytest.raises(RequestError, match="its own model") as caught:
            train(again, run, lambda news: None, lambda: False)
        assert caught.value.code == "wrong_state" and caught.value.info.cure


def test_another_attempt_at_what_was_made_and_not_told_succeeds(closed_photo, tmp_path):
    program, told = GanProgram(tmp_path), []
    first = TrainingConfig("moss", (str(closed_photo),), "photo", author="Ann")
    program.train(first, told.append, lambda: False)
    files = {f: f.stat().st_mtime_ns for f in (tmp_path / "runs" / "moss").rglob("*")}
    validation = Validation(tmp_path / "runs", AllowedFolders({}, {"me"}), lambda run, owner: None)
    for attempt in (2, 3):
        again = validation.resolve("me", "train", to_json(first), attempt)
        heard: list = []
        program.train(from_json(TrainingConfig, again), heard.append, lambda: False)
        assert [news for news in heard if isinstance(news, TrainingProgress)] == told[-1:]
    assert {f: f.stat().st_mtime_ns for f in (tmp_path / "runs" / "moss").rglob("*")} == files


def test_an_attempt_that_was_ended_before_the_model_was_saved_is_made_anew(closed_photo, tmp_path):
    program = GanProgram(tmp_path)
    config = TrainingConfig("moss", (str(closed_photo),), "photo")
    program.train(config, lambda news: None, lambda: False)
    folder = tmp_path / "runs" / "moss"
    (folder / "model.json").unlink()
    again = dataclasses.replace(config, resume=True)
    program.train(again, lambda news: None, lambda: False)
    assert read_model_info(folder).preset == "photo"


def test_another_picture_is_no_other_attempt(closed_photo, open_photo, tmp_path):
    program = GanProgram(tmp_path)
    config = TrainingConfig("moss", (str(closed_photo),), "photo")
    program.train(config, lambda news: None, lambda: False)
    other = dataclasses.replace(config, pictures=(str(open_photo),), resume=True)
    for changed in (other, dataclasses.replace(config, preset="nano", resume=True)):
        with pytest.raises(RequestError, match="its own model"):
            program.train(changed, lambda news: None, lambda: False)


def test_nothing_is_said_to_be_learned(closed_photo, open_photo, tmp_path, monkeypatch):
    _, told = made(tmp_path, [closed_photo])
    (report,) = (news for news in told if isinstance(news, DataReport))
    assert report.in_words() == (
        "The photo is the model, kept at its full size. Nothing is learned from it.",
    )
    monkeypatch.setattr("gan_worker.gan.photo.reading.KEPT", 10_000)
    _, told = made(tmp_path, [open_photo], "smaller")
    (report,) = (news for news in told if isinstance(news, DataReport))
    assert "kept at 0.5 of its size" in " ".join(report.in_words())


def test_several_materials_and_one_without_a_color_are_refused(
    closed_photo, open_photo, blobs, tmp_path
):
    with pytest.raises(RequestError, match="received 2"):
        made(tmp_path, [closed_photo, open_photo], "several")
    folder = tmp_path / "set"
    folder.mkdir()
    write_picture(folder / "set_height.png", np.clip(blobs(64, 3.0), 0, 1).astype("f4"), 16)
    write_picture(folder / "set_roughness.png", np.clip(blobs(64, 3.0), 0, 1).astype("f4"))
    with pytest.raises(RequestError, match="base color"):
        made(tmp_path, [folder], "colorless")
    with pytest.raises(PictureError):
        made(tmp_path, [tmp_path / "nothing.png"], "missing")


@pytest.mark.parametrize(
    "change",
    [
        {"tile": [64, 128]},
        {"tile": [128, 127]},
        {"tile": [0, 0]},
        {"statistics": {}},
        {"statistics": {"octaves": "many", "errors": {}}},
        {"maps": ["base_color", "height"]},
        {"tile": None},
    ],
)
def test_a_model_whose_description_does_not_fit_is_refused(closed_run, tmp_path, change):
    folder = tmp_path / "moss"
    folder.mkdir()
    for file in closed_run[0].path.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    told = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(told | change))
    with pytest.raises(TilewrightError) as caught:
        load_model(folder)
    assert caught.value.code in ("checkpoint_corrupt", "model_format")


def test_a_compute_process_makes_it_generates_from_it_and_refuses_to_repair_with_it(
    closed_photo, tmp_path
):
    program = GanProgram(tmp_path)
    config = TrainingConfig("moss", (str(closed_photo),), "photo")
    program.train(config, lambda news: None, lambda: False)
    wanted = GenerationConfig("moss", width=64, height=128, mip=1, estimation=Estimation())
    done = program.generate(wanted, None, lambda news: None, lambda: False)
    kinds = {name: picture.dtype.name for name, picture in done.maps.items()}
    assert kinds == dict.fromkeys(kinds, "uint8") | {"height": "uint16"}
    assert len(kinds) == 5 and {p.shape[:2] for p in done.maps.values()} == {(128, 64)}
    with pytest.raises(RequestError, match="learned its material"):
        program.repair(RepairConfig("moss", "a", "b"), lambda news: None, lambda: False)


def test_a_server_refuses_at_once_what_a_photo_cannot_do(closed_run, tmp_path):
    runs = closed_run[0].path.parent
    validation = Validation(runs, AllowedFolders({}, {"me"}), lambda run, owner: None)
    resumed = TrainingConfig("moss", minutes=1.0, resume=True)
    repaired = RepairConfig("moss", "/a.png", "/b.png")
    odd = GenerationConfig("moss", width=100, height=128)
    for kind, config, code in (
        ("train", resumed, "wrong_state"),
        ("repair", repaired, "invalid_config"),
        ("generate", odd, "invalid_size"),
    ):
        with pytest.raises(RequestError) as caught:
            validation.check("me", kind, to_json(config), ())
        assert caught.value.code == code and caught.value.info.cure
