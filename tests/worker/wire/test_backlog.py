"""Who sends frames without end is cut off; who sends whole messages never is."""

import sys

import pytest
import zmq
from raw_peers import hello, raw

from gan_worker.memory import resident_memory_mb
from gan_worker.wire import backlog
from gan_worker.wire.codec import Message
from gan_worker.wire.messages import Fetch, Ping, Pong

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what came in")
FRAME = bytes(200 * 1024)


def is_cut_off(peer, count, frame=FRAME, seconds=20.0):
    """Send one message of so many frames, and say whether the connection breaks."""
    monitor = peer.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    for _ in range(count):
        peer.socket.send(frame, zmq.SNDMORE, copy=False)
    peer.socket.send(b"", copy=False)
    broke = monitor.poll(round(seconds * 1000)) != 0
    peer.socket.disable_monitor()
    monitor.close(0)
    return broke


@pytest.mark.parametrize("bulk", [False, True])
def test_a_message_without_end_takes_little_memory_and_costs_its_sender_the_connection(serve, bulk):
    served = serve()
    with raw(served, served.keys, bulk) as peer, raw(served, served.keys) as other:
        session = other.ask(hello()).body.session
        before = resident_memory_mb()
        assert is_cut_off(peer, 1500)
        assert resident_memory_mb() - before < 100
        assert other.ask(Message(Ping(), session=session)).body == Pong()
        good = Message(Fetch("0" * 32, "height", 0, 1)) if bulk else hello()
        with raw(served, served.keys, bulk) as again:
            assert again.ask(good).re == good.id, "the key is as good as before"


def test_many_small_frames_count_too(serve, monkeypatch):
    monkeypatch.setattr(backlog, "OF_ONE", 500_000)
    served = serve()
    with raw(served, served.keys) as peer:
        assert is_cut_off(peer, 40_000, b"")


def test_whole_messages_are_never_too_many(serve, monkeypatch):
    monkeypatch.setattr(backlog, "OF_ONE", 1_000_000)
    served = serve()
    with raw(served, served.keys) as peer:
        session = peer.ask(hello()).body.session
        for _ in range(60):  # 3.7 MB in all
            peer.socket.send_multipart([b"TW\0\0", b" " * 62_000])
            ping = Message(Ping(), session=session)
            assert peer.ask(ping).re == ping.id
        assert peer.ask(Message(Ping(), session=session)).body == Pong()


def test_of_several_the_one_with_most_goes(serve, monkeypatch):
    monkeypatch.setattr(backlog, "IN_ALL", 3_000_000)
    monkeypatch.setattr(backlog, "OF_ONE", 2**40)
    served = serve()
    with raw(served, served.keys) as large, raw(served, served.keys) as small:
        session = small.ask(hello()).body.session
        assert is_cut_off(large, 1500)
        assert small.ask(Message(Ping(), session=session)).body == Pong()
