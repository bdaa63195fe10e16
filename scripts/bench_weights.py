"""How much do the weights that trainings start from bring, on kinds of materials that they have never learned from?

Trains small pictures of held-back categories from each of the files that are named, without their octaves of detail,
and compares what comes out with the real small picture. A file says beside it which categories it holds back and which
networks it fits; `none` starts from noise. Minutes are those of two idle cores: `--measure-pace` finds how long a step
takes there and keeps it with the results, so that other work does not cut a training short.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from categories import category, held_back_by
from quality_tables import COLUMNS, cell, median_cell
from weights_sources import with_channels

from gan_worker.config import MATERIAL_PRESETS, NetworkConfig
from gan_worker.errors import counted
from gan_worker.files import read_json

RESULTS, TABLE = (ROOT / f"scripts/bench_weights.{ending}" for ending in ("json", "md"))
SHEETS = ROOT / "out/bench_weights"
SHIPPED = ROOT / "gan_worker/pretrained/tiny.safetensors"
NOISE = "none"
SHOWN = (
    "critic/32",
    "critic/64",
    "contrast",
    "swd/0",
    "swd/1",
    "swd/2",
    "dots",
    "melted",
)
HEADS = [COLUMNS[column] for column in SHOWN]
TOLD = """# What a training starts from

Eight pictures of each material (two in the rows of 1717 steps), of the size at which the generator learns, against the
real one of that size; lower is better, and 0.5 is best of critics. No weights have learned from any material of these
categories. Figures are those of [bench_quality](bench_quality.md); `floor` is one half of the real picture against its
other half.
"""


def main() -> None:
    options = _options()
    kept: dict[str, Any] = {"pace": {}, "floor": {}, "results": {}}
    if RESULTS.exists():
        kept = read_json(RESULTS)
    for told in options.weights:
        name, _, file = told.partition("=")
        weights = SHIPPED if file == NOISE else Path(file)
        network = network_of(weights)
        name = " ".join([name, *options.change])
        # The same networks take as long whatever they start from.
        channels = network.generator_channels, network.discriminator_channels
        sizes = " ".join([*map(str, channels), *options.change])
        items = held_back_items(options.items, held_back_by(weights))
        for number, item in enumerate(items):
            place = f"[{number + 1} of {len(items)}] {name} on {item.stem}"
            if options.measure_pace or sizes not in kept["pace"]:
                print(f"{place}, pace", flush=True)
                kept["pace"][sizes] = _apart(item, file, network, options.change, 0.0, None)
                _keep(kept)
            for minutes in () if options.measure_pace else options.minutes:
                found = kept["results"].setdefault(f"{minutes:g}", {}).setdefault(name, {})
                if item.stem in found:
                    continue
                print(f"{place}, {minutes:g} minutes", flush=True)
                pace = kept["pace"][sizes]
                made = _apart(item, file, network, options.change, minutes, pace)
                kept["floor"][item.stem] = made.pop("floor")
                found[item.stem] = made
                _keep(kept)
            if options.measure_pace:
                break
    print(tables(kept))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "weights",
        nargs="*",
        metavar="NAME=FILE",
        default=[f"shipped={SHIPPED}", "noise=none"],
        help="what a table calls them, and the file or none (default: those of the program, and noise)",
    )
    parser.add_argument(
        "--items",
        nargs="+",
        type=Path,
        required=True,
        help="pictures and material sets, or folders of them; those of held-back categories count",
    )
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0, 2.0, 5.0])
    parser.add_argument(
        "--change",
        action="append",
        default=[],
        help="a number of update.Hyperparameters, such as penalty_every=8",
    )
    parser.add_argument(
        "--measure-pace", action="store_true", help="that alone; keep the computer idle meanwhile"
    )
    return parser.parse_args()


def network_of(weights: Path) -> NetworkConfig:
    """The networks that a file of weights fits."""
    (session, *_) = read_json(weights.with_suffix(".json"))["sessions"]
    return with_channels(MATERIAL_PRESETS["tiny"], session["settings"]["channels"])


def held_back_items(places: Sequence[Path], held_back: Sequence[str]) -> list[Path]:
    """Pictures and sets whose category was held back."""
    from bench_quality import find_items

    found = [
        item for item in find_items([str(p) for p in places]) if category(item.stem) in held_back
    ]
    if not found:
        sys.exit(
            f"Nothing here is of the categories that were held back: {', '.join(held_back) or 'none'}."
        )
    return found


def _apart(*arguments: Any) -> dict[str, Any]:
    """What `measure` returns, of a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, arguments)


def measure(
    item: Path,
    file: str,
    network: NetworkConfig,
    change: Sequence[str],
    minutes: float,
    pace: Mapping[str, float] | None,
) -> dict[str, Any]:
    """Train on the small picture of one material and compare.

    Args:
        item: file or folder.
        file: of the weights, or `NOISE`.
        network: sizes that they fit.
        change: numbers of `Hyperparameters`.
        minutes: the budget.
        pace: seconds of a step; None measures that alone.

    Returns:
        `row`, `floor` and `steps`, or the pace.
    """
    from quality_figures import NativeReference
    from quality_training import (
        PACED,
        Levered,
        Measured,
        Stopwatch,
        TimedTraining,
        read_levers,
        rounded,
    )

    from gan_worker.config import TrainingConfig
    from gan_worker.gan.training.pretrained import Pretrained
    from gan_worker.runs.room import Room
    from gan_worker.runs.run import Run

    given = Pretrained(Path(file)) if file != NOISE else None

    class FromGiven(Levered):
        """From the weights that were named."""

        def new_update(self, config: Any, pictures: Any, _: Any, report: Any) -> Any:
            return super().new_update(config, pictures, given, report)

    levers = replace(read_levers("tiny", change), network=network)
    config = TrainingConfig("bench", (str(item),), minutes=minutes, octaves=0)
    if pace is None:
        config = replace(config, minutes=None, kimg=PACED * network.batch / 1000)
    watch = Stopwatch(pace or {})
    with tempfile.TemporaryDirectory() as home:
        run, room = Run.create(Path(home), "bench"), Room(lambda _: None, lambda: False)
        pipeline = FromGiven(levers)
        training = TimedTraining(watch, config, run, lambda _: None, lambda _: pipeline, room)
        training.loop(lambda: False)
        if pace is None:
            return watch.pace
        sheet = SHEETS / f"{Path(file).stem}_{item.stem}_{minutes:g}.png"
        measured = Measured(training, pipeline.real, sheet, minutes, ())
        reference = NativeReference(measured.real)
        made = measured.generate(training.live)
        measured.write_sheet({"source": measured.real, "first": made[0], "second": made[1]})
        row, floor = reference.row(made, copied=False), reference.floor
        return {"row": rounded(row), "floor": rounded(floor), "steps": watch.steps["small"]}


def tables(kept: Mapping[str, Any]) -> str:
    """All results as Markdown: a table of medians for each budget, and one line for each material below."""
    text = TOLD
    for minutes, results in sorted(kept["results"].items(), key=lambda pair: float(pair[0])):
        shared = sorted(set.intersection(*(set(found) for found in results.values())))
        if not shared:
            continue
        span = counted(int(minutes), "minute") if minutes.isdigit() else f"{minutes} minutes"
        text += f"\n## {span}, median of {len(shared)} materials\n\n"
        text += "| | steps | " + " | ".join(HEADS) + " |\n|---|" + "---|" * (len(SHOWN) + 1)
        for name, found in results.items():
            rows = [found[item]["row"] for item in shared]
            steps = median(found[item]["steps"] for item in shared)
            text += f"\n| {name} | {steps:.0f} | " + _cells(rows)
        text += "\n| floor | | " + _cells([kept["floor"][item] for item in shared])
        text += f"\n\n### {span}: critic 32 px, contrast\n\n| | " + " | ".join(results)
        text += " | floor |\n|---|" + "---|" * (len(results) + 1) + "\n"
        for item in shared:
            rows = [*(found[item]["row"] for found in results.values()), kept["floor"][item]]
            cells = [", ".join(cell(row.get(c)) for c in ("critic/32", "contrast")) for row in rows]
            text += f"| {item} | " + " | ".join(cells) + " |\n"
    return text


def _cells(rows: Sequence[Mapping[str, float]]) -> str:
    return " | ".join(median_cell([row[c] for row in rows if c in row]) for c in SHOWN) + " |"


def _keep(kept: Mapping[str, Any]) -> None:
    RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    TABLE.write_text(tables(kept))


if __name__ == "__main__":
    main()
