"""What is done to photos, on the command line: the options, the command that shows it, and what is refused."""

import numpy as np
import pytest

from gan_worker.cli.app import main
from gan_worker.cli.photos import parse_preparation
from gan_worker.errors import RequestError
from gan_worker.materials.pictures import read_picture, write_picture
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
