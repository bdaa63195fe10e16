"""Which files a client may name."""

import pytest

from gan_worker.errors import TilewrightError
from gan_worker.server.allowed_folders import AllowedFolders


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "photos" / "wood").mkdir(parents=True)
    (tmp_path / "photos" / "wood" / "oak.png").touch()
    (tmp_path / "secret.png").touch()
    (tmp_path / "photos" / "link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "photos" / "loop.png").symlink_to(tmp_path / "photos" / "loop.png")
    return AllowedFolders({"photos": tmp_path / "photos"}, local=False)


def test_a_name_below_a_root_is_found(folders, tmp_path):
    found = folders.resolve(["photos:wood/oak.png", "photos:wood"])
    assert found == (
        str(tmp_path / "photos" / "wood" / "oak.png"),
        str(tmp_path / "photos" / "wood"),
    )


@pytest.mark.parametrize(
    "name",
    [
        "photos:../secret.png",
        "photos:wood/../../secret.png",
        "photos:/etc/passwd",
        "photos:link.png",
        "photos:loop.png",
        "other:oak.png",
        "/etc/passwd",
        "wood/oak.png",
        "../secret.png",
        "http://example.org/oak.png",
        "C:\\secret.png",
        "photos:wood/oak.png\0",
        "",
    ],
)
def test_everything_else_is_refused(folders, name):
    with pytest.raises(TilewrightError) as caught:
        folders.resolve([name])
    assert caught.value.code == "not_allowed"


def test_absolute_paths_are_for_the_same_user_on_the_same_computer(tmp_path):
    folders = AllowedFolders({}, local=True)
    assert folders.resolve([str(tmp_path)]) == (str(tmp_path),)
    for missing in ("none.png", "x" * 5000):
        with pytest.raises(TilewrightError) as caught:
            folders.resolve([str(tmp_path / missing)])
        assert caught.value.code == "picture_missing"
    with pytest.raises(TilewrightError) as caught:
        folders.resolve(["relative.png"])
    assert caught.value.code == "not_allowed"
