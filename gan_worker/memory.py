"""Memory that this process holds, and how it says that there is none left."""

from __future__ import annotations

import psutil

# What TensorFlow and CUDA say in errors that have no type of their own.
SHORTAGES = ("RESOURCE_EXHAUSTED", "OUT_OF_MEMORY", "out of memory", "OOM when allocating")


def resident_memory_mb() -> float:
    """Resident memory of this process, MiB."""
    return float(psutil.Process().memory_info().rss) / 2**20


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, NumPy, TensorFlow or CUDA says that memory ran out, of the computer or of its GPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return True
    # Not of every library: a sentence about a file may say anything.
    return type(error).__module__.startswith("tensorflow") and any(
        word in str(error) for word in SHORTAGES
    )
