"""Measures generation against the same generator in PyTorch and against what the machine's convolutions can do.

Once more with two octaves of detail above the generator's pictures: what its parts cost, and what whole materials do.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from gan_worker.config import MATERIAL_PRESETS, GenerationConfig
from gan_worker.materials import png
from gan_worker.materials.files import Format, file_bits, save_material
from gan_worker.runs.run import ModelInfo, Run

MAPS = {"normal": 2, "height": 1, "base_color": 3, "roughness": 1, "ambient_occlusion": 1}
TABLE = ROOT / "scripts" / "bench_generation.md"
TIMES = {256: 25, 1024: 7, 4096: 1}
THREADS = os.cpu_count() or 1
LARGE, SMALL, FILED = 8192, 2048, 1024
# Of the model with detail, and the side of the real picture that it keeps, pixels.
OCTAVES, REAL = 2, 1024


def make_model(folder: Path, octaves: int = 0) -> Path:
    """A folder with a `tiny` model of five maps and random weights, all of which take part."""
    import keras
    import tensorflow as tf

    from gan_worker.gan.data.statistics import MapStatistics, Statistics
    from gan_worker.gan.generation.model import Model
    from gan_worker.gan.networks.generator import Generator
    from gan_worker.runs.checkpoints import format_of

    keras.utils.set_random_seed(1)
    kept = {
        n: (0.0,) * c if n == "normal" else (0.5,) * (3 if c == 3 else 1) for n, c in MAPS.items()
    }
    known = Statistics(
        {
            name: MapStatistics(mean, tuple(map(tuple, np.eye(len(mean)))), (0.2,) * len(mean))
            for name, mean in kept.items()
        }
    )
    tiny = MATERIAL_PRESETS["tiny"]
    generator = Generator(tiny, known.channels)
    detail = _make_detail(known.channels, octaves) if octaves else None
    variables = [*generator.trainable_variables]
    variables += detail.upsampler.trainable_variables if detail else []
    for variable in variables:
        variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2]) * 0.03)
    info = ModelInfo(
        name="bench",
        hash="",
        stride=tiny.stride << octaves,
        z_dim=tiny.z_dim,
        maps=tuple(MAPS),
        preset="tiny",
        network={"config": dataclasses.asdict(tiny), "patterns": []},
        statistics=known.to_json(),
        scale=1.0,
        created="",
        step=0,
        kimg=0.0,
        format=format_of(octaves, toned=False),
        octaves=octaves,
    )
    run = Run.create(folder, f"bench{octaves}")
    run.save_model(info, Model(info, generator, detail=detail).tensors())
    return run.path


def _make_detail(channels: int, octaves: int) -> Any:
    """A stage whose real picture is noise with detail at every size."""
    from gan_worker.gan.detail.bank import KeptPictures
    from gan_worker.gan.detail.stage import DetailStage
    from gan_worker.gan.networks.upsampler import Upsampler

    waves = np.hypot(np.fft.fftfreq(REAL)[:, None], np.fft.fftfreq(REAL)[None])
    white = np.random.default_rng(1).standard_normal((REAL, REAL, channels))
    spectrum = np.fft.fft2(white, axes=(0, 1)) / np.maximum(waves, 1 / REAL)[..., None]
    picture = np.fft.ifft2(spectrum, axes=(0, 1)).real
    picture = ((picture - picture.mean()) / picture.std()).astype(np.float32)
    tiny = MATERIAL_PRESETS["tiny"]
    upsampler = Upsampler(tiny.detail, channels, octaves, tiny.w_dim)
    return DetailStage(upsampler, KeptPictures.of([picture], octaves))


class Meter:
    """Adds up the time that parts of a model's drawing take.

    Args:
        model: with octaves of detail.
    """

    def __init__(self, model: Any):
        self._taken: dict[str, list[float]] = {"base": [], "matching": [], "upsampler": []}
        model.graphs.synthesis = self._timed("base", model.graphs.synthesis)
        model.detail.move = self._timed("matching", model.detail.move)
        model.detail.draw = self._timed("upsampler", model.detail.draw)

    def _timed(self, part: str, action: Callable) -> Callable:
        def measured(*arguments: Any) -> Any:
            began = time.perf_counter()
            made = action(*arguments)
            self._taken[part].append(time.perf_counter() - began)
            return made

        return measured

    def take(self) -> dict[str, float]:
        """Seconds of each part since the last call, and of how many pieces with all their octaves."""
        sums = {part: sum(taken) for part, taken in self._taken.items()}
        pieces = len(self._taken["upsampler"]) / OCTAVES
        for taken in self._taken.values():
            taken.clear()
        return {**sums, "pieces": pieces}


def measure_detail(path: Path) -> list[str]:
    """A note for each size: whole materials of five maps of the model with detail, and its parts."""
    from bench_convolutions import seconds

    from gan_worker.gan.generation.model import load_model

    model = load_model(path)
    meter, notes = Meter(model), []
    for side, times in TIMES.items():
        config = GenerationConfig("bench", 1, side, side)
        model.generate(config)
        found = []
        meter.take()
        for _ in range(max(1, times // 4)):
            found.append({"all": seconds(partial(model.generate, config)), **meter.take()})
        middle = {part: statistics.median(f[part] for f in found) for part in found[0]}
        pieces = middle["pieces"]
        parts = [
            f"{part} {middle[part] / pieces:.3f} s" for part in ("base", "matching", "upsampler")
        ]
        notes.append(
            f"with {OCTAVES} octaves of detail: {side}² of {len(MAPS)} maps in {middle['all']:.2f} s, "
            f"{pieces:g} pieces, of each {', '.join(parts)}"
        )
    return notes


def compare(model: Any, twin: Any, side: int, operations: float, most: float) -> list[str]:
    """Both libraries, piece by piece in turns; a row of the table."""
    import torch
    from bench_convolutions import seconds
    from torch_twin import tensor

    from gan_worker.gan.generation.tiles import LONGEST, cut_latents, split

    config = GenerationConfig("bench", 1, side, side)
    latents, reach = model.latents(config), model.generator.halos
    rows, columns = latents.local.shape[1:3]
    w = model.styles.style(config, rows, columns)
    pieces = split(rows, columns, LONGEST // model.network.stride)
    model.graphs.synthesis(w, cut_latents(latents, pieces[0], reach))
    ours, theirs, ratios, difference = [], [], [], 0.0
    made: dict[str, Any] = {}

    def tensorflow(piece: Any) -> None:
        made["ours"] = model.graphs.synthesis(w, cut_latents(latents, piece, reach)).numpy()

    def pytorch(piece: Any) -> None:
        cut = cut_latents(latents, piece, reach)
        with torch.inference_mode():
            made["theirs"] = twin.synthesis(
                tensor(w.numpy()), tensor(cut.local), [tensor(n) for n in cut.noise]
            )

    for piece in pieces * TIMES[side]:
        ours.append(seconds(partial(tensorflow, piece)))
        theirs.append(seconds(partial(pytorch, piece)))
        ratios.append(theirs[-1] / ours[-1])
        there = made["theirs"][0].permute(1, 2, 0).numpy()
        difference = max(difference, float(np.abs(there - made["ours"]).max()))
    pixels = (side**2) / len(pieces)
    rate = operations * pixels / statistics.median(ours)
    return [
        f"{side}²" + (f", {len(pieces)} pieces" if len(pieces) > 1 else ""),
        f"{statistics.median(ours) * len(pieces):.3f} s",
        f"{statistics.median(theirs) * len(pieces):.3f} s",
        f"{statistics.median(ratios):.2f}",
        f"{rate / 1e9:.0f} GFLOP/s",
        f"{100 * rate / most:.0f} %",
        f"{difference:.1e}",
    ]


def operations_a_pixel(model: Any) -> float:
    """Of all convolutions of the network, without any halo."""
    import tensorflow as tf
    from bench_convolutions import count_operations

    side = 256
    latents = model.latents(GenerationConfig("bench", 1, side, side))
    w = model.styles.style(GenerationConfig("bench", 1, side, side), side // 8, side // 8)
    traced = tf.function(model.generator.synthesis, autograph=False).get_concrete_function(
        w, tf.constant(latents.local), [tf.constant(n) for n in latents.noise]
    )
    return count_operations(traced.graph) / side**2


def make_large(folder: Path) -> None:
    """In a process of its own: 8192² of five maps and their files; prints figures as JSON."""
    from gan_worker.gan.generation.model import load_model

    model, found = load_model(folder), {}
    bits = file_bits(None, Format.png)

    def make(side: int) -> tuple[float, Any]:
        began = time.perf_counter()
        material = model.generate(GenerationConfig("bench", 1, side, side), bits)
        return (time.perf_counter() - began) / side**2, material

    make(SMALL)
    before, (large, material) = make(SMALL)[0], make(LARGE)
    found["seconds"] = large * LARGE**2
    found["ratio"] = large / statistics.mean((before, make(SMALL)[0]))
    found["peak_without_files"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    began = time.perf_counter()
    files = save_material(material, folder, Format.png)
    found["files_seconds"], found["files"] = time.perf_counter() - began, len(files)
    found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(json.dumps(found))


def measure_large(folder: Path, label: str) -> list[str]:
    command = [sys.executable, __file__, str(folder)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    f = json.loads(told.splitlines()[-1])
    good = "✓" if f["ratio"] < 1.1 and f["peak"] < 3 else "✗"
    return [
        f"{label}: {LARGE}² of {len(MAPS)} maps in {f['seconds']:.0f} s; peak memory of the process "
        f"{f['peak']:.2f} GiB ({f['peak_without_files']:.2f} GiB before files are written, < 3 GiB); "
        f"time a pixel {f['ratio']:.2f} × that of {SMALL}² (< 1.10) {good}",
        f"writing its {f['files']} PNG files took {f['files_seconds']:.0f} s",
    ]


def measure_files(model: Any) -> str:
    """Five PNG files of one material, and its maps as PNG in memory by each compressor, in turns."""
    from bench_convolutions import seconds

    material = model.generate(
        GenerationConfig("bench", 1, FILED, FILED), file_bits(None, Format.png)
    )
    taken: dict[str, list[float]] = {}

    def encode(compressor: Any) -> None:
        worker, png.deflate = png.deflate, compressor
        try:
            for pixels in material.maps.values():
                png.encode_png(pixels)
        finally:
            png.deflate = worker

    with tempfile.TemporaryDirectory(prefix="tilewright-bench-") as folder:
        work: dict[str, Callable[[], object]] = {
            "files": partial(save_material, material, Path(folder), Format.png),
            "isal": partial(encode, png.deflate),
            "zlib": partial(encode, zlib),
        }
        for name in list(work) * 9:
            taken.setdefault(name, []).append(seconds(work[name]))
    files, isal, plain = (1000 * statistics.median(taken[name]) for name in work)
    return (
        f"{FILED}² of {len(MAPS)} maps into PNG files: {files:.0f} ms; into memory, as in batches: {isal:.0f} ms "
        f"with isal, {plain:.0f} ms with zlib, as in Blender"
    )


def main() -> int:
    if len(sys.argv) > 1:
        make_large(Path(sys.argv[1]))
        return 0
    import tensorflow as tf
    import torch
    from bench_convolutions import peak, processor, show, use_threads
    from torch_twin import Generator

    from gan_worker.gan.generation.model import load_model

    use_threads(THREADS)
    with tempfile.TemporaryDirectory(prefix="tilewright-bench-") as folder:
        path, detailed = make_model(Path(folder)), make_model(Path(folder), OCTAVES)
        large = measure_large(path, "without detail")
        large += measure_large(detailed, f"with {OCTAVES} octaves of detail")
        model = load_model(path)
        files = measure_files(model)
        whole = measure_detail(detailed)
    twin, operations, most = Generator(model.generator), operations_a_pixel(model), peak("float32")
    rows = [compare(model, twin, side, operations, most) for side in TIMES]
    notes = [
        f"{processor()}, {THREADS} threads; TensorFlow {tf.__version__}, PyTorch {torch.__version__} eager, "
        f"channels last, inference mode; the same weights; medians of pieces made in turns; "
        f"{operations / 1000:.0f} kFLOP a pixel",
        f"convolution peak {most / 1e9:.0f} GFLOP/s: the best plain 3×3 convolution in float32 of either library",
        *large,
        *whole,
        files,
    ]
    header = ["tiny", "TensorFlow", "PyTorch", "× faster", "rate", "of the peak", "difference"]
    show("Generation on this computer", header, rows, notes, TABLE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
