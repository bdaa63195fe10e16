"""Keys: private files, nothing in a repr."""

import stat

import pytest

from gan_worker.errors import WorkerError
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
    assert found == keys.WorkerConnection("tcp://a", "tcp://b", server.public, client)
    assert server.secret not in (tmp_path / "connection.json").read_text()
