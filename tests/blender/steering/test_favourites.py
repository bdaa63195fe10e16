"""Favourites: kept with a picture in the .blend, mixed, and carried from file to file."""

from __future__ import annotations

import json
from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_addon.generation import requests
from blender_addon.shader import projection
from blender_addon.steering import favourites, live, sliders
from blender_addon.ui import thumbnails
from blender_addon.worker import pump, session
from gan_worker import files
from gan_worker.config import GenerationConfig
from gan_worker.style import Seed
from gan_worker.wire.messages import ModelEntry

from ..conftest import MODEL, answer_all, as_in_another_window

FULL = GenerationConfig("bricks", seed=5, width=64, height=32)


@pytest.fixture
def material(stand_in, plane) -> bpy.types.Material:
    requests.generate_for_objects([plane], FULL)
    answer_all(stand_in)
    return plane.active_material


def chosen() -> bpy.types.PropertyGroup:
    return bpy.context.scene.tilewright


def keep(client, material, seed: int, amount: float) -> bpy.types.PropertyGroup:
    material.tilewright.latents.seed = seed
    material.tilewright.latents.directions["pca 1"].amount = amount
    answer_all(client)
    bpy.ops.tilewright.add_favourite()
    answer_all(client)
    return chosen().favourites[-1]


def test_favourite_keeps_latents_and_a_picture_through_saving(stand_in, material, tmp_path):
    kept = keep(stand_in, material, 7, 1.5)
    assert thumbnails.from_text(kept.thumbnail).tolist() == np.full((96, 96, 3), 7).tolist()
    assert thumbnails.is_there(favourites.picture_name(kept))
    kept.name = "mossy"
    path = str(tmp_path / "kept.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    (loaded,) = chosen().favourites
    assert loaded.name == "mossy"
    assert not thumbnails.is_there(favourites.picture_name(loaded))
    asked = len(stand_in.submitted)
    pump.tick()
    assert thumbnails.is_there(favourites.picture_name(loaded))
    assert len(stand_in.submitted) == asked
    config = favourites.config_of(loaded)
    assert (config.seed, config.directions) == (7, (("pca 1", 1.5),))


def test_applying_keeps_the_size_and_maps_of_the_material(stand_in, material):
    kept = keep(stand_in, material, 7, 1.5)
    small = replace(FULL, width=128, height=128, maps=("base_color",))
    requests.generate_for_objects([bpy.context.object], small)
    answer_all(stand_in)
    bpy.ops.tilewright.apply_favourite(uid=kept.uid)
    answer_all(stand_in)
    shown = sliders.wanted(material)
    assert (shown.seed, shown.width, shown.maps) == (7, 128, ("base_color",))
    assert sliders.is_shown(material)


def keep_of(model: str, **fields: object) -> bpy.types.PropertyGroup:
    """A favourite as one of a file has it."""
    kept = chosen().favourites.add()
    kept.name, kept.uid = model, f"of {model}"
    kept.config = favourites.as_text(GenerationConfig(model, **fields))
    return kept


def know(client, *models: ModelEntry) -> None:
    client.models = (MODEL, *models)
    client.request_models()
    pump.tick()


def test_one_of_a_model_that_is_gone_is_refused_and_changes_nothing(stand_in, material):
    before, asked = sliders.wanted(material), len(stand_in.submitted)
    kept = keep_of("gone", seed=9)
    with pytest.raises(RuntimeError, match="'gone' is not"):
        bpy.ops.tilewright.apply_favourite(uid=kept.uid)
    assert session.current.last_error.code == "unknown_model"
    assert (sliders.wanted(material), live.obstacle(material)) == (before, "")
    answer_all(stand_in)
    assert len(stand_in.submitted) == asked


def test_mixing_those_of_a_model_that_is_gone_is_told_and_changes_nothing(stand_in, material):
    before = sliders.wanted(material)
    chosen().mix_a = chosen().mix_b = keep_of("gone").uid
    chosen().mix = 0.25
    assert session.current.last_error.code == "unknown_model"
    assert sliders.wanted(material) == before


def test_earlier_latents_of_a_model_that_is_gone_are_refused(stand_in, material):
    know(stand_in, replace(MODEL, name="wall", hash="b" * 64))
    requests.generate_for_objects([bpy.context.object], replace(FULL, model="wall"))
    answer_all(stand_in)
    stand_in.models = (replace(MODEL, name="wall", hash="b" * 64),)
    stand_in.request_models()
    pump.tick()
    with pytest.raises(RuntimeError, match="'bricks' is not"):
        bpy.ops.tilewright.history_back()
    assert sliders.wanted(material).model == "wall"
    assert bpy.ops.tilewright.history_back.poll(), "it is still there, for when the model is"


OTHER = replace(MODEL, name="other", hash="b" * 64, maps=("base_color", "height"))


@pytest.mark.parametrize(
    ("own", "config", "other", "size"),
    [
        # Half the detail of 512 x 256, by a model that has no detail.
        (replace(MODEL, octaves=2), {"width": 256, "height": 128, "mip": 1}, OTHER, (256, 128, 0)),
        # All of a photo, by a model that draws in steps.
        (
            replace(MODEL, tile=(150, 100), preset="photo"),
            {"width": 150, "height": 100},
            OTHER,
            (144, 96, 0),
        ),
        # Any size, by a photo that has its own.
        (
            MODEL,
            {"width": 64, "height": 32},
            replace(OTHER, tile=(160, 96), octaves=2),
            (80, 48, 1),
        ),
    ],
    ids=["no detail", "of a photo", "to a photo"],
)
def test_one_of_another_model_comes_at_a_size_that_it_makes(
    stand_in, plane, own, config, other, size
):
    stand_in.models = (own, other)
    stand_in.request_models()
    pump.tick()
    full = GenerationConfig("bricks", maps=("base_color", "roughness"), **config)
    requests.generate_for_objects([plane], full)
    answer_all(stand_in)
    bpy.ops.tilewright.apply_favourite(uid=keep_of("other", seed=9).uid)
    answer_all(stand_in)
    wanted = sliders.wanted(plane.active_material)
    assert (wanted.width, wanted.height, wanted.mip) == size
    assert wanted.maps == ("base_color",), "it makes no roughness"
    wanted.check_for(other)
    assert sliders.is_shown(plane.active_material)


@pytest.mark.parametrize("live_is_on", [True, False])
@pytest.mark.parametrize(
    ("own", "before", "repeats"),
    [(0.0, (4.0, 4.0), (4.0, 8.0)), (0.0, (4.0, 3.0), (4.0, 3.0)), (0.01, (4.0, 4.0), (2.5, 5.0))],
    ids=["in proportion", "laid otherwise", "of known size"],
)
def test_one_of_a_photo_is_not_stretched(stand_in, plane, live_is_on, own, before, repeats):
    wide = replace(OTHER, tile=(80, 40), octaves=1, pixel_size=own, maps=MODEL.maps)
    know(stand_in, wide)
    requests.generate_for_objects([plane], replace(FULL, width=64, height=64))
    answer_all(stand_in)
    material = plane.active_material
    projection.repeat(material, before)
    chosen().live = live_is_on
    bpy.ops.tilewright.apply_favourite(uid=keep_of("other").uid)
    assert projection.repeats(material) == pytest.approx(before), "nothing of it is there yet"
    if not live_is_on:
        bpy.ops.tilewright.apply_latents()
    answer_all(stand_in)
    assert sliders.is_shown(material)
    assert projection.repeats(material) == pytest.approx(repeats)


def test_one_that_no_model_of_that_name_can_make_any_more_is_refused(stand_in, material):
    before = sliders.wanted(material)
    kept = keep_of("bricks")
    kept.config = favourites.as_text(FULL.of_material("a look it has forgotten"))
    with pytest.raises(RuntimeError, match="a look it has forgotten"):
        bpy.ops.tilewright.apply_favourite(uid=kept.uid)
    assert sliders.wanted(material) == before


def test_removing_leaves_the_material(stand_in, material):
    kept = [keep(stand_in, material, seed, 0) for seed in (7, 8)]
    bpy.ops.tilewright.remove_favourite(uid=kept[0].uid)
    assert [favourites.config_of(f).seed for f in chosen().favourites] == [8]
    assert material.tilewright.latents.seed == 8


def test_picture_is_drawn_when_the_worker_comes_later(stand_in, material):
    models, session.current.models = session.current.models, ()
    favourites.add(bpy.context.scene, material)
    answer_all(stand_in)
    assert chosen().favourites[0].thumbnail == ""
    session.current.models = models
    answer_all(stand_in)
    assert chosen().favourites[0].thumbnail


def test_picture_that_came_after_the_undo_step_comes_again(stand_in, material):
    bpy.ops.ed.undo_push(message="start")
    bpy.ops.tilewright.add_favourite()
    bpy.ops.ed.undo_push(message="add")
    answer_all(stand_in)
    bpy.ops.ed.undo()
    assert len(chosen().favourites) == 0
    bpy.ops.ed.redo()
    answer_all(stand_in)
    assert chosen().favourites[0].thumbnail


def test_favourite_removed_before_its_picture_comes(stand_in, material):
    bpy.ops.tilewright.add_favourite()
    pump.tick()
    bpy.ops.tilewright.remove_favourite(uid=chosen().favourites[0].uid)
    answer_all(stand_in)
    assert session.current.last_error is None


def test_slider_mixes_two_favourites_live(stand_in, material):
    a, b = (keep(stand_in, material, seed, amount).uid for seed, amount in ((7, 1.0), (8, 3.0)))
    bpy.ops.tilewright.mix_favourite(uid=a, end="mix_a")
    bpy.ops.tilewright.mix_favourite(uid=b, end="mix_b")
    chosen().mix = 0.25
    config = list(stand_in.submitted.values())[-1]
    assert config.style == ((Seed(7), 0.75), (Seed(8), 0.25))
    assert config.directions == (("pca 1", 1.5),)
    assert config.seed == 7
    answer_all(stand_in)
    assert sliders.is_shown(material)


def test_slider_without_both_ends_says_so(stand_in, material):
    chosen().mix = 0.25
    assert session.current.last_error.code == "invalid_config"


def test_one_favorite_is_told_as_one(stand_in, material, tmp_path, capsys):
    keep(stand_in, material, 7, 1.0)
    bpy.ops.tilewright.export_favourites(filepath=str(tmp_path / "mine.json"))
    assert "1 favorite written" in capsys.readouterr().out


def test_favourites_go_through_a_file_once(stand_in, material, tmp_path):
    for seed in (7, 8):
        keep(stand_in, material, seed, 1.0)
    before = [(f.name, f.config, f.thumbnail) for f in chosen().favourites]
    path = tmp_path / "mine.json"
    bpy.ops.tilewright.export_favourites(filepath=str(path))
    assert path.stat().st_size < 20_000
    assert list(tmp_path.iterdir()) == [path]
    bpy.ops.tilewright.import_favourites(filepath=str(path))
    assert len(chosen().favourites) == 2
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.tilewright.import_favourites(filepath=str(path))
    assert [(f.name, f.config, f.thumbnail) for f in chosen().favourites] == before
    assert len({f.uid for f in chosen().favourites}) == 2


GOOD = {"name": "a", "config": {"model": "bricks", "seed": 3}, "thumbnail": ""}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"tilewright_favourites": 2, "favourites": []}',
        '{"tilewright_favourites": 1, "favourites": {}}',
        *(
            json.dumps({"tilewright_favourites": 1, "favourites": [GOOD, bad]})
            for bad in (
                7,
                {"name": "b"},
                {"config": {"model": "../up"}},
                {"config": {"model": "bricks", "seed": -1}},
                {"config": {"model": "bricks", "seed": 2**40}},
                {"config": {"model": "bricks", "directions": [["size", 1]]}},
                {"config": {"model": "bricks", "truncation_psi": float("inf")}},
                {"config": {"model": "bricks", "mix": "all"}},
                {"config": {"model": "bricks", "z": [0.5], "material": "oak"}},
            )
        ),
    ],
    ids=range(14),
)
def test_file_that_is_none_of_ours_adds_nothing(tmp_path, text):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(RuntimeError, match=r"\[invalid_config\]"):
        bpy.ops.tilewright.import_favourites(filepath=str(path))
    assert len(chosen().favourites) == 0


def test_broken_picture_in_a_file_is_drawn_anew(stand_in, material, tmp_path):
    path = tmp_path / "a.json"
    entry = {**GOOD, "thumbnail": "no picture"}
    path.write_text(json.dumps({"tilewright_favourites": 1, "favourites": [entry]}))
    bpy.ops.tilewright.import_favourites(filepath=str(path))
    answer_all(stand_in)
    assert thumbnails.from_text(chosen().favourites[0].thumbnail) is not None


def test_missing_file_and_folder_in_the_way_are_typed_errors(stand_in, material, tmp_path):
    with pytest.raises(RuntimeError, match=r"\[invalid_config\]"):
        bpy.ops.tilewright.import_favourites(filepath=str(tmp_path / "gone.json"))
    keep(stand_in, material, 7, 0)
    with pytest.raises(RuntimeError, match=r"\[file_unwritable\]"):
        bpy.ops.tilewright.export_favourites(filepath=str(tmp_path / "no" / "a.json"))


@pytest.mark.parametrize("name", ["", "looks/"])
def test_a_file_of_favorites_must_be_named(stand_in, material, tmp_path, name):
    keep(stand_in, material, 7, 0)
    place = name and f"{tmp_path}/{name}"
    for operator in (bpy.ops.tilewright.export_favourites, bpy.ops.tilewright.import_favourites):
        with pytest.raises(RuntimeError, match="must be named"):
            operator(filepath=place)
    assert not list(tmp_path.iterdir())


def test_one_that_cannot_be_read_is_told_once_and_holds_up_no_other(stand_in, material):
    bpy.ops.tilewright.add_favourite()
    bpy.ops.tilewright.add_favourite()
    damaged, whole = chosen().favourites
    damaged.config = "damaged"
    answer_all(stand_in)
    assert thumbnails.from_text(whole.thumbnail) is not None
    assert repr(damaged.name) in session.current.last_error.message
    assert favourites.of_model(bpy.context.scene, "bricks") == [whole]
    session.current.dismiss()
    pump.tick()
    assert session.current.last_error is None


def test_one_of_the_scene_in_a_second_window_gets_its_picture(stand_in, material):
    bpy.ops.tilewright.add_favourite()
    (kept,) = chosen().favourites
    with as_in_another_window():
        answer_all(stand_in)
    assert thumbnails.is_there(favourites.picture_name(kept))


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """What was read of JSON that is kept."""
    found, parse = [], files.parse_json

    def counted(text):
        found.append(text)
        return parse(text)

    monkeypatch.setattr(files, "parse_json", counted)
    return found


@pytest.mark.parametrize("reachable", [True, False])
def test_those_that_wait_for_pictures_are_not_read_at_every_tick(stand_in, read, reachable):
    for seed in range(100, 110):
        kept = chosen().favourites.add()
        kept.uid, kept.config = str(seed), favourites.as_text(replace(FULL, seed=seed))
    if not reachable:
        session.current.state = "lost"
    for _ in range(5):
        pump.tick()
    assert len(read) == (1 if reachable else 0)


def test_panels_read_each_once_however_often_they_are_drawn(stand_in, read):
    for seed in range(200, 210):
        chosen().favourites.add().config = favourites.as_text(replace(FULL, seed=seed))
    for _ in range(5):
        assert len(favourites.of_model(bpy.context.scene, "bricks")) == 10
    assert len(read) == 10
    changed = chosen().favourites[3]
    changed.config = favourites.as_text(replace(FULL, model="oak", seed=203))
    assert len(favourites.of_model(bpy.context.scene, "bricks")) == 9
    assert favourites.config_of(changed).model == "oak"
