"""Connection: start, reach and stop the worker that the preferences name."""

from __future__ import annotations

from pathlib import Path

import bpy

from gan_worker.client.client import Client
from gan_worker.errors import RequestError
from gan_worker.wire.keys import read_connection

from . import preferences, pump, session


def start_worker(processes: int = 1) -> None:
    """Start the worker that the preferences name, or connect to the one they name.

    Args:
        processes: compute processes of a worker that is started.

    Raises:
        WorkerError: `worker_command`, or `worker_silent` where the key folder has no address.
        RequestError: `not_allowed` where the worker is on another computer and Blender is offline.
    """
    chosen = preferences.get()
    if chosen.location == "REMOTE":
        connect(Path(bpy.path.abspath(chosen.key_folder)), chosen.remote_address)
        return
    session.current.start_worker(
        preferences.worker_command(chosen),
        preferences.home_folder(chosen),
        preferences.log_folder(),
        ("--processes", str(processes)) if processes > 1 else (),
    )


def connect(key_folder: Path, host: str = "") -> None:
    """Connect to a worker that was started by hand.

    Args:
        key_folder: the folder `gan-worker serve` wrote its `connection.json` into.
        host: name or address to use instead of the one in that file.

    Raises:
        WorkerError: `worker_silent` where the key folder has no address.
        RequestError: `not_allowed` where the worker is on another computer and Blender is offline.
    """
    found = read_connection(key_folder)
    control, bulk = (_at_host(address, host) for address in (found.control, found.bulk))
    check_online_access(control.removeprefix("tcp://"))
    client = Client(control, bulk, found.server_key, found.keys, "Blender", warm=True)
    session.current.connect(client, preferences.host_of(control), guest=not found.own)


def _at_host(address: str, host: str) -> str:
    """The same port on another host: `tcp://0.0.0.0:5555` is no place to connect to."""
    port = address.rpartition(":")[2]
    return f"tcp://{host}:{port}" if host else address


def check_online_access(host: str) -> None:
    """Hold that Blender may reach that host.

    Raises:
        RequestError: `not_allowed` where it is another computer and Blender is offline.
    """
    if preferences.may_reach(host):
        return
    raise RequestError(
        "not_allowed",
        f"Blender must be allowed to go online to reach a worker at {host}; it is not.",
        "Tick Allow Online Access in Preferences > System > Network.",
    )


def wait_until_connected(timeout: float = 30.0) -> None:
    """Wait until the worker has answered and told of its models, for scripts: sliders need them.

    Raises:
        WorkerError: why the worker did not start, or `worker_silent`.
    """
    pump.wait(lambda: session.current.connected and session.current.models_known, timeout)


def stop_worker() -> None:
    """Let a worker of ours save and leave; let go of any other."""
    session.current.stop_worker()


def refresh() -> None:
    """Ask the worker again which models it has."""
    session.current.refresh()
