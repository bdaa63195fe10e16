"""The errors of Tilewright: each has a stable code, one sentence, and what to do next.

TilewrightError
├── PictureError      what is wrong with the pictures that were given
├── RequestError      what was asked for is not there, not possible or not allowed
├── WorkerError       the worker, its compute process or another program does not run or answer
├── ProtocolError     what the other side sent
├── StorageError      files and the disk
├── TrainingError     the course of a training
├── UnexpectedError   a fault of the program, with a pointer to the log
└── Cancelled         a wish, not a fault

Each class lists its codes; no code belongs to two of them.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, replace
from typing import ClassVar

# Codes of what may go well another time, with nothing changed.
TRANSIENT = frozenset(
    ("worker_gone", "worker_silent", "compute_died", "out_of_memory", "busy", "port_in_use")
    + ("ray_unreachable",)
)

# Letters of an error that travels.
TEXT_LIMIT = 2000

# What the optional parts need beside the worker, as in pyproject.toml; installed by these names, since the program
# itself may come from a checkout, a wheel or the extension.
EXTRAS = {"ray": ("ray>=2.54",), "export": ("MaterialX>=1.39", "usd-core>=25.11")}


@dataclass(frozen=True)
class ErrorInfo:
    """An error by value, as it travels over the wire and stands in the panel."""

    code: str
    message: str
    cure: str
    retry_after: float | None = None

    def clipped(self) -> ErrorInfo:
        """It, short enough for every message it may stand in."""
        if len(self.message) + len(self.cure) <= TEXT_LIMIT:
            return self
        half = TEXT_LIMIT // 2
        return replace(self, message=self.message[:half], cure=self.cure[:half])


class TilewrightError(Exception):
    """What must hold, what was received, and the cure.

    Args:
        code: stable word that scripts may test for.
        message: one sentence that names what must hold and what was received.
        cure: what the person does next.
        retry_after: seconds after which the same request may succeed, where that is known.

    Attributes:
        codes: those that errors of this class have.
    """

    codes: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self, code: str, message: str, cure: str, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.info = ErrorInfo(code, message, cure, retry_after)

    @property
    def code(self) -> str:
        return self.info.code

    def __str__(self) -> str:
        return f"{self.info.message} {self.info.cure} [{self.info.code}]"


class PictureError(TilewrightError):
    """A picture or a set of pictures cannot be used."""

    codes = frozenset(
        (
            "picture_missing",
            "picture_unreadable",
            "picture_too_small",
            "dataset_empty",
            "map_size_mismatch",
        )
    )


class RequestError(TilewrightError):
    """A request asks for something that is not there or not possible."""

    codes = frozenset(
        (
            "unknown_model",
            "unknown_run",
            "unknown_estimator",
            "run_exists",
            "unknown_job",
            "invalid_size",
            "invalid_latent",
            "invalid_config",
            "not_allowed",
            "wrong_state",
            "invalid_recipe",
            "unknown_object",
            "scene_missing",
            "blender_missing",
            "pairing_failed",
            "ray_missing",
        )
    )


def counted(number: int, noun: str) -> str:
    """A number with its noun, which takes an s where it is not one: `1 slot`, `2 more models`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def size_in_words(count: float) -> str:
    """A number of bytes in words: `1.5 GiB`, or `12 MiB`."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def require(
    condition: object,
    rule: str,
    received: object,
    cure: str = "Correct the value.",
    code: str = "invalid_config",
) -> None:
    """Refuse a request unless a rule holds.

    Args:
        condition: whether it holds.
        rule: what must hold, without a full stop.
        received: what was received instead.
        cure: what the person does next.
        code: of the error.

    Raises:
        RequestError: with that code.
    """
    if not condition:
        raise RequestError(code, f"{rule}; received {received}.", cure)


class WorkerError(TilewrightError):
    """The worker cannot be started or reached, or its compute process died."""

    codes = frozenset(
        (
            "worker_command",
            "worker_setup",
            "worker_start",
            "port_in_use",
            "worker_silent",
            "worker_gone",
            "compute_died",
            "out_of_memory",
            "busy",
            "blender_died",
            "ray_unreachable",
        )
    )


class ProtocolError(TilewrightError):
    """The other side speaks another version or sent something that is no message."""

    codes = frozenset(("protocol_version", "invalid_message"))


# What was given must be put right: programs end with a code of its own then.
BAD_INPUT = PictureError, RequestError, ProtocolError


class StorageError(TilewrightError):
    """Something could not be written, or what was read is not what was written."""

    codes = frozenset(
        ("disk_full", "checkpoint_corrupt", "model_format", "file_damaged", "file_unwritable")
    )


class TrainingError(TilewrightError):
    """Training went wrong in a way that more steps will not mend."""

    codes = frozenset(("diverged",))


class Cancelled(TilewrightError):
    """Somebody asked for this to end without a result."""

    codes = frozenset(("cancelled",))

    def __init__(self) -> None:
        super().__init__("cancelled", "The job was cancelled.", "Start it again if you want it.")


class UnexpectedError(TilewrightError):
    """A fault of the program itself, wrapped so that it still has a code and a next step."""

    codes = frozenset(("unexpected",))

    def __init__(self, error: BaseException) -> None:
        super().__init__(
            "unexpected",
            f"Something failed that should not: {type(error).__name__}: {error}",
            "Please report it with the end of the worker's log.",
        )


BY_CODE: dict[str, type[TilewrightError]] = {
    code: kind for kind in TilewrightError.__subclasses__() for code in kind.codes
}


def error_from_info(info: ErrorInfo) -> TilewrightError:
    """Make the typed error again on the receiving side; of a code that it does not know, a WorkerError."""
    if info.code == "cancelled":
        return Cancelled()
    kind = BY_CODE.get(info.code, WorkerError)
    error = kind.__new__(kind)
    TilewrightError.__init__(error, info.code, info.message, info.cure, info.retry_after)
    return error


def install_command(*options: str) -> str:
    """What to type into a terminal so that pip installs into the environment which runs this.

    Args:
        options: of `pip install`, such as packages.
    """
    command = [sys.executable, "-m", "pip", "install", *options]
    if os.name != "nt":
        return shlex.join(command)
    # For the command prompt and PowerShell alike; the one would take `>` for a file.
    return " ".join(f'"{part}"' if set(" >[") & set(part) else part for part in command)
