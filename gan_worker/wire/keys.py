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


@dataclass(frozen=True)
class KeyPair:
    """Two keys in Z85 text, 40 characters each; the secret one stays out of every repr and log."""

    public: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class WorkerConnection:
    """What a client needs to reach a worker that was started by hand."""

    control: str
    bulk: str
    server_key: str
    keys: KeyPair


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
        StorageError: `file_unwritable` where the list cannot be read: nobody is let in by mistake.
    """
    file = folder / "clients.json"
    try:
        found = json.loads(file.read_text("utf-8")) if file.exists() else {}
        return {str(key): str(name) for key, name in found.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise StorageError(
            "file_unwritable",
            f"The list of paired clients must be readable; {file} is not ({error}).",
            "Delete it, and pair each Blender again.",
        ) from error


def write_clients(folder: Path, clients: dict[str, str]) -> None:
    """Replace the list of paired clients: public key → name.

    Raises:
        StorageError: `file_unwritable`.
    """
    with _private(folder):
        write_private(folder / "clients.json", json.dumps(clients, indent=1))


@contextmanager
def _private(folder: Path) -> Iterator[None]:
    """Make a folder that only its owner can enter, for what is read and written in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(stat.S_IRWXU)
        yield
    except OSError as error:
        raise StorageError(
            "file_unwritable",
            f"The key folder must be writable by you alone; {folder} is not ({error.strerror}).",
            "Choose another folder with --keys, or correct its owner.",
        ) from error


def write_connection(folder: Path, control: str, bulk: str, server_key: str) -> None:
    """Leave the worker's address and public key for clients of the same user."""
    text = json.dumps({"control": control, "bulk": bulk, "server_key": server_key})
    with _private(folder):
        write_private(folder / "connection.json", text)


def read_connection(folder: Path) -> WorkerConnection:
    """Read how to reach the worker that uses this key folder.

    Raises:
        WorkerError: `worker_silent` where no worker has been started with it.
    """
    try:
        found = json.loads((folder / "connection.json").read_text("utf-8"))
        keys = _read_pair(folder / "client.key")
        return WorkerConnection(found["control"], found["bulk"], found["server_key"], keys)
    except (OSError, ValueError, KeyError) as error:
        raise WorkerError(
            "worker_silent",
            f"A worker must have been started with the key folder {folder}; it holds no address.",
            "Start one with: gan-worker serve",
        ) from error


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner can read, never half-written."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _open_pair(path: Path) -> KeyPair:
    if path.exists():
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        return _read_pair(path)
    pair = new_key_pair()
    write_private(path, json.dumps({"public": pair.public, "secret": pair.secret}))
    return pair


def _read_pair(path: Path) -> KeyPair:
    found = json.loads(path.read_text("utf-8"))
    return KeyPair(found["public"], found["secret"])
