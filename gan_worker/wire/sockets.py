"""Sockets as every one is made: CURVE on, bounded; and one way to receive a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zmq

if TYPE_CHECKING:
    from gan_worker.wire.keys import KeyPair

HEARTBEAT_MS = 2000
SILENCE_MS = 10_000
HANDSHAKE_MS = 2000
MESSAGES_AT_ONCE = 64
# More than protocol.FETCH_WINDOW, because libzmq counts what a peer has read only in halves of
# this.
CHUNKS_AT_ONCE = 16
CONTROL_FRAME_LIMIT = 256 * 1024
BULK_FRAME_LIMIT = 2 * 1024 * 1024


def bind_router(
    context: zmq.Context[zmq.Socket[bytes]], keys: KeyPair, domain: str, address: str, bulk: bool
) -> zmq.Socket[bytes]:
    """A ROUTER that serves peers whose key the authenticator of this context knows.

    Raises:
        zmq.ZMQError: EADDRINUSE and others of bind; the socket is closed then.
    """
    socket = context.socket(zmq.ROUTER)
    _bound(socket, bulk)
    socket.setsockopt(zmq.LINGER, 1000)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt_string(zmq.CURVE_SECRETKEY, keys.secret)
    socket.setsockopt_string(zmq.ZAP_DOMAIN, domain)
    try:
        socket.bind(address)
    except zmq.ZMQError:
        socket.close(0)
        raise
    return socket


def connect_dealer(
    context: zmq.Context[zmq.Socket[bytes]],
    keys: KeyPair,
    server_key: str,
    address: str,
    bulk: bool,
) -> zmq.Socket[bytes]:
    """A DEALER that queues nothing while there is no connection, and connects again and again."""
    socket = new_dealer(context, keys, server_key, bulk)
    socket.setsockopt(zmq.RECONNECT_IVL, 200)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 5000)
    socket.connect(address)
    return socket


def new_dealer(
    context: zmq.Context[zmq.Socket[bytes]], keys: KeyPair, server_key: str, bulk: bool
) -> zmq.Socket[bytes]:
    """A DEALER that is still to be connected."""
    socket = context.socket(zmq.DEALER)
    _bound(socket, bulk)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt_string(zmq.CURVE_SERVERKEY, server_key)
    socket.setsockopt_string(zmq.CURVE_PUBLICKEY, keys.public)
    socket.setsockopt_string(zmq.CURVE_SECRETKEY, keys.secret)
    return socket


def _bound(socket: zmq.Socket[bytes], bulk: bool) -> None:
    socket.setsockopt(zmq.MAXMSGSIZE, BULK_FRAME_LIMIT if bulk else CONTROL_FRAME_LIMIT)
    socket.setsockopt(zmq.SNDHWM, CHUNKS_AT_ONCE if bulk else MESSAGES_AT_ONCE)
    socket.setsockopt(zmq.RCVHWM, MESSAGES_AT_ONCE)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, SILENCE_MS)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)


def receive(socket: zmq.Socket[bytes], most: int) -> list[zmq.Frame] | None:
    """Take one message without waiting; of frames beyond `most + 1` none is kept.

    Args:
        socket: where from.
        most: how many frames a good message has; one more is kept so that the surplus is seen.

    Returns:
        The frames, or None where nothing is there.
    """
    try:
        frames = [socket.recv(zmq.NOBLOCK, copy=False)]
    except zmq.Again:
        return None
    while frames[-1].more:
        frame = socket.recv(copy=False)
        if len(frames) <= most:
            frames.append(frame)
        else:
            frames[-1] = frame
    return frames


def send(socket: zmq.Socket[bytes], frames: list[bytes | memoryview]) -> bool:
    """Send without waiting; False where the peer takes no more now."""
    try:
        socket.send_multipart(frames, zmq.NOBLOCK)
    except zmq.Again:
        return False
    return True
