"""The server process: its options, its keys, its announcement; it never imports TensorFlow."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from gan_worker.errors import RequestError, TilewrightError, WorkerError
from gan_worker.files import make_own, make_private, storage_errors
from gan_worker.printable import LINE, start_logging
from gan_worker.server.scheduler import MOST
from gan_worker.server.server import Server, ServerConfig
from gan_worker.server.supervisor import Patience
from gan_worker.streams import first_line, take_stdin, wait_for_end
from gan_worker.wire.keys import (
    KeyPair,
    open_clients,
    open_key_folder,
    read_clients,
    read_connection,
    write_clients,
    write_connection,
)
from gan_worker.wire.pairing import VALID

logger = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    """Serve until the parent is gone, a client asks for the end, or a signal comes.

    Args:
        argv: what follows `gan-worker serve`.

    Returns:
        Exit code: 0, or 2 where it could not start; then one JSON line with the error is on stdout.
    """
    options = _parser().parse_args(argv)
    start_logging(options.log_level.upper(), LINE)
    try:
        with storage_errors(_home(options)):
            pipe = take_stdin() if options.keys_from_stdin else None
            server = Server(_config(options, pipe))
    except TilewrightError as error:
        print(json.dumps({"error": asdict(error.info)}), flush=True)
        logger.error("%s", error)
        return 2
    _end_on_signals(server)
    if pipe is not None:
        threading.Thread(target=_end_with_parent, args=(server, pipe), daemon=True).start()
    else:
        where = server.announcement
        folder = _key_folder(options)
        write_connection(folder, where["control"], where["bulk"], where["server_key"])
    print(json.dumps(server.announcement), flush=True)
    if server.pairing is not None:
        print(_pairing_text(options.listen, *server.pairing), flush=True)
    try:
        server.run()
    finally:
        server.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gan-worker serve", description=__doc__)
    add = parser.add_argument
    add("--home", type=Path, help="folder of runs and of the worker's own state")
    add("--keys-from-stdin", action="store_true", help="keys as one JSON line; end with the parent")
    add("--keys", type=Path, help="key folder (default: keys in the home folder)")
    add("--listen", default="127.0.0.1", help="address to listen on")
    add("--control-port", type=int, default=0)
    add("--bulk-port", type=int, default=0)
    add("--pair", action="store_true", help="print a code by which one Blender can be paired")
    add("--pair-port", type=int, default=0)
    add("--root", action="append", default=[], metavar="ALIAS=FOLDER", help="pictures, by alias")
    add("--processes", type=_processes, default=1, help="compute processes: one for each GPU")
    add(
        "--idle-seconds",
        type=float,
        help=f"until TensorFlow is ended (default: {Patience().idle:.0f}, on a processor "
        f"{Patience().idle_on_processor:.0f})",
    )
    add("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    return parser


def _config(options: argparse.Namespace, pipe: int | None) -> ServerConfig:
    admit, ports = None, (options.control_port, options.bulk_port)
    if options.keys_from_stdin and options.pair:
        raise RequestError(
            "invalid_config",
            "--pair must stand alone; received --keys-from-stdin too, with which nobody else may connect.",
            "Leave one of them out.",
        )
    if pipe is not None:
        keys, clients = _keys_from(pipe)
        local = clients
    else:
        folder = _key_folder(options)
        if options.keys is None:
            make_own(folder)
        keys, client = open_key_folder(folder)
        paired = open_clients(folder)
        local = frozenset({client.public})
        clients = local.union(paired)
        if options.pair or paired:
            ports = _ports_as_before(folder, ports)
        admit = partial(_admit, folder) if options.pair else None
    return ServerConfig(
        home=_home(options),
        keys=keys,
        clients=clients,
        listen=options.listen,
        control_port=ports[0],
        bulk_port=ports[1],
        roots=dict(_root(text) for text in options.root),
        local=local,
        patience=_patience(options.idle_seconds),
        admit=admit,
        pair_port=options.pair_port,
        processes=options.processes,
    )


def _patience(idle: float | None) -> Patience:
    return Patience() if idle is None else Patience(idle=idle, idle_on_processor=idle)


def _admit(folder: Path, key: str, name: str) -> None:
    """Write a paired client on the list."""
    write_clients(folder, {**read_clients(folder), key: name})


def _ports_as_before(folder: Path, ports: tuple[int, int]) -> tuple[int, int]:
    """Paired clients look for the worker where it was; a port that was asked for goes first."""
    try:
        before = read_connection(folder)
    except WorkerError:
        return ports
    control, bulk = (address.rpartition(":")[2] for address in (before.control, before.bulk))
    if not (control.isdecimal() and bulk.isdecimal()):  # it was edited, and says nothing
        return ports
    return ports[0] or int(control), ports[1] or int(bulk)


def _pairing_text(listen: str, port: int, code: str) -> str:
    """What a person types into Blender. The code is void after one use, and after ten minutes."""
    return (
        f"\nTo pair a Blender, open its preferences of Tilewright within {VALID / 60:.0f} minutes, choose Already "
        f"Running, press Pair with Worker, and type\n\n  Address  {_reached_at(listen)}:{port}\n  Code     {code}\n"
    )


def _reached_at(listen: str) -> str:
    """The address by which other computers reach this one, where it listens on all that it has."""
    if listen not in ("0.0.0.0", "*"):
        return listen
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(
                ("192.0.2.1", 9)
            )  # nothing is sent; the system says which address it would use
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def _processes(text: str) -> int:
    count = int(text)
    if not 1 <= count <= MOST:
        raise argparse.ArgumentTypeError(f"must lie between 1 and {MOST}; received {text}")
    return count


def _home(options: argparse.Namespace) -> Path:
    if options.home is not None:
        return make_private(Path(options.home))
    from gan_worker.runs.run import home_folder

    return home_folder()


def _key_folder(options: argparse.Namespace) -> Path:
    return options.keys or _home(options) / "keys"


def _root(text: str) -> tuple[str, Path]:
    alias, _, folder = text.partition("=")
    if not folder or not Path(folder).is_dir():
        raise RequestError(
            "invalid_config",
            f"--root must be alias=folder with a folder that exists; received {text!r}.",
            "Correct it, for example --root photos=/data/photos.",
        )
    return alias, Path(folder)


def _keys_from(pipe: int) -> tuple[KeyPair, frozenset[str]]:
    """Read the keys the parent hands over: `{"public", "secret", "clients": [...]}` in one line."""
    try:
        found = json.loads(first_line(pipe))
        return KeyPair(found["public"], found["secret"]), frozenset(found["clients"])
    except (ValueError, KeyError, TypeError):
        raise WorkerError(
            "worker_start",
            "With --keys-from-stdin the first line of stdin must be the keys as JSON; it is not.",
            "Let the launcher start the worker, or leave the option out.",
        ) from None


def _end_with_parent(server: Server, pipe: int) -> None:
    wait_for_end(pipe)
    server.end()


def _end_on_signals(server: Server) -> None:
    for name in ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: server.end())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
