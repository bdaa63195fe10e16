"""Writes scikit-learn's handwritten digits as PNG files, for the preset `classic`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from gan_worker.materials.pictures import quantise, resize_to

SIDE = 28


def write_digits(folder: Path) -> int:
    """Write each digit as `digit_<number>_is_<value>.png`, 28×28 pixels; the originals have 8×8 in 17 greys.

    Returns:
        How many there are.
    """
    digits = load_digits()
    folder.mkdir(parents=True, exist_ok=True)
    for number, (image, value) in enumerate(zip(digits.images, digits.target, strict=True)):
        grey = (image[..., None] / 16).astype(np.float32)
        picture = resize_to(np.repeat(grey, 3, axis=-1), SIDE, SIDE)
        file = folder / f"digit_{number:04d}_is_{value}.png"
        Image.fromarray(quantise(picture, 8)).save(file)
    return len(digits.images)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("out/digits"))
    folder = parser.parse_args().folder
    print(f"{write_digits(folder)} digits in {folder}")
