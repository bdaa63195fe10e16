"""Backlog limit: who sends more than it lets come through as whole messages is cut off.

libzmq keeps the frames of a message until the last one is there, and has no bound on how many there are: one peer with
a good key could take all memory of the server. No option of its sockets, no event and no call tells of frames that
wait. But the system counts the bytes that came in on each connection (`TCP_INFO` of Linux), libzmq says which
connection a message came on, and one that is shut down takes its unfinished message along.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import threading

import zmq
from zmq.utils.monitor import parse_monitor_message

logger = logging.getLogger(__name__)

# Bytes of one connection since its last whole message was taken. A good client has 64 messages of 64 KiB on their way
# at most. One that is idle takes days for it with its heartbeats, and connects again.
OF_ONE = 8 * 1024 * 1024
# Bytes of all of them.
IN_ALL = 64 * 1024 * 1024
# Seconds between two looks, in which a fast network brings some more.
EVERY = 0.05
# Where the count of received bytes stands in Linux's `struct tcp_info`, since 4.1.
_RECEIVED = struct.Struct("=Q")
_RECEIVED_AT = 128


class BacklogLimit:
    """Watches the connections of sockets from a thread of its own, since one socket's work may hold the server's loop.

    On other systems than Linux nothing is counted, so nobody is cut off.

    Args:
        context: of the sockets.
        sockets: that clients connect to; bound already.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], sockets: list[zmq.Socket[bytes]]
    ) -> None:
        self._sockets = sockets if hasattr(socket, "TCP_INFO") and os.name == "posix" else []
        self._monitors = [_accepted(context, each, i) for i, each in enumerate(self._sockets)]
        self._ports = {_port(each) for each in self._sockets}
        # Connection, as its descriptor → bytes that had come in when its last whole message was taken.
        self._counted: dict[int, int] = {}
        self._taken: set[int] = set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        if self._monitors:
            self._thread.start()

    def took(self, frame: zmq.Frame) -> None:
        """A whole message was taken from a socket; this is one of its frames."""
        self._taken.add(int(frame.get("__fd")))

    def close(self) -> None:
        """Watch no more; to be called before the sockets are closed."""
        self._closing.set()
        if self._monitors:
            self._thread.join()
        for each, monitor in zip(self._sockets, self._monitors, strict=True):
            each.disable_monitor()
            monitor.close(0)

    def _watch(self) -> None:
        while not self._closing.wait(EVERY):
            for monitor in self._monitors:
                while monitor.poll(0):
                    event = parse_monitor_message(monitor.recv_multipart())
                    self._counted.pop(event["value"], None)
                    if event["event"] == zmq.EVENT_ACCEPTED:
                        self._counted[event["value"]] = 0
            self._look()

    def _look(self) -> None:
        taken = self._taken.copy()
        self._taken -= taken
        waiting = {}
        for connection in self._counted.keys() | taken:  # also one from before the watch began
            received = self._received(connection)
            if received is None:
                self._counted.pop(connection, None)
                continue
            if connection in taken:
                self._counted[connection] = received
            waiting[connection] = received - self._counted[connection]
        self._cut_off(waiting)

    def _cut_off(self, waiting: dict[int, int]) -> None:
        """Shut down the connections with most bytes until the rest is within both bounds."""
        total = sum(waiting.values())
        for connection in sorted(waiting, key=lambda one: waiting[one], reverse=True):
            if waiting[connection] <= OF_ONE and total <= IN_ALL:
                return
            total -= waiting[connection]
            count = waiting[connection] / 2**20
            logger.warning("a client was cut off after %.0f MiB without a whole message", count)
            _shut_down(connection)
            del self._counted[connection]

    def _received(self, connection: int) -> int | None:
        """Bytes that came in on a connection so far; None where it is gone, and its descriptor another's now."""
        try:
            with socket.socket(fileno=os.dup(connection)) as opened:
                found = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                ours = opened.getsockname()[1] in self._ports
            return int(_RECEIVED.unpack_from(found, _RECEIVED_AT)[0]) if ours else None
        except (OSError, struct.error):
            return None


def _accepted(
    context: zmq.Context[zmq.Socket[bytes]], watched: zmq.Socket[bytes], number: int
) -> zmq.Socket[bytes]:
    """A socket that tells of connections that are made and go away."""
    address = f"inproc://backlog-{number}"
    monitor = context.socket(zmq.PAIR)
    monitor.setsockopt(zmq.RCVHWM, 0)  # a full one would hold up libzmq itself
    monitor.setsockopt(zmq.LINGER, 0)
    watched.monitor(address, zmq.EVENT_ACCEPTED | zmq.EVENT_CLOSED | zmq.EVENT_DISCONNECTED)
    monitor.connect(address)
    return monitor


def _port(bound: zmq.Socket[bytes]) -> int:
    endpoint = bound.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(endpoint, bytes)
    return int(endpoint.rstrip(b"\0").rpartition(b":")[2])


def _shut_down(connection: int) -> None:
    try:
        with socket.socket(fileno=os.dup(connection)) as opened:
            opened.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        logger.debug("it was gone already: %s", error)
