"""The commands that fit a model to pictures, on a real model and real files."""

import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
from safetensors.numpy import load_file

from gan_worker.cli import app
from gan_worker.estimation import Estimation
from gan_worker.gan.estimation.estimator import estimate
from gan_worker.gan.estimation.maps import make_maps
from gan_worker.materials.maps import FILE_KIND_KEY
from gan_worker.materials.metadata import COMPOSITE_TYPE, read_metadata
from gan_worker.materials.pictures import read_header, read_stored, write_picture
from gan_worker.materials.sets import find_materials, read_material

MODEL = "Starter Red Bricks"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TILEWRIGHT_HOME", str(tmp_path / "home"))


@pytest.fixture
def photo(tmp_path):
    """64×48 in bricks of two colors, not seamless."""
    y, x = np.mgrid[0:48, 0:64]
    bricks = ((y % 14 > 2) & ((x + y // 14 * 11) % 23 > 2))[..., None]
    grain = np.random.default_rng(1).normal(0, 0.03, (48, 64, 1))
    colors = np.where(bricks, [0.3, 0.15, 0.1], [0.35, 0.35, 0.3]) + grain + y[..., None] / 100
    write_picture(tmp_path / "photo.png", colors.astype(np.float32), 16)
    return tmp_path / "photo.png"


@pytest.fixture
def mask(tmp_path):
    marked = np.zeros((48, 64, 1), np.float32)
    marked[16:34, 20:44] = 1
    write_picture(tmp_path / "mask.png", marked)
    return tmp_path / "mask.png"


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"model": "oak"}, "unknown_model", "Starter Aged Bricks"),
        ({"picture": "gone.png"}, "picture_missing", "gone.png"),
        ({"mask": "gone.png"}, "picture_missing", "gone.png"),
        ({"mask": "small.png"}, "map_size_mismatch", "64×48"),
        ({"mask": "photo.png"}, "invalid_config", "The mask must be another file than the picture"),
        ({"mask": "black.png"}, "invalid_config", "marks nothing"),
        ({"mask": "white.png"}, "invalid_config", "marks all of the picture"),
        ({"picture": "steel"}, "invalid_config", "not metallic"),
        ({"out": "photo.png"}, "invalid_config", "--out"),
        ({"scale": "0"}, "invalid_config", "from 0.01 to 64"),
        ({"steps": "0"}, "invalid_config", "from 1 to 10000"),
    ],
)
def test_bad_input_is_refused_before_any_work(change, code, says, photo, mask, tmp_path, capsys):
    write_picture(tmp_path / "small.png", np.ones((8, 8, 1), np.float32))
    write_picture(tmp_path / "black.png", np.zeros((48, 64, 1), np.float32))
    write_picture(tmp_path / "white.png", np.ones((48, 64, 1), np.float32))
    (tmp_path / "steel").mkdir()
    for word in ("Color", "Metalness"):
        write_picture(tmp_path / f"steel/steel_{word}.png", np.ones((48, 64, 1), np.float32))
    wish = {"model": MODEL, "picture": "photo.png", "mask": "mask.png", "out": "new.png"} | change
    places = {k: str(tmp_path / wish[k]) for k in ("picture", "mask", "out")}
    arguments = ["repair", wish["model"], places["picture"], "--mask", places["mask"]]
    for name in ("scale", "steps"):
        arguments += [f"--{name}", wish[name]] if name in wish else []
    before = photo.read_bytes()
    assert app.main([*arguments, "--out", places["out"]]) == 2
    shown = capsys.readouterr()
    assert f"[{code}]" in shown.err and says in " ".join(shown.err.split())
    assert photo.read_bytes() == before and not (tmp_path / "new.png").exists()


def test_a_photo_is_repaired_where_it_is_masked(photo, mask, tmp_path, capsys):
    out = tmp_path / "new/photo.png"
    arguments = ["repair", MODEL, str(photo), "--mask", str(mask), "--out", str(out.parent)]
    assert app.main([*arguments, "--steps", "2"]) == 0
    shown = capsys.readouterr().out
    assert "Taken for not seamless" in shown and "after 2 steps" in shown
    # Two steps, with a model of other bricks, are not enough, and the person hears of it.
    assert "Note: This model hardly comes near" in shown
    before, after = read_stored(photo), read_stored(out)
    hidden = read_stored(mask)[..., 0] > 0
    assert after.dtype == np.uint16
    assert after[~hidden].tobytes() == before[~hidden].tobytes()
    assert (after[hidden] != before[hidden]).mean() > 0.9
    said = read_metadata(read_header(out)[2])
    assert said["source_type"] == COMPOSITE_TYPE and said["model"] == MODEL


def test_borders_of_a_photo_are_made_anew(photo, tmp_path, capsys):
    out = tmp_path / "tile.png"
    assert app.main(["make-tileable", MODEL, str(photo), "--out", str(out), "--steps", "1"]) == 0
    assert "Seam ratio" in capsys.readouterr().out
    before, after = read_stored(photo), read_stored(out)
    inside = (slice(12, 36), slice(16, 48))
    assert after[inside].tobytes() == before[inside].tobytes()
    assert (after[0] != before[0]).mean() > 0.9 and (after[:, -1] != before[:, -1]).mean() > 0.9


def test_what_is_missing_is_estimated_of_the_result_and_found_beside_it(photo, tmp_path, capsys):
    out = tmp_path / "new" / "tile.png"
    arguments = ["make-tileable", MODEL, str(photo), "--out", str(out), "--steps", "1"]
    out.parent.mkdir()
    assert app.main([*arguments, "--estimate"]) == 0
    (found,), _, _ = find_materials([out.parent], alike=False)
    maps = read_material(found)
    assert set(maps) == {"base_color", "roughness", "normal", "height", "ambient_occlusion"}
    assert "tile_normal.png" in capsys.readouterr().out
    said = read_metadata(read_header(out.parent / "tile_normal.png")[2])
    assert "Normal" in said["estimated"] and said["model"] == MODEL
    assert read_header(out.parent / "tile_normal.png")[2][FILE_KIND_KEY] == "normal"
    # As the color is closed, so is what is estimated of it.
    again = estimate(maps["base_color"], True)
    wanted = make_maps(maps["base_color"], again, Estimation(), ["normal"], {"normal": 8})["normal"]
    written = read_stored(out.parent / "tile_normal.png")
    assert np.abs(written.astype(int) - wanted).max() <= 1


def test_maps_are_estimated_from_a_base_color_alone(photo, tmp_path, capsys):
    (tmp_path / "bare").mkdir()
    for word in ("Height", "Roughness"):
        write_picture(tmp_path / "bare" / f"bare_{word}.png", np.ones((48, 64, 1), np.float32) / 2)
    asked = [str(tmp_path / "bare"), "--out", str(tmp_path / "new")]
    assert app.main(["make-tileable", MODEL, *asked, "--depth", "2"]) == 2
    assert "received roughness, height" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "new").exists()


def test_a_photo_is_projected_and_its_look_is_a_start(photo, tmp_path, capsys):
    out = tmp_path / "found"
    assert (
        app.main(["project", MODEL, str(photo), "--out", str(out), "--steps", "2", "--estimate"])
        == 0
    )
    assert len(list(out.glob("*_projected_*.png"))) == 5
    assert "Distance" in capsys.readouterr().out
    assert read_stored(out / f"{MODEL}_photo_projection.png").shape == (48, 128, 3)
    arrays = load_file(out / f"{MODEL}_photo_latents.safetensors")
    recipe = json.loads((out / f"{MODEL}_photo_latent.json").read_text())
    np.testing.assert_array_equal(np.float32(recipe["z"]), arrays["z"][0])
    latent = ["--latent", str(out / f"{MODEL}_photo_latent.json"), "--size", "64"]
    assert app.main(["generate", MODEL, *latent, "--out", str(tmp_path / "made")]) == 0
    made = json.loads(next((tmp_path / "made").glob("*.json")).read_text())
    assert made["z"] == recipe["z"]


@pytest.mark.parametrize("text", ["", "[1]", '{"z": "7"}', '{"seed": 3}'])
def test_a_file_that_holds_no_latent_is_refused(text, tmp_path, capsys):
    file = tmp_path / "latent.json"
    file.write_text(text)
    assert app.main(["generate", MODEL, "--latent", str(file), "--out", str(tmp_path)]) == 2
    assert "gan-worker project has written" in " ".join(capsys.readouterr().err.split())


def test_of_a_recipe_whose_look_is_no_latent_it_is_said_what_it_is(tmp_path, capsys):
    file = tmp_path / "bricks_1_64x64.json"
    file.write_text('{"seed": 3, "z": [], "material": "", "mix": [], "style_map": null}')
    assert app.main(["generate", MODEL, "--latent", str(file), "--out", str(tmp_path)]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "look is its seed, material, mix or style map: give that instead" in told
    assert "[invalid_latent]" in told
