"""The command `gan-worker clients`: which Blenders are paired with this worker, and ending that."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gan_worker.cli import terminal
from gan_worker.cli.options import Home, runs_folder
from gan_worker.errors import RequestError
from gan_worker.wire.keys import read_clients, write_clients


def clients(
    revoke: Annotated[
        str | None, typer.Option(help="Name of one that may not connect again.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="Key folder; otherwise keys in the home.")
    ] = None,
    home: Home = None,
) -> None:
    """List the computers paired with this worker, or let one go."""
    folder = keys or runs_folder(home).parent / "keys"
    paired = read_clients(folder)
    if revoke is not None:
        left = {key: name for key, name in paired.items() if name != revoke}
        if left == paired:
            names = ", ".join(paired.values()) or "none"
            raise RequestError(
                "invalid_config",
                f"The name must be that of a paired client; {revoke!r} is not among {names}.",
                "See their names with gan-worker clients.",
            )
        write_clients(folder, left)
        terminal.output.print(f"{revoke} may not connect to a worker that starts from now on")
        return
    for name in paired.values():
        terminal.output.print(terminal.line(name))
    if not paired:
        terminal.output.print("No client was paired; gan-worker serve --pair shows how")
