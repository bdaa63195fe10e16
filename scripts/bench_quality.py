"""Trains `tiny` on each picture or material set, and measures what comes out at the pictures' own resolution.

Each training runs in a process of its own, one after the other, on all cores, once for each budget of minutes. Its
figures are added to `bench_quality.json` beside this file at once, so that the benchmark can be stopped and goes on
where it was; `bench_quality.md` is the table.

A minute is so many steps as an idle computer makes in a minute, so that other work does not cut a training short, and
figures of different days compare. How long a step takes, of the small picture and of its detail, is measured on the
first photo and on the first material set, as it hardly depends on the picture, before their trainings or with
`--measure-pace`; both want the computer for themselves meanwhile. It is kept with the results.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from quality_tables import RECIPES, tables

RESULTS, TABLE = (ROOT / f"scripts/bench_quality.{ending}" for ending in ("json", "md"))
SHEETS = ROOT / "out/bench_quality"
# Rows that are the same whatever is trained, and for how long.
REAL = ("floor", "random_phase")


def main() -> None:
    options = _options()
    if options.child:
        print(json.dumps(_child(json.loads(options.child))))
        return
    kept: dict[str, Any] = {"pace": {}, "real": {}, "results": {}}
    if RESULTS.exists():
        kept = json.loads(RESULTS.read_text())
    name = " ".join([options.recipe, *options.change])
    paces, measured = (kept[part].setdefault(name, {}) for part in ("pace", "results"))
    items, paced = find_items(options.data), set[str]()
    for number, item in enumerate(items):
        place = f"[{number + 1} of {len(items)}] {name} on {item.name}"
        kind = "set" if item.is_dir() else "photo"
        # With a lever as many steps as without, unless its own pace has been measured.
        if not options.measure_pace and kind not in paces:
            paces |= kept["pace"].get(options.recipe, {})
        if kind not in paces or (options.measure_pace and kind not in paced):
            print(f"{place}, pace", flush=True)
            paces[kind] = train_in_a_process(name, item, 0.0, None)
            paced.add(kind)
            _keep(kept)
        for minutes in () if options.measure_pace else options.minutes:
            found = measured.setdefault(item.stem, {})
            if f"{minutes:g}" in found and not options.again:
                continue
            print(f"{place}, {minutes:g} minutes", flush=True)
            real = kept["real"].setdefault(item.stem, {})
            matched = kept.setdefault("matched", {}).setdefault(item.stem, {})
            extra = []
            if not options.change:
                extra += [row for row in REAL if "dots" not in real.get(row, {})]
                extra += ["patch_matching"] * (f"{minutes:g}" not in matched)
            made = train_in_a_process(name, item, minutes, paces[kind], extra)
            for row in extra:
                there, key = (real, row) if row in REAL else (matched, f"{minutes:g}")
                if row in made["rows"]:
                    there[key] = made["rows"].pop(row)
            found[f"{minutes:g}"] = made
            _keep(kept)
    print(tables(kept))


def _keep(kept: dict[str, Any]) -> None:
    RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    TABLE.write_text(tables(kept))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        nargs="+",
        required="--child" not in sys.argv,
        help="pictures, material sets, or folders of them",
    )
    parser.add_argument(
        "--recipe",
        choices=RECIPES,
        default="tiny",
        help="scale_1 is tiny without detail stage, whose generator learns the pictures at their own size: a row of "
        "the tables of tiny, where both were trained",
    )
    parser.add_argument(
        "--minutes", type=float, nargs="+", default=[2.0, 5.0], help="budgets, a training each"
    )
    parser.add_argument(
        "--change",
        action="append",
        default=[],
        help="one lever of tiny: a number of update.Hyperparameters such as patch_weight=0, or of "
        "DetailHyperparameters or DetailConfig such as detail.band_weight=0; detail.from=0.3 is the share of the "
        "budget after which detail is learned, detail.turns=2 every how many steps from then on, octaves=1 how many "
        "there are; patterns=none trains without waves and grain, isotropic=true also "
        "with turned crops, precision=float32 in full precision, start=none from noise instead of pre-trained "
        "weights, detail.start=none so only the detail stage; detail.moved=none never gives it real detail; "
        "maps=learned or maps=estimated compares all maps of a photo, learned with its color or estimated on what was "
        "generated; and one of scripts/levers.py, such as contrasts=none",
    )
    parser.add_argument("--again", action="store_true", help="also what has been measured already")
    parser.add_argument(
        "--measure-pace", action="store_true", help="that alone; keep the computer idle meanwhile"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def find_items(places: Sequence[str]) -> list[Path]:
    """Pictures and folders of maps; a folder of pictures with different subjects is each of them."""
    found = []
    for place in map(Path, places):
        inside = sorted(place.iterdir()) if place.is_dir() else []
        subject = place.is_file() or any(f.name.startswith(place.name) for f in inside)
        found += (
            [place]
            if subject
            else [x for x in inside if x.is_dir() or x.suffix in (".jpg", ".png")]
        )
    return found


def train_in_a_process(
    name: str,
    item: Path,
    minutes: float,
    pace: Mapping[str, float] | None,
    extra: Sequence[str] = (),
) -> dict[str, Any]:
    """What `quality_training.train_one` finds, in a process of its own.

    Args:
        name: recipe and changes.
        item: file or folder.
        minutes: the budget.
        pace: seconds of a step of each kind; empty for this computer's as it is, None to measure it and nothing else.
        extra: rows that no training has a part in and that are measured too.
    """
    file = SHEETS / f"{name.replace(' ', '_')}_{item.stem}_{minutes:g}.png"
    told = json.dumps(
        {
            "item": str(item),
            "name": name,
            "minutes": minutes,
            "pace": pace,
            "sheet": str(file),
            "extra": extra,
        }
    )
    command = [sys.executable, str(ROOT / "scripts/bench_quality.py"), "--child", told]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{item.name} was not measured, for the reason above.")
    return json.loads(done.stdout.splitlines()[-1])


def _child(told: dict[str, Any]) -> dict[str, Any]:
    from quality_training import train_one

    item, sheet, names = Path(told["item"]), Path(told["sheet"]), told["name"].split(" ")
    return train_one(item, names, told["minutes"], told["pace"], sheet, told["extra"])


if __name__ == "__main__":
    main()
