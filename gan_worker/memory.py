"""Memory that this process holds and could still take, and how it says that there is none left."""

from __future__ import annotations

import math
from pathlib import Path

import psutil

# What TensorFlow and CUDA say in errors that have no type of their own.
SHORTAGES = ("RESOURCE_EXHAUSTED", "OUT_OF_MEMORY", "out of memory", "OOM when allocating")
# MiB that must be left, or the system may end any process at any time. Saving a training takes less.
LEAST_LEFT = 256.0
# Of a control group (versions 2 and 1): its limit, what is used of it, and what of that can be dropped at any time.
_GROUP_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def resident_memory_mb() -> float:
    """Resident memory of this process, MiB."""
    return float(psutil.Process().memory_info().rss) / 2**20


def memory_left_mb(groups: Path = Path("/sys/fs/cgroup")) -> float:
    """What this process could still take of the computer, of its container and of its own limit, MiB.

    Args:
        groups: where Linux tells of control groups.
    """
    computer = float(psutil.virtual_memory().available) + _free_swap()
    places = (groups, groups / "memory")
    return min(computer, _left_of_limit(), *map(_left_of_group, places)) / 2**20


def _free_swap() -> float:
    """Bytes of swap that are free; none where nobody counts them, as Windows without its performance counters."""
    try:
        return float(psutil.swap_memory().free)
    except (RuntimeError, OSError):
        return 0.0


def _left_of_limit() -> float:
    """Bytes of address space that are left, where that is limited."""
    if not hasattr(psutil, "RLIMIT_AS"):
        return math.inf
    process = psutil.Process()
    limit = float(process.rlimit(psutil.RLIMIT_AS)[0])
    used = float(process.memory_info().vms)
    return math.inf if limit < 0 else limit - used


def _left_of_group(folder: Path) -> float:
    """Bytes that are left to a container, as seen from inside; endless where there is no limit."""
    for limit, used, reclaimable in _GROUP_FILES:
        try:
            # Without a limit it says "max", or in version 1 a number larger than any memory.
            most, taken = (int((folder / name).read_text()) for name in (limit, used))
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            return float(most - taken + int(stat.get(reclaimable, 0)))
        except (OSError, ValueError):
            continue
    return math.inf


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, NumPy, TensorFlow or CUDA says that memory ran out, of the computer or of its GPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return True
    # Not of every library: a sentence about a file may say anything.
    return type(error).__module__.startswith("tensorflow") and any(
        word in str(error) for word in SHORTAGES
    )
