"""What both benchmarks of speed share: convolutions counted and timed, and a table that is printed and kept."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
import torch
from rich.console import Console
from rich.table import Table

# (batch, side, features) of convolutions that show what a machine can do.
SHAPES = ((8, 64, 64), (8, 64, 128), (8, 32, 256))
PEAK_TIMES = 12


def use_threads(count: int) -> None:
    """Both libraries compute with so many threads; before the first operation."""
    tf.config.threading.set_intra_op_parallelism_threads(count)
    torch.set_num_threads(count)


def seconds(action: Callable[[], Any]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def peak(kind: str) -> float:
    """The most floating point operations a second that a plain 3×3 convolution reaches, in either library.

    Args:
        kind: `float32` or `bfloat16`.
    """
    best = 0.0
    for batch, side, features in SHAPES:
        x, kernel = torch.randn(batch, features, side, side), torch.randn(features, features, 3, 3)
        x, kernel = (
            v.to(getattr(torch, kind)).contiguous(memory_format=torch.channels_last)
            for v in (x, kernel)
        )
        tx = tf.cast(tf.random.normal((batch, side, side, features)), kind)
        tk = tf.cast(tf.random.normal((3, 3, features, features)), kind)

        @tf.function
        def convolved(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
            return tf.nn.conv2d(a, b, 1, "SAME")

        work = 2 * batch * side**2 * features**2 * 9
        for action in (
            lambda a=x, b=kernel: torch.conv2d(a, b, padding=1),
            lambda a=tx, b=tk, f=convolved: f(a, b).numpy(),
        ):
            with torch.inference_mode():
                found = min(seconds(action) for _ in range(PEAK_TIMES))
            best = max(best, work / found)
    return best


def count_operations(graph: tf.Graph) -> int:
    """Floating point operations of all convolutions in a graph whose shapes are known, forwards and backwards."""
    total = 0
    for op in graph.get_operations():
        if op.type == "Conv2D":
            height, width, channels, _ = op.inputs[1].shape
            total += _work(op.outputs[0].shape, height, width, channels)
        elif op.type == "Conv2DBackpropInput":
            height, width, channels, _ = op.inputs[1].shape
            total += _work(op.inputs[2].shape, height, width, channels)
        elif op.type == "Conv2DBackpropFilter":
            sizes = tf.get_static_value(op.inputs[1])
            height, width, channels = op.outputs[0].shape[:3] if sizes is None else sizes[:3]
            total += _work(op.inputs[2].shape, height, width, channels)
    assert total, "the graph holds no convolution"
    return total


def _work(result: Sequence[int], height: int, width: int, channels: int) -> int:
    return 2 * math.prod(result) * int(height) * int(width) * int(channels)


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def show(
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[str],
    file: Path,
) -> None:
    """Print the table and keep it as Markdown."""
    table = Table(*header, title=title)
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.print(table)
    console.print(*notes, sep="\n")
    lines = [header, ["---"] * len(header), *rows]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    kept = "\n".join(f"- {note}" for note in notes)
    file.write_text(f"# {title}\n\n{text}\n\n{kept}\n", "utf-8")
