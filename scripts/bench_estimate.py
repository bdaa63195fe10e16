"""Estimates the maps of material sets from their color alone, and compares with the real ones.

The sets are those from which the estimator's weights have not learned, as the file beside the weights says. Beside it
stand what has no relief, the brightness as a bump, and seven octaves of brightness in one mix, both fitted on the sets
it has learned; and of roughness and occlusion the mean of those. Sets whose publisher made the normals by a filter of
the color stand apart.

The table is `bench_estimate.md`; `bench_estimate.json` has the figures of each set.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from estimator_weights import kept, read_samples
from weights_sources import learned_sets

from gan_worker.estimation import Estimation
from gan_worker.gan.estimation.estimator import WEIGHTS, estimate
from gan_worker.gan.estimation.learning import as_photographed
from gan_worker.gan.estimation.maps import make_maps
from gan_worker.gan.estimation.relief import (
    luminance,
    normals_of_slopes,
    slopes_of_height,
)
from gan_worker.gan.estimation.samples import Sample, blurred
from gan_worker.gan.estimation.spectral import height_of_slopes
from gan_worker.gan.generation.seams import line_steps, seam_ratio
from gan_worker.materials.maps import MAPS

RESULTS, TABLE = (ROOT / f"scripts/bench_estimate.{ending}" for ending in ("json", "md"))
# Standard deviations of the blurs between seven octaves of brightness, pixels.
SIGMAS = (0, 1, 2, 4, 8, 16, 32)
STRENGTHS = np.concatenate([np.arange(0, 1.01, 0.05), np.arange(1.1, 6.01, 0.1)])
# Heights are compared from this blur up, and what is finer, pixels.
COARSE = 8
Row = dict[str, float]
Relief = Callable[[np.ndarray], np.ndarray]

COLUMNS = {
    "raw": "raw, °",
    "best": "best strength, °",
    "slopes": "slopes",
    "height": "height",
    "coarse": "coarse height",
    "fine": "fine height",
    "right": "right way up",
}


def slopes_of(height: np.ndarray) -> np.ndarray:
    """Slopes of a height, (height, width) to (height, width, 2)."""
    found: np.ndarray = slopes_of_height(tf.constant(height[None, ..., None], tf.float32))[
        0
    ].numpy()
    return found


def octaves(color: np.ndarray) -> list[np.ndarray]:
    """Slopes of seven octaves of brightness."""
    grey = luminance(tf.constant(color))[..., 0].numpy()
    soft = [blurred(grey, s) if s else grey for s in SIGMAS] + [np.full_like(grey, grey.mean())]
    return [slopes_of(a - b) for a, b in pairwise(soft)]


def fit(samples: Sequence[Sample]) -> tuple[float, np.ndarray]:
    """Strength of the bump and of each octave that come nearest to real slopes of all sets together."""
    across, rows = [], []
    for sample in samples:
        bands = octaves(sample.color.astype(np.float32))
        target = sample.targets[..., :2].astype(np.float32)
        across.append(np.stack([b[::7, ::7].ravel() for b in bands], 1))
        rows.append(target[::7, ::7].ravel())
    table, target = np.concatenate(across).astype(np.float64), np.concatenate(rows)
    whole = table.sum(1)
    return float(whole @ target / (whole @ whole)), np.linalg.lstsq(table, target, rcond=None)[0]


def angle(slopes: np.ndarray, real: np.ndarray) -> float:
    """Mean angle between the normals of both, degrees."""
    pair = [normals_of_slopes(tf.constant(s, tf.float32)).numpy() for s in (slopes, real)]
    return float(np.degrees(np.arccos(np.clip((pair[0] * pair[1]).sum(-1), -1, 1))).mean())


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Of both, 0 where one of them is flat."""
    flat = a.std() < 1e-6 or b.std() < 1e-6
    return 0.0 if flat else float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def compare_relief(slopes: np.ndarray, real: np.ndarray) -> Row:
    """Figures of slopes beside the real ones."""
    part = np.s_[::2, ::2]
    heights = [height_of_slopes(s) for s in (slopes, real)]
    soft = [blurred(h, COARSE) for h in heights]
    return {
        "raw": angle(slopes, real),
        "best": min(angle(s * slopes[part], real[part]) for s in STRENGTHS),
        "slopes": correlation(slopes, real),
        "height": correlation(*heights),
        "coarse": correlation(*soft),
        "fine": correlation(heights[0] - soft[0], heights[1] - soft[1]),
        "right": float(np.sum(slopes * real) > 0),
    }


def lit(sample: Sample, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A set's color under a sun of its own, and the logarithm of that light."""
    color, targets = (
        tf.constant(x[None].astype(np.float32)) for x in (sample.color, sample.targets)
    )
    # As what is made up: always lit, never turned over.
    facts = tf.constant([[1.0, 1, 1, 1]])
    seen, light = as_photographed(color, targets, facts, tf.constant([seed, 77]))
    return seen[0].numpy(), light[0, ..., 0].numpy()


def compare(sample: Sample, seed: int, bump: float, mix: np.ndarray, weights: Path) -> dict:
    """Figures of one set, as it is and lit: method → figures."""
    real = sample.targets[..., :2].astype(np.float32)
    seen, light = lit(sample, seed)
    found: dict[str, Row] = {}
    for lighting, color in (("", sample.color.astype(np.float32)), (" lit", seen)):
        bands = octaves(color)
        estimates = estimate(color, True, weights=weights).values.astype(np.float32)
        for method, slopes in (
            ("flat", np.zeros_like(real)),
            ("bump", bump * sum(bands)),
            ("seven octaves", sum(m * b for m, b in zip(mix, bands, strict=True))),
            ("estimator", estimates[..., :2]),
        ):
            found[method + lighting] = compare_relief(np.asarray(slopes), real)
        ours = found["estimator" + lighting]
        for name, channel, known in (("roughness", 2, 1), ("occlusion", 3, 2)):
            if sample.known[known]:
                error = estimates[..., channel] - sample.targets[..., channel]
                ours[name] = float(np.abs(error).mean())
    removed = estimates[..., 4]
    found["estimator lit"]["light"] = float(np.abs(removed - light).mean())
    found["flat lit"]["light"] = float(np.abs(light).mean())
    return found


def constants(learned: Sequence[Sample], tested: Sequence[Sample]) -> Row:
    """Errors of the mean of the learned sets as roughness and as occlusion."""
    found = {}
    for name, channel, known in (("roughness", 2, 1), ("occlusion", 3, 2)):
        level = np.mean(
            [s.targets[..., channel].mean(dtype=np.float64) for s in learned if s.known[known]]
        )
        errors = [
            np.abs(s.targets[..., channel].astype(np.float32) - level).mean()
            for s in tested
            if s.known[known]
        ]
        found[name] = float(np.mean(errors))
    return found


def expected(samples: Sequence[Sample], weights: Path) -> Row:
    """Correlation over the sets of the errors that are expected with those that are made."""
    pairs: dict[str, list[tuple[float, float]]] = {
        "normal": [],
        "roughness": [],
        "ambient_occlusion": [],
    }
    for sample in samples:
        color = sample.color.astype(np.float32)
        found = estimate(color, True, weights=weights)
        values = found.values.astype(np.float32)
        real = sample.targets.astype(np.float32)
        pairs["normal"].append((found.errors["normal"], angle(values[..., :2], real[..., :2])))
        for name, channel, known in (("roughness", 2, 1), ("ambient_occlusion", 3, 2)):
            if sample.known[known]:
                error = float(np.abs(values[..., channel] - real[..., channel]).mean())
                pairs[name].append((found.errors[name], error))
    found_all = {}
    for name, both in pairs.items():
        told, made = np.array(both).T
        found_all[name] = correlation(told, made)
        found_all[name + " told"], found_all[name + " made"] = (
            float(told.mean()),
            float(made.mean()),
        )
    return found_all


def speed(weights: Path) -> Row:
    """Processor seconds and seconds for all maps of 1024², and the worst seam ratio of an estimated map."""
    random = np.random.default_rng(5)
    rows, columns = np.mgrid[:1024, :1024]
    joints = (((rows + 60) % 128 < 8) | ((columns + 60) % 256 < 8))[..., None]
    color = np.where(joints, 0.3, 0.55) + random.normal(0, 0.05, (1024, 1024, 3))
    color = np.clip(color, 0, 1).astype(np.float32)
    names = ("base_color", "roughness", "normal", "height", "ambient_occlusion")
    bits = {name: MAPS[name].bits for name in names}
    best, processor = 1e9, 1e9
    for _ in range(4):
        began, used = time.perf_counter(), time.process_time()
        made = make_maps(color, estimate(color, True, weights=weights), Estimation(), names, bits)
        best = min(best, time.perf_counter() - began)
        processor = min(processor, time.process_time() - used)
    ratios = {f"seam {name}": seam_ratio(line_steps(made[name])) for name in names}
    return {"seconds": best, "processor": processor, **ratios}


def means(rows: Sequence[Row]) -> Row:
    """The mean of each figure over the sets that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}


def table(kept_figures: Mapping) -> str:
    """The figures as a person reads them."""
    sets = kept_figures["sets"]
    lines = [
        "# Estimates: maps from color alone, of sets that were held back\n",
        "Mean angles between estimated and real normals in degrees, correlations of slopes and of heights, and the",
        "share of sets whose relief is the right way up. `lit` is the same under a sun of its own for each set.",
        "",
    ]
    for title, own in (
        ("relief of their own", True),
        ("normals that are a filter of the color", False),
    ):
        chosen = [s["figures"] for s in sets.values() if s["own_relief"] == own]
        if not chosen:
            continue
        lines += [f"## {len(chosen)} sets with {title}\n", f"| | {' | '.join(COLUMNS.values())} |"]
        lines.append("|---" * (len(COLUMNS) + 1) + "|")
        for method in chosen[0]:
            row = means([figures[method] for figures in chosen])
            cells = " | ".join(f"{row[name]:.3g}" for name in COLUMNS)
            lines.append(f"| {method} | {cells} |")
        lines.append("")
    ours = means([s["figures"]["estimator"] for s in sets.values()])
    ours_lit = means([s["figures"]["estimator lit"] for s in sets.values()])
    flat = means([s["figures"]["flat lit"] for s in sets.values()])
    constant, told, fast = (
        kept_figures["constants"],
        kept_figures["expected"],
        kept_figures["speed"],
    )
    lines += [
        "## Other maps, mean errors over all sets\n",
        "| | constant | estimator | estimator lit |",
        "|---|---|---|---|",
        f"| roughness | {constant['roughness']:.3f} | {ours['roughness']:.3f} | {ours_lit['roughness']:.3f} |",
        f"| occlusion | {constant['occlusion']:.3f} | {ours['occlusion']:.3f} | {ours_lit['occlusion']:.3f} |",
        f"| logarithm of the light | {flat['light']:.3f} | | {ours_lit['light']:.3f} |",
        "",
        "## How sure it is\n",
        "| | error told | error made | correlation over the sets |",
        "|---|---|---|---|",
        *(
            f"| {n.replace('_', ' ')} | {told[n + ' told']:.3g} | {told[n + ' made']:.3g} | {told[n]:.2f} |"
            for n in ("normal", "roughness", "ambient_occlusion")
        ),
        "",
        "## Speed and seams\n",
        f"All maps of 1024²: {fast['seconds']:.2f} s, {fast['processor']:.2f} processor seconds. Seam ratios: "
        + ", ".join(
            f"{n[5:].replace('_', ' ')} {v:.2f}" for n, v in fast.items() if n.startswith("seam")
        )
        + ".",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders of material sets")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--read", type=Path, default=ROOT / "out/estimator/sets.npz")
    chosen = parser.parse_args()
    samples = kept(chosen.read, lambda: read_samples(chosen.folders))
    names = learned_sets(chosen.weights)
    tested = [s for s in samples if s.name not in names]
    learned = [s for s in samples if s.name in names]
    bump, mix = fit([s for s in learned if s.own_relief])
    figures: dict = {"sets": {}, "constants": constants(learned, tested)}
    for number, sample in enumerate(tested):
        print(f"{number + 1} of {len(tested)}: {sample.name}", flush=True)
        found = compare(sample, number, bump, mix, chosen.weights)
        figures["sets"][sample.name] = {"own_relief": sample.own_relief, "figures": found}
    figures["expected"], figures["speed"] = expected(tested, chosen.weights), speed(chosen.weights)
    RESULTS.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    TABLE.write_text(table(figures))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
