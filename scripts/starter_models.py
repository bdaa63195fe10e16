"""Makes the starter models that come with the program: trains one on each material of `starters.toml` and one on
many of them together, then places all.

Each of one material takes the minutes that are given of two processor cores, the one of many its own. A run that was
interrupted goes on where it was, and one that has had its minutes is not trained again, so that the same command is
given until all are there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import numpy as np
from starter_library import Library

from gan_worker.dataclass_json import from_json
from gan_worker.files import read_json, write_json
from gan_worker.materials.maps import MAPS, Kind
from gan_worker.progress import DataReport
from gan_worker.runs import provenance
from gan_worker.runs.run import BUNDLED, Run, has_model, list_runs

if TYPE_CHECKING:
    from gan_worker.gan.data.statistics import Statistics

HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tilewright" / "starters"
LIST = ROOT / "scripts" / "starters.toml"
MINUTES = 8.0
# Significant bits of a weight, of the eleven that half precision has: maps change by a fifth of a step of 8 bits, one
# at most in 99 of 100 pixels, and a zip takes a fifth less.
BITS = 7
# How many steps of 8 bits are one of the real picture that a model keeps.
STEPS = 2.0


@dataclass(frozen=True)
class Starter:
    """One of the models.

    Attributes:
        set: folder of the material.
        name: of the model.
        author: who published the material.
        page: of the publisher.
        by_way_of: where the files were taken from; empty where that is the page.
        meters: that the picture shows from left to right, about; 0 where nobody knows.
        octaves: of detail; None measures them.
        side: pixels of the real picture that the model keeps, from side to side.
    """

    set: str
    name: str
    author: str
    page: str
    by_way_of: str = ""
    meters: float = 0.0
    octaves: int | None = None
    side: int = 512

    @property
    def options(self) -> tuple[str, ...]:
        """What a training that begins is told besides: octaves that are not measured, and whose the pictures are."""
        octaves = () if self.octaves is None else ("--octaves", str(self.octaves))
        rights = "--author", self.author, "--license", "CC0-1.0", "--source", self.source
        return *octaves, *rights

    @property
    def source(self) -> str:
        """Where the pictures come from, as the provenance says it."""
        return f"{self.page}, by way of {self.by_way_of}" if self.by_way_of else self.page

    @property
    def license_text(self) -> str:
        """What lies beside the model."""
        shown = (
            f" Its picture shows about {self.meters:g} m from left to right." if self.meters else ""
        )
        return (
            f"This model was trained on the material {self.set} by {self.author}, and may hold pieces of it.{shown}\n"
            f"Source: {self.source}\n"
            "The material and this model are dedicated to the public domain: CC0 1.0,\n"
            "https://creativecommons.org/publicdomain/zero/1.0/\n"
        )


def _drawn(material: str, name: str) -> Starter:
    return Starter(
        material, f"Starter {name}", "Tilewright contributors", "scripts/starter_materials.py"
    )


# Those of the first versions, of materials that the project draws: they stay for what was made with them.
DRAWN = (
    _drawn("RedBricks", "Red Bricks"),
    _drawn("Cobblestone", "Cobblestone"),
    _drawn("PeelingPaint", "Peeling Paint"),
    _drawn("WeatheredPlanks", "Weathered Wood"),
    _drawn("HexagonTiles", "Hexagon Tiles"),
    _drawn("CrackedMud", "Cracked Mud"),
)


def main() -> int:
    options = _options()
    folders = [folder.resolve() for folder in options.folders]
    with tempfile.TemporaryDirectory() as drawn:
        if not folders:
            subprocess.run(
                [sys.executable, ROOT / "scripts/starter_materials.py", drawn], check=True
            )
        offered: Sequence[Starter | Library]
        offered = [*read_starters(), read_library(folders)] if folders else DRAWN
        chosen = choose(offered, options.only)
        for one in chosen:
            if isinstance(one, Library):
                places, minutes = one.lay_out(options.home / "library"), one.minutes
            else:
                places, minutes = [find_set(one, folders or [Path(drawn)])], options.minutes
            train(one, places, minutes, options.home)
    # All at once and last: until then those that were there are.
    created = datetime.now(UTC).isoformat(timespec="seconds")
    for one in chosen:
        put_in_place(one, options.home / "runs" / run_name(one), options.into, created)
    if folders:
        retire(options.into)
    print(f"{len(chosen)} starter models are in {options.into}", flush=True)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/starter_models", description=__doc__)
    parser.add_argument(
        "folders",
        type=Path,
        nargs="*",
        metavar="FOLDER_OF_SETS",
        help="where the materials of scripts/starters.toml are; none for those that the project draws",
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for each (default: 8)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of models (default: all)")
    parser.add_argument(
        "--home", type=Path, default=HOME, help=f"of their runs, which are kept (default: {HOME})"
    )
    parser.add_argument(
        "--into", type=Path, default=BUNDLED, help="where they are put (default: the package)"
    )
    return parser.parse_args()


def read_starters() -> list[Starter]:
    """The list that is committed, in its order."""
    return [Starter(**entry) for entry in tomllib.loads(LIST.read_text("utf-8"))["starters"]]


def read_library(folders: Sequence[Path]) -> Library:
    """The model of many materials, as it stands in the same list; its sets are in these folders of sets."""
    return Library(**tomllib.loads(LIST.read_text("utf-8"))["library"], folders=folders)


def choose(
    starters: Sequence[Starter | Library], names: Sequence[str] | None
) -> list[Starter | Library]:
    """Those of these names, in their order; all where none is named."""
    unknown = {*(names or ())} - {one.name for one in starters}
    if unknown:
        known = ", ".join(one.name for one in starters)
        sys.exit(f"Models must be among {known}; received {', '.join(sorted(unknown))}.")
    return [one for one in starters if not names or one.name in names]


def find_set(starter: Starter, folders: Sequence[Path]) -> Path:
    """The folder of a material below those that were named."""
    found = next(
        (folder / starter.set for folder in folders if (folder / starter.set).is_dir()), None
    )
    if found is None:
        sys.exit(f"The material {starter.set} must be in {' or '.join(map(str, folders))}.")
    return found


def run_name(starter: Starter | Library) -> str:
    """Of the run that a model is made in: not the model's, which is taken where it comes with the program already."""
    return starter.name.removeprefix("Starter ")


def train(starter: Starter | Library, places: Sequence[Path], minutes: float, home: Path) -> None:
    """Train until it has had its minutes, from where it was left."""
    folder = home / "runs" / run_name(starter)
    ticks = Run(folder).read_progress() if folder.is_dir() else []
    if ticks and ticks[-1].seconds >= 60 * minutes and has_model(folder):
        print(f"{starter.name} has had its {minutes:g} minutes", flush=True)
        return
    command = [sys.executable, "-m", "gan_worker", "train", *map(str, places)]
    command += ["--minutes", str(minutes)]
    if ticks and Run(folder).checkpoints():
        command += ["--resume", run_name(starter)]
    else:
        shutil.rmtree(folder, ignore_errors=True)
        command += ["--run", run_name(starter), "--preset", "tiny", *starter.options]
    subprocess.run([*command, "--home", str(home)], cwd=ROOT, check=True)


def put_in_place(starter: Starter | Library, run: Path, into: Path, created: str) -> Path:
    """Publish the model of a run where the program looks for those it brings along, in as few bytes as can be.

    Args:
        starter: whose it is.
        run: its folder.
        into: folder of models.
        created: ISO 8601 time in UTC, the same for all: lists begin with the newest, and these shall be in the order of
            the alphabet.

    Returns:
        The folder of the model.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from gan_worker.gan.generation.model import load_model

    trained = load_model(run)
    tensors = {name: rounded(array) for name, array in trained.tensors().items()}
    if trained.detail:
        kept = trained.detail.kept.reduced(starter.side, STEPS * _steps(trained.statistics))
        tensors |= kept.to_arrays()
    info = trained.info
    if isinstance(starter, Library):
        info, tensors = starter.offered(info, tensors)
    model = into / starter.name
    shutil.rmtree(model, ignore_errors=True)
    model.mkdir(parents=True)
    width = from_json(DataReport, read_json(run / "data_report.json")).materials[0].width
    info = replace(info, created=created, pixel_size=starter.meters / width)
    Run(model).save_model(info, tensors)
    shutil.copy2(run / provenance.FILE, model)
    (model / "LICENSE.txt").write_text(starter.license_text, "utf-8")
    return model


def rounded(array: np.ndarray) -> np.ndarray:
    """Weights in half precision, of which the last bits are zeros; whole numbers stay."""
    if array.dtype.kind != "f":
        return array
    mantissa, exponent = np.frexp(array.astype(np.float32))
    return np.ldexp(np.round(mantissa * 2**BITS), exponent - BITS).astype(np.float16)


def _steps(statistics: Statistics) -> np.ndarray:
    """What one step of 8 bits in the files is in each standardised channel."""
    of_a_map = {
        name: (2 if MAPS[name].kind is Kind.direction else 1) / 255 for name in statistics.maps
    }
    return np.array([of_a_map[n] / s for n, m in statistics.maps.items() for s in m.spread])


def retire(models: Path) -> None:
    """Have the drawn ones offered no more; what was made with them goes on."""
    for name in {one.name for one in DRAWN} & {*list_runs(models)}:
        file = models / name / "model.json"
        write_json(file, {**read_json(file), "retired": True})


if __name__ == "__main__":
    sys.exit(main())
