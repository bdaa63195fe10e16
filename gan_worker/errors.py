"""The errors of Tilewright: each has a stable code, one sentence, and what to do next.

TilewrightError
├── PictureError          picture_missing, picture_unreadable, picture_too_small, dataset_empty,
│                         map_size_mismatch
├── RequestError          unknown_model, unknown_run, run_exists, unknown_job, invalid_size, invalid_latent,
│                         invalid_config, not_allowed, wrong_state, invalid_recipe, unknown_object,
│                         scene_missing, blender_missing, pairing_failed, ray_missing
├── WorkerError           worker_command, worker_setup, worker_start, port_in_use, worker_silent, worker_gone,
│                         compute_died, out_of_memory, busy, blender_died, ray_unreachable
├── ProtocolError         protocol_version, invalid_message
├── StorageError          disk_full, checkpoint_corrupt, model_format, file_unwritable
├── TrainingError         diverged
├── UnexpectedError       unexpected: a fault of the program, with a pointer to the log
└── Cancelled             cancelled (a wish, not a fault)
"""

from __future__ import annotations

from dataclasses import dataclass

# Codes of what may go well another time, with nothing changed.
TRANSIENT = frozenset(
    ("worker_gone", "worker_silent", "compute_died", "out_of_memory", "busy", "port_in_use")
    + ("ray_unreachable",)
)


@dataclass(frozen=True)
class ErrorInfo:
    """An error by value, as it travels over the wire and stands in the panel."""

    code: str
    message: str
    cure: str
    retry_after: float | None = None


class TilewrightError(Exception):
    """What must hold, what was received, and the cure.

    Args:
        code: stable word that scripts may test for.
        message: one sentence that names what must hold and what was received.
        cure: what the person does next.
        retry_after: seconds after which the same request may succeed, where that is known.
    """

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


class RequestError(TilewrightError):
    """A request asks for something that is not there or not possible."""


class WorkerError(TilewrightError):
    """The worker cannot be started or reached, or its compute process died."""


class ProtocolError(TilewrightError):
    """The other side speaks another version or sent something that is no message."""


class StorageError(TilewrightError):
    """Something could not be written, or what was read is not what was written."""


class TrainingError(TilewrightError):
    """Training went wrong in a way that more steps will not mend."""


class Cancelled(TilewrightError):
    """Somebody asked for this to end without a result."""

    def __init__(self) -> None:
        super().__init__("cancelled", "The job was cancelled.", "Start it again if you want it.")


class UnexpectedError(TilewrightError):
    """A fault of the program itself, wrapped so that it still has a code and a next step."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(
            "unexpected",
            f"Something failed that should not: {type(error).__name__}: {error}",
            "Please report it with the end of the worker's log.",
        )


_BY_CODE: dict[str, type[TilewrightError]] = {
    **dict.fromkeys(
        (
            "picture_missing",
            "picture_unreadable",
            "picture_too_small",
            "dataset_empty",
            "map_size_mismatch",
        ),
        PictureError,
    ),
    **dict.fromkeys(
        (
            "unknown_model",
            "unknown_run",
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
        ),
        RequestError,
    ),
    **dict.fromkeys(("protocol_version", "invalid_message"), ProtocolError),
    **dict.fromkeys(
        ("disk_full", "checkpoint_corrupt", "model_format", "file_unwritable"), StorageError
    ),
    "diverged": TrainingError,
}


def error_from_info(info: ErrorInfo) -> TilewrightError:
    """Make the typed error again on the receiving side."""
    if info.code == "cancelled":
        return Cancelled()
    kind = _BY_CODE.get(info.code, WorkerError)
    return kind(info.code, info.message, info.cure, info.retry_after)
