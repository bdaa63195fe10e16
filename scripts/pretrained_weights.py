"""Makes the weights that trainings start from: draws materials, trains both networks of `tiny` on all of them together.

Takes about half an hour on two processor cores. The materials are drawn by `starter_materials.py` and the weights come
from nothing else, so that they are free of anyone's rights.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import numpy as np
from rich.progress import track
from starter_materials import write_materials

from gan_worker.config import MATERIAL_PRESETS
from gan_worker.files import replace_file
from gan_worker.gan.data.dataset import Dataset, Material, read_pictures
from gan_worker.gan.data.statistics import MapStatistics, Statistics, measure_statistics
from gan_worker.gan.data.waves import Pattern
from gan_worker.gan.training.pretrained import FOLDER, to_arrays
from gan_worker.gan.training.step import Hyperparameters, TrainingStep
from gan_worker.materials.maps import MAPS, Kind
from gan_worker.runs.checkpoints import format_tensors

PRESET = "tiny"
# With weights of twice the steps, two trainings of two minutes came out worse than with these.
STEPS, SIZE, SEED = 4000, 384, 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=FOLDER / f"{PRESET}.safetensors")
    parser.add_argument("--steps", type=int, default=STEPS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_materials(Path(folder), SIZE, SEED)
        read = read_pictures([folder], MATERIAL_PRESETS[PRESET].crop, 1.0)
    statistics, materials = each_by_itself(read.materials, read.report.maps)
    # Turned too, because materials lie in any direction; and so without patterns.
    dataset = Dataset(materials, statistics, turned=True)
    patterns = (Pattern(),) * len(materials)
    update = TrainingStep(
        MATERIAL_PRESETS[PRESET], dataset, patterns, 0, Hyperparameters(final_rate=0.3)
    )
    for step in track(range(chosen.steps), "training"):
        update.step(step, step / chosen.steps)
    chosen.file.parent.mkdir(parents=True, exist_ok=True)
    assert update.conditioning
    latents = update.conditioning.latents.numpy()
    arrays = to_arrays(update.ema_generator, update.discriminator, statistics, latents)
    replace_file(chosen.file, format_tensors(arrays))


def each_by_itself(
    materials: Sequence[Material], names: Sequence[str]
) -> tuple[Statistics, list[Material]]:
    """Materials whose channels were standardised as if each were the only one, and statistics that leave them so.

    A channel that only other materials have is 0.
    """
    alone = [measure_statistics([material], names) for material in materials]
    counts = {name: max(len(s.maps[name].axes) for s in alone) for name in names}
    standardised: list[Material] = [
        {name: _own_channels(s, m, name, counts[name]) for name in names}
        for s, m in zip(alone, materials, strict=True)
    ]
    return Statistics({name: _as_it_is(count) for name, count in counts.items()}), standardised


def _own_channels(
    statistics: Statistics, material: Mapping[str, np.ndarray], name: str, count: int
) -> np.ndarray:
    values = Statistics({name: statistics.maps[name]}).standardise(material)
    room = count - values.shape[-1]
    values = np.pad(values, ((0, 0), (0, 0), (0, room)))
    # A map of normals lies in 0..1.
    return (values + 1) / 2 if MAPS[name].kind is Kind.direction else values


def _as_it_is(channels: int) -> MapStatistics:
    axes = tuple(map(tuple, np.eye(channels).tolist()))
    return MapStatistics((0.0,) * channels, axes, (1.0,) * channels)


if __name__ == "__main__":
    main()
