"""Files that others wrote: what has no end, or is no JSON of ours, is refused before it is read."""

import json
import os
import socket

import pytest

from gan_worker.config import GenerationConfig
from gan_worker.dataclass_json import InvalidJson
from gan_worker.errors import StorageError
from gan_worker.files import JSON_LIMIT, parse_json, read_json, read_regular, read_stored, stored


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
