"""CURVE keys: made, kept in a folder only their owner can read, never shown."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gan_worker.errors import StorageError, WorkerError
from gan_worker.files import (
    is_full,
    is_odd,
    put_aside,
    storage_errors,
    write_private,
    write_private_once,
)

_KEY_LOST = "A new pair takes its place: whoever was paired with the old one must be paired again."


@dataclass(frozen=True)
class KeyPair:
    """Two keys in Z85 text, 40 characters each; the secret one stays out of every repr and log."""

    public: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class WorkerConnection:
    """What a client needs to reach a worker that was started by hand.

    Attributes:
        own: whether the keys are those of who started it; any others were paired, and are a guest's.
    """

    control: str
    bulk: str
    server_key: str
    keys: KeyPair
    own: bool = False


def new_key_pair() -> KeyPair:
    """Make a key pair."""
    import zmq

    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode("ascii"), secret.decode("ascii"))


def open_key_folder(folder: Path) -> tuple[KeyPair, KeyPair]:
    """Read the worker's and the client's key pair from a folder, making what is missing.

    Args:
        folder: created with mode 0700; its key files have mode 0600.

    Returns:
        The server's pair and the client's.

    Raises:
        StorageError: `file_unwritable` where the folder cannot be made or is another user's.
    """
    with _private(folder):
        return _open_pair(folder / "server.key"), _open_pair(folder / "client.key")


def open_client_pair(folder: Path) -> KeyPair:
    """Read the client's key pair from a folder, or make it there.

    Raises:
        StorageError: `file_unwritable` where the folder cannot be made or is another user's.
    """
    with _private(folder):
        return _open_pair(folder / "client.key")


def read_clients(folder: Path) -> dict[str, str]:
    """The clients that were paired with this worker: public key → name.

    Raises:
        StorageError: `file_unwritable` where the list cannot be read, `file_damaged` where it is none: nobody is let
            in by mistake.
    """
    file = folder / "clients.json"
    with _private(folder):
        try:
            if is_odd(file):
                raise ValueError("it is no plain file")
            found = json.loads(file.read_text("utf-8")) if file.exists() else {}
            return {str(key): str(name) for key, name in found.items()}
        except (ValueError, AttributeError, RecursionError) as error:
            raise StorageError(
                "file_damaged",
                f"{file} must hold the list of paired clients; it does not ({error}).",
                "Delete it, or let gan-worker serve put it aside; then pair each Blender again.",
            ) from error


def open_clients(folder: Path) -> dict[str, str]:
    """What `read_clients` gives, for a worker that starts: it puts a damaged list aside, and lets nobody on it in."""
    try:
        return read_clients(folder)
    except StorageError as error:
        if error.code != "file_damaged":
            raise
        cure = "Pair each Blender again."
        put_aside(folder / "clients.json", "it is no list of clients", cure)
        return {}


def write_clients(folder: Path, clients: dict[str, str]) -> None:
    """Replace the list of paired clients: public key → name.

    Raises:
        StorageError: `file_unwritable`.
    """
    with _private(folder):
        _write(folder / "clients.json", clients)


@contextmanager
def _private(folder: Path) -> Iterator[None]:
    """Make a folder that only its owner can enter, for what is read and written in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(stat.S_IRWXU)
        yield
    except OSError as error:
        if is_full(error):
            with storage_errors(folder):
                raise
        raise StorageError(
            "file_unwritable",
            f"The key folder must be writable by you alone; {folder} is not ({error.strerror}).",
            "Choose another folder with --keys, or correct its owner.",
        ) from error


def write_connection(folder: Path, control: str, bulk: str, server_key: str) -> None:
    """Leave the worker's address and public key for clients of the same user."""
    told = {"control": control, "bulk": bulk, "server_key": server_key}
    with _private(folder):
        _write(folder / "connection.json", told)


def read_connection(folder: Path) -> WorkerConnection:
    """Read how to reach the worker that uses this key folder.

    Raises:
        WorkerError: `worker_silent` where no worker has been started with it.
    """
    try:
        found = json.loads(_plain(folder / "connection.json").read_text("utf-8"))
        keys = _read_pair(folder / "client.key")
        control, bulk, server_key = (str(found[n]) for n in ("control", "bulk", "server_key"))
        own = (folder / "server.key").exists()  # where a client was paired there is none
        return WorkerConnection(control, bulk, server_key, keys, own)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise WorkerError(
            "worker_silent",
            f"A worker must have been started with the key folder {folder}; it holds no address.",
            "Start one with: gan-worker serve",
        ) from error


def _write(file: Path, found: dict[str, str]) -> None:
    if is_odd(file):
        put_aside(file, "it is no plain file", "Nothing of it is needed.")
    write_private(file, json.dumps(found, indent=1).encode())


def _plain(file: Path) -> Path:
    """The file, if it is one: to open a pipe would wait for ever."""
    if is_odd(file):
        raise ValueError(f"{file.name} is no plain file")
    return file


def _open_pair(path: Path) -> KeyPair:
    """The key pair of a file; one that is damaged is put aside, and what several processes make at once is one."""
    if os.path.lexists(path):
        try:
            if path.is_file():
                path.chmod(stat.S_IRUSR | stat.S_IWUSR)
            return _read_pair(path)
        except ValueError as error:
            put_aside(path, f"it is no key pair ({error})", _KEY_LOST)
    pair = new_key_pair()
    write_private_once(path, json.dumps({"public": pair.public, "secret": pair.secret}).encode())
    return _read_pair(path)


def _read_pair(path: Path) -> KeyPair:
    """Read a key pair.

    Raises:
        OSError: as the system says.
        ValueError: it is none, or its halves do not belong together.
    """
    import zmq

    try:
        found = json.loads(_plain(path).read_text("utf-8"))
        pair = KeyPair(found["public"], found["secret"])
        public = zmq.curve_public(pair.secret.encode("ascii"))
    except (KeyError, TypeError, AttributeError, RecursionError, zmq.ZMQError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    if public != pair.public.encode():
        raise ValueError("its halves do not belong together")
    return pair
