"""Files that others wrote: what has no end, or is no JSON of ours, is refused before it is read."""

import json
import os
import shutil
import socket

import numpy as np
import pytest

from gan_worker import files
from gan_worker.config import GenerationConfig
from gan_worker.dataclass_json import InvalidJson
from gan_worker.errors import StorageError
from gan_worker.files import JSON_LIMIT, parse_json, read_json, read_regular, read_stored, stored
from gan_worker.materials.pictures import write_picture
from gan_worker.runs.checkpoints import Checkpoints
from gan_worker.runs.curves import draw_curves
from gan_worker.server.blobs import BlobStore
from gan_worker.styles.favourites import write_favourites


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"model": 1}', "[" * 100_000, "[" * 500])
def test_what_a_file_keeps_is_named_where_it_is_damaged(text):
    with pytest.raises(StorageError) as caught:
        read_stored(GenerationConfig, text, "The favorite 'moss'", "Keep it again.")
    assert caught.value.code == "file_damaged"
    assert caught.value.info.message.startswith("The favorite 'moss' must hold")
    assert caught.value.info.cure == "Keep it again."


def test_what_was_stored_is_read_again():
    config = GenerationConfig("moss", directions=(("pca 1", 0.5),))
    assert read_stored(GenerationConfig, stored(config), "The favorite 'moss'", "") == config


@pytest.mark.parametrize("depth", [17, 400, 3000, 100_000])
def test_json_that_is_nested_deep_is_no_json_of_ours(depth):
    with pytest.raises(InvalidJson, match="deep"):
        parse_json('{"a":' * depth + "1" + "}" * depth)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_what_has_no_end_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "endless").symlink_to("/dev/zero")
    (tmp_path / "circle").symlink_to("circle")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(tmp_path / "socket"))
        for name in ("pipe", "folder", "endless", "circle", "socket"):
            with pytest.raises(OSError, match=name):
                read_json(tmp_path / name)


def test_a_file_larger_than_any_of_ours_is_not_read(tmp_path):
    file = tmp_path / "huge.json"
    with file.open("wb") as opened:
        opened.truncate(JSON_LIMIT + 1)
    with pytest.raises(OSError, match="holds 67108865 bytes"):
        read_json(file)
    assert read_regular(file, JSON_LIMIT + 1)[:1] == b"\0"


def test_json_is_read_as_it_was_written(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"a": [1, {"b": None}]}))
    assert read_json(tmp_path / "a.json") == {"a": [1, {"b": None}]}


def test_a_folder_that_cannot_be_written_into_is_told_and_one_that_can_stays_as_it_is(tmp_path):
    (tmp_path / "file").write_text("")
    files.check_folder(tmp_path / "new" / "folder")
    files.check_folder(tmp_path, made=False)
    assert [place.name for place in tmp_path.iterdir()] == ["file"]
    for folder, made in (("new", False), ("file", True), ("file/new", True), ("n" * 300, True)):
        with pytest.raises(StorageError, match="must be writable"):
            files.check_folder(tmp_path / folder, made)


PIXELS = np.zeros((4, 4, 3), np.uint8)
# Each gives a name to what it has written, in its own way.
WRITERS = {
    "json": lambda place: files.write_json(place / "a.json", {}),
    "private": lambda place: files.write_private(place / "a.key", b"key"),
    "aside": lambda place: files.put_aside(place / "old", "it is damaged", ""),
    "picture": lambda place: write_picture(place / "a.png", PIXELS),
    "curves": lambda place: draw_curves([], {}, place / "a.png"),
    "blob": lambda place: BlobStore(place / "results").write("a" * 32, "height", PIXELS),
    "favorites": lambda place: write_favourites(place / "a.json", ()),
    "checkpoint": lambda place: Checkpoints(place / "new").save("1", {"a": np.zeros(4)}, {}),
    "checkpoint again": lambda place: Checkpoints(place).save("old", {"a": np.zeros(4)}, {}),
}


class Holder:
    """Another program that looks at a file, so that Windows gives it no other name: so many times."""

    SHARING_VIOLATION = 32

    def __init__(self, monkeypatch):
        self.left, self.code = 0, self.SHARING_VIOLATION
        for module, name in ((os, "replace"), (os, "rename"), (shutil, "rmtree")):
            monkeypatch.setattr(module, name, self._held(getattr(module, name)))

    def _held(self, work):
        def held(*given, **named):
            if self.left > 0:
                self.left -= 1
                error = PermissionError(13, "Another program uses it")
                error.winerror = self.code
                raise error
            return work(*given, **named)

        return held


@pytest.fixture
def holder(monkeypatch, tmp_path):
    (tmp_path / "old").mkdir()
    monkeypatch.setattr(files, "HELD_POLL", 0.001)
    return Holder(monkeypatch)


@pytest.mark.parametrize("writer", WRITERS)
def test_what_windows_holds_for_a_moment_is_written_all_the_same(holder, tmp_path, writer):
    holder.left = 3
    WRITERS[writer](tmp_path)
    assert holder.left == 0


def test_what_is_held_for_long_is_an_error_in_the_end(holder, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "HELD_PATIENCE", 0.02)
    (tmp_path / "a.json").write_text("old")
    holder.left = 10**9
    with pytest.raises(StorageError, match="Another program uses it"):
        files.write_json(tmp_path / "a.json", {})
    assert holder.left < 10**9 - 1
    assert (tmp_path / "a.json").read_text() == "old"


def test_what_is_not_held_is_an_error_at_once(holder, tmp_path):
    holder.left, holder.code = 3, None
    with pytest.raises(StorageError) as caught:
        files.write_json(tmp_path / "a.json", {})
    assert (caught.value.code, holder.left) == ("file_unwritable", 2)
