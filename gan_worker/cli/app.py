"""Command line: which commands there are, and what a person reads when one fails."""

from __future__ import annotations

import logging
import sys
from typing import Any

import typer

from gan_worker.cli import (
    batch,
    clients,
    evaluate,
    export,
    generate,
    loop,
    photos,
    repair,
    runs,
    show,
    terminal,
    train,
)
from gan_worker.errors import BAD_INPUT, Cancelled, ErrorInfo, TilewrightError, UnexpectedError
from gan_worker.printable import start_logging

logger = logging.getLogger(__name__)

FAILED, INVALID, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="gan-worker",
    help="Train a GAN on your own pictures and get endless seamless PBR materials.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    photos.prepare,
    train.train,
    photos.estimate,
    generate.generate,
    export.export,
    export.validate,
    generate.sheet,
    generate.directions,
    loop.loop,
    batch.batch,
    repair.repair,
    repair.make_tileable,
    repair.project,
    evaluate.evaluate,
    show.provenance,
    show.models,
    runs.rename,
    runs.delete,
    runs.tidy,
    clients.clients,
):
    app.command()(command)
app.command("runs")(show.show_runs)


def main(argv: list[str]) -> int:
    """Run one command.

    Args:
        argv: what follows `gan-worker`.

    Returns:
        Exit code: 0, or 2 for bad input, 130 when interrupted, 1 for anything else that went wrong.
    """
    start_logging(logging.WARNING, "%(levelname)s %(message)s")
    try:
        # The name alone is a question, not a mistake.
        argv = argv or ["--help"]
        return int(_command()(args=argv, prog_name="gan-worker", standalone_mode=False) or 0)
    except (typer.Abort, KeyboardInterrupt, Cancelled) as error:
        logger.debug("interrupted", exc_info=error)
        return INTERRUPTED
    except TilewrightError as error:
        terminal.show_error(error.info)
        return INVALID if isinstance(error, BAD_INPUT) else FAILED
    except Exception as error:  # noqa: BLE001 — whatever it is, a person gets a sentence
        if hasattr(error, "format_message"):  # an option or a command that does not exist
            terminal.show_error(_usage(error))
            return INVALID
        return _fault(error)


def _command() -> Any:
    return typer.main.get_command(app)


def _usage(error: Any) -> ErrorInfo:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "gan-worker"
    return ErrorInfo("invalid_config", error.format_message(), f"See {path} --help.")


def _fault(error: Exception) -> int:
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        cure = "Ask for a smaller picture or preset, or close other programs."
        terminal.show_error(ErrorInfo("out_of_memory", "There was not enough memory.", cure))
    else:
        logger.error("a fault of the program", exc_info=error)
        terminal.show_error(UnexpectedError(error).info)
    return FAILED


_PASSED_ON: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "add_help_option": False,
}


@app.command(**_PASSED_ON)
def serve(context: typer.Context) -> None:
    """Serve Blender and scripts. Its options: gan-worker serve --help."""
    from gan_worker.server import main as server

    sys.exit(server.main(context.args))


@app.command(**_PASSED_ON)
def doctor(context: typer.Context) -> None:
    """Say what is wrong with the worker, and the cure."""
    from gan_worker.doctor import view

    sys.exit(view.main(context.args))
