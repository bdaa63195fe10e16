"""Pairing: a short code that is good once lets two computers learn each other's long-term keys.

The code is the key. Both sides stretch its 50 random bits with scrypt (RFC 7914) into the secret CURVE key of a port
that is open for pairing alone. CurveZMQ (RFC 26) lets a client in only where it knows the server's public key, and
believes a server only where it has the secret one, so a handshake that succeeds proves to each side that the other
knows the code. Inside, the client has proved its own long-term key; the worker writes it on its list, answers with its
own long-term key and its ports, and the code is void.

Why not a PAKE: Python brings none. Without one a listener may try codes at home against a recorded handshake. For that
the code has 50 bits, each try costs a scrypt and a scalar multiplication, and ten minutes after it was made, or after
five wrong tries, or once it was used, it opens nothing. A code that is found later does not open the recording either:
CurveZMQ makes its session keys anew for each connection. So no key travels outside of CURVE, and none is typed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

from gan_worker.errors import ErrorInfo, RequestError, TilewrightError, error_from_info
from gan_worker.wire.codec import VERSION, other_version
from gan_worker.wire.keys import KeyPair, WorkerConnection, open_client_pair, write_connection
from gan_worker.wire.sockets import bind_router, new_dealer, receive, send

if TYPE_CHECKING:
    from gan_worker.wire.authentication import Authenticator

logger = logging.getLogger(__name__)

DOMAIN = "pairing"
VALID = 600.0
MOST_WRONG = 5
PATIENCE = 20.0
FAREWELL = 2.0
NAME_LIMIT = 80
# Crockford's Base32: no I, L, O and U, which are taken for others.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 10
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.%a-z]{2,60}\]")
_SALT = b"tilewright pairing 1"
_LIKE = str.maketrans("ILO", "110", "- ")


def new_code() -> str:
    """A code such as `K7QX2-9MBTD`, drawn by the system's source of secrets."""
    drawn = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return f"{drawn[:5]}-{drawn[5:]}"


def pairing_keys(code: str) -> KeyPair:
    """The key pair that a code stands for; case, hyphens and letters that look alike do not matter.

    Raises:
        RequestError: `pairing_failed` for what is no code.
    """
    plain = code.upper().translate(_LIKE)
    if len(plain) != LENGTH or not set(plain) <= set(ALPHABET):
        raise RequestError(
            "pairing_failed",
            f"A pairing code must have {LENGTH} letters and digits, such as K7QX2-9MBTD; this one has not.",
            "Copy it from the console where gan-worker serve --pair was started.",
        )
    # About 10 ms and 4 MiB: Blender's main thread waits for it.
    secret = hashlib.scrypt(plain.encode("ascii"), salt=_SALT, n=1 << 12, r=8, p=1, dklen=32)
    text = z85.encode(secret)
    return KeyPair(zmq.curve_public(text).decode("ascii"), text.decode("ascii"))


class Offer:
    """The worker's side: a port that is open until the code was used, is too old, or was guessed at.

    Args:
        context: of the worker's sockets.
        authenticator: of that context.
        listen: address to listen on.
        port: 0 for any.
        told: what a paired client is told: `server_key`, `control` and `bulk`, the last two as ports.
        admit: is given the public key and the name of the client that knew the code, before that is answered.

    Raises:
        zmq.ZMQError: where the port cannot be had.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        authenticator: Authenticator,
        listen: str,
        port: int,
        told: dict[str, Any],
        admit: Callable[[str, str], None],
    ) -> None:
        self.code = new_code()
        # Whoever comes through the handshake knows the code.
        authenticator.allow_anyone(DOMAIN)
        address = f"tcp://{listen}:{port or '*'}"
        self._socket = bind_router(context, pairing_keys(self.code), DOMAIN, address, bulk=False)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
        self._told, self._admit = {**told, "protocol": list(VERSION)}, admit
        self._end = time.monotonic() + VALID
        self._wrong = 0
        self.open, self.used = True, False

    @property
    def port(self) -> int:
        """Where it listens."""
        endpoint = self._socket.getsockopt(zmq.LAST_ENDPOINT)
        assert isinstance(endpoint, bytes)
        return int(endpoint.rstrip(b"\0").rpartition(b":")[2])

    def tend(self) -> None:
        """Answer a client that knows the code, and close when it has served; to be called ten times a second."""
        self._count_wrong()
        frames = receive(self._socket, 2)
        if self.used:
            if time.monotonic() > self._end:
                self.close()
        elif frames is not None and len(frames) == 2:
            self.used = True
            self._answer(frames)
            # An answer that is still on its way is lost where the line is cut behind it.
            self._end = time.monotonic() + FAREWELL
        elif self._wrong >= MOST_WRONG:
            logger.warning("the pairing code is void after %d wrong ones", self._wrong)
            self.close()
        elif time.monotonic() > self._end:
            logger.warning("the pairing code is too old by now; serve with --pair for another")
            self.close()

    def close(self) -> None:
        """The code opens nothing any more."""
        if self.open:
            self.open = False
            self._socket.disable_monitor()
            self._monitor.close(0)
            self._socket.close(500)

    def _answer(self, frames: list[zmq.Frame]) -> None:
        name = frames[1].bytes[:NAME_LIMIT].decode("utf-8", "replace")
        try:
            self._admit(str(frames[1].get("User-Id")), name)
            told = self._told
        except TilewrightError as error:
            logger.error("%s", error)
            told = {"error": asdict(error.info)}
        send(self._socket, [frames[0].bytes, json.dumps(told).encode()])

    def _count_wrong(self) -> None:
        while self._monitor.poll(0):
            found = parse_monitor_message(self._monitor.recv_multipart())
            # A browser or a port scanner that comes by guesses at nothing.
            self._wrong += found["value"] == zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC


class Pairing:
    """The client's side: asks once, without blocking; a wrong code is not tried again.

    Args:
        address: `host:port`, as the worker's console says.
        code: from there.
        folder: where the keys of this connection are kept; its client key is used where it has one.
        name: what the worker's list calls this client.

    Raises:
        RequestError: `pairing_failed` for what is no address or no code.
        StorageError: `file_unwritable`.
    """

    def __init__(self, address: str, code: str, folder: Path, name: str) -> None:
        self._host, self._port = split_address(address)
        self._folder, self._name = folder, name
        server_key = pairing_keys(code).public
        self._keys = open_client_pair(folder)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = new_dealer(self._context, self._keys, server_key, bulk=False)
        self._socket.setsockopt(zmq.RECONNECT_IVL, -1)  # a wrong code is tried once
        self._monitor = self._socket.get_monitor_socket(
            zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
        )
        self._socket.connect(f"tcp://{self._host}:{self._port}")
        self._asked = self._reached = False
        self._end = time.monotonic() + PATIENCE

    def poll(self) -> WorkerConnection | None:
        """How to reach the worker from now on, once it is known; it is in the folder then too.

        Raises:
            RequestError: `pairing_failed`: nobody answers there, or not to this code.
            ProtocolError: `protocol_version`.
            StorageError: `file_unwritable` on either side.
        """
        if not self._asked:
            self._asked = send(self._socket, [self._name.encode()])
        ended = time.monotonic() > self._end
        while self._monitor.poll(0):
            event = parse_monitor_message(self._monitor.recv_multipart())["event"]
            self._reached = self._reached or event == zmq.EVENT_CONNECTED
            ended = ended or event != zmq.EVENT_CONNECTED
        frames = receive(self._socket, 1)  # what came before the end is there after it
        if frames is not None:
            return self._understand(frames[0].bytes)
        if not ended:
            return None
        raise self._refused() if self._reached else self._unreachable()

    def close(self) -> None:
        """Let go of the sockets; may be called twice."""
        if not self._socket.closed:
            self._socket.disable_monitor()
            self._monitor.close(0)
            self._socket.close(0)
            self._context.term()

    def _understand(self, answer: bytes) -> WorkerConnection:
        try:
            said = json.loads(answer)
            if "error" in said:
                raise error_from_info(ErrorInfo(**said["error"]))
            theirs = said["protocol"]
            control, bulk = (f"tcp://{self._host}:{int(said[n])}" for n in ("control", "bulk"))
            server_key = str(said["server_key"])
            major = int(theirs[0])
        except (ValueError, KeyError, TypeError, IndexError):
            raise self._refused() from None
        if major != VERSION[0]:
            raise other_version(theirs)
        write_connection(self._folder, control, bulk, server_key)
        return WorkerConnection(control, bulk, server_key, self._keys)

    def _refused(self) -> RequestError:
        return RequestError(
            "pairing_failed",
            f"The worker at {self._host}:{self._port} must know the pairing code; it does not, or not any more.",
            "Type it again. It is good once, and for ten minutes: for another, start gan-worker serve --pair again.",
        )

    def _unreachable(self) -> RequestError:
        return RequestError(
            "pairing_failed",
            f"A worker must listen at {self._host}:{self._port}; nothing answers there.",
            "Check address and port on its console, and whether its firewall lets them through. It must be started "
            "with --listen 0.0.0.0 to be reached from other computers.",
        )


def split_address(address: str) -> tuple[str, int]:
    """`host:port` in its parts; an IPv6 address stands in brackets.

    Raises:
        RequestError: `pairing_failed`.
    """
    host, _, port = address.strip().removeprefix("tcp://").rpartition(":")
    if _HOST.fullmatch(host) and port.isdecimal() and 0 < int(port) < 65536:
        return host, int(port)
    raise RequestError(
        "pairing_failed",
        f"The address must be a name or number and a port, such as 192.168.1.20:47111; received {address!r}.",
        "Copy it from the console where gan-worker serve --pair was started.",
    )
