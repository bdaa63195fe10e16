"""Writes the real material that a model has kept pieces of for its detail: all maps, at their own size."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from starter_materials import FILE_WORDS

from gan_worker.gan.generation.model import load_model
from gan_worker.materials.pictures import quantise, write_picture


def write_kept(model: Path, folder: Path) -> list[Path]:
    """Write the first of the pictures that a model with native detail holds.

    Args:
        model: its folder.
        folder: where the files go, with names as ambientCG has them.

    Returns:
        The files.

    Raises:
        ValueError: the model has no native detail.
    """
    loaded = load_model(model)
    if not loaded.detail:
        raise ValueError(f"A model must have native detail to hold pictures; {model.name} has not.")
    native = loaded.detail.kept.pyramid(0, 0)[0]
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    bits: Literal[8, 16]
    for name, values in loaded.statistics.restore(native).items():
        bits = 16 if name == "height" else 8
        files.append(folder / f"{folder.name}_{FILE_WORDS[name]}.png")
        write_picture(files[-1], quantise(values.numpy(), bits), bits)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder of a model")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    chosen = parser.parse_args()
    print(*write_kept(chosen.model, chosen.folder), sep="\n")


if __name__ == "__main__":
    main()
