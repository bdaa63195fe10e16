"""Names of runs and models: which can be one, and the errors for one that is taken or that nobody has."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable

from gan_worker.errors import RequestError, require

# Bytes of a name in UTF-8: systems keep 255 of a folder's, and some are added while it is deleted.
MOST_BYTES = 240
# Names that an error says at most, and letters of one that it repeats.
NAMED, REPEATED = 10, 100
# Windows opens a device for these, with any extension too.
_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in "123456789¹²³"))
)


def check_name(name: str, what: str) -> str:
    """Return the name if it can be a folder's name on every system.

    Raises:
        RequestError: `invalid_config` when it is empty, too long, holds a path or odd characters, or names
            a device of Windows.
    """
    good = (
        0 < len(name) <= 80
        and len(name.encode("utf-8", "replace")) <= MOST_BYTES
        and all(c.isalnum() or c in "-_. " for c in name)
        and name == name.strip(". ")
    )
    require(
        good,
        f"The name of a {what} must be 1 to 80 letters, digits, spaces, '-', '_' or '.', {MOST_BYTES} bytes in UTF-8 "
        "at most, and neither start nor end with a dot or space",
        repr(name[:REPEATED]),
        "Choose a plainer name.",
    )
    require(
        name.split(".")[0].rstrip().lower() not in _DEVICES,
        f"The name of a {what} must be one that every system takes for a folder, and not one that Windows keeps for a "
        "device",
        repr(name),
        "Choose another name.",
    )
    return name


def composed(name: str) -> str:
    """A name as keyboards write it: macOS hands out those of files with each accent apart, which no name may hold."""
    return unicodedata.normalize("NFC", name)


def name_is_taken(name: str) -> RequestError:
    """The error for a new run that would have the name of another."""
    return RequestError(
        "run_exists",
        f"The name of a new run must be free; there is already a run or a model named {name}.",
        "Choose another name, or resume that run.",
    )


def _listed(known: Iterable[str]) -> str:
    """Names for a sentence that must fit into a message, whatever folders are called."""
    names = list(itertools.islice(known, NAMED + 1))
    shown = [name.encode("utf-8", "replace").decode()[:REPEATED] for name in names[:NAMED]]
    more = " and others" if len(names) > NAMED else ""
    return ", ".join(shown) + more or "none"


def unknown_run(name: str, known: Iterable[str]) -> RequestError:
    """The error for a run that a worker does not have, naming those it has."""
    return RequestError(
        "unknown_run",
        f"The run must be one this worker has; {name!r} is not. It has: {_listed(known)}.",
        "Check the name, or start a new run.",
    )


def unknown_model(name: str, known: Iterable[str]) -> RequestError:
    """The error for a model that a worker does not have, naming those it has."""
    return RequestError(
        "unknown_model",
        f"The model must be one this worker has; {name!r} is not. It has: {_listed(known)}.",
        "Choose one of these, or train one.",
    )


def unknown_estimator(name: str, known: Iterable[str]) -> RequestError:
    """The error for an estimator that a worker does not have, naming those it has."""
    return RequestError(
        "unknown_estimator",
        f"The estimator must be one this worker has learned, or none for its own; {name!r} is not. It has: "
        f"{_listed(known)}.",
        "Copy its folder into the worker's runs, learn it again from its sets, or estimate with another.",
    )


def makes_no_pictures(name: str) -> RequestError:
    """The error for an estimator that is named where a model is wanted."""
    return RequestError(
        "unknown_model",
        f"A model must make pictures; {name!r} is an estimator, which makes maps of theirs.",
        "Name a model, or a photo, and choose this as the estimator.",
    )
