"""Versions of the programs that a model is made with."""

from __future__ import annotations

import platform

import keras
import tensorflow as tf

from gan_worker import __version__


def program_versions() -> dict[str, str]:
    """Version by name of the program."""
    return {
        "tilewright": __version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
