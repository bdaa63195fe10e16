"""Keys: private files, nothing in a repr, one pair whoever is first, and a damaged one is put aside."""

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from gan_worker.errors import StorageError, WorkerError
from gan_worker.wire import keys


def test_a_secret_is_never_shown():
    pair = keys.new_key_pair()
    assert pair.secret not in repr(pair)
    assert pair.public in repr(pair)
    assert len(pair.secret) == 40


def test_key_files_are_for_their_owner_alone_and_stay(tmp_path):
    folder = tmp_path / "keys"
    server, client = keys.open_key_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert keys.open_key_folder(folder) == (server, client)


def test_loose_modes_are_tightened(tmp_path):
    keys.open_key_folder(tmp_path)
    (tmp_path / "client.key").chmod(0o644)
    tmp_path.chmod(0o755)
    keys.open_key_folder(tmp_path)
    assert stat.S_IMODE((tmp_path / "client.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_client_finds_the_worker_by_the_key_folder(tmp_path):
    with pytest.raises(WorkerError) as caught:
        keys.read_connection(tmp_path)
    assert caught.value.code == "worker_silent"
    server, client = keys.open_key_folder(tmp_path)
    keys.write_connection(tmp_path, "tcp://a", "tcp://b", server.public)
    found = keys.read_connection(tmp_path)
    assert found == keys.WorkerConnection("tcp://a", "tcp://b", server.public, client, own=True)
    assert server.secret not in (tmp_path / "connection.json").read_text()


def test_a_client_that_was_paired_has_no_key_of_the_workers_own(tmp_path):
    client = keys.open_client_pair(tmp_path)
    keys.write_connection(tmp_path, "tcp://a", "tcp://b", keys.new_key_pair().public)
    found = keys.read_connection(tmp_path)
    assert found.keys == client
    assert not found.own


def test_servers_that_start_at_once_have_the_same_keys_and_those_are_on_the_disk(tmp_path):
    many = 6
    with ThreadPoolExecutor(many) as pool:
        for attempt in range(10):
            folder, together = tmp_path / str(attempt), Barrier(many)

            def start(folder=folder, together=together):
                together.wait()
                pairs = keys.open_key_folder(folder)
                keys.write_connection(folder, "tcp://a", "tcp://b", pairs[0].public)
                keys.write_clients(folder, {"key": "name"})
                return pairs

            found = set(pool.map(lambda _, start=start: start(), range(many)))
            assert found == {keys.open_key_folder(folder)}
            assert len([path.name for path in folder.iterdir()]) == 4, "and no draft is left"


def other_pair(path):
    """Two good halves that do not belong together, as one flipped bit leaves them."""
    pair = json.loads(path.read_text())
    return json.dumps({"public": keys.new_key_pair().public, "secret": pair["secret"]}).encode()


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "torn": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "no text": lambda path: path.write_bytes(b"\xff\x00" * 40),
    "no object": lambda path: path.write_bytes(b"[1, 2]"),
    "null": lambda path: path.write_bytes(b'{"public": null, "secret": null}'),
    "short": lambda path: path.write_bytes(b'{"public": "a", "secret": "b"}'),
    "halves of two pairs": lambda path: path.write_bytes(other_pair(path)),
    "deep": lambda path: path.write_bytes(b"[" * 100_000),
    "a folder": lambda path: (path.unlink(), path.mkdir(), (path / "x").touch()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a link to nowhere": lambda path: (path.unlink(), path.symlink_to("nowhere")),
}


@pytest.mark.parametrize("name", ["server.key", "client.key"])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_key_is_put_aside_and_the_other_stays(tmp_path, caplog, name, damage):
    before = keys.open_key_folder(tmp_path)
    damage(tmp_path / name)
    after = keys.open_key_folder(tmp_path)
    assert [a == b for a, b in zip(before, after, strict=True)] == [
        name == "client.key",
        name == "server.key",
    ]
    assert keys.open_key_folder(tmp_path) == after
    assert f"{name}.damaged-1" in caplog.text
    assert not any(pair.secret in caplog.text for pair in (*before, *after))


def test_damage_again_and_again_fills_no_folder(tmp_path):
    for _ in range(8):
        keys.open_key_folder(tmp_path)
        (tmp_path / "server.key").write_bytes(b"")
    keys.open_key_folder(tmp_path)
    assert len(list(tmp_path.glob("server.key*"))) == 4


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"', "[" * 100_000])
def test_a_damaged_list_of_clients_lets_nobody_in_and_is_put_aside(tmp_path, text):
    (tmp_path / "clients.json").write_text(text)
    with pytest.raises(StorageError) as caught:
        keys.read_clients(tmp_path)
    assert caught.value.code == "file_damaged"
    assert keys.open_clients(tmp_path) == {}
    assert (tmp_path / "clients.json.damaged-1").read_text() == text
    keys.write_clients(tmp_path, {"key": "name"})
    assert keys.read_clients(tmp_path) == {"key": "name"}


@pytest.mark.parametrize("text", ["", "[]", '{"control": 1}', "[" * 100_000])
def test_a_damaged_address_is_no_address(tmp_path, text):
    keys.open_key_folder(tmp_path)
    (tmp_path / "connection.json").write_text(text)
    with pytest.raises(WorkerError) as caught:
        keys.read_connection(tmp_path)
    assert caught.value.code == "worker_silent"
