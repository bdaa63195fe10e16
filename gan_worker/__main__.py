"""The command `gan-worker`: `serve` and `doctor` run with nothing else loaded, the rest is the command line."""

from __future__ import annotations

import sys

from gan_worker.streams import write_any_letter

INTERRUPTED = 130


def main() -> int:
    """Run the command in `sys.argv` and return its exit code; where it was interrupted, that is said in a line."""
    write_any_letter()
    try:
        code = _run()
    except KeyboardInterrupt:  # while the command is still being loaded
        code = INTERRUPTED
    if code == INTERRUPTED:
        sys.stderr.write("Canceled; nothing is left half written.\n")
    return code


def _run() -> int:
    if sys.argv[1:2] == ["serve"]:
        from gan_worker.server import main as server

        return server.main(sys.argv[2:])
    if sys.argv[1:2] == ["doctor"]:
        from gan_worker.doctor import view

        return view.main(sys.argv[2:])
    from gan_worker.cli import app

    return app.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
