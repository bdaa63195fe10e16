"""How near does one model of many materials come to each of them?

Takes a run that was trained on several material sets, generates two pictures of each by its name, and compares them
with the real one at the size at which the run has learned it. The figures of that run are added to `bench_many.json`
beside this file; `bench_many.md` is the table, and a sheet of each material, the real one and ours at 1:1, lies in
`out/bench_many`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from quality_figures import NativeReference
from quality_tables import COLUMNS, cell, median_cell
from quality_training import PAIR, middle, rounded
from rich.progress import track

from gan_worker.config import MATERIAL_PRESETS, GenerationConfig
from gan_worker.dataclass_json import from_json
from gan_worker.files import read_json
from gan_worker.gan.data.dataset import read_pictures, unique_names
from gan_worker.gan.generation.model import load_model
from gan_worker.materials.contact_sheet import contact_sheet
from gan_worker.materials.pictures import write_picture
from gan_worker.progress import DataReport
from gan_worker.runs.run import Run
from gan_worker.style import Material

RESULTS, TABLE = (ROOT / f"scripts/bench_many.{ending}" for ending in ("json", "md"))
SHEETS = ROOT / "out/bench_many"
SHOWN = (
    "critic/32",
    "contrast",
    "swd/0",
    "swd/1",
    "swd/2",
    "dots",
    "melted",
    "correlations",
    "copied/32",
)
TOLD = """# One model of many materials

Two pictures of each material by its name against the real one, at the size at which the model has learned it; lower is
better, and 0.5 is best of critics. In brackets: one half of the real picture against its other half. Columns are those
of [bench_quality](bench_quality.md).
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--name", help="of it in the table (default: the folder's)")
    options = parser.parse_args()
    kept: dict[str, Any] = read_json(RESULTS) if RESULTS.exists() else {}
    kept[options.name or options.run.name] = measure(Run(options.run.resolve()))
    RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    TABLE.write_text(tables(kept))
    print(tables(kept))


def measure(run: Run) -> dict[str, Any]:
    """Figures of each material of a run, how long it was trained, and on how many octaves."""
    model, config = load_model(run.path), run.load_config()
    report = from_json(DataReport, read_json(run.path / "data_report.json"))
    crop = MATERIAL_PRESETS[config.preset].crop
    read = read_pictures(config.pictures, crop, report.scale, octaves=report.octaves)
    names = unique_names([entry.name for entry in report.materials])
    found = {}
    for name, material in track(
        [*zip(names, read.natives or read.materials, strict=True)], "measuring"
    ):
        real = {n: p for n, p in material.items() if n in report.maps}
        stride = model.info.stride
        height, width = (n // stride * stride for n in real["base_color"].shape[:2])
        made = [
            dict(model.generate(_request(run.name, name, seed, width, height)).maps)
            for seed in PAIR
        ]
        reference = NativeReference(real)
        row = reference.row(made, copied=True)
        found[name] = {"row": rounded(row), "floor": rounded(reference.floor)}
        _write_sheet(name, real, made)
    last = run.read_progress()[-1]
    told = {"steps": last.step, "minutes": round(last.seconds / 60, 1), "octaves": report.octaves}
    return {"materials": found, **told}


def _request(model: str, name: str, seed: int, width: int, height: int) -> GenerationConfig:
    return GenerationConfig(model, seed, width, height, style=Material(name))


def _write_sheet(
    name: str, real: Mapping[str, np.ndarray], made: list[dict[str, np.ndarray]]
) -> None:
    shown = [middle(p["base_color"]) for p in (real, *made)]
    height, width = (min(p.shape[axis] for p in shown) for axis in (0, 1))
    SHEETS.mkdir(parents=True, exist_ok=True)
    cut = [p[:height, :width] for p in shown]
    write_picture(SHEETS / f"{name}.png", contact_sheet(cut, ["real", "first", "second"], 3))


def tables(kept: Mapping[str, Any]) -> str:
    """All that is known, as Markdown."""
    text = TOLD
    for name, run in kept.items():
        materials = run["materials"]
        text += (
            f"\n## {name}: {len(materials)} materials, {run['minutes']:g} minutes, {run['steps']} steps, "
            f"{run['octaves']} octaves\n\n| | " + " | ".join(COLUMNS[c] for c in SHOWN) + " |\n"
        )
        text += "|---|" + "---|" * len(SHOWN) + "\n"
        for material, figures in materials.items():
            row, floor = figures["row"], figures["floor"]
            cells = [cell(row.get(c), floor.get(c)) for c in SHOWN]
            text += f"| {material} | " + " | ".join(cells) + " |\n"
        rows = [figures["row"] for figures in materials.values()]
        cells = [median_cell([row[c] for row in rows if c in row]) for c in SHOWN]
        text += "| **median** | " + " | ".join(cells) + " |\n"
    return text


if __name__ == "__main__":
    main()
