"""Trains `tiny` on each picture or material set, and measures what comes out after some minutes of training.

Each training runs in a process of its own, one after the other, on all cores. Its figures are added to
`bench_quality.json` beside this file at once, so that the benchmark can be stopped and goes on where it was;
`bench_quality.md` is the table.

A minute is so many steps as an idle computer makes in a minute, so that other work does not cut a training short, and
figures of different days compare. How many that are for each picture is measured before its training, or for all
of them with `--measure-pace`; both want the computer for themselves meanwhile. It is kept with the results.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

RESULTS, TABLE = (ROOT / f"scripts/bench_quality.{ending}" for ending in ("json", "md"))
RECIPES = ("tiny", "full", "psgan")
# What has a line for each picture in the table; of the other levers it shows the medians.
LISTED = ("tiny", "tiny contrasts=none", "tiny contrasts=none start=none", "psgan")
SEEDS, SIDE = (1, 2, 3, 4), 256
COLUMNS = {
    "critic_auc": "critic AUC",
    "local_contrast": "local contrast",
    "swd/0": "SWD full size",
    "swd": "SWD",
    "gram": "Gram",
    "coverage": "coverage",
    "copied": "copied",
    "diversity": "diversity",
    "seam_ratio": "seam ratio",
    "seam_band": "seam band",
    "correlations": "map correlations off by",
    "normal_height": "normals to height off by",
}
# Stands for a picture that was not measured.
ITEM: dict[str, Any] = {"minutes": {}}
KINDS = ("model", "floor", "random_phase", "noise")
Row = dict[str, float]


def main() -> None:
    options = _options()
    if options.child:
        _train_one(options)
        return
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"pace": {}, "results": {}}
    name = " ".join([options.recipe, *options.change])
    paces, measured = (kept[part].setdefault(name, {}) for part in ("pace", "results"))
    items = _items(options.data)
    marks = {f"{minutes:g}" for minutes in options.minutes}
    todo = [
        item
        for item in items
        if options.again or not marks <= measured.get(item.stem, ITEM)["minutes"].keys()
    ]
    for number, item in enumerate(todo):
        print(f"[{number + 1} of {len(todo)}] {name} on {item.name}", flush=True)
        if options.measure_pace or item.stem not in paces:
            paces[item.stem] = _in_a_process(options, item, None)["pace"]
        if not options.measure_pace:
            measured[item.stem] = _in_a_process(options, item, paces[item.stem])
        _keep(kept)
    print(_tables(kept))


def _keep(kept: dict[str, Any]) -> None:
    RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    TABLE.write_text(_tables(kept))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", help="pictures, material sets, or folders of them")
    parser.add_argument("--recipe", choices=RECIPES, default="tiny")
    parser.add_argument(
        "--minutes",
        type=float,
        nargs="+",
        default=[2.0, 5.0],
        help="when to measure; the last is the budget",
    )
    parser.add_argument(
        "--sheets", default=str(ROOT / "out/bench_quality"), help="folder for contact sheets"
    )
    parser.add_argument(
        "--change",
        action="append",
        default=[],
        help="one lever of tiny, such as patch_weight=0: a number of update.Hyperparameters; patterns=none trains "
        "without waves and grain, isotropic=true also with turned crops, precision=float32 in full precision, "
        "start=none from noise instead of pre-trained weights; and one of scripts/levers.py, such as "
        "contrasts=none",
    )
    parser.add_argument("--again", action="store_true", help="also what has been measured already")
    parser.add_argument(
        "--measure-pace", action="store_true", help="that alone; keep the computer idle meanwhile"
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--pace", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


def _items(places: Sequence[str]) -> list[Path]:
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


def _in_a_process(options: argparse.Namespace, item: Path, pace: float | None) -> dict[str, Any]:
    command = [sys.executable, __file__, str(item), "--child", "--recipe", options.recipe]
    command += ["--sheets", options.sheets, *(f"--change={lever}" for lever in options.change)]
    command += ["--minutes", *(("0.25",) if pace is None else map(str, options.minutes))]
    command += [] if pace is None else ["--pace", str(pace)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{item.name} was not measured, for the reason above.")
    return json.loads(done.stdout.splitlines()[-1])


class Stopwatch:
    """Adds up the time of training steps.

    Args:
        pace: steps in a second of an idle computer, which tell the time; None or 0 takes it as it is.
    """

    # Steps that build graphs and say nothing of the pace.
    WARM_UP = 20

    def __init__(self, pace: float | None):
        self._given, self._steps, self.seconds = pace, -self.WARM_UP, 0.0

    @property
    def pace(self) -> float:
        """Steps in a second, as measured."""
        return self._steps / self.seconds

    @contextmanager
    def step(self) -> Iterator[None]:
        before = time.perf_counter()
        yield
        self._steps += 1
        if self._given:
            self.seconds += 1 / self._given
        elif self._steps > 0:
            self.seconds += time.perf_counter() - before


def _train_one(options: argparse.Namespace) -> None:
    """Train, measure at each mark, and print all figures as the last line."""
    recipe, item, sheets = options.recipe, Path(options.data[0]), Path(options.sheets)
    watch = Stopwatch(options.pace)
    train = _train_psgan if recipe == "psgan" else partial(_train_preset, recipe, options.change)
    found: dict[str, Any] = {"minutes": {}}

    def measure(
        mark: float, steps: int, scale: float, reference: Callable, pictures: Callable
    ) -> None:
        if options.pace is None:
            return
        real, shown = reference(), pictures()
        row = _shown(real.evaluate(shown))
        found["minutes"][f"{mark:g}"] = {"steps": steps, "model": row}
        found["scale"] = scale
        found.update((kind, _shown(getattr(real, kind))) for kind in KINDS[1:])
        _write_sheet(sheets / f"{recipe}_{item.stem}_{mark:g}.png", real.materials[0], shown)

    train(item, sorted(options.minutes), watch, measure)
    if options.pace is None:
        found = {"pace": round(watch.pace, 3)}
    print(json.dumps(found))


def _shown(row: Mapping[str, float]) -> Row:
    """The columns of the table; of the seams, which are measured for every map, the worst."""
    shown = {}
    for name in COLUMNS:
        values = [
            v
            for key, v in row.items()
            if key == name or (key.startswith(f"{name}/") and "seam" in name)
        ]
        if values:
            shown[name] = round(min(values) if name == "seam_band" else max(values), 4)
    return shown


@dataclass(frozen=True)
class Levers:
    """How a training differs from the program's own: its `TrainingStep`, `Hyperparameters`, and where it begins."""

    kind: Any
    parameters: Any
    patterned: bool
    from_noise: bool
    isotropic: bool


def _read_levers(preset: str, told: Sequence[str]) -> Levers:
    from levers import LEVERS, OTHER_NETWORKS

    from gan_worker.gan.networks import precision
    from gan_worker.gan.training.step import TrainingStep, recipe

    kinds = [LEVERS[lever] for lever in told if lever in LEVERS]
    if len(kinds) > 1:
        sys.exit("Parts of scripts/levers.py are tried one at a time.")
    if set(OTHER_NETWORKS) & set(told) and "start=none" not in told:
        sys.exit(
            f"{' and '.join(OTHER_NETWORKS)} start from noise: put --change start=none before it."
        )
    values = dict(lever.split("=") for lever in told if lever not in LEVERS)
    patterned = values.pop("patterns", "") != "none"
    from_noise = values.pop("start", "") == "none"
    isotropic = json.loads(values.pop("isotropic", "false"))
    if values.pop("precision", "") == "float32":
        precision.has_bfloat16 = lambda: False  # type: ignore[assignment]
    own = asdict(recipe(preset))
    if unknown := values.keys() - own.keys():
        sys.exit(f"There is no lever {', '.join(unknown)}; numbers are {', '.join(own)}.")
    numbers = {name: type(own[name])(value) for name, value in values.items()}
    parameters = replace(recipe(preset), **numbers)
    return Levers(kinds[0] if kinds else TrainingStep, parameters, patterned, from_noise, isotropic)


def _train_preset(
    preset: str,
    changes: Sequence[str],
    item: Path,
    marks: list[float],
    watch: Stopwatch,
    measure: Callable,
) -> None:
    """The program's own training, as the command line runs it; marks are minutes of its steps alone."""
    from gan_worker.config import MATERIAL_PRESETS, GenerationConfig, TrainingConfig
    from gan_worker.gan.data.dataset import MeasuredPictures
    from gan_worker.gan.data.waves import Pattern
    from gan_worker.gan.metrics.reference import Reference
    from gan_worker.gan.training.log import TrainingLog
    from gan_worker.gan.training.loop import Training
    from gan_worker.gan.training.pipelines import MaterialPipeline
    from gan_worker.gan.training.pretrained import Pretrained
    from gan_worker.gan.training.step import TrainingStep
    from gan_worker.progress import Notice
    from gan_worker.runs.run import Run

    levers = _read_levers(preset, changes)

    network = MATERIAL_PRESETS[preset]

    class Levered(MaterialPipeline):
        def read(self, config: TrainingConfig, state: Mapping[str, Any]) -> MeasuredPictures:
            read = super().read(config, state)
            plain = (Pattern(),) * len(read.materials)
            return read if levers.patterned else replace(read, patterns=plain)

        def new_update(
            self,
            config: TrainingConfig,
            pictures: MeasuredPictures,
            pretrained: Pretrained | None,
            report: Callable,
        ) -> TrainingStep:
            update: TrainingStep = levers.kind(
                network,
                self.new_dataset(pictures),
                pictures.patterns,
                config.seed,
                levers.parameters,
            )
            if pretrained and not levers.from_noise:
                update.start_from(pretrained)
            return update

    class Timed(Training):
        def _step(self, log: TrainingLog) -> None:
            with watch.step():
                super()._step(log)
            self.seconds = watch.seconds

    with tempfile.TemporaryDirectory() as home:
        config = TrainingConfig(
            "bench", (str(item),), preset=preset, minutes=marks[-1], isotropic=levers.isotropic
        )
        told: list[str] = []
        training = Timed(
            config,
            Run.create(Path(home), "bench"),
            lambda r: told.append(r.text) if isinstance(r, Notice) else None,
            Levered(network),
        )
        reference = cache(lambda: Reference(training.pictures.materials))

        def pictures() -> list:
            stride = training.network.stride
            side = max(SIDE, -(-reference().side // stride) * stride)
            return [
                dict(training.live.generate(GenerationConfig("bench", s, side, side)).maps)
                for s in SEEDS
            ]

        def between_steps() -> bool:
            if training.seconds >= 60 * marks[0]:
                measure(marks.pop(0), training.steps, training.data.scale, reference, pictures)
            return False

        budget = marks[-1]
        training.loop(lambda: bool(len(marks) > 1 and between_steps()))
        measure(budget, training.steps, training.data.scale, reference, pictures)
    for text in told:
        print(f"  {text}", file=sys.stderr)


def _train_psgan(item: Path, marks: list[float], watch: Stopwatch, measure: Callable) -> None:
    """PSGAN on the first map, in the pixels that `tiny` is trained on."""
    from psgan import Psgan

    from gan_worker.config import MATERIAL_PRESETS
    from gan_worker.gan.data.dataset import read_pictures
    from gan_worker.gan.metrics.reference import Reference

    network = MATERIAL_PRESETS["tiny"]
    read = read_pictures([str(item)], network.crop, None)
    name = read.report.maps[0]
    reference = cache(lambda: Reference([{name: read.materials[0][name]}]))
    psgan, steps = Psgan(network, read.materials[0][name]), 0

    def pictures() -> list:
        side = max(SIDE, -(-reference().side // 8) * 8)
        return [{name: psgan.sample(side, seed)} for seed in SEEDS]

    for mark in marks:
        while watch.seconds < 60 * mark:
            with watch.step():
                float(psgan.step())
            steps += 1
        measure(mark, steps, read.report.scale, reference, pictures)


def _write_sheet(
    file: Path, material: Mapping[str, np.ndarray], pictures: Sequence[Mapping[str, np.ndarray]]
) -> None:
    """The real picture, three seeds, and the first seed 2×2 at half size; one line for each map."""
    from gan_worker.materials.pictures import resize, write_picture

    lines = []
    for name, real in material.items():
        made = [p[name][:SIDE, :SIDE] for p in pictures[:3]]
        whole = resize(pictures[0][name], SIDE / 2 / pictures[0][name].shape[0])
        height, width = real.shape[:2]
        room = ((0, max(0, SIDE - height)), (0, max(0, SIDE - width)), (0, 0))
        line = [np.pad(real[:SIDE, :SIDE], room), *made, np.tile(whole, (2, 2, 1))]
        lines.append(np.concatenate([np.broadcast_to(x, (SIDE, SIDE, 3)) for x in line], axis=1))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_picture(file, np.concatenate(lines).astype(np.float32))


def _tables(kept: Mapping[str, Any]) -> str:
    results = kept["results"]
    text = "# Quality of what is trained, in minutes of training on this computer's cores\n\n"
    text += (
        "Lower is better except for diversity, which is 1 where seeds have nothing in common. In brackets and as\n"
        "`floor`: one half of the real picture against its other half; `random phase` has the picture's spectrum and\n"
        "no shapes; `noise` has its colors. The computers differed: `steps` says how many fit into the time.\n"
    )
    for recipe in LISTED:
        for minutes in _marks(results.get(recipe, {})):
            for kind, items in _kinds(results[recipe], minutes).items():
                text += f"\n## {recipe}, {minutes} minutes, {kind}\n\n" + _table(items, minutes)
    return text + _levers(results)


def _kinds(items: Mapping[str, Any], minutes: str) -> dict[str, dict[str, Any]]:
    """What was measured at that time: photos, and sets of maps, whose figures are those of all maps."""
    kinds: dict[str, dict[str, Any]] = {}
    for name, item in items.items():
        if minutes in item["minutes"]:
            kind = "material sets" if "correlations" in item["floor"] else "photos"
            kinds.setdefault(kind, {})[name] = item
    return kinds


def _marks(items: Mapping[str, Any]) -> list[str]:
    return sorted({m for item in items.values() for m in item["minutes"]}, key=float)


def _levers(results: Mapping[str, Any]) -> str:
    """What each lever gives: medians over the pictures it was tried on, with it and without it."""
    lines = []
    for name in (n for n in results if n not in RECIPES):
        plain, lever = name.rsplit(" ", 1)
        for minutes in _marks(results[name]):
            both = results[name], results.get(plain, {})
            shared = [p for p in both[0] if all(minutes in r.get(p, ITEM)["minutes"] for r in both)]
            lines += [
                _medians(f"{label} ({len(shared)})", minutes, [results[key][p] for p in shared])
                for label, key in ((plain, plain), (lever, name))
                if shared
            ]
    head = ["| lever (pictures) | minutes | steps | " + " | ".join(COLUMNS.values()) + " |"]
    head += ["|---|---|---|" + "---|" * len(COLUMNS)]
    told = (
        "Each stands below the recipe that it changes. `contrasts=none` is the recipe that compares no standard\n"
        "deviations of patches; `bench_quality.py --help` and `levers.py` tell of the others. The memory of the\n"
        "running mean grows with the steps, so that within two minutes `ema=0.999` is the recipe itself.\n\n"
    )
    return "\n## Levers\n\n" + told + "\n".join(head + lines) + "\n" if lines else ""


def _medians(label: str, minutes: str, items: Sequence[Mapping[str, Any]]) -> str:
    at = [item["minutes"][minutes] for item in items]
    cells = [_cell(median(a["model"].get(c, float("nan")) for a in at)) for c in COLUMNS]
    steps = median(a["steps"] for a in at)
    return f"| {label} | {minutes} | {steps:g} | " + " | ".join(cells) + " |"


def _table(items: Mapping[str, Any], minutes: str) -> str:
    """One line for each picture or set, then medians.

    Args:
        items: all measured at that time.
        minutes: of training.
    """
    columns = [
        c for c in COLUMNS if any(c in i["minutes"][minutes]["model"] for i in items.values())
    ]
    lines = [
        "| | steps | " + " | ".join(COLUMNS[c] for c in columns) + " |",
        "|---|" + "---|" * (len(columns) + 1),
    ]
    for name, item in items.items():
        at = item["minutes"][minutes]
        cells = [_cell(at["model"].get(c), item["floor"].get(c)) for c in columns]
        lines.append(f"| {name} | {at['steps']} | " + " | ".join(cells) + " |")
    for kind in KINDS:
        rows = [
            i["minutes"][minutes]["model"] if kind == "model" else i[kind] for i in items.values()
        ]
        cells = [_cell(median([r[c] for r in rows if c in r] or [float("nan")])) for c in columns]
        lines.append(f"| **median, {kind.replace('_', ' ')}** | | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: float | None, floor: float | None = None) -> str:
    if value is None or np.isnan(value):
        return "–"
    text = f"{value:.3g}"
    return text if floor is None else f"{text} ({floor:.3g})"


if __name__ == "__main__":
    main()
