"""The GAN itself: the only place that knows TensorFlow and Keras.

A fully convolutional, circular generator: noise on a latent grid (where things lie) and a style (what they look like)
become all maps of a material, and each convolution goes on across the border, so that every picture tiles. Upwards:

    networks     what the networks are built from
    data         real pictures, and what is measured of them before training
    generation   a trained generator at work
    metrics      how near it comes to real pictures
    training     the loop, its losses, and what watches it
    editing      a trained generator used on given pictures

Nothing here knows sockets, Blender or a terminal: long work takes what to do, a function to tell and a function to
ask.

Keras is loaded here, before any module that uses it, without the packages that it takes along where they happen to
be installed, and that nothing here uses: they are a third of its time to load.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OPTIONAL = ("cv2", "matplotlib", "pandas", "scipy", "sklearn")


@contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    """Inside, packages that are not loaded yet seem not to be installed; afterwards they can be loaded as ever."""
    absent = [name for name in names if name not in sys.modules]
    # What Python documents for it: an import that finds None raises ModuleNotFoundError.
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def _name_keras_home() -> None:
    """Keras keeps a folder in the user's; without one of those it would make one that is named ~ wherever it runs."""
    try:
        Path.home()
    except RuntimeError:
        os.environ.setdefault("KERAS_HOME", str(Path(tempfile.gettempdir(), ".keras")))


_name_keras_home()
with _hidden(OPTIONAL):
    import keras as keras
