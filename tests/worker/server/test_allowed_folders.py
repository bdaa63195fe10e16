"""Which files a client may name, and what it is told of files."""

import pytest

from gan_worker.errors import TilewrightError
from gan_worker.server.allowed_folders import AllowedFolders

ME, GUEST = "the key of who started the worker", "the key of a guest"


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "photos" / "wood").mkdir(parents=True)
    (tmp_path / "photos" / "wood" / "oak.png").touch()
    (tmp_path / "secret.png").touch()
    (tmp_path / "photos" / "link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "photos" / "loop.png").symlink_to(tmp_path / "photos" / "loop.png")
    (tmp_path / "photos" / "up").symlink_to(tmp_path)
    return AllowedFolders({"photos": tmp_path / "photos"}, {ME}, tmp_path / "home")


@pytest.mark.parametrize("key", [ME, GUEST])
def test_a_name_below_a_root_is_found(folders, tmp_path, key):
    found = folders.resolve(key, ["photos:wood/oak.png", "photos:wood"])
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
        "photos:up/secret.png",
        "photos:up",
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
        folders.resolve(GUEST, [name])
    assert caught.value.code == "not_allowed"


def test_absolute_paths_are_for_the_same_user_on_the_same_computer(tmp_path):
    folders = AllowedFolders({}, {ME})
    assert folders.resolve(ME, [str(tmp_path)]) == (str(tmp_path),)
    for missing in ("none.png", "x" * 5000):
        with pytest.raises(TilewrightError) as caught:
            folders.resolve(ME, [str(tmp_path / missing)])
        assert caught.value.code == "picture_missing"
    for key, name in ((ME, "relative.png"), (GUEST, str(tmp_path))):
        with pytest.raises(TilewrightError) as caught:
            folders.resolve(key, [name])
        assert caught.value.code == "not_allowed"


def test_what_is_below_a_root_is_called_by_its_alias_to_everybody(folders, tmp_path):
    text = f"{tmp_path}/photos/wood/oak.png and {tmp_path}/photos hold nothing, {tmp_path}/photos2 neither."
    expected = f"photos:wood/oak.png and photos: hold nothing, {tmp_path}/photos2 neither."
    assert folders.told(ME, text) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/etc/ssl/private.key must be writable.", "private.key must be writable."),
        ("[Errno 2] No such file: '/data/my own/oak.png'", "[Errno 2] No such file: 'oak.png'"),
        ('"/data/my own/": no', '"my own": no'),
        ("/data/photos/ is empty", "photos/ is empty"),
        ("lock of (/var/lib/x/y.lock).", "lock of (y.lock)."),
        (r"C:\Users\jane\oak.png is not there", "oak.png is not there"),
        (r"\\nas\share\oak.png is not there", "oak.png is not there"),
        ("line one\n/root/secret/plan.txt", "line one\nplan.txt"),
        ("path=/root/secret/plan.txt", "path=plan.txt"),
        # These are no paths.
        ("https://example.org/a/b and read/write, 3 / 4", None),
        ("eJwDAAAAAAE/AB/cD+/ef/gh==", None),
        ("photos:wood/oak.png", None),
    ],
)
def test_a_guest_learns_of_no_place_on_the_workers_computer(folders, text, told):
    assert folders.told(GUEST, text) == (text if told is None else told)
    assert folders.told(ME, text) == text


def test_a_guest_learns_of_what_is_in_the_workers_folder_by_its_relative_name(folders, tmp_path):
    text = f"{tmp_path}/home/runs/oak/config.json must be readable."
    assert folders.told(GUEST, text) == "…/runs/oak/config.json must be readable."


def test_a_person_with_a_space_in_the_name_is_not_told_of(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/jane doe")
    folders = AllowedFolders({}, {ME})
    assert folders.told(GUEST, "/home/jane doe/a/oak.png is gone") == "oak.png is gone"
