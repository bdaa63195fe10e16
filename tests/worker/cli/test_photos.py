"""What is done to photos, on the command line: the options, the command that shows it, and what is refused."""

import numpy as np
import pytest

from gan_worker.cli.app import main
from gan_worker.cli.photos import parse_preparation
from gan_worker.errors import RequestError
from gan_worker.materials.metadata import COMPOSITE_TYPE, read_metadata
from gan_worker.materials.pictures import read_header, read_picture, read_stored, write_picture
from gan_worker.materials.sets import find_materials
from gan_worker.photos.preparing import prepare
from gan_worker.preparation import Preparation

CORNERS = "0.1,0, 0.9,0.1, 1,1, 0,0.9"


@pytest.fixture
def photo(tmp_path):
    file = tmp_path / "wall.png"
    stones = np.random.default_rng(2).random((12, 16, 3), np.float32)
    write_picture(file, 0.2 + 0.6 * np.kron(stones, np.ones((8, 8, 1), np.float32)))
    return file


def test_options_say_what_to_do():
    places = ((0.1, 0.0), (0.9, 0.1), (1.0, 1.0), (0.0, 0.9))
    assert parse_preparation(CORNERS, 0.5, "0.25") == Preparation(places, 0.5, 0.25)
    gray = Preparation((), 0.0, 1.0, (200 / 255, 190 / 255, 170 / 255))
    assert parse_preparation("", 0.0, "#C8beaa") == gray
    assert parse_preparation("", 0.0, "0").is_empty


@pytest.mark.parametrize(
    ("given", "part"),
    [
        (("1,2,3", 0.0, "0"), "four corners"),
        (("a,b", 0.0, "0"), "commas"),
        (("0,0,1,0,1,1,0,nan", 0.0, "0"), "0 to 1"),
        (("", 2.0, "0"), "Even light"),
        (("", 0.0, "2"), "White balance"),
        (("", 0.0, "red"), "#c8beaa"),
        (("", 0.0, "#12345"), "#c8beaa"),
        (("", 0.0, ""), "#c8beaa"),
        (("", 0.0, "#ff8000"), "above 0"),
    ],
)
def test_what_cannot_be_read_is_refused(given, part):
    with pytest.raises(RequestError, match=part):
        parse_preparation(*given)


def test_prepare_writes_what_is_learned_and_leaves_the_photo(photo, capsys):
    before, out = photo.read_bytes(), photo.with_name("straight.png")
    options = ["--corners", CORNERS, "--even-light", "1", "--white-balance", "#c8beaa"]
    assert main(["prepare", str(photo), "--out", str(out), *options]) == 0
    assert photo.read_bytes() == before
    expected = prepare(read_picture(photo), parse_preparation(CORNERS, 1.0, "#c8beaa"))
    np.testing.assert_allclose(read_picture(out), expected, atol=0.6 / 255)


def test_prepare_says_what_is_wrong(photo, capsys):
    burnt = np.clip(read_picture(photo) * 2, 0, 1)
    write_picture(photo, burnt)
    assert main(["prepare", str(photo), "--out", str(photo.with_name("out.png"))]) == 0
    assert "too bright" in capsys.readouterr().out


def test_prepare_refuses_what_is_no_picture(photo, capsys):
    assert main(["prepare", str(photo), "--out", str(photo.with_suffix(".xyz"))]) == 2
    assert main(["prepare", str(photo.with_name("none.png")), "--out", "out.png"]) == 2


def test_a_resumed_run_keeps_what_is_done_to_its_photos(tmp_path, capsys):
    given = ["train", "--resume", "wall", "--home", str(tmp_path), "--even-light", "1"]
    assert main(given) == 2
    assert "--even-light" in capsys.readouterr().err


def test_estimate_writes_all_maps_of_each_picture_and_says_how_sure_they_are(
    photo, tmp_path, capsys
):
    out = tmp_path / "out"
    options = ["--out", str(out), "--tileable", "--surface", "metal", "--depth", "2"]
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    assert main(["estimate", str(photo), str(bad), str(photo), *options]) == 2
    told = capsys.readouterr()
    assert "bad.png" in told.err and "1 of 3" in told.err
    words = ("ao", "basecolor", "height", "metallic", "normal", "roughness")
    assert sorted(file.name for file in (out / "wall").iterdir()) == [
        f"wall_{word}.png" for word in words
    ]
    assert "within" in told.out and "Metallic: as chosen" in told.out
    files = {word: (out / "wall" / f"wall_{word}.png") for word in words}
    pixels = {word: read_stored(file) for word, file in files.items()}
    assert len({p.shape[:2] for p in pixels.values()}) == 1
    assert pixels["height"].dtype == np.uint16 and (pixels["metallic"] == 255).all()
    # The second of a name has a folder of its own, with the same bytes.
    assert (out / "wall 2" / "wall 2_normal.png").read_bytes() == files["normal"].read_bytes()
    found, _, _ = find_materials([out / "wall"])
    assert set(found[0].maps) == {
        *("base_color", "roughness", "metallic", "normal", "height", "ambient_occlusion")
    }


def test_files_say_what_was_estimated_and_what_is_the_photos_own(photo, tmp_path):
    out = tmp_path / "out"
    command = ["estimate", str(photo), "--out", str(out), "--license", "CC0-1.0"]
    assert main([*command, "--light", "0"]) == 0
    texts = {w: read_header(out / "wall" / f"wall_{w}.png")[2] for w in ("normal", "basecolor")}
    marked = read_metadata(texts["normal"])
    assert "Normal" in marked["estimated"] and '"light": 0.0' in marked["estimation"]
    assert marked["rights"] == "Made from 1 picture; license: CC0-1.0."
    assert read_metadata(texts["basecolor"]) is None
    assert main(command) == 0
    lit = read_metadata(read_header(out / "wall" / "wall_basecolor.png")[2])
    assert lit["source_type"] == COMPOSITE_TYPE and "estimated" not in lit


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--depth", "9"], "from 0 to 4"),
        (["--surface", "jelly"], "jelly"),
        (["--even-light", "2"], "Even light"),
    ],
)
def test_estimate_refuses_what_cannot_be_before_it_reads_anything(
    photo, tmp_path, options, part, capsys
):
    assert main(["estimate", str(photo), "--out", str(tmp_path / "out"), *options]) == 2
    assert part in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
