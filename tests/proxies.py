"""Networks between client and server, played by a proxy: frozen, broken, slow, far away, or gone for good."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import deque

# Bytes that a slow line holds before it takes no more, as a router does.
_HELD = 64 * 1024
_PIECE = 8 * 1024


class Proxy:
    """Passes bytes on between its port and the server's.

    Args:
        address: of the server.
        delay: seconds that each byte is on its way, each way.
        rate: bytes a second each way; None for as fast as it goes.

    Attributes:
        frozen: while it is set, nothing is passed on.
        break_after: so many bytes more, and the connection breaks.
        said: all bytes that clients sent.
    """

    def __init__(self, address, delay=0.0, rate=None):
        host, _, port = address.removeprefix("tcp://").partition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._delay, self._rate = delay, rate
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self.frozen = threading.Event()
        self._forgetting = threading.Event()
        self._closing = threading.Event()
        self.break_after = None
        self.breaks = 0
        self.said = bytearray()
        self._peers = {}
        self._clients, self._forgotten = set(), []
        # Socket to read from → what is on its way from there, with the time when it arrives.
        self._on_way = {}
        self._free_at = {}
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def forget_connections(self):
        """Pass nothing on any more for those who are connected, and tell them nothing, as when an address changed."""
        self._forgetting.set()

    def say_again(self, count):
        """Put the last so many bytes of clients on the way to the server once more."""
        source = next(iter(self._clients))
        self._on_way[source].append((0.0, bytes(self.said[-count:])))

    def _run(self):
        while not self._closing.is_set():
            self._arrive()
            for key, _ in self._selector.select(0.005 if any(self._on_way.values()) else 0.02):
                if key.fileobj is self._listener:
                    self._accept()
                elif not self.frozen.is_set():
                    self._take(key.fileobj)
            if self._forgetting.is_set():
                self._forget()
            if self.frozen.is_set():
                self._closing.wait(0.02)
        for peer in list(self._peers):
            self._drop(peer)
        for peer in self._forgotten:
            peer.close()
        self._listener.close()
        self._selector.close()

    def _accept(self):
        near, _ = self._listener.accept()
        far = socket.create_connection(self._target)
        self._clients.add(near)
        for a, b in ((near, far), (far, near)):
            self._peers[a], self._on_way[a], self._free_at[a] = b, deque(), 0.0
            self._selector.register(a, selectors.EVENT_READ)

    def _take(self, source):
        on_way = self._on_way.get(source)
        if on_way is None or (self._rate and sum(len(data) for _, data in on_way) > _HELD):
            return
        try:
            data = source.recv(_PIECE if self._rate else 65536)
        except OSError:
            data = b""
        now = time.monotonic()
        free_at = max(now, self._free_at[source]) + (len(data) / self._rate if self._rate else 0)
        self._free_at[source] = free_at
        if source in self._clients:
            self.said += data
        on_way.append((free_at + self._delay, data))
        self._arrive()

    def _arrive(self):
        """Hand over what was long enough on its way; nothing at all is the end of a connection."""
        for source in [] if self.frozen.is_set() else list(self._on_way):
            on_way = self._on_way.get(source)
            while on_way and on_way[0][0] <= time.monotonic():
                if not self._pass_on(source, on_way.popleft()[1]):
                    self._drop(source)
                    break

    def _pass_on(self, source, data):
        try:
            self._peers[source].sendall(data)
        except OSError:
            return False
        if self.break_after is not None:
            self.break_after -= len(data)
            if self.break_after < 0:
                self.break_after, self.breaks = None, self.breaks + 1
                return False
        return bool(data)

    def _forget(self):
        self._forgetting.clear()
        for source in self._peers:
            self._selector.unregister(source)
            self._forgotten.append(source)
        self._peers.clear()
        self._on_way.clear()

    def _drop(self, source):
        for peer in (source, self._peers.get(source)):
            if peer in self._peers:
                self._selector.unregister(peer)
                del self._peers[peer], self._on_way[peer]
                self._clients.discard(peer)
                peer.close()

    def close(self):
        self._closing.set()
        self._thread.join()
