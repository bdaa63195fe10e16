"""Writes the real material that a model has kept pieces of for its detail: all maps, at their own size."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from starter_materials import FILE_WORDS

from gan_worker.gan.generation.model import Model, load_model
from gan_worker.materials.maps import MAPS
from gan_worker.materials.pictures import quantise, write_picture


def kept_maps(model: Model) -> dict[str, np.ndarray]:
    """The first of the pictures that a model with native detail holds.

    Returns:
        Map name → whole numbers, (height, width, channels).

    Raises:
        ValueError: the model has no native detail.
    """
    if not model.detail:
        raise ValueError(
            f"A model must have native detail to hold pictures; {model.info.name} has not."
        )
    native = model.detail.kept.pyramid(0, 0)[0]
    maps = model.statistics.restore(native)
    return {name: quantise(values.numpy(), MAPS[name].bits) for name, values in maps.items()}


def write_kept(model: Path, folder: Path) -> list[Path]:
    """Write them with names as ambientCG has them.

    Args:
        model: its folder.
        folder: where the files go.

    Returns:
        The files.

    Raises:
        ValueError: as `kept_maps`.
    """
    maps = kept_maps(load_model(model))
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, picture in maps.items():
        files.append(folder / f"{folder.name}_{FILE_WORDS[name]}.png")
        write_picture(files[-1], picture, 16 if name == "height" else 8)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder of a model")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    chosen = parser.parse_args()
    print(*write_kept(chosen.model, chosen.folder), sep="\n")


if __name__ == "__main__":
    main()
