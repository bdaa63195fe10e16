"""Versions of the programs that a model is made with."""

from __future__ import annotations

import platform
from importlib.metadata import version

from gan_worker import __version__


def program_versions() -> dict[str, str]:
    """Version by name of the program."""
    return {
        "tilewright": __version__,
        "python": platform.python_version(),
        "tensorflow": version("tensorflow"),
        "keras": version("keras"),
    }
