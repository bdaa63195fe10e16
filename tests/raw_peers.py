"""Peers with a good key that say whatever a test wants."""

from __future__ import annotations

from dataclasses import dataclass

import zmq

from gan_worker.wire import messages
from gan_worker.wire.codec import Message, decode, encode
from gan_worker.wire.sockets import connect_dealer


@dataclass
class Raw:
    """A peer with a good key that says whatever the test wants."""

    socket: zmq.Socket

    def ask(self, message):
        try:
            self.socket.send_multipart(encode(message))
        except zmq.Again:
            return None
        return self.answer()

    def answer(self, seconds=5.0):
        if not self.socket.poll(round(seconds * 1000)):
            return None
        return decode(self.socket.recv_multipart())

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close(0)
        self.socket.context.term()


def raw(served, keys, bulk=False, server_key=None):
    where = served.server.announcement
    address = where["bulk" if bulk else "control"]
    context = zmq.Context()
    socket = connect_dealer(context, keys, server_key or where["server_key"], address, bulk)
    socket.setsockopt(zmq.SNDTIMEO, 2000)
    return Raw(socket)


def hello():
    return Message(messages.Hello("raw"))
