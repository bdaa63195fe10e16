"""Pairing over real sockets: who knows the code gets in and is remembered, and nobody else ever."""

from __future__ import annotations

import json
import re
import socket
import stat
import subprocess
import sys
import time

import pytest
import zmq

from gan_worker.cli import app
from gan_worker.client.client import Client
from gan_worker.client.events import Connected
from gan_worker.errors import RequestError, TilewrightError
from gan_worker.wire import pairing
from gan_worker.wire.authentication import Authenticator
from gan_worker.wire.keys import new_key_pair, open_client_pair, read_clients, read_connection
from gan_worker.wire.sockets import connect_dealer

SERVE = (sys.executable, "-m", "gan_worker", "serve")


class Desk:
    """A pairing port as a worker tends it."""

    def __init__(self, admit=None):
        self.context = zmq.Context()
        self.authenticator = Authenticator(self.context)
        self.admitted = []
        told = {"server_key": new_key_pair().public, "control": "5555", "bulk": "5556"}
        admit = admit or (lambda *client: self.admitted.append(client))
        self.offer = pairing.Offer(self.context, self.authenticator, "127.0.0.1", 0, told, admit)
        self.address = f"127.0.0.1:{self.offer.port}"

    def tend(self):
        self.authenticator.answer()
        if self.offer.open:
            self.offer.tend()

    def until(self, holds, seconds=20.0):
        end = time.monotonic() + seconds
        while not (found := holds()):
            self.tend()
            assert time.monotonic() < end
            time.sleep(0.002)
        return found

    def close(self):
        self.offer.close()
        self.authenticator.close()
        self.context.term()


@pytest.fixture
def desk():
    made = Desk()
    yield made
    made.close()


@pytest.fixture
def pair(tmp_path):
    """Starts pairings, and lets go of them at the end."""
    made = []

    def start(address, code, folder="blender"):
        made.append(pairing.Pairing(address, code, tmp_path / folder, "artist's laptop"))
        return made[-1]

    yield start
    for one in made:
        one.close()


def code_of(error):
    return error.value.code


def other_than(code):
    return ("0" if code[0] != "0" else "1") + code[1:]


def test_who_knows_the_code_is_admitted_once_and_both_know_each_others_keys(desk, pair, tmp_path):
    client = pair(desk.address, desk.offer.code.lower().replace("-", " "))
    found = desk.until(client.poll)
    assert desk.admitted == [(found.keys.public, "artist's laptop")]
    assert (found.control, found.bulk) == ("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5556")
    assert read_connection(tmp_path / "blender") == found
    assert stat.S_IMODE((tmp_path / "blender" / "client.key").stat().st_mode) == 0o600
    assert desk.offer.used
    late = pair(desk.address, desk.offer.code, "late")
    with pytest.raises(RequestError) as error:
        desk.until(late.poll)
    assert code_of(error) == "pairing_failed"
    assert len(desk.admitted) == 1
    desk.until(lambda: not desk.offer.open)


def test_a_wrong_code_gets_nothing_and_costs_one_try(desk, pair):
    client = pair(desk.address, other_than(desk.offer.code))
    with pytest.raises(RequestError, match="must know the pairing code") as error:
        desk.until(client.poll)
    assert error.value.info.cure
    desk.until(lambda: desk.offer._wrong == 1)
    assert desk.offer.open
    good = pair(desk.address, desk.offer.code, "good")
    assert desk.until(good.poll)


def test_after_five_wrong_codes_the_right_one_opens_nothing(desk, pair):
    for number in range(pairing.MOST_WRONG):
        client = pair(desk.address, other_than(desk.offer.code), f"wrong {number}")
        with pytest.raises(RequestError):
            desk.until(client.poll)
    desk.until(lambda: not desk.offer.open)
    with pytest.raises(RequestError):
        desk.until(pair(desk.address, desk.offer.code, "right").poll)
    assert not desk.admitted


def test_a_code_is_good_for_ten_minutes(desk, pair, monkeypatch):
    now = time.monotonic
    monkeypatch.setattr(pairing.time, "monotonic", lambda: now() + pairing.VALID + 1)
    desk.tend()
    assert not desk.offer.open


def test_what_is_no_pairing_is_no_try_and_learns_nothing(desk):
    for _ in range(2 * pairing.MOST_WRONG):
        with socket.create_connection(("127.0.0.1", desk.offer.port)) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            stranger.settimeout(0.05)
            try:
                heard = stranger.recv(4096)
            except OSError:  # silence, or the door shut
                heard = b""
            assert desk.offer.code.encode() not in heard
        desk.tend()
    assert desk.offer.open


def test_the_long_term_key_alone_does_not_open_the_pairing_port(desk):
    """Somebody who listens knows every public key but that of the code."""
    strange = connect_dealer(
        desk.context, new_key_pair(), new_key_pair().public, f"tcp://{desk.address}", bulk=False
    )
    try:
        desk.until(lambda: desk.offer._wrong > 0)
        assert not desk.admitted
    finally:
        strange.close(0)


def test_a_worker_that_cannot_write_its_list_says_so_on_both_sides(pair):
    def full(*_client):
        raise TilewrightError("disk_full", "There must be room; there is none.", "Free some.")

    desk = Desk(full)
    try:
        with pytest.raises(TilewrightError, match="There must be room"):
            desk.until(pair(desk.address, desk.offer.code).poll)
    finally:
        desk.close()


def test_where_nobody_listens_that_is_said_at_once(pair):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = pair(f"127.0.0.1:{port}", "K7QX2-9MBTD")
    began = time.monotonic()
    with pytest.raises(RequestError, match="nothing answers there"):
        while client.poll() is None:
            time.sleep(0.002)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("address", ["", "host", "host:0", "host:99999", "ho st:5", ":5", "a;b:5"])
def test_what_is_no_address_is_refused(pair, address, tmp_path):
    with pytest.raises(RequestError, match=r"192\.168\.1\.20:47111"):
        pair(address, "K7QX2-9MBTD")
    assert not (tmp_path / "blender").exists()


@pytest.mark.parametrize("code", ["", "K7QX2", "K7QX2-9MBTU", "K7QX2-9MBTDD", "ü7QX2-9MBTD"])
def test_what_is_no_code_is_refused_and_not_repeated(code):
    with pytest.raises(RequestError) as error:
        pairing.pairing_keys(code)
    assert len(code) < 6 or code not in str(error.value)


def test_codes_are_unlike_each_other_and_letters_that_look_alike_are_one():
    codes = {pairing.new_code() for _ in range(200)}
    assert len(codes) == 200
    assert {c for code in codes for c in code} == {*pairing.ALPHABET, "-"}
    assert pairing.pairing_keys("oil00-abcde") == pairing.pairing_keys("01100ABCDE")


# ---- the whole worker


@pytest.fixture
def worker(tmp_path):
    """A real worker that offers pairing: its announcement and what its console says."""
    started = []

    def start(*options):
        command = [*SERVE, "--home", str(tmp_path / "home"), *options]
        with (tmp_path / "log").open("ab") as log:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": log}
            process = subprocess.Popen(command, text=True, **pipes)
        started.append(process)
        said = json.loads(process.stdout.readline())
        text = ""
        while "--pair" in options and "Code" not in text:
            text += process.stdout.readline()
        return process, said, text

    yield start
    for process in started:
        process.kill()
        process.communicate()


def greet(found, make_ear):
    """Be answered by the worker."""
    ear = make_ear(Client(found.control, found.bulk, found.server_key, found.keys))
    try:
        ear.event(Connected)
    finally:
        ear.client.close()


def test_a_paired_client_reaches_the_worker_now_and_after_it_was_started_anew(
    worker, pair, make_ear, tmp_path
):
    process, said, text = worker("--pair")
    address, code = (re.search(rf"{word} +(\S+)", text)[1] for word in ("Address", "Code"))
    client = pair(address, code)
    while (found := client.poll()) is None:
        time.sleep(0.005)
    assert found.server_key == said["server_key"]
    greet(found, make_ear)
    process.terminate()
    process.wait(20)
    again, said, _ = worker()
    assert said["control"] == found.control
    greet(found, make_ear)
    log = (tmp_path / "log").read_text()
    secret = open_client_pair(tmp_path / "blender").secret
    for private in (code, code.replace("-", ""), secret, found.keys.public):
        assert private not in log
        assert private not in " ".join(again.args)
    assert "paired with artist's laptop" in log


def test_a_revoked_client_is_no_longer_on_the_list(tmp_path, capsys, monkeypatch):
    from gan_worker.wire.keys import write_clients

    keys = tmp_path / "keys"
    write_clients(keys, {"a" * 40: "laptop", "b" * 40: "studio"})
    assert app.main(["clients", "--home", str(tmp_path)]) == 0
    assert capsys.readouterr().out.split() == ["laptop", "studio"]
    assert app.main(["clients", "--revoke", "laptop", "--home", str(tmp_path)]) == 0
    assert read_clients(keys) == {"b" * 40: "studio"}
    assert app.main(["clients", "--revoke", "laptop", "--home", str(tmp_path)]) == 2
    (keys / "clients.json").write_text("[1")
    assert app.main(["clients", "--home", str(tmp_path)]) == 1


def test_pairing_is_not_for_a_worker_that_blender_started(capsys):
    from gan_worker.server import main

    assert main.main(["--pair", "--keys-from-stdin"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "invalid_config"
