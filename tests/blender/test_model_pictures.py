"""The pictures of models on the ball: sliders go around, the panel says where they are, and loops are small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("PIL", reason="the pictures are made in the worker's environment")
import model_pictures
import render_scenes
from PIL import Image

from gan_worker.runs.run import BUNDLED, read_model_info
from gan_worker.style import Material

DRAWN = BUNDLED / model_pictures.MODEL


def test_one_slider_after_the_other_goes_both_ways_and_home():
    frames = list(model_pictures.path(["pca 1", "pca 2"]))
    assert len(frames) == 2 * model_pictures.FRAMES
    assert frames[0][1] == {"pca 1": 0, "pca 2": 0}
    for name in ("pca 1", "pca 2"):
        amounts = [sliders[name] for moved, sliders in frames if moved == name]
        assert amounts[0] == 0
        assert (min(amounts), max(amounts)) == (-model_pictures.REACH, model_pictures.REACH)
        steps = np.abs(np.diff([*amounts, 0]))
        assert steps.max() < model_pictures.REACH / 3
        assert not any(sliders[name] for moved, sliders in frames if moved != name)


def test_pictures_of_the_way_back_are_those_of_the_way_there():
    shown = {tuple(sliders.items()) for _, sliders in model_pictures.path(["pca 1"])}
    assert len(shown) == model_pictures.FRAMES // 2 + 1


def test_the_panel_shows_where_a_slider_is():
    picture = Image.new("RGB", model_pictures.SIZE, "white")

    def filled(amount):
        shown = model_pictures.with_panel(picture, "Tiles", {"pca 1": amount}, "pca 1")
        assert shown.size == picture.size
        assert (np.asarray(shown)[:, :360] == 255).all()
        color = np.array(tuple(bytes.fromhex(model_pictures.FILLED[1:])))
        return (np.abs(np.asarray(shown, int) - color).max(-1) < 8).sum()

    low, middle, high = map(filled, (-model_pictures.REACH, 0.0, model_pictures.REACH))
    assert low == 0
    assert middle == pytest.approx(high / 2, rel=0.15)


def test_a_loop_is_an_endless_picture_that_fits(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    frames = [
        Image.fromarray(random.integers(0, 256, (40, 60, 3), dtype=np.uint8)) for _ in range(3)
    ]
    best = model_pictures.write_loop(frames, tmp_path / "best.webp")
    monkeypatch.setattr(model_pictures, "MOST_BYTES", (tmp_path / "best.webp").stat().st_size - 1)
    assert model_pictures.write_loop(frames, tmp_path / "small.webp") < best
    assert (tmp_path / "small.webp").stat().st_size <= model_pictures.MOST_BYTES
    with Image.open(tmp_path / "small.webp") as loop:
        assert (loop.n_frames, loop.info["loop"]) == (3, 0)
    monkeypatch.setattr(model_pictures, "MOST_BYTES", 10)
    with pytest.raises(ValueError, match="must fit into 10 bytes"):
        model_pictures.write_loop(frames, tmp_path / "none.webp")


@pytest.mark.parametrize("octaves", [0, 1, 3])
def test_a_ball_wears_a_whole_tile_of_at_most_so_many_pixels(octaves):
    info = read_model_info(BUNDLED / "Starter Red Bricks")  # of which nobody says how large it is
    info = replace(info, octaves=octaves, stride=info.stride << octaves)
    config, meters = model_pictures.tile_of(info)
    config.check_for(info)
    assert config.width <= model_pictures.MOST_PIXELS
    assert config.width << config.mip == render_scenes.TILE_CELLS * info.stride
    assert meters == render_scenes.TILE_METERS


def test_a_starter_is_as_wide_as_its_picture_was():
    info = replace(read_model_info(DRAWN), pixel_size=1.1 / 512)
    assert render_scenes.tile_meters(info, 1024) == pytest.approx(2.2)


def test_a_model_of_many_shows_each_of_them():
    info = read_model_info(DRAWN)
    assert [label for label, _, _ in model_pictures.looks(info)] == [info.name]
    many = list(model_pictures.looks(replace(info, styles=("oak", "ash"))))
    assert [label for label, _, _ in many] == ["oak", "ash"]
    assert [config.style for _, config, _ in many] == [Material("oak"), Material("ash")]


def test_what_is_retired_is_not_shown(monkeypatch):
    there = {folder.name for folder in model_pictures.offered()}
    assert there
    info = read_model_info(DRAWN)
    monkeypatch.setattr(
        model_pictures.run, "read_model_info", lambda _: replace(info, retired=True)
    )
    assert not list(model_pictures.offered())
    assert [folder.name for folder in model_pictures.offered([DRAWN.name])] == [DRAWN.name]


def test_a_demo_is_shown_by_its_ball_above_all_other_scenes(tmp_path):
    for shade, name in enumerate(render_scenes.SCENES, 1):
        size = (160, 90) if shade == 1 else (120, 68)
        Image.new("RGB", size, (50 * shade,) * 3).save(tmp_path / f"{name}.png")
    shown = np.asarray(model_pictures.demo_picture(tmp_path))
    assert shown.shape[1] == 160
    assert [shown[45, 80, 0], *shown[-5, 20::60, 0]] == [50, 100, 150, 200]
