"""Authentication: libzmq asks who may connect (ZAP, RFC 27), this answers from the list of allowed keys."""

from __future__ import annotations

import logging

import zmq
from zmq.utils import z85

logger = logging.getLogger(__name__)

ADDRESS = "inproc://zeromq.zap.01"


class Authenticator:
    """Answers in the server's own loop; a thread for it would be one more thing that can hang.

    Must exist before the first socket is bound.

    Args:
        context: the one whose sockets it guards.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.socket = context.socket(zmq.REP)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(ADDRESS)
        self._allowed: dict[str, set[str] | None] = {}
        self.refused = 0

    def allow(self, domain: str, keys: set[str]) -> None:
        """Let these public keys, and no others, into a domain."""
        self._allowed[domain] = keys

    def allow_anyone(self, domain: str) -> None:
        """Let every key into a domain, whose own key only those know who may come."""
        self._allowed[domain] = None

    def answer(self) -> None:
        """Answer one question, if there is one."""
        try:
            frames = self.socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        question = frames[1] if len(frames) > 1 else b""
        key = self._key(frames)
        if key is None:
            self.refused += 1
            logger.warning("a peer without an allowed key was refused (%d so far)", self.refused)
            reply = [b"1.0", question, b"400", b"refused", b"", b""]
        else:
            reply = [b"1.0", question, b"200", b"OK", key.encode("ascii"), b""]
        self.socket.send_multipart(reply)

    def close(self) -> None:
        self.socket.close(0)

    def _key(self, frames: list[bytes]) -> str | None:
        if len(frames) != 7 or frames[5] != b"CURVE" or len(frames[6]) != 32:
            return None
        key = z85.encode(frames[6]).decode("ascii")
        domain = frames[2].decode("ascii", "replace")
        allowed = self._allowed.get(domain, set())
        return key if allowed is None or key in allowed else None
