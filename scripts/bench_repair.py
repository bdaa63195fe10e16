"""Hides two squares of each picture at its own size, fills them in several ways, and compares with what was hidden.

Our model is trained, `tiny`, on the picture whose squares were filled by copying, for so many steps as two minutes of
two idle cores have; neither it nor its bank has seen what is hidden. The others are OpenCV's two kinds of inpainting,
and copying: the square is filled from its rim inwards with the best-fitting small patches of the rest of the picture
(after Criminisi et al. 2004). As `elsewhere` stands another part of the same picture, which fits nowhere and says what
distance is left between two places of one material; as `small` what was found, without its octaves.

All figures are kept in `bench_repair.json` beside this file, so that the benchmark can be stopped and goes on where it
was; `bench_repair.md` is the table.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np

from gan_worker.config import TrainingConfig
from gan_worker.gan.editing import inpainting
from gan_worker.gan.generation.model import Model, load_model
from gan_worker.gan.metrics.distances import Layout, describe, distances
from gan_worker.gan.training.loop import train
from gan_worker.materials.pictures import quantise, read_picture, write_picture
from gan_worker.runs.run import ModelInfo, Run

RESULTS, TABLE = (ROOT / f"scripts/bench_repair.{ending}" for ending in ("json", "md"))
PACES = json.loads((ROOT / "scripts/bench_quality_small.json").read_text())["pace"]["tiny"]
COLUMNS = {
    "swd": "SWD",
    "swd/0": "SWD full size",
    "local_contrast": "local contrast",
    "gram": "Gram",
    "rim": "rim",
    "seconds": "processor seconds",
}
# Side of a hidden square, of the part of a picture that is used at most, and of a copied patch, pixels.
HOLE, SIDE, PATCH = 96, 512, 9
Row = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--kimg", type=float, default=6.4, help="thousands of crops in training")
    parser.add_argument("--steps", type=int, default=150, help="of the search")
    parser.add_argument("--work", type=Path, default=ROOT / "out/bench_repair")
    parser.add_argument("--again", action="store_true", help="also what was measured already")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for file in options.pictures:
        if file.stem in kept and not options.again:
            continue
        print(file.name, flush=True)
        kept[file.stem] = measure(file, options.work, options.kimg, options.steps)
        RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    TABLE.write_text(table(kept))
    print(TABLE.read_text())


def measure(file: Path, work: Path, kimg: float, steps: int) -> dict[str, Row]:
    """Fill the squares in each way; the sheet of all lies in the work folder then."""
    truth = read_picture(file)[:SIDE, :SIDE]
    truth = np.repeat(truth, 3 // truth.shape[-1], axis=-1)
    hidden = hide(truth)
    holed = np.where(hidden[..., None], 0, truth).astype(np.float32)
    levels, mask = quantise(holed, 8), hidden.astype(np.uint8)
    rows: dict[str, Row] = {}
    pictures = [np.where(hidden[..., None], np.float32(1), truth)]

    def fill(name: str, way: Callable[[], np.ndarray]) -> None:
        started = time.process_time()
        pictures.append(way())
        seconds = time.process_time() - started
        rows[name] = judge(pictures[-1], truth, hidden) | {"seconds": round(seconds, 1)}
        print(f"  {name}: {rows[name]}", flush=True)

    fill("copying", lambda: copied(holed, hidden))
    model = trained(file.stem, pictures[-1], work, kimg)
    small = Model(*without_octaves(model))
    for name, by in (("ours", model), ("small", small)):
        fill(name, partial(inpainted, by, holed, hidden, steps))
    fill("telea", lambda: cv2.inpaint(levels, mask, 5, cv2.INPAINT_TELEA) / np.float32(255))
    fill("navier_stokes", lambda: cv2.inpaint(levels, mask, 5, cv2.INPAINT_NS) / np.float32(255))
    fill("elsewhere", lambda: elsewhere(truth, hidden))
    write_picture(work / f"{file.stem}.png", np.concatenate([*pictures, truth], axis=1))
    return rows


def hide(picture: np.ndarray) -> np.ndarray:
    """Where the two squares lie, (height, width) bool."""
    hidden = np.zeros(picture.shape[:2], bool)
    for share in (0.3, 0.7):
        top, left = (round(share * n) - HOLE // 2 for n in hidden.shape)
        hidden[top : top + HOLE, left : left + HOLE] = True
    return hidden


def trained(name: str, picture: np.ndarray, work: Path, kimg: float) -> Model:
    """A model of a picture, at its own size."""
    file, runs = work / f"{name}_copied.png", work / "runs"
    if not (runs / name / "model.json").exists():
        write_picture(file, picture)
        config = TrainingConfig(name, (str(file),), minutes=None, kimg=kimg)
        train(config, Run.create(runs, name), lambda news: None, lambda: False)
    return load_model(runs / name)


def without_octaves(model: Model) -> tuple[ModelInfo, Any]:
    """What makes the same model without its stage of detail."""
    info, times = model.info, 1 << model.info.octaves
    stride, scale = info.stride // times, info.scale / times
    return replace(info, stride=stride, scale=scale, octaves=0), model.generator


def inpainted(model: Model, holed: np.ndarray, hidden: np.ndarray, steps: int) -> np.ndarray:
    return inpainting.inpaint(model, {"base_color": holed}, hidden, False, steps=steps).maps[
        "base_color"
    ]


def squares(hidden: np.ndarray) -> list[tuple[slice, slice]]:
    """Where the hidden squares lie."""
    corners = np.argwhere(hidden)
    (top, left), (bottom, right) = corners[0], corners[-1] + 1 - HOLE
    return [(slice(y, y + HOLE), slice(x, x + HOLE)) for y, x in ((top, left), (bottom, right))]


def copied(holed: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Fill from the rim inwards, each time around the pixel with most known neighbours."""
    picture, unknown, half = holed.copy(), hidden.copy(), PATCH // 2
    usable = cv2.filter2D(hidden.astype(np.float32), -1, np.ones((PATCH, PATCH)))
    forbidden = usable[half:-half, half:-half] > 0.5
    while unknown.any():
        known = cv2.boxFilter((~unknown).astype(np.float32), -1, (PATCH, PATCH))
        y, x = np.unravel_index(np.argmax(np.where(unknown, known, -1)), unknown.shape)
        window = (slice(y - half, y + half + 1), slice(x - half, x + half + 1))
        there = np.repeat((~unknown[window]).astype(np.float32)[..., None], 3, axis=-1)
        errors = cv2.matchTemplate(picture, picture[window], cv2.TM_SQDIFF, mask=there)
        errors[forbidden] = np.inf
        top, left = np.unravel_index(np.argmin(errors), errors.shape)
        best = picture[top : top + PATCH, left : left + PATCH]
        picture[window] = np.where(unknown[window][..., None], best, picture[window])
        unknown[window] = False
    return picture


def elsewhere(truth: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Each square shows what lies in the other one's column."""
    picture, places = truth.copy(), squares(hidden)
    for place, other in zip(places, places[::-1], strict=True):
        picture[place] = truth[place[0], other[1]]
    return picture


def judge(picture: np.ndarray, truth: np.ndarray, hidden: np.ndarray) -> Row:
    """Distances of the squares to what was hidden there; `rim` is the step into them over the same step in truth."""
    mean, spread = truth.mean(axis=(0, 1)), np.full(3, np.sqrt(truth.var(axis=(0, 1)).mean()))
    layout = Layout({"base_color": slice(0, 3)}, mean, spread)
    real, other = (
        describe(np.stack([(x[p] - mean) / spread for p in squares(hidden)]), layout)
        for x in (truth, picture)
    )
    found = distances(real, other, layout)
    found["rim"] = rim(picture, hidden) / rim(truth, hidden)
    return {name: round(float(found[name]), 3) for name in COLUMNS if name in found}


def rim(picture: np.ndarray, hidden: np.ndarray) -> float:
    """Mean step between neighbours of which one is hidden and the other is not."""
    steps = []
    for axis in (0, 1):
        over = np.diff(hidden.astype(np.int8), axis=axis) != 0
        steps.append(np.abs(np.diff(picture, axis=axis))[over].ravel())
    return float(np.concatenate(steps).mean())


def table(kept: dict[str, dict[str, Row]]) -> str:
    text = "# Repair: two hidden squares of each picture, filled in six ways\n\n"
    text += (
        f"Squares of {HOLE}×{HOLE} pixels of the upper left {SIDE}², at the picture's own size. Our model was trained\n"
        "on the picture whose squares were filled by copying, which its processor seconds leave out; it has never\n"
        "seen what is hidden. Lower is better, and `rim`, the step into the squares over the same step in truth, is\n"
        "best at 1. `elsewhere` is another part of the same picture put there: what is left between two places of\n"
        "one material. `small` is our model without its stage of detail. Figures are those of `bench_quality`.\n"
    )
    ways = list(next(iter(kept.values())))
    head = "| | " + " | ".join(COLUMNS.values()) + " |\n|---|" + "---|" * len(COLUMNS) + "\n"
    text += "\n## Median of all pictures\n\n" + head
    for way in ways:
        cells = [f"{median(rows[way][c] for rows in kept.values()):.3g}" for c in COLUMNS]
        text += f"| {way.replace('_', ' ')} | " + " | ".join(cells) + " |\n"
    for name, rows in sorted(kept.items()):
        text += f"\n## {name}\n\n" + head
        for way in ways:
            cells = [f"{rows[way][c]:.3g}" for c in COLUMNS]
            text += f"| {way.replace('_', ' ')} | " + " | ".join(cells) + " |\n"
    return text


if __name__ == "__main__":
    main()
