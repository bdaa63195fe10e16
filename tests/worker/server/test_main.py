"""The server process as it is started by hand: options, keys, announcement, end."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys

import pytest

from gan_worker.client.client import Client
from gan_worker.client.events import Connected
from gan_worker.wire.codec import VERSION
from gan_worker.wire.keys import new_key_pair, read_connection

SERVE = (sys.executable, "-m", "gan_worker", "serve")


@pytest.fixture
def by_hand(tmp_path, make_ear):
    """Starts a server as in a terminal and gives its process and its announcement."""
    started = []

    def start(*options):
        command = [*SERVE, "--home", str(tmp_path / "home"), *options]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        started.append(process)
        return process, json.loads(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.communicate()


def connect(folder, make_ear):
    found = read_connection(folder)
    return make_ear(Client(found.control, found.bulk, found.server_key, found.keys))


def test_a_server_started_by_hand_is_found_by_its_key_folder(by_hand, tmp_path, make_ear):
    process, said = by_hand()
    assert said["protocol"] == list(VERSION)
    assert said["pid"] == process.pid
    ear = connect(tmp_path / "home" / "keys", make_ear)
    ear.event(Connected)
    ear.client.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_a_second_server_of_the_same_home_keeps_out_of_the_way(by_hand, tmp_path, make_ear):
    by_hand("--keys", str(tmp_path / "one"))
    by_hand("--keys", str(tmp_path / "two"))
    for name in ("one", "two"):
        ear = connect(tmp_path / name, make_ear)
        ear.event(Connected)
        ear.client.close()
    assert {p.name for p in (tmp_path / "home" / "server").iterdir()} == {"1", "2"}


@pytest.fixture
def open_to_all():
    """New files and folders may be read by everybody, as is usual."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="modes are those of POSIX")
def test_a_new_home_is_for_its_owner_alone(open_to_all, by_hand, tmp_path):
    by_hand()
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


@pytest.mark.skipif(os.name == "nt", reason="modes are those of POSIX")
def test_a_home_that_is_there_keeps_its_mode(open_to_all, by_hand, tmp_path):
    (tmp_path / "home").mkdir(mode=0o750)
    by_hand()
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o750


def test_a_client_can_end_a_server_on_its_own_computer(by_hand, tmp_path, make_ear):
    process, _ = by_hand()
    ear = connect(tmp_path / "home" / "keys", make_ear)
    ear.event(Connected)
    ear.client.shutdown_worker()
    ear.until(lambda heard: process.poll() is not None)
    ear.client.close()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--root", "photos"), "invalid_config"),
        (("--root", "photos=/none/such"), "invalid_config"),
        (("--keys", "/proc/none"), "file_unwritable"),
        (("--keys-from-stdin",), "worker_start"),
    ],
    ids=str,
)
def test_wrong_options_are_typed_errors(by_hand, options, code):
    process, said = by_hand(*options)
    assert said["error"]["code"] == code
    assert said["error"]["cure"]
    assert process.wait(10) == 2
    assert b"Traceback" not in process.stderr.read()


@pytest.fixture
def child(tmp_path):
    """A server that has a parent, once it listens."""
    pair = new_key_pair()
    keys = {"public": pair.public, "secret": pair.secret, "clients": [new_key_pair().public]}
    command = [*SERVE, "--home", str(tmp_path), "--keys-from-stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(json.dumps(keys).encode() + b"\n")
        process.stdin.flush()
        assert b"control" in process.stdout.readline()
        yield process
        process.kill()


def test_a_parent_that_is_gone_ends_the_server(child):
    child.stdin.close()
    assert child.wait(10) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what another's stdin is")
def test_nothing_that_a_server_loads_finds_its_parent_s_pipe_on_stdin(child):
    assert os.readlink(f"/proc/{child.pid}/fd/0") == os.devnull  # noqa: PTH115 — a name, no path


def test_strangers_get_no_answer_and_shut_nobody_out(by_hand, tmp_path, make_ear):
    _, said = by_hand()
    host, _, port = said["control"].removeprefix("tcp://").partition(":")
    strangers = [socket.create_connection((host, int(port))) for _ in range(500)]
    try:
        strangers[0].sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        strangers[1].sendall(bytes(range(256)) * 400)
        ear = connect(tmp_path / "home" / "keys", make_ear)
        ear.event(Connected)
        ear.client.close()
        strangers[0].settimeout(5)
        answer = strangers[0].recv(1000)
        assert b"HTTP" not in answer
    finally:
        for stranger in strangers:
            stranger.close()
